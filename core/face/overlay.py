"""A face drawn over its frames, as plain numbers: points, the box around them, the crop that is cut."""
from __future__ import annotations

from typing import Any

import numpy as np

from . import similarity
from .track import FaceTrack


def overlay(track: FaceTrack, index: int) -> dict[str, Any]:
    """Give the face of frame `index` of the clip, all in px of the frame, rounded to a tenth.

    Returns:
        ``points`` as [x, y]; ``box`` around them as [left, top, right, bottom]; ``crop``, the four corners of the square that is cut,
        clockwise from its top left.

    Raises:
        TrackError: the track does not cover the frame, or is not aligned.
    """
    points = track.points[track.place(index)]
    back = similarity.invert(track.matrix(index))
    # A pixel reaches half a px to either side of its centre.
    low, high = -0.5, (track.crop.size if track.crop else 0) - 0.5
    corners = similarity.apply(back, np.array([[low, low], [high, low], [high, high], [low, high]]))
    box = np.concatenate((points.min(0), points.max(0)))
    return {"points": np.round(points, 1).tolist(), "box": np.round(box, 1).tolist(), "crop": np.round(corners, 1).tolist()}
