"""What the gateway and a vision process say to each other: structs and their framing.

One process serves one group of cameras. It is started with one end of a socketpair;
each message is four bytes of length, big endian, and MessagePack of one struct, whose
``kind`` names it. The gateway says ``Configure`` once, first; a camera that changes
needs a new process. This is the only module of ``vision`` that the gateway imports, so
nothing heavy may be imported here.

Texts for people are not made here: ``key`` and ``args`` name a sentence of the
gateway's catalogue, which has it in Chinese and in English.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

VERSION = 1
LARGEST = 1_000_000
"""Bytes of one message; pictures travel as files."""

ALARMS_FOLDER = ".alarms"
"""In the folder of evidence: each camera's alarms and what operators said of them."""
UNTOLD_FOLDER = ".untold"
"""In the folder of evidence: a ``Picture`` for each file that the gateway is yet to be
told of. Written before the file has its name; the gateway removes it, once the picture
is in its buffer. So neither's death loses one."""

Label = Literal["dark_smoke", "light_smoke", "dust"]
LABELS: tuple[Label, ...] = get_args(Label)
"""What is looked for; the order of the maps everywhere."""
Confounder = Literal["steam", "cloud", "fog", "headlight", "insect", "droplet"]
"""What an operator may say an alarm really was."""
SourceKind = Literal["rtsp", "snapshot", "mjpeg", "usb", "file", "folder"]
Fault = Literal[
    "silent",
    "refused",
    "gone",
    "corrupt",
    "frozen",
    "black",
    "grey",
    "defocused",
    "blocked",
    "moved",
    "unsteady",
]
"""What can be wrong with a camera: no frame comes (silent), the login was refused, the
connection cannot be made (gone), frames cannot be decoded, or what comes shows
nothing; or what it sees is not what it usually does, and nothing is usual where the
view as a whole keeps moving (unsteady)."""
BLINDING: frozenset[Fault] = frozenset(
    {"silent", "refused", "gone", "corrupt", "frozen", "black", "grey"}
)
"""With these nothing is seen, so nothing is judged; a defocused, partly blocked, moved
or unsteady camera still sees smoke, and its alarms carry the fault."""
LEARNED: frozenset[Fault] = frozenset({"defocused", "blocked", "moved"})
"""Seen against what the camera usually sees; they outlive the process, as that does."""
Head = Literal["grid", "yolov5", "yolov8", "yolox", "end2end", "classification"]
Pixels = Literal["rgb255", "rgb1", "bgr255", "imagenet"]
"""What a value of a network's input is: bytes, 0..1, or normalised as ImageNet's."""
AUTO: Literal["auto"] = "auto"
HEADS = (AUTO, *get_args(Head))
PIXELS = (AUTO, *get_args(Pixels))
"""What may be declared of a model."""
Role = Literal["before", "at", "after", "clip", "heartbeat", "snapshot"]
Polygon = tuple[tuple[float, float], ...]
"""Corners; x and y from 0 to 1 of the picture, from its upper left."""


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """Where a camera stands and looks."""

    position: tuple[float, float] | None = None
    """Longitude, latitude in degrees, CGCS2000."""
    bearing: float | None = None
    """Of the picture's middle, degrees from true north, clockwise."""
    view: float | None = None
    """Horizontal field of view, degrees."""


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the picture with rules of its own."""

    name: str
    area: Polygon
    use: Literal["watch", "ignore", "private"] = "watch"
    """Watch only there; never alarm there; never alarm there and black it out in every
    stored picture."""
    labels: tuple[Label, ...] = LABELS
    """What is looked for (watch) or not alarmed about (ignore) there."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """When one label becomes an alarm; None: as the model's card calibrates it."""

    threshold: float | None = None
    """How far its score must rise over the background."""
    confirm: int = 4
    """So many of the last ``of`` judged frames."""
    of: int = 6
    clear_s: float = 30.0
    """Cleared after so long below the lower threshold."""
    cooldown_s: float = 300.0
    """A new alarm of the same place and label merges into the old one until then."""
    off: bool = False


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """Which network looks at the frames, and what its output means."""

    path: str | None = None
    """An ONNX file; None: the one we ship."""
    head: Head | Literal["auto"] = AUTO
    classes: dict[str, Label] = {}
    """The file's own class names or numbers -> ours; what is not named is ignored."""
    size: tuple[int, int] | None = None
    """Width, height it is fed with, where the file leaves that open."""
    pixels: Pixels | Literal["auto"] = AUTO
    """Auto: as the head's own tools have it."""
    threads: int = 1


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of an alarm."""

    folder: str
    max_bytes: int = 500_000_000
    keep_s: float = 30 * 86400.0
    picture_bytes: int = 400_000
    """A picture is made smaller until it fits."""
    part_bytes: int = 96_000
    """The gateway sends a picture in parts of this size."""
    clip_s: float = 0.0
    """Length of the clip around an alarm; 0: none."""
    words: dict[str, str] = {}
    """What is drawn into a picture, in the gateway's language: labels, ``peak``,
    ``bearing``, ``night``. Filled in by the gateway; what is missing is English."""


class Camera(msgspec.Struct, frozen=True, kw_only=True):
    """One camera as the vision process is told of it."""

    name: str
    kind: SourceKind
    url: str
    """Without a user's name or password."""
    username: str | None = None
    password: str | None = None
    refused: bool = False
    """The camera refused this very login to the process before: it has one try."""
    """Filled in by the gateway when it starts the process; never in a site file."""
    transport: Literal["tcp", "udp"] = "tcp"
    every_s: float = 1.0
    loop: bool = False
    """A file or folder begins again at its end, for demonstrations."""
    labels: tuple[Label, ...] = LABELS
    rules: dict[Label, Rule] = {}
    zones: tuple[Zone, ...] = ()
    night: Literal["watch", "hold", "auto"] = "auto"
    """Judge night pictures, never, or as sun and picture say: see docs/vision.md."""
    mount: Mount = Mount()
    tiles: tuple[int, int] | None = None
    """Columns, rows of a wide scan at full resolution, for towers."""
    heartbeat: str | None = "08:00"
    """Local time of the daily picture; None: none."""
    timezone: str = "Asia/Shanghai"
    clip_s: float = 0.0

    def __repr__(self) -> str:
        """Without the password: errors quote what they could not use."""
        return f"Camera(name={self.name!r}, kind={self.kind!r}, url={self.url!r})"


class Configure(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="configure"
):
    """Gateway to process, once and first."""

    version: int = VERSION
    group: str
    cameras: tuple[Camera, ...]
    model: Model = Model()
    evidence: Evidence
    heartbeat_s: float = 2.0


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="ask"):
    """Gateway to process: one picture now."""

    camera: str
    id: str


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="stop"):
    """Gateway to process: end within a second."""


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="hello"):
    """Process to gateway: the model is loaded, cameras are being opened."""

    version: int = VERSION
    pid: int
    model: str
    """The model's id: file name and version, as its card says."""
    model_sha256: str
    head: str
    size: tuple[int, int]


class Refused(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="refused"
):
    """Process to gateway: it cannot work like this, and why; it ends after it."""

    key: str
    args: dict[str, str] = {}


class CameraBeat(msgspec.Struct, frozen=True, kw_only=True):
    """How one camera is."""

    name: str
    faults: tuple[Fault, ...] = ()
    last_frame_ms: int | None = None
    """UTC ms of the newest good frame; None: none yet."""
    frames: int = 0
    """Good frames since the process started."""
    judged: int = 0
    """Frames the model looked at."""
    infer_ms: float = 0.0
    night: bool = False
    learning: bool = False
    """Its background is not known yet: only strong sights alarm."""
    scores: dict[Label, float] = {}
    size: tuple[int, int] | None = None
    alarms: tuple[str, ...] = ()
    """Ids of those it holds, from its start: also those of the process before."""
    unkept: str = ""
    """Why its last picture could not be kept, a key; empty: it could."""
    unkept_args: dict[str, str] = {}


class Beat(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="beat"):
    """Process to gateway, every ``heartbeat_s``: it lives, and how it is."""

    rss_bytes: int
    cameras: tuple[CameraBeat, ...]
    stuck: tuple[str, ...] = ()
    """Cameras whose reader hangs in a call of C: it should be replaced at a quiet
    moment."""


class Condition(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="condition"
):
    """Process to gateway: a camera's fault began or ended."""

    camera: str
    fault: Fault
    state: Literal["raised", "cleared"]
    t_ms: int
    """UTC ms of the frame or moment it was seen."""
    args: dict[str, str] = {}
    """Details for the sentence: seconds, status line, size."""


class Sight(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="sight"):
    """Process to gateway: an alarm was raised, changed or cleared."""

    id: str
    """Of the alarm: the same in all its messages, unique over restarts."""
    camera: str
    label: Label
    state: Literal["raised", "updated", "cleared"]
    t_ms: int
    """UTC ms of the frame that brought it."""
    began_ms: int
    """UTC ms of the first frame of it."""
    score: float
    """How far its region rose over the background; by itself while that was learned."""
    peak: float
    threshold: float
    """Of the score when it was raised."""
    region: tuple[float, float, float, float]
    """x0, y0, x1, y1, from 0 to 1 of the picture."""
    cells: int
    zone: str | None = None
    bearing: float | None = None
    model: str = ""
    model_sha256: str = ""
    faults: tuple[Fault, ...] = ()
    night: bool = False
    frame: str = ""
    """Id of the frame: camera and number."""
    second_look: float | None = None
    """Score of the second look of a tower's camera."""
    cause: Literal["", "unseen", "usual"] = ""
    """Why it was cleared although nobody saw it end: the camera could not see; or it
    still stood after half an hour, and counts as usual there."""


class Picture(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="picture"
):
    """Process to gateway: a file lies in the evidence folder, durable."""

    camera: str
    event: str
    """The alarm's id, or the id of a heartbeat or an ask."""
    n: int
    """Its number within the event."""
    role: Role
    annotated: bool
    file: str
    """Relative to the evidence folder."""
    sha256: str
    bytes: int
    type: Literal["image/jpeg", "video/mp4"] = "image/jpeg"
    t_ms: int
    """UTC ms of the frame."""


def note_of(picture: Picture) -> str:
    """Its file in ``UNTOLD_FOLDER``; relative to the evidence folder, too."""
    return f"{UNTOLD_FOLDER}/{picture.file.replace('/', '~')}.json"


FromGateway = Configure | Ask | Stop
FromVision = Hello | Refused | Beat | Condition | Sight | Picture

_ENCODER = msgspec.msgpack.Encoder()


class FramingError(ValueError):
    """The other side sent what is no message."""


def pack(message: FromGateway | FromVision) -> bytes:
    """One message as it travels."""
    body = _ENCODER.encode(message)
    if len(body) > LARGEST:
        raise FramingError(f"expected at most {LARGEST} bytes, got {len(body)}")
    return len(body).to_bytes(4, "big") + body


class Unpacker:
    """Bytes of a stream to messages.

    Args:
        expected: ``FromGateway`` or ``FromVision``.
    """

    def __init__(self, expected: type[FromGateway] | type[FromVision]) -> None:
        self._decoder = msgspec.msgpack.Decoder(expected)
        self._held = bytearray()

    def feed(self, data: bytes) -> list[FromGateway | FromVision]:
        """The messages that are complete with these bytes.

        Raises:
            FramingError: Nothing after this can be understood.
        """
        held, found = self._held, []
        held += data
        while len(held) >= 4:  # noqa: PLR2004 - the length
            size = int.from_bytes(held[:4], "big")
            if size > LARGEST:
                raise FramingError(f"expected at most {LARGEST} bytes, got {size}")
            if len(held) < 4 + size:
                break
            try:
                found.append(self._decoder.decode(bytes(held[4 : 4 + size])))
            except msgspec.MsgspecError as exc:
                raise FramingError(f"expected a message, got {exc}") from exc
            del held[: 4 + size]
        return found
