"""Every smoothing side by side on one detection: how steady its crops are, in figures and as a picture.

Crops are compared as they are cut, without the pixel filter that goes with ``ultra``: its blending of frames lowers the warp MAE by
ghosts, not by steadiness.
"""
from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..core.arrays import Frame, Frames, Matrices, contiguous, from_uint8
from ..core.face.align import AlignFace, Fit
from ..core.face.anchors import Points, Scheme
from ..core.face.detect.auto import open_detector
from ..core.face.detect.interface import DetectorError, NoFaceError
from ..core.face.detect.scheme import STEADY
from ..core.face.find import FaceSearch, find_face
from ..core.face.smooth.select import Method, Smoothing, smooth
from ..core.face.track import FaceTrack
from ..core.measure.motion import residual_above, steadiness
from ..core.video.clip import FrameSource
from ..host.progress import node_progress
from ..nodes.form import runs_of

METHODS: tuple[Method, ...] = ("none", "enhanced", "ultra", "one_euro", "whittaker", "fused")

INDEPENDENT = ("mesh", "scrfd", "yunet", "face_alignment")
"""Detectors that may judge another one's track, the quickest of those with little noise first. The built-in one is not among them: its
boxes shake more than any crop."""

_LEAST_FOUND = 0.9
_COLOURS = {"none": "#9a9a9a", "enhanced": "#d99a2b", "ultra": "#8a5fb0", "one_euro": "#3a9a6a", "whittaker": "#2b5fc8", "fused": "#c8452b"}


@dataclass(frozen=True)
class Row:
    """One method's figures: see `core.measure.motion` for the first three. `residual` is None where no second detector is here."""

    method: Method
    shake: float
    warp_mae: float
    residual: float | None
    lag: float
    seconds: float
    shake_series: tuple[float, ...]
    track: FaceTrack = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Give the figures as plain JSON values."""
        return {"shake (crop px)": self.shake, "warp MAE (levels)": self.warp_mae, "residual above 3 Hz (crop px)": self.residual,
                "lag (frames)": self.lag, "seconds": self.seconds, "shake of each pair (crop px)": list(self.shake_series)}


def independent(source: FrameSource, track: FaceTrack, folders: Sequence[Path], device: str) -> FaceTrack | None:
    """Find the same face with another detector than the track's: the first of `INDEPENDENT` that is here and sees it; None if none."""
    info = source.info
    x, y = track.anchors[int(np.argmax(track.found))].mean(0)
    places = {"point_x": min(max(x / info.width, 0.0), 1.0), "point_y": min(max(y / info.height, 0.0), 1.0)}
    for name in INDEPENDENT:
        if name == track.detector:
            continue
        try:
            opened = open_detector(name, folders, device=device)
            search = FaceSearch(face="nearest", **places)
            found = find_face(runs_of(source), (info.height, info.width), info.fps, search, folders, given=opened.detector,
                              progress=node_progress(name), total=info.frames or 0)
        except (DetectorError, NoFaceError):
            continue  # it is not installed, or sees nothing here; the next one may
        if len(found.track) == len(track) and found.track.found.mean() >= _LEAST_FOUND:
            return found.track
    return None


def compare(
    source: FrameSource, track: FaceTrack, smoothing: Smoothing, motion_seconds: float, other: FaceTrack | None, fit: Fit
) -> tuple[Row, ...]:
    """Run every method on one aligned raw track with its measured motion, and measure the crops in one reading of the clip.

    Args:
        source: the clip.
        track: raw, aligned, with motion.
        smoothing: settings of the method that was chosen; the other methods run with their defaults.
        motion_seconds: how long measuring the motion took; counts for ``fused``, which alone needs it.
        other: the same face by an independent detector, or None.
        fit: how matrices are made.
    """
    rows, meters = [], []
    for method in METHODS:
        started = time.monotonic()
        settings = smoothing if method == smoothing.method else Smoothing(method)
        smoothed = smooth(track, settings, fit=fit)
        seconds = time.monotonic() - started + (motion_seconds if method == "fused" else 0.0)
        residual = None if other is None else _residual(smoothed.track, other)
        rows.append(Row(method, 0.0, 0.0, residual, float(smoothed.report.figures["lag (frames)"]), seconds, (), smoothed.track))
        meters.append(_Meter(AlignFace(published=fit == "latentsync", track=smoothed.track), smoothed.track.cuts))
    progress = node_progress("crops of every method")
    for start, frames in runs_of(source):
        for meter in meters:
            meter.see(start, frames)
        progress(start + len(frames), len(track))
    return tuple(meter.judged(row) for meter, row in zip(meters, rows, strict=True))


@dataclass
class _Meter:
    """Measures the crops of one track as the frames pass, holding one crop."""

    cutter: AlignFace
    cuts: tuple[int, ...]
    shake: list[float] = field(default_factory=list)
    warp_mae: list[float] = field(default_factory=list)
    last: Frames | None = None

    def see(self, start: int, frames: Frames) -> None:
        """Take in the next run of frames."""
        crops = self.cutter(frames, start)
        first = start - (self.last is not None)
        part = steadiness(chain(() if self.last is None else self.last, crops), tuple(c - first for c in self.cuts))
        self.shake += part.shake_series
        self.warp_mae += part.warp_mae_series
        self.last = crops[-1:].copy()

    def judged(self, row: Row) -> Row:
        """Give the row with shake and MAE filled in, over all pairs but those at cuts."""
        used = [i for i in range(len(self.shake)) if i + 1 not in self.cuts]
        shake = float(np.sqrt(np.mean(np.square(self.shake)[used]))) if used else 0.0
        warp_mae = float(np.mean(np.array(self.warp_mae)[used])) if used else 0.0
        return dataclasses.replace(row, shake=shake, warp_mae=warp_mae, shake_series=tuple(self.shake))


def rigid_points(points: Points, scheme: Scheme) -> Points:
    """Give the points that speech and blinking hardly move, ``[T,N,2]``: bridge and corners of the eyes, or eyes and nose of five."""
    chosen: dict[str, Sequence[int]] = {"mesh468": STEADY, "points68": (27, 28, 29, 30, 36, 39, 42, 45)}
    return points[:, list(chosen.get(scheme, (0, 1, 2)))]


def _residual(track: FaceTrack, other: FaceTrack) -> float:
    matrices: Matrices = np.stack([track.matrix(i) for i in range(track.start, track.stop)])
    return residual_above(rigid_points(other.points, other.scheme), matrices, track.fps)


def table(rows: Sequence[Row], other: FaceTrack | None) -> str:
    """Write the figures as a table, with what they mean under it."""
    lines = ["method      shake (px)   MAE (levels)   > 3 Hz (px)   lag (frames)   seconds"]
    for row in rows:
        residual = "-" if row.residual is None else f"{row.residual:.3f}"
        lines.append(f"{row.method:<10}  {row.shake:>10.3f}   {row.warp_mae:>12.3f}   {residual:>11}   {row.lag:>12.2f}   "
                     f"{row.seconds:>7.2f}")
    lines.append("shake: movement left from crop to crop, px of the crop. MAE: change of levels from crop to crop, brows to nose.")
    if other is None:
        lines.append("> 3 Hz needs a second detector, independent of the one under test, and none is here: `talkies models get yunet`.")
    else:
        lines.append(f"> 3 Hz: what the points of {other.detector} still do in the crop above 3 Hz; its own noise is in every row alike.")
    return "\n".join(lines)


def paths_picture(rows: Sequence[Row], raw: FaceTrack, width: int = 1280, height: int = 800) -> Frame:
    """Draw ``[height,width,3]``, 0..1: the path of every method, the whole clip and its two busiest seconds, and the shake of the crops.

    Paths are those of the middle of brows and nose, px of the frame.
    """
    rate, count = float(raw.fps), len(raw)
    time_axis = np.arange(count) / rate
    figure = Figure(figsize=(width / 100, height / 100), dpi=100, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    panels = figure.subplots(3, 2, width_ratios=(2, 1.4), sharex="col")
    first, last = _busiest(raw.anchors.mean(1), round(2 * rate))
    for column, part in enumerate((slice(0, count), slice(first, last))):
        for row in rows:
            style = {"color": _COLOURS[row.method], "linewidth": 1.6 if row.method in ("none", "fused") else 0.9, "label": row.method}
            path = row.track.anchors.mean(1)
            for axis in (0, 1):
                panels[axis, column].plot(time_axis[part], path[part, axis], **style)
            pairs = slice(part.start, max(part.start, part.stop - 1))
            panels[2, column].plot(time_axis[1:][pairs], row.shake_series[pairs], **style)
        panels[2, column].set_xlabel("time (s)")
    for label, axes in zip(("across (px)", "down (px)", "shake (crop px)"), panels[:, 0], strict=True):
        axes.set_ylabel(label)
    for axes in panels.flat:
        axes.grid(alpha=0.25)
    panels[0, 0].set_title(f"{raw.detector}, {count} frames", loc="left", fontsize=10)
    panels[0, 1].set_title("the busiest two seconds", loc="left", fontsize=10)
    panels[0, 0].legend(loc="best", frameon=False, ncols=3, fontsize=8)
    canvas.draw()
    drawn: Any = canvas.buffer_rgba()
    return from_uint8(contiguous(np.asarray(drawn, np.uint8)[..., :3]))


def _busiest(path: Points, length: int) -> tuple[int, int]:
    """Give first and last+1 frame of the run of `length` frames in which the path ``[T,2]`` moves most."""
    length = min(max(length, 2), len(path))
    steps = np.concatenate(([0.0], np.linalg.norm(np.diff(path, axis=0), axis=-1)))
    sums = np.convolve(steps, np.ones(length), "valid")
    first = int(np.argmax(sums))
    return first, first + length
