"""``talkies lipsync``: options and configuration, a whole run with a tiny network, and what must not be left behind."""
from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from lips_tiny import face_clip, face_track, tiny_model, waveform

from talkies.core.face.align import align
from talkies.core.settings import SettingError
from talkies.core.video.clip import Chunk, ClipInfo
from talkies.core.video.encoding import Encoding
from talkies.core.video.sink import create_sink
from talkies.core.video.source import open_source
from talkies.headless import lipsync
from talkies.headless.cli import main
from talkies.headless.lipsync_config import read_config

pytestmark = pytest.mark.usefixtures("one_thread")

COUNT = 6


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A clip of 6 frames, its track, a voice of one second; the network is the tiny one."""
    model = tiny_model()
    monkeypatch.setattr(lipsync, "open_lips", lambda checkpoint: model)
    track = align(face_track(COUNT, missing=(2,)))
    info = ClipInfo(200, 160, track.fps, 1 / track.fps, COUNT)
    with create_sink(tmp_path / "in.mkv", info, Encoding("ffv1")) as sink:
        sink.write(Chunk(0, np.rint(face_clip(COUNT) * 255).astype(np.float32) / 255, tuple(range(COUNT))))
    (tmp_path / "track.json").write_text(track.dumps(), encoding="utf-8")
    soundfile.write(tmp_path / "voice.wav", waveform(1.0).T, 16000)
    return tmp_path


def run(folder, *more, out="out.mp4"):
    given = {"--video": "in.mkv", "--audio": "voice.wav", "--checkpoint": "tiny.pt", "--track": "track.json", "--out": out}
    paths = [text for name, file in given.items() for text in (name, str(folder / file))]
    return main(["lipsync", *paths, "--preset", "fast", *map(str, more)])


def frames_of(path):
    with open_source(path) as source:
        return np.concatenate([c.frames for c in source.chunks(4)])


def test_as_many_frames_come_out_with_the_new_sound(folder, capsys):
    assert run(folder, "--report", folder / "report.json") == 0
    assert frames_of(folder / "out.mp4").shape == (COUNT, 160, 200, 3)
    samples, rate = lipsync.read_sound(folder / "out.mp4")
    assert rate == 16000 and abs(samples.shape[1] / rate - COUNT / 25) < 0.07
    figures = json.loads((folder / "report.json").read_text())["figures"]
    assert figures["frames drawn"] == 5 and figures["passed frames"] == "2" and figures["evaluations a frame"] == 10
    assert "5 of 6 frames drawn" in capsys.readouterr().out


def test_a_lossless_result_keeps_every_bit_outside(folder, monkeypatch):
    monkeypatch.setattr(lipsync, "create_sink", lambda path, info, encoding, audio: create_sink(path, info, Encoding("ffv1"), audio))
    assert run(folder, out="out.mkv") == 0
    before, after = frames_of(folder / "in.mkv"), frames_of(folder / "out.mkv")
    assert np.array_equal(before[2], after[2]) and np.array_equal(before[:, :70], after[:, :70]) and not np.array_equal(before, after)


@pytest.mark.parametrize(("length", "count"), [("hold", 25), ("loop", 25), ("bounce", 25), ("trim", COUNT)])
def test_the_clip_can_be_made_as_long_as_the_sound(folder, length, count):
    assert run(folder, "--length", length, "--evaluations", 2, "--sampler", "dpm_2m") == 0
    assert len(frames_of(folder / "out.mp4")) == count


def test_a_sound_that_fits_is_copied_packet_by_packet(folder, monkeypatch):
    soundfile.write(folder / "voice.wav", waveform(0.2).T, 16000)
    kinds = []
    monkeypatch.setattr(lipsync, "create_sink", lambda path, info, encoding, audio: (kinds.append(audio), create_sink(path, info))[1])
    assert run(folder) == 0 and isinstance(kinds[0], lipsync.CopyAudio)


def test_a_cancel_leaves_nothing_and_the_old_result_whole(folder, monkeypatch, capsys):
    (folder / "out.mp4").write_bytes(b"an older result")
    before = {p.name for p in folder.iterdir()}

    def cancelling(title, unit="frame"):
        def progress(done, total):
            if title == "lips" and done >= 3:
                raise KeyboardInterrupt
        return progress

    monkeypatch.setattr(lipsync, "node_progress", cancelling)
    assert run(folder) == 130 and "nothing half-written" in capsys.readouterr().err
    assert {p.name for p in folder.iterdir()} == before and (folder / "out.mp4").read_bytes() == b"an older result"


def test_a_track_without_any_face_is_an_error(folder, capsys):
    plain = json.loads((folder / "track.json").read_text())
    plain["found"] = [False] * COUNT
    (folder / "track.json").write_text(json.dumps(plain))
    assert run(folder) == 1 and "found in none of the 6 frames" in capsys.readouterr().err
    assert not (folder / "out.mp4").exists()


def test_a_file_without_sound_is_told(folder, capsys):
    assert main(["lipsync", "--video", str(folder / "in.mkv"), "--audio", str(folder / "in.mkv"), "--checkpoint", "x", "--out",
                 str(folder / "out.mp4")]) == 1
    assert "in.mkv holds no sound" in capsys.readouterr().err


def test_what_is_still_wanted_is_listed(folder, capsys):
    assert main(["lipsync", "--video", str(folder / "in.mkv")]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "--audio" in told and "--checkpoint" in told and "--out" in told and "--video (" not in told


# --- the configuration file


def config(folder, text):
    (folder / "lips.yaml").write_text(text, encoding="utf-8")
    return folder / "lips.yaml"


DESIGN = """
input: {video: in.mkv, audio: voice.wav, track: track.json}
model: {checkpoint: tiny.pt, image_size: 128}
quality:
  preset: high
  sharpening_strength: 0.3
  super_resolution: false
  sr_model: RealESRGAN_x2plus
output: {out: out.mp4, length: trim}
"""


def test_the_designs_keys_are_read(tmp_path):
    read = read_config(config(tmp_path, DESIGN))
    assert read == {"video": tmp_path / "in.mkv", "audio": tmp_path / "voice.wav", "track": tmp_path / "track.json",
                    "checkpoint": tmp_path / "tiny.pt", "preset": "high", "sharpening_strength": 0.3, "super_resolution": False,
                    "sr_model": "RealESRGAN_x2plus.pth", "out": tmp_path / "out.mp4", "length": "trim"}
    assert read_config(config(tmp_path, "")) == {}


def test_a_run_by_configuration_and_options_over_it(folder):
    file = config(folder, DESIGN)
    assert main(["lipsync", "--config", str(file), "--preset", "fast", "--report", str(folder / "report.json")]) == 0
    assert json.loads((folder / "report.json").read_text())["figures"]["evaluations a frame"] == 10


@pytest.mark.parametrize(("text", "words"), [
    ("quality: {presett: high}", r"quality has no key 'presett' \(did you mean 'preset'\?\); it has preset, sampler"),
    ("qualty: {preset: high}", r"no section 'qualty' \(did you mean 'quality'\?\); there are input, model"),
    ("quality: {preset: best}", "preset is 'best'; it must be one of auto, fast"),
    ("quality: {sharpening_strength: 3}", "sharpening_strength is 3; it must be a number between 0 and 1"),
    ("quality: high", "quality is 'high'; keys and values are wanted"),
    ("model: {image_size: 256}", "image_size is 256; the published network paints 128 px"),
    ("output: {length: twice}", "length is 'twice'; it must be one of trim"), ("input: {fps: fast}", "fps is 'fast'; a number"),
    ("input: {video: 3}", "input.video is 3; the path of a file"), ("- a list", "holds a list"), ("a: b: c", "is not YAML"),
    ("face: {smooth: strongly}", "method is 'strongly'; it must be one of fused"),
])
def test_what_is_wrong_in_a_configuration_is_told(tmp_path, text, words):
    with pytest.raises(SettingError, match=words):
        read_config(config(tmp_path, text))


def test_a_configuration_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SettingError, match="cannot be read"):
        read_config(tmp_path / "none.yaml")
