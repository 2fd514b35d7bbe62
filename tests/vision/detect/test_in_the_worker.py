"""A model in the process that watches cameras: refusals reach the gateway."""

from __future__ import annotations

import socket
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.support import small_models as small
from tests.support.spawn import ROOT
from vision.messages import (
    Camera,
    Configure,
    Evidence,
    FromVision,
    Hello,
    Model,
    Refused,
    Unpacker,
    pack,
)


@pytest.fixture
def pictures(tmp_path):
    """White pictures with a little noise, so that they are no frozen camera's."""
    rng = np.random.default_rng(3)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for n in range(20):
        noise = rng.integers(215, 256, (180, 320, 3), np.uint8)
        noise[40:90, 16 * n : 16 * n + 30] = 120
        cv2.imwrite(str(folder / f"{n:02}.png"), noise)
    return folder


def said(tmp_path, pictures, model, until):
    """What a worker says until a message of a kind, or its end; its exit status."""
    camera = Camera(
        name="white", kind="folder", url=str(pictures), every_s=0.2, loop=True
    )
    configure = Configure(
        group="g",
        cameras=(camera,),
        model=model,
        evidence=Evidence(folder=str(tmp_path / "media")),
    )
    ours, theirs = socket.socketpair()
    found = []
    with ours, theirs:
        worker = subprocess.Popen(
            [sys.executable, "-m", "vision.worker", str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
        )
        try:
            theirs.close()
            ours.sendall(pack(configure))
            ours.settimeout(30)
            unpack = Unpacker(FromVision)
            while data := ours.recv(65536):
                found += unpack.feed(data)
                if any(isinstance(m, until) for m in found):
                    break
            ours.close()
            return found, worker.wait(10)
        finally:
            worker.kill()
            worker.wait()


def test_a_broken_model_is_refused_by_its_reason(tmp_path, pictures):
    path = tmp_path / "own.onnx"
    path.write_bytes(small.grid(scale=8.0, shift=-4.0))

    found, status = said(tmp_path, pictures, Model(path=str(path)), Refused)

    assert found[-1].key == "vision.model.not_probabilities"
    assert not any(isinstance(m, Hello) for m in found)
    assert status == 1


def test_an_answer_that_is_no_probability_ends_it_with_the_reason(tmp_path, pictures):
    """Fine with grey and noise; with a white picture a score of 1.3."""
    output = np.zeros((1, 6, 84), np.float32)
    output[0, :4] = small.centres((64, 64)).T
    output[0, 4, 3] = 0.4
    path = tmp_path / "own.onnx"
    path.write_bytes(small.fixed(output, metadata=small.NAMES, column=(0, 4, 3)))
    model = Model(path=str(path), classes={"smoke": "dust"})

    found, status = said(tmp_path, pictures, model, Refused)

    assert isinstance(found[0], Hello)
    assert found[-1].key == "vision.model.not_probabilities"
    assert status == 1
