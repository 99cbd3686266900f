"""The published pipeline's crop, number by number: whole-pixel boxes, its averaging of them, and a bilinear squeeze to the square.

For comparing with the original only: the boxes jitter by whole pixels and lag behind the head, and shrinking aliases.
"""
from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Frame, Matrices, contiguous, from_uint8, to_uint8
from ..face import similarity
from ..face.align import align
from ..face.track import FaceTrack
from .network import SIZE

Boxes = NDArray[np.int64]
"""Top, bottom, left, right of the face in every frame, ``[T,4]``, px; bottom and right excluded."""

_SPAN = 5
_LEAST = 2  # px


def detected(track: FaceTrack) -> NDArray[np.int64]:
    """Give the upright boxes about the face, ``[T,4]``: left, top, right, bottom, cut to whole px and to 0 as published."""
    aligned = align(track, SIZE, "diff2lip")
    corners = np.array([[-0.5, -0.5], [SIZE - 0.5, -0.5], [-0.5, SIZE - 0.5], [SIZE - 0.5, SIZE - 0.5]])
    seen = np.stack([similarity.apply(similarity.invert(aligned.matrix(i))[None], corners)[0] for i in range(track.start, track.stop)])
    whole: NDArray[np.int64] = np.clip(np.concatenate((seen.min(1), seen.max(1)), 1), 0, None).astype(np.int64)
    return whole


def boxes(found: NDArray[np.int64], size: tuple[int, int], pads: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Boxes:
    """Pad boxes, keep them in the frame, and average them over the clip.

    Args:
        found: ``[T,4]``, left, top, right, bottom.
        size: height and width of the frames, px.
        pads: px at the top, bottom, left and right.
    """
    height, width = size
    left, top, right, bottom = found.T
    padded = np.stack((np.maximum(0, top - pads[0]), np.minimum(height, bottom + pads[1]),
                       np.maximum(0, left - pads[2]), np.minimum(width, right + pads[3])), 1)
    return averaged(padded)


def averaged(given: Boxes) -> Boxes:
    """Average each box with the four after it, as published: in place, in whole numbers, and with what that does at the clip's end.

    Near the end the window is the last five boxes, the first of which are averaged already; a clip shorter than five wraps around.
    """
    kept: Boxes = given.copy()
    count = len(kept)
    for i in range(count):
        window = kept[count - _SPAN :] if i + _SPAN > count else kept[i : i + _SPAN]
        kept[i] = np.mean(window, axis=0)
    return kept


def crop(frame: Frame, box: NDArray[np.int64]) -> Frame:
    """Cut ``[128,128,3]`` out of a frame ``[H,W,3]``: 8 bits, bilinear, proportions not kept."""
    top, bottom, left, right = _inside(box, frame)
    levels: Any = to_uint8(contiguous(frame[top:bottom, left:right]))
    return from_uint8(np.asarray(cv2.resize(levels, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR), np.uint8))


def matrix(box: NDArray[np.int64], size: tuple[int, int]) -> Matrices:
    """Give the ``[2,3]`` matrix from the frame (height, width) to the crop of a box."""
    top, bottom, left, right = _inside(box, np.empty(size))
    shift = np.array([[1.0, 0, -left], [0, 1, -top]])
    placed: Matrices = similarity.compose(similarity.resize_matrix(bottom - top, right - left, SIZE, SIZE), shift)
    return placed


def _inside(box: NDArray[np.int64], frame: NDArray[Any]) -> tuple[int, int, int, int]:
    """Give a box that shows at least a few pixels of the frame."""
    edges = []
    for low, high, length in ((box[0], box[1], frame.shape[0]), (box[2], box[3], frame.shape[1])):
        first = int(np.clip(low, 0, max(0, length - _LEAST)))
        edges += [first, int(np.clip(high, min(first + _LEAST, length), length))]
    return edges[0], edges[1], edges[2], edges[3]
