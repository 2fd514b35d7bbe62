"""A virtual site with cameras: the whole gateway, only the vision processes are fakes.

async with Watched(tmp_path, a_camera("yard-1")) as site:
    site.vision["main"].sight("yard-1", "a1")
"""

from __future__ import annotations

import msgspec

from gateway.config.cameras import SiteCamera, Vision
from gateway.ports import Ports
from tests.support.fake_vision import FakeVision
from tests.support.virtual_site import VirtualSite, make_site
from vision.messages import Camera, Evidence


def a_camera(name, group="main", **more):
    known = {"url": f"rtsp://10.0.0.1/{name}", "kind": "rtsp"}
    told = {k: more.pop(k) for k in list(more) if k in Camera.__struct_fields__}
    return SiteCamera(camera=Camera(name=name, **(known | told)), group=group, **more)


def a_vision(folder, **more):
    return Vision(evidence=Evidence(folder=str(folder / "data" / "media")), **more)


class Watched(VirtualSite):
    """A site with cameras whose processes are fakes."""

    def __init__(self, folder, *cameras, vision=None, clock=None, site=None, **shape):
        shape = {"devices": 1, "points": 2} | shape
        site = site or make_site(
            folder,
            **shape,
            cameras={camera.name: camera for camera in cameras},
            vision=vision or a_vision(folder),
        )
        super().__init__(folder, site, clock=clock)
        self.vision = FakeVision()
        self.ports = Ports(
            make_connector=lambda: self.platform.connector,
            notifier=self.notifier,
            make_vision=self.vision.start,
        )

    def start(self):
        self.vision.clock = self.clock
        super().start()

    def told(self, *types):
        return [e for e in self.events() if e["type"] in types]

    def states(self, *types):
        return [e["state"] for e in self.told(*types)]

    def camera(self, name="yard-1"):
        return next(c for c in self.health()["cameras"] if c["name"] == name)


def media_of(site):
    found = []
    for arrived in site.platform.arrived:
        if "/media/" in arrived.topic:
            head, _, data = arrived.payload.partition(b"\n")
            found.append((arrived.topic, msgspec.json.decode(head), data))
    return found
