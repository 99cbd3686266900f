import math

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from speech_made import RATE, noise, read, voice

from talkies.core.audio.clean.dynamics import compress
from talkies.core.audio.clean.loudness import SILENT, integrated_loudness, k_weighting, level, limit, true_peak
from talkies.core.audio.resample import resample
from talkies.core.measure.audio import loudness_spread


class TestLoudness:
    @pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
    @pytest.mark.parametrize("name", ["talk_hb", "speech1", "speech2"])
    def test_within_a_tenth_of_pyloudnorm(self, shared, name, rate):
        sound = resample(read(shared / "media" / f"{name}.wav"), RATE, rate)
        theirs = pyloudnorm.Meter(rate).integrated_loudness(sound[0].astype(np.float64))
        assert integrated_loudness(sound, rate) == pytest.approx(theirs, abs=0.1)

    def test_five_channels_are_weighted(self):
        sound = 0.05 * np.random.default_rng(0).standard_normal((5, 48000 * 2)).astype(np.float32)
        theirs = pyloudnorm.Meter(48000).integrated_loudness(sound.T.astype(np.float64))
        assert integrated_loudness(sound, 48000) == pytest.approx(theirs, abs=0.1)
        with_lfe = np.insert(sound, 3, 10 * sound[0], axis=0)
        assert integrated_loudness(with_lfe, 48000) == pytest.approx(integrated_loudness(sound, 48000), abs=1e-6)

    def test_the_standards_own_tone(self):
        # BS.1770: a 997 Hz sine at full scale in one channel reads -3.01 LKFS.
        tone = np.sin(2 * np.pi * 997 * np.arange(48000 * 3) / 48000).astype(np.float32)[None]
        assert integrated_loudness(tone, 48000) == pytest.approx(-3.01, abs=0.02)
        assert integrated_loudness(resample(tone, 48000, 16000), 16000) == pytest.approx(-3.01, abs=0.02)

    @given(st.floats(-60, 20))
    @settings(max_examples=15, deadline=None)
    def test_a_gain_shows_one_to_one(self, gain):
        sound = voice(1.5)
        plain = integrated_loudness(sound, RATE)
        shown = integrated_loudness(sound * np.float32(10 ** (gain / 20)), RATE)
        assert shown == SILENT if plain + gain < -70 else shown == pytest.approx(plain + gain, abs=0.3)

    def test_silence_and_next_to_nothing(self):
        assert integrated_loudness(np.zeros((2, 16000), np.float32), RATE) == SILENT
        assert math.isfinite(integrated_loudness(np.ones((1, 3), np.float32), RATE))

    def test_quiet_parts_are_gated_out(self):
        speech = voice(4)
        padded = np.concatenate([speech, np.zeros((1, 8 * RATE), np.float32)], axis=1)
        assert integrated_loudness(padded, RATE) == pytest.approx(integrated_loudness(speech, RATE), abs=0.3)

    def test_the_curve_rises_to_four_db(self):
        low, middle, high = 20 * np.log10(k_weighting(np.array([30.0, 997.0, 12000.0])))
        assert low < -4
        assert middle == pytest.approx(0.69, abs=0.02)
        assert high == pytest.approx(4, abs=0.1)


class TestPeaks:
    def test_a_peak_between_samples_is_seen(self):
        quarter = np.sin(2 * np.pi * np.arange(4000) / 4 + np.pi / 4).astype(np.float32)[None]
        assert np.abs(quarter).max() == pytest.approx(0.7071, abs=1e-3)
        assert true_peak(quarter, RATE) == pytest.approx(0, abs=0.2)

    @settings(max_examples=25, deadline=None)
    @given(samples=st.integers(1, 30_000), gain=st.floats(0.1, 10), channels=st.integers(1, 2))
    def test_the_limiter_keeps_under_its_ceiling(self, samples, gain, channels):
        sound = (gain * np.random.default_rng(samples).standard_normal((channels, samples))).astype(np.float32)
        made, reduced = limit(sound, RATE)
        assert np.abs(made).max() <= 10 ** (-1 / 20) + 1e-6
        assert reduced >= 0
        if np.abs(sound).max() < 0.5:
            assert made is sound

    def test_blocks_do_not_show(self, monkeypatch):
        from talkies.core.audio.clean import loudness

        sound = np.concatenate([3 * voice(3), 2 * voice(3, seed=1)])
        whole = limit(sound, RATE)[0]
        monkeypatch.setattr(loudness, "BLOCK_SECONDS", 1)
        np.testing.assert_allclose(limit(sound, RATE)[0], whole, atol=1e-3)


class TestLevel:
    @pytest.mark.parametrize("target", [-30, -23, -16, -13])
    def test_reaches_the_target_by_pyloudnorm_too(self, shared, target):
        sound = read(shared / "media" / "talk_hb.wav")
        made, done = level(sound, RATE, target)
        assert done.after == pytest.approx(target, abs=0.1)
        assert pyloudnorm.Meter(RATE).integrated_loudness(made[0].astype(np.float64)) == pytest.approx(target, abs=0.15)
        assert np.abs(made).max() <= 10 ** (-1 / 20) + 1e-6
        assert true_peak(made, RATE) <= -0.9

    def test_an_impossible_target_is_missed_rather_than_crushed(self, shared):
        sound = read(shared / "media" / "talk_hb.wav", 15)
        made, done = level(sound, RATE, -5)
        assert done.after < -5.5
        assert done.limited <= 12.1
        assert np.abs(made).max() <= 10 ** (-1 / 20) + 1e-6

    def test_silence_stays(self):
        sound = np.zeros((1, 16000), np.float32)
        assert level(sound, RATE, -16)[0] is sound

    def test_without_peaks_in_the_way_it_is_one_factor(self):
        sound = 0.01 * voice(3)
        made, done = level(sound, RATE, -30)
        assert done.limited == 0
        np.testing.assert_allclose(made, sound * 10 ** (done.gain / 20), rtol=1e-5)


class TestCompress:
    @pytest.mark.parametrize("steps", [(0, -12, -24), (-12, -24, 0), (0, -24, -12), (-24, -12, 0)])
    def test_three_segments_come_together(self, shared, steps):
        clean = read(shared / "media" / "talk_hb.wav", 15)
        stepped = clean * np.repeat(10 ** (np.array(steps) / 20), 5 * RATE).astype(np.float32)
        made, spread = compress(stepped, RATE, 1.0)
        assert loudness_spread(stepped, RATE) > 19.5
        assert loudness_spread(made, RATE) <= 7
        meter = pyloudnorm.Meter(RATE)
        levels = [meter.integrated_loudness(made[0, i * 5 * RATE : (i + 1) * 5 * RATE].astype(np.float64)) for i in range(3)]
        assert max(levels) - min(levels) <= 7
        assert spread > 15

    def test_nothing_at_strength_zero(self):
        sound = voice(2)
        assert compress(sound, RATE, 0.0)[0] is sound

    def test_pauses_are_not_pumped_up(self):
        speech = voice(8)
        hiss = (0.001 * noise(speech.shape[1], "white", 1)).astype(np.float32)
        speech[:, 3 * RATE : 5 * RATE] = 0
        made = compress(speech + hiss, RATE, 1.0)[0]
        pause = slice(int(3.5 * RATE), int(4.5 * RATE))
        assert 20 * np.log10(made[:, pause].std() / (speech + hiss)[:, pause].std()) < 3

    @pytest.mark.parametrize("sound", [np.zeros((1, 9000)), np.full((1, 1), 0.1), np.full((2, 5000), 0.3)])
    def test_odd_sounds_stay_finite(self, sound):
        made = compress(sound.astype(np.float32), RATE, 1.0)[0]
        assert made.shape == sound.shape
        assert np.isfinite(made).all()
