"""MediaPipe's face mesh through LiteRT: 468 points, followed from frame to frame by their own region.

Source: Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", 2019, and the published model
(Apache-2.0): 192 x 192 px RGB in 0..1, a square 1.5 times the face, turned so that the eyes are level; out come 468 points in px of
that square (x, y, depth) and a logit that says whether a face is there.
"""
from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

import numpy as np

from ...arrays import Frame
from .blazeface import BlazeFace, Sighting
from .interface import Detection, Points, Scheme, distinct, rgb
from .litert import Network
from .region import Region, box_of

SIZE = 192
MARGIN = 1.5
"""Side of the region over the longer side of the face."""

SURE = 0.9
"""Score that a face must have where none was followed: real ones have 0.99 and more, folds of cloth up to 0.8."""

_EYES = (33, 263)  # outer corners, the picture's left one first


class FaceMesh:
    """The mesh detector. Files: ``face_landmark.tflite`` and ``face_detection_short_range.tflite``."""

    name: ClassVar[str] = "mesh"
    scheme: ClassVar[Scheme] = "mesh468"
    noise: ClassVar[float] = 0.6

    def __init__(self, landmark: Path, detection: Path, *, min_size: float = 48.0, min_score: float = 0.5) -> None:
        self._net = Network(landmark)
        self._net.expect(SIZE, 468 * 3, 1)
        self._faces = BlazeFace(detection)
        self._min_size = min_size
        self._min_score = min_score

    def detect(self, frame: Frame, index: int, near: Detection | None) -> list[Detection]:
        """Follow the face `near`; where it is lost, or there is none, find every face of the frame (see `Detector.detect`)."""
        frame = rgb(frame)
        if near is not None and near.scheme == "mesh468":
            followed = self._settle(frame, region_of(near.points))
            if followed is not None:
                return [followed]
        # A face does not shrink to a third at once, so a search for a lost one need not go down to the smallest faces.
        smallest = self._min_size if near is None else max(self._min_size, near.size / 3)
        faces = [self._settle(frame, region_of_sighting(s)) for s in self._faces.search(frame, smallest)]
        return distinct([face for face in faces if face is not None and face.score >= max(SURE, self._min_score)])

    def _settle(self, frame: Frame, region: Region) -> Detection | None:
        """Run in a region, and again where the points ask for another one; None where there is no face."""
        face = self._run(frame, region)
        if face is None:
            return None
        wanted = region_of(face.points)
        if differs(region, wanted):
            face = self._run(frame, wanted)
        return face

    def _run(self, frame: Frame, region: Region) -> Detection | None:
        out = self._net.run(region.cut(frame, SIZE))
        score = 1 / (1 + math.exp(-max(min(float(out[1][0]), 80.0), -80.0)))
        if score < self._min_score:
            return None
        points = region.to_frame(out[468 * 3].reshape(468, 3)[:, :2].astype(np.float64) - 0.5, SIZE)
        return Detection(points, "mesh468", box_of(points), score)


def region_of(points: Points) -> Region:
    """Give the region in which to look for 468 points that were there a frame ago."""
    dx, dy = points[_EYES[1]] - points[_EYES[0]]
    angle = math.atan2(dy, dx)
    c, s = math.cos(angle), math.sin(angle)
    turned = points @ np.array([[c, -s], [s, c]])
    low, high = turned.min(0), turned.max(0)
    u, v = (low + high) / 2
    return Region(c * u - s * v, s * u + c * v, MARGIN * float((high - low).max()), angle)


def region_of_sighting(sighting: Sighting) -> Region:
    """Give the region for a face that BlazeFace saw."""
    left, top, right, bottom = sighting.box
    return Region((left + right) / 2, (top + bottom) / 2, MARGIN * max(right - left, bottom - top, 1.0), sighting.angle)


def differs(used: Region, wanted: Region) -> bool:
    """Say whether the face lay so far from the middle of its region that a second look there is more exact."""
    shift = math.hypot(used.x - wanted.x, used.y - wanted.y) / wanted.side
    turn = abs(math.remainder(used.angle - wanted.angle, 2 * math.pi))
    return shift > 0.08 or turn > 0.15 or abs(math.log(used.side / wanted.side)) > 0.15
