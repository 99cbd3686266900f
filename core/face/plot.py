"""The picture of a smoothing: the path before and after, the shake of every frame, which frames were found, where the cuts are."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Frame, contiguous, from_uint8
from ..report import Report
from .anchors import eye_distance
from .track import FaceTrack

_BEFORE, _AFTER, _FILLED, _CUT = "#9a9a9a", "#c8452b", "#e8c34a", "#2b5fc8"


@dataclass(frozen=True)
class PathSeries:
    """What the plot shows, as plain numbers, one a frame; times in seconds, places in px of the frame."""

    time: tuple[float, ...]
    before_x: tuple[float, ...]
    before_y: tuple[float, ...]
    after_x: tuple[float, ...]
    after_y: tuple[float, ...]
    shake_before: tuple[float, ...]
    shake_after: tuple[float, ...]
    filled: tuple[bool, ...]
    fallback: tuple[bool, ...]
    cuts: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON values."""
        return {name: list(getattr(self, name)) for name in self.__dataclass_fields__}


def path_series(before: FaceTrack, after: FaceTrack, report: Report) -> PathSeries:
    """Gather the series of a smoothing: of the raw track, the smoothed one, and the report on it.

    Shake is in px of the crop, from each frame to the next; empty where no motion was measured. Cuts count from the first frame.
    """
    rate = float(before.fps)
    (bx, by), (ax, ay) = (t.anchors.mean(1).T for t in (before, after))
    time, x0, y0, x1, y1 = (tuple(float(v) for v in s) for s in (np.arange(len(before)) / rate, bx, by, ax, ay))
    shake_before, shake_after = (tuple(report.series.get(f"shake {name} (px)", ())) for name in ("before", "after"))
    fallback = tuple(bool(v) for v in report.series.get("fallback", ()))
    return PathSeries(time, x0, y0, x1, y1, shake_before, shake_after, tuple(before.filled.tolist()), fallback, after.local_cuts)


def plot(before: FaceTrack, after: FaceTrack, report: Report, width: int = 1024, height: int = 640) -> Frame:
    """Draw it as a frame ``[height,width,3]``, 0..1."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    series = path_series(before, after, report)
    figure = Figure(figsize=(width / 100, height / 100), dpi=100, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    rows = figure.subplots(3, 1, sharex=True, height_ratios=(2, 2, 1.4))
    across, down = ("across", series.before_x, series.after_x), ("down", series.before_y, series.after_y)
    for axes, (name, first, second) in zip(rows, (across, down), strict=False):
        axes.plot(series.time, first, color=_BEFORE, linewidth=1.0, label="before")
        axes.plot(series.time, second, color=_AFTER, linewidth=1.2, label="after")
        axes.set_ylabel(f"{name} (px)")
    if series.shake_before:
        rows[2].plot(series.time[1:], series.shake_before, color=_BEFORE, linewidth=0.9)
        rows[2].plot(series.time[1:], series.shake_after, color=_AFTER, linewidth=1.1)
        rows[2].set_ylim(bottom=0)
    else:
        rows[2].text(0.5, 0.5, "shake needs the pictures", transform=rows[2].transAxes, ha="center", va="center", color=_BEFORE)
    rows[2].set_ylabel("shake (crop px)")
    rows[2].set_xlabel("time (s)")
    half = 0.5 / float(before.fps)
    for axes in rows:
        axes.grid(alpha=0.25)
        for frame in np.flatnonzero(series.filled):
            axes.axvspan(series.time[frame] - half, series.time[frame] + half, color=_FILLED, alpha=0.45, linewidth=0)
        for cut in series.cuts:
            axes.axvline(series.time[cut] - half, color=_CUT, linestyle="--", linewidth=1)
    rows[0].legend(loc="upper right", frameon=False, ncols=2)
    rows[0].set_title(_title(before, report), loc="left", fontsize=10)
    canvas.draw()
    drawn: Any = canvas.buffer_rgba()
    return from_uint8(contiguous(np.asarray(drawn, np.uint8)[..., :3]))


def _title(track: FaceTrack, report: Report) -> str:
    figures = report.figures
    text = f"{figures['method']}, {track.detector}, {len(track)} frames"
    if "shake reduction (%)" in figures:
        text += f": shake {figures['shake before (crop px RMS)']} to {figures['shake after (crop px RMS)']} px"
    if track.filled.any():
        text += f", {int(track.filled.sum())} filled"
    return text + f"  (eyes {np.median(eye_distance(track.points, track.scheme)):.0f} px apart)"
