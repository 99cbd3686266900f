"""The face nodes on the demo's clip, whose path is known: find, steady, mask, paste back, now and streamed."""
from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from talkies import NODE_CLASS_MAPPINGS
from talkies.core.arrays import to_frames
from talkies.core.catalogue import operation_from_json
from talkies.core.face.detect.interface import NoFaceError
from talkies.core.operation import Chain, cut, run, stream
from talkies.core.restore.sharpen import Sharpen
from talkies.core.settings import SettingError
from talkies.headless.demo_clip import demo_clip
from talkies.host.blocker import Blocked
from talkies.host.video_type import Components, VideoFromComponents


def settings(name, **changed):
    required = NODE_CLASS_MAPPINGS[name].INPUT_TYPES()["required"]
    values = {key: spec[1].get("default", spec[0][0] if isinstance(spec[0], list) else None) for key, spec in required.items()}
    return {**{k: v for k, v in values.items() if v is not None}, **changed}


def call(name, **inputs):
    node = NODE_CLASS_MAPPINGS[name]()
    made = getattr(node, node.FUNCTION)(**settings(name, **inputs))
    return dict(zip(node.RETURN_NAMES, made["result"] if isinstance(made, dict) else made, strict=True))


@pytest.fixture(scope="module")
def clip():
    return demo_clip(0.6)


@pytest.fixture(scope="module")
def images(clip):
    return torch.from_numpy(np.concatenate([c.frames for c in clip.chunks(5)]))


@pytest.fixture(scope="module")
def points(clip):
    """Five points that follow the demo's known path, with a pixel of jitter: the detector's part, without its cost."""
    rng = np.random.default_rng(3)
    still = np.array([[-28.0, -49], [56, -44], [14, -15], [-20, 18], [56, 18]]) + 255.5
    frames = []
    for dx, dy, turn in clip.path:
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        frames.append((spin @ (still - 255.5).T).T + 255.5 + (dx, dy) + rng.normal(0, 1.0, (5, 2)))
    return json.dumps([f.tolist() for f in frames])


@pytest.fixture(scope="module")
def aligned(images, points):
    return call("TalkiesVideoAlign", images=images, points=points, size=128)


@pytest.fixture(scope="module")
def steady(images, aligned):
    return call("TalkiesUltraSmooth", track=aligned["track"], images=images)


def test_align_gives_a_crop_and_a_mask_a_frame(aligned, images):
    assert aligned["images"].shape == (len(images), 128, 128, 3) and aligned["mask"].shape == (len(images), 128, 128)
    assert aligned["report"].figures["frames without the face"] == 0 and aligned["report"].figures["detector"] == "given"


def test_points_come_as_arrays_too(images, points, aligned):
    found = call("TalkiesVideoAlign", images=images, points=np.array(json.loads(points)), size=128)
    np.testing.assert_array_equal(found["track"].points, aligned["track"].points)


@pytest.mark.slow
def test_the_built_in_detector_finds_the_demo_face_without_any_download(images, aligned, monkeypatch, tmp_path):
    monkeypatch.setenv("TALKIES_MODELS", str(tmp_path))
    found = call("TalkiesVideoAlign", images=images[:6], detector="builtin")
    centre = found["track"].anchors.mean((0, 1))
    assert np.abs(centre - aligned["track"].anchors[:6].mean((0, 1))).max() < 25


def test_a_clip_without_a_face_is_refused_with_what_was_tried(monkeypatch, tmp_path):
    monkeypatch.setenv("TALKIES_MODELS", str(tmp_path))
    with pytest.raises(NoFaceError, match="builtin"):
        call("TalkiesVideoAlign", images=torch.zeros(2, 64, 64, 3), detector="builtin")


@pytest.mark.parametrize(("linked", "words"), [
    ({}, "neither images nor video is linked"), ({"images": 1, "video": 1}, "both of images and video")])
def test_images_or_video_must_be_linked(linked, words, images):
    with pytest.raises(ValueError, match=words):
        call("TalkiesVideoAlign", **{k: images for k in linked})


def test_smoothing_takes_out_the_jitter_and_nothing_else(clip, aligned, steady):
    def error(track):
        path = track.anchors.mean(1) - track.anchors.mean((0, 1))
        truth = clip.path[:, :2] - clip.path[:, :2].mean(0)
        return np.sqrt(((path - truth) ** 2).sum(1).mean())

    assert error(steady["track"]) < 0.75 * error(aligned["track"])
    assert steady["report"].figures["shake reduction (%)"] > 50
    assert steady["plot"].shape[-1] == 3 and steady["images"].shape == aligned["images"].shape


def test_without_pictures_fused_says_that_it_fell_back(aligned):
    alone = call("TalkiesUltraSmooth", track=aligned["track"])
    assert alone["report"].figures["pairs not followed (whittaker instead)"] == len(aligned["track"]) - 1
    assert isinstance(alone["images"], Blocked)


def test_the_published_windows_can_be_set(images, aligned):
    plain = call("TalkiesUltraSmooth", track=aligned["track"], method="enhanced")["track"]
    wider = call("TalkiesUltraSmooth", track=aligned["track"], method="enhanced", landmark_params='{"gaussian_sigma": 3}')["track"]
    assert not np.array_equal(plain.points, wider.points)
    with pytest.raises(SettingError, match="JSON object of numbers"):
        call("TalkiesUltraSmooth", track=aligned["track"], landmark_params="[1, 2]")


def test_a_temporal_blend_is_a_step_of_its_own(images, aligned):
    made = call("TalkiesUltraSmooth", track=aligned["track"], images=images, method="whittaker", temporal_alpha=0.5)
    assert len(made["ops"].operations) == 2
    np.testing.assert_array_equal(run(made["ops"], images), to_frames(made["images"]))


def test_the_panel_gets_the_paths(images, aligned):
    node = NODE_CLASS_MAPPINGS["TalkiesUltraSmooth"]()
    made = node.run(**settings("TalkiesUltraSmooth", track=aligned["track"], method="whittaker"))
    (panel,) = json.loads(json.dumps(made["ui"]["talkies_path"]))
    assert len(panel["before_x"]) == len(panel["after_y"]) == len(images)


@pytest.mark.parametrize(("space", "size"), [("crop", (128, 128)), ("frame", (512, 512))])
def test_lip_mask_covers_the_mouth(steady, space, size):
    mask = call("TalkiesLipMask", track=steady["track"], space=space)["mask"]
    assert mask.shape[1:] == size and 0.005 < float(mask.mean()) < 0.2
    if space == "frame":
        rows, columns = np.nonzero(mask[0].numpy())
        mouth = steady["track"].points[0, 3:5].mean(0)
        assert np.abs((columns.mean(), rows.mean()) - mouth).max() < 15


def test_paste_back_keeps_every_pixel_outside(images, steady):
    painted = torch.zeros_like(steady["images"])
    made = call("TalkiesPasteBack", track=steady["track"], crops=painted, images=images)["images"]
    changed = (made != images).any(-1)
    assert 0.05 < float(changed.float().mean()) < 0.9
    corner = steady["track"].anchors.mean((0, 1)).astype(int)
    assert (made[:, corner[1], corner[0]] == 0).all() and torch.equal(made[:, :8], images[:, :8])


def test_untouched_crops_come_back_unseen(images, steady):
    made = call("TalkiesPasteBack", track=steady["track"], crops=steady["images"], images=images, content="difference")["images"]
    assert float((made - images).abs().max()) < 1e-4


def test_a_mask_confines_the_paste(images, steady):
    made = call("TalkiesPasteBack", track=steady["track"], crops=torch.zeros_like(steady["images"]), images=images,
                mask=call("TalkiesLipMask", track=steady["track"])["mask"])["images"]
    nose = steady["track"].anchors[0, 2].astype(int)
    assert torch.equal(made[0, nose[1] - 60], images[0, nose[1] - 60]) and not torch.equal(made, images)


def test_streamed_is_the_same_as_now(images, steady):
    steps = call("TalkiesPasteBack", track=steady["track"], crop_ops=Chain((Sharpen(0.5),)))["ops"]
    now = call("TalkiesPasteBack", track=steady["track"], crops=torch.from_numpy(Sharpen(0.5)(steady["images"])), images=images)["images"]
    whole = run(steps, images)
    np.testing.assert_array_equal(whole, to_frames(now))
    np.testing.assert_array_equal(np.concatenate([f for _, f in stream(steps, cut(to_frames(images), 4))]), whole)
    np.testing.assert_array_equal(run(operation_from_json(json.loads(json.dumps(steps.to_json()))), images), whole)


def test_a_video_is_tracked_without_its_frames(images, points, aligned):
    video = VideoFromComponents(Components(images, demo_clip(0.04).fps))
    found = call("TalkiesVideoAlign", video=video, points=points, size=128)
    assert isinstance(found["images"], Blocked) and isinstance(found["mask"], Blocked)
    np.testing.assert_array_equal(found["track"].points, aligned["track"].points)
    np.testing.assert_array_equal(run(found["ops"], images), to_frames(aligned["images"]))
