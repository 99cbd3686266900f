"""The mouth or the face of a track as a region, by absolute frame index; and any region read back from JSON."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from ..arrays import Frame
from ..face.anchors import Points, eye_distance
from ..face.detect.scheme import to_5
from ..face.regions import LipMask, draw
from ..face.track import FaceTrack, TrackError
from ..masked import Mask
from ..settings import SettingError, check_settings, setting
from .region import Boxes, Region

_LIPS = LipMask(expansion=2.0)
"""Twice the lips: the fade lies on the skin around them."""

_CORNERS = 48  # of the polygon that stands for a face's ellipse


@dataclass(frozen=True)
class FaceRegion:
    """Where the mouth or the face is in each frame of a clip.

    Frames in which no face was found have the place that the track filled in, so that detail does not come and go with the detector.
    """

    part: Literal["mouth", "face"] = setting("mouth", "With `track`: whether the mouth or the whole face is upscaled by the model.")
    track: FaceTrack = field(kw_only=True, repr=False)

    def __post_init__(self) -> None:
        """Check the setting.

        Raises:
            SettingError: it is another part.
        """
        check_settings(self)

    @cached_property
    def _outlines(self) -> Points:
        return _LIPS.outlines(self.track) if self.part == "mouth" else face_outlines(self.track)

    def at(self, index: int, height: int, width: int) -> Frame:
        """Give 1 inside the outline of frame `index` and 0 outside, ``[height,width]``.

        Frames larger or smaller than those that were tracked are fine where only their scale differs.

        Raises:
            TrackError: the track does not cover the frame, or was made on frames of another shape.
        """
        tall, wide = self.track.size
        if abs(height * wide - width * tall) > max(tall, wide):  # more than the pixel that rounding may take
            raise TrackError(f"The frames are {width} x {height} px, the track was made on {wide} x {tall}; use the clip that was tracked.")
        factors = np.array([width / wide, height / tall])
        return draw((self._outlines[self.track.place(index)] + 0.5) * factors - 0.5, (height, width), 0.0)

    def to_json(self) -> dict[str, Any]:
        """Give ``{"part": ..., "track": {...}}``."""
        return {"part": self.part, "track": self.track.to_json()}


def face_outlines(track: FaceTrack) -> Points:
    """Outline the face of every frame from the hair to below the chin, ``[T,48,2]``, px: an ellipse in the face's own turn.

    Its axes are those of an adult's face with some room: 2.6 eye distances wide; from the eyes up 1.3 times, and down 1.9 times as far as
    from the eyes to the mouth.
    """
    five = to_5(track.points, track.scheme)
    eyes, mouth = five[:, :2].mean(1), five[:, 3:5].mean(1)
    across = five[:, 1] - five[:, 0]
    across = across / np.maximum(1e-6, np.linalg.norm(across, axis=1, keepdims=True))
    down = np.stack((-across[:, 1], across[:, 0]), -1)
    length = np.maximum(np.linalg.norm(mouth - eyes, axis=1, keepdims=True), 1e-6)
    half_width = 1.3 * eye_distance(track.points, track.scheme)[:, None]
    centre, half_height = (eyes + mouth) / 2 - 0.2 * length * down, 1.6 * length
    turn = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)[None, :, None]
    shape: Points = centre[:, None] + np.cos(turn) * (half_width * across)[:, None] + np.sin(turn) * (half_height * down)[:, None]
    return shape


def region_from_json(plain: Any) -> Region:
    """Read back what the `to_json` of a mask, of boxes or of a face region gave.

    Raises:
        SettingError: it is none of them.
        TrackError: its track is none.
    """
    if isinstance(plain, Mapping):
        if "track" in plain:
            return FaceRegion(part=plain.get("part", "mouth"), track=FaceTrack.from_json(plain["track"]))
        if "boxes" in plain:
            return Boxes.from_json(dict(plain))
        if "zlib" in plain:
            return Mask.from_json(dict(plain))
    raise SettingError(f"superresolve: region is {str(plain)[:60]!r}; an object with boxes, a track, or a packed mask is wanted.")
