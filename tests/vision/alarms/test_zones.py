import numpy as np
import pytest

from tests.support.vision_scene import BOX, Scene, camera, states
from vision.alarms.zones import Zones, covered
from vision.messages import Zone

R0, C0, R1, C1 = BOX
HERE = ((C0 / 40, R0 / 24), (C1 / 40, R0 / 24), (C1 / 40, R1 / 24), (C0 / 40, R1 / 24))
AWAY = ((0.7, 0.7), (0.9, 0.7), (0.9, 0.9), (0.7, 0.9))


def test_a_rectangle_covers_its_cells_and_no_others():
    cells = covered(HERE, 24, 40)
    assert (cells[R0:R1, C0:C1] == 1).all()
    assert cells.sum() == (R1 - R0) * (C1 - C0)


def test_a_triangle_covers_half_of_its_rectangle():
    cells = covered(((0, 0), (1, 0), (0, 1)), 24, 40)
    assert cells.sum() == pytest.approx(24 * 40 / 2, rel=0.01)
    assert cells[0, 0] == 1
    assert cells[-1, -1] == 0


def test_no_zone_watches_everything():
    assert Zones([], 24, 40).allowed.all()


@pytest.mark.parametrize(
    ("zone", "raised"),
    [
        (Zone(name="field", area=HERE), True),
        (Zone(name="field", area=AWAY), False),
        (Zone(name="field", area=AWAY, labels=("dust",)), True),
        (Zone(name="chimney", area=HERE, use="ignore"), False),
        (Zone(name="chimney", area=AWAY, use="ignore"), True),
        (Zone(name="chimney", area=HERE, use="ignore", labels=("dust",)), True),
        (Zone(name="window", area=HERE, use="private"), False),
        (Zone(name="window", area=AWAY, use="private"), True),
    ],
)
def test_where_a_camera_watches(zone, raised):
    scene = Scene(camera(zones=(zone,))).learned()
    scene.run(20, [("dark_smoke", 0.9)])
    assert bool(scene.sights) == raised
    if raised and zone.use == "watch" and "dark_smoke" in zone.labels:
        assert scene.sights[0].zone == zone.name


def test_the_zone_of_most_of_a_region_names_it():
    zones = Zones([Zone(name="a", area=HERE), Zone(name="b", area=AWAY)], 24, 40)
    mask = np.zeros((24, 40), np.bool_)
    mask[R0:R1, C0:C1] = True
    assert zones.name("dust", mask) == "a"
    assert zones.name("dust", np.zeros((24, 40), np.bool_)) is None


def test_an_ignored_corner_cuts_a_region_and_leaves_the_rest():
    left = ((0.0, 0.0), (12 / 40, 0.0), (12 / 40, 1.0), (0.0, 1.0))
    scene = Scene(camera(zones=(Zone(name="x", area=left, use="ignore"),))).learned()
    (raised,) = scene.run(20, [("dark_smoke", 0.9)])
    assert raised.region[0] >= 11 / 40
    assert states([raised]) == [("dark_smoke", "raised")]
