"""Where the face is cut out for the network, and how it goes back: the aligned square, or the published pipeline's boxes."""
from __future__ import annotations

from functools import lru_cache
from typing import Literal, Protocol

import numpy as np

from ..arrays import Frames, Matrices, contiguous
from ..face.align import AlignFace, align
from ..face.track import FaceTrack
from ..parallel import for_each_frame
from . import original_crop
from .network import SIZE

CropKind = Literal["aligned", "original"]


class Cutter(Protocol):
    """Cuts the faces of a clip."""

    def faces(self, frames: Frames, start: int) -> Frames:
        """Cut ``[B,128,128,3]`` out of frames ``[B,H,W,C]``, the first of which has absolute index `start`."""

    def matrix(self, index: int) -> Matrices:
        """Give the ``[2,3]`` matrix from frame `index` to its face."""


class AlignedFaces:
    """Upright, at the same place and size in every frame, sampled without aliasing; follows the smoothing of the track."""

    def __init__(self, track: FaceTrack) -> None:
        self._cut = AlignFace(track=align(track, SIZE, "diff2lip"))

    def faces(self, frames: Frames, start: int) -> Frames:
        """See `Cutter.faces`."""
        return coloured(self._cut(frames, start))

    def matrix(self, index: int) -> Matrices:
        """See `Cutter.matrix`."""
        return self._cut.track.matrix(index)


class OriginalFaces:
    """Whole-pixel boxes, averaged and squeezed as published (see `original_crop`)."""

    def __init__(self, track: FaceTrack) -> None:
        self._track = track
        self._boxes = original_crop.boxes(original_crop.detected(track), track.size)
        self._check = AlignFace(track=align(track, SIZE, "diff2lip"))

    def faces(self, frames: Frames, start: int) -> Frames:
        """See `Cutter.faces`."""
        self._check.check_size(frames)
        colour = coloured(frames)
        cut = np.empty((len(frames), SIZE, SIZE, 3), np.float32)

        def work(i: int) -> None:
            cut[i] = original_crop.crop(colour[i], self._boxes[self._track.place(start + i)])

        for_each_frame(len(frames), work)
        return cut

    def matrix(self, index: int) -> Matrices:
        """See `Cutter.matrix`."""
        return original_crop.matrix(self._boxes[self._track.place(index)], self._track.size)


@lru_cache(maxsize=4)
def cutter(track: FaceTrack, kind: CropKind) -> Cutter:
    """Give what cuts the faces of a track; made once for each."""
    return OriginalFaces(track) if kind == "original" else AlignedFaces(track)


def coloured(frames: Frames) -> Frames:
    """Give the colours of ``[B,H,W,C]`` as three channels: alpha left out, gray spread."""
    if frames.shape[3] == 1:
        return contiguous(np.repeat(frames, 3, axis=3))
    return contiguous(frames[..., :3])
