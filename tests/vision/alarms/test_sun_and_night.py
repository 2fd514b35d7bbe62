from datetime import UTC, datetime

import pytest

from tests.support.vision_scene import Scene, camera, states
from vision.alarms.bearing import bearing
from vision.alarms.night import SETTLE_S, Night
from vision.alarms.sun import elevation, light
from vision.infrared import COLOURFUL
from vision.messages import Mount


def ms(*when):
    return round(datetime(*when, tzinfo=UTC).timestamp() * 1000)


TANGSHAN = (118.18, 39.63)


@pytest.mark.parametrize(
    ("place", "when", "degrees"),
    [
        # At solar noon the height is 90 - |latitude - declination| by definition; the
        # declination is 23.44 at a solstice and 0 at an equinox, all of it to 0.5.
        ((0.0, 51.48), (2026, 6, 21, 12, 2), 90 - 51.48 + 23.44),
        ((0.0, 51.48), (2026, 12, 21, 11, 58), 90 - 51.48 - 23.44),
        ((0.0, 0.0), (2026, 3, 20, 12, 7), 90.0),
        (TANGSHAN, (2026, 6, 21, 4, 9), 90 - 39.63 + 23.44),
        ((-70.0, -33.0), (2026, 12, 21, 16, 38), 90 - 33.0 + 23.44),
        # At midnight the same below the horizon.
        ((0.0, 51.48), (2026, 6, 21, 0, 2), -(90 - 51.48 - 23.44)),
    ],
)
def test_the_sun_stands_where_it_must(place, when, degrees):
    assert elevation(*place, ms(*when)) == pytest.approx(degrees, abs=0.6)


def test_the_sun_rises_in_beijing_when_the_almanac_says():
    # 1 January 2026: rises 07:36, sets 17:00 local time; its middle is then 0.83 below.
    place = (116.4, 39.9)
    assert elevation(*place, ms(2025, 12, 31, 23, 36)) == pytest.approx(-0.83, abs=0.5)
    assert elevation(*place, ms(2026, 1, 1, 9, 0)) == pytest.approx(-0.83, abs=0.5)


def test_day_twilight_night():
    assert [light(d) for d in (40.0, 6.0, 5.9, -5.9, -6.1)] == [
        "day",
        "day",
        "twilight",
        "twilight",
        "night",
    ]


NOON, MIDNIGHT, DUSK = ms(2026, 6, 21, 4), ms(2026, 6, 21, 16), ms(2026, 6, 21, 12, 0)


@pytest.mark.parametrize(
    ("policy", "place", "t_ms", "colour", "mean", "night", "hold"),
    [
        ("auto", TANGSHAN, NOON, 30, 110, False, False),
        ("auto", TANGSHAN, NOON, 0, 110, False, False),  # a camera without colour
        ("auto", TANGSHAN, MIDNIGHT, 30, 110, True, True),  # a lit yard
        ("auto", TANGSHAN, DUSK, 30, 110, False, False),
        ("auto", TANGSHAN, DUSK, 0, 110, True, True),
        ("auto", None, NOON, 30, 110, False, False),
        ("auto", None, NOON, 0, 110, True, True),
        ("auto", None, NOON, 30, 12, True, True),
        ("hold", TANGSHAN, NOON, 0, 110, True, True),
        ("hold", TANGSHAN, MIDNIGHT, 30, 110, True, True),
        ("hold", TANGSHAN, NOON, 30, 110, False, False),
        ("watch", TANGSHAN, MIDNIGHT, 0, 20, True, False),
        ("watch", None, MIDNIGHT, 30, 110, False, False),
    ],
)
def test_night_is_what_sun_and_picture_say(
    policy, place, t_ms, colour, mean, night, hold
):
    phase = Night(policy, Mount(position=place)).step(t_ms, 0.0, colour, mean)
    assert (phase.night, phase.hold) == (night, hold)


@pytest.mark.parametrize("policy", ["watch", "auto", "hold"])
def test_switching_to_infrared_yields_no_alarm_and_learns_anew(policy):
    # The whole night scene scores high to the model, as scenes it never saw do.
    scene = Scene(camera(night=policy)).learned()
    scene.light = {"colour": 0.2, "mean": 70.0}
    scene.base[1, 4:14, 6:20] = 0.7
    scene.picture = scene.rng.integers(20, 120, scene.picture.shape).astype("uint8")
    scene.run(SETTLE_S + 2)
    assert scene.watcher.learning
    scene.run(120)
    assert not scene.sights

    found = scene.run(20, [("dark_smoke", 0.95)])
    assert bool(found) == (policy == "watch")
    scene.light = {}
    scene.run(120)
    assert states(scene.sights)[:1] != [("light_smoke", "raised")]


def test_an_infrared_picture_with_a_tint_is_night_as_the_camera_condition_has_it():
    tinted = 2.5  # white balance and coding noise, as ``Look.colour`` measures them
    by_night = Night("auto", Mount())
    assert by_night.step(NOON, 0.0, tinted, 110).night
    assert by_night.step(NOON, 1.0, tinted + 2.0, 110).night

    assert not Night("auto", Mount()).step(NOON, 0.0, COLOURFUL, 110).night


def test_a_flicker_of_the_filter_is_no_switch():
    scene = Scene().learned()
    for _ in range(5):
        scene.light = {"colour": 0.1}
        scene.run(3)
        scene.light = {}
        scene.run(3)
    assert not scene.watcher.learning


@pytest.mark.parametrize(
    ("middle", "view", "degrees"),
    [(0.5, 60.0, 90.0), (0.0, 60.0, 60.0), (1.0, 60.0, 120.0), (0.75, 90.0, 116.6)],
)
def test_the_bearing_of_a_region_by_a_plain_lens(middle, view, degrees):
    mount = Mount(bearing=90.0, view=view)
    assert bearing(mount, (middle, 0.2, middle, 0.4)) == pytest.approx(degrees, abs=0.1)


def test_bearings_wrap_and_what_is_not_known_is_not_told():
    assert bearing(Mount(bearing=350.0, view=60.0), (1, 0, 1, 1)) == 20.0
    assert bearing(Mount(bearing=0.0, view=60.0), (0.4999, 0, 0.4999, 1)) < 360
    assert bearing(Mount(), (0, 0, 1, 1)) is None
    assert bearing(Mount(bearing=10.0), (0, 0, 1, 1)) is None
