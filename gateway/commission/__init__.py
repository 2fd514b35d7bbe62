"""Putting a site into service: find devices, decode registers, name mistakes.

What decides is pure (``search``, ``fingerprint``, ``decode``, ``causes``); what touches
a port does so through a :class:`~gateway.commission.door.Door`, which is either our own
or lent for a moment by the bus worker that owns the port.
"""
