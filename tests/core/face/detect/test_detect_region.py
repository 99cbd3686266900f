"""Crops of a frame and the way back."""
from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from talkies.core.face.detect.interface import Detection, distinct, overlap, rgb
from talkies.core.face.detect.region import Region, around, box_of


@pytest.mark.parametrize(("side", "angle"), [(40.0, 0.0), (64.0, 0.5), (150.0, -0.7), (300.0, 2.5), (420.0, 0.0)])
def test_a_spot_of_the_crop_maps_to_where_it_is_in_the_frame(side, angle):
    y, x = np.mgrid[:400, :500]
    place = np.array([260.0 + side / 9, 190.0 - side / 11])
    frame = np.repeat(np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * (side / 15) ** 2))[..., None], 3, 2).astype(np.float32)
    region = Region(260.0, 190.0, side, angle)
    crop = region.cut(frame, 64)[..., 0].astype(np.float64)
    v, u = np.mgrid[:64, :64]
    spot = np.array([(crop * u).sum(), (crop * v).sum()]) / crop.sum()
    assert np.abs(region.to_frame(spot, 64) - place).max() < 0.02 * side / 64 + 0.02


def test_a_large_region_is_averaged_not_sampled():
    frame = np.zeros((512, 512, 3), np.float32)
    frame[::2] = 1
    assert np.abs(Region(255.5, 255.5, 512, 0.0).cut(frame, 64)[4:-4, 4:-4] - 0.5).max() < 0.02


def test_outside_the_frame_is_black_and_costs_no_error():
    frame = np.ones((20, 20, 3), np.float32)
    assert Region(-200, 50, 30).cut(frame, 16).max() == 0
    assert Region(-2000, 50, 300).cut(frame, 16).max() == 0
    assert Region(10, 10, 500).cut(frame, 16).max() > 0
    assert math.isclose(Region(10, 10, 15).cut(frame, 16).min(), 1.0)


def test_around_keeps_the_margin():
    region = around(Detection(np.zeros((5, 2)), "points5", (10, 20, 30, 70), 1.0), 2.0)
    assert (region.x, region.y, region.side) == (20, 45, 100)
    assert box_of(np.array([[3.0, 9], [1, 12], [2, 10]])) == (1, 9, 3, 12)


def test_overlapping_detections_leave_the_best():
    faces = [Detection(np.zeros((5, 2)), "points5", (x, 0, x + 10, 10), s) for x, s in ((0, 0.5), (2, 0.9), (40, 0.4))]
    assert [f.score for f in distinct(faces)] == [0.9, 0.4]
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 15, 10)) == 0


def test_frames_of_any_channel_count_become_rgb():
    frame = np.random.default_rng(0).random((5, 6, 4), np.float32)
    assert rgb(frame).shape == (5, 6, 3) and np.array_equal(rgb(frame), frame[..., :3])
    assert np.array_equal(rgb(frame[..., :1]), np.repeat(frame[..., :1], 3, 2))
    colour = np.ascontiguousarray(frame[..., :3])
    assert rgb(colour) is colour
    assert cv2.warpAffine(rgb(frame), np.eye(2, 3), (6, 5)).shape == (5, 6, 3)
