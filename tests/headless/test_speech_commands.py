import argparse
import json
import shutil

import numpy as np
import pytest
import soundfile
from speech_made import RATE, checkpoint_file, mixed, voice

from talkies.headless import speech


def run(command, *arguments):
    parser = argparse.ArgumentParser()
    getattr(speech, f"add_{command}")(parser)
    return getattr(speech, command)(parser.parse_args([str(a) for a in arguments]))


@pytest.fixture
def recording(tmp_path):
    soundfile.write(tmp_path / "in.wav", mixed(voice(3), "white", 10)[0], RATE, subtype="PCM_16")
    return tmp_path / "in.wav"


class TestCleanSpeech:
    def test_nothing_on_is_bit_identical(self, recording, tmp_path, capsys):
        assert run("clean_speech", recording, tmp_path / "out.wav") == 0
        assert (tmp_path / "out.wav").read_bytes() == recording.read_bytes()
        assert "nothing is turned on" in capsys.readouterr().out

    def test_everything_on(self, recording, tmp_path, capsys):
        options = ["--denoise", "--level", "-16", "--compress", "--report", tmp_path / "r.json"]
        assert run("clean_speech", recording, tmp_path / "out.wav", *options) == 0
        info = soundfile.info(tmp_path / "out.wav")
        assert (info.samplerate, info.channels, info.frames, info.subtype) == (RATE, 1, 3 * RATE, "PCM_16")
        report = json.loads((tmp_path / "r.json").read_text())
        assert report["figures"]["after: loudness (LUFS)"] == pytest.approx(-16, abs=0.3)
        assert "after: loudness" in capsys.readouterr().out

    def test_into_another_format(self, recording, tmp_path):
        run("clean_speech", recording, tmp_path / "out.flac", "--denoise", "0.5")
        assert soundfile.info(tmp_path / "out.flac").format == "FLAC"

    def test_a_file_that_is_none(self, tmp_path):
        (tmp_path / "x.wav").write_text("hello")
        with pytest.raises(ValueError, match=r"x.wav cannot be read as sound"):
            run("clean_speech", tmp_path / "x.wav", tmp_path / "y.wav")
        with pytest.raises(FileNotFoundError):
            run("clean_speech", tmp_path / "none.wav", tmp_path / "y.wav")


class TestReference:
    def test_export_then_validate(self, recording, tmp_path, capsys):
        checkpoint = checkpoint_file(tmp_path)
        assert run("export_reference", recording, tmp_path / "ref", "--checkpoint", checkpoint, "--fps", "29.97", "--border", "edge") == 0
        metadata = json.loads((tmp_path / "ref" / "metadata.json").read_text())
        assert metadata["fps_exact"] == "30000/1001"
        assert metadata["border_rule"] == "edge"
        shutil.copytree(tmp_path / "ref", tmp_path / "port")
        assert run("validate_reference", tmp_path / "ref", tmp_path / "port") == 0
        assert "PASS" in capsys.readouterr().out
        path = tmp_path / "port" / "audio_features_raw.npy"
        np.save(path, np.load(path) + 0.01)
        assert run("validate_reference", tmp_path / "ref", tmp_path / "port") == 1
        assert "audio_features_raw.npy" in capsys.readouterr().err

    def test_a_looser_tolerance_is_taken(self, recording, tmp_path):
        run("export_reference", recording, tmp_path / "ref", "--checkpoint", checkpoint_file(tmp_path), "--frames", "5")
        shutil.copytree(tmp_path / "ref", tmp_path / "port")
        path = tmp_path / "port" / "audio_features_raw.npy"
        np.save(path, np.load(path) + 0.01)
        assert run("validate_reference", tmp_path / "ref", tmp_path / "port", "--tolerance", "0.02") == 0

    def test_without_a_checkpoint_it_says_so(self, recording, tmp_path):
        with pytest.raises(ValueError, match="audio_visual_encoder"):
            run("export_reference", recording, tmp_path / "ref")
