"""Point-spread functions: sum 1, odd, and the light where it must be."""
from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from talkies.core.restore.deblur.psf import from_picture, gaussian, motion, point_of, shown
from talkies.core.settings import SettingError


def moments(psf):
    rows, columns = np.mgrid[: psf.shape[0], : psf.shape[1]]
    y, x = rows - psf.shape[0] // 2, columns - psf.shape[1] // 2
    return (psf * y).sum(), (psf * x).sum(), (psf * y * y).sum(), (psf * x * x).sum(), (psf * x * y).sum()


def test_gaussian_is_that_of_scipy():
    point = np.zeros((15, 15))
    point[7, 7] = 1
    assert np.allclose(gaussian((15, 15), 1.6), scipy.ndimage.gaussian_filter(point, 1.6, radius=7), atol=1e-9)
    assert gaussian((5, 9), 2).shape == (5, 9)


@given(length=st.floats(0, 60), angle=st.floats(-180, 180))
@settings(max_examples=40, deadline=None)
def test_motion_is_a_line_of_that_length_and_angle(length, angle):
    psf = motion(length, angle)
    y, x, yy, xx, xy = moments(psf)
    assert psf.sum() == pytest.approx(1) and psf.min() >= 0 and all(n % 2 for n in psf.shape)
    assert abs(y) < 1e-9 and abs(x) < 1e-9
    along, turn = length**2 / 12, np.radians(angle)
    # Spreading a point over its four pixels adds at most 1/4 to a variance.
    assert -0.01 <= xx - along * np.cos(turn) ** 2 <= 0.26 and -0.01 <= yy - along * np.sin(turn) ** 2 <= 0.26
    if length > 3:
        assert xy == pytest.approx(-along * np.cos(turn) * np.sin(turn), abs=0.1)


def test_motion_along_the_rows_is_a_box():
    assert motion(0, 30).shape == (1, 1)
    # A line of 5 px, each piece of it over the two pixels beside: the ends fade.
    assert np.allclose(motion(5, 0), [[0.025, 0.175, 0.2, 0.2, 0.2, 0.175, 0.025]], atol=1e-4)


def test_a_picture_keeps_its_middle_and_loses_its_black_rim():
    picture = np.zeros((21, 31, 3), np.float32)
    picture[10, 15], picture[9, 18] = 0.5, 0.25
    psf = from_picture(picture)
    assert psf.shape == (3, 7) and psf[1, 3] == pytest.approx(2 / 3) and psf[0, 6] == pytest.approx(1 / 3)
    assert np.allclose(point_of(psf.tolist()), psf)
    assert shown(psf).max() == 1 and shown(psf).shape == (3, 7, 3)
    assert all(n % 2 for n in from_picture(np.ones((4, 6), np.float32)).shape)


@pytest.mark.parametrize("wrong, message", [
    (lambda: gaussian((4, 5), 1), "4x5; both must be odd"), (lambda: gaussian((5, 5), 0), "sigma .* is 0"),
    (lambda: motion(-1, 0), "length of the motion is -1"), (lambda: from_picture(np.zeros((5, 5), np.float32)), "is black"),
    (lambda: from_picture(-np.ones((5, 5), np.float32)), "never negative"), (lambda: point_of([[1, 2], [3]]), "no table"),
    (lambda: point_of([[float("nan")]]), "no table"),
])
def test_what_is_no_point_spread_function_is_refused(wrong, message):
    with pytest.raises(SettingError, match=message):
        wrong()
