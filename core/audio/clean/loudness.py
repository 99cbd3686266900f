"""Loudness as ITU-R BS.1770-4 defines it (LUFS), the true peak, and bringing a voice to a target without clipping."""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, signal

from ...arrays import Waveform, as_float64, contiguous
from ...progress import Progress, silent

STEP_SECONDS, STEPS = 0.1, 4
"""Gating blocks are 0.4 s long and start every 0.1 s."""

SURROUND = 1.41
"""Weight of the surround channels; LFE counts for nothing."""

CEILING_DB = -1.0
"""dB below full scale that no peak passes (true peak, 4 times oversampled), as EBU R 128 asks."""

LOOKAHEAD = 0.005
"""Seconds that the limiter sees ahead and behind."""

MOST_LIMITED = 12.0
"""dB that peaks are turned down at most for the sake of loudness; beyond it speech sounds crushed, so the target is missed and reported."""

BLOCK_SECONDS = 10

ROUNDS = 8

SILENT = -math.inf
"""The loudness of silence, LUFS."""


def k_weighting(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the gain of BS.1770's two filters (annex 1, table 1 and 2, at 48 kHz) at frequencies in Hz.

    The standard lists coefficients at 48 kHz only. Other rates are weighted by the same response, not by filters redesigned for them, whose
    warped shelf reads 16 kHz speech 0.1 LU too loud.
    """
    at = np.minimum(hz, 24000)
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285], [1.0, -1.69065929318241, 0.73248077421585]
    highpass = [1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621]
    gain = np.ones(len(hz))
    for numerator, denominator in (shelf, highpass):
        gain *= np.abs(signal.freqz(numerator, denominator, worN=at, fs=48000)[1])
    return gain


def channel_weights(channels: int) -> NDArray[np.float64]:
    """Give the weight of each channel: 5.1 is taken as L R C LFE Ls Rs, five channels as L R C Ls Rs; more than six all count 1."""
    weights = np.ones(channels)
    if channels == 5:
        weights[3:] = SURROUND
    elif channels == 6:
        weights[3:] = 0, SURROUND, SURROUND
    return weights


def step_powers(waveform: Waveform, rate: int) -> NDArray[np.float64]:
    """Give the K-weighted power of every whole 0.1 s, channels added by their weights, ``[n]``. 0.691 dB is yet to be taken off."""
    count = int(waveform.shape[1] / rate / STEP_SECONDS + 1e-9)
    edges = np.round(np.arange(count + 1) * STEP_SECONDS * rate).astype(np.int64)
    length = fft.next_fast_len((BLOCK_SECONDS + 2) * rate + 1, real=True)
    gain = k_weighting(fft.rfftfreq(length, 1 / rate))
    total = np.zeros(count)
    for weight, samples in zip(channel_weights(len(waveform)), waveform, strict=True):
        for first in range(0, count, 10 * BLOCK_SECONDS):
            steps = edges[first : first + 10 * BLOCK_SECONDS + 1]
            # A second of sound on either side, for what the filters ring on; without phase it rings both ways.
            lead = min(rate, int(steps[0]))
            piece = as_float64(samples[steps[0] - lead : steps[-1] + rate])
            heard = fft.irfft(fft.rfft(piece, length) * gain, length)[lead : lead + steps[-1] - steps[0]]
            total[first : first + len(steps) - 1] += weight * np.add.reduceat(heard * heard, steps[:-1] - steps[0]) / np.diff(steps)
    return total


def momentary(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the power of every 0.4 s block, from `step_powers`; one block of all there is when that is shorter."""
    if len(powers) < STEPS:
        return np.array([powers.mean() if len(powers) else 0.0])
    blocks: NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(powers, STEPS).mean(axis=1)
    return blocks


def lufs(power: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn K-weighted power into LUFS; nothing is ``-inf``."""
    with np.errstate(divide="ignore"):
        return np.asarray(-0.691 + 10 * np.log10(power))


def integrated_loudness(waveform: Waveform, rate: int) -> float:
    """Measure the gated loudness of ``[C,T]`` sound, LUFS; ``-inf`` for silence. Under 0.4 s the sound counts as one block."""
    if waveform.shape[1] < STEP_SECONDS * rate:
        waveform = np.pad(waveform, ((0, 0), (0, math.ceil(STEP_SECONDS * rate) - waveform.shape[1])))
    blocks = momentary(step_powers(waveform, rate))
    loud = blocks[lufs(blocks) > -70]
    if not len(loud):
        return SILENT
    kept = loud[lufs(loud) > lufs(loud.mean()) - 10]
    return float(lufs(kept.mean()))


def peak_envelope(waveform: Waveform) -> NDArray[np.float32]:
    """Give for every sample the largest magnitude around it, over all channels, 4 times oversampled as BS.1770 annex 2 does."""
    fine = np.abs(signal.resample_poly(contiguous(waveform), 4, 1, axis=1)).max(axis=0)
    reached: NDArray[np.float32] = ndimage.maximum_filter1d(fine, 5)[::4]
    return np.asarray(np.maximum(reached[: waveform.shape[1]], np.abs(waveform).max(axis=0)))


def true_peak(waveform: Waveform, rate: int) -> float:
    """Measure the true peak, dB relative to full scale; ``-inf`` for silence."""
    top = max(float(peak_envelope(piece[:, start:stop])[start2:].max()) for piece, start, stop, start2 in _pieces(waveform, rate))
    return 20 * math.log10(top) if top > 0 else SILENT


def limit(waveform: Waveform, rate: int, ceiling: float = CEILING_DB) -> tuple[Waveform, float]:
    """Turn the sound down around every peak that would pass the ceiling, smoothly and ahead of time.

    Args:
        waveform: ``[C,T]`` float32.
        rate: Hz.
        ceiling: dB.

    Returns:
        ``[C,T]`` float32 and how far it was turned down at most, dB (0: untouched, the same array).
    """
    top = np.float32(10 ** (ceiling / 20))
    reach = max(1, round(LOOKAHEAD * rate))
    gain = np.ones(waveform.shape[1], np.float32)
    for _, start, stop, skip in _pieces(waveform, rate):
        gain[start + skip : stop] = np.minimum(1, top / np.maximum(peak_envelope(waveform[:, start:stop])[skip:], top))
    least = float(gain.min())
    if least == 1:
        return waveform, 0.0
    # The average of minima that all reach over this sample is never above what this sample needs.
    low = ndimage.minimum_filter1d(gain, 2 * reach + 1, mode="nearest")
    gain = ndimage.uniform_filter1d(low, 2 * (reach // 2) + 1, mode="nearest")
    gain = np.minimum(ndimage.uniform_filter1d(gain, 2 * (reach // 2) + 1, mode="nearest"), 1)
    return waveform * gain, -20 * math.log10(least)


@dataclass(frozen=True)
class Levelled:
    """What `level` did: the loudness before and after (LUFS), the gain (dB), and the most that peaks were turned down (dB)."""

    before: float
    after: float
    gain: float
    limited: float


def level(waveform: Waveform, rate: int, target: float, progress: Progress = silent) -> tuple[Waveform, Levelled]:
    """Bring ``[C,T]`` sound to a loudness (LUFS), peaks held under -1 dB true peak; silence stays as it is.

    Turning peaks down lowers the loudness, so the gain is raised again until the target is met within 0.02 LU, or until the highest peak
    would be turned down by more than 12 dB.
    """
    before = integrated_loudness(waveform, rate)
    if before == SILENT:
        return waveform, Levelled(before, before, 0.0, 0.0)
    most = CEILING_DB + MOST_LIMITED - true_peak(waveform, rate)
    gain, after, made, limited = 0.0, before, waveform, 0.0
    for turn in range(ROUNDS):
        gain, last = min(gain + target - after, most), gain
        if gain == last:
            break
        made, limited = limit(waveform * np.float32(10 ** (gain / 20)), rate)
        after = integrated_loudness(made, rate)
        progress(turn + 1, ROUNDS)
        if abs(after - target) <= 0.02:
            break
    progress(ROUNDS, ROUNDS)
    return made, Levelled(before, after, gain, limited)


def _pieces(waveform: Waveform, rate: int) -> list[tuple[Waveform, int, int, int]]:
    """Cut into stretches of 10 s that overlap by a few samples: the sound, start, stop, and how many at the start only lead in."""
    size, lead = BLOCK_SECONDS * rate, 64
    return [(waveform, max(0, first - lead), min(first + size + lead, waveform.shape[1]), min(first, lead))
            for first in range(0, waveform.shape[1], size)]
