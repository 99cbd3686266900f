"""What each frame hears, where the original cuts its faces, how a clip is made as long as its sound."""
from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from lips_tiny import face_clip, face_track, voice, waveform

from talkies.core.audio.mel import mel_spectrogram
from talkies.core.audio.speech import hear
from talkies.core.face.track import TrackError
from talkies.core.lipsync import original_crop
from talkies.core.lipsync.clip import fitted, lengthened
from talkies.core.lipsync.length import ExtendedSource, frame_order
from talkies.core.lipsync.sound import SILENCE, LipSound, hear_speech, hear_waveform, window_start
from talkies.core.settings import SettingError
from talkies.core.video.source import BatchSource


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared / "goldens" / "diff2lip" / "crop_paste.npz")


def test_windows_start_where_the_original_has_them(golden):
    starts = [window_start(i, Fraction(25)) for i in range(400)]
    assert starts == golden["mel_start_orig_first_400"].tolist()
    assert starts != golden["mel_start_fork_first_400"].tolist()


@given(some.fractions(1, 240), some.integers(0, 10**7))
def test_a_window_is_never_a_column_away_from_its_time(fps, index):
    exact = max(Fraction(0), (index / fps - Fraction(1, 25)) * 80)
    assert 0 <= exact - window_start(index, fps) < 1


def test_beyond_the_sound_there_is_silence_and_not_zero():
    sound = voice(0.3)
    cut = sound.windows(5, 30, Fraction(25))
    assert cut.shape == (25, 80, 16) and (cut[-1] == SILENCE).all() and SILENCE == -4
    start = window_start(5, Fraction(25))
    known = sound.mel.shape[1] - start
    assert np.array_equal(cut[0, :, :known], sound.mel[:, start:]) and (cut[0, :, known:] == SILENCE).all()


def test_digital_silence_is_heard_as_silence():
    assert (hear_waveform(np.zeros((1, 8000), np.float32), 16000).windows(0, 20, Fraction(25)) == SILENCE).all()


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate_is_heard_alike(rate, channels):
    time = np.arange(rate) / rate
    tone = (0.3 * np.sin(2 * np.pi * 440 * time) * (time > 0.5)).astype(np.float32)
    sound = hear_waveform(np.repeat(tone[None], channels, 0), rate)
    assert sound.seconds == 1 and sound.frames(Fraction(25)) == 25 and sound.frames(Fraction(30000, 1001)) == 30
    before, after = sound.windows(5, 6, Fraction(25)), sound.windows(20, 21, Fraction(25))
    assert before.max() < after.max() - 3


def test_encoded_speech_holds_the_same_sound():
    samples = waveform(0.5)
    speech = hear_speech(hear(samples, 16000, Fraction(30)))
    assert np.array_equal(speech.mel, mel_spectrogram(samples, 16000)) and speech.seconds == Fraction(1, 2)


def test_a_mel_of_another_kind_is_refused():
    for wrong in (np.zeros((128, 20), np.float32), np.zeros((80, 0), np.float32), np.full((80, 4), np.nan, np.float32)):
        with pytest.raises(SettingError, match="80 finite bands"):
            LipSound(wrong)
    sound = voice()
    assert LipSound.from_json(sound.to_json()) == sound
    with pytest.raises(SettingError, match="no packed mel"):
        LipSound.from_json({"mel": "x"})


# --- the original's crop


@pytest.mark.parametrize("count", [1, 3, 5, 6, 12, 40])
def test_boxes_are_averaged_as_published(golden, count):
    assert np.array_equal(original_crop.averaged(golden[f"in_{count}"]), golden[f"out_{count}"])


def test_crops_are_the_published_ones(golden):
    frames = [cv2.resize(f, (320, 240), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255 for f in golden["fd_frames_small"]]
    boxes = original_crop.boxes(golden["fd_det"], (240, 320), (5, 10, 3, 4))
    assert np.array_equal(boxes, golden["fd_boxes_y1y2x1x2"])
    crops = np.stack([original_crop.crop(f, b) for f, b in zip(frames, boxes, strict=True)])
    assert np.array_equal(np.rint(crops * 255)[:, ::2, ::2], golden["fd_crops_stride2"])


def test_the_boxes_hold_the_face_that_the_aligned_crop_shows():
    track = face_track(6, height=400, width=400)
    left, top, right, bottom = original_crop.detected(track)[0]
    nose = track.points[0, 2]
    assert left < nose[0] < right and top < nose[1] < bottom and 0.9 < (bottom - top) / (right - left) < 1.6
    matrix = original_crop.matrix(np.array([top, bottom, left, right]), track.size)
    assert np.allclose(matrix @ [left - 0.5, top - 0.5, 1], -0.5) and np.allclose(matrix @ [right - 0.5, bottom - 0.5, 1], 127.5)


# --- lengths


@pytest.mark.parametrize(("length", "wanted", "order"), [
    ("trim", 9, [0, 1, 2, 3]), ("hold", 7, [0, 1, 2, 3, 3, 3, 3]), ("loop", 10, [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]),
    ("bounce", 9, [0, 1, 2, 3, 2, 1, 0, 1, 2]), ("hold", 2, [0, 1, 2, 3]), ("loop", 1, [0, 1, 2, 3]), ("bounce", 4, [0, 1, 2, 3])])
def test_frames_that_follow_when_the_sound_goes_on(length, wanted, order):
    assert frame_order(4, wanted, length).tolist() == order


@given(some.integers(1, 12), some.integers(1, 40), some.sampled_from(["hold", "loop", "bounce"]), some.integers(1, 7))
def test_a_lengthened_source_gives_the_frames_in_order(count, wanted, length, size):
    frames = np.arange(count, dtype=np.float32)[:, None, None, None] * np.ones((1, 2, 2, 3), np.float32) / 100
    order = frame_order(count, wanted, length)
    chunks = list(ExtendedSource(BatchSource(frames, Fraction(25)), order).chunks(size))
    assert np.array_equal(np.concatenate([c.frames for c in chunks]), frames[order])
    assert [t for c in chunks for t in c.times] == list(range(len(order))) and max(len(c.frames) for c in chunks) <= size
    assert [c.start for c in chunks] == np.cumsum([0, *(len(c.frames) for c in chunks[:-1])]).tolist()


@pytest.mark.parametrize(("length", "cuts"), [("hold", ()), ("loop", (5, 10)), ("bounce", ())])
def test_the_track_goes_along(length, cuts):
    whole = lengthened(face_track(5, missing=(3,)), voice(0.5), length, 5)
    assert len(whole.track) == len(whole.order) == 13 and whole.track.cuts == cuts
    assert np.array_equal(whole.track.found, np.array([True, True, True, False, True])[whole.order])
    assert whole.frames(face_clip(5, 16, 16)).shape[0] == 13


def test_a_clip_longer_than_its_track_is_refused():
    with pytest.raises(TrackError, match="the clip has 6; track the whole clip"):
        lengthened(face_track(5), voice(), "trim", 6)


def test_the_sound_is_cut_to_the_frames():
    samples = waveform(1.0)
    assert fitted(samples, 16000, 10, Fraction(25)).shape == (1, 6400) and fitted(samples, 16000, 50, Fraction(25)).shape == (1, 16000)
