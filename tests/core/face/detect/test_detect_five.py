"""YuNet and SCRFD through OpenCV."""
from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from talkies.core.face.detect import scheme
from talkies.core.face.detect.choose import FaceChoice
from talkies.core.face.detect.clip import detect_clip
from talkies.core.face.detect.interface import DetectorError
from talkies.core.face.detect.scrfd import Scrfd
from talkies.core.face.detect.yunet import YuNet

FILES = {YuNet: "face_detection_yunet_2026may.onnx", Scrfd: "scrfd_2.5g_kps.onnx"}


@pytest.fixture(scope="module", params=[YuNet, Scrfd], ids=["yunet", "scrfd"])
def detector(request, weights_folder):
    path = weights_folder / FILES[request.param]
    if not path.is_file():
        pytest.skip(f"no {path.name} beside the checkout")
    return request.param(path)


@pytest.mark.parametrize("clip", ["talk1", "talk2"])
def test_finds_every_frame_of_real_clips(detector, real_frames, clip):
    found = detect_clip(real_frames(clip, 6, 35), detector)
    assert found.found.all()
    left, right, nose, mouth_left, mouth_right = np.moveaxis(found.points, 1, 0)
    assert (left[:, 0] < nose[:, 0]).all() and (nose[:, 0] < right[:, 0]).all()
    assert (mouth_left[:, 0] < mouth_right[:, 0]).all() and (mouth_left[:, 1] > left[:, 1]).all()


def test_a_followed_face_is_found_again_in_its_own_region(detector, one_frame):
    (fresh,) = detector.detect(one_frame, 0, None)
    again = detector.detect(one_frame, 0, fresh)[0]
    assert np.abs(again.points - fresh.points).max() < 0.15 * scheme.eye_distance(fresh.points, "points5")


def test_two_people(detector, two_people):
    faces = detector.detect(two_people(1.0), 0, None)
    assert len(faces) == 2
    clip = detect_clip([(0, np.stack([two_people(r) for r in np.geomspace(1.25, 0.8, 5)]))], detector, FaceChoice(rule="index", index=1))
    assert clip.found.all() and all(face.centre[0] > 300 for face in clip.faces)


@pytest.mark.parametrize("frame", [np.zeros((480, 640, 3), np.float32), np.zeros((1, 1, 3), np.float32)], ids=["black", "1x1"])
def test_no_face_where_there_is_none(detector, frame):
    assert detector.detect(frame, 0, None) == []


@pytest.mark.parametrize("kind", [YuNet, Scrfd])
def test_a_damaged_file_is_told(kind, tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(DetectorError, match=r"broken.onnx is not"):
        kind(path)


def test_a_network_of_another_kind_is_told(weights_folder):
    with pytest.raises(DetectorError, match="not an SCRFD file"):
        Scrfd(weights_folder / FILES[YuNet])


def test_nothing_relies_on_what_opencv_5_dropped():
    folder = Path(__file__).resolve().parents[4] / "core"
    assert (folder / "face").is_dir()
    users = [p for p in folder.rglob("*.py") if re.search(r"cv2\.(CascadeClassifier|data\b)", p.read_text(encoding="utf-8"))]
    assert users == []
