"""The sixteen feature rows that a video frame hears, and the tensor they become for the network of each mode."""
from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..arrays import ArrayError

BEFORE, CONTEXT = 8, 16
"""Rows ahead of the frame's own, and rows in all: frame i hears rows i-8 .. i+7."""

Mode = Literal["ave", "hubert", "wenet"]
"""Which network made the features: SyncTalk_2D's AudioEncoder, HuBERT large, or the WeNet conformer."""

Border = Literal["zeros", "edge", "legacy"]
"""What stands in for rows before the first and after the last.

``zeros``: zeros, as the networks were trained (parity with the published code). ``edge``: the first or last row repeated.
``legacy``: the fork's rule; on the left the first row repeated, but a context that misses even one row on the right becomes sixteen copies
of the last row (so the lips jump seven rows before the end). There to reproduce old renders.
"""

BORDERS: tuple[Border, ...] = get_args(Border)

Rows = NDArray[np.float32]
"""Features, ``[n,512]`` (ave), ``[n,2,1024]`` (hubert) or ``[n,16,512]`` (wenet), float32."""


@dataclass(frozen=True)
class ModeShape:
    """The sizes of a mode: one feature row, the tensor a frame becomes, and the frame rate it was trained at."""

    row: tuple[int, ...]
    tensor: tuple[int, int, int]
    trained_fps: Fraction
    network: str


MODES: dict[Mode, ModeShape] = {
    "ave": ModeShape((512,), (32, 16, 16), Fraction(25), "SyncTalk_2D AudioEncoder"),
    "hubert": ModeShape((2, 1024), (32, 32, 32), Fraction(25), "facebook/hubert-large-ls960-ft"),
    "wenet": ModeShape((16, 512), (256, 16, 32), Fraction(20), "WeNet conformer encoder (ONNX)"),
}


def check_rows(rows: Rows, mode: Mode, name: str = "features") -> Rows:
    """Give feature rows ``[n, ...]`` in the shape of their mode; hubert's ``[2n,1024]`` and flat rows are folded.

    Raises:
        ArrayError: sizes that are not this mode's, no rows, an odd number of HuBERT steps, NaN or infinity.
    """
    shape = MODES[mode].row
    size = int(np.prod(shape))
    wanted = f"{mode} features are [n,{','.join(map(str, shape))}] from {MODES[mode].network}"
    if rows.ndim < 2 or 0 in rows.shape:
        raise ArrayError(f"{name} has shape {list(rows.shape)}; {wanted}.")
    if mode == "hubert" and rows.ndim == 2 and rows.shape[1] == 1024 and rows.shape[0] % 2:
        raise ArrayError(f"{name} has {rows.shape[0]} steps; {wanted}, two steps a frame. Drop or repeat the last step.")
    steps = mode == "hubert" and rows.ndim == 2 and rows.shape[1] == 1024
    if not steps and (int(np.prod(rows.shape[1:])) != size or rows.shape[1:] not in (shape, (size,))):
        raise ArrayError(f"{name} has shape {list(rows.shape)}; {wanted}. Features of another network cannot be used in its place.")
    if not np.isfinite(rows).all():
        raise ArrayError(f"{name} holds NaN or infinity, first in row {int(np.argwhere(~np.isfinite(rows))[0, 0])}.")
    return rows.reshape(-1, *shape)


def context(rows: Rows, index: int, border: Border = "zeros") -> Rows:
    """Gather the rows ``index - 8 .. index + 7`` around a frame.

    Args:
        rows: ``[n, ...]`` float32, n >= 1.
        index: the frame, 0 <= index < n.
        border: what stands in for the rows that are not there.

    Returns:
        ``[16, ...]`` float32, a copy, for every n and index.

    Raises:
        IndexError: no such frame.
        ValueError: an unknown border rule.
    """
    count = len(rows)
    if not 0 <= index < count:
        raise IndexError(f"Frame {index} was asked for; the speech has frames 0 to {count - 1}.")
    wanted = np.arange(index - BEFORE, index - BEFORE + CONTEXT)
    if border == "legacy" and wanted[-1] >= count:
        return np.repeat(rows[-1:], CONTEXT, axis=0)
    found = rows[np.clip(wanted, 0, count - 1)]
    if border == "zeros":
        found[(wanted < 0) | (wanted >= count)] = 0
    elif border not in BORDERS:
        raise ValueError(f"The border rule is {border!r}; it must be one of {', '.join(BORDERS)}.")
    return found


def frame_tensor(rows: Rows, index: int, mode: Mode, border: Border = "zeros") -> NDArray[np.float32]:
    """Give a frame's context as the ``[C,H,W]`` tensor that the picture network of the mode takes: a row-major reshape."""
    return context(rows, index, border).reshape(MODES[mode].tensor)
