"""The operation: sizes, channels, cuts, the region mode, JSON, streaming."""
from __future__ import annotations

import json
import pickle
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from upscale_making import resolve

from talkies.core.arrays import ArrayError, Frames
from talkies.core.masked import Mask
from talkies.core.operation import Chain, cut, stream
from talkies.core.settings import SettingError
from talkies.core.upscale import super_resolve
from talkies.core.upscale.family import ModelError
from talkies.core.upscale.loader import load_model
from talkies.core.upscale.region import Boxes, Crop, blended, crop_around, faded
from talkies.core.upscale.super_resolve import SuperResolve
from talkies.core.upscale.upscaler import Upscaler


@pytest.fixture
def clip(picture) -> Frames:
    return np.concatenate([np.roll(picture, 3 * i, 2) for i in range(4)])


@pytest.fixture
def mask(picture):
    plane = np.zeros(picture.shape[1:3], np.float32)
    cv2.circle(plane, (50, 60), 20, 1.0, -1)
    return plane


# --- sizes -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["compact", "rrdb", "rrdb2", "gray"])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 5), (17, 2), (33, 47)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_size_and_channel_count(name, size, channels, small):
    frames = np.random.default_rng(1).random((2, *size, channels)).astype(np.float32)
    operation = resolve(small, model=name)
    made = operation(frames)
    assert made.shape == (2, *operation.output_size(*size), channels) == (2, *(int(n * operation.scale) for n in size), channels)
    assert made.dtype == np.float32 and np.isfinite(made).all() and made.min() >= 0 and made.max() <= 1


def test_a_wide_frame(small):
    assert resolve(small, model="compact")(np.full((1, 20, 4096, 3), 0.4, np.float32)).shape == (1, 80, 16384, 3)


@pytest.mark.parametrize(("name", "output", "factor"), [
    ("compact", "model", 4), ("compact", "2x", 2), ("compact", "source", 1),
    ("rrdb2", "model", 2), ("rrdb2", "4x", 4), ("rrdb2", "source", 1),
])
def test_output_sizes(name, output, factor, small, clip):
    operation = resolve(small, model=name, output=output)
    assert operation.scale == Fraction(factor) and operation(clip[:2]).shape == (2, 96 * factor, 128 * factor, 3)


def test_half_of_the_models_size_is_its_area_average(small, picture):
    full = resolve(small, model="compact")(picture)[0].reshape(192, 2, 256, 2, 3).mean((1, 3))
    np.testing.assert_allclose(resolve(small, model="compact", output="2x")(picture)[0], full, atol=1e-5)


def test_the_size_is_known_without_the_model_where_the_model_does_not_decide_it():
    assert SuperResolve(model="missing.pth", output="2x").scale == 2
    with pytest.raises(ModelError, match=r"missing\.pth is not in"):
        SuperResolve(model="missing.pth").scale  # noqa: B018


# --- channels ----------------------------------------------------------------------------------------------------------------


def test_alpha_is_upscaled_beside(small, picture):
    alpha = np.linspace(0, 1, 128, dtype=np.float32)[None, None, :, None].repeat(96, 1)
    made = resolve(small, model="compact")(np.concatenate([picture, alpha], -1))
    np.testing.assert_array_equal(made[..., :3], resolve(small, model="compact")(picture))
    np.testing.assert_array_equal(made[0, ..., 3], cv2.resize(alpha[0, ..., 0], (512, 384), interpolation=cv2.INTER_LINEAR))


def test_gray_frames_go_through_a_colour_network_as_gray_rgb(small, picture):
    gray, operation = np.ascontiguousarray(picture[..., :1]), resolve(small, model="compact")
    np.testing.assert_allclose(operation(gray)[..., 0], operation(gray.repeat(3, -1)).mean(-1), atol=1e-6)


def test_a_gray_network_takes_each_channel_by_itself(small, picture):
    made = resolve(small, model="gray")(picture)
    for c in range(3):
        np.testing.assert_array_equal(made[..., c], resolve(small, model="gray")(np.ascontiguousarray(picture[..., c : c + 1]))[..., 0])


def test_the_input_is_never_written_to(small, clip, mask):
    before = clip.copy()
    clip.flags.writeable = False
    for options in ({}, {"tile": 48}, {"output": "source"}, {"region": Mask(mask)}, {"region": Mask(mask), "output": "source"}):
        resolve(small, model="compact", **options)(clip)
    np.testing.assert_array_equal(clip, before)


@pytest.mark.parametrize(("bad", "match"), [
    (np.zeros((0, 4, 4, 3)), "at least one frame"), (np.full((1, 4, 4, 3), np.nan), "NaN"), (np.zeros((2, 4, 4, 2)), "channels"),
])
def test_the_boundary_refuses(bad, match, small):
    with pytest.raises(ArrayError, match=match):
        resolve(small, model="compact")(bad.astype(np.float32))


# --- cuts --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("options", [{}, {"tile": 48}, {"reuse": True}, {"output": "source"}])
def test_any_cut_gives_the_same_bits(size, options, small, clip):
    operation = resolve(small, model="compact", **options)
    whole = operation(clip)
    np.testing.assert_array_equal(np.concatenate([made for _, made in stream(operation, cut(clip, size))]), whole)


def test_any_cut_with_a_moving_region(small, clip):
    boxes = Boxes(tuple((20 + 5 * i, 30, 60 + 5 * i, 60) for i in range(7)))
    operation = resolve(small, model="compact", region=boxes)
    whole = operation(clip)
    for size in (1, 3):
        np.testing.assert_array_equal(np.concatenate([made for _, made in stream(operation, cut(clip, size))]), whole)


def test_it_chains(small, picture):
    twice = Chain((resolve(small, model="rrdb2"), resolve(small, model="rrdb2")))
    assert twice.scale == 4 and twice(picture).shape == (1, 384, 512, 3)


# --- region ------------------------------------------------------------------------------------------------------------------


def test_at_source_size_everything_outside_the_mask_keeps_its_bits(small, clip, mask):
    made = resolve(small, model="compact", output="source", region=Mask(mask))(clip)
    np.testing.assert_array_equal(made[:, mask == 0], clip[:, mask == 0])
    assert np.abs(made - clip)[:, 60, 50].max() > 1e-3


@pytest.mark.parametrize("name", ["compact", "rrdb2"])
def test_outside_the_mask_the_frame_is_enlarged_by_lanczos(name, small, picture, mask):
    operation = resolve(small, model=name, region=Mask(mask))
    scale = int(operation.scale)
    made = operation(picture)[0]
    lanczos = np.clip(cv2.resize(picture[0], (128 * scale, 96 * scale), interpolation=cv2.INTER_LANCZOS4), 0, 1)
    outside = cv2.resize(mask, (128 * scale, 96 * scale), interpolation=cv2.INTER_LINEAR) == 0
    np.testing.assert_array_equal(made[outside], lanczos[outside])


def test_inside_the_mask_stands_what_the_model_makes(small, picture, mask):
    made = resolve(small, model="compact", region=Mask(mask), feather=2)(picture)[0]
    whole = resolve(small, model="compact")(picture)[0]
    np.testing.assert_allclose(made[4 * 55 : 4 * 65, 4 * 45 : 4 * 55], whole[4 * 55 : 4 * 65, 4 * 45 : 4 * 55], atol=2e-3)


def test_the_blend_follows_the_mask_linearly():
    rows = np.linspace(0, 1, 20, dtype=np.float32)[:, None]
    ramp = np.ascontiguousarray(np.broadcast_to(rows, (20, 30)))
    base, crop = np.full((40, 60, 3), 0.2, np.float32), Crop(0, 20, 4, 28)
    blended(base, np.full((40, 48, 3), 0.6, np.float32), crop, ramp, 2)
    share = cv2.resize(ramp, (60, 40), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(base[:, 8:56], np.repeat((0.2 + 0.4 * share)[:, 8:56, None], 3, 2), atol=1e-6)
    np.testing.assert_array_equal(base[:, :8], np.float32(0.2))


def test_the_blend_leaves_no_rim(small, picture, mask):
    """Around the mask's rim no step is larger than the largest in the model's result or the Lanczos frame."""
    made = resolve(small, model="compact", region=Mask(mask))(picture)[0]
    whole = resolve(small, model="compact")(picture)[0]
    lanczos = cv2.resize(picture[0], (512, 384), interpolation=cv2.INTER_LANCZOS4)
    rim = cv2.dilate(mask, np.ones((9, 9))) - cv2.erode(mask, np.ones((9, 9))) > 0
    rim = cv2.resize(rim.astype(np.float32), (512, 384), interpolation=cv2.INTER_NEAREST)[:, 1:] > 0
    limit = max(np.abs(np.diff(p, axis=1))[rim].max() for p in (whole, lanczos)) + np.abs(whole - lanczos)[:, 1:][rim].max() / 12
    assert np.abs(np.diff(made, axis=1))[rim].max() <= limit


def test_only_the_region_is_computed(small, clip, mask, monkeypatch):
    sizes = []
    plain = super_resolve.upscale
    monkeypatch.setattr(super_resolve, "upscale", lambda frames, *rest: (sizes.append(tuple(frames.shape)), plain(frames, *rest))[1])
    resolve(small, model="compact", region=Mask(mask))(clip)
    assert sizes == [(4, 80, 80, 3)]  # a circle of 41 px, 16 px of context, up to the next multiple of 16; the 4 frames together


def test_an_empty_mask_costs_nothing(small, clip, monkeypatch):
    monkeypatch.setattr(super_resolve, "upscale", None)
    made = resolve(small, model="compact", output="source", region=Mask(np.zeros((96, 128), np.float32)))(clip)
    np.testing.assert_array_equal(made, clip)


def test_a_full_mask_at_model_scale_is_the_whole_frame(small, picture):
    made = resolve(small, model="compact", region=Mask(np.ones((96, 128), np.float32)))(picture)
    np.testing.assert_array_equal(made, resolve(small, model="compact")(picture))


def test_masks_and_boxes_go_by_absolute_index(small, clip):
    boxes = Boxes(tuple((10 * i, 20, 10 * i + 20, 50) for i in range(7)))
    operation = resolve(small, model="compact", output="source", region=boxes)
    np.testing.assert_array_equal(operation(clip[2:3], 2), operation(clip)[2:3])
    with pytest.raises(ArrayError, match="boxes are 7, the clip has at least 8 frames"):
        operation(clip[:1], 7)


def test_boxes_outside_the_frame_are_cut_off(small, picture):
    assert resolve(small, model="compact", region=Boxes(((-50, -50, 20, 20),)))(picture).shape == (1, 384, 512, 3)
    assert not Boxes(((300, 300, 320, 320),)).at(0, 96, 128).any()


@pytest.mark.parametrize("corners", [(), ((5, 5, 5, 9),), ((0, 0, float("nan"), 5),)])
def test_boxes_without_area_are_refused(corners):
    with pytest.raises(SettingError, match="right > left"):
        Boxes(corners)


def test_a_crop_has_context_and_stays_in_the_frame():
    mask = np.zeros((100, 200), np.float32)
    mask[0:10, 150:160] = 1
    crop = crop_around(mask)
    assert crop.size == (48, 48) and crop.top == 0 and crop.right <= 200 and crop.left <= 134
    assert crop_around(mask * 0) is None


def test_the_fade_stays_inside_the_mask_and_spares_the_frames_edge():
    mask = np.zeros((40, 60), np.float32)
    mask[:, :30] = 1
    soft = faded(mask, 5)
    assert not soft[:, 30:].any() and np.all(np.diff(soft[20, 20:31]) <= 0) and 0 < soft[20, 29] < 0.5
    np.testing.assert_array_equal(soft[:, :20], 1)
    np.testing.assert_array_equal(faded(mask, 0), mask)


def test_lips_from_128_to_256(small):
    assert resolve(small, model="rrdb2")(np.random.default_rng(0).random((3, 128, 128, 3)).astype(np.float32)).shape == (3, 256, 256, 3)


# --- a value -------------------------------------------------------------------------------------------------------------------


def test_equality_is_that_of_the_settings(small):
    assert resolve(small, model="compact") == SuperResolve(model="compact")
    assert hash(resolve(small, model="compact")) == hash(SuperResolve(model="compact"))
    assert resolve(small, model="compact") != resolve(small, model="rrdb")


def test_json_names_every_setting_and_the_region(mask):
    plain = json.loads(json.dumps(SuperResolve(model="m.pth", tile=64, region=Boxes(((1, 2, 3, 4),))).to_json()))
    assert plain["op"] == "superresolve" and plain["model"] == "m.pth" and plain["tile"] == 64
    assert Boxes.from_json(plain["region"]) == Boxes(((1, 2, 3, 4),))
    assert "region" not in SuperResolve().to_json() and "shape" in SuperResolve(region=Mask(mask)).to_json()["region"]


def test_it_pickles_without_its_network(small, picture):
    operation = resolve(small, model="compact")
    made = operation(picture)
    text = pickle.dumps(operation)
    assert len(text) < 5000
    np.testing.assert_array_equal(pickle.loads(text)(picture), made)


def test_a_model_on_the_wire_works_and_cannot_be_written_down(small, picture):
    operation = SuperResolve(upscaler=Upscaler(load_model(small / "compact.pth")))
    np.testing.assert_array_equal(operation(picture), resolve(small, model="compact")(picture))
    with pytest.raises(SettingError, match="came over a wire"):
        operation.to_json()


@pytest.mark.parametrize(("options", "match"), [
    ({"engine": "realesrgan"}, "reads a model's file"), ({"denoise": 0.5}, "blends two model files"),
])
def test_what_a_model_on_the_wire_cannot_do_is_refused(options, match, small, picture):
    with pytest.raises(ModelError, match=match):
        SuperResolve(**options, upscaler=Upscaler(load_model(small / "compact.pth")))(picture)


def test_another_object_on_the_wire_is_refused():
    with pytest.raises(ModelError, match="upscale_model is a Conv2d"):
        Upscaler(torch.nn.Conv2d(3, 3, 1))


@pytest.mark.parametrize(("options", "match"), [
    ({"tile": -1}, "tile is -1"), ({"denoise": 2}, "denoise is 2"), ({"precision": "int8"}, "precision is"),
    ({"output": "3x"}, "output is"),
])
def test_a_setting_out_of_range_is_named(options, match):
    with pytest.raises(SettingError, match=match):
        SuperResolve(**options)


@pytest.mark.parametrize("options", [{}, {"tile": 48}, {"output": "source"}])
def test_cancel(options, small, clip):
    def cancel(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resolve(small, model="compact", **options)(clip, 0, cancel)


@pytest.mark.parametrize("options", [{}, {"tile": 48}, {"output": "2x"}, {"region": Boxes(((5, 5, 30, 30),))}])
def test_progress_ends_at_its_total(options, small, clip):
    calls = []
    resolve(small, model="compact", **options)(clip, 0, lambda done, total: calls.append((done, total)))
    assert calls[-1][0] == calls[-1][1] and [d / t for d, t in calls] == sorted(d / t for d, t in calls)
