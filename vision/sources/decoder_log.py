"""What FFmpeg says while it decodes: the one honest sign that a picture is made up.

When packets are lost, FFmpeg fills the gaps in by guessing, and cv2 gives that out as a
good picture: streets flow over hedges, and nothing in the picture says that it is no
smoke. cv2 has no way to ask; but FFmpeg tells its log, and with one decoding thread it
does so in the thread that asked for the frame. So we are its log: complaints are
counted by thread, and nothing is printed (an address may hold a password).

Where cv2 was built in another way and FFmpeg's library is not found, ``listen`` says
so, and only what a picture shows is left (``vision.condition.blank``).

Source of the phrases: libavcodec/h264_slice.c, h264_cavlc.c, error_resilience.c,
hevc/refs.c and libavformat/rtpdec.c of FFmpeg 8.
"""

from __future__ import annotations

import atexit
import ctypes
import re
import threading
from pathlib import Path

_WARNING = 24
_DAMAGE = re.compile(
    rb"missed %d packets|error while decoding MB|concealing|corrupted macroblock"
    rb"|Frame num gap|Could not find ref|Reference %d >= %d|out of range"
    rb"|unavailable for requested|too large at|cbp too large|is invalid"
    rb"|negative number of zero coeffs|Missing reference picture"
)
_counts: dict[int, int] = {}
_lock = threading.Lock()
_held: dict[str, object] = {}
_Log = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p
)


def listen() -> bool:
    """Be FFmpeg's log from now on; cheap to repeat. False: it cannot be found.

    cv2 sets a log of its own when it opens its first stream: call this after opening.
    """
    with _lock:
        if not _held:
            library = _library()
            if library is None:
                return False
            try:
                log = _Log(_heard)
            except MemoryError:
                # libffi before 3.4 where memory may not be written and run (systemd).
                return False
            _held["library"], _held["log"] = library, log
            atexit.register(_deaf)
        _set(_held["log"])
    return True


def complaints() -> int:
    """How often a decoder in this thread had to guess, since it first listened."""
    return _counts.get(threading.get_ident(), 0)


def forget() -> None:
    """This thread decodes no more."""
    _counts.pop(threading.get_ident(), None)


def _heard(context: int, level: int, form: bytes | None, values: int) -> None:
    del context, values
    if level <= _WARNING and form and _DAMAGE.search(form):
        thread = threading.get_ident()
        _counts[thread] = _counts.get(thread, 0) + 1


def _library() -> ctypes.CDLL | None:
    """The libavutil that cv2 has loaded into this process."""
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
        path = next((p for p in maps.split() if "/libavutil" in p), None)
        return ctypes.CDLL(path) if path else None
    except OSError:
        return None


def _set(log: object) -> None:
    library = _held["library"]
    if isinstance(library, ctypes.CDLL):
        library.av_log_set_callback(log)


def _deaf() -> None:
    """Before Python ends, FFmpeg must not call it any more."""
    if _held:
        _set(None)
