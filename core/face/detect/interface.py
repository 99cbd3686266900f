"""What every detector gives: points of each face in a frame; and what a whole clip gives."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame, contiguous

Points = NDArray[np.float64]
"""Points of one face, ``[K,2]`` float64: x right, y down, px of the whole frame, pixel centres at integers."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom of a face in px of the whole frame."""

Scheme = Literal["mesh468", "points68", "points5", "box"]
"""How points are numbered: MediaPipe's 468, the 68 of the 300-W annotation, 5 (eyes, nose tip, mouth corners; the picture's left
first), or the same 5 placed at fixed shares of a box (``"box"``)."""

COUNTS: dict[Scheme, int] = {"mesh468": 468, "points68": 68, "points5": 5, "box": 5}
"""Points per scheme."""


class DetectorError(ValueError):
    """A detector that cannot be opened or fed: a missing file or package, a wrong file, points of a wrong shape."""


class NoFaceError(ValueError):
    """A clip in which no frame holds the face asked for; the message says what was tried."""


@dataclass(frozen=True)
class Detection:
    """One face in one frame.

    `points` are ``[K,2]`` in the frame's px, `scheme` says which; `box` is left, top, right, bottom in px; `score` is the
    detector's own confidence, 0..1.
    """

    points: Points
    scheme: Scheme
    box: Box
    score: float

    @property
    def centre(self) -> tuple[float, float]:
        """Give the middle of the box, px."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def size(self) -> float:
        """Give the face's size: the square root of the box's area, px."""
        return float(np.sqrt(max(self.box[2] - self.box[0], 0.0) * max(self.box[3] - self.box[1], 0.0)))


class Detector(Protocol):
    """Finds faces in one frame at a time. Holds weights, but nothing of the frames it has seen."""

    @property
    def name(self) -> str:
        """Give the name that users choose it by."""

    @property
    def scheme(self) -> Scheme:
        """Give the numbering of its points."""

    @property
    def noise(self) -> float:
        """Give the standard deviation of a point between frames, px at a face 200 px wide, as measured on real clips."""

    def detect(self, frame: Frame, index: int, near: Detection | None) -> list[Detection]:
        """Find the faces of one frame.

        Args:
            frame: ``[H,W,C]`` float32, C = 1, 3 or 4, 0..1; not written to.
            index: its place in the clip.
            near: the face followed so far, which a detector may look for around its last place only. A detector that
                finds nothing there looks at the whole frame.
        """


@dataclass(frozen=True)
class DetectedClip:
    """The followed face of every frame of a clip; points only, never pixels."""

    faces: tuple[Detection | None, ...]
    start: int
    width: int
    height: int
    detector: str
    scheme: Scheme
    noise: float
    notes: tuple[str, ...] = ()

    @property
    def found(self) -> NDArray[np.bool_]:
        """Say for each frame whether the face was found, ``[T]``."""
        return np.array([face is not None for face in self.faces], bool)

    @property
    def points(self) -> NDArray[np.float64]:
        """Give the points ``[T,K,2]``, NaN where there was no face."""
        out = np.full((len(self.faces), COUNTS[self.scheme], 2), np.nan)
        for i, face in enumerate(self.faces):
            if face is not None:
                out[i] = face.points
        return out

    @property
    def scores(self) -> NDArray[np.float64]:
        """Give the detector's confidence ``[T]``, 0 where there was no face."""
        return np.array([0.0 if face is None else face.score for face in self.faces])


def rgb(frame: Frame) -> Frame:
    """Give a frame of 1, 3 or 4 channels (or ``[H,W]``) as ``[H,W,3]``; alpha is left out. The same array when it is that already."""
    if frame.ndim == 2 or frame.shape[2] == 1:
        return np.asarray(cv2.cvtColor(contiguous(frame.reshape(frame.shape[:2])), cv2.COLOR_GRAY2RGB))
    return frame if frame.shape[2] == 3 else contiguous(frame[..., :3])


def overlap(one: Box, other: Box) -> float:
    """Give the intersection over union of two boxes, 0..1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return shared / (areas - shared)


def distinct(faces: list[Detection], limit: float = 0.4) -> list[Detection]:
    """Keep the best of each group of detections that overlap by more than `limit`, best score first."""
    kept: list[Detection] = []
    for face in sorted(faces, key=lambda f: -f.score):
        if all(overlap(face.box, other.box) <= limit for other in kept):
            kept.append(face)
    return kept
