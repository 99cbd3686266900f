"""Mappings between numberings of face points."""
from __future__ import annotations

import numpy as np
import pytest

from talkies.core.face.detect import scheme
from talkies.core.face.detect.interface import COUNTS, DetectorError

ALL = ("mesh468", "points68", "points5", "box")


def points_of(name, shape=(), seed=0):
    return np.random.default_rng(seed).normal(300, 60, (*shape, COUNTS[name], 2))


def moved(points):
    """A turn, a scale and a shift."""
    return points @ np.array([[1.2, -0.5], [0.5, 1.2]]).T + (40, -7)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("function", [scheme.to_5, scheme.three_points, scheme.upper_face])
def test_every_mapping_moves_with_the_face(name, function):
    points = points_of(name)
    np.testing.assert_allclose(function(moved(points), name), moved(function(points, name)), atol=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_a_clip_is_mapped_as_its_frames_are(name):
    clip = points_of(name, (4,))
    for function in (scheme.to_5, scheme.three_points, scheme.upper_face, scheme.eye_distance):
        np.testing.assert_array_equal(function(clip, name)[2], function(clip[2], name))


def test_68_from_the_mesh_are_68_distinct_points_and_themselves():
    mesh = points_of("mesh468")
    mapped = scheme.to_68(mesh, "mesh468")
    assert mapped.shape == (68, 2)
    assert len(np.unique(mapped.round(6), axis=0)) == 68
    assert scheme.to_68(mapped, "points68") is mapped


def test_five_and_three_points_agree_through_68():
    mesh = points_of("mesh468")
    as_68 = scheme.to_68(mesh, "mesh468")
    np.testing.assert_allclose(scheme.to_5(as_68, "points68"), scheme.to_5(mesh, "mesh468"))
    np.testing.assert_allclose(scheme.three_points(as_68, "points68"), scheme.three_points(mesh, "mesh468"))


def test_eye_distance_is_that_of_the_eyes():
    five = np.array([[10.0, 20], [40, 60], [30, 70], [10, 90], [50, 90]])
    assert scheme.eye_distance(five, "points5") == pytest.approx(50)


def test_brows_lie_over_the_eyes_and_the_nose_below_for_five_points():
    five = np.array([[-50.0, 0], [50, 0], [0, 55], [-38, 105], [38, 105]])
    left, right, nose = scheme.three_points(five, "points5")
    assert left[1] < -15 and right[1] == pytest.approx(left[1]) and left[0] == pytest.approx(-right[0])
    assert 40 < nose[1] < 70 and nose[0] == pytest.approx(0)


def test_what_cannot_be_mapped_is_refused_with_the_shape():
    with pytest.raises(DetectorError, match="5 points; 68 can be had"):
        scheme.to_68(points_of("points5"), "points5")
    with pytest.raises(DetectorError, match=r"shape \[5, 2\]; mesh468 is \[...,468,2\]"):
        scheme.to_5(points_of("points5"), "mesh468")
