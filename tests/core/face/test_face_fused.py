"""The fused smoothing on a face whose path is known: true, without lag, through gaps, strays, cuts and blindness."""
from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from face_scenes import fast_part, moving_face

from talkies.core.face import similarity
from talkies.core.face.align import align
from talkies.core.face.anchors import brows_and_nose
from talkies.core.face.motion import FaceMotion, measure_motion
from talkies.core.face.smooth import fused
from talkies.core.face.smooth.select import Smoothing, smooth
from talkies.core.face.track import track_from_points


def truth(scene):
    return brows_and_nose(scene.points, "points5")


def off(anchors, scene):
    return anchors - truth(scene)


def rms(error):
    return float(np.sqrt(np.square(error).sum(-1).mean()))


@pytest.fixture(scope="module")
def motion(scene):
    return measure_motion(scene.clip(), truth(scene), np.ones(len(scene.frames), bool))


def test_the_measured_motion_is_true_to_a_twentieth_of_a_pixel(scene, motion):
    assert motion.followed.all() and motion.cuts == ()
    step = similarity.apply(motion.matrices, truth(scene)[:-1]) - truth(scene)[1:]
    assert np.linalg.norm(step, axis=-1).max() < 0.15
    assert rms(step) < 0.05


def test_motion_is_the_same_wherever_the_clip_is_cut(scene, motion):
    assert measure_motion(scene.clip(60), truth(scene), np.ones(60, bool)) == motion
    assert measure_motion(scene.clip(1), truth(scene), np.ones(60, bool)) == motion


def test_motion_keeps_no_pixels(scene):
    alive = []

    def clip():
        for first, frames in scene.clip(1):
            copy = frames.copy()
            alive.append(copy)
            yield first, copy
            alive[-1].fill(0)  # whoever still looked at it would now follow black

    assert measure_motion(clip(), truth(scene), np.ones(60, bool)).followed.all()


def test_error_is_less_than_half_of_raw_and_nothing_is_left_above_3_hz(scene, motion):
    for seed in range(5):
        raw = scene.detected(1.0, seed).anchors
        result = fused.fuse(raw, np.ones(60, bool), motion, scene.fps).anchors
        assert rms(off(result, scene)) < 0.5 * rms(off(raw, scene))
        assert rms(fast_part(off(result, scene), scene.fps)) <= 0.1 < 0.5 < rms(fast_part(off(raw, scene), scene.fps))


def test_more_noise_gets_more_stiffness(scene, motion):
    found = np.ones(60, bool)
    chosen = [fused.auto_stiffness(scene.detected(noise).anchors, found, motion) for noise in (0.1, 0.5, 2.0, 8.0)]
    assert chosen == sorted(chosen) and chosen[0] == fused.LIMITS[0] and chosen[-1] == fused.LIMITS[1]
    noise = np.random.default_rng(0).normal(0, 2.0, truth(scene).shape).mean(1, keepdims=True)
    assert fused.detector_noise(truth(scene) + noise, found, motion) == pytest.approx(noise.std(), rel=0.35)


def test_strays_are_thrown_out(scene):
    points = scene.detected(0.8).points.copy()
    for frame, angle in zip((5, 14, 23, 33, 41, 52), range(6), strict=True):
        points[frame] += 60 * np.array([np.cos(angle), np.sin(angle)])
    result = smooth(scene.track(points), clip=scene.clip()).track
    assert rms(off(result.anchors, scene)) <= 3
    assert np.linalg.norm(off(result.anchors, scene), axis=-1).max() < 6


def test_a_gap_of_ten_frames_is_carried_by_the_pictures(scene):
    found = np.ones(60, bool)
    found[27:37] = False
    raw = scene.track(scene.detected(0.8).points, found=found)
    result = smooth(raw, clip=scene.clip())
    error = np.linalg.norm(off(result.track.anchors, scene), axis=-1)
    assert error[27:37].max() < 2.5 < 5 < np.linalg.norm(off(raw.anchors, scene), axis=-1)[27:37].max()
    assert result.report.figures["frames filled"] == 10 and result.report.figures["longest gap (frames)"] == 10
    assert not result.track.found[27:37].any()


@pytest.mark.parametrize("scenery", ["moved", "other"])
def test_a_cut_of_250_px_stays_sharp(scene, scenery):
    frames = np.zeros((60, 315, 660, 3), np.float32)
    frames[:30, :, :330] = scene.frames[:30]
    frames[30:, :, 330:] = scene.frames[30:] if scenery == "moved" else 1 - scene.frames[30:]
    points = scene.detected(0.8).points.copy()
    true = truth(scene).copy()
    for p in (points, true):
        p[30:, :, 0] += 250 if scenery == "moved" else 330
    if scenery == "moved":
        frames[30:] = 0
        frames[30:, :, 250:580] = scene.frames[30:]
    raw = track_from_points(list(points), "points5", (315, 660), scene.fps)
    result = smooth(raw, clip=((i, frames[i : i + 9]) for i in range(0, 60, 9)))
    error = np.linalg.norm(result.track.anchors - true, axis=-1)
    assert error[25:35].max() <= 6
    assert 30 in result.track.cuts


class TestBlind:
    """Frames in which nothing can be followed: black, without texture, blurred away."""

    @pytest.mark.parametrize("spoil", [
        lambda f: np.zeros_like(f), lambda f: np.full_like(f, 0.5), lambda f: cv2.GaussianBlur(f, (0, 0), 60),
    ], ids=["black", "flat", "blurred"])
    def test_falls_back_for_those_frames_and_says_so(self, scene, spoil):
        frames = scene.frames.copy()
        for i in range(20, 26):
            frames[i] = spoil(frames[i])
        result = smooth(scene.detected(0.8), clip=iter([(0, frames)]))
        lost = result.report.figures["pairs not followed (whittaker instead)"]
        assert 5 <= lost <= 7
        pairs = np.flatnonzero(result.report.series["fallback"])
        assert pairs.min() >= 19 and pairs.max() <= 25  # the pairs that touch frames 20 to 25
        error = np.linalg.norm(off(result.track.anchors, scene), axis=-1)
        assert error.max() < 4
        assert rms(off(result.track.anchors, scene)) < rms(off(scene.detected(0.8).anchors, scene))

    def test_an_all_black_clip_is_whittaker_throughout(self, scene):
        raw = scene.detected(0.8)
        result = smooth(raw, clip=iter([(0, np.zeros_like(scene.frames))]))
        assert result.report.figures["pairs not followed (whittaker instead)"] == 59
        assert np.isfinite(result.track.matrices).all()
        assert rms(off(result.track.anchors, scene)) < rms(off(raw.anchors, scene)) * 1.1

    def test_without_pictures_it_is_whittaker_and_says_so(self, scene):
        raw = scene.detected(0.8)
        result = smooth(raw)
        assert result.report.figures["pairs not followed (whittaker instead)"] == 59
        assert np.allclose(result.track.matrices, smooth(raw, Smoothing(method="whittaker")).track.matrices)


def test_fps_does_not_change_the_result():
    fast, slow = moving_face(90, 50), moving_face(45, 25)
    results = []
    for scene, step in ((fast, 2), (slow, 1)):
        slowly = 3 * np.sin(2 * np.pi * 0.4 * np.arange(len(scene.frames)) / float(scene.fps))  # a detector that wanders slowly
        raw = scene.track(scene.points + slowly[:, None, None])
        moved = smooth(raw, Smoothing(stiffness=100.0), scene.clip()).track
        results.append(off(moved.anchors, scene)[::step])
    inner = slice(5, 40)
    assert rms(results[0][inner] - results[1][inner]) < 0.12 * rms(results[1][inner])


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("method", ["fused", "whittaker", "one_euro", "enhanced", "ultra", "none"])
def test_short_clips_work(scene, count, method):
    raw = scene.track(scene.detected(0.8).points[:count])
    result = smooth(raw, Smoothing(method=method), iter([(0, scene.frames[:count])]))
    assert len(result.track) == count and np.isfinite(result.track.matrices).all()
    assert np.linalg.norm(result.track.anchors - raw.anchors, axis=-1).max() < 8
    if count == 1:
        assert np.allclose(result.track.matrices, align(raw).matrices, atol=1e-9)


def test_smoothing_keeps_speech_and_takes_the_same_matrices_when_aligned_again(scene):
    raw = scene.detected(0.8)
    spoken = raw.points.copy()
    spoken[:, 3:, 1] += 3 * np.sin(2 * np.pi * 5 * np.arange(60) / 25)[:, None]  # mouth corners at 5 Hz
    raw = replace(raw, points=spoken)
    moved = smooth(raw, clip=scene.clip()).track
    assert np.allclose(align(moved).matrices, moved.matrices, atol=1e-6)

    def mouth(track):
        return fast_part(similarity.apply(align(track).matrices, track.points)[:, 3:].mean(1), scene.fps)[:, 1]

    assert np.corrcoef(mouth(moved), np.sin(2 * np.pi * 5 * np.arange(60) / 25))[0, 1] > 0.9


def test_fused_matrices_are_similarities(scene, motion):
    moved = smooth(scene.detected().with_motion(motion)).track.matrices
    assert np.allclose(moved[:, 0, 0], moved[:, 1, 1]) and np.allclose(moved[:, 0, 1], -moved[:, 1, 0])


def test_a_track_that_holds_its_motion_needs_no_pictures(scene, motion):
    raw = scene.detected()
    with_pictures = smooth(raw, clip=scene.clip()).track
    again = smooth(raw.with_motion(with_pictures.motion)).track
    assert again == with_pictures


def test_a_track_that_starts_late_reads_its_own_frames(scene):
    whole = scene.detected()
    late = replace(whole.between(10, 30), start=110)
    result = smooth(late, clip=((100 + i, f) for i, f in scene.clip())).track
    same = smooth(replace(late, start=0), clip=iter([(0, scene.frames[10:30])])).track
    assert np.array_equal(result.matrices, same.matrices)


def test_a_clip_that_is_too_short_is_refused(scene):
    with pytest.raises(ValueError, match="clip has 20 frames, the track 60"):
        smooth(scene.detected(), clip=iter([(0, scene.frames[:20])]))


def test_progress_is_told_and_may_cancel(scene):
    seen = []

    def progress(done, total):
        seen.append((done, total))
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        smooth(scene.detected(), clip=scene.clip(), progress=progress)
    assert seen == [(1, 60), (2, 60), (3, 60), (4, 60)]


def test_large_faces_are_followed_at_a_smaller_size(scene):
    large = np.stack([cv2.resize(f, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC) for f in scene.frames[:5]])
    points = (truth(scene)[:5] + 0.5) * 4 - 0.5
    moved = measure_motion(iter([(0, large)]), points, np.ones(5, bool))
    step = similarity.apply(moved.matrices, points[:-1]) - points[1:]
    assert moved.followed.all() and np.linalg.norm(step, axis=-1).max() < 0.4


def test_json_of_a_motion(motion):
    assert FaceMotion.from_json(motion.to_json()) == motion
    assert motion.between(3, 4).followed.shape == (0,) and FaceMotion.from_json(motion.between(3, 4).to_json()) == motion.between(3, 4)


def test_the_report_counts_in_the_crop(scene):
    result = smooth(scene.detected(1.0), clip=scene.clip())
    figures = result.report.figures
    assert figures["shake before (crop px RMS)"] > 5 * figures["shake after (crop px RMS)"] > 0
    assert figures["shake reduction (%)"] > 80
    assert abs(figures["lag (frames)"]) < 0.1
    assert len(result.report.series["shake before (px)"]) == 59
    assert result.report.to_json()["figures"]["method"] == "fused"
    causal = smooth(scene.detected(0.2), Smoothing(method="one_euro"))
    assert causal.report.figures["lag (frames)"] > 0.2
    assert Fraction(25) == scene.fps
