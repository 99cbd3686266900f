"""The regularised inverse of a known blur, and the noise that it leaves."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ...arrays import Frame, as_float32, as_float64
from ...parallel import worker_count
from ..bm3d.noise_model import LAGS, Noise
from .extension import continued, padded_size
from .psf import Psf

Spectrum = NDArray[np.complex64]
"""Half of the spectrum of a real plane on the canvas, ``[rows, columns // 2 + 1]``."""

_ROOM = 8  # px around the frame at least: autocorrelations of up to 7 px must not meet on the other side


@dataclass(frozen=True)
class Blur:
    """A blur of frames of one size: the canvas that it is inverted on, and its transfer function V there."""

    height: int
    width: int
    canvas: tuple[int, int]
    transfer: Spectrum
    gain: NDArray[np.float32]

    @property
    def frame(self) -> tuple[slice, slice]:
        """Give the place of the frame: in the middle of the canvas."""
        top, left = (self.canvas[0] - self.height) // 2, (self.canvas[1] - self.width) // 2
        return slice(top, top + self.height), slice(left, left + self.width)

    @classmethod
    def of(cls, psf: Psf, height: int, width: int) -> Blur:
        """Lay out a point-spread function for frames of ``height`` x ``width``; the canvas has room for its ringing around them."""
        rows, columns = psf.shape
        canvas = padded_size(height, width, (max(_ROOM, rows), max(_ROOM, columns)))
        spread = np.zeros(canvas)
        places = [(np.arange(n) - n // 2) % side for n, side in zip(psf.shape, canvas, strict=True)]
        np.add.at(spread, (places[0][:, None], places[1][None]), psf)
        transfer: Spectrum = scipy.fft.rfft2(spread).astype(np.complex64)
        return cls(height, width, canvas, transfer, as_float32(np.abs(transfer) ** 2))

    def spectrum(self, plane: Frame) -> Spectrum:
        """Transform a plane on the canvas."""
        made: Spectrum = scipy.fft.rfft2(plane, workers=worker_count())
        return made

    def plane(self, spectrum: Spectrum) -> Frame:
        """Transform back."""
        return as_float32(scipy.fft.irfft2(spectrum, s=self.canvas, workers=worker_count()))

    def laid_out(self, plane: Frame) -> Frame:
        """Put a plane ``[H,W]`` in the middle of the canvas, continued around it."""
        rows, columns = self.frame
        return as_float32(np.roll(continued(plane, self.canvas), (rows.start, columns.start), (0, 1)))

    def surrounded(self, plane: Frame, guess: Spectrum) -> Spectrum:
        """Give the spectrum of a blurred plane ``[H,W]`` with the surroundings that a sharp guess has there when it is blurred.

        The frame's rim was blurred with pixels that nobody saw. Taking them from the picture found so far, instead of mirroring the
        blurred rim, is the step of expectation in Dempster, Laird and Rubin, JRSS B 39(1), 1977.
        """
        whole = self.plane(guess * self.transfer)
        whole[self.frame] = plane
        return self.spectrum(whole)

    def agreed(self, plane: Frame, guess: Spectrum, weight: float, steps: int) -> Spectrum:
        """Give the picture that is near a guess and, blurred, near the plane: ``min over x of |V x - plane|^2 + weight |x - guess|^2``.

        The first norm is over the frame alone, so that nothing need be assumed about its surroundings. Conjugate gradients, with the
        inverse of the periodic problem for preconditioner (Shewchuk, "An introduction to the conjugate gradient method without the
        agonizing pain", 1994), all in the spectrum: two transforms a step.

        Args:
            plane: ``[H,W]``, blurred.
            guess: of the whole canvas.
            weight: above 0.
            steps: of conjugate gradients.
        """
        back, level = np.conj(self.transfer), np.float32(weight)
        damping = 1 / (self.gain + level)
        missed = np.zeros(self.canvas, np.float32)
        missed[self.frame] = plane - self.plane(guess * self.transfer)[self.frame]
        rest = back * self.spectrum(missed)
        made, way, before = guess, np.zeros_like(guess), 1.0
        for _ in range(steps):
            ahead = damping * rest
            size = self._inner(rest, ahead)
            if not size > 0:
                break
            way = ahead + np.float32(size / before) * way
            missed[self.frame] = self.plane(way * self.transfer)[self.frame]
            change = back * self.spectrum(missed) + level * way
            length = np.float32(size / self._inner(way, change))
            made, rest, before = made + length * way, rest - length * change, size
        return made

    def _inner(self, a: Spectrum, b: Spectrum) -> float:
        """Give the inner product of two planes by their spectra, up to a factor; the half that is not kept counts too."""
        products = (a.real * b.real + a.imag * b.imag).sum(axis=0, dtype=np.float64)
        return float(2 * products.sum() - products[0] - (products[-1] if self.canvas[1] % 2 == 0 else 0))

    def inverse(self, energy: float) -> Spectrum:
        """Give the regularised inverse ``conj(V) / (|V|^2 + energy)``; energy is the noise's power over the picture's."""
        made: Spectrum = np.conj(self.transfer) / (self.gain + np.float32(energy))
        return made

    def noise_through(self, inverse: Spectrum, sigma: float) -> Noise:
        """Give the noise that white noise of `sigma` (steps of 255) becomes by a filter on the canvas: exact."""
        covariance = as_float64(scipy.fft.irfft2(np.abs(inverse) ** 2, s=self.canvas))
        near = np.arange(-LAGS, LAGS + 1)
        table = covariance[np.ix_(near, near)]
        table = (table + table[::-1, ::-1]) / 2
        return Noise(sigma * float(np.sqrt(covariance[0, 0])), correlation=table / table[LAGS, LAGS])
