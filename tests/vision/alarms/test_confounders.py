import pytest

from vision.alarms.confounders import WHATS, Told, proposals

VENT = (0.6, 0.2, 0.7, 0.35)
FIELD = (0.1, 0.5, 0.2, 0.6)


def told(n, what, peak=0.6, region=VENT, label="light_smoke", *, night=False):
    return Told(
        id=f"a-{n}",
        label=label,
        t_ms=n * 60_000,
        region=region,
        peak=peak,
        threshold=0.5,
        night=night,
        what=what,
    )


def done(found):
    return [(one.do, one.label) for one in found]


def test_two_false_alarms_propose_nothing_and_three_do():
    two = [told(n, "cloud") for n in range(2)]
    assert proposals(two) == []
    assert done(proposals([*two, told(3, "cloud")])) == [("threshold", "light_smoke")]


def test_the_threshold_goes_above_the_highest_false_alarm():
    (found,) = proposals([told(n, "fog", 0.60 + n / 50) for n in range(4)])
    assert found.threshold == pytest.approx(0.68)
    assert found.alarms == ("a-0", "a-1", "a-2", "a-3")
    assert found.lost == ()


def test_a_proposal_tells_which_true_alarms_it_would_have_hidden():
    false = [told(n, "cloud", 0.7) for n in range(3)]
    true = [told(8, "real", 0.65), told(9, "real", 0.9)]
    (found,) = proposals([*false, *true])
    assert found.lost == ("a-8",)


def test_no_threshold_that_makes_a_camera_deaf_is_proposed():
    assert proposals([told(n, "cloud", 0.97) for n in range(5)]) == []


def test_steam_of_one_vent_proposes_a_zone_there_and_clouds_do_not():
    steam = [told(n, "steam", region=VENT) for n in range(3)]
    zone = next(one for one in proposals(steam) if one.do == "ignore")
    (x0, y0), _, (x1, y1), _ = zone.area
    assert x0 <= VENT[0] < VENT[2] <= x1
    assert y0 <= VENT[1] < VENT[3] <= y1
    assert (x1 - x0) * (y1 - y0) < 0.05

    clouds = [told(n, "cloud", region=VENT) for n in range(3)]
    assert "ignore" not in [one.do for one in proposals(clouds)]


def test_steam_at_three_places_is_no_zone():
    places = [VENT, FIELD, (0.4, 0.7, 0.5, 0.8)]
    found = proposals([told(n, "steam", region=p) for n, p in enumerate(places)])
    assert "ignore" not in [one.do for one in found]


def test_a_zone_over_half_of_the_picture_is_not_proposed():
    large = (0.1, 0.1, 0.9, 0.7)
    found = proposals([told(n, "steam", region=large) for n in range(4)])
    assert "ignore" not in [one.do for one in found]


def test_insects_by_night_propose_to_hold_and_by_day_they_do_not():
    night = [told(n, "insect", night=True) for n in range(3)]
    assert ("hold_night", None) in done(proposals(night))
    day = [told(n, "insect") for n in range(3)]
    assert ("hold_night", None) not in done(proposals(day))
    # Where the days are as bad, the night is not the trouble.
    both = night + [told(n + 5, "cloud", region=FIELD) for n in range(3)]
    assert ("hold_night", None) not in done(proposals(both))


def test_drops_propose_a_cloth():
    found = proposals([told(n, "droplet") for n in range(3)])
    assert "clean" in [one.do for one in found]


def test_what_hides_nothing_comes_first():
    false = [told(n, "steam", 0.7) for n in range(3)]
    true = [told(9, "real", 0.6, region=FIELD)]
    found = proposals([*false, *true])
    assert [len(one.lost) for one in found] == sorted(len(one.lost) for one in found)
    assert found[0].do == "ignore"


@pytest.mark.parametrize("what", [*WHATS, None])
def test_one_label_of_each_kind_is_never_enough(what):
    assert proposals([told(1, what)]) == []


def test_true_alarms_propose_nothing():
    assert proposals([told(n, "real") for n in range(9)]) == []
