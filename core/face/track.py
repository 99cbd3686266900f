"""A face followed through a clip: small, whole-clip, and a value like any other."""
from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Matrices, as_float64, to_matrices
from . import similarity
from .anchors import Points, Scheme, brows_and_nose
from .detect.interface import DetectedClip
from .fill import Flags, fill_gaps
from .motion import FaceMotion
from .scene import track_cuts
from .template import Template, template


class TrackError(ValueError):
    """A track whose parts do not fit together, text that is no track, or a frame that it does not cover."""


@dataclass(frozen=True, eq=False)
class FaceTrack:
    """The face of one person in T consecutive frames, the first of which is frame `start` of the clip.

    Attributes:
        points: ``[T,K,2]`` float64, px of the frame; every frame has some (see `found`).
        scheme: how the K points are numbered.
        found: ``[T]``; false where the detector saw no face and the points are a stand-in.
        confidence: ``[T]``, 0..1, the detector's own; 0 where not found.
        detector: its name.
        noise: its jitter as stated, px at a face 200 px wide.
        size: height and width of the frames, px.
        fps: frames a second.
        start: absolute index of the first frame.
        matrices: ``[T,2,3]`` float64, frame px to the px of the template's box; None until aligned.
        crop: the template that they lead to; None until aligned.
        cuts: absolute indices of the first frame after each scene cut.
        motion: the measured motion between its frames, if it was measured.
        smoothing: the method that the points went through, ``none`` if raw.
    """

    points: Points
    scheme: Scheme
    found: Flags
    confidence: NDArray[np.float64]
    detector: str
    noise: float
    size: tuple[int, int]
    fps: Fraction
    start: int = 0
    matrices: Matrices | None = None
    crop: Template | None = None
    cuts: tuple[int, ...] = ()
    motion: FaceMotion | None = None
    smoothing: str = "none"

    def __post_init__(self) -> None:
        """Settle dtypes and check that the parts fit.

        Raises:
            TrackError: they do not.
        """
        points = as_float64(self.points)
        count = len(points)
        if points.ndim != 3 or not count or not np.isfinite(points).all():
            raise TrackError(f"Track points have shape {list(points.shape)}; [T,K,2] of finite numbers is wanted, T at least 1.")
        brows_and_nose(points[0], self.scheme)  # refuses a K that is not the scheme's
        for name, part in (("found", self.found), ("confidence", self.confidence)):
            if np.shape(part) != (count,):
                raise TrackError(f"{name} has shape {list(np.shape(part))}; the track has {count} frames.")
        if self.matrices is not None:
            object.__setattr__(self, "matrices", to_matrices(self.matrices, "track matrices"))
            if self.matrices is not None and len(self.matrices) != count:
                raise TrackError(f"The track has {count} frames but {len(self.matrices)} matrices.")
        if self.motion is not None and len(self.motion.followed) != count - 1:
            raise TrackError(f"The track has {count} frames but the motion of {len(self.motion.followed)} pairs.")
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "found", np.asarray(self.found, bool))
        object.__setattr__(self, "confidence", as_float64(np.asarray(self.confidence)))
        object.__setattr__(self, "fps", Fraction(self.fps))
        object.__setattr__(self, "size", (int(self.size[0]), int(self.size[1])))

    def __len__(self) -> int:
        return len(self.points)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FaceTrack):
            return NotImplemented
        return all(np.array_equal(a, b) if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) else a is b or a == b
                   for a, b in ((getattr(self, f.name), getattr(other, f.name)) for f in dataclasses.fields(self)))

    def __hash__(self) -> int:
        return hash((self.points.tobytes(), self.detector, self.start, self.crop, self.smoothing))

    @property
    def filled(self) -> Flags:
        """Say of each frame whether its points are a stand-in, ``[T]``."""
        return ~self.found

    @property
    def stop(self) -> int:
        """Give the absolute index after the last frame."""
        return self.start + len(self)

    @property
    def anchors(self) -> Points:
        """Give brows and nose, ``[T,3,2]``, px."""
        return brows_and_nose(self.points, self.scheme)

    @property
    def local_cuts(self) -> tuple[int, ...]:
        """Give the cuts counted from the track's first frame."""
        return tuple(c - self.start for c in self.cuts)

    def place(self, index: int) -> int:
        """Give where frame `index` of the clip lies in the track's arrays.

        Raises:
            TrackError: the track does not cover it.
        """
        if not self.start <= index < self.stop:
            raise TrackError(f"The track covers frames {self.start} to {self.stop - 1}, not frame {index}; track the whole clip.")
        return index - self.start

    def matrix(self, index: int) -> Matrices:
        """Give the ``[2,3]`` matrix from frame `index` to the square crop (the box's, then the resize to the square).

        Raises:
            TrackError: the frame is not covered, or the track is not aligned.
        """
        if self.matrices is None or self.crop is None:
            raise TrackError("The track holds no matrices yet; align it first.")
        return similarity.compose(self.crop.square, self.matrices[self.place(index)])

    def between(self, first: int, last: int) -> FaceTrack:
        """Give frames first..last-1, by absolute index.

        Raises:
            TrackError: not all of them are covered, or there are none.
        """
        if last <= first:
            raise TrackError(f"Frames {first} to {last - 1} are none; ask for at least one.")
        inside = slice(self.place(first), self.place(last - 1) + 1)
        return dataclasses.replace(
            self, points=self.points[inside], found=self.found[inside], confidence=self.confidence[inside], start=first,
            matrices=None if self.matrices is None else self.matrices[inside], cuts=tuple(c for c in self.cuts if first < c < last),
            motion=None if self.motion is None else self.motion.between(inside.start, inside.stop))

    def with_motion(self, motion: FaceMotion) -> FaceTrack:
        """Give the track with its measured motion, and the cuts that were seen on the way."""
        cuts = tuple(sorted({*self.cuts, *(c + self.start for c in motion.cuts)}))
        return dataclasses.replace(self, motion=motion, cuts=cuts)

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON values; floats keep every bit."""
        return {
            "kind": "TALKIES_TRACK", "version": 1, "points": self.points.tolist(), "scheme": self.scheme,
            "found": self.found.tolist(), "filled": self.filled.tolist(), "confidence": self.confidence.tolist(),
            "detector": self.detector, "noise": self.noise, "size": list(self.size), "fps": str(self.fps), "start": self.start,
            "matrices": None if self.matrices is None else self.matrices.tolist(),
            "crop": None if self.crop is None else {"size": self.crop.size, "shape": self.crop.shape},
            "cuts": list(self.cuts), "motion": None if self.motion is None else self.motion.to_json(), "smoothing": self.smoothing,
        }

    def dumps(self) -> str:
        """Give the track as JSON text."""
        return json.dumps(self.to_json())

    @classmethod
    def from_json(cls, plain: Any) -> FaceTrack:
        """Read back what `to_json` gave.

        Raises:
            TrackError: it is no such track.
        """
        try:
            crop, matrices, motion = plain["crop"], plain["matrices"], plain["motion"]
            return cls(
                np.array(plain["points"], np.float64), plain["scheme"], np.array(plain["found"], bool),
                np.array(plain["confidence"], np.float64), str(plain["detector"]), float(plain["noise"]),
                (int(plain["size"][0]), int(plain["size"][1])), Fraction(plain["fps"]), int(plain["start"]),
                None if matrices is None else np.array(matrices, np.float64), None if crop is None else template(**crop),
                tuple(int(c) for c in plain["cuts"]), None if motion is None else FaceMotion.from_json(motion), str(plain["smoothing"]))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise TrackError(f"This is not a face track as `talkies align --track` writes it ({error!r}).") from error

    @classmethod
    def loads(cls, text: str) -> FaceTrack:
        """Read a track from JSON text.

        Raises:
            TrackError: the text is no JSON or no track.
        """
        try:
            return cls.from_json(json.loads(text))
        except json.JSONDecodeError as error:
            raise TrackError(f"The track file is not JSON: {error}.") from error


def track_from_points(
    points: Sequence[Points | None], scheme: Scheme, size: tuple[int, int], fps: Fraction, *, start: int = 0,
    confidence: Sequence[float] | None = None, detector: str = "given", noise: float = 0.7,
) -> FaceTrack:
    """Make a raw track from one set of points ``[K,2]`` a frame, or None; gaps are filled and jumps of the face marked as cuts.

    Raises:
        NoFaceInClipError: no frame has points.
        DetectorError: K is not the scheme's.
    """
    found = np.array([p is not None for p in points], bool)
    shape = next((np.shape(p) for p in points if p is not None), (1, 2))
    stacked = np.stack([np.full(shape, np.nan) if p is None else p for p in points])
    score = np.where(found, 1.0 if confidence is None else np.asarray(confidence, np.float64), 0.0)
    filled = fill_gaps(stacked, found)
    cuts = track_cuts(brows_and_nose(filled, scheme), found)
    return FaceTrack(fill_gaps(stacked, found, cuts), scheme, found, score, detector, noise, size, fps, start,
                     cuts=tuple(c + start for c in cuts))


def track_from_detections(clip: DetectedClip, fps: Fraction) -> FaceTrack:
    """Make a raw track of what a detector found (see `track_from_points`)."""
    return track_from_points([None if f is None else f.points for f in clip.faces], clip.scheme, (clip.height, clip.width), fps,
                             start=clip.start, confidence=clip.scores.tolist(), detector=clip.detector, noise=clip.noise)
