import math

import numpy as np
import pytest
from speech_made import RATE, mixed, noise, voice

from talkies.core.measure.audio import loudness_spread, mel_distance, segmental_snr, si_sdr


class TestSiSdr:
    @pytest.mark.parametrize("snr", [0, 10, 30])
    def test_uncorrelated_noise_reads_its_snr(self, snr):
        clean = voice(4)
        clean -= clean.mean()
        assert si_sdr(mixed(clean, "white", snr), clean) == pytest.approx(snr, abs=0.2)

    def test_scale_and_offset_do_not_count(self):
        clean = voice(1)
        noisy = mixed(clean, "white", 10)
        assert si_sdr(-0.1 * noisy + 0.3, clean) == pytest.approx(si_sdr(noisy, clean), abs=1e-3)
        assert si_sdr(clean, clean) > 100

    def test_nothing_of_it_is_minus_infinity(self):
        assert si_sdr(np.zeros((1, 100), np.float32), voice(1)[:, 300:400] + np.arange(100, dtype=np.float32)) == -math.inf

    def test_bad_pairs_are_refused(self):
        with pytest.raises(ValueError, match="constant"):
            si_sdr(voice(1), np.ones((1, RATE), np.float32))
        with pytest.raises(ValueError, match="alike"):
            si_sdr(voice(1), voice(2))


class TestSegmentalSnr:
    def test_limits(self):
        clean = voice(2)
        assert segmental_snr(clean, clean, RATE) == 35
        assert segmental_snr(clean + 10, clean, RATE) == -10

    def test_known_noise(self):
        steady = noise(RATE, "white", 1).astype(np.float32)[None]
        added = 0.1 * noise(RATE, "white", 2).astype(np.float32)[None]
        assert segmental_snr(steady + added, steady, RATE) == pytest.approx(20, abs=0.3)

    def test_silence_is_refused(self):
        with pytest.raises(ValueError, match="silent"):
            segmental_snr(np.zeros((1, RATE), np.float32), np.zeros((1, RATE), np.float32), RATE)


def test_mel_distance_grows_with_noise():
    clean = voice(2)
    assert mel_distance(clean, clean, RATE) == 0
    assert mel_distance(mixed(clean, "white", 20), clean, RATE) < mel_distance(mixed(clean, "white", 0), clean, RATE)
    with pytest.raises(ValueError, match="alike"):
        mel_distance(clean, clean[:, 1:], RATE)


def test_loudness_spread_of_a_step():
    tone = np.sin(2 * np.pi * 500 * np.arange(20 * RATE) / RATE).astype(np.float32)[None] * 0.3
    assert loudness_spread(tone, RATE) == pytest.approx(0, abs=0.01)
    tone[:, 10 * RATE :] *= 0.1
    assert loudness_spread(tone, RATE) == pytest.approx(20, abs=0.1)
    assert loudness_spread(np.zeros((1, 10), np.float32), RATE) == 0
