"""The catalogue of checkpoints and reading them safely."""
from __future__ import annotations

import pickle

import pytest
import torch

from talkies.core import weights
from talkies.core.weights import WeightsError

TENSORS = {"a.weight": torch.arange(600.0).reshape(20, 30), "b": torch.ones(3, dtype=torch.float16)}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) and one[k].dtype == other[k].dtype for k in one)


def test_names_and_files_are_unique_and_every_entry_says_its_licence():
    for values in ([c.name for c in weights.CATALOGUE], [c.file for c in weights.CATALOGUE]):
        assert len(values) == len(set(values))
    for entry in weights.CATALOGUE:
        assert entry.licence and entry.folder and (entry.url.startswith("https://") or entry.member)
        assert entry.sha256 is None or (len(entry.sha256) == 64 and entry.size)
        assert weights.checkpoint(entry.name) is weights.checkpoint(entry.file) is entry


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(WeightsError, match="no checkpoint 'wav2lip'; there are face_mesh,"):
        weights.checkpoint("wav2lip")


def test_found_in_a_folder_or_its_subfolder_of_kind_or_name(tmp_path):
    entry = weights.DIFF2LIP
    assert weights.find(entry, [tmp_path, tmp_path / "not there"]) is None
    for place in (tmp_path / "x" / "diff2lip", tmp_path / "y"):
        place.mkdir(parents=True)
        (place / entry.file).write_bytes(b"1")
    assert weights.find(entry, [tmp_path, tmp_path / "x"]) == tmp_path / "x" / "diff2lip" / entry.file
    assert weights.find(entry, [tmp_path / "y", tmp_path / "x"]) == tmp_path / "y" / entry.file


def test_missing_message_names_file_folder_source_size_and_licence(tmp_path):
    text = weights.missing_message(weights.DIFF2LIP, [tmp_path])
    for part in ("e7.24.1.3_model260000_paper.pt", str(tmp_path), "Put it there by hand from https://github.com/soumik-kanad/diff2lip",
                 "about 407 MB", "CC BY-NC 4.0"):
        assert part in text
    place = "mediapipe/modules/face_landmark/face_landmark.tflite inside the wheel of mediapipe 0.10.21"
    assert place in weights.missing_message(weights.FACE_MESH, [])


def test_the_files_beside_the_checkout_are_those_of_the_catalogue(shared):
    known = [(c, weights.find(c, [shared / "weights"])) for c in weights.CATALOGUE]
    found = [(c, path) for c, path in known if path is not None]
    if not found:
        pytest.skip("no weights beside the checkout")
    for entry, path in found:
        weights.check_file(entry, path)
    assert len(found) >= 4


def test_a_file_of_another_size_or_content_is_refused(tmp_path):
    path = tmp_path / weights.FACE_DETECTION.file
    path.write_bytes(b"0" * 10)
    with pytest.raises(WeightsError, match="has 10 bytes; face_detection_short_range has 229714"):
        weights.check_file(weights.FACE_DETECTION, path)
    path.write_bytes(b"0" * weights.FACE_DETECTION.size)
    with pytest.raises(WeightsError, match="has sha256"):
        weights.check_file(weights.FACE_DETECTION, path)


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: {"params": {}, "params_ema": t}, lambda t: {"state_dict": t, "epoch": 3}])
@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files_of_every_kind(tmp_path, wrap, zipped):
    path = tmp_path / "w.pth"
    torch.save(wrap(TENSORS), path, _use_new_zipfile_serialization=zipped)
    assert same(weights.load_state_dict(path), TENSORS)


def test_safetensors(tmp_path):
    save_file = pytest.importorskip("safetensors.torch").save_file
    path = tmp_path / "w.safetensors"
    save_file(TENSORS, str(path))
    assert same(weights.load_state_dict(path), TENSORS)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(WeightsError, match="truncated"):
        weights.load_state_dict(path)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_truncated_file_is_told(tmp_path, zipped, share):
    path = tmp_path / "w.pth"
    torch.save(TENSORS, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(WeightsError, match="Get it again"):
        weights.load_state_dict(path)


class Code:
    def __reduce__(self):
        return print, ("this must never run",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_with_code_is_refused_and_not_run(tmp_path, capsys, zipped):
    path = tmp_path / "w.pth"
    torch.save({"w": TENSORS["b"], "x": Code()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="would run code"):
        weights.load_state_dict(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("content", "message"), [
    (b"", "is empty"), (b"<!DOCTYPE html><html>", "web page"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
    (b"plain text, no weights", "Get it again"), (pickle.dumps([1, 2, 3]), "Get it again|holds a"),
])
def test_what_is_no_checkpoint_is_told(tmp_path, content, message):
    path = tmp_path / "w.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        weights.load_state_dict(path)


def test_no_tensors_and_no_file(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"epoch": 3}, path)
    with pytest.raises(WeightsError, match="holds no tensors; its entries are epoch"):
        weights.load_state_dict(path)
    with pytest.raises(WeightsError, match="is not a file"):
        weights.load_state_dict(tmp_path / "other.pth")
