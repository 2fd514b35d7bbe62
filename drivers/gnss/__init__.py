"""Satellite receivers: NMEA 0183 over serial or TCP, and gpsd.

``sentence`` finds sentences among bytes, ``decode`` reads them, ``epoch`` gathers what
belongs to one instant, ``witness`` believes nothing on the word of one sentence, and
``clockcheck`` holds its time against ours. ``reader`` puts them in a row; ``port`` and
``device`` stand before the gateway.
"""

from drivers.gnss.device import GnssDevice
from drivers.gnss.port import GnssPort, gpsd_port, serial_port, tcp_port

__all__ = ["GnssDevice", "GnssPort", "gpsd_port", "serial_port", "tcp_port"]
