"""What kind of grain it is, and how sure that is."""
from __future__ import annotations

import math

import numpy as np

from ..noise.measure import ColourNoise
from ..noise.spectrum import Lags, correlation_size, power_spectrum
from .profile import Kind

LEAST = 0.9 / 255
"""Standard deviation of luma grain below which a picture counts as clean."""

_ENOUGH = 24  # flat blocks that give full confidence
_FINE, _MEDIUM = 1.9, 3.6  # largest sizes in px, on frames of 1080 rows
_WHITE = 1.25  # size up to which noise can come from a sensor as it is
_COLOURED = 0.45  # chroma over luma from which white noise is a sensor's: independent noise in R, G and B has 0.93
_GRASS = 16 / 255  # correlated luma grain beyond is more likely grass than grain, where one frame is all there is
_FROZEN = 0.5  # correlation of neighbouring frames from which it is more likely the picture
_PEAK = 12.0  # times the power around it: a line of a regular pattern
_SPECTRUM = 64  # px


def classify(noise: ColourNoise, height: int, temporal: float | None = None) -> tuple[Kind, float, tuple[float, float] | None]:
    """Name the kind of grain.

    Args:
        noise: as measured.
        height: rows of the frames; sizes are judged as on 1080 rows.
        temporal: correlation with the grain of the frame before; None: not known.

    Returns:
        The kind, its confidence (0..1), and the frequency of a regular pattern (cycles a pixel, down and right).
    """
    luma = noise.luma
    if luma.blocks == 0:
        return "none", 0.0, None
    size = max(correlation_size(luma.lags), 0.1)
    evidence = min(luma.blocks / _ENOUGH, 1.0)
    if temporal is not None:
        evidence *= 1 - min(max(temporal - _FROZEN, 0) / (1 - _FROZEN), 1)
    elif size > _WHITE:
        evidence *= min(1.0, (_GRASS / luma.sigma) ** 2)
    if luma.sigma < LEAST:
        return "none", evidence * _margin(LEAST / max(luma.sigma, 1e-6), 1.0), None
    ratio, place = strongest_line(luma.lags)
    if ratio > _PEAK:
        return "regular pattern", evidence * _margin(ratio, _PEAK), place
    coloured = (noise.cb.sigma + noise.cr.sigma) / 2 / luma.sigma
    if size < _WHITE and coloured > _COLOURED:
        return "digital noise", evidence * min(_margin(_WHITE / size, 1.0), _margin(coloured, _COLOURED)), None
    judged = max(size * 1080 / max(height, 1), 1.0) if height >= 270 else size
    kind: Kind = "fine" if judged < _FINE else "medium" if judged < _MEDIUM else "coarse"
    nearest = min(_margin(max(judged / bound, bound / judged), 1.0) for bound in (_FINE, _MEDIUM))
    return kind, evidence * min(nearest, _margin(luma.sigma / LEAST, 1.0)), None


def strongest_line(lags: Lags) -> tuple[float, tuple[float, float]]:
    """Find the frequency that stands out most of a spectrum: its power over the median of the ring around it, and where it is."""
    spectrum = power_spectrum(lags, _SPECTRUM, _SPECTRUM)
    down, right = np.meshgrid(np.fft.fftfreq(_SPECTRUM), np.fft.fftfreq(_SPECTRUM), indexing="ij")
    radius = np.hypot(down, right)
    ring = np.minimum((radius * 24).astype(int), 16)
    around = np.array([np.median(spectrum[ring == n]) for n in range(ring.max() + 1)])
    ratio = spectrum / np.maximum(around[ring], 0.05)
    ratio[(radius < 0.06) | (spectrum < 2)] = 0
    place = np.unravel_index(int(np.argmax(np.where(ratio > 0, spectrum, 0))), ratio.shape)
    return float(ratio.max()), (abs(float(down[place])), abs(float(right[place])))


def _margin(value: float, bound: float) -> float:
    """Turn how far a value is beyond a bound into 0.5 (at it) to 1 (at twice the bound: 0.94)."""
    return 1 - 0.5 * math.exp(-3 * abs(math.log(value / bound)))
