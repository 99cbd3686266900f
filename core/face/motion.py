"""The face's own motion, measured in the pixels: one similarity per pair of frames, over a clip that streams by.

Of the clip only a gray patch around the face of the frame before is held, so memory does not grow with the clip.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Frame, Matrices, contiguous, to_matrices, to_uint8
from ..operation import Numbered
from ..progress import Progress, silent
from . import similarity
from .anchors import Points, filled_polygon, upper_face
from .fill import Flags
from .flow_fit import Gray, pair_motion
from .photometric import refine
from .scene import SceneWatch

WORK_WIDTH = 128.0
"""Brow distance, px, to which larger faces are reduced before they are followed; features are then found to some 0.05 px."""

SURE, UNSURE = 0.70, 0.85
"""Agreement (correlation of the patches) from which a motion counts as followed: with features behind it, and without."""

_REACH, _WINDOW = 1.6, 1.35  # half sides of what is kept and of what is compared, in brow distances


@dataclass(frozen=True, eq=False)
class FaceMotion:
    """How the upper face moved from each frame to the next: T - 1 pairs for T frames.

    `matrices` ``[T-1,2,3]`` (frame px; the identity where not followed), `followed` ``[T-1]``, `agreement` ``[T-1]`` (correlation of
    the patches after the move, -1..1), `cuts` the first frame after each scene cut.
    """

    matrices: Matrices
    followed: Flags
    agreement: NDArray[np.float64]
    cuts: tuple[int, ...] = field(default=())

    def __post_init__(self) -> None:
        if len(self.followed):
            object.__setattr__(self, "matrices", to_matrices(self.matrices, "motion"))

    def __eq__(self, other: object) -> bool:
        return (isinstance(other, FaceMotion) and self.cuts == other.cuts and np.array_equal(self.matrices, other.matrices)
                and np.array_equal(self.followed, other.followed) and np.array_equal(self.agreement, other.agreement))

    def __hash__(self) -> int:
        return hash((self.matrices.tobytes(), self.cuts))

    def between(self, first: int, last: int) -> FaceMotion:
        """Give the pairs among frames first..last-1, with cuts counted from `first`."""
        inside = slice(first, max(first, last - 1))
        cuts = tuple(c - first for c in self.cuts if first < c < last)
        return FaceMotion(self.matrices[inside], self.followed[inside], self.agreement[inside], cuts)

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON values."""
        return {"matrices": self.matrices.tolist(), "followed": self.followed.tolist(), "agreement": self.agreement.tolist(),
                "cuts": list(self.cuts)}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> FaceMotion:
        """Read back what `to_json` gave."""
        return cls(np.array(plain["matrices"], np.float64).reshape(-1, 2, 3), np.array(plain["followed"], bool),
                   np.array(plain["agreement"], np.float64), tuple(int(c) for c in plain["cuts"]))


@dataclass(frozen=True, eq=False)
class _Patch:
    """A gray square around a face and the ``[2,3]`` matrix that brings frame px to patch px."""

    gray: Gray
    matrix: Matrices


def measure_motion(clip: Iterable[Numbered], anchors: Points, found: Flags, progress: Progress = silent) -> FaceMotion:
    """Follow the upper face through a clip.

    Args:
        clip: ``(start, frames)`` runs from frame 0 on, consecutive, frames ``[B,H,W,C]`` 0..1; walked once, never held.
        anchors: brows and nose ``[T,3,2]``, px, gaps filled: where to look. Frames beyond T are not read.
        found: ``[T]``, false where the anchors are a stand-in.
        progress: called after every frame; may raise to cancel.

    Returns:
        The motion between all pairs.

    Raises:
        ValueError: the clip has fewer frames than the anchors.
    """
    places = _steadied(anchors, found)
    count = len(anchors)
    shrink = min(1.0, WORK_WIDTH / max(1.0, float(np.median(_widths(places)))))
    matrices = np.tile(np.eye(2, 3), (max(0, count - 1), 1, 1))
    followed, agreement = np.zeros(len(matrices), bool), np.zeros(len(matrices))
    watch = SceneWatch()
    before: _Patch | None = None
    index = -1
    for index, frame in _numbered(clip, count):
        watch.see(frame)
        patch = _patch(frame, places[index], shrink)
        if before is not None:
            pair = index - 1
            matrices[pair], agreement[pair], followed[pair] = _between(before, patch, places[pair])
        before = patch
        progress(index + 1, count)
    if index + 1 < count:
        raise ValueError(f"The clip has {index + 1} frames, the track {count}; smooth the track with the clip that it was made from.")
    cuts = watch.cuts()
    for cut in cuts:
        matrices[cut - 1], followed[cut - 1] = np.eye(2, 3), False
    return FaceMotion(matrices, followed, agreement, cuts)


def _numbered(clip: Iterable[Numbered], count: int) -> Iterator[tuple[int, Frame]]:
    for start, frames in clip:
        for offset, frame in enumerate(frames):
            if start + offset >= count:
                return
            yield start + offset, frame


def _widths(places: Points) -> NDArray[np.float64]:
    width: NDArray[np.float64] = np.linalg.norm(places[:, 1] - places[:, 0], axis=-1)
    return width


def _steadied(anchors: Points, found: Flags) -> Points:
    """Give the median of five found frames around each: a stray detection then does not send the patch astray."""
    known = np.flatnonzero(found)
    if len(known) < 5:
        return anchors
    steadied: Points = anchors.copy()
    for rank, frame in enumerate(known):
        reach = min(2, rank, len(known) - 1 - rank)
        steadied[frame] = np.median(anchors[known[rank - reach : rank + reach + 1]], axis=0)
    if len(known) > 6:  # the ends have no neighbours on one side; the nearest full median tells whether they are strays
        for ends, inner in ((known[:2], known[2]), (known[-2:], known[-3])):
            astray = np.linalg.norm(steadied[ends] - steadied[inner], axis=-1).max(-1) > 0.6 * _widths(steadied[inner][None])
            steadied[ends[astray]] = steadied[inner]
    return steadied


def _patch(frame: Frame, place: Points, shrink: float) -> _Patch:
    """Cut a square around the face, edges repeated beyond the frame, as gray levels at the working size."""
    height, width = frame.shape[:2]
    reach = int(np.ceil(_REACH * max(4.0, float(np.linalg.norm(place[1] - place[0])))))
    left, top = (int(v) for v in np.round(place.mean(0)) - reach)
    side = 2 * reach
    rows, columns = _within(top, side, height), _within(left, side, width)
    levels = to_uint8(contiguous(frame[rows, columns]))
    gray = levels[..., 0] if levels.shape[-1] == 1 else cv2.cvtColor(contiguous(levels[..., :3]), cv2.COLOR_RGB2GRAY)
    gray = cv2.copyMakeBorder(gray, max(0, rows.start - top), max(0, top + side - rows.stop), max(0, columns.start - left),
                              max(0, left + side - columns.stop), cv2.BORDER_REPLICATE)
    shift = np.array([[1.0, 0, -left], [0, 1, -top]])
    size = round(side * shrink)
    if size < side:
        gray = cv2.resize(gray, (size, size), interpolation=cv2.INTER_AREA)
        shift = similarity.compose(similarity.resize_matrix(side, side, size, size), shift)
    return _Patch(np.asarray(gray, np.uint8), shift)


def _within(low: int, side: int, length: int) -> slice:
    """Give what of low..low+side lies in 0..length, one row at least."""
    first = min(max(low, 0), length - 1)
    return slice(first, max(min(low + side, length), first + 1))


def _between(before: _Patch, after: _Patch, place: Points) -> tuple[Matrices, float, bool]:
    """Measure the motion (frame px) of the face at `place` in `before`; also the agreement, and whether it was followed."""
    anchors = similarity.apply(before.matrix[None], place)[0]
    half = _WINDOW * float(np.linalg.norm(anchors[1] - anchors[0]))
    start, there = _window(before, half), _window(after, half)
    to_start, to_there = similarity.compose(_shift(start[1]), before.matrix), similarity.compose(_shift(there[1]), after.matrix)
    inside = filled_polygon(upper_face(anchors) - start[1], *start[0].shape)
    side = (min(start[0].shape[0], there[0].shape[0]), min(start[0].shape[1], there[0].shape[1]))
    first, second, inside = (contiguous(p[: side[0], : side[1]]) for p in (start[0], there[0], inside))
    features = pair_motion(first, second, inside)
    refined = refine(first, second, inside, features.matrix, rough=not features.found)
    followed = refined.settled and refined.agreement > (SURE if features.found else UNSURE)
    if not followed and not features.found:
        return np.eye(2, 3), refined.agreement, False
    matrix = refined.matrix if followed else features.matrix
    moved = similarity.compose(similarity.invert(to_there), similarity.compose(matrix, to_start))
    return moved, refined.agreement, True


def _window(patch: _Patch, half: float) -> tuple[Gray, NDArray[np.float64]]:
    """Give the middle of a patch and where its corner lies in it."""
    middle = patch.gray.shape[0] / 2
    low = max(0, round(middle - half))
    high = min(patch.gray.shape[0], round(middle + half))
    return patch.gray[low:high, low:high], np.array([low, low], np.float64)


def _shift(corner: NDArray[np.float64]) -> Matrices:
    return np.array([[1.0, 0, -corner[0]], [0, 1, -corner[1]]])
