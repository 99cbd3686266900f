"""How good an equalised picture is, without a reference: the measure that the regressor of LB-CLAHE is trained and judged by.

``quality = 0.5 * entropy gain + contrast gain - 0.5 * noise gain - 6 * LOE``

- entropy gain, bits: Shannon's entropy of the 256-level histogram of CIELAB lightness, after less before;
- contrast gain, octaves: by how much the local contrast came nearer to 0.048, the lower quartile of undegraded photographs; local
  contrast is the mean deviation of lightness in windows of 1/24 of the shorter side, the noise's variance taken off, plus 0.002. Too
  much counts like too little, without which the highest clip limit would be the best for almost every picture (we measured that);
- noise gain, octaves: deviation of the noise in lightness, from the finest diagonal wavelet coefficients (median over 0.6745, after
  Donoho and Johnstone), after over before, each plus 0.002, so that a clean picture is not asked for its rounding;
- LOE: the share of pairs of places whose order of lightness, max(R,G,B), is turned round (Wang et al., "Naturalness preserved
  enhancement algorithm for non-uniform illumination images", IEEE TIP 22(9), 2013), on 48 px along the shorter side, averaged.

Left alone, a picture scores 0. The weights make a twelfth of all pairs turned round cost what one bit of entropy gains. They and
the natural contrast were chosen on training pictures, so that good ones are left nearly alone and dark ones lifted.
"""
from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

import cv2
import numpy as np

Picture = Any  # [H,W,3], float32, 0..1

WEIGHTS = 0.5, 1.0, -0.5, -6.0
NATURAL_CONTRAST = 0.048
_SIDE = 48
_WINDOW = 1 / 24
_FLOOR = 0.002


@dataclass(frozen=True)
class Gains:
    """What an equalisation did to a picture."""

    entropy: float
    contrast: float
    noise: float
    loe: float

    @property
    def quality(self) -> float:
        """Weigh the four."""
        return sum(w * v for w, v in zip(WEIGHTS, astuple(self), strict=True))


class Judge:
    """Judges what was made of one picture; what the picture itself needs is measured once."""

    def __init__(self, picture: Picture) -> None:
        self._before = lightness(picture)
        self._noise = noise(self._before)
        self._entropy, self._contrast = entropy(self._before), contrast(self._before, self._noise)
        self._order = _turns(_brightness(picture))

    def __call__(self, made: Picture) -> Gains:
        made = np.clip(made, 0, 1)
        after = lightness(made)
        sigma = noise(after)
        return Gains(
            entropy(after) - self._entropy,
            distance(self._contrast) - distance(contrast(after, sigma)),
            float(np.log2((sigma + _FLOOR) / (self._noise + _FLOOR))),
            float(np.mean(_turns(_brightness(made)) != self._order)))


def lightness(picture: Picture) -> Any:
    """Give L of CIELAB over 100."""
    return np.clip(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[..., 0] / 100, 0, 1)


def entropy(plane: Any) -> float:
    """Give Shannon's entropy of 256 levels, bits."""
    shares = np.bincount((plane * 255 + 0.5).astype(np.int64).ravel(), minlength=256) / plane.size
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())


def noise(plane: Any, where: Any = None) -> float:
    """Estimate the deviation of white noise by the median of the finest diagonal Haar coefficients, of those `where` says."""
    height, width = (n // 2 * 2 for n in plane.shape)
    a, b, c, d = (plane[i:height:2, j:width:2] for i in (0, 1) for j in (0, 1))
    sizes = np.abs(a - b - c + d)
    return float(np.median(sizes if where is None else sizes[where[:height:2, :width:2]]) / 2 / 0.6744898)


def contrast(plane: Any, sigma: float) -> float:
    """Give the mean deviation within windows, without noise of deviation `sigma`."""
    side = 2 * max(1, round(min(plane.shape) * _WINDOW / 2)) + 1
    mean, square = (cv2.blur(p, (side, side), borderType=cv2.BORDER_REFLECT) for p in (plane, plane * plane))
    return float(np.sqrt(np.maximum(square - mean * mean - sigma * sigma, 0)).mean())


def distance(local: float) -> float:
    """Give how far a local contrast is from a natural one, octaves."""
    return abs(float(np.log2((local + _FLOOR) / NATURAL_CONTRAST)))


def loe(before: Picture, after: Picture) -> float:
    """Give the share of pairs whose order is turned round."""
    return float(np.mean(_turns(_brightness(before)) != _turns(_brightness(np.clip(after, 0, 1)))))


def _brightness(picture: Picture) -> Any:
    factor = _SIDE / min(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    return np.round(cv2.resize(picture.max(-1), size, interpolation=cv2.INTER_AREA) * 255).ravel()


def _turns(values: Any) -> Any:
    return values[:, None] >= values[None, :]
