"""Puts states and doubts into a scan before it is stored. No value is changed.

    1  the instrument's own state: its flag of the value, then its status points in the
       order of the site file
    2  an operator's maintenance window, where the instrument says nothing else
    3  rules, on GOOD readings of an instrument in its normal state

A state of the instrument that cannot be known is ``unknown``, and an operator's word is
better than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.judge import states
from gateway.judge.rules import DOUBTS
from gateway.judge.states import NORMAL, UNKNOWN, State
from gateway.record import Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drivers.values import Flaw
    from gateway.clock import Instant
    from gateway.judge.flag_watches import RuleWatch, SignWatch


class Flagger:
    """What is known of one device's state, and the rules of its points."""

    def __init__(
        self,
        device: str,
        shown: Sequence[SignWatch],
        rules: Sequence[RuleWatch],
        declared: Callable[[str, Instant], State | None],
    ) -> None:
        """Go on with what the watches know.

        Args:
            device: Its name.
            shown: Its states, in the order of the site file.
            rules: Of its points.
            declared: Device, instant -> what an operator declared for then.
        """
        self._device = device
        self._shown = shown
        self._rules = {watch.point: watch for watch in rules}
        self._words = {
            watch.sign.point.partition(".")[0] for watch in shown if watch.sign.equals
        }
        """Points that show a state by a word: it is not their own. What is measured may
        show one too (oxygen as in air: stopped), and is in it like the others."""
        self._declared = declared

    def judge(self, scan: Scan) -> Scan:
        """The same scan, with what is known beside its values."""
        for watch in self._shown:
            watch.look(scan)
        found = self._states(scan)
        doubts = self._doubts(scan, found) if self._rules else None
        if not found and not doubts:
            return scan
        flaws = {**scan.flaws, **doubts} if doubts else scan.flaws
        return Scan(
            scan.device,
            scan.at,
            scan.values,
            flaws,
            scan.flags,
            scan.sampled,
            scan.age_ms,
            scan.pos,
            found or None,
        )

    def _states(self, scan: Scan) -> dict[str, str]:
        """Point -> state, where it is not the normal one."""
        window = self._declared(self._device, scan.at)
        if not self._shown and not scan.flags and window is None:
            return {}
        shown = [(w.sign, w.holds(scan.at)) for w in self._shown]
        # Nothing is shown and all is known: nearly every scan there is.
        quiet = window is None and not any(held is not False for _, held in shown)
        found: dict[str, str] = {}
        for point, flag in (scan.flags or {}).items():
            marked = states.of_flag(flag)
            if marked != NORMAL:
                found[point] = marked
        if quiet:
            return found
        for point in (*scan.values, *(p for p in scan.flaws if p not in scan.values)):
            if found.get(point, UNKNOWN) != UNKNOWN:
                continue
            own: str = found.get(point, NORMAL)
            base = point.partition(".")[0]
            word = base in self._words and type(scan.values.get(point)) is not float
            if not word:
                for conf, held in shown:
                    if held is False or (conf.points and base not in conf.points):
                        continue
                    own = conf.state if held else UNKNOWN
                    if held:
                        break
            if own in (NORMAL, UNKNOWN) and window is not None:
                own = window
            if own != NORMAL:
                found[point] = own
        return found

    def _doubts(self, scan: Scan, found: dict[str, str]) -> dict[str, Flaw]:
        doubts: dict[str, Flaw] = {}
        for point, watch in self._rules.items():
            value = scan.values.get(point)
            if value is None or isinstance(value, bool | str):
                continue
            if found.get(point, UNKNOWN) != UNKNOWN:
                watch.judged.forget()
                continue
            if point in scan.flaws:
                continue
            sampled = scan.sampled.get(point) if scan.sampled else None
            doubt = watch.judged.doubt(value, scan.at, sampled)
            if doubt is not None:
                doubts[point] = DOUBTS[doubt]
        return doubts
