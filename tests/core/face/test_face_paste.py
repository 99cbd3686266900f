"""Pasting back: inside as good as the crop, outside the very same bits."""
from __future__ import annotations

import numpy as np
import pytest

from talkies.core.arrays import ArrayError
from talkies.core.face.align import AlignFace, align
from talkies.core.face.paste import PasteBack, PasteSettings, crop_matrix, edge_mask, multiband, paste, paste_clip
from talkies.core.face.smooth.select import Smoothing, smooth
from talkies.core.face.track import TrackError
from talkies.core.face.warp import warp


@pytest.fixture(scope="module")
def track(scene):
    return align(scene.detected(0.3).between(0, 6), 256)


@pytest.fixture(scope="module")
def crops(scene, track):
    return AlignFace(track=track)(scene.frames[:6])


def touched_area(track, frame_shape):
    """Where a crop can reach: its square, drawn in the frame, a pixel wider."""
    height, width = frame_shape
    square = np.ones((track.crop.size, track.crop.size, 1), np.float32)
    from talkies.core.face import similarity
    return np.stack([warp(square, similarity.invert(track.matrix(i)), height, width, "black")[..., 0] > 0 for i in range(len(track))])


@pytest.mark.parametrize("blend", ["feather", "multiband"])
@pytest.mark.parametrize("content", ["replace", "difference"])
def test_untouched_crops_come_back_and_nothing_else_changes(scene, track, crops, blend, content):
    frames = scene.frames[:6]
    made = PasteBack(track=track, crops=crops, blend=blend, content=content)(frames)
    reach = touched_area(track, frames.shape[1:3])
    assert np.array_equal(made[~reach], frames[~reach])
    assert 0.1 < reach.mean() < 0.9
    error = np.square((made - frames)[reach].astype(np.float64)).mean()
    assert 10 * np.log10(1 / max(error, 1e-12)) >= 45


def test_the_source_is_not_written_to(scene, track, crops):
    before = scene.frames[:6].copy()
    PasteBack(track=track, crops=1 - crops)(scene.frames[:6])
    assert np.array_equal(before, scene.frames[:6])


@pytest.mark.parametrize("blend", ["feather", "multiband"])
def test_a_changed_crop_shows_inside_and_fades_at_the_rim(scene, track, crops, blend):
    frames = scene.frames[:6]
    made = PasteBack(track=track, crops=np.zeros_like(crops), edge=40.0, blend=blend)(frames)
    reach = touched_area(track, frames.shape[1:3])
    assert np.array_equal(made[~reach], frames[~reach])
    middle = track.anchors.mean(1).round().astype(int)
    for i, (x, y) in enumerate(middle):
        assert made[i, y, x].max() < 0.02
    # The blend falls off without a step: no new edge at the rim is stronger than what the ramp makes.
    share = np.where(frames.sum(-1) > 0.5, made.sum(-1) / np.maximum(frames.sum(-1), 0.5), np.nan)
    assert np.nanmax(np.abs(np.diff(share, axis=1))) < 0.5  # a hard edge has 1


def test_only_masked_pixels_change(scene, track, crops):
    mask = np.zeros((256, 256), np.float32)
    mask[150:220, 80:180] = 1
    made = PasteBack(track=track, crops=np.zeros_like(crops), mask=mask)(scene.frames[:6])
    changed = (made != scene.frames[:6]).any(-1)
    seen = np.stack([warp(mask[..., None], np.linalg.inv(np.vstack((track.matrix(i), [0, 0, 1])))[:2], *scene.frames.shape[1:3], "black")
                     for i in range(6)])[..., 0]
    assert changed.any() and not changed[seen <= 1e-4].any() and (changed.mean() < 0.12)


def test_a_mask_of_zeros_changes_no_bit(scene, track, crops):
    made = PasteBack(track=track, crops=1 - crops, mask=np.zeros((1, 64, 64), np.float32))(scene.frames[:6])
    assert np.array_equal(made, scene.frames[:6])


def test_rgba_frames_keep_their_alpha_and_rgba_crops_bring_a_mask(scene, track, crops):
    alpha = np.random.default_rng(0).random((*scene.frames[:6].shape[:3], 1)).astype(np.float32)
    frames = np.concatenate((scene.frames[:6], alpha), -1)
    made = PasteBack(track=track, crops=np.zeros_like(crops))(frames)
    assert np.array_equal(made[..., 3:], alpha) and not np.array_equal(made[..., :3], frames[..., :3])
    clear = np.concatenate((np.zeros_like(crops), np.zeros_like(crops[..., :1])), -1)
    assert np.array_equal(PasteBack(track=track, crops=clear)(frames), frames)


def test_upscaled_crops_and_gray_ones_fit(scene, track, crops):
    import cv2
    large = np.stack([cv2.resize(c, (512, 512), interpolation=cv2.INTER_CUBIC) for c in crops]).clip(0, 1)
    made = PasteBack(track=track, crops=large)(scene.frames[:6])
    assert 10 * np.log10(1 / np.square(made - scene.frames[:6]).mean()) > 45
    gray = PasteBack(track=track, crops=crops.mean(-1, keepdims=True))(scene.frames[:6])
    x, y = track.anchors[0].mean(0).round().astype(int)
    assert np.ptp(gray[0, y, x]) < 1e-5
    onto_gray = PasteBack(track=track, crops=crops)(scene.frames[:6].mean(-1, keepdims=True))
    assert onto_gray.shape[-1] == 1


def test_difference_keeps_detail_that_a_small_crop_cannot_hold(scene):
    small = align(scene.detected(0.3).between(0, 2), 48)
    cut = AlignFace(track=small)(scene.frames[:2])
    brighter = (cut + 0.05).clip(0, 1)
    errors = []
    for content in ("replace", "difference"):
        made = PasteBack(track=small, crops=brighter, content=content)(scene.frames[:2])
        x, y = small.anchors[0].mean(0).round().astype(int)
        inside = (slice(y - 20, y + 20), slice(x - 20, x + 20))
        errors.append(np.abs(made[0][inside] - (scene.frames[0][inside] + 0.05).clip(0, 1)).mean())
    assert errors[1] < 0.25 * errors[0]


def test_a_face_that_leaves_the_frame_is_pasted_as_far_as_it_is_seen(scene):
    for shift in ((-170, 0), (0, -150), (150, 140), (-900, 0)):
        out_of_frame = align(scene.track(scene.points[:2] + shift), 128)
        cut = AlignFace(track=out_of_frame)(scene.frames[:2])
        made = PasteBack(track=out_of_frame, crops=1 - cut)(scene.frames[:2])
        assert np.isfinite(made).all()
        assert np.array_equal(made, scene.frames[:2]) == (shift[0] == -900)


def test_works_with_smoothed_matrices_of_every_method(scene):
    raw = scene.detected(0.5)
    for method in ("fused", "ultra"):  # ultra's are no similarities any more
        steady = smooth(raw, Smoothing(method=method), scene.clip()).track.between(0, 4)
        cut = AlignFace(track=steady)(scene.frames[:4])
        made = PasteBack(track=steady, crops=cut)(scene.frames[:4])
        assert 10 * np.log10(1 / np.square(made - scene.frames[:4]).mean()) > 45


def test_streaming_gives_the_same_bits_and_passes_other_frames_through(scene, track, crops):
    late = align(scene.detected(0.3).between(2, 6), 256)
    cut = AlignFace(track=late)(scene.frames[2:6], 2)
    stream = paste_clip(((i, scene.frames[i : i + 3]) for i in range(0, 9, 3)), ((i, (1 - cut)[i : i + 1]) for i in range(4)), late)
    made = np.concatenate([f for _, f in stream])
    assert np.array_equal(made[2:6], PasteBack(track=late, crops=1 - cut)(scene.frames[2:6], 2))
    assert np.array_equal(made[:2], scene.frames[:2]) and np.array_equal(made[6:], scene.frames[6:9])
    with pytest.raises(ArrayError, match="no crop for frame 4"):
        list(paste_clip(iter([(0, scene.frames[:6])]), iter([(0, cut[:2])]), late))


def test_chunks_do_not_show(scene, track, crops):
    back = PasteBack(track=track, crops=1 - crops)
    whole = back(scene.frames[:6])
    assert np.array_equal(np.concatenate((back(scene.frames[:2]), back(scene.frames[2:6], 2))), whole)


def test_what_does_not_fit_is_refused(scene, track, crops):
    with pytest.raises(ArrayError, match="crops has 5 frames, the track 6"):
        PasteBack(track=track, crops=crops[:5])
    with pytest.raises(ArrayError, match="mask has 2 frames"):
        PasteBack(track=track, crops=crops, mask=np.ones((2, 9, 9), np.float32))
    with pytest.raises(TrackError, match="align it first"):
        PasteBack(track=scene.detected(0.3).between(0, 6), crops=crops)


def test_edge_mask_is_zero_at_the_rim_and_one_inside():
    mask = edge_mask(100, 80, 10)
    assert mask.shape == (100, 80) and mask[0].max() == 0 and mask[:, -1].max() == 0
    assert (mask[10:-10, 10:-10] == 1).all() and (np.diff(mask[50, :40]) >= 0).all()
    assert (edge_mask(100, 100)[5:-5, 5:-5] == 1).all()


def test_multiband_joins_without_a_seam_where_a_hard_edge_has_one():
    dark, bright = np.full((64, 64, 3), 0.3, np.float32), np.full((64, 64, 3), 0.7, np.float32)
    weight = np.zeros((64, 64), np.float32)
    weight[:, 32:] = 1
    joined = multiband(dark, bright, weight)
    assert np.abs(np.diff(joined, axis=1)).max() < 0.1
    assert np.allclose(joined[:, 2], 0.3, atol=0.02) and np.allclose(joined[:, -2], 0.7, atol=0.02)
    assert np.allclose(multiband(dark, dark, weight), dark, atol=1e-5)


def test_paste_alone_writes_only_its_part(scene, track, crops):
    frame = scene.frames[0].copy()
    paste(frame, np.zeros_like(crops[0]), crop_matrix(track, 0, crops[0]), PasteSettings())
    rows = np.flatnonzero((frame != scene.frames[0]).any((1, 2)))
    assert rows.min() > 0 and rows.max() < len(frame) - 1
