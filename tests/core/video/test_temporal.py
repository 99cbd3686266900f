"""Temporal consistency: flicker goes, articulation stays, nothing ghosts across a cut; and it beats the plain average."""
from __future__ import annotations

import cv2
import numpy as np
import pytest
from operation_tester import OperationTester, made_clip
from talking_scene import REGION, articulation, band_energy, talking, variance_along

from talkies.core.measure.image import ssim
from talkies.core.operation import Chain, cut, run, stream
from talkies.core.video import flow as flows
from talkies.core.video.temporal import TemporalConsistency


class TestTemporalConsistency(OperationTester):
    variants = (
        TemporalConsistency(),
        TemporalConsistency(neighbours=3, detail="fast", strength=0.6, tolerance=0.2),
        TemporalConsistency(mode="ema", strength=0.3),
    )


@pytest.fixture(scope="module")
def scene():
    return talking(4.0, count=30)


@pytest.fixture(scope="module")
def flickering(scene):
    return scene.flickering()


@pytest.fixture(scope="module")
def calmed(flickering):
    return run(TemporalConsistency(), flickering)


# --- flicker


def test_flicker_along_the_motion_falls_by_more_than_half_and_the_picture_comes_nearer_to_the_truth(scene, flickering, calmed):
    assert variance_along(calmed, scene) <= 0.25 * variance_along(flickering, scene)
    similarity = [np.mean([ssim(a, b) for a, b in zip(clip[::6], scene.frames[::6], strict=True)]) for clip in (flickering, calmed)]
    assert similarity[1] >= similarity[0] + 0.05


@pytest.mark.parametrize("kind", [{"gain": 0.04}, {"blotches": 0.04}, {"noise": 0.03}])
def test_each_kind_of_flicker_falls_by_half(kind, scene):
    flickering = scene.flickering(**{"gain": 0.0, "blotches": 0.0, "noise": 0.0, **kind})[:16]
    part = type(scene)(scene.frames[:16], scene.opening[:16], scene.places[:16])
    assert variance_along(run(TemporalConsistency(), flickering), part) <= 0.5 * variance_along(flickering, part)


def test_more_neighbours_and_more_strength_calm_more(scene, flickering):
    def left(**settings):
        return variance_along(run(TemporalConsistency(detail="fast", **settings), flickering), scene)

    assert left(neighbours=3) < left(neighbours=1)
    assert left(strength=1.0) < left(strength=0.5) < variance_along(flickering, scene)


def test_it_beats_the_plain_average_in_every_figure(scene, flickering, calmed):
    averaged = run(TemporalConsistency(mode="ema", strength=0.3), flickering)
    assert variance_along(calmed, scene) < 0.5 * variance_along(averaged, scene)
    assert ssim(calmed[15], scene.frames[15]) > ssim(averaged[15], scene.frames[15]) + 0.03


# --- articulation


@pytest.mark.parametrize("hertz", [3.0, 8.0])
def test_mouth_motion_keeps_95_percent_of_its_energy_where_the_plain_average_loses_it(hertz):
    scene = talking(hertz, count=36)
    true = band_energy(articulation(scene.frames), low=hertz, high=hertz)

    def kept(operation, frames, of):
        return band_energy(articulation(run(operation, frames)), low=hertz, high=hertz) / of

    flickering = scene.flickering()
    assert 0.95 <= kept(TemporalConsistency(), scene.frames, true) <= 1.05
    seen = band_energy(articulation(flickering), low=hertz, high=hertz)
    assert 0.95 <= kept(TemporalConsistency(), flickering, seen) <= 1.05
    assert kept(TemporalConsistency(mode="ema", strength=0.3), scene.frames, true) < 0.75


def test_a_clean_clip_hardly_changes(scene):
    made = run(TemporalConsistency(), scene.frames)
    assert np.abs(made - scene.frames).mean() < 0.6 / 255
    assert np.abs(made - scene.frames)[:, REGION[0], REGION[1]].mean() < 1.5 / 255


def test_teeth_that_flash_up_for_one_frame_stay():
    clip = np.repeat(talking(0.0, count=1, sway=0).frames, 7, axis=0)
    clip[3, 150:180, 100:150] = 0.9
    made, averaged = run(TemporalConsistency(), clip), run(TemporalConsistency(mode="ema", strength=0.3), clip)
    inner = np.s_[155:175, 105:145]
    for index in (2, 3, 4):
        assert np.abs(made[index][inner] - clip[index][inner]).mean() < 0.01
    assert np.abs(averaged[3][inner] - clip[3][inner]).mean() > 0.05


def test_nothing_comes_over_a_cut(scene):
    other = np.flip(scene.frames[:8], axis=(1, 2)) * 0.8 + 0.1
    clip = np.concatenate((scene.frames[:8], other)).astype(np.float32)
    made = run(TemporalConsistency(), clip)
    apart = np.concatenate((run(TemporalConsistency(), clip[:8]), run(TemporalConsistency(), clip[8:])))
    assert np.abs(made - apart).mean() < 1.5 / 255


# --- exactness


def test_strength_zero_is_identity():
    clip = made_clip() * 3 - 1
    assert TemporalConsistency(strength=0).identity and TemporalConsistency(strength=0).radius == 0
    assert np.array_equal(TemporalConsistency(strength=0)(clip), clip)


def test_a_still_clip_stays_as_it_is():
    clip = np.repeat(made_clip(1, 40, 48), 5, axis=0)
    assert np.abs(run(TemporalConsistency(), clip) - clip).max() < 2e-3


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("threads", [1, 4])
def test_cuts_and_opencv_threads_do_not_show_at_a_real_size(size, threads, flickering):
    clip = flickering[:9, 60:220, 40:230].copy()
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(3)
        whole = run(TemporalConsistency(), clip)
        cv2.setNumThreads(threads)
        parts = np.concatenate([frames for _, frames in stream(TemporalConsistency(), cut(clip, size))])
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(parts, whole)


def test_flow_is_held_for_a_block_only(monkeypatch):
    """Memory does not grow with the clip: the flows of frames long past are let go."""
    held = []
    original = TemporalConsistency._blend

    def counted(self, frames, steps, index, out):
        held.append(len(steps))
        original(self, frames, steps, index, out)

    monkeypatch.setattr(TemporalConsistency, "_blend", counted)
    monkeypatch.setattr("talkies.core.video.temporal.worker_count", lambda: 1)
    run(TemporalConsistency(), made_clip(60, 16, 16))
    assert max(held) <= 4 + 2 * 2 + 2


def test_the_average_is_the_exponential_one():
    clip = made_clip(5)
    made = run(TemporalConsistency(mode="ema", strength=0.5), clip)
    expected = clip[0]
    for i in range(1, 5):
        expected = 0.5 * expected + 0.5 * clip[i]
        assert np.allclose(made[i], expected, atol=1e-6)


def test_radii_add_up_in_a_chain():
    assert Chain((TemporalConsistency(neighbours=3), TemporalConsistency(mode="ema", strength=0.3))).radius == 3 + 6


# --- flow


def test_flow_follows_a_shift_and_distrusts_what_left_the_frame():
    picture = talking(0.0, count=1, sway=0).frames[0]
    moved = cv2.warpAffine(picture, np.float32([[1, 0, 5], [0, 1, -3]]), (256, 256), borderMode=cv2.BORDER_REFLECT)
    cv2.setNumThreads(1)
    there, back = flows.flows_between(flows.flow_luma(picture, "fine"), flows.flow_luma(moved, "fine"), "fine")
    inner = np.s_[40:216, 40:216]
    assert np.abs(np.median(there[inner][..., :2], axis=(0, 1)) - (5, -3)).max() < 0.2
    assert np.median(there[inner][..., 2]) > 0.9
    assert there[100:200, 253:, 2].max() == 0
    again = flows.then(there, back)
    assert np.abs(np.median(again[inner][..., :2], axis=(0, 1))).max() < 0.1
    assert np.allclose(flows.sampled(moved, there)[inner], picture[inner], atol=0.2)


def test_flow_of_a_large_frame_is_measured_small_and_given_at_full_size():
    frame = np.zeros((1000, 2000, 3), np.float32)
    assert max(flows.flow_luma(frame, "fine").shape) <= 960 and max(flows.flow_luma(frame, "fast").shape) <= 480
    small = np.ones((5, 10, 3), np.float32)
    large = flows.enlarged(small, 10, 30)
    assert np.allclose(large[..., 0], 3) and np.allclose(large[..., 1], 2) and np.allclose(large[..., 2], 1)
