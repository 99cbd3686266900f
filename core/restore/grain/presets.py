"""Grain of film stocks and cameras, by eye and from what is published of them: strength, size on 1080 rows, chroma, shape over luma."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ..noise.flat import LEVELS
from ..noise.spectrum import gaussian_lags
from .profile import GrainProfile, Kind

Preset = Literal["35mm", "16mm", "8mm", "high_iso", "fine"]
PRESETS: tuple[Preset, ...] = get_args(Preset)

ROWS = 1080
"""Rows of the frame for which the presets give sizes."""


@dataclass(frozen=True)
class _Stock:
    """Strength in mid-tones (steps of 255), Gaussian blur in px on 1080 rows, chroma over luma, luma of the most grain, kind."""

    strength: float
    blur: float
    chroma: float
    most_at: float
    kind: Kind


_FALL = 0.95  # exponent towards white; below 1, so that no level has more grain than its neighbours explain (`flat.smooth_curve`)

_STOCKS: dict[Preset, _Stock] = {
    "35mm": _Stock(5.0, 0.65, 0.35, 0.45, "medium"),
    "16mm": _Stock(9.0, 0.95, 0.40, 0.45, "medium"),
    "8mm": _Stock(15.0, 1.6, 0.50, 0.42, "coarse"),
    "high_iso": _Stock(9.0, 0.35, 0.95, 0.25, "digital noise"),
    "fine": _Stock(2.5, 0.40, 0.20, 0.45, "fine"),
}


def preset_profile(preset: Preset) -> GrainProfile:
    """Give the grain of a preset.

    Film has most grain in the mid-tones and none in clear or fully exposed film, a sensor most in the shadows: the strength over luma
    is that of a beta density with its mode at the stock's luma.
    """
    stock = _STOCKS[preset]
    luma = (np.arange(LEVELS) + 0.5) / LEVELS
    rise = _FALL * stock.most_at / (1 - stock.most_at)
    shape = (luma / stock.most_at) ** rise * ((1 - luma) / (1 - stock.most_at)) ** _FALL
    sigmas = tuple(round(float(s), 6) for s in stock.strength / 255 * shape)
    chroma = tuple(round(s * stock.chroma, 6) for s in sigmas)
    lags, soft = gaussian_lags(stock.blur), gaussian_lags(stock.blur * 1.25)
    usual = round(stock.strength / 255, 6)
    return GrainProfile(stock.kind, 1.0, sigmas, chroma, chroma, lags, soft, soft, 0.1, 0.1, usual, 0.0, None, ROWS)
