"""A whole clip: every frame looked at once, in order, the points of one face kept."""
from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ...operation import Numbered
from ...progress import Progress, silent
from .choose import FaceChoice, Follower
from .interface import DetectedClip, Detection, Detector, NoFaceError


def detect_clip(
    clip: Iterable[Numbered], detector: Detector, choice: FaceChoice | None = None, progress: Progress = silent, total: int = 0,
) -> DetectedClip:
    """Find and follow one face through a clip that arrives in consecutive runs of frames.

    Args:
        clip: ``(start, frames)`` runs, frames ``[B,H,W,C]`` 0..1, consecutive, all of one size. Only points are kept of them.
        detector: any detector.
        choice: which face; the largest by default.
        progress: called after every frame with the frames done and `total`; may raise to cancel.
        total: frames in the clip, 0 where that is not known.

    Returns:
        The chosen face of each frame, None where there was none. The same wherever the clip was cut.

    Raises:
        NoFaceError: no frame holds such a face.
        ValueError: the clip is empty, or its frames change size.
    """
    choice = FaceChoice() if choice is None else choice
    follower = Follower(choice)
    seen = 0
    best: Detection | None = None  # of all candidates, to say in an error how far off they were
    first, height, width = 0, 0, 0
    for start, frames in clip:
        if not seen:
            first, (height, width) = start, frames.shape[1:3]
        if frames.shape[1:3] != (height, width):
            raise ValueError(f"Frame {start} is {frames.shape[2]} x {frames.shape[1]} px after frames of {width} x {height}; "
                             "one face track needs one size.")
        for offset, frame in enumerate(frames):
            faces = detector.detect(frame, start + offset, follower.near)
            best = max((f for f in (best, *faces) if f is not None), key=lambda f: f.score, default=None)
            follower.step(faces)
            seen += 1
            progress(seen, total)
    if not seen:
        raise ValueError("The clip has no frames.")
    faces_found, dropped = without_outliers(follower.chosen)
    if not any(faces_found):
        raise NoFaceError(_nothing(detector, choice, seen, best))
    notes = []
    missing = sum(face is None for face in faces_found)
    if missing:
        false = f" ({dropped} of them a false hit)" if dropped else ""
        notes.append(f"{missing} of {seen} frames hold no face that {detector.name} found{false}.")
    if follower.switches:
        notes.append("Another face was followed from frame " + ", ".join(str(first + s) for s in follower.switches) + " on.")
    return DetectedClip(tuple(faces_found), first, width, height, detector.name, detector.scheme, detector.noise, tuple(notes))


def without_outliers(faces: Sequence[Detection | None], reach: int = 4) -> tuple[list[Detection | None], int]:
    """Take out boxes that leave their neighbours for a moment and come back, as a false hit does and a head does not.

    Middle and log size of each box are compared with the medians of up to `reach` found frames before it, after it, and on both
    sides, with the straight continuation of the two before and of the two after, and with the median of the means of pairs around
    it. The best agreement counts: one side alone forgives a scene cut, continuation and pairs forgive a quick motion. A box goes
    when it is further off than 8 robust standard deviations of all such differences (at least 0.2, at most 0.6 face sizes).

    Returns:
        The faces, None where one was taken out, and how many were.
    """
    found = [(i, face) for i, face in enumerate(faces) if face is not None]
    if len(found) < 5:
        return list(faces), 0
    scale = float(np.median([face.size for _, face in found]))
    rows = np.array([(face.centre[0] / scale, face.centre[1] / scale, np.log(max(face.size, 1e-6))) for _, face in found])
    off = np.array([_apart(rows, k, reach) for k in range(len(rows))])
    limit = float(np.clip(8 * 1.4826 * np.median(off), 0.2, 0.6))
    kept = list(faces)
    for (i, _), value in zip(found, off, strict=True):
        if value > limit:
            kept[i] = None
    return kept, int((off > limit).sum())


def _apart(rows: NDArray[np.float64], k: int, reach: int) -> float:
    """Say how far row `k` of ``[N,3]`` is from the nearest of what its neighbours suggest."""
    before, after = rows[max(k - reach, 0) : k][::-1], rows[k + 1 : k + 1 + reach]
    pairs = min(len(before), len(after))
    sides = [np.median(side, axis=0) for side in (before, after, np.concatenate((before, after))) if len(side) >= 2]
    sides += [2 * side[0] - side[1] for side in (before, after) if len(side) >= 2]
    sides += [np.median((before[:pairs] + after[:pairs]) / 2, axis=0)] if pairs else []
    return min(float(np.abs(rows[k] - s).max()) for s in sides)


def _nothing(detector: Detector, choice: FaceChoice, seen: int, best: Detection | None) -> str:
    tried = (f"No face in {seen} frame{'s' if seen != 1 else ''}: tried the {detector.name} detector, faces of at least "
             f"{choice.min_size:g} px with a score of at least {choice.min_score:g}.")
    if best is not None:
        tried += f" The best it saw had {best.size:.0f} px and a score of {best.score:.2f}"
        tried += f", and the rule asks for face {choice.index} from the left." if choice.rule == "index" else "."
    return tried + " Lower those limits, choose another detector, or hand the points in as JSON."
