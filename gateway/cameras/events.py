"""The events of cameras, each in Chinese and English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from gateway.events import span
from gateway.record import Event
from gateway.texts import LANGUAGES, both, known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.values import Value
    from gateway.clock import Instant
    from gateway.config.cameras import SiteCamera
    from gateway.media import MediaRef
    from gateway.record import Told
    from vision.messages import Sight

Text = dict[str, str]
Lost = Literal["process_ended", "camera_removed", "unseen", "usual"]
"""Why an alarm was closed that nobody saw the end of."""
_CAUSES: dict[Lost, str] = {
    "process_ended": "camera process ended",
    "camera_removed": "camera removed",
    "unseen": "camera could not see",
    "usual": "still there, taken as usual",
}
TYPES = {"dark_smoke": "smoke_seen", "light_smoke": "smoke_seen", "dust": "dust_seen"}
_BECAUSE = {"zh": "：", "en": ": "}
_JOINT = {"zh": "，", "en": ", "}


def sight_event(
    sight: Sight,
    camera: SiteCamera,
    *,
    id_: str,
    state: Literal["raised", "updated", "cleared"],
    began: Instant,
    at: Instant,
    beside: dict[str, Value],
    media: tuple[MediaRef, ...] = (),
) -> Event:
    """An alarm was raised, changed or cleared.

    Args:
        sight: What the process said.
        camera: Whose picture it is in.
        id_: Of the alarm, which may have outlived a process.
        state: What becomes of the alarm.
        began: When its first frame was taken.
        at: When this frame was.
        beside: The analyzers' values of the same minute.
        media: Its pictures, as far as they are known.
    """
    values: dict[str, Told] = {
        "camera": sight.camera,
        "label": sight.label,
        "score": round(sight.score, 4),
        "peak": round(sight.peak, 4),
        "threshold": round(sight.threshold, 4),
        "region": tuple(round(edge, 4) for edge in sight.region),
        "model": sight.model,
        "model_sha256": sight.model_sha256,
        "night": sight.night,
        "frame": sight.frame,
    }
    if sight.zone is not None:
        values["zone"] = sight.zone
    if sight.bearing is not None:
        values["bearing"] = round(sight.bearing, 1)
    if sight.second_look is not None:
        values["second_look"] = round(sight.second_look, 4)
    if sight.faults:
        values["faults"] = tuple(sight.faults)
    if camera.grid is not None:
        values["grid"] = camera.grid
    if beside:
        values["at"] = beside
    return Event(
        id=id_,
        type=TYPES[sight.label],
        severity="alarm",
        state=state,
        at=began,
        until=None if state == "raised" else at,
        asset=camera.asset,
        values=values,
        text=_sight_text(sight, state, at.wall_ms - began.wall_ms),
        media=media,
    )


def pictured(event: Event, at: Instant) -> Event:
    """More pictures of an alarm are here; it names them all."""
    text = worded(
        "event.sight_pictured",
        {"label": _label(event.values.get("label"))},
        camera=event.values.get("camera"),
        count=len(event.media),
    )
    return _later(event, "updated", at, event.values, text, event.media)


def sight_lost(event: Event, why: Lost, at: Instant) -> Event:
    """An alarm is closed, and nobody saw it end."""
    text = worded(
        f"event.sight_{why}",
        {"label": _label(event.values.get("label"))},
        camera=event.values.get("camera"),
    )
    values = {**event.values, "cause": _CAUSES[why]}
    return _later(event, "cleared", at, values, text, event.media)


def fault_raised(
    camera: SiteCamera, fault: str, args: Mapping[str, str], at: Instant
) -> Event:
    """A camera shows nothing that can be trusted, and why."""
    return Event(
        id=f"camera_fault:{camera.name}:{fault}:{at.boot}:{at.mono_ms}",
        type="camera_fault",
        severity="warning",
        at=at,
        asset=camera.asset,
        values={**args, "camera": camera.name, "fault": fault},
        text=worded(
            "event.camera_fault", {"fault": fault_text(fault, args)}, camera=camera.name
        ),
    )


def fault_flaps(event: Event, times: int, at: Instant) -> Event:
    """A fault that is over for now stands on, for it comes back again and again."""
    values: dict[str, Told] = {**event.values, "times": times}
    text = worded(
        "event.camera_fault_flaps",
        {"fault": _told_fault(event)},
        camera=event.values.get("camera"),
        times=times,
    )
    return _later(event, "updated", at, values, text, ())


def fault_cleared(
    event: Event, at: Instant, cause: str = "", *, times: int = 0
) -> Event:
    """It sees again, or is watched no longer.

    Args:
        event: As it was told last.
        at: When.
        cause: Why it is watched no longer.
        times: It came and went so often; 0: it did not.
    """
    values: dict[str, Told] = {**event.values}
    key = "event.camera_fault_over"
    if cause:
        values["cause"], key = cause, "event.camera_unwatched"
    elif times:
        values["times"], key = times, "event.camera_fault_flapped"
    text = worded(
        key,
        {"fault": _told_fault(event)},
        camera=event.values.get("camera"),
        span=_span(event, at),
        times=times,
    )
    return _later(event, "cleared", at, values, text, ())


def _told_fault(event: Event) -> Text:
    return fault_text(str(event.values.get("fault", "")), _strings(event.values))


def refused(camera: SiteCamera, reason: Text, key: str, at: Instant) -> Event:
    """A camera cannot be watched like this: a person must act."""
    return Event(
        id=f"camera_refused:{camera.name}:{at.boot}:{at.mono_ms}",
        type="camera_refused",
        severity="warning",
        at=at,
        asset=camera.asset,
        values={"camera": camera.name, "reason": key},
        text=worded("event.camera_refused", {"reason": reason}, camera=camera.name),
    )


def accepted(event: Event, at: Instant, cause: str = "") -> Event:
    """It is watched now, or nobody wants it to be any more."""
    values: Mapping[str, Told] = event.values
    values = {**values, "cause": cause} if cause else values
    key = "event.camera_unwatched" if cause else "event.camera_accepted"
    text = both(key, camera=event.values.get("camera"), fault="", span="")
    return _later(event, "cleared", at, values, text, ())


def heartbeat(
    camera: SiteCamera, id_: str, media: tuple[MediaRef, ...], at: Instant
) -> Event:
    """The daily picture: it sees."""
    values: dict[str, Told] = {"camera": camera.name}
    return Event(
        id=id_,
        type="camera_heartbeat",
        severity="info",
        at=at,
        asset=camera.asset,
        values=values,
        text=both("event.camera_heartbeat", camera=camera.name),
        media=media,
    )


def fault_text(fault: str, args: Mapping[str, Any]) -> Text:
    """A fault in words, and why, where the source knows more."""
    told = {k: v for k, v in args.items() if k not in ("camera", "fault", "key")}
    kind = both(f"vision.fault.{fault}", **told)
    why = str(args.get("why", ""))
    if not (why.startswith("vision.") and known(why)):
        return dict(kind)
    reason = both(why, **told)
    return {code: _BECAUSE[code].join((kind[code], reason[code])) for code in kind}


def _sight_text(sight: Sight, state: str, lasted_ms: int) -> Text:
    parts = [both("event.sight_score", score=f"{sight.score:.2f}")]
    if state == "cleared":
        parts = [both("event.sight_peak", peak=f"{sight.peak:.2f}")]
    if sight.zone is not None:
        parts.append(both("event.sight_zone", zone=sight.zone))
    if sight.bearing is not None:
        parts.append(both("event.sight_bearing", bearing=f"{sight.bearing:.0f}"))
    if sight.night:
        parts.append(both("event.sight_night"))
    details: Text = {
        code: _JOINT[code].join(part[code] for part in parts) for code in LANGUAGES
    }
    return worded(
        f"event.sight_{state}",
        {"label": _label(sight.label), "details": details},
        camera=sight.camera,
        span=span(max(0, lasted_ms)),
    )


def _label(label: object) -> Text:
    return both(f"vision.label.{label}")


def worded(key: str, inside: Mapping[str, Text], **values: object) -> Text:
    """A sentence in each language, with parts that are sentences themselves."""
    return {
        code: both(key, **values, **{name: t[code] for name, t in inside.items()})[code]
        for code in LANGUAGES
    }


def _later(
    event: Event,
    state: Literal["updated", "cleared"],
    at: Instant,
    values: Mapping[str, Told],
    text: Text,
    media: tuple[MediaRef, ...],
) -> Event:
    return Event(
        id=event.id,
        type=event.type,
        severity=event.severity,
        state=state,
        at=event.at,
        until=at,
        asset=event.asset,
        values=values,
        text=text,
        media=media,
    )


def _span(event: Event, at: Instant) -> str:
    same = event.at.boot == at.boot
    one, other = (
        (event.at.mono_ms, at.mono_ms) if same else (event.at.wall_ms, at.wall_ms)
    )
    return span(max(0, other - one))


def _strings(values: Mapping[str, Told]) -> dict[str, str]:
    return {name: value for name, value in values.items() if isinstance(value, str)}


def camera_of(event: Event) -> str:
    """The camera an event is of."""
    return str(event.values.get("camera", ""))
