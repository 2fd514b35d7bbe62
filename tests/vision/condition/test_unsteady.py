"""A view that keeps moving is named; one that stands in a storm is not."""

import cv2
import numpy as np
import pytest

from tests.support.scenes import HEIGHT, WIDTH, Scene, looks
from vision.condition import Watch
from vision.condition.unsteady import Unsteady
from vision.condition.usual_view import UsualView
from vision.look import glance
from vision.messages import BLINDING, LEARNED, Camera, Zone

WARM = 40
FLAT = Zone(name="flat", area=((0, 0), (0.2, 0), (0.2, 0.2)), use="private")
NOISE = np.random.default_rng(1).normal(0, 1, (HEIGHT + 64, WIDTH + 64))
NOISE = NOISE.astype(np.float32)
WIDE = np.concatenate([Scene(n).view for n in range(8)], axis=1)


def watch(*zones):
    return Watch(Camera(name="a", kind="rtsp", url="x", zones=zones))


@pytest.fixture
def rng(seed):
    print("seed", seed)
    return np.random.default_rng(seed)


def noisy(view, rng, sigma=2.0):
    # Drawing noise costs most: a large field of it, twice cut out at random, so that
    # no two pictures are ever the same.
    one, other = (
        NOISE[y : y + HEIGHT, x : x + WIDTH, None]
        for y, x in rng.integers(0, 64, (2, 2))
    )
    noise = np.float32(sigma / 2**0.5) * (one - other)
    return np.clip(view + noise, 0, 255).astype(np.uint8)


def at(x):
    return WIDE[:, round(x) : round(x) + WIDTH]


def zoomed(times):
    high, wide = round(HEIGHT / times), round(WIDTH / times)
    y, x = (HEIGHT - high) // 2, (WIDTH - wide) // 2
    return cv2.resize(at(0)[y : y + high, x : x + wide], (WIDTH, HEIGHT))


MOVING = {
    "drives past": lambda n: at(25 * n),
    "drives fast": lambda n: at(190 * n % 4400),
    "drives on": lambda n: zoomed(1.05 ** (n % 15)),
    "swings": lambda n: at(600 + 150 * np.sin(n / 2)),
}


@pytest.mark.parametrize("how", MOVING)
@pytest.mark.parametrize("stood", [0, WARM])
def test_a_view_that_keeps_moving_is_named_and_judged_on(how, stood, rng):
    frames = [noisy(MOVING[how](0), rng) for _ in range(stood)]
    frames += [noisy(MOVING[how](n), rng) for n in range(25)]
    frames += [noisy(MOVING[how](24), rng) for _ in range(12)]
    changed, usable = looks(watch(), frames)

    told = [one for one in changed if one[1] == "unsteady"]
    assert [state for _, _, state in told] == ["raised", "cleared"], changed
    assert told[0][0] - stood <= 10
    assert 3 <= told[1][0] - (stood + 25) <= 8
    assert "unsteady" not in BLINDING
    assert all(usable)
    if not stood:  # and no other fault, of a view that never was
        assert changed == told


def test_one_that_turns_to_and_fro_is_told_once(rng):
    """Where it turns back, pictures a few seconds apart are alike."""
    there = [4 * abs(n % 60 - 30) for n in range(150)]
    changed, _ = looks(watch(), [noisy(at(x), rng) for x in there])

    assert [one[1:] for one in changed] == [("unsteady", "raised")]


def test_after_a_minute_of_it_the_view_is_learned_anew(rng):
    one = watch()
    looks(one, [noisy(at(0), rng) for _ in range(WARM)])
    assert not one.learning
    driven = [noisy(at(25 * n), rng) for n in range(90)]
    looks(one, driven, start_s=float(WARM))
    assert one.faults[-1] == "unsteady"
    there = [noisy(at(25 * 90), rng) for n in range(45)]
    changed, _ = looks(one, there[:20], start_s=WARM + 90.0)

    assert changed[-1][1:] == ("unsteady", "cleared")
    assert one.faults == ()
    assert one.learning
    assert looks(one, there[20:], start_s=WARM + 110.0)[0] == []
    assert not one.learning


def test_it_stands_also_where_its_engine_shakes_it(rng):
    one, shaken = watch(), np.random.default_rng(5)
    looks(one, [noisy(at(25 * n), rng) for n in range(90)])
    assert one.faults == ("unsteady",)
    stands = [
        np.roll(at(25 * 90), shaken.integers(-4, 5, 2), (0, 1)) for _ in range(45)
    ]
    looks(one, [noisy(view, rng) for view in stands], start_s=90.0)

    assert one.faults == ()


@pytest.mark.parametrize("turned_s", [12, 45])
def test_who_turns_a_camera_slowly_is_told_that_it_moved(turned_s, rng):
    frames = [noisy(at(0), rng) for _ in range(WARM)]
    frames += [noisy(at(25 * n), rng) for n in range(turned_s)]
    frames += [noisy(at(25 * turned_s), rng) for _ in range(20)]
    changed, _ = looks(watch(), frames)

    assert ("unsteady", "cleared") in [one[1:] for one in changed]
    assert [one for one in changed if one[1] == "moved"][-1][2] == "raised"


def test_one_that_looks_at_its_presets_in_turn_has_moved(rng):
    presets = [noisy(at(640 * (n // 30 % 3)), rng) for n in range(100)]
    changed, _ = looks(watch(), presets)

    assert {fault for _, fault, _ in changed} == {"moved"}


def storm(view, rng, amplitude=5.0, share=1.0):
    """Trees all over the picture, each bough where it likes."""
    size, room = (WIDTH, HEIGHT), (HEIGHT // 24, WIDTH // 24)
    fields = [rng.normal(0, amplitude, room).astype(np.float32) for _ in range(2)]
    right, down = (cv2.resize(one, size) for one in fields)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    trees = (x < share * WIDTH).astype(np.float32)
    return cv2.remap(view, x + right * trees, y + 0.5 * down * trees, 1, borderMode=2)


def snow(view, rng, flakes=500):
    image = view.copy()
    for x, y in rng.integers(0, (WIDTH, HEIGHT), (flakes, 2)):
        cv2.circle(image, (int(x), int(y)), int(rng.integers(1, 5)), (235,) * 3, -1)
    return image


def smoke(view, rng, n):
    """Thick over all of it within ten seconds; it billows."""
    del rng
    field = np.random.default_rng(7).random((12, 20), dtype=np.float32)
    rolled = np.roll(field, (-3 * n, 5 * n), (0, 1))
    thick = cv2.resize(rolled, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    share = min(1.0, n / 10) * 0.98
    brown = np.float32([0.6, 0.8, 1.0])  # grey, it would be a switch to infrared
    return view * (1 - share) + (30 + 150 * thick[..., None]) * brown * share


def lorry(view, rng, n):
    """It drives past so close that for five seconds nothing else is seen."""
    del rng
    return at(1500 + 180 * n) if n < 5 else view


STANDING = {
    "storm": lambda view, rng, n: storm(view, rng),
    "wild storm in half of it": lambda view, rng, n: storm(view, rng, 12.0, 0.5),
    "shaking": lambda view, rng, n: np.roll(view, rng.integers(-4, 5, 2), (0, 1)),
    "swaying": lambda view, rng, n: np.roll(view, round(5 * np.sin(n / 10)), 1),
    "snow": lambda view, rng, n: snow(view, rng),
    "pumping": lambda view, rng, n: view * (0.7 + 0.17 * (n % 4)),
    "smoke": smoke,
    "lorry": lorry,
}


@pytest.mark.parametrize("how", STANDING)
def test_a_view_that_stands_is_never_unsteady(how, rng):
    frames = [noisy(at(0), rng) for _ in range(WARM)]
    frames += [noisy(STANDING[how](at(0), rng, n), rng) for n in range(30)]

    assert "unsteady" not in {fault for _, fault, _ in looks(watch(), frames)[0]}


GALES = {
    "a mast": lambda rng: np.roll(at(0), rng.integers(-10, 11, 2), (0, 1)),
    "trees": lambda rng: storm(at(0), rng, 9.0),
}


@pytest.mark.parametrize("what", GALES)
def test_nor_when_a_gale_goes_on_for_minutes(what, rng):
    """It agrees ever less with the usual view; it was one view, and still is."""
    frames = [noisy(at(0), rng) for _ in range(WARM)]
    frames += [noisy(GALES[what](rng), rng) for _ in range(100)]
    one, next_one = watch(), watch()
    assert "unsteady" not in {fault for _, fault, _ in looks(one, frames)[0]}
    assert next_one.restore(one.state(0, WARM + 100.0), 60_000, 0.0)
    changed, _ = looks(next_one, frames[-30:], start_s=60.0)
    assert "unsteady" not in {fault for _, fault, _ in changed}


def test_what_shakes_when_it_goes_to_infrared_has_not_strayed(rng):
    """Its view is learned anew then; where it stands was known."""
    one = watch(FLAT)
    looks(one, [noisy(at(0), rng) for _ in range(WARM)])
    dusk = [np.roll(at(0), rng.integers(-10, 11, 2), (0, 1)) for _ in range(60)]
    dusk += [at(0)] * 30
    grey = [noisy(view, rng).max(axis=2, keepdims=True) for view in dusk]
    looks(one, [np.repeat(one, 3, axis=2) for one in grey], start_s=float(WARM))

    assert one.placed


BEFORE_KNOWN = {how: STANDING[how] for how in STANDING if how != "smoke"}


@pytest.mark.parametrize("how", BEFORE_KNOWN)
def test_nor_before_its_view_is_known(how, rng):
    frames = [noisy(at(0), rng) for _ in range(6)]
    frames += [noisy(STANDING[how](at(0), rng, n), rng) for n in range(30)]

    assert "unsteady" not in {fault for _, fault, _ in looks(watch(), frames)[0]}


def test_the_noise_of_a_night_is_no_motion(rng):
    frames = [noisy(0.3 * at(0), rng, 8.0) for _ in range(30)]

    assert looks(watch(), frames)[0] == []


def test_little_that_moves_in_an_empty_view_is_not_the_view(rng):
    """A road from above, and nothing on it but cars: all structure there is moves."""
    road, frames = np.full((HEIGHT, WIDTH, 3), 110.0, np.float32), []
    for n in range(40):
        view = road.copy()
        for lane in range(3):
            x = (n * 60 + 190 * lane) % 560
            view[90 + 70 * lane : 130 + 70 * lane, x : x + 70] = at(900)[:40, :70] / 3
        frames.append(noisy(view, rng))

    assert "unsteady" not in {fault for _, fault, _ in looks(watch(), frames)[0]}


def test_how_fast_frames_come_changes_nothing(rng):
    for every_s in (0.2, 0.5):
        count = round(25 / every_s)
        frames = (noisy(at(25 * n * every_s), rng) for n in range(count))
        changed, _ = looks(watch(), frames, every_s=every_s)
        assert [one[1:] for one in changed] == [("unsteady", "raised")], every_s
        assert changed[0][0] <= 10


def test_a_travelling_view_with_private_zones_is_never_where_they_were_drawn(rng):
    one = watch(FLAT)
    looks(one, [noisy(at(25 * n), rng) for n in range(8)])
    assert not one.placed  # before it has a name
    looks(one, [noisy(at(25 * n), rng) for n in range(8, 20)], start_s=8.0)
    assert "unsteady" in one.faults
    stands = [noisy(at(25 * 20), rng) for _ in range(60)]
    looks(one, stands, start_s=20.0)

    assert "unsteady" not in one.faults
    assert not one.placed  # nobody knows the view they were drawn in


DRAWN_ANEW = Zone(name="flat", area=((0, 0), (0.2, 0), (0.2, 0.21)), use="private")


@pytest.mark.parametrize("stands_s", [0, 60])
def test_nor_does_the_next_process_take_what_it_finds_for_that_view(stands_s, rng):
    one = watch(FLAT)
    looks(one, [noisy(at(25 * n), rng) for n in range(20)])
    there = [noisy(at(25 * 20), rng) for _ in range(60)]
    looks(one, there[:stands_s], start_s=20.0)
    assert one.learning == (stands_s == 0)  # known since then, or not
    state = one.state(0, 20.0 + stands_s)

    for days in range(2):
        after = watch(FLAT)
        assert after.restore(state, days * 86_400_000, 0.0)
        looks(after, there[:WARM])
        assert after.faults == ()
        assert not after.placed
        state = after.state(days * 86_400_000, float(WARM))
    mended = watch(DRAWN_ANEW)
    assert mended.restore(state, 86_400_000, 0.0)
    looks(mended, there[:2])
    assert mended.placed


@pytest.mark.parametrize("period", [5, 7])
def test_one_that_swung_through_its_view_is_not_shown_where_it_stopped(period, rng):
    """It may be there in the very frame in which it is named."""
    one = watch(FLAT)
    looks(one, [noisy(at(600), rng) for _ in range(WARM)])
    swing = 600 + 300 * np.sin(np.arange(40) * 2 * np.pi / period)
    looks(one, [noisy(at(x), rng) for x in swing], start_s=float(WARM))
    assert "unsteady" in one.faults
    for n in range(12):
        looks(one, [noisy(at(870), rng)], start_s=WARM + 40.0 + n)
        assert "unsteady" in one.faults or not one.placed, n
    assert "unsteady" not in one.faults


def test_with_private_zones_the_view_that_was_known_is_waited_for(rng):
    one = watch(FLAT)
    looks(one, [noisy(at(0), rng) for _ in range(WARM)])
    for n in range(90):
        looks(one, [noisy(at(25 * n), rng)], start_s=float(WARM + n))
        assert n < 2 or not one.placed, n
    looks(one, [noisy(at(2300), rng) for _ in range(40)], start_s=WARM + 90.0)
    assert not one.placed
    looks(one, [noisy(at(0), rng) for _ in range(12)], start_s=WARM + 130.0)
    assert one.placed
    assert one.faults == ()


def test_a_restart_forgets_it(rng):
    one = watch()
    looks(one, [noisy(at(0), rng) for _ in range(WARM)])
    moving = [noisy(at(25 * n), rng) for n in range(15)]
    looks(one, moving, start_s=float(WARM))
    assert "unsteady" in one.faults
    next_one = watch()

    assert next_one.restore(one.state(0, WARM + 15.0), 60_000, 0.0)
    assert "unsteady" not in next_one.faults
    assert "unsteady" not in LEARNED


def test_it_costs_next_to_nothing_beside_a_look(rng):
    frames = [noisy(at(25 * n), rng) for n in range(60)]
    ticks, usual, one = cv2.getTickCount, UsualView(), Unsteady()
    looking, following = [], []
    for n, image in enumerate(frames):
        began = ticks()
        seen = glance(image, float(n))
        between = ticks()
        one.step(seen, usual)
        looking.append(between - began)
        following.append(ticks() - between)
    assert one.lasts
    assert np.median(following) < 5 * np.median(looking)
