"""A clip whose face path is known: one real face frame moved along a real path, with sensor noise and JPEG."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from talkies.core.arrays import Frame, Matrices, contiguous, from_uint8, to_uint8
from talkies.core.face import similarity
from talkies.core.face.anchors import Points
from talkies.core.face.track import FaceTrack
from talkies.core.measure.motion import above
from talkies.core.operation import Numbered

NOISE, QUALITY = 2.0, 85


@dataclass(frozen=True, eq=False)
class Rendered:
    """A face frame and the similarities ``[T,2,3]`` that move it."""

    face: Frame
    path: Matrices
    seed: int = 0

    def clip(self) -> Iterator[Numbered]:
        """Render frame after frame, ``[1,H,W,3]``."""
        height, width = self.face.shape[:2]
        for index, matrix in enumerate(self.path):
            moved = cv2.warpAffine(self.face, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
            noise = np.random.default_rng((self.seed, index)).normal(0, NOISE / 255, moved.shape)
            options: Any = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
            _, packed = cv2.imencode(".jpg", to_uint8((np.asarray(moved) + noise).astype(np.float32)), options)
            yield index, from_uint8(contiguous(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)))[None]


def rendered(face: Frame, track: FaceTrack, margin: float = 2.2) -> Rendered:
    """Move the face of the track's first frame along the track's own path.

    Args:
        face: the track's first frame ``[H,W,3]``.
        track: aligned and smoothed, so that its matrices are a likely path.
        margin: how much of the picture around the path is kept, in brow distances.
    """
    if track.matrices is None:
        raise ValueError("The track is not aligned.")
    path = similarity.compose(similarity.invert(track.matrices), np.broadcast_to(track.matrices[0], track.matrices.shape))
    anchors = track.anchors
    room = margin * float(np.linalg.norm(anchors[0, 1] - anchors[0, 0]))
    low = np.maximum(0, np.floor(anchors.min((0, 1)) - room)).astype(int)
    high = np.ceil(anchors.max((0, 1)) + room).astype(int)
    cut = contiguous(face[low[1] : high[1], low[0] : high[0]])
    shift, back = np.array([[1.0, 0, -low[0]], [0, 1, -low[1]]]), np.array([[1.0, 0, low[0]], [0, 1, low[1]]])
    return Rendered(cut, similarity.compose(shift[None], similarity.compose(path, back[None])))


def errors(track: FaceTrack, path: Matrices, anchors: Points) -> tuple[float, float]:
    """Measure how far an aligned track is from the known path: all of it, and its part above 3 Hz (px RMS in the template's box).

    The constant part, where exactly the detector sees brows and nose, is taken off.
    """
    if track.matrices is None:
        raise ValueError("The track is not aligned.")
    landed = similarity.apply(track.matrices, similarity.apply(path, anchors))
    off = landed - landed.mean(0)
    return _rms(off), _rms(above(off, track.fps))


def _rms(off: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.square(off).sum(-1).mean()))
