import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from speech_made import RATE, encoder_state, read, voice

from talkies.core.arrays import ArrayError
from talkies.core.audio.encoder import encode, fold, network_from_state
from talkies.core.audio.speech import hear, with_encoder, with_rows
from talkies.core.audio.windows import frame_rate


@pytest.fixture(scope="module")
def network():
    return fold(network_from_state(encoder_state(), "deterministic"))


def ave(network, sound, rate=RATE, fps=Fraction(25), **options):
    return with_encoder(hear(sound, rate, fps, **options), network, ("deterministic", "0" * 64))


class TestCounts:
    def test_the_whole_clip_is_as_published(self, shared):
        speech = hear(read(shared / "media" / "talk_hb.wav"), RATE, Fraction(25))
        assert speech.mel.shape == (80, 3591)
        assert len(speech.starts) == 1119
        assert speech.frames == 1121

    def test_rows_are_windows_and_a_copy_at_each_end(self, network):
        speech = ave(network, voice(2))
        assert speech.rows.shape == (len(speech.starts) + 2, 512) == (49, 512)
        np.testing.assert_array_equal(speech.rows[0], speech.raw[0])
        np.testing.assert_array_equal(speech.rows[1:-1], speech.raw)
        np.testing.assert_array_equal(speech.rows[-1], speech.raw[-1])

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(samples=st.integers(1, 20_000), fps=st.sampled_from([23.976, 24, 25, 29.97, 30, 50, 60]), frames=st.integers(1, 60) | st.none())
    def test_exactly_as_many_frames_as_asked_for(self, network, samples, fps, frames):
        sound = np.random.default_rng(samples).uniform(-1, 1, (1, samples)).astype(np.float32)
        speech = ave(network, sound, fps=frame_rate(fps), frames=frames)
        wanted = frames or len(speech.starts) + 2
        assert speech.frames == wanted
        assert len(speech.rows) >= wanted
        assert speech.get_frame_features(wanted - 1).shape == (32, 16, 16)
        with pytest.raises(IndexError):
            speech.get_frame_features(wanted)

    def test_more_frames_than_sound_hear_silence(self, network):
        sound = voice(1)
        short, long = ave(network, sound), ave(network, sound, frames=60)
        np.testing.assert_array_equal(long.rows[: len(short.rows)], short.rows)
        silence = encode(network, np.full((80, 16), -4, np.float32), np.array([0]))[0]
        np.testing.assert_allclose(long.rows[35:], np.broadcast_to(silence, (25, 512)), atol=5e-5)
        assert "hear silence" in " ".join(long.notes)

    def test_the_tail_goes_on_where_the_sound_ends(self, network):
        sound = voice(1)
        mel = np.pad(hear(sound, RATE, Fraction(25)).mel, ((0, 0), (0, 16)), constant_values=-4)
        long = ave(network, sound, frames=30)
        row = len(long.starts) + 2
        np.testing.assert_allclose(long.rows[row], encode(network, mel, np.array([16 * (row - 1) // 5]))[0], atol=5e-5)

    def test_fewer_frames_keep_the_rows_beyond_for_their_context(self, network):
        sound = voice(2)
        whole, part = ave(network, sound), ave(network, sound, frames=20)
        np.testing.assert_array_equal(part.get_frame_features(19), whole.get_frame_features(19))

    @pytest.mark.parametrize("frames", [0, -3])
    def test_no_frames_are_refused(self, frames):
        with pytest.raises(ValueError, match="at least 1"):
            hear(voice(1), RATE, Fraction(25), frames=frames)


class TestShortAndOdd:
    @pytest.mark.parametrize("samples", [1, 100, 2999])
    def test_short_sounds_are_padded_and_say_so(self, samples):
        speech = hear(np.ones((1, samples), np.float32) * 0.1, RATE, Fraction(25))
        assert speech.sound.shape == (1, 3000)
        assert speech.mel.shape == (80, 16)
        assert (speech.sound[0, samples:] == 0).all()
        assert f"{3000 - samples} samples of silence" in speech.notes[0]

    def test_3000_samples_are_enough(self):
        assert not hear(voice(0.1875), RATE, Fraction(25)).notes

    def test_four_rows_make_true_contexts(self, network, shared):
        with np.load(shared / "goldens" / "audio" / "golden_min_3000samples.npz") as arrays:
            speech = ave(network, arrays["audio16k"][None])
            legacy = ave(network, arrays["audio16k"][None], border="legacy")
            assert len(speech.rows) == arrays["features_padded_rows"][0] == 4
            for frame in (0, 1, 3):
                np.testing.assert_allclose(legacy.get_frame_features(frame), arrays[f"frame_ave_edgepad_dk_{frame}"], atol=5e-5)
        for frame in range(4):
            rows = speech.get_frame_features(frame, reshape=False)
            assert rows.shape == (16, 512)
            assert (np.abs(rows).sum(axis=1) > 0).sum() == 4

    def test_notes_tell_what_was_done(self):
        sound = np.concatenate([voice(1, 44100), voice(1, 44100)]) * 20
        notes = " ".join(hear(sound, 44100, Fraction(25)).notes)
        assert "Resampled from 44100 Hz" in notes
        assert "Averaged 2 channels" in notes
        assert "beyond full scale" in notes
        assert "silence" in " ".join(hear(np.zeros((1, 9000), np.float32), RATE, Fraction(25)).notes)

    def test_sound_is_not_written_to(self, network):
        sound = voice(1)
        sound.flags.writeable = False
        ave(network, sound)


class TestGoldens:
    @pytest.mark.parametrize("name", ["talk_hb_4s", "synth_3s", "silence_2s"])
    def test_sound_to_frame_in_one_go(self, shared, network, name):
        with np.load(shared / "goldens" / "audio" / f"golden_{name}.npz") as arrays:
            if "audio16k_int16" in arrays:
                sound = (arrays["audio16k_int16"] / np.float32(32768)).astype(np.float32)
            else:
                sound = arrays["audio16k"] if "audio16k" in arrays else np.zeros(32000, np.float32)
            for border, key in (("zeros", "zeropad"), ("legacy", "edgepad_dk")):
                speech = ave(network, sound[None], border=border)
                np.testing.assert_array_equal(speech.starts, arrays["window_start"])
                assert np.abs(speech.raw - arrays["features"]).max() <= 5e-5
                for k in (k for k in arrays if k.startswith(f"frame_ave_{key}_")):
                    assert np.abs(speech.get_frame_features(int(k.rsplit("_", 1)[1])) - arrays[k]).max() <= 5e-5


class TestOtherFeatures:
    def test_precomputed_rows_are_taken(self):
        rows = np.random.default_rng(0).standard_normal((40, 2, 1024), dtype=np.float32)
        speech = with_rows(hear(voice(1), RATE, Fraction(25)), "hubert", rows, ("features.npy", ""))
        assert speech.frames == 40
        assert speech.get_frame_features(20).shape == (32, 32, 32)
        np.testing.assert_array_equal(speech.get_frame_features(20, reshape=False), rows[12:28])
        assert not speech.notes

    def test_too_few_rows_repeat_the_last_and_say_so(self):
        rows = np.random.default_rng(0).standard_normal((4, 16, 512), dtype=np.float32)
        speech = with_rows(hear(voice(1), RATE, Fraction(25)), "wenet", rows, ("x", ""), frames=6)
        np.testing.assert_array_equal(speech.rows[4:], rows[[3, 3]])
        assert "repeated 2 times" in speech.notes[0]
        assert "trained at 20" in speech.notes[1]

    def test_wrong_sizes_are_refused(self):
        with pytest.raises(ArrayError, match="hubert features are"):
            with_rows(hear(voice(1), RATE, Fraction(25)), "hubert", np.zeros((5, 512), np.float32), ("x", ""))

    def test_a_mel_has_no_features_and_says_what_to_do(self):
        with pytest.raises(ValueError, match="mel only"):
            hear(voice(1), RATE, Fraction(25)).get_frame_features(0)


class TestSummary:
    def test_is_plain_json(self, network):
        speech = ave(network, voice(1), fps=frame_rate(29.97))
        facts = json.loads(json.dumps(speech.summary(), allow_nan=False))
        assert facts["fps"] == "30000/1001"
        assert facts["rows"]["shape"] == [len(speech.rows), 512]
        assert facts["mel"]["low"] >= -4
        assert facts["encoder"] == "deterministic"

    def test_source_hash_tells_sounds_apart(self):
        first, second = voice(1), voice(1, seed=2)
        hashes = {hear(s, r, Fraction(25)).source for s, r in ((first, RATE), (second, RATE), (first, 8000))}
        assert len(hashes) == 3
        assert hear(first.copy(), RATE, Fraction(30)).source in hashes

    def test_cancel_goes_through(self, network):
        def cancel(done, total):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            with_encoder(hear(voice(1), RATE, Fraction(25)), network, ("", ""), progress=cancel)
