"""Where a camera's pictures come from: the forms of ``url``, and the kind each means.

rtsp://host[:554]/path     a stream; rtsps://host[:322]/path the same, encrypted
http(s)://host/shot.jpg    one picture a request (``kind: snapshot``)
http(s)://host/video.mjpg  pictures without end (``kind: mjpeg``)
/dev/video0                a camera on this machine
clips/yard.mp4             a video file; pictures/ is a folder of them

A secret never stands in an address: it would be repeated by logs, by status, by every
tool that lists processes. No message here repeats what may hold one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, cast, get_args

from gateway.config.buses import split_host_port
from vision.messages import SourceKind

if TYPE_CHECKING:
    from pathlib import Path

    from drivers.profiles.reading import Section

KINDS: tuple[str, ...] = get_args(SourceKind)
NETWORK = ("rtsp", "snapshot", "mjpeg")
"""Kinds that may ask for a login."""
_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_OF_SCHEME = {
    "rtsp": ("rtsp",),
    "rtsps": ("rtsp",),
    "http": ("snapshot", "mjpeg"),
    "https": ("snapshot", "mjpeg"),
}
_STILLS = (".jpg", ".jpeg", ".png", ".bmp")
_STREAMS = (".mjpg", ".mjpeg", ".cgi/mjpeg")
_VIDEOS = (".mp4", ".mkv", ".avi", ".mov", ".ts", ".m4v", ".webm", ".mpg", ".h264")
_SECRET_KEYS = re.compile(
    r"(^|[?&;/_-])(pass|passwd|password|pwd|pw|token|secret)=", re.IGNORECASE
)
_DEVICE = re.compile(r"/dev/(video[0-9]{1,3}|v4l/by-(id|path)/.+)\Z")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


class Address(NamedTuple):
    """A camera's address, complete, and what it is."""

    kind: SourceKind
    url: str


def read_address(section: Section, folder: Path) -> Address | None:
    """The ``url`` and ``kind`` of a camera.

    Args:
        section: Of the camera.
        folder: What relative paths start from.
    """
    url = section.text("url", required=True)
    kind = section.choice("kind", KINDS)
    if url is None or (kind is None and section.has("kind")):
        return None
    scheme = _SCHEME.match(url)
    if scheme is None:
        return _local(section, url, kind, folder)
    return _remote(section, url, scheme[1].lower(), kind)


def _remote(
    section: Section, url: str, scheme: str, kind: str | None
) -> Address | None:
    authority, slash, path = url[len(scheme) + 3 :].partition("/")
    authority, mark, query = authority.partition("?")
    path = f"{mark}{query}{slash}{path}"
    if "@" in authority:
        user = authority.rpartition("@")[0]
        section.wrong("url", "secret_in_url" if ":" in user else "user_in_url")
        return None
    if _SECRET_KEYS.search(path):
        section.wrong("url", "camera_secret_in_query")
        return None
    if scheme not in _PORTS:
        section.wrong("url", "camera_scheme", schemes=", ".join(_PORTS), found=scheme)
        return None
    host_port = split_host_port(authority, _PORTS[scheme])
    if host_port is None or any(c.isspace() for c in url):
        section.wrong("url", "camera_url", found=f"{scheme}://{authority}")
        return None
    kinds = _OF_SCHEME[scheme]
    kind = kind or (kinds[0] if len(kinds) == 1 else _by_ending(path))
    if kind is None:
        section.wrong("url", "camera_kind_missing", choices=", ".join(kinds))
    elif kind not in kinds:
        code = "camera_kind_other"
        section.wrong("kind", code, choices=", ".join(kinds), found=kind)
    else:
        return Address(cast("SourceKind", kind), url)
    return None


def _by_ending(path: str) -> str | None:
    plain = path.partition("?")[0].lower()
    if plain.endswith(_STILLS):
        return "snapshot"
    return "mjpeg" if plain.endswith(_STREAMS) else None


def _local(
    section: Section, url: str, kind: str | None, folder: Path
) -> Address | None:
    """A camera of this machine, a file, or a folder of pictures."""
    if "@" in url:
        # An address whose scheme was forgotten may hold a login: it is not repeated.
        section.wrong("url", "camera_form")
        return None
    if url.startswith("/dev/") or kind == "usb":
        if not _DEVICE.match(url):
            section.wrong("url", "camera_device", found=url)
        elif kind not in (None, "usb"):
            section.wrong("kind", "camera_kind_other", choices="usb", found=kind)
        else:
            return Address("usb", url)
        return None
    path = folder / url
    if kind is None:
        ending = url.lower().endswith(_VIDEOS)
        kind = "file" if ending else "folder" if url.endswith("/") else None
        kind = kind or ("folder" if path.is_dir() else None)
    if kind is None or kind in NETWORK:
        section.wrong("url", "camera_form")
        return None
    if not path.exists():
        section.wrong("url", "file_absent", folder=folder, warning=True)
    return Address(cast("SourceKind", kind), str(path))
