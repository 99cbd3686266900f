"""The face mesh: finds, follows, agrees with others, and says no."""
from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from talkies.core.face.detect import scheme
from talkies.core.face.detect.blazeface import averaged, scales, starts
from talkies.core.face.detect.choose import FaceChoice
from talkies.core.face.detect.clip import detect_clip
from talkies.core.face.detect.interface import DetectorError, NoFaceError
from talkies.core.face.detect.mesh import FaceMesh
from talkies.core.face.detect.scrfd import Scrfd

pytest.importorskip("ai_edge_litert")


@pytest.fixture(scope="module")
def mesh(weights_folder):
    return FaceMesh(weights_folder / "face_landmark.tflite", weights_folder / "face_detection_short_range.tflite")


@pytest.mark.parametrize("clip", ["talk1", "talk2"])
def test_finds_every_frame_of_real_clips(mesh, real_frames, clip):
    assert detect_clip(real_frames(clip, 12, 20), mesh).found.all()


@pytest.mark.slow
@pytest.mark.parametrize(("clip", "count"), [("talk1", 250), ("talk2", 502)])
def test_finds_all_frames_and_takes_a_few_milliseconds_each(mesh, real_frames, clip, count):
    spent = []

    class Timed:
        name, scheme, noise = mesh.name, mesh.scheme, mesh.noise

        def detect(self, frame, index, near):
            begin = time.perf_counter()
            faces = mesh.detect(frame, index, near)
            spent.append(time.perf_counter() - begin)
            return faces

    found = detect_clip(real_frames(clip, count), Timed())
    assert len(found.faces) == count and found.found.all()
    assert np.median(spent) < 0.03  # 1-3 ms on two free cores; the rest is room for a busy machine


def test_points_agree_with_another_detector(mesh, weights_folder, real_frames):
    other = Scrfd(weights_folder / "scrfd_2.5g_kps.onnx")
    for clip in ("talk1", "talk2"):
        for index, frames in real_frames(clip, 3, 40):
            ours = mesh.detect(frames[0], index, None)[0]
            five, theirs = scheme.to_5(ours.points, "mesh468"), other.detect(frames[0], index, None)[0].points
            apart = np.linalg.norm(five - theirs, axis=1) / scheme.eye_distance(ours.points, "mesh468")
            assert apart[[0, 1, 3, 4]].max() < 0.08, (clip, index, apart)
            assert apart[2] < 0.12, (clip, index, apart)  # the tip is where each annotator put it


def test_brows_and_nose_agree_between_468_and_5_points(mesh, weights_folder, real_frames):
    other = Scrfd(weights_folder / "scrfd_2.5g_kps.onnx")
    for index, frames in real_frames("talk2", 3, 60):
        ours, theirs = mesh.detect(frames[0], index, None)[0], other.detect(frames[0], index, None)[0]
        apart = scheme.three_points(ours.points, "mesh468") - scheme.three_points(theirs.points, "points5")
        assert np.linalg.norm(apart, axis=1).max() < 0.1 * scheme.eye_distance(ours.points, "mesh468")


def test_mirroring_the_frame_mirrors_the_points(mesh, astronaut):
    five = scheme.to_5(mesh.detect(astronaut, 0, None)[0].points, "mesh468")
    mirrored = scheme.to_5(mesh.detect(np.ascontiguousarray(astronaut[:, ::-1]), 0, None)[0].points, "mesh468")
    back = np.stack((511 - mirrored[:, 0], mirrored[:, 1]), 1)[[1, 0, 2, 4, 3]]
    assert np.abs(back - five).max() < 3


def test_following_stays_where_a_fresh_search_lands(mesh, astronaut):
    near = mesh.detect(astronaut, 0, None)[0]
    for _ in range(20):
        (near,) = mesh.detect(astronaut, 0, near)
    fresh = mesh.detect(astronaut, 0, None)[0]
    assert np.abs(near.points - fresh.points).mean() < 1.0


def test_finds_both_of_two_people_and_keeps_one_while_their_sizes_swap(mesh, two_people):
    faces = mesh.detect(two_people(1.0), 0, None)
    assert len(faces) == 2 and abs(faces[0].centre[0] - faces[1].centre[0]) > 200
    ratios = np.geomspace(1.3, 1 / 1.3, 16)
    right = FaceChoice(rule="index", index=1), FaceChoice(rule="nearest", point=(450.0, 150.0))
    for choice, left in ((FaceChoice(), True), (right[0], False), (right[1], False)):
        clip = detect_clip([(0, np.stack([two_people(r) for r in ratios]))], mesh, choice)
        assert clip.found.all()
        assert all((face.centre[0] < 300) == left for face in clip.faces)


def test_a_face_that_leaves_is_missing_and_comes_back(mesh, astronaut):
    shift = [*range(0, 320, 20), *range(300, -1, -20)]
    clip = np.zeros((len(shift), *astronaut.shape), np.float32)
    for frame, s in zip(clip, shift, strict=True):
        frame[:, : 512 - s] = astronaut[:, s:]
    found = detect_clip([(0, clip)], mesh).found
    assert found[:9].all() and found[-5:].all() and not found[15:17].any()


def test_a_face_in_a_4k_portrait(mesh, one_frame):
    large = cv2.resize(one_frame, (2160, 3840), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    small, large = mesh.detect(one_frame, 0, None)[0], mesh.detect(large, 0, None)[0]
    assert np.abs((large.points + 0.5) / 2 - 0.5 - small.points).mean() < 1.5


def test_a_small_face_in_a_large_frame(mesh, astronaut):
    frame = np.full((1080, 1920, 3), 0.5, np.float32)
    frame[700:1000, 1500:1800] = cv2.resize(astronaut, (300, 300), interpolation=cv2.INTER_AREA)  # a face of 55 px
    (face,) = mesh.detect(frame, 0, None)
    assert 1590 < face.centre[0] < 1690 and 45 < face.size < 70


@pytest.mark.parametrize("frame", [
    np.zeros((480, 640, 3), np.float32), np.ones((480, 640, 3), np.float32), np.zeros((1, 1, 3), np.float32),
    np.random.default_rng(0).random((2, 200, 3), np.float32), np.random.default_rng(0).random((300, 300, 3), np.float32),
], ids=["black", "white", "1x1", "2x200", "noise"])
def test_no_face_where_there_is_none(mesh, frame):
    assert mesh.detect(frame, 0, None) == []
    with pytest.raises(NoFaceError, match="tried the mesh detector"):
        detect_clip([(0, frame[None])], mesh)


def test_channels(mesh, astronaut):
    grey = astronaut.mean(2, keepdims=True)
    four = np.concatenate((astronaut, grey), 2)
    plain = mesh.detect(astronaut, 0, None)[0]
    assert np.array_equal(mesh.detect(four, 0, None)[0].points, plain.points)
    assert np.abs(mesh.detect(grey, 0, None)[0].points - plain.points).mean() < 3


def test_a_wrong_file_is_told(weights_folder, tmp_path):
    landmark, detection = weights_folder / "face_landmark.tflite", weights_folder / "face_detection_short_range.tflite"
    with pytest.raises(DetectorError, match="another model than its name says"):
        FaceMesh(detection, detection)
    broken = tmp_path / "face_landmark.tflite"
    broken.write_bytes(landmark.read_bytes()[:1000])
    with pytest.raises(DetectorError, match="is not a TensorFlow Lite file"):
        FaceMesh(broken, detection)


@pytest.mark.parametrize(("height", "width"), [(1920, 1080), (1080, 1920), (512, 512), (2, 300), (3840, 2160), (100, 100)])
def test_tiles_cover_the_frame_down_to_the_smallest_face(height, width):
    found = scales(height, width, 48.0)
    assert found == sorted(found) and (48 * found[-1] >= 21.9 or found[-1] >= 1)
    assert found[-1] <= max(22 / 48, 128 / max(height, width)) + 1e-9
    for scale in found:
        for length in (round(height * scale), round(width * scale)):
            places = starts(length)
            assert places[0] == 0 and places[-1] + 128 >= length
            assert np.diff(places).max(initial=0) <= 86


def test_sightings_of_one_face_are_averaged_by_score():
    from talkies.core.face.detect.blazeface import Sighting

    points = np.arange(12.0).reshape(6, 2)
    found = [Sighting(0.9, (0, 0, 10, 10), points), Sighting(0.3, (2, 0, 12, 10), points + 4), Sighting(0.8, (50, 50, 60, 60), points)]
    one, two = averaged(found)
    assert one.box == pytest.approx((0.5, 0, 10.5, 10)) and np.allclose(one.points, points + 1) and one.score == 0.9
    assert two.box == (50, 50, 60, 60)
