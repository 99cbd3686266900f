"""The figures of steadiness say what was put in."""
from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from face_scenes import face_picture

from talkies.core.measure.motion import above, luma_levels, region, residual_above, steadiness


@pytest.fixture(scope="module")
def face():
    picture = face_picture()
    return cv2.resize(picture[60:290, 50:280], (256, 256), interpolation=cv2.INTER_CUBIC).clip(0, 1)


def shifted(face, moves):
    return [cv2.warpAffine(face, np.array([[1.0, 0, x], [0, 1, y]]), (256, 256), flags=cv2.INTER_CUBIC,
                           borderMode=cv2.BORDER_REFLECT).clip(0, 1) for x, y in moves]


def test_a_still_crop_has_no_shake(face):
    figures = steadiness([face] * 5)
    assert figures.shake < 1e-3 and figures.warp_mae == 0 and len(figures.shake_series) == 4


@pytest.mark.parametrize("step", [0.3, 1.0, 2.5])
def test_shake_is_the_size_of_the_steps_in_px(face, step):
    moves = [(step * (i % 2) * 0.8, step * (i % 2) * 0.6) for i in range(7)]
    figures = steadiness(shifted(face, moves))
    assert figures.shake == pytest.approx(step, rel=0.12, abs=0.1)  # DIS reads small steps a little large
    assert figures.warp_mae > 0


def test_more_shake_more_mae(face):
    maes = [steadiness(shifted(face, [(s * (i % 2), 0) for i in range(4)])).warp_mae for s in (0.2, 0.6, 1.8)]
    assert maes == sorted(maes) and maes[0] < 0.5 * maes[2]


def test_cuts_do_not_count(face):
    clip = [face, face, 1 - face, 1 - face]
    assert steadiness(clip).warp_mae > 10
    figures = steadiness(clip, (2,))
    assert figures.warp_mae == 0 and figures.shake_series[1] == 0


def test_short_clips(face):
    assert steadiness([face]).shake == 0 and steadiness([]).shake_series == ()
    assert steadiness([face, face], (1,)).warp_mae == 0


def test_only_the_upper_face_counts(face):
    below = face.copy()
    below[150:] = 1 - below[150:]
    assert steadiness([face, below]).warp_mae == 0
    rows, columns = region(256, 256)
    assert rows == slice(41, 110) and columns == slice(51, 205)


def test_gray_and_alpha_are_read(face):
    gray = luma_levels(face)
    assert np.array_equal(luma_levels(gray[..., None].astype(np.float32) / 255), gray)
    assert np.array_equal(luma_levels(np.concatenate((face, face[..., :1]), -1)), gray)


def test_above_keeps_fast_waves_and_drops_slow_ones():
    time = np.arange(100) / 25
    slow, fast = np.sin(2 * np.pi * 1 * time), np.sin(2 * np.pi * 5 * time)
    kept = above((slow + fast + 4 * time + 9)[:, None], Fraction(25))[:, 0]
    assert np.abs(kept - fast)[10:-10].max() < 0.25
    assert np.array_equal(above(np.ones((3, 2)), Fraction(25)), np.zeros((3, 2)))


def test_residual_is_what_the_matrices_do_not_take_out():
    time = np.arange(100) / 25
    shake = np.stack((2 * np.sin(2 * np.pi * 6 * time), np.zeros(100)), -1)
    points = np.array([[10.0, 10], [60, 10]]) + shake[:, None]
    still = np.tile(np.eye(2, 3), (100, 1, 1))
    following = still.copy()
    following[:, :, 2] = -shake
    assert residual_above(points, still, Fraction(25)) == pytest.approx(np.sqrt(2), rel=0.02)
    assert residual_above(points, following, Fraction(25)) < 1e-9
    assert residual_above(points, 2 * still, Fraction(25)) == pytest.approx(2 * np.sqrt(2), rel=0.02)
