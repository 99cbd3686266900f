"""Aligned crops: the published numbers where they are asked for, one clean warp otherwise."""
from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from talkies.core.arrays import from_uint8, to_uint8
from talkies.core.face import similarity
from talkies.core.face.align import AlignFace, align, latentsync_crop, latentsync_matrices
from talkies.core.face.template import template
from talkies.core.face.track import TrackError
from talkies.core.face.warp import prefilter_sigma, valid_area, warp, warp_on


@pytest.mark.parametrize("size", [256, 512])
@pytest.mark.parametrize("name, points", [("synth", "synth_noisy"), ("real", "real_lm3")])
def test_latentsync_matrices_are_within_2e_3_px(goldens, size, name, points):
    made = latentsync_matrices(goldens[points], template(size))
    assert np.abs(made - goldens[f"{name}_M_{size}_pbias"]).max() < 2e-3


def test_nothing_is_remembered_from_one_clip_to_the_next(goldens):
    first = latentsync_matrices(goldens["real_lm3"], template())
    latentsync_matrices(goldens["synth_noisy"], template())
    assert np.array_equal(latentsync_matrices(goldens["real_lm3"], template()), first)


@pytest.mark.parametrize("size", [256, 512])
def test_latentsync_crops_are_within_a_level(goldens, size):
    crop = template(size)
    matrix = latentsync_matrices(goldens["frame_lm3"][None], crop)[0]
    out = np.empty((size, size, 3), np.float32)
    latentsync_crop(from_uint8(goldens["frame_roi"]), matrix, crop, out)
    off = np.abs(to_uint8(out).astype(int) - goldens[f"crop_sq_{size}_f32"])
    assert off.max() <= 1 and off.mean() < 0.02


@pytest.mark.parametrize("fill", ["edge", "gray", "black"])
@pytest.mark.parametrize("scale", [2.3, 1.0, 0.5, 0.21])
@pytest.mark.parametrize("shift", [0, 140])
def test_the_device_path_gives_the_same_picture_within_2_levels(scene, fill, scale, shift):
    turn = similarity.from_complex(np.array(scale * np.exp(0.2j)), np.array(-30 * scale + 5j))
    matrix = similarity.compose(np.array([[1.0, 0, shift], [0, 1, 0]]), turn)
    frame = scene.frames[0]
    one, other = warp(frame, matrix, 128, 128, fill), warp_on("cpu", frame[None], matrix[None], 128, 128, fill)[0]
    assert np.abs(one - other).max() * 255 <= 2


def test_bicubic_overshoot_is_clipped_and_never_wraps():
    frame = np.zeros((40, 40, 3), np.float32)
    frame[:, 20:] = 1
    matrix = similarity.from_complex(np.array(1.7 * np.exp(0.3j)), np.array(3 + 2j))
    unclipped = cv2.warpAffine(frame, matrix, (64, 64), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    assert unclipped.max() > 1.02 and unclipped.min() < -0.02
    made = warp(frame, matrix, 64, 64)
    assert made.min() == 0 and made.max() == 1
    levels = to_uint8(made).astype(int)
    assert np.abs(levels - np.clip(unclipped * 255, 0, 255)).max() <= 0.51


def test_fine_stripes_do_not_alias_when_the_face_shrinks():
    frame = np.repeat(np.tile(np.array([0, 1], np.float32), 200)[None, :, None], 400, 0).repeat(3, 2)
    matrix = similarity.from_complex(np.array(0.31 + 0j), np.array(0j))
    made = warp(frame, matrix, 100, 100)[10:90, 10:90]
    plain = cv2.warpAffine(frame, matrix, (100, 100), flags=cv2.INTER_CUBIC)[10:90, 10:90]
    assert made.std() < 0.02 < 0.1 < plain.std()
    assert abs(made.mean() - 0.5) < 0.01
    assert prefilter_sigma(np.eye(2, 3)) == 0


def test_a_crop_inside_the_frame_is_all_valid_and_one_at_the_rim_is_not():
    matrix = np.array([[1.0, 0, 20], [0, 1, 0]])  # the frame's left rim lies 20 px inside the crop
    area = valid_area(matrix, 200, 200, 64, 64)
    assert area[:, 20:].all() and not area[:, :20].any()
    assert valid_area(np.array([[1.0, 0, -20], [0, 1, -20]]), 200, 200, 64, 64).all()


class TestAlignFace:
    def test_brows_and_nose_land_on_the_template(self, scene):
        for shape in ("latentsync", "natural"):
            track = align(scene.detected(0.0), 256, shape)
            landed = similarity.apply(track.matrices, track.anchors)
            assert np.abs(landed - landed.mean(0)).max() < 1e-6  # the same face, so the same places in every frame
            assert np.linalg.norm(landed[0] - track.crop.points, axis=-1).max() < 14

    def test_the_same_bits_wherever_the_clip_is_cut(self, scene):
        cut = AlignFace(track=align(scene.detected(), 96))
        whole = cut(scene.frames[:9])
        assert whole.shape == (9, 96, 96, 3)
        for at in (1, 4, 8):
            assert np.array_equal(np.concatenate((cut(scene.frames[:at]), cut(scene.frames[at:9], at))), whole)

    def test_a_device_gives_the_same_crops_within_2_levels(self, scene):
        for size in (64, 256):
            track = align(scene.detected(), size)
            one, other = AlignFace(track=track)(scene.frames[:4]), AlignFace(track=track, device="cpu")(scene.frames[:4])
            assert np.abs(one - other).max() * 255 <= 2

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    def test_cuda_gives_the_same_crops_within_2_levels(self, scene):
        track = align(scene.detected(), 256)
        one, other = AlignFace(track=track)(scene.frames[:4]), AlignFace(track=track, device="cuda")(scene.frames[:4])
        assert np.abs(one - other).max() * 255 <= 2

    def test_a_still_face_stays_still_in_the_crop(self, scene):
        crops = AlignFace(track=align(scene.detected(0.0), 128))(scene.frames[:20])
        inner = crops[:, 20:60, 25:100]
        assert np.abs(np.diff(inner, axis=0)).mean() * 255 < 3.5  # sensor noise alone: 2 levels times 1.13

    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_channels_come_through(self, scene, channels):
        frames = np.concatenate((scene.frames[:2], np.full((2, *scene.frames.shape[1:3], 1), 0.5, np.float32)), -1)[..., :channels]
        crops = AlignFace(track=align(scene.detected(), 64))(frames)
        assert crops.shape == (2, 64, 64, channels)
        if channels == 4:
            assert np.allclose(crops[..., 3], 0.5, atol=1e-5)

    def test_masks_say_where_the_frame_ends(self, scene):
        track = scene.track(scene.points - (150, 0))
        cut = AlignFace(track=align(track, 96), fill="black")
        masks, crops = cut.masks(0, 3), cut(scene.frames[:3])
        assert masks.shape == (3, 96, 96) and 0.2 < masks.mean() < 0.9
        assert np.abs(crops[masks == 0]).max() < 0.6  # one bicubic tap past the rim at most
        assert (crops[:, :, :10][masks[:, :, :10] == 0] == 0).mean() > 0.9

    def test_the_published_sampling_gives_whole_levels(self, scene):
        crops = AlignFace(track=align(scene.detected(), 64, fit="latentsync"), published=True)(scene.frames[:1])
        assert np.array_equal(crops, from_uint8(to_uint8(crops)))

    def test_other_frames_than_the_tracked_ones_are_refused(self, scene):
        cut = AlignFace(track=align(scene.detected(), 64))
        with pytest.raises(TrackError, match="330 x 315"):
            cut(np.zeros((1, 64, 64, 3), np.float32))
        with pytest.raises(TrackError, match="not frame 60"):
            cut(scene.frames[:1], 60)
        with pytest.raises(TrackError, match="align it first"):
            AlignFace(track=scene.detected())
