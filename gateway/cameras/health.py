"""How cameras are, for people: a snapshot made when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from gateway.cameras.events import Text, fault_text
from gateway.cameras.seeing import unkept_text
from gateway.texts import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cameras.keeper import GroupKeeper
    from gateway.cameras.standing import Standing
    from gateway.config.cameras import SiteCamera

State = Literal["watching", "learning", "alarm", "fault", "refused", "starting", "down"]


class CameraHealth(msgspec.Struct, kw_only=True):
    """One camera and the process that looks at it."""

    name: str
    group: str
    kind: str
    state: State
    reason: dict[str, str] = {}
    """What is wrong, in each language; empty: nothing."""
    last_frame_ms: int | None = None
    frames: int = 0
    judged: int = 0
    infer_ms: float = 0.0
    night: bool = False
    faults: list[str] = []
    alarms: int = 0
    pid: int | None = None
    rss_bytes: int | None = None
    restarts: int = 0
    """Of the process, since the gateway started."""
    recycled: int = 0
    """Of these, planned ones."""
    crashes: int = 0
    """How often the keeper itself failed by a bug."""
    model: str = ""

    @property
    def good(self) -> bool:
        """Whether it sees."""
        return self.state in ("watching", "learning", "alarm")


def camera_health(
    camera: SiteCamera,
    keeper: GroupKeeper | None,
    standing: Standing,
    crashes: Callable[[str], int],
) -> CameraHealth:
    """The state of one camera."""
    name = camera.name
    faults, refusal = standing.faults_of(name), standing.refusal(name)
    known = keeper.seeing.seen.get(name) if keeper else None  # not while reloading
    seen = known.beat if known else None
    alive = keeper is not None and keeper.hello is not None
    alarms = standing.alarms.of(name)
    state: State = "watching"
    if refusal is not None:
        state = "refused"
    elif faults:
        state = "fault"
    elif not alive:
        state = "down" if keeper is not None and keeper.trouble else "starting"
    elif seen is None or not seen.frames:
        state = "starting"
    elif alarms:
        state = "alarm"
    elif seen.learning:
        state = "learning"
    words = [
        fault_text(key[1], event.values)
        for key, event in standing.faults.items()
        if key[0] == name
    ]
    if refusal is not None:
        words = [refusal.text]
    elif not words and not alive and keeper is not None:
        words = [keeper.trouble]
    if seen is not None and seen.unkept:
        words.append(unkept_text(seen))
    return CameraHealth(
        name=name,
        group=camera.group,
        kind=camera.camera.kind,
        state=state,
        reason=_joined(words),
        last_frame_ms=seen.last_frame_ms if seen else None,
        frames=seen.frames if seen else 0,
        judged=seen.judged if seen else 0,
        infer_ms=seen.infer_ms if seen else 0.0,
        night=bool(seen and seen.night),
        faults=faults,
        alarms=alarms,
        pid=keeper.pid if keeper else None,
        rss_bytes=keeper.rss_bytes if keeper else None,
        restarts=keeper.restarts if keeper else 0,
        recycled=keeper.recycled if keeper else 0,
        crashes=crashes(camera.group),
        model=keeper.hello.model if keeper and keeper.hello else "",
    )


def _joined(texts: list[Text]) -> Text:
    told = [text for text in texts if text]
    marks = {"zh": "；", "en": "; "}
    return {c: marks[c].join(text[c] for text in told) for c in LANGUAGES if told}
