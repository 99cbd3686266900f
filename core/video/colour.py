"""The colours of one clip, or of a region, matched to another's, without flicker."""
from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from ..arrays import ArrayError, Frame, to_frames
from ..masked import Mask
from ..operation import FrameOperation, Numbered
from ..progress import Progress, silent
from ..settings import SettingError, setting
from .colour_methods import carried, neutral
from .colour_rows import Rows, rows_of, steadied

_GRAY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class ColorMatch(FrameOperation):
    """Gives frames the colours of a reference. Strength 0 returns the frames unchanged, bit for bit.

    What is matched is measured over the whole clip first (`survey`) and then averaged over time, so that a mouth that opens, or a
    frame that flickers, does not pull the colours of its frame along. The reference is, in this order: `reference` (see
    `with_reference`); another region of the same frames (`reference_mask`); the clip as a whole, which evens out drift, or neutral
    gray for ``white_balance``. Sources: see `colour_methods`.
    """

    method: Literal["lab", "reinhard", "histogram", "monge_kantorovich", "white_balance"] = setting(
        "lab", "lab: mean and spread in CIELAB. reinhard: the same in l-alpha-beta. histogram: each channel's whole distribution. "
        "monge_kantorovich: mean and the way colours vary together. white_balance: the colour cast alone.")
    strength: float = setting(1.0, "How far the colours go towards the reference. 0 changes nothing.", low=0, high=1, step=0.01)
    over: Literal["track", "clip", "frame"] = setting(
        "track", "Over which frames colours are measured. track: averaged along the clip, so nothing flickers. clip: one match for all "
        "frames. frame: each frame alone; it may flicker.")
    steadiness: float = setting(12.0, "When `over` is track: over how many frames (standard deviation) colours are averaged.",
                                low=1, high=500, step=1, unit="frames")
    keep_brightness: bool = setting(False, "Match hue and saturation only, and leave how bright each pixel is.")
    measure: Mask | None = field(default=None, kw_only=True)
    """Where the frames are measured; everywhere without it."""
    reference_mask: Mask | None = field(default=None, kw_only=True)
    """Where the same frames are measured as reference, if there is no other."""
    reference: Rows | None = field(default=None, kw_only=True)
    """The reference's figures: one row a frame of it."""
    source: Rows | None = field(default=None, kw_only=True)
    """What `survey` found: the row of each frame, averaged over time."""
    target: Rows | None = field(default=None, kw_only=True)
    """What `survey` found: the row that each frame is taken to."""

    @property
    def identity(self) -> bool:
        """Say whether strength is 0."""
        return self.strength == 0

    @property
    def needs_survey(self) -> bool:
        """Say whether the clip has still to be measured."""
        return not self.identity and self.source is None

    def with_reference(self, frames: Any, mask: Mask | None = None) -> ColorMatch:
        """Give the operation with a reference: as many frames as the clip (matched one to one), or any other number (their average).

        Args:
            frames: ``[B,H,W,C]``, anything that `to_frames` takes.
            mask: where they are measured.
        """
        return replace(self, reference=Rows(rows_of(to_frames(frames, "ColorMatch: reference"), self.method, mask)))

    def survey(self, clip: Iterable[Numbered], progress: Progress = silent) -> ColorMatch:
        """Measure every frame, and average over time.

        Raises:
            SettingError: a mask leaves nothing to measure in any frame.
        """
        own, other = [], []
        for start, frames in clip:
            own.append(rows_of(frames, self.method, self.measure, start))
            if self.reference is None and self.reference_mask is not None:
                other.append(rows_of(frames, self.method, self.reference_mask, start))
            progress(sum(map(len, own)), 0)
        if not own:
            return self
        rows = np.concatenate(own)
        source = steadied(rows, self._frames)
        if self.reference is not None and len(self.reference) == len(rows):
            target = steadied(self.reference.values, self._frames)
        elif self.reference is not None:
            target = steadied(self.reference.values, math.inf)[:1].repeat(len(rows), axis=0)
        elif other:
            target = steadied(np.concatenate(other), self._frames)
        elif self.method == "white_balance":
            target = np.stack([neutral(row) for row in source])
        else:
            target = steadied(rows, math.inf)
        return replace(self, source=Rows(source), target=Rows(target))

    @property
    def _frames(self) -> float:
        return {"track": self.steadiness, "clip": math.inf, "frame": 0.0}[self.over]

    def frame(self, frame: Frame, index: int, out: Frame) -> None:
        """Match one ``[H,W,1]`` or ``[H,W,3]`` frame.

        Raises:
            SettingError: the clip has not been surveyed.
            ArrayError: the survey did not see this frame.
        """
        if self.source is None or self.target is None:
            raise SettingError("ColorMatch: the colours of the clip are not known yet. Run it with `run`, or call `survey` on the whole "
                               "clip first.")
        if not 0 <= index < len(self.source):
            raise ArrayError(f"ColorMatch: frame {index} is asked for, but the clip it was surveyed on has {len(self.source)}.")
        colours = np.repeat(frame, 3, axis=-1) if frame.shape[-1] == 1 else frame
        made = carried(self.method, colours, self.source.values[index], self.target.values[index])
        if self.keep_brightness:
            made += ((colours - made) @ _GRAY)[..., None]
        if frame.shape[-1] == 1:
            made = (made @ _GRAY)[..., None]
        np.clip(made, np.minimum(frame, 0), np.maximum(frame, 1), out=made)
        if self.strength < 1:
            made -= frame
            made *= np.float32(self.strength)
            made += frame
        np.copyto(out, made)

    def to_json(self) -> dict[str, Any]:
        """Give the settings, and the masks and rows that are there."""
        parts = {name: getattr(self, name) for name in _PARTS}
        return super().to_json() | {name: part.to_json() for name, part in parts.items() if part is not None}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> ColorMatch:
        """Read back what `to_json` gave, less ``"op"``; the settings are known ones.

        Raises:
            SettingError: a setting, mask or table is wrong.
        """
        entries: dict[str, Any] = {name: _PARTS[name].from_json(value) if name in _PARTS and value is not None else value
                                   for name, value in plain.items()}
        return cls(**entries)


_PARTS: dict[str, type[Mask] | type[Rows]] = {"measure": Mask, "reference_mask": Mask, "reference": Rows, "source": Rows, "target": Rows}

LEARNT = tuple(_PARTS)
"""Entries of its JSON that are no settings."""
