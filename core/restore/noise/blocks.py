"""Residual blocks: what is left of small pieces of a plane once their slow shading is taken away, and how much noise that costs.

A high-pass filter takes part of correlated noise with the picture, and so every estimate that follows one reads low. Here the picture
is modelled by a quadratic surface a block; what that projection does to an autocovariance is a known linear map, which `debias`
inverts.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ...arrays import Frame, as_float32, as_float64

Floats: TypeAlias = NDArray[np.float64]

LAGS = 8
"""Farthest lag of every autocovariance, px."""

SIZE = 32
"""Side of a block, px; smaller frames have smaller blocks."""

BANDS = 4
"""Bands of frequency in which a block is compared with the others."""

_BAND_ENDS = (5 / 32, 10 / 32, 18 / 32)  # of the side, in DCT index
_TAKEN = 6  # degrees of freedom of a quadratic surface, all of them in the lowest band

SMALLEST = 8  # side of a block that still tells anything


@dataclass(frozen=True)
class Blocks:
    """Blocks of one plane, side by side: their corners' grid, means and residuals.

    Attributes:
        side: px.
        means: ``[n]``, in units of the plane.
        residuals: ``[n,side,side]`` float32, without the quadratic surface.
        clipped: ``[n]`` bool: values lie at 0 or 1, so that noise may have been cut off.
    """

    side: int
    means: NDArray[np.float32]
    residuals: NDArray[np.float32]
    clipped: NDArray[np.bool_]

    @property
    def variances(self) -> NDArray[np.float32]:
        """Give the mean square of every residual, ``[n]``."""
        return np.asarray(np.einsum("nij,nij->n", self.residuals, self.residuals) / np.float32(self.side**2))

    @property
    def energies(self) -> NDArray[np.float32]:
        """Give the mean square of the DCT coefficients in each band, ``[n,BANDS]``, slow ones first."""
        squares = scipy.fft.dctn(self.residuals, axes=(1, 2), norm="ortho") ** 2
        bands = _bands(self.side)
        sums = squares.reshape(len(squares), -1) @ as_float32(np.eye(BANDS)[bands.ravel()])
        return np.asarray(sums / as_float32(band_sizes(self.side)))


def block_side(height: int, width: int) -> int:
    """Give the side of the blocks that a frame of this size is cut into; 0 where it is too small to tell noise from picture."""
    shortest = min(height, width)
    side = SIZE if shortest >= 4 * SIZE else SIZE // 2
    return side if shortest >= side else 8 if shortest >= SMALLEST else 0


def lags_of(side: int) -> int:
    """Give the farthest lag that blocks of this side tell, px."""
    return min(LAGS, side // 4)


def cut_blocks(plane: Frame, side: int) -> NDArray[np.float32]:
    """Cut ``[H,W]`` into blocks of `side` px, ``[n, side * side]``, row by row; what is left at the right and the bottom is not used."""
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    grid = plane[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return as_float32(grid.swapaxes(1, 2).reshape(rows * columns, side * side))


def residual_blocks(plane: Frame, side: int) -> Blocks:
    """Cut a plane ``[H,W]`` into blocks of `side` px and take the best quadratic surface from each."""
    pixels = cut_blocks(plane, side)
    surface = as_float32(surfaces(side))
    means = pixels.mean(axis=1)
    residuals = pixels - means[:, None]
    residuals -= (residuals @ surface) @ surface.T
    clipped = (pixels.min(axis=1) <= 1e-6) | (pixels.max(axis=1) >= 1 - 1e-6)
    return Blocks(side, means, residuals.reshape(-1, side, side), clipped)


@lru_cache(maxsize=4)
def surfaces(side: int) -> Floats:
    """Give an orthonormal basis of the quadratic surfaces on a block, ``[side * side, 6]``."""
    y, x = (np.mgrid[:side, :side].reshape(2, -1) - (side - 1) / 2) / side
    basis: Floats = np.linalg.qr(np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1))[0]
    return basis


def autocovariance(residuals: NDArray[np.float32], other: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Give the mean product of pixels at every lag, for each block.

    Args:
        residuals: ``[n,side,side]``.
        other: the same blocks of another plane for the cross-covariance: ``mean of residuals(p) * other(p + lag)``, made symmetric.

    Returns:
        ``[n, L + 1, 2 L + 1]``: row is the lag down (0..L), column the lag to the right (-L..L).
    """
    side = residuals.shape[1]
    lags = lags_of(side)
    length = scipy.fft.next_fast_len(side + lags + 1, real=True)
    spectrum = scipy.fft.rfft2(residuals, (length, length))
    mixed = spectrum * spectrum.conj() if other is None else spectrum.conj() * scipy.fft.rfft2(other, (length, length))
    sums = scipy.fft.irfft2(mixed.real + 0j, (length, length))  # the real part: the mean of both directions
    down, right = lag_grid(lags)
    return as_float32(sums[:, down % length, right % length] / pairs(side))


def lag_grid(lags: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the lags down and to the right of an autocovariance, each ``[L + 1, 2 L + 1]``."""
    down, right = np.mgrid[: lags + 1, -lags : lags + 1]
    return down, right


def pairs(side: int) -> Floats:
    """Count the pairs of pixels at every lag in a block, ``[L + 1, 2 L + 1]``."""
    down, right = lag_grid(lags_of(side))
    return np.asarray((side - down) * (side - abs(right)), np.float64)


def debias(measured: Floats, side: int) -> Floats:
    """Give the autocovariance of the noise itself from that of residuals, both ``[L + 1, 2 L + 1]``; beyond L it is taken for 0."""
    independent = _independent(lags_of(side))
    found = _gain(side) @ measured[independent]
    full = np.zeros_like(measured)
    full[independent] = found
    full[0, : lags_of(side)] = full[0, : lags_of(side) : -1]  # row 0 is symmetric
    return full


def _bands(side: int) -> NDArray[np.int64]:
    """Give the band of each DCT coefficient, ``[side,side]``."""
    index = np.hypot(*np.mgrid[:side, :side])
    return np.asarray(np.searchsorted(np.array(_BAND_ENDS) * side, index, side="right"), np.int64)


def band_sizes(side: int) -> Floats:
    """Count the degrees of freedom that a residual block has in each band, ``[BANDS]``."""
    sizes = np.bincount(_bands(side).ravel(), minlength=BANDS).astype(np.float64)
    sizes[0] = max(sizes[0] - _TAKEN, 1)
    return sizes


def effective_samples(measured: Floats, side: int) -> float:
    """Count how many independent values a residual block is worth: its variance spreads like chi-square / n of so many."""
    correlation = measured / measured[0, measured.shape[1] // 2]
    count = 2.0 * np.ones_like(correlation)  # every lag stands for its opposite too
    count[0] = 1
    spread = float((count * pairs(side) * correlation**2).sum()) / side**4
    return max(1 / spread, 2.0)


def _independent(lags: int) -> NDArray[np.bool_]:
    """Mark the lags that are no other's opposite."""
    down, right = lag_grid(lags)
    return np.asarray((down > 0) | (right >= 0))


@lru_cache(maxsize=4)
def _gain(side: int) -> Floats:
    """Give the inverse of `_loss`."""
    return as_float64(np.linalg.inv(_loss(side)))


def _loss(side: int) -> Floats:
    """Give the matrix that maps a noise's autocovariance to the expected one of its residuals (independent lags).

    With C the covariance of the block's pixels and P the projection off the surfaces, the residuals have covariance P C P; its mean
    along a lag is linear in C. C is a sum of unit shifts, one a lag, and P = 1 - Q Q', so that all terms are correlations of the
    surfaces with shifted surfaces.
    """
    lags = lags_of(side)
    keep = _independent(lags)
    down, right = (grid[keep] for grid in lag_grid(lags))
    length = 2 * side
    basis = surfaces(side).T.reshape(-1, side, side)
    spectra = scipy.fft.rfft2(basis, (length, length))
    matrix = np.zeros((len(down), len(down)))
    for n, (dy, dx) in enumerate(zip(down, right, strict=True)):
        moved = _shifted(basis, dy, dx) if dy == dx == 0 else _shifted(basis, dy, dx) + _shifted(basis, -dy, -dx)
        one_side = (spectra.conj() * scipy.fft.rfft2(moved, (length, length))).sum(axis=0)
        inner = np.einsum("ihw,jhw->ij", basis, moved)
        both_sides = np.einsum("ihw,ij,jhw->hw", spectra.conj(), inner, spectra)
        sums = scipy.fft.irfft2((both_sides - 2 * one_side).real + 0j, (length, length))
        matrix[:, n] = sums[down % length, right % length] / pairs(side)[keep]
        matrix[n, n] += 1
    return matrix


def _shifted(blocks: Floats, down: int, right: int) -> Floats:
    """Move blocks ``[n,S,S]`` by whole pixels, zeros coming in."""
    size = blocks.shape[1]
    moved = np.zeros_like(blocks)
    moved[:, max(down, 0) : size + min(down, 0), max(right, 0) : size + min(right, 0)] = (
        blocks[:, max(-down, 0) : size + min(-down, 0), max(-right, 0) : size + min(-right, 0)])
    return moved
