"""What a frame's lightness looks like in 20 numbers, taken from histograms alone, and the clip limit and tiles that rules read in them."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .tones import BANDS, BINS

GRID = 16
"""Tiles along each side of the histograms that features are taken from, and the most tiles that are predicted."""

FEATURES = (
    "mean", "deviation", "skewness", "entropy", "p1", "p5", "p25", "p50", "p75", "p95", "p99", "range", "dark share", "bright share",
    "fullest bins", "deviation within tiles", "deviation of tile means", "flat tiles", "noise in shadows", "noise",
)
"""Their names, in order."""

_LEVELS = (np.arange(BINS) + 0.5) / BINS
_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def features(counts: NDArray[np.float64], noise: NDArray[np.float32]) -> NDArray[np.float64]:
    """Describe a frame.

    Lightness counts 0..1. Noise is ``log10(sigma + 1e-4)``, so that a clean frame is not infinitely far from a fine-grained one.
    Source of the idea that such features tell the parameters: Campos et al., "Machine learning hyperparameter selection for contrast
    limited adaptive histogram equalization", EURASIP Journal on Image and Video Processing 2019:59.

    Args:
        counts: ``[rows,columns,BINS]``, histograms of tiles (16x16, fewer on a frame of fewer pixels).
        noise: ``[BANDS]``, deviation of the noise by lightness.

    Returns:
        ``[20]``, as `FEATURES` names them.
    """
    tiles = counts.reshape(-1, BINS)
    sizes = np.maximum(tiles.sum(1), 1)
    means = tiles @ _LEVELS / sizes
    spreads = np.sqrt(np.maximum(tiles @ _LEVELS**2 / sizes - means**2, 0))
    shares = tiles.sum(0) / tiles.sum()
    mean = float(shares @ _LEVELS)
    deviation = float(np.sqrt(max(shares @ (_LEVELS - mean) ** 2, 0)))
    skewness = float(shares @ (_LEVELS - mean) ** 3) / (deviation**3 + 1e-6)
    filled = shares[shares > 0]
    quantiles = [float(_LEVELS[np.searchsorted(np.cumsum(shares), q - 1e-12).clip(0, BINS - 1)]) for q in _QUANTILES]
    by_band = shares.reshape(BANDS, -1).sum(1)
    dark = by_band * np.clip(1.5 - np.arange(BANDS) / 2, 0, 1)
    shadows = float(dark @ noise / dark.sum()) if dark.sum() > 0.01 else float(by_band @ noise)
    return np.array([
        mean, deviation, np.clip(skewness, -4, 4), float(-(filled @ np.log2(filled))) / np.log2(BINS), *quantiles,
        quantiles[-1] - quantiles[0], float(shares[: BINS // 10].sum()), float(shares[-BINS // 10 :].sum()),
        float(np.sort(shares)[-BINS // 16 :].sum()), float(spreads.mean()), float(means.std()), float((spreads < 0.02).mean()),
        np.log10(shadows + 1e-4), np.log10(float(by_band @ noise) + 1e-4),
    ])


def by_rule(found: NDArray[np.float64]) -> tuple[float, float]:
    """Give clip limit and log2 of the tiles along a side by rules that can be said in a sentence each.

    The narrower the range of lightness, the higher the clip limit: 1.5 where the 1st to 99th percentile spans 0.9, up to 6 where it spans
    0.2. Noise in the shadows takes from it: half of what is over 1 at a deviation of 0.02. Large differences of light between
    the parts of the frame ask for more tiles: 4 along a side under a deviation of tile means of 0.1, 8 over it.
    """
    named = dict(zip(FEATURES, found, strict=True))
    wanted = float(np.interp(named["range"], (0.2, 0.9), (6.0, 1.5)))
    sigma = max(10 ** float(named["noise in shadows"]) - 1e-4, 0.0)
    return 1 + (wanted - 1) / (1 + (sigma / 0.02) ** 2), 3.0 if named["deviation of tile means"] > 0.1 else 2.0
