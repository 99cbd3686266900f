import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkies.core.arrays import ArrayError
from talkies.core.audio.mel import ENHANCED, STANDARD
from talkies.core.audio.windows import cut_windows, diff2lip_starts, frame_rate, natural_starts, window_starts, window_view

FPS = [Fraction(20), Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30), Fraction(50), Fraction(60)]


class TestFrameRate:
    @pytest.mark.parametrize(("given_as", "wanted"), [
        (25, "25"), (25.0, "25"), ("25", "25"), (23.976, "24000/1001"), (23.98, "24000/1001"), (29.97, "30000/1001"),
        ("29.97", "30000/1001"),
        (59.94, "60000/1001"), ("30000/1001", "30000/1001"), (12.5, "25/2"), (30.0, "30"), (5, "5"), (Fraction(24), "24"), (24.0001, "24"),
        (15.0, "15"), (119.88, "120000/1001")])
    def test_reads_what_it_stands_for(self, given_as, wanted):
        assert frame_rate(given_as) == Fraction(wanted)

    @pytest.mark.parametrize("value", [0, -25, 0.5, 5000, "x", float("nan"), float("inf"), "1/0"])
    def test_refuses_what_is_none(self, value):
        with pytest.raises(ValueError, match="frame rate"):
            frame_rate(value)


class TestSyncTalkRule:
    def test_counts_are_the_published_ones(self, shared):
        for row in json.loads((shared / "goldens" / "audio" / "goldens_info.json").read_text())["counts"]:
            assert STANDARD.columns(row["samples"]) == row["mel_cols"]
            assert len(window_starts(row["mel_cols"], Fraction(25))) == row["windows"]

    @pytest.mark.parametrize("name", ["talk_hb_4s", "synth_3s", "silence_2s", "min_3000samples"])
    def test_starts_are_the_golden_ones(self, shared, name):
        with np.load(shared / "goldens" / "audio" / f"golden_{name}.npz") as arrays:
            np.testing.assert_array_equal(window_starts(arrays["mel"].shape[1], Fraction(25)), arrays["window_start"])

    @given(columns=st.integers(16, 5000), fps=st.sampled_from(FPS))
    def test_every_window_lies_inside_and_none_goes_back(self, columns, fps):
        starts = window_starts(columns, fps)
        assert starts[0] == 0
        assert starts.max() <= columns - 16
        assert (np.diff(starts) >= 0).all()
        assert columns - 16 - starts[-1] < 2 * 80 / fps  # the end is heard

    @given(columns=st.integers(16, 300_000), fps=st.sampled_from([20, 23.976, 24, 25, 29.97, 30, 50, 60]))
    def test_the_count_is_that_of_the_published_float_arithmetic(self, columns, fps):
        # The published line, word for word in its arithmetic.
        assert len(window_starts(columns, frame_rate(fps))) in {
            int((columns - 16) / 80.0 * float(fps)) + 2, int((columns - 16) / 80.0 * float(frame_rate(fps))) + 2}

    def test_the_float_arithmetic_is_one_short_at_384_columns(self):
        assert len(window_starts(384, Fraction(25))) == 116
        assert (384 - 16) * 25 // 80 + 2 == 117

    def test_too_short_is_refused(self):
        with pytest.raises(ArrayError, match="15 columns"):
            window_starts(15, Fraction(25))

    @given(count=st.integers(1, 2000), first=st.integers(0, 10_000), fps=st.sampled_from(FPS))
    def test_natural_starts_are_exact(self, count, first, fps):
        wanted = [int(i * 80 / fps) for i in range(first, first + min(count, 50))]
        assert natural_starts(count, fps, first=first)[:50].tolist() == wanted

    def test_enhanced_columns_are_closer(self):
        assert ENHANCED.columns_per_second == Fraction(22050, 256)
        assert natural_starts(26, Fraction(25), ENHANCED)[25] == 86


class TestDiff2LipRule:
    @pytest.mark.parametrize(("frame", "start"), [(0, 0), (1, 0), (10, 28), (50, 156)])
    def test_starts_one_frame_later(self, frame, start):
        assert diff2lip_starts(321, Fraction(25))[frame] == start

    def test_four_seconds_give_97(self):
        assert len(diff2lip_starts(321, Fraction(25))) == 97

    @given(columns=st.integers(0, 3000), fps=st.sampled_from(FPS))
    def test_stops_before_the_first_that_runs_over(self, columns, fps):
        starts = diff2lip_starts(columns, fps)
        listed = []
        while (s := int(max(len(listed) - 1, 0) * 80 / fps)) + 16 <= columns:
            listed.append(s)
        assert starts.tolist() == listed


class TestCutting:
    def test_windows_hold_their_columns(self):
        mel = np.random.default_rng(0).standard_normal((80, 50)).astype(np.float32)
        windows = cut_windows(mel, [0, 3, 34])
        assert windows.shape == (3, 1, 80, 16)
        for window, start in zip(windows, [0, 3, 34], strict=True):
            np.testing.assert_array_equal(window[0], mel[:, start : start + 16])

    def test_the_view_takes_no_memory(self):
        mel = np.zeros((80, 1000), np.float32)
        assert np.shares_memory(window_view(mel), mel)
        assert window_view(mel).shape == (985, 80, 16)

    @pytest.mark.parametrize("starts", [[-1], [35], [0, 100]])
    def test_a_window_over_the_end_is_refused(self, starts):
        with pytest.raises(ArrayError, match="50 columns"):
            cut_windows(np.zeros((80, 50), np.float32), starts)
