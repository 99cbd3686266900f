"""Short-time spectra by blocks: cut, weight, transform, and the way back by overlap-add."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ...arrays import Waveform, contiguous
from ...parallel import worker_count
from ...progress import Progress, silent

Spectra = NDArray[np.complex64]
"""``[channels, frames, bins]``."""

Powers = NDArray[np.float32]
"""``[frames, bins]``, mean over the channels."""

HOP_SECONDS = 0.008
OVERLAP = 4
BLOCK = 1024
"""Frames worked on at a time (8 s): memory does not grow with the sound."""


@dataclass(frozen=True)
class Framing:
    """How a sound of `samples` samples is cut: windows of about 32 ms a quarter apart, the first ones ahead of the sound."""

    rate: int
    samples: int

    @property
    def hop(self) -> int:
        """Give the step in samples: about 8 ms, of a length that transforms fast."""
        return int(fft.next_fast_len(round(HOP_SECONDS * self.rate), real=True))

    @property
    def window(self) -> int:
        """Give the window's length in samples."""
        return OVERLAP * self.hop

    @property
    def frames(self) -> int:
        """Count the frames; every sample lies in four of them."""
        return -(-self.samples // self.hop) + OVERLAP - 1

    @property
    def bins(self) -> int:
        """Count the frequencies, 0 to half the rate."""
        return self.window // 2 + 1

    @property
    def per_second(self) -> float:
        """Give the frames a second."""
        return self.rate / self.hop

    def weights(self) -> NDArray[np.float32]:
        """Give the root of a periodic Hann window, for analysis and synthesis both; the squares of four overlapping add up to 2."""
        root: NDArray[np.float32] = np.sin(np.pi * np.arange(self.window) / self.window).astype(np.float32)
        return root

    def start(self, frame: int) -> int:
        """Give the first sample of a frame; negative for the first three."""
        return (frame - OVERLAP + 1) * self.hop

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Give consecutive runs of frames ``(first, last)``, `last` not included."""
        for first in range(0, self.frames, BLOCK):
            yield first, min(first + BLOCK, self.frames)


def spectra(waveform: Waveform, framing: Framing, first: int, last: int) -> Spectra:
    """Transform frames `first` to `last` (not included) of ``[C,T]`` sound; outside of it are zeros."""
    start, stop = framing.start(first), framing.start(last - 1) + framing.window
    inside = slice(max(start, 0), min(stop, framing.samples))
    piece = np.zeros((len(waveform), stop - start), np.float32)
    piece[:, inside.start - start : inside.stop - start] = waveform[:, inside]
    segments = np.lib.stride_tricks.sliding_window_view(piece, framing.window, axis=1)[:, :: framing.hop]
    made: Spectra = fft.rfft(segments * framing.weights(), axis=-1, workers=worker_count())
    return made


def powers(spectra: Spectra) -> Powers:
    """Give the power of each frame and bin, averaged over the channels."""
    mean: Powers = (spectra.real**2 + spectra.imag**2).mean(axis=0)
    return mean


def filtered(
    waveform: Waveform, framing: Framing, gains: Callable[[Powers, int], Powers], progress: Progress = silent
) -> Waveform:
    """Multiply the short-time spectra by gains and put the sound together again.

    Args:
        waveform: ``[C,T]``.
        framing: of this sound.
        gains: gives ``[frames, bins]`` for the powers of a run of frames and the index of the first; called in order.
        progress: told of the frames done.

    Returns:
        ``[C,T]`` float32; gains of 1 give the sound back within float32's rounding.
    """
    window, hop, weights = framing.window, framing.hop, framing.weights() * np.float32(2 / OVERLAP)
    lead = (OVERLAP - 1) * hop
    out = np.zeros((len(waveform), lead + framing.frames * hop + window), np.float32)
    for first, last in framing.blocks():
        shaped = spectra(waveform, framing, first, last)
        shaped *= gains(powers(shaped), first)
        segments = fft.irfft(shaped, window, axis=-1, workers=worker_count()) * weights
        count = last - first
        for quarter in range(OVERLAP):
            # All frames' q-th quarters lie end to end, so each is added in one go.
            place = (first + quarter) * hop
            out[:, place : place + count * hop] += segments[..., quarter * hop : (quarter + 1) * hop].reshape(len(waveform), -1)
        progress(last, framing.frames)
    return contiguous(out[:, lead : lead + framing.samples])
