"""Working on a part of the frame: the mouth, the face, whatever a mask or boxes mark, faded back into the rest."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

from ..arrays import ArrayError, Frame, as_float32, contiguous
from ..operation import resized
from ..settings import SettingError

CONTEXT = 16
"""Pixels around the marked part that the network sees too."""

STEP = 16
"""Crops are a multiple of this wide and high (where the frame allows), so that a moving region does not bring a new size every frame."""


class Region(Protocol):
    """A part of each frame. `core.masked.Mask` is one; `Boxes` is another."""

    def at(self, index: int, height: int, width: int) -> Frame:
        """Give the mask of frame `index` as ``[height,width]``, 0..1."""

    def to_json(self) -> dict[str, Any]:
        """Give the region as plain JSON values."""


@dataclass(frozen=True)
class Boxes:
    """Rectangles (left, top, right, bottom) in px, right and bottom excluded: one for the whole clip, or one a frame by absolute index."""

    corners: tuple[tuple[float, float, float, float], ...]

    def __post_init__(self) -> None:
        """Bring the corners to plain floats.

        Raises:
            SettingError: there is no box, or one without area.
        """
        corners = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in self.corners)
        if not corners or not all(np.isfinite(box).all() and box[2] > box[0] and box[3] > box[1] for box in corners):
            raise SettingError("boxes: each is (left, top, right, bottom) in px, right > left and bottom > top, and there is at least one.")
        object.__setattr__(self, "corners", corners)

    def at(self, index: int, height: int, width: int) -> Frame:
        """Give 1 inside the box of frame `index` and 0 outside, ``[height,width]``.

        Raises:
            ArrayError: there is more than one box, but none for this frame.
        """
        count = len(self.corners)
        if count > 1 and not 0 <= index < count:
            raise ArrayError(f"boxes are {count}, the clip has at least {index + 1} frames; give one box, or one a frame.")
        left, top, right, bottom = self.corners[index if count > 1 else 0]
        mask = np.zeros((height, width), np.float32)
        mask[max(0, round(top)) : max(0, round(bottom)), max(0, round(left)) : max(0, round(right))] = 1
        return mask

    def to_json(self) -> dict[str, Any]:
        """Give ``{"boxes": [[left, top, right, bottom], ...]}``."""
        return {"boxes": [list(box) for box in self.corners]}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Boxes:
        """Read back what `to_json` gave."""
        return cls(tuple(tuple(box) for box in plain["boxes"]))


@dataclass(frozen=True)
class Crop:
    """A rectangle of a frame, in px of the source."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        """Give height and width."""
        return self.bottom - self.top, self.right - self.left

    def of(self, picture: Frame, scale: int = 1) -> Frame:
        """Give this part of a picture ``[H*scale,W*scale,...]``, as a view."""
        return picture[self.top * scale : self.bottom * scale, self.left * scale : self.right * scale]


def crop_around(mask: Frame) -> Crop | None:
    """Give the rectangle around all that a ``[H,W]`` mask marks, with some context; None where it marks nothing."""
    marked = mask > 0
    rows, columns = np.flatnonzero(marked.any(1)), np.flatnonzero(marked.any(0))
    if not rows.size:
        return None
    height, width = mask.shape
    top, bottom = _widened(int(rows[0]), int(rows[-1]) + 1, height)
    left, right = _widened(int(columns[0]), int(columns[-1]) + 1, width)
    return Crop(top, bottom, left, right)


def _widened(start: int, stop: int, length: int) -> tuple[int, int]:
    size = min(length, -(-(stop - start + 2 * CONTEXT) // STEP) * STEP)
    first = min(max(0, (start + stop - size) // 2), length - size)
    return first, first + size


def faded(mask: Frame, feather: float) -> Frame:
    """Let a ``[H,W]`` mask rise from its rim inwards over `feather` px, so that nothing outside is touched. The frame's edge is no rim."""
    if feather <= 0:
        return mask
    inside = np.pad((mask > 0).astype(np.uint8), 1, mode="edge")
    if inside.all():
        return mask
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1]
    return as_float32(mask * np.minimum(distance / np.float32(feather + 1), 1))


def blended(base: Frame, part: Frame, crop: Crop, mask: Frame, scale: int) -> None:
    """Blend an upscaled crop into a frame, in place.

    Args:
        base: ``[H*scale,W*scale,C]``, already filled.
        part: the crop, ``[h*scale,w*scale,C]``.
        crop: where it lies, in px of the source.
        mask: ``[H,W]``, already faded; where it is 0, `base` keeps its bits.
        scale: of `base` over the source.
    """
    height, width = crop.size
    share = resized(contiguous(crop.of(mask)), height * scale, width * scale)[..., None]
    place = crop.of(base, scale)
    np.copyto(place, np.where(share >= 1, part, place + share * (part - place)), where=share > 0)


def enlarged(frame: Frame, height: int, width: int) -> Frame:
    """Resize one ``[H,W,C]`` frame: Lanczos when it grows (kept within 0..1), area average when it shrinks, itself when nothing changes."""
    before = frame.shape
    if before[:2] == (height, width):
        return frame
    grows = height * width > before[0] * before[1]
    made = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LANCZOS4 if grows else cv2.INTER_AREA)
    made = made.reshape(height, width, before[2])  # OpenCV drops an axis of one channel
    return as_float32(np.clip(made, 0, 1) if grows else made)


def boxes_from(corners: Sequence[Sequence[float]]) -> Boxes:
    """Give boxes from any rows of four numbers, e.g. a detector's."""
    return Boxes(tuple((box[0], box[1], box[2], box[3]) for box in corners))
