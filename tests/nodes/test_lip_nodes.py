"""The lips' nodes on a small clip with a tiny network: batch and stream, sound, lengths, and what they refuse."""
from __future__ import annotations

import gc
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from lips_tiny import face_clip, face_track, tiny_model, waveform

from talkies import NODE_CLASS_MAPPINGS
from talkies.core.arrays import ArrayError, to_frames
from talkies.core.lipsync.checkpoint import CheckpointError
from talkies.core.operation import run
from talkies.core.video.source import FileSource
from talkies.core.weights import WeightsError
from talkies.host.blocker import Blocked
from talkies.host.video_type import Components, VideoFromComponents
from talkies.nodes import diff2lip_generate

pytestmark = pytest.mark.usefixtures("one_thread")

COUNT = 6


def settings(name, **changed):
    required = NODE_CLASS_MAPPINGS[name].INPUT_TYPES()["required"]
    values = {key: spec[1].get("default", spec[0][0] if isinstance(spec[0], list) else None) for key, spec in required.items()}
    return {**{k: v for k, v in values.items() if v is not None}, **changed}


def generate(**inputs):
    node = NODE_CLASS_MAPPINGS["TalkiesDiff2LipGenerate"]()
    given = {"lips": tiny_model(), "track": face_track(COUNT), "audio": sound(1.0), "preset": "fast", **inputs}
    made = node.run(**settings("TalkiesDiff2LipGenerate", **given))
    return dict(zip(node.RETURN_NAMES, made["result"] if isinstance(made, dict) else made, strict=True))


def sound(seconds, rate=44100):
    return {"waveform": torch.from_numpy(waveform(seconds, rate))[None], "sample_rate": rate}


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(face_clip(COUNT))


@pytest.fixture(scope="module")
def made(images):
    return generate(images=images)


def test_a_batch_gives_frames_faces_mask_video_and_report(made, images):
    assert made["images"].shape == images.shape and made["crops"].shape == (COUNT, 128, 128, 3) and made["mask"].shape == images.shape[:3]
    same = made["mask"] == 0
    assert torch.equal(made["images"][same], images[same]) and 0 < float(made["mask"].mean()) < 0.5
    assert not torch.equal(made["images"], images)
    figures = made["report"].figures
    assert figures["frames drawn"] == COUNT and figures["sound cut off after the last frame (s)"] == pytest.approx(1 - COUNT / 25)
    components = made["video"].get_components()
    assert components.frame_rate == 25 and components.audio["waveform"].shape[-1] == round(44100 * COUNT / 25)


def test_the_ops_give_the_same_in_a_stream(made, images):
    assert np.array_equal(run(made["ops"], images), to_frames(made["images"]))


def test_a_video_is_drawn_from_file_to_file_with_the_new_sound(images, tmp_path, monkeypatch):
    monkeypatch.setattr(diff2lip_generate, "temporary_folder", lambda: tmp_path)
    gray = images.mean(-1, keepdim=True).expand(-1, -1, -1, 3).contiguous()  # of colour, an encoder keeps half the pixels
    out = generate(video=VideoFromComponents(Components(gray, Fraction(25))))
    assert isinstance(out["images"], Blocked) and isinstance(out["mask"], Blocked)
    with FileSource(out["video"].get_stream_source()) as source:
        frames = np.concatenate([c.frames for c in source.chunks(4)])
    wanted = generate(images=gray)["images"].numpy()
    blocks, wanted_blocks, before = (f.reshape(COUNT, 20, 8, 25, 8, 3).mean((2, 4)) for f in (frames, wanted, gray.numpy()))
    assert frames.shape == wanted.shape and 3 * np.abs(blocks - wanted_blocks).mean() < np.abs(before - wanted_blocks).mean()
    assert out["video"].get_components().audio["sample_rate"] == 44100
    assert out["report"].figures["frames drawn"] == COUNT


@pytest.mark.parametrize(("length", "count"), [("trim", COUNT), ("hold", 25), ("loop", 25), ("bounce", 25)])
def test_a_longer_sound_lengthens_the_clip_where_asked(images, length, count):
    out = generate(images=images, length=length, evaluations=2, sampler="dpm_2m")
    assert out["images"].shape[0] == out["mask"].shape[0] == count


def test_a_shorter_sound_is_followed_by_silence(images):
    out = generate(images=images, audio=sound(0.1), evaluations=2, sampler="dpm_2m")
    assert out["images"].shape == images.shape and out["report"].figures["frames after the sound's end, drawn to silence"] == 3


def test_encoded_speech_serves_as_the_voice(images, made):
    encode = NODE_CLASS_MAPPINGS["TalkiesAudioEncode"]()
    speech = encode.run(**settings("TalkiesAudioEncode", audio=sound(1.0), mode="mel"))["result"][0]
    assert torch.equal(generate(images=images, audio=None, speech=speech)["images"], made["images"])


def test_a_mask_in_the_frame_confines_it(images):
    mask = torch.zeros(1, 160, 200)
    mask[:, 90:110, 90:110] = 1
    out = generate(images=images, mask=mask)
    assert not out["mask"][:, mask[0] == 0].any() and torch.equal(out["images"][:, :90], images[:, :90])


def test_without_pictures_there_is_only_a_step():
    out = generate()
    assert isinstance(out["images"], Blocked) and isinstance(out["report"], Blocked) and len(out["ops"].operations) == 1


@pytest.mark.parametrize(("inputs", "words"), [
    ({"audio": None}, "neither audio nor speech is linked"), ({"images": 1, "video": 1}, "both images and video are linked")])
def test_what_must_be_linked_is_said(inputs, words):
    with pytest.raises(ValueError, match=words):
        generate(**inputs)


def test_nan_pixels_are_refused_with_their_place(images):
    bad = images.clone()
    bad[2, 3, 4, 0] = float("nan")
    with pytest.raises(ArrayError, match="frame 2 holds 1 NaN value, the first at row 3, column 4"):
        generate(images=bad)


def test_a_cancel_half_way_leaves_no_file_and_gives_the_memory_back(images, tmp_path, monkeypatch):
    monkeypatch.setattr(diff2lip_generate, "temporary_folder", lambda: tmp_path)
    calls = []

    def cancelling(title, node_id=None, unit="frame"):
        def progress(done, total):
            calls.append(done)
            if len(calls) > 15:
                raise InterruptedError
        progress.picture = None
        return progress

    monkeypatch.setattr(diff2lip_generate, "node_progress", cancelling)
    gc.collect()
    before = sum(1 for o in gc.get_objects() if type(o) is np.ndarray and o.nbytes > 50_000)
    for linked in ({"video": VideoFromComponents(Components(images, Fraction(25)))}, {"images": images}):
        calls.clear()
        with pytest.raises(InterruptedError):
            generate(**linked)
    assert not list(tmp_path.iterdir())
    gc.collect()
    after = sum(1 for o in gc.get_objects() if type(o) is np.ndarray and o.nbytes > 50_000)
    assert after <= before


def test_a_new_sound_goes_into_render_video(made, images, tmp_path, monkeypatch):
    from talkies.nodes import render_video

    monkeypatch.setattr(render_video, "temporary_folder", lambda: tmp_path)
    node = NODE_CLASS_MAPPINGS["TalkiesRenderVideo"]()
    video = VideoFromComponents(Components(images, Fraction(25), sound(0.2, 8000)))
    out, _ = node.run(**settings("TalkiesRenderVideo", video=video, ops=made["ops"], audio=sound(1.0)))["result"]
    kept = out.get_components().audio
    assert kept["sample_rate"] == 44100 and abs(kept["waveform"].shape[-1] / 44100 - COUNT / 25) < 0.06


def test_a_missing_checkpoint_is_told_with_all_that_is_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKIES_MODELS", str(tmp_path))
    node = NODE_CLASS_MAPPINGS["TalkiesLoadDiff2Lip"]
    (name,) = node.INPUT_TYPES()["required"]["checkpoint"][0]
    with pytest.raises(WeightsError) as told:
        node().run(checkpoint=name)
    for word in (name, str(tmp_path / "diff2lip"), "https://github.com/soumik-kanad/diff2lip", "407 MB", "CC BY-NC 4.0"):
        assert word in str(told.value)


def test_a_wrong_checkpoint_is_told_for_what_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKIES_MODELS", str(tmp_path))
    (tmp_path / "diff2lip").mkdir()
    tensors = {"face_encoder_blocks.0.0.conv_block.0.weight": torch.zeros(16, 6, 7, 7)}
    torch.save({"state_dict": tensors}, tmp_path / "diff2lip" / "wav2lip.pth")
    node = NODE_CLASS_MAPPINGS["TalkiesLoadDiff2Lip"]
    assert "wav2lip.pth" in node.INPUT_TYPES()["required"]["checkpoint"][0]
    with pytest.raises(CheckpointError, match="Wav2Lip"):
        node().run(checkpoint="wav2lip.pth")


def test_an_operation_of_a_node_can_be_changed(made):
    assert replace(made["ops"].operations[0], seed=8) != made["ops"].operations[0]
