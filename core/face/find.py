"""Finding one face in a whole clip: settings, the track, and the figures of the search."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from ..operation import Numbered
from ..progress import Progress, silent
from ..report import Report
from ..settings import check_settings, setting
from .anchors import eye_distance
from .detect.auto import open_detector
from .detect.choose import FaceChoice
from .detect.clip import detect_clip
from .detect.interface import Detector
from .fill import longest_gap
from .track import FaceTrack, track_from_detections


@dataclass(frozen=True)
class FaceSearch:
    """Which detector looks for which face."""

    detector: Literal["auto", "mesh", "face_alignment", "yunet", "scrfd", "builtin"] = setting(
        "auto", "auto takes the best that is installed: mesh, then face_alignment, then yunet, then builtin, which needs no download.")
    face: Literal["largest", "nearest", "index", "best"] = setting(
        "largest", "Which face, where there are several: the largest, the one nearest to a point, the n-th from the left, or the surest. "
        "The same person is then followed.")
    face_index: int = setting(0, "When `face` is index: which one, counted from the left, from 0.", low=0, high=63)
    point_x: float = setting(0.5, "When `face` is nearest: the point, from the left edge (0) to the right (1).", low=0, high=1, step=0.01)
    point_y: float = setting(0.5, "When `face` is nearest: the point, from the top (0) to the bottom (1).", low=0, high=1, step=0.01)
    min_size: float = setting(32.0, "Smaller faces are not taken.", low=8, high=4096, step=1, unit="px")
    min_score: float = setting(0.3, "Faces that the detector is less sure of are not taken.", low=0, high=1, step=0.01)

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            SettingError: one is wrong.
        """
        check_settings(self)

    def choice(self, height: int, width: int) -> FaceChoice:
        """Give the rule for frames of this size."""
        return FaceChoice(self.face, (self.point_x * width, self.point_y * height), self.face_index, self.min_size, self.min_score)


@dataclass(frozen=True)
class Found:
    """A raw track, and the report on the search."""

    track: FaceTrack
    report: Report


def find_face(
    clip: Iterable[Numbered], size: tuple[int, int], fps: Fraction, search: FaceSearch, folders: Sequence[Path], *,
    given: Detector | None = None, device: str = "cpu", file: Path | None = None, progress: Progress = silent, total: int = 0,
) -> Found:
    """Find and follow one face through a clip.

    Args:
        clip: ``(start, frames)`` runs, consecutive; only points are kept of them.
        size: height and width of the frames, px.
        fps: frames a second.
        search: detector and choice.
        folders: where weights are looked for.
        given: a detector to use instead, e.g. `detect.given.from_json`.
        device: torch device for face_alignment.
        file: a weights file for YuNet or SCRFD, instead of a search.
        progress: called after every frame; may raise to cancel.
        total: frames in the clip, 0 where that is not known.

    Raises:
        NoFaceError: no frame holds such a face.
        DetectorError: the detector asked for cannot be opened.
    """
    why: tuple[str, ...] = ("points were given.",)
    detector = given
    if detector is None:
        opened = open_detector(search.detector, folders, min_size=search.min_size, device=device, file=file)
        detector, why = opened.detector, opened.why
    detected = detect_clip(clip, detector, search.choice(*size), progress, total)
    track = track_from_detections(detected, fps)
    filled = np.flatnonzero(track.filled)
    figures: dict[str, float | int | str] = {
        "detector": track.detector, "points": track.points.shape[1], "frames": len(track), "frames without the face": len(filled),
        "longest gap (frames)": longest_gap(track.found), "scene cuts": len(track.cuts),
        "eye distance (px)": float(np.median(eye_distance(track.points, track.scheme))),
        "mean confidence": float(track.confidence[track.found].mean()), "why this detector": " ".join(why),
    }
    if len(filled):
        figures["filled frames"] = ", ".join(str(track.start + i) for i in filled[:20]) + (" ..." if len(filled) > 20 else "")
    notes = " ".join(detected.notes)
    return Found(track, Report("Video Align", figures | ({"notes": notes} if notes else {}),
                               {"found": tuple(track.found.astype(float).tolist()), "confidence": tuple(track.confidence.tolist())}))
