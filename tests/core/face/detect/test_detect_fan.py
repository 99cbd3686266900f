"""The face_alignment detector: its own reading of heat maps, and the package's networks with weights of no meaning."""
from __future__ import annotations

import numpy as np
import pytest
import torch

from talkies.core.face.detect.fan import FaceAlignment, vertices
from talkies.core.face.detect.interface import Detection, DetectorError


def test_peaks_are_found_to_a_hundredth_of_a_cell():
    rng = np.random.default_rng(0)
    place = rng.uniform(5, 58, (68, 2))
    y, x = np.mgrid[:64, :64]
    maps = np.exp(-((x - place[:, 0, None, None]) ** 2 + (y - place[:, 1, None, None]) ** 2) / 2).astype(np.float32)
    cells, peaks = vertices(maps)
    assert np.abs(cells - place).max() < 0.01 and peaks.min() > 0.7


def test_flat_maps_and_peaks_at_the_edge_give_finite_points():
    maps = np.zeros((2, 8, 8), np.float32)
    maps[1, 0, 7] = 1
    cells, peaks = vertices(maps)
    assert np.isfinite(cells).all() and np.abs(cells[1] - (7, 0)).max() <= 0.5 and peaks.tolist() == [0, 1]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of the right names and shapes with random weights (the real ones are 96 and 90 MB)."""
    pytest.importorskip("face_alignment")
    from face_alignment.detection.sfd.net_s3fd import s3fd
    from face_alignment.models import FAN

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("fan")
    names = folder / "2DFAN4-11f355bf06.pth.tar", folder / "s3fd-619a316812.pth"
    for name, net in zip(names, (FAN(4), s3fd()), strict=True):
        torch.save(net.state_dict(), name)
    return names


@pytest.mark.slow
def test_runs_the_packages_networks_from_files(files):
    detector = FaceAlignment(*files)
    frame = np.random.default_rng(0).random((120, 160, 3), np.float32)
    near = Detection(np.zeros((68, 2)), "points68", (60.0, 40.0, 110.0, 90.0), 1.0)
    face = detector._points(frame, near.box)
    assert face.points.shape == (68, 2) and face.scheme == "points68" and 0 <= face.score <= 1
    assert (face.points > -20).all() and (face.points < 190).all()
    assert all(f.points.shape == (68, 2) for f in detector.detect(frame, 0, None))


@pytest.mark.slow
def test_files_that_do_not_fit_are_told(files):
    with pytest.raises(DetectorError, match="does not fit the installed face_alignment"):
        FaceAlignment(files[1], files[1])


def test_the_missing_package_is_told(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "face_alignment.models", None)
    with pytest.raises(DetectorError, match="pip install face-alignment"):
        FaceAlignment(tmp_path / "fan", tmp_path / "s3fd")
