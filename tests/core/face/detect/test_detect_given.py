"""Points handed in."""
from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from talkies.core.face.detect.clip import detect_clip
from talkies.core.face.detect.given import from_json, from_values
from talkies.core.face.detect.interface import DetectorError

FRAME = np.zeros((100, 200, 3), np.float32)


def points(count, seed=0):
    return np.random.default_rng(seed).uniform(20, 80, (count, 2))


@pytest.mark.parametrize(("count", "scheme"), [(468, "mesh468"), (478, "mesh468"), (68, "points68"), (5, "points5")])
def test_json_of_each_count(count, scheme):
    given = from_json(json.dumps([points(count).tolist(), None, points(count, 1).tolist()]))
    clip = detect_clip([(0, np.stack([FRAME] * 3))], given)
    assert clip.scheme == scheme and clip.found.tolist() == [True, False, True]
    assert np.allclose(clip.points[2], points(count, 1)[:468])


def test_start_depth_and_shares_of_the_frame():
    shares = np.concatenate((points(5) / (200, 100), np.ones((5, 1))), 1)
    given = from_json(json.dumps({"points": [shares.tolist()], "start": 7}))
    assert given.detect(FRAME, 6, None) == [] and given.detect(FRAME, 8, None) == []
    assert np.allclose(given.detect(FRAME, 7, None)[0].points, points(5) - 0.5)


def test_a_box_gives_its_five_points():
    (face,) = from_values([[[10, 20], [50, 60]]]).detect(FRAME, 0, None)
    assert face.scheme == "box" and face.box == (10, 20, 50, 60)
    assert face.points[0, 0] < 30 < face.points[1, 0]


@pytest.mark.parametrize("wrap", [np.asarray, torch.as_tensor, lambda a: a.tolist(), lambda a: a[:, None].tolist()])
def test_landmarks_of_comfyui_as_arrays(wrap):
    mesh = np.random.default_rng(0).uniform(0.2, 0.8, (4, 478, 3))
    given = from_values(wrap(mesh))
    assert len(given) == 4 and given.scheme == "mesh468"
    assert np.allclose(given.detect(FRAME, 3, None)[0].points, mesh[3, :468, :2] * (200, 100) - 0.5)


def test_a_frame_of_nan_is_a_frame_without_a_face():
    rows = np.stack([points(5), np.full((5, 2), np.nan)])
    assert from_values(rows).detect(FRAME, 1, None) == []


@pytest.mark.parametrize(("text", "message"), [
    ("{", "not JSON"), ("[]", "empty"), ('{"faces": []}', r"keys \['faces'\]; wanted is \"points\""),
    ("[[[1,2],[3,4],[5,6]]]", r"shape \[3, 2\]"),
    ('[[["a",2],[3,4]]]', "no table of numbers"), ("[null]", "counts of"), ("[[[1,2],[3,NaN]]]", "NaN"),
    ("[[[1,2],[3,4]], [[1,2],[3,4],[5,6],[7,8],[9,9]]]", r"counts of \[2, 5\]"),
])
def test_what_is_no_table_of_points_is_refused(text, message):
    with pytest.raises(DetectorError, match=message):
        from_json(text)
