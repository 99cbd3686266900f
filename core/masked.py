"""An operation confined to a mask: outside it every pixel keeps its bits."""
from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from .arrays import ArrayError, Frame, Frames, Masks, to_mask
from .operation import Numbered, Operation, resized
from .parallel import for_each_frame
from .progress import Progress, silent
from .settings import SettingError


@dataclass(frozen=True)
class Mask:
    """Masks ``[B,H,W]`` as a value: B = 1 for every frame of the clip, or one mask a frame, by absolute index."""

    planes: Masks = field(repr=False, hash=False, compare=False)
    packed: bytes = field(init=False, repr=False)
    shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Bring the planes through the boundary and pack them, so that masks compare and hash by value."""
        planes = to_mask(self.planes)
        object.__setattr__(self, "planes", planes)
        object.__setattr__(self, "shape", planes.shape)
        object.__setattr__(self, "packed", zlib.compress(planes.astype("<f4").tobytes(), 1))

    def at(self, index: int, height: int, width: int) -> Frame:
        """Give the mask of frame `index` as ``[height,width]``, resized where its size differs.

        Raises:
            ArrayError: there is more than one mask, but none for this frame.
        """
        count = self.shape[0]
        if count > 1 and not 0 <= index < count:
            raise ArrayError(f"mask has {count} frames, the clip at least {index + 1}; give one mask, or one a frame.")
        return resized(self.planes[index if count > 1 else 0], height, width)

    def to_json(self) -> dict[str, Any]:
        """Give shape and zlib-packed little-endian float32 values in base64."""
        return {"shape": list(self.shape), "zlib": base64.b64encode(self.packed).decode("ascii")}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Mask:
        """Read back what `to_json` gave.

        Raises:
            SettingError: the text is not such a mask.
        """
        try:
            values = np.frombuffer(zlib.decompress(base64.b64decode(plain["zlib"])), "<f4")
            return cls(values.reshape(plain["shape"]))
        except (KeyError, ValueError, TypeError, zlib.error) as error:
            raise SettingError(f"mask: not a packed mask ({error}).") from error


@dataclass(frozen=True)
class Masked(Operation):
    """Runs an operation and keeps its result only where the mask says so.

    Mask 1 takes the result's bits, 0 keeps the source's, between them the two are blended linearly.
    """

    operation: Operation = field(kw_only=True)
    mask: Mask = field(kw_only=True)

    def __post_init__(self) -> None:
        """Refuse an operation that changes the frame size.

        Raises:
            SettingError: the operation scales.
        """
        if self.operation.scale != 1:
            raise SettingError(f"{type(self.operation).__name__}: it changes the frame size, so a mask cannot blend it back.")

    @property
    def radius(self) -> int:
        """Give the operation's radius."""
        return self.operation.radius

    @property
    def scale(self) -> Fraction:
        """Give 1: the size never changes under a mask."""
        return Fraction(1)

    @property
    def identity(self) -> bool:
        """Say whether the operation changes nothing."""
        return self.operation.identity

    @property
    def accepts_nonfinite(self) -> bool:
        """Say what the operation says."""
        return self.operation.accepts_nonfinite

    @property
    def needs_survey(self) -> bool:
        """Say what the operation says."""
        return self.operation.needs_survey

    def survey(self, clip: Iterable[Numbered], progress: Progress = silent) -> Masked:
        """Let the operation see the clip."""
        return replace(self, operation=self.operation.survey(clip, progress))

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Run the operation, then put the source back outside the mask, in place."""
        return self._blended(frames, start, self.operation.apply(frames, start, progress))

    def apply_to(self, frames: Frames, start: int, wanted: range, progress: Progress) -> Frames:
        """Do so for some of the frames."""
        made = self.operation.apply_to(frames, start, wanted, progress)
        return self._blended(frames[wanted.start : wanted.stop], start + wanted.start, made)

    def _blended(self, frames: Frames, start: int, made: Frames) -> Frames:
        def blend(i: int) -> None:
            source, result = frames[i], made[i]
            mask = self.mask.at(start + i, *source.shape[:2])[..., None]
            edge = (mask > 0) & (mask < 1)
            if edge.any():
                np.copyto(result, source + mask * (result - source), where=edge)
            np.copyto(result, source, where=mask == 0)

        for_each_frame(len(frames), blend)
        return made

    def to_json(self) -> dict[str, Any]:
        """Give ``{"op": "masked", "operation": {...}, "mask": {...}}``."""
        return {"op": self.name(), "operation": self.operation.to_json(), "mask": self.mask.to_json()}
