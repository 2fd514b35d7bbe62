"""Devices, lines, brokers and platforms on loopback, with their faults.

Nothing here imports the gateway's wire code: a codec bug must not cancel itself out.
"""
