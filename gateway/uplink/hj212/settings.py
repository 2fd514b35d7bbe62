"""What a platform may set: kept over restarts, and void when the site file says else.

Each value is kept with the one that the site file had when it was set. As long as the
site file stays as it is, the platform's word counts; who changes it there means it.
Passwords and keys are kept in files of their own (``vault``), the rest as a note
beside the store's records.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.model import Hj212Target

log = logging.getLogger(__name__)

Setting = bool | int | float | str
REALTIME_S = 30
"""RtdInterval where the site file names none; the standard's range begins here."""
REMEMBERED = 16
"""Requests that changed something and are known again after a restart."""


class Done(msgspec.Struct, frozen=True, array_like=True):
    """A request that was carried out, by its QN."""

    qn: str
    cn: int
    result: int


class _Note(msgspec.Struct, omit_defaults=True):
    values: dict[str, tuple[Setting, Setting]] = {}
    """What was set, and what the site file said then."""
    done: tuple[Done, ...] = ()


class HostSettings:
    """Of one target; see ``seams.Settings``."""

    def __init__(
        self,
        conf: Hj212Target,
        *,
        password: Callable[[], str],
        note: bytes | None,
        keep: Callable[[bytes], None],
    ) -> None:
        """Take up what earlier runs kept.

        Args:
            conf: The target as the site file has it.
            password: Gives the one in force.
            note: What ``keep`` was given last.
            keep: Stores a note.
        """
        self._password = password
        self._conf = conf
        self._keep = keep
        self._callbacks: list[Callable[[], None]] = []
        self._site: dict[str, Setting] = {
            "mn": conf.mn,
            "overtime_s": conf.overtime_s,
            "recount": conf.recount,
            "rtd_interval_s": conf.realtime_s or REALTIME_S,
            "realtime": conf.realtime_s is not None,
            "facilities": conf.facilities_s is not None,
        }
        self._note = _read(note, conf.name)
        self._values = {
            name: value
            for name, (value, then) in self._note.values.items()
            if self._site.get(name) == then
        }

    # -- what holds -----------------------------------------------------------

    @property
    def password(self) -> str:
        """PW, six characters.

        Raises:
            SecretError: It cannot be read.
        """
        return self._password()

    @property
    def mn(self) -> str:
        """24 characters."""
        return str(self.get("mn"))

    @property
    def overtime_s(self) -> float:
        """An answer is waited for so long."""
        return float(self.get("overtime_s"))

    @property
    def recount(self) -> int:
        """An unanswered frame is sent again so often."""
        return int(self.get("recount"))

    @property
    def rtd_interval_s(self) -> float:
        """Between real-time frames, whether or not they are sent."""
        return float(self.get("rtd_interval_s"))

    @property
    def realtime_s(self) -> float | None:
        """Between real-time frames; None: none are sent."""
        return self.rtd_interval_s if self.get("realtime") else None

    @property
    def facilities_s(self) -> float | None:
        """Between frames of facility states; None: none are sent."""
        if not self.get("facilities"):
            return None
        return self._conf.facilities_s or self.rtd_interval_s

    def get(self, name: str) -> Setting:
        """One value by its name."""
        return self._values.get(name, self._site[name])

    @property
    def done(self) -> dict[str, Done]:
        """Requests that were carried out once and for all, by QN."""
        return {done.qn: done for done in self._note.done}

    # -- what changes ---------------------------------------------------------

    def change(self, values: dict[str, Setting]) -> dict[str, tuple[Setting, Setting]]:
        """Take new values over.

        Returns:
            What was another before: name -> old, new.
        """
        changed = {
            name: (self.get(name), value)
            for name, value in values.items()
            if self.get(name) != value
        }
        if any(name not in self._values for name in values) or changed:
            self._values.update(values)
            self._store()
        if changed:
            self.tell()
        return changed

    def is_set(self, name: str) -> bool:
        """Whether the platform ever set this, be it to what it was."""
        return name in self._values

    def tell(self) -> None:
        """Something that is kept elsewhere has changed: password or key."""
        for callback in tuple(self._callbacks):
            callback()

    def note_done(self, done: Done) -> None:
        """A request was carried out, or is about to be: it is not done again."""
        others = [each for each in self._note.done if each.qn != done.qn]
        self._note.done = (*others, done)[-REMEMBERED:]
        self._store()

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have this called after a change; returns how to end that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def _store(self) -> None:
        self._note.values = {
            name: (value, self._site[name]) for name, value in self._values.items()
        }
        self._keep(msgspec.json.encode(self._note))


def _read(note: bytes | None, target: str) -> _Note:
    if not note:
        return _Note()
    try:
        return msgspec.json.decode(note, type=_Note)
    except msgspec.MsgspecError:
        log.warning("%s", t("log.hj212_settings_unreadable", target=target))
        return _Note()
