import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from speech_made import RATE, checkpoint_file, mixed, voice

from talkies.core.arrays import ArrayError
from talkies.core.audio.validate import validate_reference
from talkies.nodes.audio_encode import AudioEncode
from talkies.nodes.clean_speech import CleanSpeech
from talkies.nodes.export_speech_reference import ExportSpeechReference

NODES = [AudioEncode, CleanSpeech, ExportSpeechReference]


def audio(sound, rate=RATE):
    return {"waveform": torch.from_numpy(np.ascontiguousarray(sound))[None], "sample_rate": rate}


def defaults(node, **changed):
    """The values that the widgets start with."""
    required = node.INPUT_TYPES()["required"]
    values = {name: entry[1].get("default", entry[0][0] if isinstance(entry[0], list) else None) for name, entry in required.items()}
    return {name: value for name, value in values.items() if value is not None} | changed


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A model folder with an encoder in it."""
    folder = tmp_path / "models" / "audio_encoders"
    folder.mkdir(parents=True)
    checkpoint_file(folder)
    monkeypatch.setenv("TALKIES_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize("node", NODES)
def test_every_input_and_output_is_described(node):
    inputs = node.INPUT_TYPES()
    for group in ("required", "optional"):
        for name, entry in inputs.get(group, {}).items():
            assert len(entry[1]["tooltip"]) > 20, name
    assert len(node.RETURN_TYPES) == len(node.RETURN_NAMES) == len(node.OUTPUT_TOOLTIPS)
    assert node.DESCRIPTION
    assert node.SEARCH_ALIASES
    assert node.CATEGORY.startswith("Talkies/")


class TestAudioEncode:
    def run(self, **changed):
        return AudioEncode().run(**defaults(AudioEncode, **changed))["result"]

    def test_ave_gives_features_picture_sound_and_report(self, models):
        speech, picture, sound, report = self.run(audio=audio(voice(2, 44100), 44100), checkpoint="audio_visual_encoder.pth")
        assert speech.frames == 49
        assert speech.get_frame_features(10).shape == (32, 16, 16)
        assert picture.shape == (1, 480, 1280, 3)
        assert picture.dtype == torch.float32
        assert sound["sample_rate"] == 16000
        assert sound["waveform"].shape == (1, 1, 32000)
        assert report.figures["feature rows"] == 49
        assert report.figures["network"] == "audio_visual_encoder.pth"
        assert len(report.figures["network sha256"]) == 64
        json.dumps(report.to_json(), allow_nan=False)

    def test_the_checkpoint_is_offered(self, models):
        assert AudioEncode.INPUT_TYPES()["required"]["checkpoint"][0] == ["none", "audio_visual_encoder.pth"]

    def test_mel_needs_no_network(self, models):
        speech, *_ = self.run(audio=audio(voice(1)), mode="mel")
        assert speech.mode == "mel"
        assert speech.rows is None

    @pytest.mark.parametrize(("mode", "wanted"), [("ave", r"audio_visual_encoder\.pth"), ("hubert", "hubert-large"),
                                                  ("wenet", r"encoder\.onnx")])
    def test_without_a_network_it_says_what_to_get(self, models, mode, wanted):
        with pytest.raises(ValueError, match=wanted):
            self.run(audio=audio(voice(1)), mode=mode)

    def test_frames_come_from_the_count_or_the_images(self, models):
        images = torch.zeros(60, 4, 4, 3)
        ave = {"audio": audio(voice(1)), "checkpoint": "audio_visual_encoder.pth"}
        assert self.run(**ave, images=images)[0].frames == 60
        assert self.run(**ave, images=images, frame_count=7)[0].frames == 7

    def test_fps_is_taken_for_what_it_stands_for(self, models):
        assert self.run(audio=audio(voice(1)), mode="mel", fps=29.97)[0].fps == Fraction(30000, 1001)

    def test_the_enhanced_preset_is_refused_by_networks_with_the_reason(self, models):
        with pytest.raises(ValueError, match="128 bands"):
            self.run(audio=audio(voice(1)), checkpoint="audio_visual_encoder.pth", preset="enhanced")
        _, picture, _, _ = self.run(audio=audio(voice(1)), mode="mel", preset="enhanced")
        assert picture.shape[0] == 1

    def test_precomputed_features(self, models, tmp_path):
        np.save(tmp_path / "hu.npy", np.random.default_rng(0).standard_normal((20, 2, 1024)).astype(np.float32))
        speech, *_ = self.run(audio=audio(voice(1)), mode="hubert", features=str(tmp_path / "hu.npy"), frame_count=25)
        assert speech.frames == 25
        assert speech.get_frame_features(24).shape == (32, 32, 32)
        np.save(tmp_path / "bad.npy", np.zeros((20, 512), np.float32))
        with pytest.raises(ArrayError, match="hubert features"):
            self.run(audio=audio(voice(1)), mode="hubert", features=str(tmp_path / "bad.npy"))
        with pytest.raises(FileNotFoundError):
            self.run(audio=audio(voice(1)), mode="hubert", features=str(tmp_path / "none.npy"))

    @pytest.mark.parametrize("waveform", [torch.zeros(2, 1, 16000), torch.zeros(1, 1, 0), torch.full((1, 1, 9000), float("nan"))])
    def test_odd_sound_is_refused_in_words(self, models, waveform):
        with pytest.raises(ArrayError, match="audio"):
            self.run(audio={"waveform": waveform, "sample_rate": RATE}, mode="mel")

    def test_half_precision_and_strided_sound(self, models):
        sound = torch.from_numpy(voice(1))[None].repeat(1, 2, 1)
        plain = self.run(audio={"waveform": sound, "sample_rate": RATE}, mode="mel")[0]
        strided = sound.transpose(1, 2).contiguous().transpose(1, 2)
        np.testing.assert_array_equal(self.run(audio={"waveform": strided, "sample_rate": RATE}, mode="mel")[0].mel, plain.mel)
        assert np.abs(self.run(audio={"waveform": sound.half(), "sample_rate": RATE}, mode="mel")[0].mel - plain.mel).mean() < 0.1


class TestCleanSpeech:
    def test_off_gives_the_very_same_sound(self):
        given = audio(voice(1))
        made, report = CleanSpeech().run(**defaults(CleanSpeech, audio=given, denoise=0.0, compress=0.0, level=False))["result"]
        assert made is given
        assert "before: loudness (LUFS)" in report.figures

    def test_defaults_clean_and_level(self):
        made, report = CleanSpeech().run(**defaults(CleanSpeech, audio=audio(mixed(voice(4), "white", 10))))["result"]
        assert made["sample_rate"] == RATE
        assert made["waveform"].shape == (1, 1, 4 * RATE)
        assert report.figures["after: loudness (LUFS)"] == pytest.approx(-16, abs=0.2)

    def test_channels_and_rate_stay(self):
        made, _ = CleanSpeech().run(**defaults(CleanSpeech, audio=audio(np.concatenate([voice(1, 48000)] * 2), 48000)))["result"]
        assert made["waveform"].shape == (1, 2, 48000)
        assert made["sample_rate"] == 48000


class TestExportSpeechReference:
    def encoded(self):
        return AudioEncode().run(**defaults(AudioEncode, audio=audio(voice(0.3)), checkpoint="audio_visual_encoder.pth"))["result"][0]

    def export(self, **changed):
        return ExportSpeechReference().run(**defaults(ExportSpeechReference, speech=self.encoded(), **changed))

    def test_writes_a_set_that_validates(self, models, tmp_path):
        given = self.export()
        folder = tmp_path / "output" / "speech_reference"
        assert given["result"] == (str(folder),)
        assert validate_reference(folder, folder).passed

    def test_onnx_goes_beside_it(self, models, tmp_path):
        pytest.importorskip("onnx")
        self.export(onnx=True, checkpoint="audio_visual_encoder.pth")
        assert (tmp_path / "output" / "speech_reference" / "AudioEncoder.onnx").is_file()

    def test_the_written_onnx_encodes_the_same_speech(self, models, tmp_path):
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
        self.export(onnx=True, checkpoint="audio_visual_encoder.pth")
        (tmp_path / "output" / "speech_reference" / "AudioEncoder.onnx").rename(models / "AudioEncoder.onnx")
        plain = self.encoded()
        onnx, *_ = AudioEncode().run(**defaults(AudioEncode, audio=audio(voice(0.3)), checkpoint="AudioEncoder.onnx"))["result"]
        assert onnx.encoder[0] == "AudioEncoder.onnx"
        np.testing.assert_allclose(onnx.rows, plain.rows, atol=2e-5)

    def test_onnx_of_another_checkpoint_is_refused(self, models):
        other = models / "other.pth"
        state = torch.load(models / "audio_visual_encoder.pth", weights_only=True)
        state["0.conv_block.0.bias"] += 1
        torch.save(state, other)
        with pytest.raises(ValueError, match=r"made with audio_visual_encoder.pth, not with other.pth"):
            self.export(onnx=True, checkpoint="other.pth")
        with pytest.raises(ValueError, match="takes its checkpoint"):
            self.export(onnx=True)

    @pytest.mark.parametrize("folder", ["", "  ", "..", "../elsewhere", "/tmp/elsewhere", ".", "a/../.."])
    def test_a_folder_outside_the_output_is_refused(self, models, folder):
        with pytest.raises(ValueError, match="a name under"):
            self.export(folder=folder)
