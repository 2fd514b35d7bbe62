"""A simulated site has its cameras where they are asked for, and only there."""

from __future__ import annotations

import pytest

from gateway.config import load_site
from simulators.site_plan import KINDS, load_plan
from simulators.site_process import SimulatedSite


@pytest.mark.parametrize("kind", KINDS)
async def test_without_being_asked_there_is_none(kind, tmp_path):
    site = SimulatedSite(load_plan(kind), tmp_path)
    await site.open()
    await site.close()

    assert not load_site(site.site_file).cameras


@pytest.mark.parametrize("kind", ["enterprise", "construction"])
async def test_its_cameras_run_and_stand_in_the_site_file(kind, tmp_path):
    plan = load_plan(kind)
    site = SimulatedSite(plan, tmp_path, cameras=True)
    await site.open()
    try:
        cameras = load_site(site.site_file).cameras
        assert list(cameras) == list(plan.cameras)
        first = next(iter(cameras))
        assert site.obey(f"spoil {first} freeze") == "ok"
        assert site.obey(f"revive {first}") == "ok"
        assert "there is no frost" in site.obey(f"spoil {first} frost")
    finally:
        await site.close()
    assert (tmp_path / "camera-password").stat().st_mode & 0o777 == 0o600
