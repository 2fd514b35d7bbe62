"""Contacts on the gateway's own GPIO lines, through the kernel's character device.

The package gpiod (2.x) is an extra, ``ecogate[gpio]``, imported when a chip is opened.
"""

from drivers.gpio.chip import GpioChip
from drivers.gpio.device import GpioDevice

__all__ = ["GpioChip", "GpioDevice"]
