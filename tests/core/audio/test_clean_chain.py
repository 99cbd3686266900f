import json

import numpy as np
import pytest
from speech_made import RATE, mixed, noise, read, voice

from talkies.core.audio.clean.chain import CleanSpeech
from talkies.core.audio.clean.quality import clipped_share, judge
from talkies.core.audio.resample import resample
from talkies.core.settings import SettingError

OFF = {"denoise": 0.0, "compress": 0.0, "level": False}


class TestChain:
    def test_off_is_the_same_array(self):
        sound = voice(1)
        made, report = CleanSpeech(**OFF)(sound, RATE)
        assert made is sound
        assert "nothing is turned on" in report.title

    def test_everything_on_reports_before_and_after(self, shared):
        noisy = mixed(read(shared / "media" / "talk_hb.wav", 8), "white", 10)
        made, report = CleanSpeech(compress=0.5)(noisy, RATE)
        figures = report.figures
        assert made.shape == noisy.shape
        assert figures["after: loudness (LUFS)"] == pytest.approx(-16, abs=0.1)
        assert figures["after: SNR estimate (dB)"] > figures["before: SNR estimate (dB)"] + 6
        assert figures["noise: pieces of their own"] == 1
        json.dumps(report.to_json(), allow_nan=False)

    def test_the_input_is_not_written_to(self):
        sound = voice(2)
        sound.flags.writeable = False
        CleanSpeech(compress=1.0)(sound, RATE)

    def test_an_offset_is_taken_out_and_reported(self):
        made, report = CleanSpeech(level=False)(voice(2) + np.float32(0.1), RATE)
        assert abs(made.mean()) < 0.01
        assert report.figures["noise: constant taken out (of full scale)"] == pytest.approx(0.1, abs=0.01)

    def test_a_target_out_of_reach_is_told(self):
        click = np.zeros((1, 3 * RATE), np.float32)
        click[0, ::8000] = 0.9
        _, report = CleanSpeech(denoise=0, target=-5)(click, RATE)
        assert "out of reach" in report.figures["level: note"]

    def test_silence_is_told(self):
        made, report = CleanSpeech()(np.zeros((1, RATE), np.float32), RATE)
        assert not made.any()
        assert "silent" in report.figures["level: note"]
        json.dumps(report.to_json(), allow_nan=False)

    @pytest.mark.parametrize("settings", [{"denoise": 1.5}, {"target": 3}, {"method": "magic"}, {"compress": float("nan")}])
    def test_settings_are_checked(self, settings):
        with pytest.raises(SettingError):
            CleanSpeech(**settings)

    def test_settings_as_json(self):
        assert CleanSpeech(**json.loads(json.dumps(CleanSpeech(denoise=0.3).to_json()))) == CleanSpeech(denoise=0.3)

    def test_progress_reaches_the_end_and_cancel_goes_through(self):
        seen = []
        CleanSpeech(compress=1.0)(voice(2), RATE, lambda done, total: seen.append(done / total))
        assert seen[-1] == 1
        assert seen == sorted(seen)

        def cancel(done, total):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            CleanSpeech()(voice(1), RATE, cancel)


class TestQuality:
    @pytest.mark.parametrize("snr", [0, 10, 20])
    def test_snr_estimate_is_near(self, shared, snr):
        quality = judge(mixed(read(shared / "media" / "talk_hb.wav", 15), "white", snr), RATE)
        assert quality.snr == pytest.approx(snr, abs=2.5)
        assert quality.steady_noise > 0.9

    def test_noise_level_is_near(self):
        hiss = (0.01 * noise(4 * RATE, "white", 3)).astype(np.float32)[None]
        assert judge(hiss, RATE).noise == pytest.approx(-40, abs=1.5)

    def test_clean_speech_shows_no_steady_noise(self, shared):
        quality = judge(read(shared / "media" / "speech1.wav"), RATE)
        assert quality.steady_noise < 0.2
        assert quality.segmental_snr > 30
        assert 0.4 < quality.speech < 1
        assert 0.4 < quality.voiced < 1

    def test_bandwidth_of_a_telephone(self):
        rich = voice(3) + (0.1 * noise(3 * RATE, "white", 1) * (np.sin(np.arange(3 * RATE) / 3000) > 0)).astype(np.float32)
        narrow = resample(resample(rich, RATE, 8000), 8000, 48000)
        assert judge(narrow, 48000).bandwidth == pytest.approx(4000, abs=400)

    def test_hiss_is_not_voiced_and_a_voice_is(self):
        bursts = (0.1 * noise(4 * RATE, "white", 1) * (np.sin(np.arange(4 * RATE) / 2500) > 0)).astype(np.float32)[None]
        assert judge(bursts, RATE).voiced < 0.2
        assert judge(voice(4), RATE).voiced > 0.7

    def test_clipping_is_counted(self, shared):
        clean = read(shared / "media" / "speech1.wav")
        assert clipped_share(clean) == 0
        loud = np.clip(6 * clean, -1, 1)
        truth = (np.abs(loud) == 1).mean()
        assert clipped_share(loud) == pytest.approx(truth, rel=0.3)
        assert clipped_share(0.1 * loud) == 0  # that soft, nobody can tell

    @pytest.mark.parametrize("sound", [np.zeros((1, 5)), np.zeros((2, 9000)), np.full((1, 1), 0.5), np.full((1, 9000), -0.2)])
    def test_nothing_to_judge_gives_zeros(self, sound):
        quality = judge(sound.astype(np.float32), RATE)
        assert quality.speech == 0
        assert quality.offset == pytest.approx(abs(sound[0, 0]), abs=1e-6)
        json.dumps(quality.figures(), allow_nan=False)
