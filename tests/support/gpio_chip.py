"""A GPIO chip in memory, behind the part of gpiod 2.x that the driver uses.

Its settings and constants are gpiod's own; chip, request and queue are ours, with the
kernel's rules: edges are in logical terms (``active_low``), a full queue drops its
oldest events, each event carries its number of the line.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from types import SimpleNamespace

import gpiod

QUEUE = 16
"""Events a request of one line holds (linux/gpio.h: GPIO_V2_LINES_MAX times 16)."""


def refused(number):
    return OSError(number, os.strerror(number))


class FakeRequest:
    """One requested line."""

    def __init__(self, chip, offset, settings):
        self._chip = chip
        self.offset = offset
        self.settings = settings
        self.released = False
        self._events = deque(maxlen=QUEUE)
        self._seqno = 0

    @property
    def active(self):
        return self._chip.levels[self.offset] != self.settings.active_low

    def changed(self):
        """Called after each change of the line's level."""
        Edge = gpiod.line.Edge  # noqa: N806
        rising = self.active
        wanted = self.settings.edge_detection
        if wanted in (Edge.BOTH, Edge.RISING if rising else Edge.FALLING):
            self._seqno += 1
            self._events.append(SimpleNamespace(line_seqno=self._seqno))

    def get_value(self, line):
        self._chip.check()
        assert line == self.offset
        before_read, self._chip.before_read = self._chip.before_read, None
        if before_read:
            before_read()
        Value = gpiod.line.Value  # noqa: N806
        return Value.ACTIVE if self.active else Value.INACTIVE

    def wait_edge_events(self, timeout=None):
        assert timeout == 0  # anything else would block
        self._chip.check()
        return bool(self._events)

    def read_edge_events(self, max_events=None):
        events = list(self._events)
        self._events.clear()
        return events

    def release(self):
        assert not self.released
        self.released = True
        self._chip.held.pop(self.offset, None)


class FakeChip:
    """A chip; also the module, as far as the driver is concerned."""

    line = gpiod.line
    LineSettings = gpiod.LineSettings

    def __init__(self, lines=54, names=None, busy=(), no_interrupt=()):
        self.lines = lines
        self.names = names or {}
        self.busy = set(busy)
        self.no_interrupt = set(no_interrupt)
        self.levels = dict.fromkeys(range(lines), False)
        self.held = {}
        self.requests = []
        self.error = None
        self.gone = False
        self.before_read = None
        self.opened = 0

    # -- the world ----------------------------------------------------------

    def set(self, offset, level):
        if self.levels[offset] == bool(level):
            return
        self.levels[offset] = bool(level)
        if offset in self.held:
            self.held[offset].changed()

    def pulse(self, offset, times=1):
        for _ in range(times):
            for _ in range(2):
                self.set(offset, not self.levels[offset])

    def check(self):
        if self.gone:
            raise refused(errno.ENODEV)

    # -- the module and the chip --------------------------------------------

    def Chip(self, path):  # noqa: N802
        if self.error:
            raise refused(self.error)
        self.check()
        self.opened += 1
        return self

    def line_offset_from_id(self, id):  # noqa: A002
        offset = id if isinstance(id, int) else self.names.get(id)
        if offset is None:
            raise refused(errno.ENOENT)
        if offset >= self.lines:
            raise refused(errno.EINVAL)
        return offset

    def request_lines(self, config, consumer=None, event_buffer_size=None):
        self.check()
        ((offset, settings),) = config.items()
        if offset in self.busy or offset in self.held:
            raise refused(errno.EBUSY)
        edges = settings.edge_detection != gpiod.line.Edge.NONE
        if edges and offset in self.no_interrupt:
            raise refused(errno.ENXIO)
        request = self.held[offset] = FakeRequest(self, offset, settings)
        self.requests.append(request)
        return request

    def close(self):
        self.opened -= 1
