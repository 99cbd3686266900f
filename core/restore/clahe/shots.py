"""A clip's tone curves: averaged around keyframes within a shot, between them interpolated, begun anew at a cut."""
from __future__ import annotations

import base64
import math
import zlib
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame, as_float32
from ...settings import SettingError
from .local import Look, curves_of
from .tones import KNOTS

SPACING = 12
"""Frames between two keyframes; half a second at 25 frames a second."""

MOST = 64
"""Keyframes a shot; where it needs more, every second one goes and the spacing doubles, so memory is bounded for any length."""

CLIP_STEPS = 4096
"""Parts of 1 in which clip limits are summed: whole numbers, so that frames alike give the same bits however many are averaged."""

_THUMB = (32, 32)
_LEAST = 12 / 255  # mean change of lightness, under which a change is light or noise
_STANDS_OUT = 4.0  # times the median of the changes before


class CutWatch:
    """Sees the lightness of a clip's frames in order and tells which of them start a new shot."""

    def __init__(self) -> None:
        self._before: NDArray[np.float32] | None = None
        self._changes: deque[float] = deque(maxlen=8)

    def cuts_at(self, thumb: Frame) -> bool:
        """Say whether the frame with this thumbnail starts another shot than the one before.

        It does if it changed much, unlike the frames before, and does not resemble its predecessor (a flash does); or if it does not
        resemble it at all, as in a batch of stills.
        """
        before, self._before = self._before, thumb
        if before is None:
            return False
        change, alike = float(np.abs(thumb - before).mean()), _likeness(thumb, before)
        usual = float(np.median(self._changes)) if self._changes else math.inf
        unlike = alike < 0.3 or (alike < 0.6 and change > 4 * _LEAST)
        cut = change > _LEAST and (unlike or (alike < 0.8 and change > _STANDS_OUT * usual))
        if not cut:
            self._changes.append(change)
        return cut


def thumbnail(plane: Frame) -> Frame:
    """Give a frame's lightness, ``[h,w]``, on 32x32."""
    return as_float32(cv2.resize(plane, _THUMB, interpolation=cv2.INTER_AREA))


@dataclass(frozen=True)
class Shot:
    """The tone curves of one shot, at keyframes."""

    first: int
    """Index of its first frame, which is its first keyframe."""
    spacing: int
    """Frames between keyframes."""
    clips: tuple[float, ...]
    """Clip limit at each keyframe."""
    noise: tuple[tuple[float, ...], ...]
    """Noise by lightness at each keyframe, ``[BANDS]``."""
    tiles: tuple[int, int]
    """Rows and columns of tiles."""
    packed: bytes
    """The curves ``[keyframes,rows,columns,KNOTS]`` in steps of 1/65535, as zlib packs them."""

    @cached_property
    def curves(self) -> NDArray[np.uint16]:
        """Unpack the curves."""
        return np.frombuffer(zlib.decompress(self.packed), "<u2").reshape(len(self.clips), *self.tiles, KNOTS)

    def at(self, index: int) -> tuple[Frame, NDArray[np.float32], float]:
        """Give the curves ``[rows,columns,KNOTS]``, the noise ``[BANDS]`` and the clip limit for a frame of the shot."""
        place = min(max((index - self.first) / self.spacing, 0.0), len(self.clips) - 1.0)
        i = min(int(place), len(self.clips) - 1)
        j, share = min(i + 1, len(self.clips) - 1), np.float32(place - i)
        a, b = (as_float32(self.curves[k]) for k in (i, j))
        before, after = (as_float32(np.array(self.noise[k])) for k in (i, j))
        # Written so that two keyframes alike give their own bits in between.
        return (a + share * (b - a)) / np.float32(65535), before + share * (after - before), float(
            self.clips[i] + share * (self.clips[j] - self.clips[i]))

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON values; the curves in base64."""
        return {"first": self.first, "spacing": self.spacing, "clips": list(self.clips), "noise": [list(n) for n in self.noise],
                "tiles": list(self.tiles), "curves": base64.b64encode(self.packed).decode("ascii")}

    @classmethod
    def from_json(cls, plain: Any) -> Shot:
        """Read back what `to_json` gave.

        Raises:
            SettingError: it is no such shot.
        """
        try:
            made = cls(int(plain["first"]), int(plain["spacing"]), tuple(float(c) for c in plain["clips"]),
                       tuple(tuple(float(n) for n in bands) for bands in plain["noise"]), (int(plain["tiles"][0]), int(plain["tiles"][1])),
                       base64.b64decode(plain["curves"]))
            if made.spacing < 1 or not made.clips or len(made.noise) != len(made.clips) or not len(made.curves):
                raise ValueError("it has no keyframes")
        except (KeyError, TypeError, ValueError, IndexError, zlib.error) as error:
            raise SettingError(f"LBCLAHE: one of shots is not the curves of a shot ({error}).") from error
        return made


class ShotBuilder:
    """Takes in the looks of one shot's frames, in order, and gives its curves; holds two keyframes' sums and the finished curves."""

    def __init__(self, first: int, locality: float, tiles: int = 0) -> None:
        self._first, self._locality, self._seen = first, locality, 0
        self._spacing, self._tiles = 1, tiles
        self._sums: dict[int, _Sum] = {}
        self._done: list[tuple[float, NDArray[np.float32], Frame]] = []

    def see(self, seen: Look, clip: float, tiles: float) -> None:
        """Take in the next frame: its look, and the clip limit and log2 of the tiles predicted for it."""
        key, into = divmod(self._seen, SPACING)
        if key and not into:
            self._finish(key - 1)
        for place, weight in ((key, SPACING - into), (key + 1, into)):
            if weight:
                self._sums.setdefault(place, _Sum()).add(seen, clip, tiles, weight)
        self._seen += 1

    def shot(self) -> Shot:
        """Give the shot, after its last frame."""
        for key in sorted(self._sums):
            self._finish(key)
        clips, noise, curves = zip(*self._done, strict=True)
        stacked = np.stack(curves)
        packed = zlib.compress(np.round(stacked * np.float32(65535)).astype("<u2").tobytes(), 6)
        return Shot(self._first, self._spacing * SPACING, clips, tuple(tuple(float(v) for v in bands) for bands in noise),
                    (stacked.shape[1], stacked.shape[2]), packed)

    def _finish(self, key: int) -> None:
        """Turn a keyframe's sums into curves; the shot's first one also decides on its tiles, where none are given."""
        mean = self._sums.pop(key)
        seen, clip = mean.look(), mean.clip()
        self._tiles = self._tiles or mean.tiles()
        if key % self._spacing:
            return
        noise = seen.noise
        self._done.append((clip, noise, curves_of(seen.joined(self._tiles), clip, noise, self._locality)))
        if len(self._done) > MOST:
            self._done = self._done[::2]
            self._spacing *= 2


class _Sum:
    """Looks and predictions, summed with whole weights."""

    def __init__(self) -> None:
        self._tiles: Any = 0
        self._differences: Any = 0
        self._clip = self._log_tiles = self._weight = 0

    def add(self, seen: Look, clip: float, tiles: float, weight: int) -> None:
        self._tiles = self._tiles + weight * seen.tiles
        self._differences = self._differences + weight * seen.differences
        self._clip += weight * round(clip * CLIP_STEPS)
        self._log_tiles += weight * round(tiles * CLIP_STEPS)
        self._weight += weight

    def look(self) -> Look:
        return Look(self._tiles / self._weight, self._differences / self._weight)

    def clip(self) -> float:
        return self._clip / self._weight / CLIP_STEPS

    def tiles(self) -> int:
        return int(2 ** math.floor(self._log_tiles / self._weight / CLIP_STEPS + 0.5))


def _likeness(a: Frame, b: Frame) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 1e-4 else 1.0
