"""What YuNet and SCRFD share: whole frame once, then only the region of the face that is followed."""
from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame, to_uint8
from .interface import Detection, Points, Scheme, distinct, rgb
from .region import Region, around, box_of

Row = tuple[float, NDArray[np.float64], Points]
"""Score, box ``[4]`` and points ``[5,2]`` in px of the picture that was searched, pixel centres at integers."""


class FivePoints(ABC):
    """A detector of boxes and five points that takes square 8-bit pictures."""

    name: ClassVar[str]
    scheme: ClassVar[Scheme] = "points5"
    noise: ClassVar[float]

    size: ClassVar[int] = 640
    """Side of the square that the whole frame is brought to."""

    near_size: ClassVar[int] = 640
    """Side of the square that the region of a followed face is brought to."""

    margin: ClassVar[float] = 2.2
    """Side of that region over the longer side of the face: the face then fills 45 % of it."""

    def __init__(self, min_score: float) -> None:
        self._min_score = min_score

    @abstractmethod
    def rows(self, picture: NDArray[np.uint8]) -> list[Row]:
        """Find the faces of one ``[size,size,3]`` BGR picture."""

    def detect(self, frame: Frame, index: int, near: Detection | None) -> list[Detection]:
        """Look around the face `near`; where it is lost, or there is none, in the whole frame (see `Detector.detect`)."""
        frame = rgb(frame)
        if near is not None:
            faces = self._look(frame, around(near, self.margin), self.near_size)
            if faces:
                return faces
        whole = Region((frame.shape[1] - 1) / 2, (frame.shape[0] - 1) / 2, max(frame.shape[:2]))
        faces = []
        for face in self._look(frame, whole, self.size):
            # Points from a small picture are coarse; a second look from near gives what following will give.
            closer = self._look(frame, around(face, self.margin), self.near_size)
            faces += closer[:1] or [face]
        return distinct(faces)

    def _look(self, frame: Frame, region: Region, size: int) -> list[Detection]:
        picture = cv2.cvtColor(to_uint8(region.cut(frame, size)), cv2.COLOR_RGB2BGR)
        found = []
        for score, box, points in self.rows(np.asarray(picture, np.uint8)):
            found.append(Detection(region.to_frame(points, size), "points5", box_of(region.to_frame(box.reshape(2, 2), size)), score))
        centre = np.array([region.x, region.y])
        # Best score first, except that in a face's own region the face in its middle comes first.
        return sorted(found, key=lambda f: float(np.hypot(*(np.array(f.centre) - centre))) if size == self.near_size else -f.score)
