"""Gaps, cuts, and the picture of a smoothing."""
from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkies.core.face.fill import NoFaceInClipError, fill_gaps, longest_gap, segments
from talkies.core.face.plot import path_series, plot
from talkies.core.face.scene import SceneWatch, track_cuts
from talkies.core.face.smooth.select import smooth
from talkies.core.face.track import track_from_points

BASE = np.array([[100.0, 100], [200, 100], [150, 160]])


def watched(frames):
    watch = SceneWatch()
    for frame in frames:
        watch.see(frame)
    return watch.cuts()


class TestFill:
    @given(st.integers(1, 15), st.integers(0, 9999))
    @settings(max_examples=80, deadline=None)
    def test_found_frames_keep_their_bits_and_the_rest_lies_between_neighbours(self, count, seed):
        rng = np.random.default_rng(seed)
        points, found = rng.normal(0, 50, (count, 2, 2)), rng.random(count) < 0.5
        found[rng.integers(count)] = True
        points[~found] = np.nan
        cuts = tuple(int(c) for c in np.flatnonzero(rng.random(count) < 0.2) if c)
        made = fill_gaps(points, found, cuts)
        assert np.array_equal(made[found], points[found]) and np.isfinite(made).all()
        assert made.max() <= points[found].max() + 1e-9 and made.min() >= points[found].min() - 1e-9

    def test_lines_inside_and_the_nearest_at_the_ends(self):
        points = np.array([np.nan, 10, np.nan, np.nan, 40, np.nan])[:, None, None] * np.ones((1, 1, 2))
        made = fill_gaps(points, ~np.isnan(points[:, 0, 0]))
        assert made[:, 0, 0].tolist() == [10, 10, 20, 30, 40, 40]

    def test_nothing_is_drawn_across_a_cut(self):
        points = np.array([10, np.nan, np.nan, 40])[:, None, None] * np.ones((1, 1, 2))
        assert fill_gaps(points, ~np.isnan(points[:, 0, 0]), (2,))[:, 0, 0].tolist() == [10, 10, 40, 40]

    def test_nothing_found_is_an_error(self):
        with pytest.raises(NoFaceInClipError):
            fill_gaps(np.full((3, 2, 2), np.nan), np.zeros(3, bool))

    def test_counting(self):
        assert longest_gap(np.array([1, 0, 0, 1, 0, 1], bool)) == 2 and longest_gap(np.ones(3, bool)) == 0
        assert segments(9, (3, 3, 0, 9)) == (slice(0, 3), slice(3, 9))


class TestTrackCuts:
    def test_a_lasting_jump_is_a_cut_wherever_it_falls(self):
        rng = np.random.default_rng(0)
        for at in (1, 2, 3, 15, 27, 28, 29):
            points = BASE + rng.normal(0, 1, (30, 3, 2))
            points[at:] += (250, 30)
            assert track_cuts(points, np.ones(30, bool)) == (at,)

    def test_a_stray_a_run_and_jitter_are_none(self):
        rng = np.random.default_rng(0)
        points = BASE + rng.normal(0, 3, (30, 3, 2))
        assert track_cuts(points, np.ones(30, bool)) == ()
        stray = points.copy()
        stray[12] += 300
        assert track_cuts(stray, np.ones(30, bool)) == ()
        run = points + (np.arange(30) * 60.0)[:, None, None]
        assert track_cuts(run, np.ones(30, bool)) == ()

    def test_a_jump_over_a_gap_is_cut_at_its_end(self):
        points = np.tile(BASE, (30, 1, 1))
        points[15:] += 250
        found = np.ones(30, bool)
        found[12:18] = False
        assert track_cuts(fill_gaps(points, found), found) == (18,)


class TestSceneWatch:
    @pytest.fixture
    def shots(self, scene):
        other = np.random.default_rng(0).random((10, 20, 22, 3)).astype(np.float32).repeat(15, 1).repeat(15, 2)
        other[:] = other[0]
        return scene.frames[:20], other[:, :300]

    def test_a_change_of_shot_is_a_cut(self, shots):
        one, other = shots
        assert watched([*one, *other, *one]) == (20, 30)

    def test_motion_light_and_flashes_are_none(self, shots, scene):
        assert watched(scene.frames) == ()
        assert watched([f * (0.3 + 0.7 * i / 20) for i, f in enumerate(shots[0])]) == ()
        flash = [f.copy() for f in shots[0]]
        flash[9] = np.clip(flash[9] * 0.6 + 0.4, 0, 1)
        assert watched(flash) == ()

    def test_few_frames_and_black_ones(self, scene):
        assert watched(scene.frames[:1]) == () and watched([]) == ()
        assert watched(np.zeros((5, 40, 40, 3), np.float32)) == ()
        assert watched([np.zeros((1, 1, 1), np.float32), np.ones((1, 1, 1), np.float32)]) == ()


class TestPlot:
    def test_shows_paths_gaps_and_cuts(self, scene):
        found = np.ones(60, bool)
        found[20:26] = False
        points = scene.detected(1.0).points.copy()
        points[40:] += 200
        raw = track_from_points([p if f else None for p, f in zip(points, found, strict=True)], "points5", (600, 600), scene.fps)
        result = smooth(raw)
        picture = plot(raw, result.track, result.report, 800, 500)
        assert picture.shape == (500, 800, 3) and picture.dtype == np.float32 and picture.min() >= 0 and picture.max() == 1
        for colour in ((200, 69, 43), (43, 95, 200)):  # the path after, the cut
            assert (np.abs(picture * 255 - colour).max(-1) < 6).sum() > 50
        series = path_series(raw, result.track, result.report)
        assert sum(series.filled) == 6 and series.cuts == (40,) and len(series.time) == 60 and series.shake_before == ()
        assert set(series.to_json()) >= {"time", "before_x", "after_y", "filled", "cuts"}

    def test_shake_of_every_pair_when_it_was_measured(self, scene):
        raw = scene.detected(1.0)
        result = smooth(raw, clip=scene.clip())
        series = path_series(raw, result.track, result.report)
        assert len(series.shake_before) == len(series.shake_after) == 59
        assert np.mean(series.shake_after) < 0.3 * np.mean(series.shake_before)
        assert not np.array_equal(plot(raw, result.track, result.report), plot(raw, raw, result.report))

    def test_one_frame(self, scene):
        raw = scene.track(scene.points[:1])
        result = smooth(raw)
        assert plot(raw, result.track, result.report, 300, 240).shape == (240, 300, 3)
        assert raw.fps == Fraction(25)
