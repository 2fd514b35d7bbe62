"""A camera, simulated: ``python -m simulators.camera``.

    command ─── camera ─┬─ rtsp_process ─► rtsp_server (GStreamer's, its own process)
                        │    └─ door         what vanishes and falls silent in between
                        ├─ http_server ── login, http_wire
                        ├─ switches          faults on demand
                        └─ play ── scene ── places, plume, day
    faults               what is wrong now; spoil: what that does to the picture

``rtsp_server`` runs on the system's Python and imports nothing of this package.
"""

from simulators.camera.command import parse

__all__ = ["parse"]
