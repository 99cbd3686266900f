"""Plots: a frame that any node takes, one curve a series, and no global state of matplotlib."""
from __future__ import annotations

import sys

import numpy as np
import pytest

from talkies.core.arrays import to_frames
from talkies.core.measure.plot import plot_series
from talkies.core.report import Report

REPORT = Report("Clip", {}, {"mean": (0.1, 0.5, 0.2), "spread": (1.0, 1.0, 3.0)})


def ink(picture):
    """Share of pixels that are not paper."""
    return float((picture.min(axis=-1) < 0.75).mean())


def hued(picture):
    """Share of pixels that have a colour."""
    return float((np.ptp(picture, axis=-1) > 0.3).mean())


@pytest.mark.parametrize("size", [(1280, 720), (400, 300), (101, 77)])
def test_size_is_as_asked(size):
    picture = plot_series(REPORT, size)
    assert picture.shape == (size[1], size[0], 3) and picture.dtype == np.float32
    assert to_frames(picture).shape == (1, size[1], size[0], 3)
    assert picture.min() >= 0 and picture.max() == 1 and ink(picture) > 0.005


def test_height_grows_with_the_series():
    one = plot_series(Report("Clip", {}, {"mean": (1.0, 2.0)}))
    two = plot_series(REPORT)
    assert two.shape[0] > one.shape[0] and one.shape[1] == two.shape[1]


def test_each_series_draws_a_curve_of_its_own_colour():
    picture = plot_series(REPORT)
    colours = {tuple(c) for c in np.round(255 * picture[np.ptp(picture, axis=-1) > 0.6]).astype(int).tolist()}
    assert (0x00, 0x72, 0xB2) in colours and (0xD5, 0x5E, 0x00) in colours


def test_the_values_are_drawn():
    up = plot_series(Report("Clip", {}, {"mean": tuple(np.linspace(0, 1, 50))}))
    down = plot_series(Report("Clip", {}, {"mean": tuple(np.linspace(1, 0, 50))}))
    left = np.s_[:, 150:500]
    rows_up = np.argwhere(np.ptp(up[left], axis=-1) > 0.6)[:, 0]
    rows_down = np.argwhere(np.ptp(down[left], axis=-1) > 0.6)[:, 0]
    assert rows_up.mean() > rows_down.mean() + 20


def test_one_frame_shows_as_a_point_and_nothing_as_a_sentence():
    assert hued(plot_series(Report("Clip", {}, {"mean": (0.5,)}))) > 1e-4
    assert ink(plot_series(Report("Clip"))) > 0.001
    assert ink(plot_series(Report("Clip", {}, {"mean": ()}))) > 0.001


def test_letters_can_be_read_at_half_size():
    picture = plot_series(REPORT)
    title = picture[:60].min(axis=-1) < 0.5
    rows = np.flatnonzero(title.any(axis=1))
    assert np.ptp(rows) >= 20


def test_same_picture_each_time_and_no_pyplot():
    before = "matplotlib.pyplot" in sys.modules
    assert np.array_equal(plot_series(REPORT), plot_series(REPORT))
    assert ("matplotlib.pyplot" in sys.modules) == before
