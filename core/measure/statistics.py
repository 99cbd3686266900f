"""Per-frame statistics of a clip, measured as it streams by."""
from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ..arrays import Frame, Frames, contiguous
from ..compiled import compiled
from ..parallel import for_each_frame
from ..progress import Progress, silent
from ..report import Report

_BLOCK = 512


@dataclass(frozen=True)
class FrameStatistics:
    """One number a frame, over its colour values (alpha left out, NaN and infinity left out and counted)."""

    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    minimum: tuple[float, ...] = ()
    maximum: tuple[float, ...] = ()
    change: tuple[float, ...] = ()
    """Mean absolute difference to the frame before; 0 for the first."""
    nonfinite: tuple[int, ...] = ()
    """How many values are NaN or infinite."""

    def report(self, title: str) -> Report:
        """Give the series, and their figures over the whole clip."""
        count = len(self.mean)
        figures: dict[str, float | int | str] = {"frames": count}
        if count:
            average = math.fsum(self.mean) / count
            figures |= {
                "mean": average,
                "standard deviation": math.fsum(self.deviation) / count,
                "minimum": min(self.minimum),
                "maximum": max(self.maximum),
                "brightness range over the clip": max(self.mean) - min(self.mean),
                "mean change from frame to frame": math.fsum(self.change[1:]) / max(count - 1, 1),
                "largest change from frame to frame": max(self.change),
                "non-finite values": sum(self.nonfinite),
            }
        return Report(title, figures, {
            "mean": self.mean,
            "standard deviation": self.deviation,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "change from the frame before": self.change,
        })


def frame_statistics(frames: Frames, previous: Frame | Frames | None = None, progress: Progress = silent) -> FrameStatistics:
    """Measure every frame, in one pass and in float64 sums, without a float64 copy.

    Args:
        frames: ``[B,H,W,C]``, C = 1, 3 or 4.
        previous: the frame before the first, ``[H,W,C]`` or ``[1,H,W,C]``, for a clip that comes in runs; none at its start.
        progress: called as frames get done; may raise to cancel.

    Returns:
        Numbers that do not depend on where the clip was cut. A frame without any finite value counts as 0.

    Raises:
        ValueError: `previous` has another size than the frames.
    """
    before = None if previous is None else previous.reshape(previous.shape[-3:])
    if before is not None and before.shape != frames.shape[1:]:
        raise ValueError(f"previous has shape {list(before.shape)}, the frames {list(frames.shape[1:])}; one size is wanted.")
    rows: list[tuple[float, float, float, float, float, int]] = [(0.0, 0.0, 0.0, 0.0, 0.0, 0)] * len(frames)

    def work(i: int) -> None:
        rows[i] = _measured(frames[i], frames[i - 1] if i else before)

    for_each_frame(len(frames), work, progress)
    return FrameStatistics(*zip(*rows, strict=True))


def joined(parts: Iterable[FrameStatistics]) -> FrameStatistics:
    """Put the statistics of consecutive runs together."""
    runs = list(parts)
    return FrameStatistics(*(tuple(n for run in runs for n in getattr(run, f.name)) for f in fields(FrameStatistics)))


def frame_mean(frame: Frame) -> float:
    """Give the mean over the colour values of one ``[H,W,C]`` frame, summed in float64, finite values only."""
    return _measured(frame, None)[0]


def _measured(frame: Frame, before: Frame | None) -> tuple[float, float, float, float, float, int]:
    values = _colours(frame)
    other = values if before is None else _colours(before)
    sums = _sums(values, other)
    if not np.isfinite(sums).all():
        return _measured_finite(values, other)
    return _numbers(sums, values[0], len(values), len(values), 0)


def _measured_finite(values: Frame, other: Frame) -> tuple[float, float, float, float, float, int]:
    good = np.isfinite(values)
    kept, both = values[good], good & np.isfinite(other)
    if not kept.size:
        return 0.0, 0.0, 0.0, 0.0, 0.0, len(values)
    sums = _sums(kept, kept)
    sums[4] = _sums(values[both], other[both])[4] if both.any() else 0.0
    return _numbers(sums, kept[0], kept.size, max(int(both.sum()), 1), len(values) - kept.size)


def _numbers(
    sums: NDArray[np.float64], first: np.float32, count: int, pairs: int, bad: int
) -> tuple[float, float, float, float, float, int]:
    offset, squares, low, high, change = (float(s) for s in sums)
    mean = offset / count
    deviation = math.sqrt(max(squares / count - mean * mean, 0.0))
    return float(first) + mean, deviation, low, high, change / pairs, bad


def _colours(frame: Frame) -> Frame:
    return (contiguous(frame[..., :3]) if frame.shape[-1] == 4 else frame).reshape(-1)


@compiled
def _sums(values: Frame, other: Frame) -> NDArray[np.float64]:
    """Sum the values less the first one, and its squares; find the extremes; sum the distances to `other`; ``[5]`` float64.

    Sums run in 512 lanes, whose fixed order keeps the bits the same while the compiler can use vectors. The first value is taken
    off so that a constant frame has a deviation of exactly 0.
    """
    count, first = len(values), np.float64(values[0])
    sums, squares, changes = np.zeros(_BLOCK), np.zeros(_BLOCK), np.zeros(_BLOCK)
    lows, highs = np.full(_BLOCK, values[0]), np.full(_BLOCK, values[0])
    for start in range(0, count, _BLOCK):
        block, mate = values[start : start + _BLOCK], other[start : start + _BLOCK]
        for k in range(len(block)):
            offset = np.float64(block[k]) - first
            sums[k] += offset
            squares[k] += offset * offset
            changes[k] += abs(np.float64(block[k]) - np.float64(mate[k]))
        for k in range(len(block)):
            lows[k] = min(lows[k], block[k])
            highs[k] = max(highs[k], block[k])
    return np.array([sums.sum(), squares.sum(), np.float64(lows.min()), np.float64(highs.max()), changes.sum()])
