"""Which frame the network is shown for the look of the mouth."""
from __future__ import annotations

from typing import Literal

import numpy as np

from ..face.anchors import eye_distance
from ..face.detect.scheme import to_5
from ..face.regions import mouth_opening
from ..face.track import FaceTrack, TrackError

Reference = Literal["same", "first", "random", "index", "closed"]

_CLOSED = 0.1
"""The share of frames, those with the lips nearest together, among which the widest mouth is looked for."""


def reference_frame(track: FaceTrack, choice: Reference, index: int, seed: int) -> int | None:
    """Choose by absolute index; None for the frame itself, each its own.

    Args:
        track: of the whole clip; frames without the face are never chosen.
        choice: ``same`` is the published one, which lets the old shape of the mouth through; ``closed`` is the frame of the widest mouth
            among those with closed lips, which lets nothing through. Five points cannot tell open from closed: there it is the widest.
        index: for ``index``.
        seed: for ``random``.

    Raises:
        TrackError: no frame has a face, or the one chosen by index has none.
    """
    if choice == "same":
        return None
    found = np.flatnonzero(track.found)
    if not len(found):
        raise TrackError("No frame of the track holds the face, so there is none to show the network as a reference.")
    if choice == "index":
        if not track.found[track.place(index)]:
            raise TrackError(f"Frame {index} was chosen as the reference, but the face was not found in it; choose another.")
        return index
    if choice == "closed":
        place = _widest_closed(track, found)
    else:
        place = int(found[0] if choice == "first" else np.random.default_rng(seed).choice(found))
    return track.start + place


def _widest_closed(track: FaceTrack, found: np.ndarray) -> int:
    corners = to_5(track.points, track.scheme)[:, 3:5]
    width = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=-1) / np.maximum(1e-6, eye_distance(track.points, track.scheme))
    opening = mouth_opening(track)[found]
    closed = found[opening <= np.quantile(opening, _CLOSED)]
    return int(closed[np.argmax(width[closed])])
