"""Points that come from elsewhere: JSON, arrays, ComfyUI's FACE_LANDMARKS.

JSON is either a list with one entry a frame, or an object whose ``"points"`` is that list, with optional ``"start"`` (frame of the
first entry), ``"normalised"`` (true: shares of the frame's width and height, not px) and ``"score"``. An entry is null (no face)
or a list of ``[x, y]`` or ``[x, y, z]``: 468 or 478 (mesh; the irises are left out), 68, 5, or 2 (left top and right bottom of a box).
FACE_LANDMARKS are taken as an array ``[T,K,2 or 3]``, or as one such list; coordinates that all lie between -0.5 and 1.5 are read
as shares of the frame.
"""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ...arrays import Frame, as_float64
from .cascade import SHAPE
from .interface import Detection, DetectorError, Points, Scheme
from .region import box_of

_SCHEMES: dict[int, Scheme] = {468: "mesh468", 478: "mesh468", 68: "points68", 5: "points5", 2: "box"}


class Given:
    """A detector that looks nothing up but the points it was given."""

    name: ClassVar[str] = "given"
    noise: ClassVar[float] = 0.7

    def __init__(self, points: Sequence[Points | None], scheme: Scheme, *, start: int = 0, normalised: bool = False) -> None:
        self.scheme = scheme
        self._points = tuple(points)
        self._start = start
        self._normalised = normalised

    def __len__(self) -> int:
        return len(self._points)

    def detect(self, frame: Frame, index: int, near: Detection | None) -> list[Detection]:
        """Give the points of frame `index`; nothing where there are none (see `Detector.detect`)."""
        place = index - self._start
        points = self._points[place] if 0 <= place < len(self._points) else None
        if points is None:
            return []
        if self._normalised:  # shares count from the frame's edge, px from the middle of the first pixel
            points = points * (frame.shape[1], frame.shape[0]) - 0.5
        box = box_of(points)
        if self.scheme == "box":
            points = SHAPE * (box[2] - box[0], box[3] - box[1]) + ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        return [Detection(points, self.scheme, box, 1.0)]


def from_json(text: str) -> Given:
    """Read points from JSON text (see above).

    Raises:
        DetectorError: it is not JSON, or not points of a known count.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise DetectorError(f"The face points are not JSON: {error}.") from error
    return from_values(content)


def from_values(content: Any) -> Given:
    """Take points as lists, as an array, or as an object of them (see above).

    Raises:
        DetectorError: not points of a known count, or not the same count in every frame.
    """
    start, normalised = 0, None
    if isinstance(content, Mapping):
        if "points" not in content:
            raise DetectorError(f'Face points have the keys {sorted(content)}; wanted is "points", a list with one entry a frame.')
        start, normalised = int(content.get("start", 0)), content.get("normalised")
        content = content["points"]
    if hasattr(content, "tolist"):
        content = content.tolist()
    if not isinstance(content, Sequence) or isinstance(content, str) or not content:
        raise DetectorError("Face points are empty, or no list; wanted is a list with one entry a frame: null, or a list of [x, y].")
    frames = [None if entry is None else _points(entry, i) for i, entry in enumerate(content)]
    counts = {len(f) for f in frames if f is not None}
    if len(counts) != 1:
        raise DetectorError(f"Face points come in counts of {sorted(counts)}; every frame must have the same number, or null.")
    count = counts.pop()
    values = np.concatenate([f for f in frames if f is not None])
    if normalised is None:
        normalised = bool(values.min() > -0.5 and values.max() < 1.5)
    return Given([None if f is None else f[:468] for f in frames], _SCHEMES[count], start=start, normalised=bool(normalised))


def _points(entry: Any, frame: int) -> Points | None:
    if hasattr(entry, "tolist"):
        entry = entry.tolist()
    try:
        points = as_float64(np.array(entry, np.float64))
    except (TypeError, ValueError) as error:
        raise DetectorError(f"Face points of frame {frame} are no table of numbers ({error}).") from error
    if points.ndim == 3 and len(points) == 1:
        points = points[0]
    if points.ndim != 2 or points.shape[1] not in (2, 3) or len(points) not in _SCHEMES:
        raise DetectorError(f"Face points of frame {frame} have shape {list(points.shape)}; wanted are "
                            f"{', '.join(str(n) for n in _SCHEMES)} rows of [x, y].")
    if np.isnan(points[:, :2]).all():
        return None
    if not np.isfinite(points[:, :2]).all():
        raise DetectorError(f"Face points of frame {frame} hold NaN or infinity. Give null for a frame without a face.")
    return as_float64(points[:, :2])
