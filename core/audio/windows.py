"""Which mel columns belong to which video frame: the two counting rules in use, in exact arithmetic, at any frame rate."""
from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..arrays import ArrayError
from .mel import STANDARD, Mel, MelPreset

WIDTH = 16
"""Columns in a window: 0.2 s at 80 columns a second, five video frames at 25 fps."""

SHORTEST = (WIDTH - 1) * STANDARD.hop
"""Samples at 16 kHz below which there is not one window (3000)."""

Starts = NDArray[np.int64]
"""First mel column of every window, ``[n]``."""


def frame_rate(fps: float | str | Fraction) -> Fraction:
    """Give a frame rate exactly; 23.976, 23.98, 29.97, 59.94 and their kin are read as n * 1000 / 1001.

    Args:
        fps: frames a second, as a number, a fraction, or text such as ``"25"``, ``"29.97"`` or ``"30000/1001"``.

    Raises:
        ValueError: not a number between 1 and 1000.
    """
    try:
        rate = Fraction(fps) if isinstance(fps, str) else Fraction(fps).limit_denominator(100_000)
    except (ValueError, ZeroDivisionError, OverflowError):
        rate = Fraction(0)
    if not 1 <= rate <= 1000:
        raise ValueError(f"fps is {fps!r}; a frame rate is a number between 1 and 1000, e.g. 25, 29.97 or 30000/1001.")
    drop_frame = Fraction(round(rate) * 1000, 1001)
    whole = abs(rate - round(rate)) < Fraction(1, 1000)
    return Fraction(round(rate)) if whole else drop_frame if abs(rate - drop_frame) < Fraction(1, 200) else rate


def window_starts(columns: int, fps: Fraction, preset: MelPreset = STANDARD) -> Starts:
    """Give the window of every feature, by SyncTalk's rule (this is also what Wav2Lip's data sets do).

    Window i starts at ``floor(i * columns_per_second / fps)``, so it lies in the 0.2 s that *follow* frame i; one that would run over the
    end is moved back to the last 16 columns. There are ``trunc((columns - 16) / columns_per_second * fps) + 2`` of them, in float64 as
    published: 1 026 of the first 200 000 lengths (384 columns is the first) have one window fewer than in exact arithmetic.

    Raises:
        ArrayError: fewer than 16 columns.
    """
    if columns < WIDTH:
        raise ArrayError(f"The mel has {columns} columns; a window takes {WIDTH} (0.2 s). Pad the sound with silence first.")
    count = int((columns - WIDTH) / float(preset.columns_per_second) * float(fps)) + 2
    return np.minimum(natural_starts(count, fps, preset), columns - WIDTH)


def natural_starts(count: int, fps: Fraction, preset: MelPreset = STANDARD, first: int = 0) -> Starts:
    """Give ``floor(i * columns_per_second / fps)`` for `count` windows from `first` on, wherever the mel ends."""
    step = preset.columns_per_second / fps
    return np.arange(first, first + count, dtype=np.int64) * step.numerator // step.denominator


def diff2lip_starts(columns: int, fps: Fraction, preset: MelPreset = STANDARD) -> Starts:
    """Give the window of every video frame by Diff2Lip's rule.

    Frame k takes ``floor(max(k - 1, 0) * columns_per_second / fps)`` (frames 0 and 1 share a window), and the list ends before the first
    window that would run over the end: no padding, fewer frames than the sound is long.
    """
    if columns < WIDTH:
        return np.zeros(0, np.int64)
    most = math.floor((columns - WIDTH) / preset.columns_per_second * fps) + 3
    starts = natural_starts(most, fps, preset)
    starts = np.concatenate((starts[:1], starts))
    return starts[starts + WIDTH <= columns]


def window_view(mel: Mel) -> NDArray[np.float32]:
    """Give every run of 16 columns of a ``[bands,T]`` mel as a read-only view ``[T-15, bands, 16]``: no memory of its own."""
    view: NDArray[np.float32] = np.lib.stride_tricks.sliding_window_view(mel, WIDTH, axis=1).transpose(1, 0, 2)
    return view


def cut_windows(mel: Mel, starts: Sequence[int] | Starts) -> NDArray[np.float32]:
    """Copy the windows that begin at `starts` out of a ``[bands,T]`` mel.

    Returns:
        ``[n, 1, bands, 16]`` float32: what the encoder takes.

    Raises:
        ArrayError: a window runs over an end of the mel.
    """
    places = np.array(starts, np.int64)
    if places.size and (places.min() < 0 or places.max() > mel.shape[1] - WIDTH):
        raise ArrayError(f"A window starts at column {places.min()}..{places.max()}; the mel of {mel.shape[1]} columns has no such window.")
    windows: NDArray[np.float32] = window_view(mel)[places]
    return windows[:, None]
