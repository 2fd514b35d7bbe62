import numpy as np
import pytest

from vision.gate import FORCED_S, STILL_S, Gate


def wall(seed=1):
    return np.random.default_rng(seed).integers(60, 160, (192, 320)).astype(np.uint8)


def judged(gate, pictures, *, every_s=1.0, busy=False):
    return [
        gate.opens(picture, n * every_s, busy=busy)
        for n, picture in enumerate(pictures)
    ]


def test_a_still_picture_is_judged_for_ten_seconds_and_then_once_a_minute():
    opened = judged(Gate(), [wall()] * 301)
    assert all(opened[: int(STILL_S)])
    later = [n for n, was in enumerate(opened) if was and n > STILL_S]
    assert 3 <= len(later) <= 5
    assert max(np.diff([STILL_S - 1, *later])) <= FORCED_S + 1


def test_a_change_opens_at_once_and_keeps_open():
    gate, picture = Gate(), wall()
    judged(gate, [picture] * 30)
    smoke = picture.copy()
    smoke[80:104, 80:120] += 12
    assert not gate.opens(picture, 31.0, busy=False)
    assert gate.opens(smoke, 32.0, busy=False)
    assert gate.opens(smoke, 35.0, busy=False)


def test_a_slow_change_adds_up_until_it_is_seen():
    gate, picture = Gate(), wall()
    judged(gate, [picture] * 15)
    opened = []
    for n in range(40):
        slow = picture.copy()
        slow[80:104, 80:120] += np.uint8(n // 5)
        opened.append(gate.opens(slow, 15.0 + n, busy=False))
    assert not any(opened[:10])
    assert any(opened[10:])


@pytest.mark.parametrize("sigma", [0.5, 2.0, 6.0])
def test_noise_and_light_are_no_change(sigma, seed):
    rng, picture = np.random.default_rng(seed), wall().astype(float)
    pictures = [
        np.clip(picture + 0.1 * n + rng.normal(0, sigma, picture.shape), 0, 255).astype(
            np.uint8
        )
        for n in range(50)
    ]
    opened = judged(Gate(), pictures)
    assert sum(opened[12:]) <= 2, seed


def test_a_busy_watcher_opens_it():
    assert all(judged(Gate(), [wall()] * 60, busy=True))


def test_after_a_fault_the_next_frame_is_judged():
    gate = Gate()
    judged(gate, [wall()] * 30)
    gate.forget()
    assert gate.opens(wall(), 31.0, busy=False)
