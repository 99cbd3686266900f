"""Smoothing from the track alone: against recorded numbers, and on tracks whose truth is known."""
from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from face_scenes import fast_part
from hypothesis import given, settings
from hypothesis import strategies as st

from talkies.core.face.align import align, latentsync_matrices
from talkies.core.face.smooth import one_euro, savgol
from talkies.core.face.smooth.select import Smoothing, smooth
from talkies.core.face.smooth.whittaker import choose_stiffness, whittaker
from talkies.core.face.template import template
from talkies.core.face.track import track_from_points
from talkies.core.operation import cut, stream
from talkies.core.settings import SettingError

FPS = Fraction(25)


def rms(error):
    return float(np.sqrt(np.square(error).sum(-1).mean()))


def all_found(points):
    return np.ones(len(points), bool)


class TestPublished:
    @pytest.mark.parametrize("name, points", [("synth", "synth_noisy"), ("real", "real_lm3")])
    def test_enhanced_is_number_for_number(self, goldens, name, points):
        made = savgol.smooth_series(np.round(goldens[points]), FPS, savgol.ENHANCED)
        assert np.abs(made - goldens[f"{name}_seed_enhanced_lm"]).max() < 1e-9

    @pytest.mark.parametrize("name, points", [("synth", "synth_noisy"), ("real", "real_lm3")])
    def test_ultra_is_number_for_number_to_the_matrices(self, goldens, name, points):
        made = savgol.smooth_series(np.round(goldens[points]), FPS, savgol.ULTRA)
        assert np.abs(made - goldens[f"{name}_seed_ultra_lm"]).max() < 1e-9
        matrices = savgol.smooth_matrices(latentsync_matrices(made, template(), rounded=False), FPS)
        assert np.abs(matrices - goldens[f"{name}_seed_ultra_M256"]).max() < 2e-3

    def test_the_whole_way_gives_the_same_matrices(self, goldens):
        from talkies.core.face.anchors import brows_and_nose
        rng = np.random.default_rng(0)
        points = np.stack([goldens["real_scrfd5"][0] + rng.normal(0, 1, (5, 2)) + (np.sin(t / 9) * 20, 0) for t in range(60)])
        track = track_from_points(list(points), "points5", (1920, 1080), FPS)
        made = smooth(track, Smoothing(method="ultra"), fit="latentsync").track.matrices
        landmarks = savgol.smooth_series(np.round(brows_and_nose(points, "points5")), FPS, savgol.ULTRA)
        want = savgol.smooth_matrices(latentsync_matrices(landmarks, template(), rounded=False), FPS)
        assert np.allclose(made, want)

    def test_windows_last_as_long_at_any_rate(self):
        time = np.arange(0, 8, 0.01)
        wave = np.sin(2 * np.pi * 1.0 * time)[:, None, None]
        gains = []
        for step in (2, 4, 8):  # 50, 25 and 12.5 fps
            series = wave[::step]
            made = savgol.smooth_series(series, Fraction(100, step), savgol.ENHANCED)
            inner = slice(len(series) // 4, -(len(series) // 4))
            gains.append(made[inner].std() / series[inner].std())
        assert max(gains) - min(gains) < 0.06 and 0.75 < gains[1] < 0.9

    def test_parameters_have_the_published_names(self):
        points = np.random.default_rng(1).normal(0, 1, (60, 5, 2)) + np.arange(5)[:, None] * 20
        track = track_from_points(list(points), "points5", (99, 99), FPS)
        one = smooth(track, Smoothing(method="ultra", landmark_params=(("primary_window", 11), ("gaussian_sigma", 0.8))))
        other = smooth(track, Smoothing(method="ultra"))
        assert not np.allclose(one.track.matrices, other.track.matrices)
        assert Smoothing(method="ultra", landmark_params={"primary_window": 11}).landmark_params == (("primary_window", 11),)
        with pytest.raises(SettingError, match="primary_windows"):
            Smoothing(landmark_params=(("primary_windows", 11),))
        with pytest.raises(SettingError, match="temporal_alpha"):
            Smoothing(temporal_alpha=1.5)

    def test_presets_are_the_documents(self):
        talking, motion = Smoothing(method="ultra", preset="talking_head"), Smoothing(method="ultra", preset="high_motion")
        assert talking.pixel_blend.alpha == 0.4 and motion.pixel_blend.alpha == 0.2
        assert Smoothing(method="ultra").pixel_blend.alpha == 0.3 and Smoothing().pixel_blend.alpha == 0
        assert Smoothing(temporal_alpha=0.7).pixel_blend.alpha == 0.7

    def test_nothing_is_smoothed_across_a_cut(self):
        points = np.random.default_rng(1).normal(0, 0.3, (60, 5, 2)) + np.arange(5)[:, None] * (20, 5)
        points[30:] += 300
        track = track_from_points(list(points), "points5", (500, 500), FPS)
        assert track.cuts == (30,)
        for method in ("enhanced", "ultra", "whittaker", "one_euro"):
            moved = smooth(track, Smoothing(method=method)).track
            assert np.linalg.norm(moved.anchors - track.anchors, axis=-1).max() < 6


class TestTemporalBlend:
    def test_is_the_exponential_average(self):
        clip = np.random.default_rng(0).random((40, 4, 5, 3)).astype(np.float32)
        want = clip[0]
        made = savgol.TemporalBlend(0.4)(clip)
        for i in range(1, 40):
            want = 0.4 * want + 0.6 * clip[i]
            assert np.abs(made[i] - want).max() < 2e-3

    def test_chunks_do_not_show(self):
        clip = np.random.default_rng(0).random((40, 4, 5, 3)).astype(np.float32)
        blend = savgol.TemporalBlend(0.5)
        for size in (1, 7, 39):
            made = np.concatenate([f for _, f in stream(blend, cut(clip, size))])
            assert np.array_equal(made, blend(clip))

    def test_zero_changes_nothing(self):
        clip = np.random.default_rng(0).random((3, 4, 5, 3)).astype(np.float32)
        assert savgol.TemporalBlend(0.0)(clip) is clip


class TestWhittaker:
    def test_halves_the_error_of_the_recorded_track(self, goldens):
        noisy, true = goldens["synth_noisy"], goldens["synth_true"]
        raw = rms(noisy - true)
        for stiffness in (1.0, choose_stiffness(noisy, all_found(noisy), FPS)):
            assert rms(whittaker(noisy, all_found(noisy), FPS, stiffness) - true) < 0.58 * raw
        assert rms(savgol.smooth_series(noisy, FPS, savgol.ENHANCED) - true) > 2 * raw

    def test_throws_six_strays_out(self, goldens):
        noisy, true = goldens["synth_noisy"].copy(), goldens["synth_true"]
        frames = np.random.default_rng(2).choice(120, 6, replace=False)
        noisy[frames] += 60 * np.array([np.cos(1.0), np.sin(1.0)])
        error = whittaker(noisy, all_found(noisy), FPS) - true
        assert rms(error) <= 3 and np.linalg.norm(error, axis=-1).max() < 8

    def test_a_cut_stays_sharp(self, goldens):
        noisy, true = goldens["synth_noisy"].copy(), goldens["synth_true"].copy()
        for points in (noisy, true):
            points[60:] += (250, 0)
        track = track_from_points(list(np.concatenate((noisy, noisy[:, :2] + (0, 40)), 1)), "points5", (1920, 1080), FPS)
        assert track.cuts == (60,)
        error = np.linalg.norm(whittaker(noisy, all_found(noisy), FPS, cuts=track.cuts) - true, axis=-1)
        assert error[55:65].max() <= 6

    def test_a_parabola_stays_one(self):
        time = np.arange(40.0)
        points = np.stack((0.1 * time**2, 3 * time), -1)[:, None].repeat(3, 1)
        assert np.abs(whittaker(points, all_found(points), FPS, 1000.0) - points).max() < 1e-4

    def test_a_gap_is_bridged_smoothly(self):
        time = np.arange(60) / 25
        points = np.stack((20 * np.sin(2 * np.pi * 0.5 * time), 5 * time), -1)[:, None] + np.array([[0, 0], [100, 0], [50, 60]])
        found = all_found(points)
        found[25:35] = False
        spoilt = points.copy()
        spoilt[~found] = 1e3
        assert np.abs(whittaker(spoilt, found, FPS, 0.1) - points).max() < 0.5

    @given(st.integers(1, 12), st.integers(0, 999), st.floats(1e-3, 1e4))
    @settings(max_examples=60, deadline=None)
    def test_any_length_and_any_gaps_give_finite_paths(self, count, seed, stiffness):
        rng = np.random.default_rng(seed)
        points, found = rng.normal(0, 50, (count, 3, 2)), rng.random(count) < 0.6
        cuts = tuple(int(c) for c in np.flatnonzero(rng.random(count) < 0.2) if c)
        made = whittaker(points, found, FPS, stiffness, cuts)
        assert np.isfinite(made).all() and np.abs(made).max() < 1e4

    def test_a_steady_detector_gets_less_than_a_shaky_one(self):
        time = np.arange(150) / 25
        path = 8 * np.sin(2 * np.pi * 4 * time)[:, None, None] * np.ones((1, 3, 2))
        rng = np.random.default_rng(0)
        steady, shaky = (choose_stiffness(path + rng.normal(0, s, path.shape), np.ones(150, bool), FPS) for s in (0.05, 6.0))
        assert steady < shaky and steady < 0.1

    def test_fps_does_not_change_the_result(self):
        time = np.arange(200) / 50
        path = 10 * np.sin(2 * np.pi * 2.5 * time)[:, None, None] * np.ones((1, 3, 2))
        fast, slow = whittaker(path, all_found(path), Fraction(50), 3.0), whittaker(path[::2], np.ones(100, bool), FPS, 3.0)
        # Twice the frames are twice the data, so the same penalty weighs half; sixth powers leave little of that.
        inner = slice(20, 80)
        assert abs(fast[::2][inner].std() / slow[inner].std() - 1) < 0.25


class TestOneEuro:
    def test_never_looks_ahead(self):
        rng = np.random.default_rng(0)
        points = rng.normal(0, 2, (50, 3, 2)) + np.array([[0, 0], [100, 0], [50, 50]])
        other = points.copy()
        other[30:] += 40
        one, two = (one_euro.one_euro(p, np.ones(50, bool), FPS) for p in (points, other))
        assert np.array_equal(one[:30], two[:30]) and not np.allclose(one[30:], two[30:])

    def test_is_steady_at_rest_and_close_in_motion(self):
        rng = np.random.default_rng(0)
        rest = np.tile(np.array([[0.0, 0], [100, 0], [50, 50]]), (200, 1, 1))
        noisy = rest + rng.normal(0, 1, rest.shape)
        still = one_euro.one_euro(noisy, np.ones(200, bool), FPS)
        assert rms(fast_part(still[50:], FPS)) < 0.55 * rms(fast_part(noisy[50:], FPS))
        run = rest + (np.arange(200) * 8.0)[:, None, None]
        assert np.linalg.norm((one_euro.one_euro(run, np.ones(200, bool), FPS) - run)[50:], axis=-1).max() < 12

    def test_scale_does_not_matter(self):
        rng = np.random.default_rng(0)
        points = rng.normal(0, 2, (50, 3, 2)) + np.array([[0, 0], [100, 0], [50, 50]])
        one, two = (one_euro.one_euro(k * points, np.ones(50, bool), FPS) for k in (1, 4))
        assert np.allclose(4 * one, two)

    def test_holds_in_a_gap(self):
        points = np.tile(np.array([[0.0, 0], [100, 0], [50, 50]]), (10, 1, 1)) + np.arange(10)[:, None, None]
        found = np.ones(10, bool)
        found[4:7] = False
        made = one_euro.one_euro(points, found, FPS)
        assert np.array_equal(made[4], made[3]) and np.array_equal(made[6], made[3])


def test_none_gives_the_points_back():
    points = np.random.default_rng(1).normal(0, 1, (6, 5, 2)) + np.arange(5)[:, None] * (20, 9)
    track = track_from_points(list(points), "points5", (99, 99), FPS)
    moved = smooth(track, Smoothing(method="none")).track
    assert np.array_equal(moved.points, points) and np.array_equal(moved.matrices, align(track).matrices)
    kept = smooth(replace(align(track, 64, "natural")), Smoothing(method="whittaker")).track
    assert kept.crop == template(64, "natural")
