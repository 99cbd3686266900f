"""The mouth or the face of a track: where it is, that only it is worked on, by absolute frame; lips of 128 px brought back at 256."""
from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from face_scenes import FIVE, moving_face
from upscale_making import resolve

from talkies.core.catalogue import operation_from_json
from talkies.core.face.align import AlignFace, align
from talkies.core.face.on_face import OnFace
from talkies.core.face.paste import PasteBack
from talkies.core.face.track import TrackError
from talkies.core.operation import cut, stream
from talkies.core.settings import SettingError
from talkies.core.upscale.face_region import FaceRegion, region_from_json
from talkies.core.upscale.super_resolve import SuperResolve


@pytest.fixture(scope="module")
def scene():
    return moving_face(8)


@pytest.fixture(scope="module")
def track(scene):
    return scene.track(scene.points)


@pytest.mark.parametrize("part", ["mouth", "face"])
def test_it_marks_the_part_and_follows_it(part, scene, track):
    region, size = FaceRegion(part, track=track), scene.frames.shape[1:3]
    middles = []
    for i in range(len(scene.frames)):
        mask = region.at(i, *size)
        assert mask.shape == size and set(np.unique(mask)) == {0, 1}
        eyes, corners = scene.points[i, :2].round().astype(int), scene.points[i, 3:].round().astype(int)
        assert all(mask[y, x] == 1 for x, y in corners)
        assert all(mask[y, x] == (part == "face") for x, y in eyes)
        middles.append(np.argwhere(mask).mean(0)[::-1])
    moved, expected = np.diff(middles, axis=0), np.diff(scene.points[:, 3:].mean(1), axis=0)
    assert np.abs(moved - expected).max() < 0.6 and np.abs(expected).max() > 2.5


def test_the_face_reaches_the_chin_and_the_brow_and_not_the_shoulders(scene, track):
    mask = FaceRegion("face", track=track).at(0, *scene.frames.shape[1:3])
    rows = np.flatnonzero(mask.any(1))
    eyes, mouth = FIVE[:2, 1].mean(), FIVE[3:, 1].mean()
    unit = mouth - eyes
    assert eyes - 2 * unit < rows[0] < eyes - unit and mouth + 0.6 * unit < rows[-1] < mouth + 1.5 * unit


def test_frames_of_another_scale_are_fine_and_of_another_shape_refused(scene, track):
    region = FaceRegion(track=track)
    height, width = scene.frames.shape[1:3]
    small, large = region.at(3, height, width), region.at(3, 2 * height, 2 * width)
    assert abs(large.mean() - small.mean()) < 0.1 * small.mean()
    centres = np.argwhere(small).mean(0), np.argwhere(large).mean(0)
    np.testing.assert_allclose((centres[0] + 0.5) * 2 - 0.5, centres[1], atol=0.6)
    with pytest.raises(TrackError, match="use the clip that was tracked"):
        region.at(3, height, 2 * width)
    with pytest.raises(TrackError, match="not frame 8"):
        region.at(8, height, width)


def test_a_part_that_there_is_not_is_refused(track):
    with pytest.raises(SettingError, match="part is 'nose'"):
        FaceRegion("nose", track=track)


@pytest.mark.parametrize("part", ["mouth", "face"])
def test_at_source_size_only_the_part_changes(part, small, scene, track):
    region = FaceRegion(part, track=track)
    made = resolve(small, model="compact", output="source", region=region)(scene.frames)
    for i, frame in enumerate(scene.frames):
        inside = region.at(i, *frame.shape[:2]) > 0
        assert np.array_equal(made[i][~inside], frame[~inside]) and not np.array_equal(made[i][inside], frame[inside])


def test_at_model_scale_the_rest_is_lanczos_and_the_part_is_the_models(small, scene, track):
    region = FaceRegion("mouth", track=track)
    made = resolve(small, model="rrdb2", region=region, feather=0)(scene.frames[:2])
    rest = resolve(small, model="rrdb2", region=FaceRegion("mouth", track=track), feather=256)(scene.frames[:2])
    height, width = scene.frames.shape[1:3]
    inside = region.at(0, 2 * height, 2 * width) > 0
    assert made.shape == (2, 2 * height, 2 * width, 3)
    changed = np.abs(made[0] - rest[0]).max(-1) > 0
    assert (changed & inside).mean() > 0.9 * inside.mean() and not (changed & ~_grown(inside, 3)).any()


def _grown(mask, pixels):
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)) > 0


@pytest.mark.parametrize("size", [1, 3])
def test_a_stream_gives_what_the_batch_gives(size, small, scene, track):
    operation = resolve(small, model="compact", output="source", region=FaceRegion("face", track=track))
    parts = [frames for _, frames in stream(operation, cut(scene.frames, size))]
    np.testing.assert_array_equal(np.concatenate(parts), operation(scene.frames))


def test_json_brings_it_back(small, scene, track):
    operation = SuperResolve(model=str(small / "compact.pth"), output="source", region=FaceRegion("face", track=track))
    back = operation_from_json(json.loads(json.dumps(operation.to_json())))
    assert back == operation and hash(back) == hash(operation)
    np.testing.assert_array_equal(back(scene.frames[3:5], 3), operation(scene.frames)[3:5])


@pytest.mark.parametrize("plain", [[], {}, {"mask": 1}, "mouth", None])
def test_what_is_no_region_is_refused(plain):
    with pytest.raises(SettingError, match="superresolve: region is"):
        region_from_json(plain)


def test_lips_of_128_px_go_back_at_256(small, scene, track):
    """The design's path: crops of 128 px are generated, brought to 256 px, and pasted by the same track."""
    aligned = align(track, 128)
    crops = AlignFace(track=aligned)(scene.frames)
    upscaled = resolve(small, model="rrdb2")(crops)
    assert upscaled.shape == (len(crops), 256, 256, 3)
    pasted = PasteBack(track=aligned, crops=upscaled)(scene.frames)
    streamed = OnFace(operation=resolve(small, model="rrdb2"), track=aligned)
    np.testing.assert_array_equal(streamed(scene.frames), pasted)
    np.testing.assert_array_equal(streamed(scene.frames[5:], 5), pasted[5:])
    by_path = OnFace(operation=SuperResolve(model=str(small / "rrdb2.pth")), track=aligned)
    back = operation_from_json(json.loads(json.dumps(by_path.to_json())))
    np.testing.assert_array_equal(back(scene.frames[5:], 5), pasted[5:])
    changed = (pasted != scene.frames).any(-1)
    assert changed.any() and not changed.all()
