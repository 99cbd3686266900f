"""Following a patch from one picture to the next: features, pixels, and knowing when neither works."""
from __future__ import annotations

import cv2
import numpy as np
import pytest
from face_scenes import face_picture, moving_face

from talkies.core.face import similarity
from talkies.core.face.anchors import filled_polygon, upper_face
from talkies.core.face.flow_fit import fit_robustly, pair_motion
from talkies.core.face.photometric import refine
from talkies.core.face.smooth.select import smooth

ANCHORS = np.array([[126.0, 102], [205, 105], [162, 159]])


@pytest.fixture(scope="module")
def gray():
    return (cv2.cvtColor(face_picture(), cv2.COLOR_RGB2GRAY) * 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def inside(gray):
    return filled_polygon(upper_face(ANCHORS), *gray.shape)


def moved(gray, matrix):
    return cv2.warpAffine(gray, matrix, gray.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def miss(matrix, true):
    return np.linalg.norm(similarity.apply(matrix[None], ANCHORS) - similarity.apply(true[None], ANCHORS), axis=-1).max()


def made(x, y, angle=0.0, scale=1.0):
    factor, middle = scale * np.exp(1j * angle), 165 + 120j
    return similarity.from_complex(np.array(factor), np.array(middle - factor * middle + x + 1j * y))


@pytest.mark.parametrize("true", [made(0, 0), made(0.4, -0.3), made(3.7, 2.2, 0.02), made(-6, 8, -0.03, 1.03), made(12, -3, 0.05, 0.97)])
def test_features_then_pixels_find_the_motion(gray, inside, true):
    after = moved(gray, true)
    features = pair_motion(gray, after, inside)
    assert features.found and miss(features.matrix, true) < 0.4
    refined = refine(gray, after, inside, features.matrix)
    assert refined.settled and refined.agreement > 0.98 and miss(refined.matrix, true) < 0.08


def test_pixels_alone_find_it_from_a_rough_guess(gray, inside):
    true = made(5, -4, 0.02)
    refined = refine(gray, moved(gray, true), inside, np.eye(2, 3), rough=True)
    assert refined.settled and miss(refined.matrix, true) < 0.1


def test_light_that_changes_does_not_count_as_motion(gray, inside):
    true = made(1.5, 1.0)
    after = np.clip(moved(gray, true) * 0.7 + 30, 0, 255).astype(np.uint8)
    refined = refine(gray, after, inside, np.eye(2, 3))
    assert refined.settled and miss(refined.matrix, true) < 0.1


def test_lids_that_close_do_not_pull_the_face(gray, inside):
    true = made(2.0, -1.0)
    after = moved(gray, true)
    for x, y in ((132, 121), (198, 124)):
        cv2.ellipse(after, (x + 2, y - 1), (13, 6), 0, 0, 360, int(gray[140, 140]), -1)
    refined = refine(gray, after, inside, pair_motion(gray, after, inside).matrix)
    assert refined.settled and miss(refined.matrix, true) < 0.3


@pytest.mark.parametrize("after", ["black", "other", "noise"])
def test_nothing_in_common_is_not_followed(gray, inside, after):
    rng = np.random.default_rng(0)
    picture = {"black": np.zeros_like(gray), "other": gray[::-1].copy(), "noise": rng.integers(0, 256, gray.shape).astype(np.uint8)}[after]
    refined = refine(gray, picture, inside, np.eye(2, 3), rough=True)
    assert not refined.settled or refined.agreement < 0.7


def test_no_texture_is_no_motion(gray, inside):
    flat = np.full_like(gray, 90)
    assert not pair_motion(flat, gray, inside).found and not refine(flat, gray, inside, np.eye(2, 3)).settled
    assert not pair_motion(gray, gray, np.zeros_like(inside)).found and not refine(gray, gray, np.zeros_like(inside), np.eye(2, 3)).settled


def test_outliers_are_left_out_of_the_fit():
    rng = np.random.default_rng(0)
    source = rng.uniform(0, 100, (40, 2)).astype(np.float32)
    true = made(4, 2, 0.03)
    target = similarity.apply(true[None], source[None].astype(np.float64))[0].astype(np.float32)
    target[:12] += rng.uniform(5, 30, (12, 2)).astype(np.float32)
    fitted = fit_robustly(source, target)
    assert fitted.support == 28 and fitted.residual < 0.01 and miss(fitted.matrix, true) < 0.01
    assert not fit_robustly(source[:5], target[:5]).found
    assert not fit_robustly(source, rng.uniform(0, 100, (40, 2)).astype(np.float32)).found


def test_eight_frames_a_second_are_enough():
    scene = moving_face(32, 8)
    raw = scene.detected(1.0)
    result = smooth(raw, clip=scene.clip())
    assert result.report.figures["pairs not followed (whittaker instead)"] == 0
    error = [np.sqrt(np.square(t.anchors - scene.track(scene.points).anchors).sum(-1).mean()) for t in (raw, result.track)]
    assert error[1] < 0.65 * error[0]  # a third of the frames a second, so a third of the detections to average


def test_gray_clips_and_alpha_are_followed(scene):
    raw = scene.detected(1.0)
    gray = scene.frames.mean(-1, keepdims=True)
    rgba = np.concatenate((scene.frames, np.ones_like(gray)), -1)
    for frames in (gray, rgba):
        result = smooth(raw, clip=iter([(0, frames)]))
        assert result.report.figures["pairs not followed (whittaker instead)"] == 0


def test_a_face_that_leaves_the_frame_does_not_break_it(scene):
    away = scene.points.copy()
    away[40:] += (np.arange(20) * 30.0)[:, None, None]
    result = smooth(scene.track(away), clip=scene.clip())
    assert np.isfinite(result.track.matrices).all()
    assert result.report.figures["pairs not followed (whittaker instead)"] >= 5
