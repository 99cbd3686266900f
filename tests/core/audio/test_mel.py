import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from speech_made import RATE, read, voice

from talkies.core.arrays import ArrayError, to_waveform
from talkies.core.audio import resample as resampling
from talkies.core.audio.mel import ENHANCED, STANDARD, hz_to_mel, mel_basis, mel_spectrogram, mel_to_hz
from talkies.core.audio.resample import mono, resample

GOLDENS = ["talk_hb_4s", "synth_3s", "silence_2s", "min_3000samples"]


def golden(shared, name):
    with np.load(shared / "goldens" / "audio" / f"golden_{name}.npz") as file:
        return dict(file)


def sound_of(arrays):
    return to_waveform(arrays["audio16k_int16"] if "audio16k_int16" in arrays else arrays.get("audio16k", np.zeros(32000, np.float32)))


class TestGoldens:
    @pytest.mark.parametrize("name", GOLDENS)
    @pytest.mark.parametrize(("precision", "allowed"), [("float64", 2e-6), ("float32", 1e-4)])
    def test_mel_equals_the_published_one(self, shared, name, precision, allowed):
        arrays = golden(shared, name)
        mel = mel_spectrogram(sound_of(arrays), RATE, precision=precision)
        assert mel.shape == arrays["mel"].shape
        assert mel.dtype == np.float32
        assert np.abs(mel - arrays["mel"]).max() <= allowed

    def test_the_whole_clip_has_3591_columns_and_the_published_maximum(self, shared):
        mel = mel_spectrogram(read(shared / "media" / "talk_hb.wav"), RATE)
        assert mel.shape == (80, 3591)
        assert mel.max() == pytest.approx(1.866104433927351, abs=1e-6)
        assert mel.min() == -4

    @pytest.mark.parametrize("change", [{"preemphasis": 0.95}, {"hop": 201}, {"low": 0.0}, {"reference": 16.0}, {"window": 801}])
    def test_another_constant_is_noticed(self, shared, change):
        import dataclasses

        arrays = golden(shared, "talk_hb_4s")
        other = mel_spectrogram(sound_of(arrays), RATE, dataclasses.replace(STANDARD, **change))
        assert other.shape != arrays["mel"].shape or np.abs(other - arrays["mel"]).max() > 0.01


@pytest.mark.parametrize("preset", [STANDARD, ENHANCED], ids=lambda p: p.name)
class TestAgainstLibrosa:
    def test_basis_has_the_same_bits(self, preset):
        theirs = librosa.filters.mel(sr=preset.sample_rate, n_fft=preset.window, n_mels=preset.bands, fmin=preset.low, fmax=preset.high)
        np.testing.assert_array_equal(mel_basis(preset), theirs)
        assert mel_basis(preset).max(axis=1).min() > 0

    def test_every_step_after_it_too(self, preset):
        samples = voice(1.3, preset.sample_rate)[0]
        samples = samples + np.random.default_rng(1).normal(0, 0.01, len(samples)).astype(np.float32)
        emphasised = np.append(samples[0], samples[1:] - 0.97 * samples[:-1].astype(np.float64))
        spectrum = np.abs(librosa.stft(emphasised, n_fft=preset.window, hop_length=preset.hop, pad_mode="constant"))
        bands = mel_basis(preset) @ spectrum
        wanted = np.clip(8 * (20 * np.log10(np.maximum(1e-5, bands)) - 20 + 100) / 100 - 4, -4, 4)
        np.testing.assert_allclose(mel_spectrogram(samples[None], preset.sample_rate, preset), wanted, atol=2e-6)


class TestShapes:
    @settings(max_examples=40, deadline=None)
    @given(samples=st.integers(1, 9000), rate=st.sampled_from([8000, 11025, 16000, 22050, 24000, 44100, 48000, 96000]),
           channels=st.integers(1, 6), preset=st.sampled_from([STANDARD, ENHANCED]))
    def test_columns_follow_from_the_length_alone(self, samples, rate, channels, preset):
        sound = np.random.default_rng(samples).uniform(-1, 1, (channels, samples)).astype(np.float32)
        mel = mel_spectrogram(sound, rate, preset)
        length = max(1, -(-samples * preset.sample_rate // rate))
        assert mel.shape == (preset.bands, 1 + length // preset.hop)
        assert mel.flags.c_contiguous
        assert np.isfinite(mel).all()
        assert mel.min() >= -4
        assert mel.max() <= 4

    @settings(max_examples=20, deadline=None)
    @given(block=st.integers(1, 40), samples=st.integers(1, 6000))
    def test_where_the_blocks_are_cut_never_shows(self, block, samples):
        from talkies.core.audio import mel as module

        sound = np.random.default_rng(samples).uniform(-1, 1, (1, samples)).astype(np.float32)
        whole = mel_spectrogram(sound, RATE)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "BLOCK", block)
            np.testing.assert_allclose(mel_spectrogram(sound, RATE), whole, atol=1e-6)

    def test_progress_ends_at_the_last_column_and_may_cancel(self):
        seen = []
        mel = mel_spectrogram(voice(40), RATE, progress=lambda done, total: seen.append((done, total)))
        assert seen[-1] == (mel.shape[1], mel.shape[1])
        assert len(seen) > 1

        def cancel(done, total):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            mel_spectrogram(voice(1), RATE, progress=cancel)


class TestInputs:
    def test_silence_is_minus_four_everywhere(self):
        assert (mel_spectrogram(np.zeros((1, 16000), np.float32), RATE) == -4).all()

    def test_a_constant_is_silence_away_from_the_ends(self):
        mel = mel_spectrogram(np.full((1, 16000), 0.5, np.float32), RATE)
        assert (mel[:, 4:-4] < -3.5).all()

    def test_a_small_offset_does_not_change_speech(self):
        clean = voice(2)
        assert np.abs(mel_spectrogram(clean + 0.02, RATE) - mel_spectrogram(clean, RATE))[:, 4:-4].mean() < 0.02

    def test_int16_is_the_same_as_float(self):
        whole = np.round(voice(1)[0] * 32768).astype(np.int16)
        mels = [mel_spectrogram(to_waveform(sound), RATE) for sound in (whole, whole / np.float32(32768))]
        np.testing.assert_array_equal(*mels)

    def test_channels_are_averaged(self):
        left, right = voice(1), voice(1, seed=3)
        surround = np.concatenate([left, right, left, right, left, right])
        np.testing.assert_allclose(mel_spectrogram(surround, RATE), mel_spectrogram((left + right) / 2, RATE), atol=1e-4)

    def test_one_channel_is_not_copied(self):
        sound = voice(0.1)
        assert mono(sound) is sound
        assert resample(sound, RATE, RATE) is sound

    def test_clipped_sound_stays_in_range(self):
        assert np.abs(mel_spectrogram(np.clip(50 * voice(1), -1, 1), RATE)).max() <= 4

    def test_nan_is_refused_with_its_place(self):
        sound = voice(1)
        sound[0, 77] = np.nan
        with pytest.raises(ArrayError, match="channel 0, sample 77"):
            to_waveform(sound)

    def test_nothing_is_refused(self):
        with pytest.raises(ArrayError, match="at least one sample"):
            mel_spectrogram(np.zeros((1, 0), np.float32), RATE)

    @pytest.mark.parametrize("rate", [0, 16, 25])
    def test_a_rate_that_is_none_is_refused(self, rate):
        with pytest.raises(ArrayError, match="in Hz"):
            mel_spectrogram(voice(0.1), rate)


class TestResampling:
    @pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
    def test_a_tone_keeps_its_pitch_and_level(self, rate):
        tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)[None]
        made = resample(tone, rate, RATE)
        wanted = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
        assert np.abs(made[0, 500:-500] - wanted[500:-500]).max() < 1e-3

    def test_equals_librosa(self):
        sound = np.random.default_rng(0).uniform(-1, 1, (2, 44101)).astype(np.float32)
        theirs = librosa.resample(sound, orig_sr=44100, target_sr=RATE, res_type="soxr_hq")
        np.testing.assert_allclose(resample(sound, 44100, RATE), theirs, atol=1e-6)

    def test_without_soxr_the_result_is_close(self, monkeypatch):
        sound = voice(1, 44100)
        usual = resample(sound, 44100, RATE)
        assert resampling.resampler() == "soxr HQ"
        monkeypatch.setattr(resampling, "soxr", None)
        assert resampling.resampler() == "scipy polyphase"
        assert np.abs(resample(sound, 44100, RATE) - usual)[:, 100:-100].max() < 2e-3


@given(hz=st.floats(0, 24000))
def test_mel_scale_and_back(hz):
    assert mel_to_hz(np.array([hz_to_mel(hz)]))[0] == pytest.approx(hz, rel=1e-12, abs=1e-9)
