"""Sharpening without halos and without raising noise, and the plain ways beside it."""
from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import Frame, as_float32
from ..operation import FrameOperation
from ..settings import setting
from . import sharpen_kernels as kernels
from .linear_light import to_linear, to_srgb

_AMOUNT = {"detail": 6.0, "unsharp": 3.0, "kernel": 1 / 3, "adaptive": 10 / 3}
"""What strength 1 multiplies the detail by; strength 0.3 is then near each mode's best on a picture blurred by 1 px."""

_CORING = 3.0  # times the noise energy: local energies below that get nothing
_SLACK, _MOST_SLACK = 0.3, 0.04  # how far a pixel may leave its neighbours' range: a share of the range, and in 0..1
_EDGE = 0.1  # standard deviation (0..1) of a window that `adaptive` half takes for an edge

_BOX = np.ones(2, np.float32)  # 3x3, all weights 1

_LINES = 32  # rows on which the noise is measured
_CALM = 0.1  # the quantile of window energies that is taken for noise alone
_CALM_OF_WHITE = 1.73  # that quantile of white noise lies at 1 - 1.73 / sqrt(window) of the mean (measured, sigma 0.3 to 8)
_FEW = 0.05  # a frame with fewer windows than that share without a flat piece is a graphic, and has no noise


@dataclass(frozen=True)
class Sharpen(FrameOperation):
    """Adds detail to every frame. Strength 0 returns the frames unchanged, bit for bit.

    A pixel of 0..1 stays in 0..1; one outside (HDR, overshoot of an earlier step) is never pushed further out. Each mode takes
    what it adds from the picture less a smoothed one:

    - ``detail``: Gaussian unsharp mask whose gain is a local Wiener estimate, so that flat noise gets nothing (the noise is
      measured in every frame, in its calmest tenth), and whose result may leave the range of its 3x3 neighbours by at most 0.04:
      no halos. Amount 6 at strength 1.
    - ``unsharp``: the classic Gaussian unsharp mask, amount 3 at strength 1.
    - ``kernel``: one 3x3 kernel, identity + s * (8, neighbours -1), s = 1/3 at strength 1. Keeps the mean; `sigma` is not used.
    - ``adaptive``: what an edge-preserving base leaves: lifts texture, leaves strong edges and flat noise alone. Amount 10/3 at
      strength 1.

    Sources: Wiener gain: J. S. Lee, "Digital image enhancement and noise filtering by use of local statistics", IEEE TPAMI 2(2),
    1980. Adaptive gain in three zones (flat, texture, edge): Polesel, Ramponi and Mathews, "Image enhancement via adaptive
    unsharp masking", IEEE TIP 9(3), 2000; its base: He, Sun and Tang, "Guided image filtering", ECCV 2010.
    """

    strength: float = setting(0.3, "How much detail is added back. 0 changes nothing.", low=0, high=1, step=0.01)
    mode: Literal["detail", "unsharp", "kernel", "adaptive"] = setting(
        "detail",
        "detail: no halos, no extra noise. unsharp: the classic Gaussian unsharp mask. kernel: one 3x3 kernel. "
        "adaptive: texture more, edges and flat areas less.",
    )
    sigma: float = setting(1.0, "Radius of the Gaussian that tells detail from the rest (not used by kernel).",
                           low=0.3, high=8, step=0.1, unit="px")
    threshold: float = setting(0.0, "Detail of a smaller amplitude than this is left as it is.",
                               low=0, high=1, step=0.005, unit="of the range 0..1")
    luma_only: bool = setting(
        True, "Sharpen the brightness alone, so that colour edges keep their hue and colour noise is not raised.")
    linear_light: bool = setting(
        False, "Work on linear light instead of sRGB values: dark lines gain less, bright ones more. Slower.")

    @property
    def identity(self) -> bool:
        """Say whether strength is 0."""
        return self.strength == 0

    def frame(self, frame: Frame, index: int, out: Frame) -> None:
        """Sharpen one ``[H,W,1]`` or ``[H,W,3]`` frame."""
        height, _, channels = frame.shape
        luma = self.luma_only and channels == 3
        step = 1 if luma else channels
        source, result = frame.reshape(height, -1), out.reshape(height, -1)
        taps = gaussian_taps(self.sigma)
        noise = noise_energy(source, luma, step, taps) if self.mode in ("detail", "adaptive") else 0.0
        if self.linear_light:
            to_linear(source, result)
            source = result  # the kernels may write where they read
        self._add_detail(source, result, luma, step, taps, noise)
        if self.linear_light:
            to_srgb(result, result)

    def _add_detail(self, source: Frame, out: Frame, luma: bool, step: int, taps: NDArray[np.float32], noise: float) -> None:
        amount = self.strength * _AMOUNT[self.mode]
        if self.mode == "unsharp":
            kernels.unsharp(source, out, luma, step, taps, 1.0, amount, self.threshold)
        elif self.mode == "kernel":
            kernels.unsharp(source, out, luma, step, _BOX, 9.0, amount, 8 * self.threshold)
        elif self.mode == "detail":
            floor = max(_CORING * noise, self.threshold**2)
            kernels.detail(source, out, luma, step, self.linear_light, taps, amount, floor, _SLACK, _MOST_SLACK)
        else:
            floor = max(_CORING * noise * variance_of_detail(taps), self.threshold**2)
            kernels.adaptive(source, out, luma, step, self.linear_light, taps, amount, floor, _EDGE**2)


@cache
def gaussian_taps(sigma: float) -> NDArray[np.float32]:
    """Sample a Gaussian at 0, 1, 2 ... px, up to 3 sigma, so that the whole symmetric filter sums to 1; ``[radius + 1]``."""
    places = np.arange(max(1, int(np.ceil(3 * sigma))) + 1)
    taps = np.exp(-(places**2) / (2 * sigma**2))
    return as_float32(taps / (taps[0] + 2 * taps[1:].sum()))


def variance_of_detail(taps: NDArray[np.float32]) -> float:
    """Give the variance of white noise within a Gaussian window over that of ``noise - Gaussian``, for 2-D taps."""
    centre, squares = float(taps[0]) ** 2, float(taps[0] ** 2 + 2 * (taps[1:] ** 2).sum()) ** 2
    return (1 - squares) / (1 - 2 * centre + squares)


def noise_energy(rows: Frame, luma: bool, step: int, taps: NDArray[np.float32]) -> float:
    """Estimate the mean square of what noise alone leaves of ``plane - Gaussian``, from the calmest tenth of the frame.

    Windows with an exactly flat piece are left out: noise leaves none, so they are black bars, clipped whites, or a graphic.

    Args:
        rows: one frame as ``[H, W * channels]``.
        luma: measure the luma of RGB rows.
        step: distance between neighbours of one channel (see `sharpen_kernels`).
        taps: the Gaussian, as `gaussian_taps` gives it.

    Returns:
        The energy in squared units of the picture; 0 for a frame without noise.
    """
    height = len(rows)
    lines = np.unique(((np.arange(_LINES) + 0.5) * height / _LINES).astype(np.int64))
    window = 4 * max(4, len(taps) - 1)  # so wide that an edge, blurred, cannot reach into all four quarters
    energies = kernels.window_energies(rows, luma, step, taps, lines, window * step)
    noisy = energies[energies > 0]
    if noisy.size <= _FEW * energies.size:
        return 0.0
    return float(np.quantile(noisy, _CALM)) / (1 - _CALM_OF_WHITE / math.sqrt(window))
