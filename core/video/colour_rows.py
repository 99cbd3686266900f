"""The colours of a clip as one row of figures a frame: measured once, averaged over time, small enough to be part of an operation."""
from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ..arrays import Frame, Frames, contiguous
from ..masked import Mask
from ..parallel import for_each_frame
from ..settings import SettingError
from .colour_methods import Method, measured

MOST_PIXELS = 1 << 18
"""A frame's colours are measured on no more pixels than that, taken at an even step."""

RowsArray = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Rows ``[T,N]`` float64 as a value: compared and hashed by content. A row of NaN is a frame in which nothing was to be measured."""

    values: RowsArray = field(repr=False, compare=False, hash=False)
    packed: bytes = field(init=False, repr=False)
    shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", self.values.shape)
        object.__setattr__(self, "packed", zlib.compress(self.values.astype("<f8").tobytes(), 1))

    def __len__(self) -> int:
        return len(self.values)

    def to_json(self) -> dict[str, Any]:
        """Give shape and zlib-packed little-endian float64 values in base64."""
        return {"shape": list(self.shape), "zlib": base64.b64encode(self.packed).decode("ascii")}

    @classmethod
    def from_json(cls, plain: Any) -> Rows:
        """Read back what `to_json` gave.

        Raises:
            SettingError: it is no such table.
        """
        try:
            values = np.frombuffer(zlib.decompress(base64.b64decode(plain["zlib"])), "<f8").astype(np.float64)
            return cls(values.reshape(plain["shape"]))
        except (KeyError, ValueError, TypeError, zlib.error) as error:
            raise SettingError(f"colour rows: not a packed table ({error}).") from error


def selected(frame: Frame, mask: Mask | None, index: int) -> Frame:
    """Give the colours ``[N,3]`` of a ``[H,W,C]`` frame where the mask is at least half on, or on at all where it never is that far.

    N may be 0, and is at most `MOST_PIXELS`.
    """
    colours = frame[..., :3].reshape(-1, min(frame.shape[-1], 3))
    if mask is not None:
        plane = mask.at(index, *frame.shape[:2]).reshape(-1)
        inside = plane >= 0.5
        colours = colours[inside if inside.any() else plane > 0]
    colours = colours[:: -(-len(colours) // MOST_PIXELS) or 1]
    return contiguous(np.repeat(colours, 3, axis=1) if colours.shape[1] == 1 else colours)


def rows_of(frames: Frames, method: Method, mask: Mask | None = None, start: int = 0) -> RowsArray:
    """Measure every frame ``[B,H,W,C]`` for a method, inside the mask; rows of NaN where the mask is empty."""
    rows: list[RowsArray | None] = [None] * len(frames)

    def work(i: int) -> None:
        colours = selected(frames[i], mask, start + i)
        rows[i] = measured(method, colours) if len(colours) else None

    for_each_frame(len(frames), work)
    width = len(measured(method, np.zeros((1, 3), np.float32)))
    return np.stack([np.full(width, np.nan) if row is None else row for row in rows])


def steadied(rows: RowsArray, frames: float) -> RowsArray:
    """Average rows over time with a Gaussian of `frames` (standard deviation); 0 leaves them, infinity takes the mean of all.

    Frames without figures take their neighbours'.

    Raises:
        SettingError: no frame has figures.
    """
    there = np.asarray(np.isfinite(rows).all(1))
    if not there.any():
        raise SettingError("ColorMatch: the mask that says where to measure is empty in every frame; give one that is white somewhere.")
    if np.isinf(frames):
        return np.repeat(rows[there].mean(0, keepdims=True), len(rows), axis=0)
    if frames > 0:
        weight = there.astype(np.float64)
        total = gaussian_filter1d(np.where(there[:, None], rows, 0.0), frames, axis=0, mode="nearest")
        count = gaussian_filter1d(weight, frames, mode="nearest")
        near = count > 1e-6
        rows = np.where(near[:, None], total / np.maximum(count, 1e-6)[:, None], np.nan)
        there = near
    if there.all():
        return rows
    places = np.flatnonzero(there)
    after = np.searchsorted(places, np.arange(len(rows))).clip(0, len(places) - 1)
    before = (after - 1).clip(0)
    nearer = np.abs(places[before] - np.arange(len(rows))) <= np.abs(places[after] - np.arange(len(rows)))
    return np.asarray(rows[places[np.where(nearer, before, after)]])
