"""Two clips compared: the figures mean what they say, and do not depend on how the clips arrive."""
from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from talkies.core.measure.comparison import EQUAL_DB, compare, heat_map
from talkies.core.measure.unrest import luma
from talkies.core.operation import cut
from talkies.core.video.moments import Moments


def smooth_picture(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    noise = np.random.default_rng(seed).random((height + 16, width + 16, 3))
    for axis in (0, 1):
        noise = np.apply_along_axis(lambda line: np.convolve(line, np.ones(9) / 9, "same"), axis, noise)
    return noise[8:-8, 8:-8].astype(np.float32)


def still(count: int = 8) -> np.ndarray:
    return np.repeat(smooth_picture(1)[None], count, 0)


def compared(before: np.ndarray, after: np.ndarray, sizes: tuple[int, int] = (3, 5), **options):
    return compare(cut(before, sizes[0]), cut(after, sizes[1]), **options)


def test_figures_are_those_of_scikit_image():
    before = still(2)
    after = np.clip(before + np.random.default_rng(2).normal(0, 0.05, before.shape), 0, 1).astype(np.float32)
    found = compared(before, after)
    for i in range(2):
        assert found.psnr[i] == pytest.approx(peak_signal_noise_ratio(before[i], after[i], data_range=1), abs=1e-3)
        expected = structural_similarity(luma(before[i]), luma(after[i]), data_range=1, gaussian_weights=True, sigma=1.5,
                                         use_sample_covariance=False)
        assert found.ssim[i] == pytest.approx(expected, abs=1e-4)


def test_equal_clips_are_equal():
    found = compared(still(), still())
    assert set(found.psnr) == {EQUAL_DB} and min(found.ssim) == pytest.approx(1)
    assert found.report().figures["frames equal bit for bit"] == 8 and not found.heat.any()


@settings(max_examples=12, deadline=None)
@given(first=st.integers(1, 9), second=st.integers(1, 9))
def test_how_the_clips_arrive_does_not_matter(first, second):
    random = np.random.default_rng(3)
    before, after = (random.random((7, 20, 24, 3), np.float32) for _ in range(2))
    assert compared(before, after, (first, second)) == compared(before, after, (7, 7))


def test_flicker_sees_pumping_and_neither_fades_nor_steady_noise():
    pumping = still() * np.array([1, 0.9] * 4, np.float32)[:, None, None, None]
    fading = still() * np.linspace(1, 0.5, 8, dtype=np.float32)[:, None, None, None]
    level = still()[0].mean() * 255
    found = compared(pumping, fading)
    assert found.flicker_before[3] == pytest.approx(0.1 * level, rel=0.1)
    assert max(found.flicker_after) < 0.01 and found.flicker_before[0] == found.flicker_before[-1] == 0


def test_jitter_is_the_change_of_motion_in_pixels():
    wide = smooth_picture(4, 96, 160)
    steady = np.stack([wide[:, 3 * i : 3 * i + 96] for i in range(8)])
    shaking = np.stack([wide[:, 20 + 2 * (i % 2) :][:, :96] for i in range(8)])
    found = compared(steady, shaking)
    assert np.median(found.jitter_before[2:]) < 0.3  # a pan is motion, not jitter
    assert np.median(found.jitter_after[2:]) == pytest.approx(4, abs=0.6)  # +2 px, then -2 px


def test_sizes_channels_and_lengths_may_differ():
    before, after = still(5)[..., :1], np.repeat(np.repeat(still(8), 2, 1), 2, 2)
    found = compared(before, np.concatenate((after, np.ones_like(after[..., :1])), -1))
    figures = found.report().figures
    assert figures["frames compared"] == 5 and found.resized
    assert figures["compared at (px)"] == "128x96, the first resized to the second"


def test_one_frame_is_enough_and_none_is_refused():
    assert len(compared(still(1), still(1)).jitter_after) == 1
    with pytest.raises(ValueError, match="without frames"):
        compare(iter(()), cut(still(), 2))


def test_the_watcher_sees_every_pair_in_order_and_a_cancel_passes():
    seen = []
    compared(still(), still(), watcher=lambda index, a, b: seen.append((index, a.shape, b.shape)))
    assert [s[0] for s in seen] == list(range(8))

    def cancel(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compared(still(), still(), progress=cancel)


def test_the_heat_map_is_black_where_nothing_differs_and_brightest_where_most():
    difference = np.zeros((8, 8), np.float32)
    difference[2, 3] = 0.25
    picture = heat_map(difference, 0.25)
    assert picture.shape == (8, 8, 3) and picture.dtype == np.float32
    assert picture[0, 0].max() < 0.02 and picture[2, 3].min() > 0.6


@given(count=st.integers(1, 300), most=st.integers(2, 20))
@settings(max_examples=30, deadline=None)
def test_moments_are_bounded_and_evenly_spread(count, most):
    kept = Moments(most, 8)
    for index in range(count):
        kept.see(index, np.zeros((4, 4, 3), np.float32))
    places = sorted(kept.kept)
    assert len(places) <= most and len(places) >= min(count, most / 2) and places[0] == 0
    assert len({b - a for a, b in pairwise(places)}) <= 1 and count - 1 - places[-1] < kept.step
