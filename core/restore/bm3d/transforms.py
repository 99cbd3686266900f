"""The transforms of a group: DCT or biorthogonal wavelet along the sides of a block, Haar from block to block; the window."""
from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .matching import BLOCK

Matrix = NDArray[np.float64]


@cache
def dct() -> Matrix:
    """Give the orthonormal DCT-II, ``[8,8]``, one basis function a row."""
    places, orders = np.arange(BLOCK), np.arange(BLOCK)[:, None]
    basis = np.cos(np.pi * (2 * places + 1) * orders / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float64)


@cache
def bior15() -> Matrix:
    """Give the analysis by the biorthogonal spline wavelet 1.5, full depth, periodic, rows of unit length: ``[8,8]``, coarse first."""
    return _bior_rows() * bior_scales()[:, None]


@cache
def bior_scales() -> NDArray[np.float64]:
    """Give what brings the rows of the lifted wavelet to unit length, ``[8]``."""
    return np.asarray(1 / np.linalg.norm(_bior_rows(), axis=1))


def _bior_rows() -> Matrix:
    """The wavelet's rows as the lifting makes them.

    With period 8 it is Haar with one lifting step: at the finest level the mean of every pair is corrected by 11/64 of the
    difference of its neighbours' differences (the longer taps meet and cancel, as they do at the coarser levels).
    Source: Cohen, Daubechies and Feauveau, "Biorthogonal bases of compactly supported wavelets", CPAM 45, 1992.
    """
    pairs = np.kron(np.eye(4), [1.0, 1.0])
    differences = np.kron(np.eye(4), [1.0, -1.0])
    means = pairs + 11 / 64 * (np.roll(differences, -1, axis=0) - np.roll(differences, 1, axis=0))
    quads, octave = means[0::2] + means[1::2], means[0::2] - means[1::2]
    return np.vstack([quads[0] + quads[1], quads[0] - quads[1], octave, differences])


@cache
def haar(length: int) -> Matrix:
    """Give the orthonormal Haar transform of a power of two, ``[n,n]``, coarse first."""
    if length == 1:
        return np.ones((1, 1))
    coarse = np.kron(haar(length // 2), [1.0, 1.0])
    fine = np.kron(np.eye(length // 2), [1.0, -1.0])
    return np.asarray(np.vstack([coarse, fine]) / np.sqrt(2), np.float64)


@cache
def kaiser_window(beta: float) -> NDArray[np.float64]:
    """Give the window along one side of a block, ``[8]``."""
    return np.kaiser(BLOCK, beta)


@cache
def pairing_order(length: int) -> NDArray[np.int64]:
    """Give the place of every block of a sorted group such that halving the group again and again pairs neighbours: bit reversal."""
    bits = length.bit_length() - 1
    return np.array([int(f"{k:0{bits}b}"[::-1] or "0", 2) if bits else 0 for k in range(length)], np.int64)
