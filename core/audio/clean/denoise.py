"""Noise reduction by a gain for every moment and frequency, from the decision-directed estimate of the speech in it."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import exp1

from ...arrays import Waveform
from ...progress import Progress, silent
from .frames import Framing, Powers, filtered
from .noise import NoiseTrack, track_noise

Method = Literal["wiener", "log-mmse"]

MEMORY = 0.98
"""How much of the speech-to-noise estimate comes from the frame before: the higher, the fewer stray tones."""

LEAST = 10**-2.5
"""The least speech-to-noise power ratio taken for possible (-25 dB)."""


@dataclass
class Gains:
    """The gains of a sound, frame after frame; keeps what the frame before left, so frames must come in order.

    Source: Ephraim and Malah, "Speech enhancement using a minimum mean-square error short-time spectral amplitude estimator", IEEE TASSP
    32(6), 1984 (decision-directed estimate), and "... log-spectral amplitude estimator", IEEE TASSP 33(2), 1985.
    """

    noise: NoiseTrack
    method: Method
    floor: float
    _before: NDArray[np.float32] | None = None

    def __call__(self, powers: Powers, first: int) -> Powers:
        """Give gains ``[frames, bins]``, `floor` to 1, for the powers of consecutive frames."""
        noise = self.noise.at(first, first + len(powers)) + np.float32(1e-14)
        ratio = powers / noise
        excess = np.maximum(ratio - 1, 0) * np.float32(1 - MEMORY)
        speech = np.zeros(powers.shape[1], np.float32) if self._before is None else self._before
        gains = np.empty_like(powers)
        for i in range(len(powers)):
            prior = np.maximum(MEMORY * speech / noise[i] + excess[i], LEAST)
            gain = prior / (1 + prior)
            if self.method == "log-mmse":
                gain = np.minimum(gain * np.exp(0.5 * exp1(np.clip(gain * ratio[i], 1e-8, 500))), 1)
            speech = gain * gain * powers[i]
            gains[i] = gain
        self._before = speech
        return np.maximum(gains, self.floor, out=gains)


def denoise(
    waveform: Waveform, rate: int, *, method: Method = "wiener", strength: float = 1.0, fixed: bool = False, progress: Progress = silent
) -> tuple[Waveform, NoiseTrack]:
    """Take steady and changing background noise out of a voice.

    Args:
        waveform: ``[C,T]`` float32; all channels get the same gains, so that the stereo image stays.
        rate: Hz.
        method: ``wiener`` or ``log-mmse``.
        strength: 0 (nothing) to 1 (down to -18 dB where there is only noise).
        fixed: one noise estimate for the whole sound; for comparison.
        progress: told of the frames done.

    Returns:
        ``[C,T]`` float32 and the noise that was found.
    """
    framing = Framing(rate, waveform.shape[1])
    noise = track_noise(waveform, framing, fixed=fixed)
    gains = Gains(noise, method, floor=10 ** (-18 * strength / 20))
    return filtered(waveform, framing, gains, progress), noise
