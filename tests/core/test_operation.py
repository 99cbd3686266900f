"""Operations: settings stated once, radii and scales that compose, and the same bits wherever a clip is cut."""
from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkies.core.arrays import ArrayError, empty_frames
from talkies.core.masked import Mask, Masked
from talkies.core.operation import Chain, FrameOperation, Operation, cut, run, stream
from talkies.core.progress import part, silent
from talkies.core.settings import SettingError, setting, settings_of


@dataclass(frozen=True)
class Gain(FrameOperation):
    gain: float = setting(1.0, "Factor.", low=0, high=4, unit="times")

    @property
    def identity(self):
        return self.gain == 1

    def frame(self, frame, index, out):
        np.multiply(frame, np.float32(self.gain), out=out)


@dataclass(frozen=True)
class Blend(Operation):
    reach: int = setting(2, "Neighbours on each side.", low=0, high=9)

    @property
    def radius(self):
        return self.reach

    def apply(self, frames, start, progress):
        out = np.empty_like(frames)
        for i in range(len(frames)):
            out[i] = frames[max(0, i - self.reach) : i + self.reach + 1].mean(0) + (start + i) / 100
            progress(i + 1, len(frames))
        return out


@dataclass(frozen=True)
class Double(FrameOperation):
    @property
    def scale(self):
        return Fraction(2)

    def frame(self, frame, index, out):
        out[:] = frame.repeat(2, 0).repeat(2, 1)


@dataclass(frozen=True)
class Centre(FrameOperation):
    """Subtracts the clip's mean, which it must have seen."""

    mean: float | None = None

    @property
    def needs_survey(self):
        return self.mean is None

    def survey(self, clip, progress=silent):
        total, count = 0.0, 0
        for _, frames in clip:
            total += float(frames.astype(np.float64).sum())
            count += frames.size
        return replace(self, mean=total / count)

    def frame(self, frame, index, out):
        np.subtract(frame, np.float32(self.mean), out=out)


@pytest.fixture
def clip():
    return np.random.default_rng(0).random((13, 4, 6, 3)).astype(np.float32)


links = st.lists(st.sampled_from([Gain(0.5), Gain(1.5), Blend(1), Blend(2), Blend(0), Double()]), max_size=4)


class TestStream:
    @settings(max_examples=80, deadline=None)
    @given(links=links, cuts=st.sets(st.integers(1, 12)), channels=st.sampled_from([1, 3, 4]))
    def test_any_cut_gives_the_same_bits(self, links, cuts, channels):
        clip = np.random.default_rng(0).random((13, 3, 4, channels)).astype(np.float32)
        chain = Chain(tuple(links))
        edges = [0, *sorted(cuts), len(clip)]
        pieces = [(a, clip[a:b]) for a, b in pairwise(edges)]
        made = list(stream(chain, pieces))
        np.testing.assert_array_equal(np.concatenate([f for _, f in made]), chain(clip))
        assert [s for s, _ in made] == list(np.cumsum([0] + [len(f) for _, f in made])[:-1])

    def test_without_radius_nothing_is_held_back(self, clip):
        pieces = cut(clip, 4)
        made = stream(Gain(0.5), pieces)
        assert [len(f) for _, f in made] == [4, 4, 4, 1]

    def test_a_clip_that_starts_late_keeps_its_numbers(self, clip):
        made = list(stream(Blend(1), cut(clip, 5, start=100)))
        assert made[0][0] == 100 and sum(len(f) for _, f in made) == len(clip)
        np.testing.assert_array_equal(np.concatenate([f for _, f in made]), Blend(1)(clip, 100))

    def test_only_the_overlap_is_held(self, clip):
        lengths = []

        @dataclass(frozen=True)
        class Watch(Blend):
            def apply(self, frames, start, progress):
                lengths.append(len(frames))
                return super().apply(frames, start, progress)

        list(stream(Watch(2), cut(np.repeat(clip, 4, 0), 5)))
        assert max(lengths) <= 5 + 2 * 2

    def test_each_link_of_a_chain_makes_every_frame_once(self, clip):
        class Counting(Blend):
            def apply(self, frames, start, progress):
                return self.apply_to(frames, start, range(len(frames)), progress)

            def apply_to(self, frames, start, wanted, progress):
                made.extend((self.reach, start + i) for i in wanted)
                return super().apply(frames, start, progress)[wanted.start : wanted.stop]

        made = []
        chain = Chain((Counting(0), Counting(3), Gain(), Counting(1)))
        got = np.concatenate([frames for _, frames in stream(chain, cut(clip, 1))])
        assert sorted(made) == sorted((reach, i) for reach in (0, 3, 1) for i in range(len(clip)))
        assert np.array_equal(got, run(Chain((Blend(0), Blend(3), Blend(1))), clip))

    def test_a_chain_inside_makes_the_wanted_frames_alone(self, clip):
        chain = Chain((Gain(2.0), Blend(2), Blend(1), Gain(0.5)))
        whole = chain(clip, 5)
        for first, last in ((0, 2), (3, 4), (len(clip) - 1, len(clip))):
            low, high = max(first - 3, 0), min(last + 3, len(clip))
            assert np.array_equal(chain(clip[low:high], 5 + low, wanted=range(first - low, last - low)), whole[first:last])

    @pytest.mark.parametrize("chain", [Chain(), Chain((Gain(),))])
    def test_a_chain_that_changes_nothing_refuses_what_is_no_picture(self, clip, chain):
        bad = clip.copy()
        bad[2, 0, 0, 0] = np.nan
        with pytest.raises(ArrayError, match="NaN"):
            list(stream(chain, cut(bad, 2)))

    def test_an_empty_clip_gives_nothing(self):
        assert list(stream(Blend(1), [])) == []


class TestChain:
    def test_radii_add_and_scales_multiply(self):
        chain = Chain((Blend(2), Double(), Blend(3), Double()))
        assert chain.radius == 5 and chain.scale == 4 and chain.output_size(3, 5) == (12, 20)

    def test_links_run_in_order(self, clip):
        np.testing.assert_array_equal(Chain((Gain(0.5), Blend(1)))(clip), Blend(1)(Gain(0.5)(clip)))

    def test_then_flattens(self):
        assert Chain((Gain(2.0),)).then(Chain((Blend(1), Double()))) == Chain((Gain(2.0), Blend(1), Double()))

    def test_identity_returns_the_very_frames(self, clip):
        assert Chain((Gain(1.0), Gain(1.0)))(clip) is clip

    def test_survey_sees_the_frames_as_they_arrive_there(self, clip):
        chain = Chain((Gain(2.0), Centre(), Gain(0.5), Centre()))
        ready = chain.survey(list(cut(clip, 4)))
        assert not ready.needs_survey
        assert ready.operations[1].mean == pytest.approx(2 * clip.mean(dtype=np.float64), rel=1e-6)
        assert ready.operations[3].mean == pytest.approx(0, abs=1e-6)
        np.testing.assert_array_equal(run(chain, clip), chain.survey([(0, clip)])(clip))

    def test_progress_runs_once_from_start_to_end(self, clip):
        seen = []
        Chain((Gain(0.5), Blend(1)))(clip, progress=lambda done, total: seen.append(done / total))
        assert seen == sorted(seen) and seen[-1] == 1


class TestCalls:
    def test_the_input_is_not_written(self, clip):
        before = clip.copy()
        clip.flags.writeable = False
        Chain((Gain(0.5), Blend(1)))(clip)
        np.testing.assert_array_equal(clip, before)

    def test_alpha_passes_around(self):
        rgba = np.random.default_rng(1).random((3, 4, 5, 4)).astype(np.float32)
        out = Gain(0.5)(rgba)
        np.testing.assert_array_equal(out[..., 3], rgba[..., 3])
        np.testing.assert_array_equal(out[..., :3], Gain(0.5)(rgba[..., :3]))

    def test_alpha_grows_with_the_frame(self):
        rgba = np.ones((2, 4, 5, 4), np.float32)
        assert Double()(rgba).shape == (2, 8, 10, 4) and (Double()(rgba) == 1).all()

    def test_a_refusal_names_the_operation(self, clip):
        clip[4, 1, 2, 0] = np.nan
        with pytest.raises(ArrayError, match=r"^Gain: images: frame 4 holds 1 NaN value, the first at row 1, column 2"):
            Gain(0.5)(clip)

    def test_what_progress_raises_stops_the_work(self, clip):
        done = []

        @dataclass(frozen=True)
        class Count(Gain):
            def frame(self, frame, index, out):
                done.append(index)
                super().frame(frame, index, out)

        def cancel(_done, _total):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Count(0.5)(np.repeat(clip, 20, 0), progress=cancel)
        assert len(done) < 100

    def test_opencv_threads_are_restored(self, clip):
        before = cv2.getNumThreads()
        Gain(0.5)(clip)
        assert cv2.getNumThreads() == before

    def test_an_error_in_a_frame_comes_out(self, clip):
        @dataclass(frozen=True)
        class Broken(FrameOperation):
            def frame(self, frame, index, out):
                raise ZeroDivisionError(index)

        with pytest.raises(ZeroDivisionError):
            Broken()(clip)


class TestSettings:
    def test_they_are_read_off_the_class(self):
        (gain,) = settings_of(Gain)
        assert (gain.name, gain.kind, gain.default, gain.low, gain.high, gain.unit) == ("gain", "float", 1.0, 0, 4, "times")

    @pytest.mark.parametrize("value", [4.5, -1, float("nan"), "3", None, True])
    def test_out_of_range_names_setting_value_and_range(self, value):
        with pytest.raises(SettingError, match=r"Gain: gain is .*; it must be a number between 0 and 4 \(times\)\."):
            Gain(value)

    def test_whole_numbers_stay_whole(self):
        assert Blend(3.0).reach == 3 and isinstance(Blend(np.int64(3)).reach, int)
        with pytest.raises(SettingError, match="a whole number between 0 and 9"):
            Blend(2.5)

    def test_equal_settings_are_equal_operations(self):
        assert Gain(2) == Gain(np.float64(2.0)) and hash(Gain(2)) == hash(Gain(2.0)) and Gain(2) != Gain(2.5)


class TestMasked:
    def test_outside_is_bit_identical_and_inside_is_the_result(self, clip):
        mask = np.zeros((4, 6), np.float32)
        mask[1:3, 2:4] = 1
        mask[0, 0] = 0.25
        out = Masked(operation=Gain(0.3), mask=Mask(mask))(clip)
        result = Gain(0.3)(clip)
        np.testing.assert_array_equal(out[:, mask == 0], clip[:, mask == 0])
        np.testing.assert_array_equal(out[:, mask == 1], result[:, mask == 1])
        np.testing.assert_allclose(out[:, 0, 0], 0.75 * clip[:, 0, 0] + 0.25 * result[:, 0, 0], rtol=1e-6)

    def test_one_mask_a_frame_follows_the_absolute_index(self, clip):
        masks = np.zeros((13, 4, 6), np.float32)
        masks[7] = 1
        masked = Masked(operation=Gain(0.3), mask=Mask(masks))
        whole = masked(clip)
        changed = [i for i in range(13) if (whole[i] != clip[i]).any()]
        assert changed == [7]
        np.testing.assert_array_equal(np.concatenate([f for _, f in stream(masked, cut(clip, 3))]), whole)

    def test_too_few_masks_are_refused(self, clip):
        with pytest.raises(ArrayError, match="mask has 5 frames, the clip at least"):
            Masked(operation=Gain(0.3), mask=Mask(np.ones((5, 4, 6))))(clip)

    def test_another_size_is_resized(self, clip):
        out = Masked(operation=Gain(0.3), mask=Mask(np.ones((1, 64, 64))))(clip)
        np.testing.assert_array_equal(out, Gain(0.3)(clip))

    def test_equality_and_json(self):
        mask = np.random.default_rng(0).random((2, 3, 4)).astype(np.float32)
        one, two = (Masked(operation=Gain(2.0), mask=Mask(mask.copy())) for _ in range(2))
        assert one == two and hash(one) == hash(two)
        assert Mask.from_json(one.mask.to_json()) == one.mask
        assert one != Masked(operation=Gain(2.0), mask=Mask(mask * 0.5))

    def test_a_mask_cannot_blend_another_size(self):
        with pytest.raises(SettingError, match="Double: it changes the frame size"):
            Masked(operation=Double(), mask=Mask(np.ones((2, 2))))


def test_part_maps_into_the_whole():
    seen = []
    part(lambda done, total: seen.append((done, total)), 2, 4)(5, 10)
    assert seen == [(25, 40)]


def test_empty_frames_are_float32():
    assert empty_frames(2, 3, 4, 1).dtype == np.float32
