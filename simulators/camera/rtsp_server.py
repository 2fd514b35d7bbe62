"""The RTSP server of a simulated camera: GStreamer's, a process of its own.

Run by the *system's* Python (``/usr/bin/python3 -I rtsp_server.py``), because PyGObject
belongs to it: only ``gi`` and the standard library here, and nothing of ours. Whoever
starts it feeds it on standard input: four bytes of length, big endian, one JSON object
of that length, then ``bytes`` further bytes where the object says so.

    {"op": "frame", "width": 640, "height": 360, "hold": false, "bytes": n} + I420
    {"op": "loss", "share": 0.3}      of RTP packets, dropped behind the payloader
    {"op": "keys", "drop": true}      key frames never leave the encoder
    {"op": "login", "user": "u", "password": "p", "digest": true}; without user: none

``hold`` keeps the stream's time where it was. Prints ``{"ready": true, "port": n}``.
Source: GStreamer RTSP server 1.22, RFC 2326, RFC 6184.
"""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, ANN204, D102, E402, PLR2004

import ctypes
import json
import os
import random
import signal
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer

_PR_SET_PDEATHSIG = 1
_ROLE = "viewer"
_LAUNCH = (
    "( appsrc name=source is-live=true format=time block=false max-buffers=4"
    " leaky-type=downstream ! queue leaky=downstream max-size-buffers=2"
    " ! x264enc name=encoder tune=zerolatency speed-preset=ultrafast threads=1"
    " byte-stream=true key-int-max={gop} bitrate={kbit}"
    " ! rtph264pay name=pay0 pt=96 config-interval=-1 mtu=1200 )"
)


class Server:
    """One stream on one path."""

    def __init__(self, path, fps, gop, kbit):
        self._fps = fps
        self._sources = []
        self._lock = threading.Lock()
        self._loss, self._drop_keys = 0.0, False
        self._held = {}
        self._random = random.Random(1)
        self._last = None
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(_LAUNCH.format(gop=gop, kbit=kbit))
        factory.set_shared(True)
        factory.set_eos_shutdown(False)
        factory.connect("media-configure", self._configured)
        permissions = GstRtspServer.RTSPPermissions()
        for what in ("access", "construct"):
            permissions.add_permission_for_role(_ROLE, f"media.factory.{what}", True)
        factory.set_permissions(permissions)
        self._factory = factory
        self.server = GstRtspServer.RTSPServer()
        self.server.set_address("127.0.0.1")
        self.server.set_service("0")
        self.server.get_mount_points().add_factory(path, factory)
        # A thread each: a client that waits for a picture must not hold up others.
        pool = GstRtspServer.RTSPThreadPool()
        pool.set_max_threads(-1)
        self.server.set_thread_pool(pool)

    def _configured(self, _factory, media):
        whole = media.get_element()
        source = whole.get_by_name("source")
        encoder = whole.get_by_name("encoder")
        encoder.get_static_pad("src").add_probe(
            Gst.PadProbeType.BUFFER, self._leaves_encoder
        )
        whole.get_by_name("pay0").get_static_pad("src").add_probe(
            Gst.PadProbeType.BUFFER_LIST | Gst.PadProbeType.BUFFER, self._leaves_payer
        )
        with self._lock:
            self._sources.append(source)
            last = self._last
        if last is not None:
            self._push(source, *last)
        media.connect("unprepared", self._gone, source)

    def _gone(self, _media, source):
        with self._lock:
            self._sources = [one for one in self._sources if one is not source]
            self._held.pop(id(source), None)

    def _leaves_encoder(self, _pad, info):
        key = not info.get_buffer().has_flags(Gst.BufferFlags.DELTA_UNIT)
        dropped = key and self._drop_keys
        return Gst.PadProbeReturn.DROP if dropped else Gst.PadProbeReturn.OK

    def _leaves_payer(self, pad, info):
        if not self._loss:
            return Gst.PadProbeReturn.OK
        if info.type & Gst.PadProbeType.BUFFER_LIST:
            # One picture's packets come in a list: each has its own luck.
            packets = info.get_buffer_list()
            for n in range(packets.length()):
                pad.push(packets.get(n))
            return Gst.PadProbeReturn.DROP
        lost = self._random.random() < self._loss
        return Gst.PadProbeReturn.DROP if lost else Gst.PadProbeReturn.OK

    def obey(self, said, data):
        match said["op"]:
            case "frame":
                last = (said["width"], said["height"], said["hold"], data)
                with self._lock:
                    self._last = last
                    sources = list(self._sources)
                for source in sources:
                    self._push(source, *last)
            case "loss":
                self._loss = said["share"]
            case "keys":
                self._drop_keys = said["drop"]
            case "login":
                self._login(said)

    def _push(self, source, width, height, hold, data):
        clock = source.get_clock()
        # No clock: not yet playing, which this picture lets it.
        now = 0 if clock is None else clock.get_time() - source.get_base_time()
        if hold:
            # A nanosecond on: the encoder wants it to rise, RTP's 90 kHz do not show it
            now = self._held.get(id(source), now) + 1
        self._held[id(source)] = now
        caps = Gst.Caps.from_string(
            f"video/x-raw,format=I420,width={width},height={height},"
            f"framerate={self._fps}/1,pixel-aspect-ratio=1/1,interlace-mode=progressive"
        )
        buffer = Gst.Buffer.new_wrapped(data)
        buffer.pts = buffer.dts = now
        source.emit("push-sample", Gst.Sample.new(buffer, caps, None, None))

    def _login(self, said):
        if not said.get("user"):
            self.server.set_auth(None)
            return
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", _ROLE)
        auth.set_realm("camera")
        user, password = said["user"], said["password"]
        if said["digest"]:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(user, password, token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        self.server.set_auth(auth)


def read(server, loop):
    """Commands and pictures, until the other side closes."""
    stream = sys.stdin.buffer
    while len(head := stream.read(4)) == 4:
        said = json.loads(stream.read(int.from_bytes(head, "big")))
        data = stream.read(said["bytes"]) if said.get("bytes") else b""
        if len(data) < said.get("bytes", 0):
            break
        server.obey(said, data)
    GLib.idle_add(loop.quit)


def main():
    """Serve until standard input ends or we are told."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's; our parent tells us
    path, fps, gop, kbit = sys.argv[1:5]
    Gst.init(None)
    missing = [
        name
        for name in ("appsrc", "x264enc", "rtph264pay", "udpsink", "rtpbin")
        if Gst.ElementFactory.find(name) is None
    ]
    if missing:
        print(json.dumps({"ready": False, "missing": missing}), flush=True)
        return 1
    server = Server(path, int(fps), int(gop), int(kbit))
    loop = GLib.MainLoop()
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGTERM, loop.quit)
    if not server.server.attach(None):
        print(json.dumps({"ready": False, "missing": ["a port"]}), flush=True)
        return 1
    print(
        json.dumps({"ready": True, "port": server.server.get_bound_port()}), flush=True
    )
    threading.Thread(target=read, args=(server, loop), daemon=True).start()
    loop.run()
    # Not by way of the interpreter's end: a thread of ours waits for standard input.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
