"""BlazeFace short range: boxes and six key points, over tiles where faces are small in the frame.

Source: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019, and the published model
(Apache-2.0): 128 x 128 px RGB in -1..1; 896 anchors, two at each cell of a 16 x 16 grid and six at each of 8 x 8, whose offsets are
in px of the input; scores are logits; overlapping boxes are averaged by score instead of dropped.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame, as_float32
from .interface import Box, overlap
from .litert import Network

SIZE = 128
SMALLEST = 22.0
"""A face must be about this many px wide in the 128 px input to be found reliably."""

_ANCHORS = np.array([((x + 0.5) / n, (y + 0.5) / n) for n, each in ((16, 2), (8, 6)) for y in range(n) for x in range(n)
                     for _ in range(each)]) * SIZE


@dataclass(frozen=True)
class Sighting:
    """A face as BlazeFace sees it: score, box, and the six points (eyes, nose tip, mouth, ears; the person's right first), px."""

    score: float
    box: Box
    points: NDArray[np.float64]

    @property
    def angle(self) -> float:
        """Give the direction from the picture's left eye to its right eye, radians."""
        dx, dy = self.points[1] - self.points[0]
        return math.atan2(dy, dx)


class BlazeFace:
    """The network and its search over a whole frame."""

    def __init__(self, path: Path, min_score: float = 0.5) -> None:
        self._net = Network(path)
        self._net.expect(SIZE, 896, 896 * 16)
        self._min_logit = math.log(min_score / (1 - min_score))

    def search(self, frame: Frame, smallest: float) -> list[Sighting]:
        """Find faces of at least about `smallest` px in ``[H,W,3]`` 0..1, best score first."""
        found: list[Sighting] = []
        height, width = frame.shape[:2]
        for scale in scales(height, width, smallest):
            size = max(round(width * scale), 1), max(round(height * scale), 1)
            level = as_float32(cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))
            step = np.array([width / size[0], height / size[1]])
            for x in starts(size[0]):
                for y in starts(size[1]):
                    for score, corners in self._tile(level[y : y + SIZE, x : x + SIZE]):
                        corners = (corners + np.array((x, y))) * step - 0.5  # edges at integers in a network, centres in a frame
                        found.append(Sighting(score, (*corners[0], *corners[1]), corners[2:]))
        return averaged(found)

    def _tile(self, tile: NDArray[np.float32]) -> list[tuple[float, NDArray[np.float64]]]:
        """Give score and ``[8,2]`` (corners, points; px of the tile from its left and top edge) of every anchor that fires."""
        if np.ptp(tile) < 0.05:  # black or flat: nothing to find, and a long dark shot costs nothing
            return []
        picture = np.full((SIZE, SIZE, 3), -1, np.float32)
        picture[: tile.shape[0], : tile.shape[1]] = tile * 2 - 1
        out = self._net.run(picture)
        logits = out[896]
        rows = np.flatnonzero(logits >= self._min_logit)
        raw = out[896 * 16].reshape(896, 8, 2)[rows].astype(np.float64)
        raw[:, 0] += _ANCHORS[rows]
        raw[:, 2:] += _ANCHORS[rows, None]
        half = raw[:, 1] / 2
        raw[:, 0], raw[:, 1] = raw[:, 0] - half, raw[:, 0] + half
        scores = 1 / (1 + np.exp(-np.minimum(logits[rows], 80).astype(np.float64)))
        return [(float(score), corners) for score, corners in zip(scores, raw, strict=True)]


def scales(height: int, width: int, smallest: float) -> list[float]:
    """List the scales at which a frame is searched: whole in one tile, then its short side over 1, 2, 4... tiles."""
    enough = min(SMALLEST / smallest, 1.0)
    found = [SIZE / max(height, width)]
    scale = SIZE / min(height, width)
    if scale < found[0] * 1.2:
        scale *= 2  # a square frame is whole in its first tile already
    while found[-1] < enough:
        found.append(min(scale, max(enough, found[-1])))
        scale *= 2
    return found


def starts(length: int) -> list[int]:
    """List where tiles of 128 begin along a side so that neighbours share at least a third of their width."""
    if length <= SIZE:
        return [0]
    count = math.ceil((length - SIZE) / (SIZE * 2 / 3)) + 1
    return [round(i * (length - SIZE) / (count - 1)) for i in range(count)]


def averaged(found: list[Sighting], limit: float = 0.3) -> list[Sighting]:
    """Merge sightings that overlap the best one by more than `limit`: the mean of box and points, weighted by score."""
    rest = sorted(found, key=lambda s: -s.score)
    merged = []
    while rest:
        group = [s for s in rest if s is rest[0] or overlap(s.box, rest[0].box) > limit]
        weights = np.array([s.score for s in group])
        box = np.average([s.box for s in group], axis=0, weights=weights)
        merged.append(Sighting(rest[0].score, (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
                               np.average([s.points for s in group], axis=0, weights=weights)))
        rest = [s for s in rest if not any(s is g for g in group)]
    return merged
