"""Two clips side by side: how alike they are in every frame, and how restless each is."""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from matplotlib import colormaps

from ..arrays import Frame, Frames, as_float32, contiguous
from ..operation import Numbered
from ..parallel import for_each_frame
from ..progress import Progress, silent
from ..report import Report
from .image import psnr, ssim
from .unrest import Mover, block_levels, flicker, luma

EQUAL_DB = 100.0
"""What stands for the infinite PSNR of frames that are equal bit for bit."""

Watcher = Callable[[int, Frame, Frame], None]
"""Shown each pair as it passes: its index, the frame before and the frame after, both ``[H,W,3]`` of one size."""


@dataclass(frozen=True)
class Comparison:
    """One number a frame: PSNR (dB) and SSIM of luma between the two; flicker (levels) and jitter (px) of each by itself.

    Flicker is 0 at the first and last frame, jitter at the first two (see `unrest`). `heat` ``[H,W]`` is the mean absolute difference.
    """

    psnr: tuple[float, ...]
    ssim: tuple[float, ...]
    flicker_before: tuple[float, ...]
    flicker_after: tuple[float, ...]
    jitter_before: tuple[float, ...]
    jitter_after: tuple[float, ...]
    heat: Frame = field(repr=False, compare=False)
    resized: bool = False

    @property
    def worst(self) -> int:
        """Give the frame in which the two differ most, by PSNR."""
        return int(np.argmin(self.psnr))

    def report(self) -> Report:
        """Give the figures over the clip, and the series."""
        height, width = self.heat.shape
        return Report("Compare", {
            "frames compared": len(self.psnr),
            "compared at (px)": f"{width}x{height}" + (", the first resized to the second" if self.resized else ""),
            "PSNR (dB)": float(np.mean(self.psnr)), "lowest PSNR (dB)": float(np.min(self.psnr)), "in frame": self.worst,
            "SSIM": float(np.mean(self.ssim)), "lowest SSIM": float(np.min(self.ssim)),
            "frames equal bit for bit": sum(value >= EQUAL_DB for value in self.psnr),
            "flicker before (levels)": _rms(self.flicker_before), "flicker after (levels)": _rms(self.flicker_after),
            "jitter before (px)": _rms(self.jitter_before), "jitter after (px)": _rms(self.jitter_after),
        }, {
            "PSNR (dB)": self.psnr, "SSIM": self.ssim,
            "flicker before (levels)": self.flicker_before, "flicker after (levels)": self.flicker_after,
            "jitter before (px)": self.jitter_before, "jitter after (px)": self.jitter_after,
        })


def compare(before: Iterator[Numbered], after: Iterator[Numbered], progress: Progress = silent, total: int = 0,
            watcher: Watcher | None = None) -> Comparison:
    """Measure two clips that arrive in runs of frames, holding no more than a run of each.

    Args:
        before: runs ``(start, frames [B,H,W,C])`` of the clip that came first; alpha is left out.
        after: the same for the other. Where sizes differ, `before` is resized to them (area average down, Lanczos up); a gray clip
            is compared as RGB. Where one is longer, its rest is left out.
        progress: called a frame.
        total: the frames expected, 0 if not known.
        watcher: shown every pair, in order.

    Raises:
        ValueError: either clip is empty.
    """
    meters = _Unrest(), _Unrest()
    likeness: list[tuple[float, float]] = []
    heat: Frame | None = None
    resized = False
    for start, first, second in _pairs(before, after):
        resized |= first.shape[1:3] != second.shape[1:3]
        rows: list[tuple[float, float]] = [(0.0, 0.0)] * len(first)
        shown: list[tuple[Frame, Frame]] = [(first[0], second[0])] * len(first)

        def work(i: int, first: Frames = first, second: Frames = second, rows: list[tuple[float, float]] = rows,
                 shown: list[tuple[Frame, Frame]] = shown) -> None:
            a, b = _alike(first[i], second[i])
            decibel = psnr(a, b)
            rows[i] = EQUAL_DB if math.isinf(decibel) else min(decibel, EQUAL_DB), ssim(luma(a), luma(b))
            shown[i] = a, b

        for_each_frame(len(first), work, lambda done, _, start=start: progress(start + done, max(total, start + done)))
        likeness += rows
        for i, (a, b) in enumerate(shown):
            meters[0].see(luma(contiguous(first[i])))
            meters[1].see(luma(b))
            difference = np.abs(a - b).mean(-1, dtype=np.float32)
            heat = difference if heat is None else heat + difference
            if watcher:
                watcher(start + i, a, b)
    if heat is None:
        raise ValueError("Compare: a clip without frames cannot be compared; give two clips of at least one frame.")
    decibels, similarities = zip(*likeness, strict=True)
    (flicker_before, jitter_before), (flicker_after, jitter_after) = (meter.series() for meter in meters)
    return Comparison(decibels, similarities, flicker_before, flicker_after, jitter_before, jitter_after,
                      heat / np.float32(len(likeness)), resized)


def heat_map(difference: Frame, full: float | None = None) -> Frame:
    """Colour a difference ``[H,W]``, 0..1, as ``[H,W,3]``: black where nothing differs, then violet, orange, white at `full`.

    Args:
        difference: absolute differences.
        full: the difference that is shown white; None takes the 99.9th percentile (at least a level of 255).
    """
    top = max(float(np.quantile(difference, 0.999)), 1 / 255) if full is None else full
    coloured = colormaps["inferno"](np.clip(difference / top, 0, 1))
    return as_float32(coloured[..., :3])


class _Unrest:
    """Gathers flicker and jitter of one clip from its lumas, holding the block levels of two frames."""

    def __init__(self) -> None:
        self._mover, self._levels, self._flicker = Mover(), [], []  # type: ignore[var-annotated]
        self._motion: list[np.ndarray] = []

    def see(self, plane: Frame) -> None:
        self._levels.append(block_levels(plane))
        if len(self._levels) == 3:
            self._flicker.append(flicker(*self._levels))
            del self._levels[0]
        self._motion.append(self._mover.see(plane))

    def series(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        count = len(self._motion)
        steps = np.linalg.norm(np.diff(np.array(self._motion[1:]).reshape(-1, 2), axis=0), axis=-1)
        jitter = (0.0,) * min(count, 2) + tuple(float(v) for v in steps)
        padded = (0.0, *self._flicker, 0.0) if count > 1 else (0.0,) * count
        return padded[:count], jitter[:count]


def _pairs(before: Iterator[Numbered], after: Iterator[Numbered]) -> Iterator[tuple[int, Frames, Frames]]:
    """Walk both clips in step, whatever the lengths of their runs, until the shorter one ends."""
    at = 0
    first: Frames | None = None
    second: Frames | None = None
    while True:
        first = _more(first, before)
        second = _more(second, after)
        if first is None or second is None:
            return
        count = min(len(first), len(second))
        yield at, first[:count], second[:count]
        at, first, second = at + count, first[count:], second[count:]


def _more(held: Frames | None, runs: Iterator[Numbered]) -> Frames | None:
    if held is not None and len(held):
        return held
    return next((frames for _, frames in runs if len(frames)), None)


def _alike(first: Frame, second: Frame) -> tuple[Frame, Frame]:
    """Bring two frames to RGB of the second one's size."""
    first, second = (contiguous(np.repeat(f, 3, -1) if f.shape[-1] == 1 else f[..., :3]) for f in (first, second))
    height, width = second.shape[:2]
    if first.shape[:2] != (height, width):
        shrinks = height * width < first.shape[0] * first.shape[1]
        first = np.asarray(cv2.resize(first, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4), np.float32)
    return first, second


def _rms(series: tuple[float, ...]) -> float:
    return float(np.sqrt(np.mean(np.square(series)))) if series else 0.0
