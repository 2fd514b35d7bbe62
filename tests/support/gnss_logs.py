"""The recorded logs of receivers, what is true of them, and how to damage them."""

from __future__ import annotations

import json
from functools import cache
from typing import NamedTuple

from drivers.gnss.decode import decode
from drivers.gnss.epoch import distance_m
from drivers.gnss.reader import NmeaReader
from drivers.gnss.sentence import Framer
from tests.support.play_gnss import payload
from tests.support.recordings import RECORDINGS

FOLDER = RECORDINGS / "gnss"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
LOGS = sorted(EXPECTED)


@cache
def log(name):
    return payload(f"gnss/{name}")


def epochs(data, chunk=0):
    """All that a reader makes of these bytes."""
    reader = NmeaReader()
    size = chunk or len(data) or 1
    found = []
    for start in range(0, len(data), size):
        found += reader.feed(data[start : start + size])
    return found + reader.end(), reader


def fixes(data):
    return [epoch for epoch in epochs(data)[0] if epoch.place]


def accepted(data):
    """What stands between $ and * of each sentence that is used."""
    framer = Framer()
    return [s.line[:1] + s.line[1:-3] for s in framer.feed(data) if decode(s)]


@cache
def truth(name):
    """Time and place of every fix of a log."""
    return [(epoch.utc_ms, epoch.place) for epoch in fixes(log(name))]


def lies(found, *names):
    """Fixes whose time is no original one +-1 s, or that are 30 m off at that time."""
    originals = [fix for name in names for fix in truth(name)]
    wrong = []
    for epoch in found:
        near = originals
        if not epoch.time_flaw:
            near = [o for o in originals if abs(o[0] - epoch.utc_ms) <= 1000]
        if not any(distance_m(place, epoch.place) <= 30 for _, place in near):
            wrong.append(epoch)
    return wrong


class Joint(NamedTuple):
    """Where a log is left and where the other is entered."""

    left: str
    leave: int
    entered: str
    enter: int

    def bytes(self, around=0):
        """The joined logs, or so many bytes to both sides of the joint."""
        before, after = log(self.left)[: self.leave], log(self.entered)[self.enter :]
        return (before[-around:] + after[:around]) if around else before + after


def lucky_joints(kinds=(b"RMC", b"GGA", b"GNS", b"GLL", b"ZDA")):
    """Joints in the middle of two sentences whose halves pass the checksum together.

    One in 256 does. Only pairs of sentences of one type are looked at: others do not
    have the form of either.
    """
    found = []
    by_kind = {kind: [] for kind in kinds}
    for name in LOGS:
        data = log(name)
        at = data.find(b"$")
        while at >= 0:
            end = data.find(b"*", at)
            body = data[at + 1 : end]
            kind = body[2:5]
            if end > 0 and kind in by_kind and b"$" not in body and len(body) < 120:
                by_kind[kind].append((name, at, body, data[end + 1 : end + 3]))
            at = data.find(b"$", at + 1)
    for sentences in by_kind.values():
        # One of each log's second or so: they repeat.
        heads = _heads(sentences[::3])
        for name, at, body, digits in sentences[::2]:
            want = int(digits, 16)
            for cut in range(len(body) - 1, 6, -1):
                want ^= body[cut]
                for left, left_at, head, size in heads.get(want, ()):
                    mixed = head + body[cut:]
                    if mixed not in (body,) and head != body[:size]:
                        found.append(
                            (
                                left,
                                left_at + 1 + size,
                                name,
                                at + 1 + cut,
                                mixed,
                                digits,
                            )
                        )
    return found


def _heads(sentences):
    """Beginnings of sentences by their XOR."""
    heads = {}
    for name, at, body, _ in sentences:
        xor = 0
        for size, byte in enumerate(body, 1):
            xor ^= byte
            if size > 6:
                heads.setdefault(xor, []).append((name, at, body[:size], size))
    return heads
