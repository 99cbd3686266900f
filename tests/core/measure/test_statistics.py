"""Statistics: NumPy's figures, the same wherever the clip is cut, and honest about values that are no numbers."""
from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from operation_tester import made_clip

from talkies.core.measure.statistics import FrameStatistics, frame_mean, frame_statistics, joined


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("height, width", [(1, 1), (1, 7), (31, 47), (64, 64)])
def test_figures_are_those_of_numpy(channels, height, width):
    clip = made_clip(5, height, width, channels) * 5 - 2
    colours = clip[..., :3].astype(np.float64)
    found = frame_statistics(clip)
    assert found.mean == pytest.approx(colours.mean((1, 2, 3)), abs=1e-12)
    assert found.deviation == pytest.approx(colours.std((1, 2, 3)), abs=1e-12)
    assert found.minimum == tuple(colours.min((1, 2, 3))) and found.maximum == tuple(colours.max((1, 2, 3)))
    assert found.change == pytest.approx([0, *np.abs(np.diff(colours, axis=0)).mean((1, 2, 3))], abs=1e-12)
    assert found.nonfinite == (0,) * 5
    assert frame_mean(clip[2]) == found.mean[2]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("keep_axis", [True, False])
def test_cuts_do_not_show(size, keep_axis):
    clip = made_clip(6, 20, 30)
    parts, previous = [], None
    for first in range(0, 6, size):
        run = clip[first : first + size]
        parts.append(frame_statistics(run, previous))
        previous = run[-1:] if keep_axis else run[-1]
    assert joined(parts) == frame_statistics(clip)


def test_constant_frames_do_not_deviate():
    assert frame_statistics(np.full((2, 37, 53, 3), 0.1, np.float32)).deviation == (0.0, 0.0)


def test_values_that_are_no_numbers_are_counted_and_left_out():
    clip = made_clip(4, 9, 9)
    clip[1, 2, 3] = np.nan
    clip[1, 0, 0, 0] = np.inf
    clip[2] = -np.inf
    found = frame_statistics(clip)
    good = np.isfinite(clip[1])
    assert found.nonfinite == (0, 4, 243, 0)
    assert found.mean[1] == pytest.approx(clip[1][good].mean(dtype=np.float64), abs=1e-9)
    assert found.maximum[1] == clip[1][good].max()
    assert found.change[1] == pytest.approx(np.abs(clip[1] - clip[0])[good].mean(dtype=np.float64), abs=1e-7)
    assert (found.mean[2], found.change[2], found.change[3]) == (0, 0, 0)
    json.dumps(found.report("clip").to_json(), allow_nan=False)


def test_report_sums_up_the_clip():
    clip = np.repeat(np.float32([0.2, 0.4, 0.3]), 12).reshape(3, 2, 2, 3)
    report = frame_statistics(clip).report("Frame Adjust")
    assert report.title == "Frame Adjust"
    figures = report.figures
    assert figures["frames"] == 3
    assert figures["mean"] == pytest.approx(0.3) and figures["brightness range over the clip"] == pytest.approx(0.2)
    assert figures["mean change from frame to frame"] == pytest.approx(0.15)
    assert figures["largest change from frame to frame"] == pytest.approx(0.2)
    assert report.series["mean"] == pytest.approx([0.2, 0.4, 0.3])
    assert "standard deviation" in report.to_text()


def test_nothing_is_no_frames():
    assert joined([]) == FrameStatistics()
    assert joined([]).report("nothing").figures == {"frames": 0}


def test_another_size_before_is_refused():
    with pytest.raises(ValueError, match=r"previous has shape \[4, 4, 3\], the frames \[5, 4, 3\]"):
        frame_statistics(made_clip(2, 5, 4), made_clip(1, 4, 4))


def test_progress_may_cancel():
    def cancel(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        frame_statistics(made_clip(), None, cancel)


def test_no_copy_of_the_clip_is_made():
    clip = np.random.default_rng(1).random((4, 256, 256, 3), np.float32)
    frame_statistics(clip)
    tracemalloc.start()
    frame_statistics(clip)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < clip[0].nbytes / 2
