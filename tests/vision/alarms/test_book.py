import itertools

import pytest

from tests.support.vision_scene import BOX, Scene, camera, states
from vision.messages import Mount, Rule

ELSEWHERE = (16, 28, 21, 33)


def test_raised_once_and_cleared_after_thirty_quiet_seconds_not_before():
    scene = Scene().learned()
    scene.run(20, [("dark_smoke", 0.8)])
    scene.run(29)
    assert states(scene.sights) == [("dark_smoke", "raised")]
    scene.run(2)
    assert states(scene.sights) == [("dark_smoke", "raised"), ("dark_smoke", "cleared")]
    raised, cleared = scene.sights
    assert raised.id == cleared.id
    assert cleared.peak >= raised.score


def test_between_the_thresholds_an_alarm_stands_but_none_is_raised():
    standing, nothing = Scene().learned(), Scene().learned()
    standing.run(10, [("dark_smoke", 0.8)])
    standing.run(120, [("dark_smoke", 0.42)])
    nothing.run(120, [("dark_smoke", 0.42)])
    assert states(standing.sights) == [("dark_smoke", "raised")]
    assert not nothing.sights

    standing.run(40, [("dark_smoke", 0.30)])
    assert states(standing.sights)[-1] == ("dark_smoke", "cleared")


def test_an_update_tells_a_material_change_and_not_more_than_one_in_ten_seconds():
    scene = Scene().learned()
    scene.run(10, [("dark_smoke", 0.6)])
    scene.run(120, [("dark_smoke", 0.62)])
    assert states(scene.sights) == [("dark_smoke", "raised")]

    times = []
    for n in range(40):
        grown = (8, 10, 13 + n // 4, 15 + n // 4)
        found = scene.step([("dark_smoke", min(0.95, 0.62 + n / 50), grown)])
        times += [s.t_ms for s in found if s.state == "updated"]
    assert len(times) >= 2
    assert all(b - a >= 10_000 for a, b in itertools.pairwise(times))


def test_the_same_place_within_the_cool_down_is_the_same_alarm():
    scene = Scene(camera(rules={"dark_smoke": Rule(cooldown_s=100.0)})).learned()
    scene.run(10, [("dark_smoke", 0.8)])
    scene.run(60)
    scene.run(10, [("dark_smoke", 0.8)])
    first, cleared, again = scene.sights
    assert first.id == cleared.id == again.id
    assert again.state == "raised"
    assert again.began_ms == first.began_ms

    scene.run(200)
    scene.run(10, [("dark_smoke", 0.8)])
    assert scene.sights[-1].state == "raised"
    assert scene.sights[-1].id != first.id


def test_another_place_is_another_alarm_and_a_near_patch_is_not():
    scene = Scene().learned()
    scene.run(10, [("dark_smoke", 0.8)])
    scene.run(10, [("dark_smoke", 0.8), ("dark_smoke", 0.8, (8, 16, 13, 19))])
    assert len({s.id for s in scene.sights}) == 1
    scene.run(10, [("dark_smoke", 0.8), ("dark_smoke", 0.8, ELSEWHERE)])
    raised = [s for s in scene.sights if s.state == "raised"]
    assert len({s.id for s in raised}) == len(raised) == 2


def test_dark_and_light_of_one_plume_are_one_alarm_of_the_stronger():
    scene = Scene().learned()
    scene.run(60, [("light_smoke", 0.7), ("dark_smoke", 0.9)])
    assert states(scene.sights) == [("dark_smoke", "raised")]

    apart = Scene().learned()
    apart.run(20, [("light_smoke", 0.7, ELSEWHERE), ("dark_smoke", 0.9)])
    assert sorted(states(apart.sights)) == [
        ("dark_smoke", "raised"),
        ("light_smoke", "raised"),
    ]


def test_smoke_in_standing_dust_is_told_when_it_stands_higher():
    weak, strong = Scene().learned(), Scene().learned()
    for scene, score in ((weak, 0.55), (strong, 0.95)):
        scene.run(10, [("dust", 0.8)])
        scene.run(10, [("dust", 0.8), ("dark_smoke", score)])
    assert states(weak.sights) == [("dust", "raised")]
    assert states(strong.sights) == [("dust", "raised"), ("dark_smoke", "raised")]


def test_a_frame_full_of_patches_is_no_storm():
    scene = Scene().learned()
    patches = [
        ("dust", 0.9, (r, c, r + 3, c + 3))
        for r in (1, 11, 20)
        for c in (1, 11, 21, 31)
    ]
    scene.run(30, patches)
    assert len({s.id for s in scene.sights}) == 4


def test_a_fifth_patch_is_told_by_the_nearest_alarm_and_keeps_it_open():
    scene = Scene().learned()
    four = [("dust", 0.9, (r, c, r + 3, c + 3)) for r in (1, 20) for c in (1, 35)]
    scene.run(30, four)
    assert states(scene.sights) == [("dust", "raised")] * 4
    fifth = ("dust", 0.9, (14, 4, 17, 7))
    told = scene.run(30, [*four, fifth])

    assert [s.state for s in told] == ["updated"]
    x0, y0, x1, y1 = told[0].region
    assert x0 <= 4 / 40 < 7 / 40 <= x1
    assert y0 <= 14 / 24 < 23 / 24 <= y1
    # The four are over; what the fifth joined goes on.
    scene.run(60, [fifth])
    assert [alarm.id for alarm in scene.watcher.open] == [told[0].id]


@pytest.mark.parametrize("clear_s", [5.0, 90.0])
def test_the_rule_says_when_an_alarm_is_over(clear_s):
    scene = Scene(camera(rules={"dust": Rule(clear_s=clear_s)})).learned()
    scene.run(10, [("dust", 0.9)])
    scene.run(clear_s - 1)
    assert states(scene.sights) == [("dust", "raised")]
    scene.run(2)
    assert states(scene.sights)[-1] == ("dust", "cleared")


def test_the_region_holds_the_patch_and_the_bearing_follows_it():
    scene = Scene(camera(mount=Mount(bearing=90.0, view=60.0))).learned()
    (raised,) = scene.run(10, [("dark_smoke", 0.9)])
    x0, y0, x1, y1 = raised.region
    r0, c0, r1, c1 = BOX
    assert x0 <= c0 / 40 < c1 / 40 <= x1
    assert y0 <= r0 / 24 < r1 / 24 <= y1
    assert x1 - x0 < 0.25
    assert 60 < raised.bearing < 90  # left of the middle


def test_a_second_look_that_sees_nothing_stops_the_alarm():
    asked = []

    def nothing(label, box):
        asked.append((label, box))
        return 0.1

    refused, agreed = Scene().learned(), Scene().learned()
    refused.run(30, [("dark_smoke", 0.8)], second_look=nothing)
    agreed.run(30, [("dark_smoke", 0.8)], second_look=lambda *_: 0.9)
    assert not refused.sights
    assert 2 <= len(asked) <= 8  # anew each time, not with every frame
    assert agreed.sights[0].second_look == 0.9
