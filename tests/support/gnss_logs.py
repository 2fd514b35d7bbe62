"""The recorded logs of receivers, what is true of them, and how to damage them."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import NamedTuple

from drivers.gnss.decode import decode
from drivers.gnss.epoch import distance_m
from drivers.gnss.reader import NmeaReader
from drivers.gnss.sentence import Framer, Sentence
from tests.support.play_gnss import payload
from tests.support.recordings import RECORDINGS

_SENTENCE = re.compile(rb"\$([A-Z0-9]{5},[^$*\r\n]+)\*([0-9A-F]{2})")
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


def lucky_joints(every=1):
    """Joints in the middle of two sentences whose halves pass the checksum together.

    One in 256 does, and most of those have not the form of a sentence: these have.
    Pairs of one type are looked at; halves of two types never have it.

    Args:
        every: Take each so-manieth sentence as the first half: logs repeat.
    """
    found = []
    known = {body for name in LOGS for body in accepted(log(name))}
    for sentences in _sentences().values():
        heads = _heads(sentences[::every])
        for name, at, body, checksum in sentences:
            xor = checksum
            for cut in range(len(body) - 1, 6, -1):
                xor ^= body[cut]
                for left, left_at, head in heads.get(xor, ()):
                    mixed = head + body[cut:]
                    if b"$" + mixed not in known and _has_form(mixed):
                        leave = left_at + 1 + len(head)
                        found.append(Joint(left, leave, name, at + 1 + cut))
    return found


def _sentences():
    """Where sentences that tell a time stand, by type: log, place, body, checksum."""
    found = {kind: [] for kind in (b"RMC", b"GGA", b"GNS", b"GLL", b"ZDA")}
    for name in LOGS:
        for match in re.finditer(
            rb"\$([A-Z0-9]{5},[^$*\r\n]+)\*([0-9A-F]{2})", log(name)
        ):
            kind = match[1][2:5]
            if kind in found:
                found[kind].append((name, match.start(), match[1], int(match[2], 16)))
    return found


def _heads(sentences):
    """Beginnings of sentences by their XOR."""
    heads = {}
    for name, at, body, _ in sentences:
        xor = 0
        for size, byte in enumerate(body, 1):
            xor ^= byte
            if size > 6:
                heads.setdefault(xor, []).append((name, at, body[:size]))
    return heads


def _has_form(body):
    kind = body[2:5].decode()
    return decode(Sentence(body[:2].decode(), kind, body[6:], 0.0, b"")) is not None
