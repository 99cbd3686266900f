"""The regularised inverse of a known blur, and the noise that it leaves.

Sources: Dabov, Foi, Katkovnik and Egiazarian, "Image restoration by sparse 3D transform-domain collaborative filtering", SPIE
Electronic Imaging 6812, 2008 (two inverses, each followed by a filter of the coloured noise); the unknown surroundings of the frame
as missing data: Dempster, Laird and Rubin, JRSS B 39(1), 1977.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ...arrays import Frame, as_float32
from ...parallel import worker_count
from .extension import continued, padded_size
from .psf import Psf

Spectrum = NDArray[np.complex64]
"""Half of the spectrum of a real plane on the canvas, ``[rows, columns // 2 + 1]``."""


@dataclass(frozen=True)
class Blur:
    """A blur on frames of one size: the canvas that it is inverted on, and its transfer function there."""

    height: int
    width: int
    canvas: tuple[int, int]
    transfer: Spectrum

    @classmethod
    def of(cls, psf: Psf, height: int, width: int) -> Blur:
        """Lay out a point-spread function for frames of ``height`` x ``width``; the canvas has room for its ringing around them."""
        reach = tuple(max(8, n) for n in psf.shape)
        canvas = padded_size(height, width, (reach[0], reach[1]))
        spread = np.zeros(canvas)
        places = [(np.arange(n) - n // 2) % side for n, side in zip(psf.shape, canvas, strict=True)]
        np.add.at(spread, (places[0][:, None], places[1][None]), psf)
        return cls(height, width, canvas, scipy.fft.rfft2(spread).astype(np.complex64))

    def spectrum(self, plane: Frame) -> Spectrum:
        """Transform a plane on the canvas."""
        return scipy.fft.rfft2(plane, workers=worker_count())  # type: ignore[no-any-return]

    def plane(self, spectrum: Spectrum) -> Frame:
        """Transform back."""
        return as_float32(scipy.fft.irfft2(spectrum, s=self.canvas, workers=worker_count()))

    def cropped(self, plane: Frame) -> Frame:
        """Cut the frame out of the canvas."""
        return as_float32(plane[: self.height, : self.width])

    def tikhonov(self, energy: float) -> Spectrum:
        """Give the inverse ``conj(V) / (|V|^2 + energy)``, energy = noise over the picture's power, the same at all frequencies."""
        return (np.conj(self.transfer) / (np.abs(self.transfer) ** 2 + np.float32(energy))).astype(np.complex64)  # type: ignore[no-any-return]

    def wiener(self, power: NDArray[np.float32], energy: float) -> Spectrum:
        """Give the inverse ``conj(V) P / (|V|^2 P + energy)`` for a picture of the power spectrum P, energy in the same units."""
        return (np.conj(self.transfer) * power / (np.abs(self.transfer) ** 2 * power + np.float32(energy))).astype(np.complex64)  # type: ignore[no-any-return]

    def surrounded(self, plane: Frame, guess: Frame) -> Spectrum:
        """Give the spectrum of a blurred plane ``[H,W]`` whose unseen surroundings are what a sharp `guess` on the canvas, blurred, has there."""
        whole = self.plane(self.spectrum(guess) * self.transfer)
        whole[: self.height, : self.width] = plane
        return self.spectrum(whole)


def inverted(blur: Blur, plane: Frame, energy: float, rounds: int) -> tuple[Frame, Spectrum]:
    """Invert the blur of one plane, the surroundings of the frame estimated in turn with it.

    Args:
        blur: laid out for this size.
        plane: ``[H,W]``, blurred and noisy.
        energy: see `Blur.tikhonov`.
        rounds: how often the surroundings are estimated anew from the inverse; 0 leaves them mirrored.

    Returns:
        The inverse ``[H,W]``, and the transfer function that it was made by, which white noise has gone through too.
    """
    filter_ = blur.tikhonov(energy)
    observed = blur.spectrum(continued(plane, blur.canvas))
    made = blur.plane(observed * filter_)
    for _ in range(rounds):
        made = blur.plane(blur.surrounded(plane, made) * filter_)
    return blur.cropped(made), filter_
