"""The built-in cascade."""
from __future__ import annotations

import numpy as np
import pytest

from talkies.core.face.detect.cascade import SHAPE, Cascade, boxed, grouped
from talkies.core.face.detect.clip import detect_clip
from talkies.core.face.detect.interface import NoFaceError
from talkies.core.face.detect.mesh import FaceMesh


@pytest.fixture(scope="module")
def builtin():
    return Cascade()


def test_finds_the_astronaut_and_nothing_else(builtin, astronaut):
    (face,) = builtin.detect(astronaut, 0, None)
    assert abs(face.centre[0] - 224) < 8 and abs(face.centre[1] - 116) < 8 and 85 < face.size < 120
    assert face.score > 0.7


def test_finds_real_clips(builtin, real_frames):
    assert detect_clip(real_frames("talk1", 6, 10), builtin).found.all()


@pytest.mark.slow
@pytest.mark.parametrize(("clip", "count"), [("talk1", 250), ("talk2", 250)])
def test_finds_nearly_all_frames(builtin, real_frames, clip, count):
    found = detect_clip(real_frames(clip, count), builtin)
    assert found.found.mean() >= 0.97


def test_pseudo_points_lie_near_the_mesh(builtin, weights_folder, one_frame):
    pytest.importorskip("ai_edge_litert")
    from talkies.core.face.detect import scheme

    mesh = FaceMesh(weights_folder / "face_landmark.tflite", weights_folder / "face_detection_short_range.tflite")
    ours, theirs = builtin.detect(one_frame, 0, None)[0], mesh.detect(one_frame, 0, None)[0]
    apart = scheme.three_points(ours.points, "box") - scheme.three_points(theirs.points, "mesh468")
    assert np.linalg.norm(apart, axis=1).max() < 0.25 * scheme.eye_distance(theirs.points, "mesh468")


def test_a_box_follows_a_shift_below_one_step_of_the_search(builtin, astronaut):
    at = [builtin.detect(np.roll(astronaut, s, 1), 0, None)[0] for s in (0, 3, 6, 9)]
    shifts = np.diff([f.centre[0] for f in at])
    assert np.abs(shifts - 3).max() < 1.5


@pytest.mark.parametrize("frame", [
    np.zeros((480, 640, 3), np.float32), np.zeros((1, 1, 3), np.float32), np.random.default_rng(0).random((200, 300, 3), np.float32),
], ids=["black", "1x1", "noise"])
def test_no_face_where_there_is_none(builtin, frame):
    assert builtin.detect(frame, 0, None) == []
    with pytest.raises(NoFaceError, match="builtin"):
        detect_clip([(0, frame[None])], builtin)


def test_windows_are_grouped_by_place_and_size():
    rng = np.random.default_rng(0)
    one = np.array([100.0, 100, 60]) + rng.normal(0, 2, (20, 3))
    two = np.array([300.0, 100, 60]) + rng.normal(0, 2, (9, 3))
    three = np.array([100.0, 100, 150]) + rng.normal(0, 2, (4, 3))
    groups = grouped(rng.permutation(np.concatenate((one, two, three))))
    assert sorted(len(g) for g in groups) == [4, 9, 20]
    assert grouped(np.empty((0, 3))) == []


def test_points_of_a_box_are_at_fixed_shares():
    face = boxed(50.0, 60.0, 20.0, 0.5)
    assert face.box == (40, 50, 60, 70) and face.size == 20
    assert np.allclose(face.points, SHAPE * 20 + (50, 60))
