import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from speech_made import RATE, mixed, noise, read, voice

from talkies.core.audio.clean import frames as frames_module
from talkies.core.audio.clean.denoise import denoise
from talkies.core.audio.clean.frames import Framing, filtered
from talkies.core.audio.clean.noise import track_noise
from talkies.core.measure.audio import mel_distance, si_sdr

TARGETS = {("white", 0): 9, ("white", 5): 8, ("white", 10): 6, ("pink", 0): 6, ("pink", 5): 5, ("pink", 10): 4.5}


@pytest.fixture(scope="module")
def clean(shared):
    return read(shared / "media" / "talk_hb.wav", 15)


def gain(noisy, clean, **options):
    return si_sdr(denoise(noisy, RATE, **options)[0], clean) - si_sdr(noisy, clean)


class TestFigures:
    @pytest.mark.parametrize("method", ["wiener", "log-mmse"])
    @pytest.mark.parametrize(("colour", "snr"), TARGETS)
    def test_gain_and_mel_distance(self, clean, colour, snr, method):
        noisy = mixed(clean, colour, snr)
        made, found = denoise(noisy, RATE, method=method)
        assert si_sdr(made, clean) - si_sdr(noisy, clean) >= TARGETS[colour, snr]
        assert mel_distance(made, clean, RATE) < mel_distance(noisy, clean, RATE)
        assert found.trust > 0.9
        assert not found.cuts

    @pytest.mark.parametrize("name", ["talk_hb", "speech1", "speech2"])
    def test_clean_speech_is_left_alone(self, shared, name):
        clean = read(shared / "media" / f"{name}.wav")
        assert si_sdr(denoise(clean, RATE)[0], clean) >= 35

    @pytest.mark.parametrize("colour", ["white", "pink"])
    @pytest.mark.parametrize("levels", [(15, 0), (0, 15), (12, 0)])
    def test_noise_that_switches_is_followed(self, clean, colour, levels):
        half = clean.shape[1] // 2
        noisy = mixed(clean, colour, np.repeat(levels, [half, clean.shape[1] - half]), seed=2)
        assert gain(noisy, clean) >= gain(noisy, clean, fixed=True) + 3
        cuts = track_noise(noisy, Framing(RATE, noisy.shape[1])).cuts
        assert len(cuts) == 1
        assert cuts[0] * 128 / RATE == pytest.approx(half / RATE, abs=0.3)

    def test_noise_that_swells_is_followed(self, clean):
        noisy = mixed(clean, "white", np.linspace(20, 0, clean.shape[1]), seed=2)
        assert gain(noisy, clean) >= gain(noisy, clean, fixed=True) + 3

    def test_another_voice_gains_too(self, shared):
        other = read(shared / "media" / "speech1.wav")
        assert gain(mixed(other, "white", 5, seed=4), other) > 7
        assert gain(mixed(other, "pink", 5, seed=4), other) > 5

    def test_half_strength_does_half(self, clean):
        noisy = mixed(clean, "white", 5)
        assert 2 < gain(noisy, clean, strength=0.4) < gain(noisy, clean) - 1

    def test_noise_alone_is_turned_down_by_18_db(self):
        hiss = (0.05 * noise(5 * RATE, "white", 1)).astype(np.float32)[None]
        made = denoise(hiss, RATE)[0]
        assert -20 < 20 * np.log10(made.std() / hiss.std()) < -13


class TestFrames:
    @settings(max_examples=40, deadline=None)
    @given(samples=st.integers(1, 9000), rate=st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000]), channels=st.integers(1, 3))
    def test_gains_of_one_give_the_sound_back(self, samples, rate, channels):
        sound = np.random.default_rng(samples).uniform(-1, 1, (channels, samples)).astype(np.float32)
        made = filtered(sound, Framing(rate, samples), lambda powers, first: np.ones_like(powers))
        assert made.shape == sound.shape
        np.testing.assert_allclose(made, sound, atol=2e-6)

    def test_where_the_blocks_are_cut_never_shows(self, monkeypatch):
        noisy = mixed(voice(3), "white", 5)
        whole = denoise(noisy, RATE)[0]
        monkeypatch.setattr(frames_module, "BLOCK", 37)
        np.testing.assert_allclose(denoise(noisy, RATE)[0], whole, atol=1e-5)

    @settings(max_examples=25, deadline=None)
    @given(samples=st.integers(1, 40_000), channels=st.integers(1, 2),
           kind=st.sampled_from(["noise", "silence", "constant", "click", "clipped"]))
    def test_every_sound_comes_out_finite(self, samples, kind, channels):
        rng = np.random.default_rng(samples)
        sound = np.zeros((channels, samples), np.float32)
        if kind == "noise":
            sound[:] = rng.uniform(-1, 1, sound.shape)
        elif kind == "constant":
            sound[:] = 0.5
        elif kind == "click":
            sound[:, samples // 2] = 1
        elif kind == "clipped":
            sound[:] = np.clip(5 * rng.standard_normal(sound.shape), -1, 1)
        made, found = denoise(sound, RATE)
        assert made.shape == sound.shape
        assert np.isfinite(made).all()
        assert 0 <= found.trust <= 1
        assert np.abs(made).max() <= 2.5 * max(np.abs(sound).max(), 1e-6)

    def test_channels_share_their_gains(self):
        noisy = mixed(voice(2), "white", 5)
        both = denoise(np.concatenate([noisy, 0.5 * noisy]), RATE)[0]
        np.testing.assert_allclose(both[0], 2 * both[1], atol=1e-6)

    def test_higher_rates_do_as_well(self):
        from talkies.core.audio.resample import resample

        speech = resample(voice(6), RATE, 48000)
        hiss = mixed(speech, "white", 5)
        assert si_sdr(denoise(hiss, 48000)[0], speech) > si_sdr(hiss, speech) + 6

    def test_progress_and_cancel(self):
        seen = []
        denoise(voice(20), RATE, progress=lambda done, total: seen.append((done, total)))
        assert seen[-1][0] == seen[-1][1]
        assert len(seen) > 1
