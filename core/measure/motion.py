"""How steady an aligned face is: three figures that others can repeat.

All are taken between consecutive crops in the region from the brows to the nose, rows 16..43 % and columns 20..80 % of the square
crop, where the face is rigid. Scene cuts are left out.

shake (px): the median of dense optical flow over the region (DIS, medium preset, on 8-bit luma), as a vector; the root of the mean of
    its squared length over all pairs. What stays of the head's motion inside the crop.
warp MAE (levels): the mean absolute difference of luma over the region, 0..255, averaged over all pairs. It needs no flow.
residual above 3 Hz (px): points of a track made independently of the one under test, carried into the crop, their part above 3 Hz
    (Fourier, mean and line removed), root mean square of its length over points and frames.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Frame, Matrices, contiguous, to_uint8

ROWS, COLUMNS = (0.16, 0.43), (0.20, 0.80)

Series = NDArray[np.float64]


@dataclass(frozen=True)
class Steadiness:
    """Shake (px) and warp MAE (levels), as one figure each and as one number a pair of frames (0 at a cut)."""

    shake: float
    warp_mae: float
    shake_series: tuple[float, ...]
    warp_mae_series: tuple[float, ...]


def luma_levels(crop: Frame) -> NDArray[np.uint8]:
    """Give a crop ``[H,W,C]``, 0..1, as 8-bit luma ``[H,W]``."""
    eight = to_uint8(crop)
    if eight.shape[-1] == 1:
        return eight[..., 0]
    return np.asarray(cv2.cvtColor(contiguous(eight[..., :3]), cv2.COLOR_RGB2GRAY), np.uint8)


def region(height: int, width: int) -> tuple[slice, slice]:
    """Give the rows and columns from the brows to the nose in an aligned crop of this size."""
    rows, columns = [round(s * height) for s in ROWS], [round(s * width) for s in COLUMNS]
    return slice(rows[0], max(rows[0] + 1, rows[1])), slice(columns[0], max(columns[0] + 1, columns[1]))


def steadiness(crops: Iterable[Frame], cuts: tuple[int, ...] = ()) -> Steadiness:
    """Measure shake and warp MAE over aligned crops, holding two at a time.

    Args:
        crops: ``[H,W,C]`` each, all of one size, 0..1, aligned with the brows and the nose where `align` puts them.
        cuts: indices of the first frame after each scene cut; those pairs count as nothing.

    Returns:
        The figures; all 0 for a clip of one frame.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    before: NDArray[np.uint8] | None = None
    shakes, maes, counted = [], [], []
    for index, crop in enumerate(crops):
        luma = luma_levels(crop)
        if before is not None:
            rows, columns = region(*luma.shape)
            if index in cuts:
                shakes.append(0.0)
                maes.append(0.0)
            else:
                start = np.zeros((*luma.shape, 2), np.float32)
                dense = np.asarray(flow.calc(before, luma, start))[rows, columns].reshape(-1, 2)
                shakes.append(float(np.linalg.norm(np.median(dense, axis=0))))
                maes.append(float(cv2.absdiff(contiguous(before[rows, columns]), contiguous(luma[rows, columns])).mean()))
            counted.append(index not in cuts)
        before = luma
    used = np.array(counted, bool)
    if not used.any():
        return Steadiness(0.0, 0.0, tuple(shakes), tuple(maes))
    return Steadiness(float(np.sqrt((np.array(shakes)[used] ** 2).mean())), float(np.array(maes)[used].mean()),
                      tuple(shakes), tuple(maes))


def above(series: Series, fps: Fraction, hertz: float = 3.0) -> Series:
    """Keep what changes faster than `hertz` in series ``[T,...]``, after taking each one's mean and straight line away."""
    count = len(series)
    if count < 4:
        return np.zeros_like(series)
    time = np.linspace(-1, 1, count).reshape(-1, *(1,) * (series.ndim - 1))
    flat = series - series.mean(0)
    flat = flat - time * (time * flat).sum(0) / (time ** 2).sum()
    spectrum = np.fft.rfft(flat, axis=0)
    spectrum[np.fft.rfftfreq(count, 1 / float(fps)) <= hertz] = 0
    back: Series = np.fft.irfft(spectrum, count, axis=0)
    return back


def residual_above(points: Series, matrices: Matrices, fps: Fraction, hertz: float = 3.0) -> float:
    """Measure what independent points ``[T,K,2]`` (frame px) still do above `hertz` once carried into the crop, px RMS.

    Args:
        points: rigid points of the same face, from another detector than the one under test.
        matrices: ``[T,2,3]``, frame to crop, of the track under test.
        fps: frames a second.
        hertz: the frequency above which motion counts as shake.
    """
    carried = points @ np.swapaxes(matrices[:, :, :2], 1, 2) + matrices[:, None, :, 2]
    fast = above(carried, fps, hertz)
    return float(np.sqrt((fast ** 2).sum(-1).mean()))
