"""What the noise under a voice is, at every moment: a low quantile of the smoothed power, cut where the noise changes.

A whole-clip quantile is the best estimate of noise that stays as it is, and a poor one when somebody switches a fan on. So the clip
is first cut where its noise floor steps, which shows as a step of the low quantile in most bands at once between two stretches that
each hold a steady floor; inside a piece the quantile slides. Speech alone has no steady floor (its 5 % and 15 % quantiles lie far
apart, noise's about 1 dB), and where none is found the estimate falls back to the very lowest levels, so that clean speech is left alone.
The idea of taking noise from the lower levels of each band follows Martin, "Noise power spectral density estimation based on optimal
smoothing and minimum statistics", IEEE TSAP 9(5), 2001, and Stahl, Fischer and Bippus (quantile based, ICASSP 2000).
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...arrays import Waveform
from .frames import Framing, Powers, powers, spectra

SMOOTHING = 15
"""Frames averaged before a quantile is taken (0.12 s)."""

STRIDE = 4
"""Every fourth smoothed frame is looked at; they hardly differ between."""

QUANTILE, BIAS = 0.15, 1.3
"""The quantile taken for the noise, and the factor that makes up for most of its being below the mean."""

RUMBLE_HZ, RUMBLE_BIAS = 50.0, 8.0
"""Below this no voice sounds, and rumble swells so slowly that its quantile lies far below its mean: the factor used there instead."""

LOWEST = 0.02
"""The quantile taken where no steady floor is found."""

SPAN = 12.0
"""Seconds that a sliding quantile looks at."""

SIDE = 2.0
"""Seconds looked at on each side of a possible step of the noise; also the shortest piece."""

STEP_DB = 3.0
"""The smallest step of the floor that cuts the clip."""

STEADY_DB = 2.6
"""The spread of the floor up to which `SIDE` seconds count as holding steady noise."""

TRUST_DB = (2.8, 4.0)
"""The spread of the floor at which the quantile starts to be mistrusted, and at which it no longer counts."""

SILENCE = 1e-14
"""Power taken for nothing, so that logarithms exist."""

Curves = NDArray[np.float32]
"""``[n, bins]``."""


@dataclass(frozen=True, eq=False)
class NoiseTrack:
    """The noise along a sound.

    Attributes:
        centres: ``[n]`` frame numbers that the estimates stand for, ascending.
        levels: ``[n, bins]`` noise power.
        piece: ``[n]`` which piece each estimate belongs to; between pieces the noise steps.
        cuts: frame numbers where pieces start, without the first.
        trust: 0 (no steady noise was found) to 1 (there is), mean over the sound.
    """

    centres: NDArray[np.float64]
    levels: Curves
    piece: NDArray[np.int64]
    cuts: tuple[int, ...]
    trust: float

    def at(self, first: int, last: int) -> Powers:
        """Give the noise power of frames `first` to `last` (not included), ``[frames, bins]``."""
        frames = np.arange(first, last)
        pieces = np.searchsorted(self.cuts, frames, side="right")
        out = np.empty((last - first, self.levels.shape[1]), np.float32)
        for number in np.unique(pieces):
            here, own = pieces == number, np.flatnonzero(self.piece == number)
            centres = self.centres[own]
            right = np.clip(np.searchsorted(centres, frames[here]), 1, max(1, len(own) - 1))
            right = np.minimum(right, len(own) - 1)
            left = np.maximum(right - 1, 0)
            gap = np.maximum(centres[right] - centres[left], 1)
            share = np.clip((frames[here] - centres[left]) / gap, 0, 1).astype(np.float32)[:, None]
            out[here] = self.levels[own[left]] * (1 - share) + self.levels[own[right]] * share
        return out


def track_noise(waveform: Waveform, framing: Framing, *, fixed: bool = False) -> NoiseTrack:
    """Estimate the noise along ``[C,T]`` sound.

    Args:
        waveform: the sound, all of it (a stretch of speech can only be told from noise by what is around it).
        framing: how it is cut.
        fixed: take one quantile over the whole sound, as most published tools do; for comparison.
    """
    floor = _survey(waveform, framing)
    bias = np.where(np.arange(framing.bins) * framing.rate / framing.window < RUMBLE_HZ, RUMBLE_BIAS, BIAS).astype(np.float32)
    if fixed:
        level = np.quantile(floor, QUANTILE, axis=0)[None] * bias
        return NoiseTrack(np.zeros(1), level.astype(np.float32), np.zeros(1, np.int64), (), 1.0)
    per_second = framing.per_second / STRIDE
    cuts = _steps(_decibels(floor), max(8, round(SIDE * per_second)))
    centres, levels, pieces, trusts = [], [], [], []
    for number, (start, stop) in enumerate(zip((0, *cuts), (*cuts, len(floor)), strict=True)):
        # Smoothing reaches half a window over a cut, where the other side's noise would leak in.
        margin = SMOOTHING // (2 * STRIDE) + 1 if stop - start > 4 * SMOOTHING // STRIDE else 0
        inner = floor[start + (margin if start else 0) : stop - (margin if stop < len(floor) else 0)]
        span = min(len(inner), max(1, round(SPAN * per_second)))
        for offset in _offsets(len(inner), span, max(1, round(per_second / 2))):
            level, trust = _noise_of(inner[offset : offset + span], bias)
            centres.append((start + offset + span / 2) * STRIDE)
            levels.append(level)
            pieces.append(number)
            trusts.append(trust)
    return NoiseTrack(
        np.array(centres), np.array(levels, np.float32), np.array(pieces), tuple(c * STRIDE for c in cuts), float(np.mean(trusts)))


def _survey(waveform: Waveform, framing: Framing) -> Curves:
    """Give the smoothed power of every `STRIDE`-th frame, ``[n, bins]``."""
    half = SMOOTHING // 2
    found = []
    for first, last in framing.blocks():
        low, high = max(0, first - half), min(framing.frames, last + half)
        smooth = ndimage.uniform_filter1d(powers(spectra(waveform, framing, low, high)), SMOOTHING, axis=0, mode="nearest")
        found.append(np.maximum(smooth[first - low + -first % STRIDE : last - low : STRIDE], 0))
    return np.concatenate(found)


def _noise_of(floor: Curves, bias: Curves) -> tuple[Curves, float]:
    """Give the noise power ``[bins]`` in a stretch, and how far its floor can be trusted to be noise."""
    low, lower, usual = np.quantile(floor, [LOWEST, 0.05, QUANTILE], axis=0)
    start, end = TRUST_DB
    trust = float(np.clip((end - _spread(_decibels(lower), _decibels(usual))) / (end - start), 0, 1))
    level = np.exp(trust * np.log(usual * bias + SILENCE) + (1 - trust) * np.log(low + SILENCE))
    return level.astype(np.float32), trust


def _spread(lower: NDArray[np.floating], usual: NDArray[np.floating]) -> NDArray[np.floating]:
    """Give how far apart the quantiles lie, dB: the 30th percentile over the bins ``[..., bins]`` that hold anything."""
    heard = usual >= usual.max(axis=-1, keepdims=True) - 90
    return np.asarray(np.nanpercentile(np.where(heard, usual - lower, np.nan), 30, axis=-1))


def _steps(levels: Curves, side: int) -> tuple[int, ...]:
    """Find where the floor steps, in rows of ``[n, bins]`` dB, strongest first, at least `side` rows apart."""
    rows = np.arange(0, len(levels) - side + 1, max(1, side // 16))
    if len(levels) < 2 * side:
        return ()
    found = [_quantiles(levels, rows[i : i + 64], side) for i in range(0, len(rows), 64)]
    low, usual = (np.concatenate(parts) for parts in zip(*found, strict=True))
    spread = _spread(low, usual)
    gap = int(np.searchsorted(rows, side))
    steps = np.abs(np.median(low[gap:] - low[:-gap], axis=1))
    steps[(spread[gap:] > STEADY_DB) | (spread[:-gap] > STEADY_DB)] = 0
    cuts: list[int] = []
    for place in np.argsort(-steps, kind="stable"):
        row = int(rows[place + gap])
        if steps[place] < STEP_DB:
            break
        if all(abs(row - cut) >= side for cut in cuts) and side <= row <= len(levels) - side:
            cuts.append(row)
    return tuple(sorted(_refined(levels, cut, side) for cut in cuts))


def _refined(levels: Curves, cut: int, side: int) -> int:
    """Give the row near `cut` where the floor steps most."""
    near = np.arange(max(side, cut - side // 8), min(len(levels) - side, cut + side // 8) + 1)
    before, after = _quantiles(levels, near - side, side)[0], _quantiles(levels, near, side)[0]
    return int(near[np.argmax(np.abs(np.median(after - before, axis=1)))])


def _quantiles(levels: Curves, rows: NDArray[np.int64], length: int) -> tuple[Curves, Curves]:
    """Give the 5 % and 15 % quantiles of the stretches of `length` rows that start at `rows`, ``[len(rows), bins]`` each."""
    view = np.lib.stride_tricks.sliding_window_view(levels, length, axis=0)
    lower, usual = np.quantile(view[rows], [0.05, QUANTILE], axis=-1)
    return lower, usual


def _offsets(length: int, span: int, step: int) -> list[int]:
    """Give where stretches of `span` rows start so that they cover `length` rows, the last one flush with the end."""
    return [*range(0, length - span, step), length - span]


def _decibels(power: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(10 * np.log10(power + SILENCE))
