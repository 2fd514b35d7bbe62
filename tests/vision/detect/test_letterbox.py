"""Pictures into networks and back: nothing is lost, nothing is squeezed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.detect.letterbox import boxed, shaped, slight, stretched

sides = st.integers(32, 4000)


@given(width=sides, height=sides, centred=st.booleans())
def test_corners_come_back_where_they_were(width, height, centred):
    fit = boxed((width, height), (640, 640), centred=centred)
    x0, y0 = fit.left, fit.top
    fed = np.array([[x0, y0, x0 + fit.width, y0 + fit.height]], np.float32)

    assert fit.fractions(fed)[0] == pytest.approx([0, 0, 1, 1])
    assert fit.left + fit.width <= 640
    assert fit.top + fit.height <= 640
    assert fit.width == 640 or fit.height == 640


def test_a_wide_picture_has_bars_above_and_below_or_all_below():
    assert boxed((1920, 1080), (640, 640))[1:] == (0, 140, 640, 360)
    assert boxed((1920, 1080), (640, 640), centred=False)[1:] == (0, 0, 640, 360)
    assert boxed((1080, 1920), (640, 640))[1:] == (140, 0, 360, 640)


def test_cells_of_bars_are_not_the_pictures():
    fit = boxed((1920, 1080), (640, 640))

    assert fit.cells(40, 40) == (slice(9, 31), slice(0, 40))
    assert stretched((640, 384)).cells(24, 40) == (slice(0, 24), slice(0, 40))
    assert fit.cells(1, 1) == (slice(0, 1), slice(0, 1))


@pytest.mark.parametrize(
    ("picture", "fed"),
    [
        ((640, 384), (640, 384)),
        ((640, 360), (640, 352)),
        ((1920, 1080), (640, 352)),
        ((2560, 1440), (640, 352)),
        ((640, 480), (576, 416)),
        ((1080, 1920), (352, 640)),
    ],
)
def test_a_free_network_is_fed_the_pictures_own_shape(picture, fed):
    assert shaped(picture, (640, 384), 32) == fed


@given(width=sides, height=sides)
def test_a_shape_of_ones_own_costs_no_more_and_squeezes_little(width, height):
    fed = shaped((width, height), (640, 384), 32)

    assert fed[0] * fed[1] <= 640 * 384
    assert fed[0] % 32 == fed[1] % 32 == 0
    assert fed[0] * fed[1] >= 0.75 * 640 * 384
    if 1 / 3 <= width / height <= 3:
        assert slight((width, height), fed, 1.12)


def test_what_is_slight():
    assert slight((1920, 1080), (640, 384))
    assert not slight((640, 480), (640, 384))
