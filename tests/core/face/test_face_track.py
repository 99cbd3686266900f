"""A track is a value: it survives JSON, is cut by absolute frame, and refuses what does not fit."""
from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from talkies.core.face.align import align
from talkies.core.face.detect.interface import DetectedClip, Detection
from talkies.core.face.fill import NoFaceInClipError
from talkies.core.face.motion import FaceMotion
from talkies.core.face.track import FaceTrack, TrackError, track_from_detections, track_from_points


@pytest.fixture
def track() -> FaceTrack:
    rng = np.random.default_rng(5)
    base = np.array([[40.0, 40], [80, 41], [60, 60], [45, 80], [76, 81]])
    points = [base + rng.normal(0, 1, (5, 2)) + (2 * t, 0) for t in range(9)]
    points[3] = None
    raw = track_from_points(points, "points5", (120, 160), Fraction(30000, 1001), start=100, detector="yunet", noise=1.9)
    motion = FaceMotion(np.tile(np.eye(2, 3), (8, 1, 1)), np.ones(8, bool), np.linspace(0.9, 1, 8), (5,))
    return align(raw.with_motion(motion))


def test_json_keeps_every_bit(track):
    back = FaceTrack.loads(track.dumps())
    assert back == track
    assert hash(back) == hash(track)
    assert back.matrices.tobytes() == track.matrices.tobytes()
    assert back.fps == Fraction(30000, 1001)


def test_equality_is_by_value(track):
    assert replace(track, points=track.points.copy()) == track
    moved = track.points.copy()
    moved[0, 0, 0] += 1e-9
    assert replace(track, points=moved) != track
    assert replace(track, cuts=()) != track
    assert replace(track, motion=None) != track


def test_a_frame_without_a_face_is_filled_and_says_so(track):
    assert track.found.tolist() == [True] * 3 + [False] + [True] * 5
    assert track.filled[3] and track.confidence[3] == 0
    assert np.allclose(track.points[3], (track.points[2] + track.points[4]) / 2)


def test_between_goes_by_absolute_frame(track):
    part = track.between(103, 108)
    assert (part.start, part.stop, len(part)) == (103, 108, 5)
    assert np.array_equal(part.points, track.points[3:8])
    assert np.array_equal(part.matrices, track.matrices[3:8])
    assert np.array_equal(part.matrix(104), track.matrix(104))
    assert part.cuts == (105,) and part.local_cuts == (2,)
    assert len(part.motion.followed) == 4 and part.motion.cuts == (2,)
    assert part.between(104, 106) == track.between(104, 106)


@pytest.mark.parametrize("ask", [
    lambda t: t.between(99, 102), lambda t: t.between(105, 110), lambda t: t.matrix(109), lambda t: t.between(103, 103),
])
def test_frames_that_are_not_covered_are_refused_by_number(track, ask):
    with pytest.raises(TrackError, match=r"10\d|99"):
        ask(track)


@pytest.mark.parametrize("shape", [(1, 9, 2, 3), (9, 1, 2, 3)])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.float16])
def test_matrices_of_any_rank_and_dtype_become_float64(track, shape, kind):
    given = torch.tensor(track.matrices).to(kind).reshape(shape)
    taken = replace(track, matrices=given)
    assert taken.matrices.shape == (9, 2, 3) and taken.matrices.dtype == np.float64
    assert np.allclose(taken.matrices, track.matrices, rtol=2e-3)


def test_one_frame_takes_a_single_matrix(track):
    one = track.between(100, 101)
    for shape in ((1, 2, 3), (1, 1, 2, 3), (2, 3)):
        assert np.array_equal(replace(one, matrices=one.matrices.reshape(shape)).matrices, one.matrices)


@pytest.mark.parametrize("change", [
    {"points": np.zeros((9, 4, 2))}, {"points": np.full((9, 5, 2), np.nan)}, {"found": np.ones(8, bool)}, {"matrices": np.zeros((8, 2, 3))},
    {"points": np.zeros((0, 5, 2))},
])
def test_parts_that_do_not_fit_are_refused(track, change):
    with pytest.raises(ValueError, match=r"shape|frames"):
        replace(track, **change)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"points": 3}', '{"kind": "TALKIES_TRACK"}'])
def test_text_that_is_no_track_is_refused(text):
    with pytest.raises(TrackError, match=r"track"):
        FaceTrack.loads(text)


def test_no_face_at_all_is_an_error():
    with pytest.raises(NoFaceInClipError, match="None of the 4 frames"):
        track_from_points([None] * 4, "points5", (10, 10), Fraction(25))


def test_detections_become_a_track():
    points = np.array([[40.0, 40], [80, 41], [60, 60], [45, 80], [76, 81]])
    face = Detection(points, "points5", (30, 30, 90, 90), 0.75)
    clip = DetectedClip((face, None, face), 7, 160, 120, "yunet", "points5", 1.9)
    track = track_from_detections(clip, Fraction(25))
    assert track.size == (120, 160) and track.start == 7 and track.detector == "yunet" and track.noise == 1.9
    assert track.confidence.tolist() == [0.75, 0, 0.75] and track.found.tolist() == [True, False, True]
    assert np.array_equal(track.points[1], points)
