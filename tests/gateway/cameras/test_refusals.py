"""Cameras that cannot be watched as they are configured."""

from __future__ import annotations

import asyncio

from gateway.texts import t
from tests.support.virtual import run_virtual
from tests.support.watched_site import Watched, a_camera, a_vision
from vision.messages import Model


def test_a_refusal_is_told_once_and_tried_again_when_the_model_changes(tmp_path):
    async def main():
        model = tmp_path / "own.onnx"
        model.write_bytes(b"no model")
        vision = a_vision(tmp_path, model=Model(path=str(model)))
        async with Watched(tmp_path, a_camera("yard-1"), vision=vision) as site:
            site.vision.refusal = "vision.refused.failed"
            await asyncio.sleep(330)
            tried, state = len(site.vision.started), site.camera()["state"]
            site.vision.refusal = None
            model.write_bytes(b"a better one")
            await asyncio.sleep(10)
            after = site.camera()["state"]
        return site, tried, state, after

    site, tried, state, after = run_virtual(main())

    assert tried <= 4
    assert (state, after) == ("refused", "watching")
    assert site.states("camera_refused") == ["raised", "cleared"]
    assert site.states("camera_fault") == []


def test_a_password_that_cannot_be_read_leaves_out_its_camera_only(tmp_path):
    secret = tmp_path / "password"

    async def main():
        cameras = (
            a_camera("yard-1", username="watch", password_file=secret),
            a_camera("yard-2"),
        )
        async with Watched(tmp_path, *cameras) as site:
            await asyncio.sleep(10)
            states = site.camera("yard-1")["state"], site.camera("yard-2")["state"]
            configured = [c.name for c in site.vision["main"].configure.cameras]
            secret.write_text("open sesame\n")
            secret.chmod(0o600)
            await asyncio.sleep(90)
            later = site.vision["main"].configure.cameras
        return site, states, configured, later

    site, states, configured, later = run_virtual(main())

    assert states == ("refused", "watching")
    assert configured == ["yard-2"]
    assert [(c.name, c.password) for c in later] == [
        ("yard-1", "open sesame"),
        ("yard-2", None),
    ]
    assert site.states("camera_refused") == ["raised", "cleared"]


def test_a_group_of_which_none_can_log_in_says_so_and_begins_once_one_can(
    tmp_path, caplog
):
    secret = tmp_path / "password"

    async def main():
        camera = a_camera("yard-1", username="watch", password_file=secret)
        async with Watched(tmp_path, camera) as site:
            await asyncio.sleep(200)  # refused twice: the next try is far away
            secret.write_text("open sesame\n")
            secret.chmod(0o600)
            await asyncio.sleep(75)
            return site.camera("yard-1")["state"]

    assert run_virtual(main()) in ("watching", "learning")
    assert t("log.cameras_no_login") in caplog.text


def test_another_password_and_a_reload_are_tried_at_once(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("wrong\n")
    secret.chmod(0o600)

    async def main():
        cameras = (
            a_camera("yard-1", username="watch", password_file=secret),
            a_camera("yard-2"),
        )
        async with Watched(tmp_path, *cameras) as site:
            await asyncio.sleep(10)
            site.app.cameras.try_again()
            await asyncio.sleep(200)
            quiet = len(site.vision.started)
            site.vision["main"].condition("yard-1", "refused")
            await asyncio.sleep(200)
            refused = len(site.vision.started)
            secret.write_text("right\n")
            await asyncio.sleep(70)
            changed = len(site.vision.started)
            password = site.vision["main"].configure.cameras[0].password
            site.vision["main"].condition("yard-1", "refused")
            await asyncio.sleep(2)
            site.app.cameras.try_again()
            await asyncio.sleep(2)
            reloaded = len(site.vision.started)
        return quiet, refused, changed, password, reloaded

    # Nobody is disturbed while no camera refuses anything.
    assert run_virtual(main()) == (1, 1, 2, "right", 3)


def test_who_was_refused_is_tried_once_by_each_process_that_follows(tmp_path):
    """Else each reload, and each process that is replaced, has a round of its own."""
    secret = tmp_path / "password"
    secret.write_text("wrong\n")
    secret.chmod(0o600)

    async def main():
        cameras = (
            a_camera("yard-1", username="watch", password_file=secret),
            a_camera("yard-2"),
        )
        found = []
        async with Watched(tmp_path, *cameras) as site:

            def told():
                found.append([c.refused for c in site.vision["main"].configure.cameras])

            await asyncio.sleep(10)
            told()
            site.vision["main"].condition("yard-1", "refused")
            await asyncio.sleep(2)
            site.app.cameras.try_again()
            await asyncio.sleep(2)
            told()
            site.vision["main"].condition("yard-1", "refused")
            secret.write_text("right\n")
            await asyncio.sleep(70)
            told()
        return found

    first, reloaded, changed = run_virtual(main())

    assert first == changed == [False, False]
    assert reloaded == [True, False]
