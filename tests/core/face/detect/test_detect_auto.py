"""Which detector is opened, and what is said of those that could not be."""
from __future__ import annotations

import builtins
import shutil

import pytest

from talkies.core.face.detect.auto import NAMES, open_detector
from talkies.core.face.detect.interface import DetectorError

MESH = ("face_landmark.tflite", "face_detection_short_range.tflite")
YUNET = "face_detection_yunet_2026may.onnx"


@pytest.fixture
def folder(tmp_path, weights_folder, monkeypatch):
    """A function: names of weights -> a folder with just these, and no cache of torch.hub."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))

    def made(*names):
        place = tmp_path / "models"
        place.mkdir()
        for name in names:
            shutil.copy(weights_folder / name, place / name)
        return [place]

    return made


def without(monkeypatch, package):
    """Make `import package` fail."""
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.split(".")[0] == package:
            raise ImportError(f"No module named {package!r}")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_auto_takes_the_mesh_where_its_files_are(folder):
    pytest.importorskip("ai_edge_litert")
    opened = open_detector("auto", folder(*MESH, YUNET))
    assert opened.detector.name == "mesh" and opened.why == ("auto chose mesh.",)


def test_auto_passes_over_a_mesh_with_one_file_and_says_so(folder):
    opened = open_detector("auto", folder(MESH[0], YUNET))
    assert opened.detector.name == "yunet"
    assert "mesh was passed over: face_detection_short_range.tflite is not in" in opened.why[0]
    assert "2DFAN4-11f355bf06.pth.tar is not in" in opened.why[1]
    assert opened.why[2] == "auto chose yunet."


def test_auto_passes_over_a_mesh_without_its_package_and_names_the_command(folder, monkeypatch):
    folders = folder(*MESH, YUNET)
    without(monkeypatch, "ai_edge_litert")
    opened = open_detector("auto", folders)
    assert opened.detector.name == "yunet" and "pip install ai-edge-litert" in opened.why[0]


def test_auto_ends_at_the_builtin(folder, astronaut):
    opened = open_detector("auto", folder())
    assert opened.detector.name == "builtin" and len(opened.why) == 4
    assert len(opened.detector.detect(astronaut, 0, None)) == 1


def test_scrfd_is_taken_only_when_asked_for(folder):
    folders = folder("scrfd_2.5g_kps.onnx")
    assert open_detector("auto", folders).detector.name == "builtin"
    assert open_detector("scrfd", folders).detector.name == "scrfd"


@pytest.mark.parametrize(("name", "message"), [
    ("mesh", r"face_landmark.tflite is not in .*talkies models get face_mesh.*mediapipe 0.10.21.*1.24 MB, sha256 1055cb9d"),
    ("yunet", r"face_detection_yunet_2026may.onnx is not in .*opencv_zoo.*0.23 MB, sha256 ebafce4e.*MIT"),
    ("scrfd", r"scrfd_2.5g_kps.onnx is not in .*non-commercial research"),
    ("face_alignment", r"2DFAN4-11f355bf06.pth.tar is not in .*adrianbulat.com.*96 MB"),
    ("haar", r"no face detector 'haar'; there are auto, mesh, face_alignment, yunet, scrfd, builtin"),
])
def test_what_is_missing_is_named_with_where_to_get_it(folder, name, message):
    with pytest.raises(DetectorError, match=message):
        open_detector(name, folder())


def test_a_file_of_the_user_is_taken_and_a_missing_one_told(folder, weights_folder, tmp_path):
    assert open_detector("yunet", folder(), file=weights_folder / YUNET).detector.name == "yunet"
    with pytest.raises(DetectorError, match=r"nowhere.onnx is not a file"):
        open_detector("scrfd", [], file=tmp_path / "nowhere.onnx")


def test_every_name_has_a_maker(folder):
    folders = folder()
    for name in NAMES:
        try:
            assert open_detector(name, folders).detector.name in ("builtin", name)
        except DetectorError as error:
            assert "is not in" in str(error)


def test_missing_scikit_image_is_told(monkeypatch):
    without(monkeypatch, "skimage")
    with pytest.raises(DetectorError, match="pip install scikit-image"):
        open_detector("builtin", [])
