"""Tiles of grain with a given spectrum, periodic, from which frames are pieced together."""
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ...arrays import as_float32
from ..noise.blocks import Floats
from ..noise.spectrum import Lags, power_spectrum

SIDE = 512
"""Side of a tile, px."""

BLOCK, OVERLAP = 32, 8
"""Side of the blocks that frames are pieced together from, and the seam over which neighbours are cross-faded, px."""

_LARGE = 3.0  # grain size in px from which blocks are twice as large, so that seams stay rare beside grains


@dataclass(frozen=True)
class Tiles:
    """Grain of standard deviation 1: luma, Cb, Cr.

    Attributes:
        luma: ``[SIDE + m,SIDE + m]`` float32, periodic over SIDE, m being a block with its seam.
        coloured: ``[SIDE + m,(SIDE + m) * 3]``, luma, Cb and Cr of every pixel side by side.
        block: side of a block, px.
        seam: cross-faded px between blocks.
    """

    luma: NDArray[np.float32]
    coloured: NDArray[np.float32]
    block: int
    seam: int


@lru_cache(maxsize=6)
def grain_tiles(lags: Lags, cb_lags: Lags, cr_lags: Lags, cb_luma: float, cr_luma: float, size: float, seed: int) -> Tiles:
    """Colour white noise by the spectra of luma, Cb and Cr.

    White noise through the square root of a spectrum has that spectrum exactly, which an autoregressive filter of lag 3 only
    approaches; the AV1 model's own integer filter is in `afgs1`.

    Args:
        lags: autocorrelation of luma; and of Cb and Cr.
        cb_lags: of Cb.
        cr_lags: of Cr.
        cb_luma: correlation of Cb with luma; and of Cr.
        cr_luma: of Cr.
        size: of a grain, px.
        seed: of the white noise.
    """
    random = np.random.Generator(np.random.Philox(key=seed))
    luma, cb, cr = (random.standard_normal((SIDE, SIDE)) for _ in range(3))
    mixed = (luma, _correlated(luma, cb, cb_luma), _correlated(luma, cr, cr_luma))
    planes = [_coloured(white, own) for white, own in zip(mixed, (lags, cb_lags, cr_lags), strict=True)]
    times = 2 if size > _LARGE else 1
    margin = times * (BLOCK + OVERLAP)
    wrapped = [np.pad(as_float32(plane), ((0, margin), (0, margin)), mode="wrap") for plane in planes]
    coloured = np.stack(wrapped, axis=2).reshape(SIDE + margin, -1)
    return Tiles(wrapped[0], coloured, times * BLOCK, times * OVERLAP)


def _correlated(luma: Floats, own: Floats, correlation: float) -> Floats:
    return correlation * luma + float(np.sqrt(max(1 - correlation**2, 0.0))) * own


def _coloured(white: Floats, lags: Lags) -> Floats:
    gain = np.sqrt(power_spectrum(lags, SIDE, SIDE))
    gain[0, 0] = 0
    grain = scipy.fft.irfft2(scipy.fft.rfft2(white) * gain[:, : SIDE // 2 + 1], (SIDE, SIDE))
    return np.asarray(grain / grain.std())
