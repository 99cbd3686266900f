import json
import shutil
from fractions import Fraction

import numpy as np
import pytest
import torch
from speech_made import RATE, checkpoint_file, encoder_state, voice

from talkies.core.audio.checkpoint import load_encoder
from talkies.core.audio.encoder import encode, fold, network_from_state
from talkies.core.audio.export import SCHEMA, export_reference, frame_names
from talkies.core.audio.network_export import OnnxEncoder, export_coreml, export_onnx
from talkies.core.audio.speech import hear, with_encoder, with_rows
from talkies.core.audio.validate import validate_reference
from talkies.core.audio.windows import window_starts


@pytest.fixture(scope="module")
def network():
    return fold(network_from_state(encoder_state(), "deterministic"))


@pytest.fixture(scope="module")
def speech(network):
    return with_encoder(hear(voice(0.4), RATE, Fraction(25)), network, ("audio_visual_encoder.pth", "ab" * 32))


@pytest.fixture
def reference(speech, tmp_path):
    return export_reference(speech, tmp_path / "reference", "voice.wav")


@pytest.fixture
def candidate(reference, tmp_path):
    return shutil.copytree(reference, tmp_path / "candidate")


def change(folder, name, edit):
    array = np.load(folder / name)
    made = edit(array)
    np.save(folder / name, array if made is None else made)


class TestExport:
    def test_every_file_is_there_with_its_shape(self, reference, speech):
        count = speech.frames
        for name, shape in {
            "mel_spectrogram.npy": (80, 33), "mel_windows.npy": (count - 2, 1, 80, 16), "audio_features_raw.npy": (count - 2, 512),
            "audio_features_padded.npy": (count, 512), "frames/frame_00000_window.npy": (16, 512),
            "frames/frame_00003_reshaped.npy": (32, 16, 16),
        }.items():
            array = np.load(reference / name, allow_pickle=False)
            assert array.shape == shape, name
            assert array.dtype == np.float32
        assert len(list((reference / "frames").iterdir())) == 2 * count
        assert (reference / "reference_audio.wav").is_file()

    def test_json_says_what_was_done(self, reference, speech):
        metadata = json.loads((reference / "metadata.json").read_text())
        assert metadata["schema_version"] == SCHEMA
        assert metadata["n_frames"] == speech.frames
        assert metadata["audio_path"] == "voice.wav"
        assert metadata["border_rule"] == "zeros"
        assert metadata["checkpoint_sha256"] == "ab" * 32
        assert metadata["features_padded_shape"] == [speech.frames, 512]
        assert metadata["mel_value_range"][0] >= -4
        assert set(metadata["versions"]) >= {"numpy", "torch", "scipy", "python", "resampler"}
        summary = json.loads((reference / "summary.json").read_text())
        assert summary == {"total_frames": speech.frames, "mode": "ave", "fps": 25.0, "window_shape": [16, 512],
                           "reshaped_shape": [32, 16, 16]}
        criteria = json.loads((reference / "VALIDATION_INSTRUCTIONS.json").read_text())["validation_criteria"]
        assert criteria["max_abs_difference"] == 1e-3
        assert criteria["mel_range"] == [-4, 4]

    def test_hashes_are_of_the_files(self, reference):
        import hashlib

        files = json.loads((reference / "metadata.json").read_text())["files"]
        assert set(files) == {p.relative_to(reference).as_posix() for p in reference.rglob("*") if p.is_file()} - {"metadata.json"}
        for name, digest in files.items():
            assert hashlib.sha256((reference / name).read_bytes()).hexdigest() == digest

    def test_an_earlier_set_is_replaced_whole(self, reference, network):
        shorter = with_encoder(hear(voice(0.2), RATE, Fraction(25)), network, ("x", ""))
        export_reference(shorter, reference)
        assert len(list((reference / "frames").iterdir())) == 2 * shorter.frames
        assert validate_reference(reference, reference).passed

    def test_a_folder_with_something_else_is_left_alone(self, speech, tmp_path):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "letter.txt").write_text("dear")
        with pytest.raises(FileExistsError, match="no earlier data set"):
            export_reference(speech, tmp_path / "mine")
        assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"

    def test_a_cancelled_export_leaves_nothing(self, speech, tmp_path):
        def cancel(done, total):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            export_reference(speech, tmp_path / "out", progress=cancel)
        assert list(tmp_path.iterdir()) == []

    def test_a_mel_cannot_be_exported(self, tmp_path):
        with pytest.raises(ValueError, match="mel only"):
            export_reference(hear(voice(0.3), RATE, Fraction(25)), tmp_path / "out")

    def test_other_modes_export_too(self, tmp_path):
        rows = np.random.default_rng(0).standard_normal((5, 2, 1024), dtype=np.float32)
        folder = export_reference(with_rows(hear(voice(0.3), RATE, Fraction(25)), "hubert", rows, ("x", "")), tmp_path / "hubert")
        assert np.load(folder / frame_names(4)[1]).shape == (32, 32, 32)
        assert validate_reference(folder, folder).passed


class TestValidator:
    def test_a_faithful_copy_passes(self, reference, candidate, speech):
        verdict = validate_reference(reference, candidate)
        assert verdict.passed
        assert verdict.largest == 0
        assert verdict.compared == 4 + 2 * speech.frames
        assert verdict.to_text().startswith("PASS")

    def test_rounding_below_the_tolerance_passes(self, reference, candidate):
        change(candidate, "audio_features_raw.npy", lambda a: a.astype(np.float64) + 9e-4)
        verdict = validate_reference(reference, candidate)
        assert verdict.passed
        assert verdict.largest == pytest.approx(9e-4, rel=0.01)

    def faults(self, reference, candidate):
        verdict = validate_reference(reference, candidate)
        assert not verdict.passed
        assert verdict.to_text().startswith("FAIL")
        return "\n".join(verdict.faults)

    def test_one_value_off_is_found_and_placed(self, reference, candidate):
        def edit(array):
            array[7, 100] += 0.0015

        change(candidate, "audio_features_padded.npy", edit)
        text = self.faults(reference, candidate)
        assert "audio_features_padded.npy: 1 of" in text
        assert "[7, 100]" in text

    def test_four_columns_short_is_a_shape_fault(self, reference, candidate):
        change(candidate, "mel_spectrogram.npy", lambda a: a[:, :-4])
        assert "shape [80, 29], wanted [80, 33]" in self.faults(reference, candidate)

    def test_swapped_axes_are_named(self, reference, candidate):
        change(candidate, "mel_windows.npy", lambda a: a.swapaxes(-1, -2))
        assert "last two axes are swapped" in self.faults(reference, candidate)

    def test_a_mel_out_of_range_is_a_fault_of_its_own(self, reference, candidate):
        def edit(array):
            array[3, 5] = 4.5

        change(candidate, "mel_spectrogram.npy", edit)
        assert "wanted -4 to 4; the first outside at [3, 5]" in self.faults(reference, candidate)

    def test_nan_is_found(self, reference, candidate):
        def edit(array):
            array[2, 3, 4] = np.nan

        change(candidate, "frames/frame_00002_reshaped.npy", edit)
        assert "frame_00002_reshaped.npy: 1 NaN or infinite values, the first at [2, 3, 4]" in self.faults(reference, candidate)

    def test_two_hundred_times_too_small_fails(self, reference, candidate):
        change(candidate, "audio_features_raw.npy", lambda a: a / 200)
        assert "more than 0.001 off" in self.faults(reference, candidate)

    def test_missing_and_unreadable_files_fail(self, reference, candidate):
        (candidate / "frames" / "frame_00001_window.npy").unlink()
        (candidate / "mel_windows.npy").write_bytes(b"not numpy")
        np.save(candidate / "audio_features_raw.npy", np.array([{"a": 1}]), allow_pickle=True)
        text = self.faults(reference, candidate)
        assert "frame_00001_window.npy: missing" in text
        assert "mel_windows.npy: not a readable .npy" in text
        assert "audio_features_raw.npy: not a readable .npy" in text

    def test_an_empty_candidate_fails(self, reference, tmp_path):
        (tmp_path / "empty").mkdir()
        verdict = validate_reference(reference, tmp_path / "empty")
        assert not verdict.passed
        assert verdict.compared == 0
        assert "more" in verdict.to_text()

    def test_a_reference_that_was_touched_is_refused(self, reference, candidate):
        change(reference, "mel_spectrogram.npy", lambda a: a + 1)
        with pytest.raises(ValueError, match=r"mel_spectrogram.npy is missing or not what was exported"):
            validate_reference(reference, candidate)

    def test_another_schema_and_no_reference_are_refused(self, reference, tmp_path):
        with pytest.raises(ValueError, match="no reference data set"):
            validate_reference(tmp_path, reference)
        path = reference / "metadata.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
        with pytest.raises(ValueError, match="schema version 99"):
            validate_reference(reference, reference)


class TestNetworks:
    def test_onnx_agrees_at_every_batch(self, network, tmp_path):
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
        encoder = OnnxEncoder(export_onnx(network, tmp_path / "encoder.onnx", "note"))
        for batch in (1, 7, 64):
            windows = np.random.default_rng(batch).standard_normal((batch, 1, 80, 16)).astype(np.float32)
            with torch.inference_mode():
                assert np.abs(encoder(windows) - network(torch.from_numpy(windows)).numpy()).max() <= 1e-5
        mel = np.random.default_rng(0).uniform(-4, 4, (80, 300)).astype(np.float32)
        starts = window_starts(300, Fraction(25))
        assert np.abs(encoder.encode(mel, starts) - encode(network, mel, starts)).max() <= 2e-5

    def test_onnx_agrees_with_the_plain_network_on_speech(self, network, tmp_path, shared):
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
        encoder = OnnxEncoder(export_onnx(network, tmp_path / "encoder.onnx"))
        with np.load(shared / "goldens" / "audio" / "golden_talk_hb_4s.npz") as arrays:
            made = encoder.encode(arrays["mel"].astype(np.float32), arrays["window_start"])
            assert np.abs(made - arrays["features"]).max() <= 2e-5

    def test_an_onnx_file_of_something_else_is_refused(self, tmp_path):
        pytest.importorskip("onnxruntime")
        (tmp_path / "bad.onnx").write_bytes(b"not a model")
        with pytest.raises(ValueError, match=r"bad.onnx is not a model"):
            OnnxEncoder(tmp_path / "bad.onnx")

    def test_onnx_is_one_small_file(self, network, tmp_path):
        onnx = pytest.importorskip("onnx")
        path = export_onnx(network, tmp_path / "encoder.onnx", "checkpoint sha256 ab")
        model = onnx.load(path)
        assert model.doc_string == "checkpoint sha256 ab"
        assert [node.op_type for node in model.graph.node].count("Conv") == 13
        assert 11_000_000 < path.stat().st_size < 12_000_000
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.slow
    def test_coreml_is_float32_with_a_flexible_batch(self, network, tmp_path):
        coremltools = pytest.importorskip("coremltools", reason="coremltools is not installed")
        path = export_coreml(network, tmp_path / "AudioEncoder.mlpackage")
        spec = coremltools.utils.load_spec(str(path))
        assert spec.specificationVersion == 6
        shape = spec.description.input[0].type.multiArrayType
        assert list(shape.shape) == [1, 1, 80, 16]
        assert [r.upperBound for r in shape.shapeRange.sizeRanges] == [1024, 1, 80, 16]
        assert shape.dataType == coremltools.proto.FeatureTypes_pb2.ArrayFeatureType.FLOAT32
        weights = path / "Data" / "com.apple.CoreML" / "weights" / "weight.bin"
        assert weights.stat().st_size > 11_000_000  # float16 would take half

    def test_coreml_needs_its_own_ending(self, network, tmp_path):
        with pytest.raises(ValueError, match="mlpackage"):
            export_coreml(network, tmp_path / "AudioEncoder.mlmodel")

    def test_a_missing_package_is_said(self, network, tmp_path, monkeypatch):
        import sys

        for name, call in (("onnx", lambda: export_onnx(network, tmp_path / "e.onnx")),
                           ("onnxruntime", lambda: OnnxEncoder(tmp_path / "e.onnx")),
                           ("coremltools", lambda: export_coreml(network, tmp_path / "e.mlpackage"))):
            monkeypatch.setitem(sys.modules, name, None)
            with pytest.raises(ImportError, match=f"pip install {name}"):
                call()


def test_checkpoint_file_and_export_share_the_network(tmp_path, network):
    loaded = load_encoder(checkpoint_file(tmp_path))
    mel = np.random.default_rng(0).uniform(-4, 4, (80, 40)).astype(np.float32)
    np.testing.assert_array_equal(encode(loaded.network, mel, np.array([3])), encode(network, mel, np.array([3])))
