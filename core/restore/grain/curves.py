"""The grain of a clip as plain numbers and a patch of it, for a page that draws them itself."""
from __future__ import annotations

from typing import Any

import numpy as np

from ...arrays import Frame, as_float32
from ..noise.spectrum import correlation_size, radial_spectrum
from .profile import GrainProfile
from .tile import grain_tiles

SIGMAS = 3.0
"""Standard deviations of grain from middle gray to black, and to white, in the patch."""


def grain_curves(grain: GrainProfile) -> dict[str, Any]:
    """Give strength and spectrum.

    Returns:
        ``strength``: curves of luma, and of Cb and Cr where there are some, steps of 255, from black to white; ``spectrum``: dB over
        white noise, in rings of equal width from 0 to 0.5 cycles a pixel.
    """
    curves = {"luma": grain.sigmas, **({"Cb": grain.cb_sigmas, "Cr": grain.cr_sigmas} if grain.has_chroma else {})}
    rings = 10 * np.log10(np.maximum(radial_spectrum(grain.lags), 1e-4))
    return {"strength": {name: [round(255 * float(s), 4) for s in curve] for name, curve in curves.items()},
            "spectrum": [round(float(power), 3) for power in rings]}


def grain_patch(grain: GrainProfile, side: int = 128) -> Frame:
    """Draw ``[side,side,3]`` of the grain around middle gray, all strengths brought to one; 0..1."""
    tiles = grain_tiles(grain.lags, grain.cb_lags, grain.cr_lags, 0.0, 0.0, correlation_size(grain.lags), 0)
    gray = np.clip(0.5 + tiles.luma[:side, :side] / (2 * SIGMAS), 0, 1)
    return as_float32(np.repeat(gray[..., None], 3, axis=2))
