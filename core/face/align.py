"""Aligned crops: the face in the same place, at the same size, upright, in every frame.

Two ways to the matrices: ``similarity``, least squares in full precision and one warp straight to the square; and ``latentsync``,
the published pipeline number by number, for models and comparisons that expect it.
"""
from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np

from ..arrays import Frame, Frames, Masks, Matrices, contiguous, empty_frames, from_uint8, to_uint8
from ..operation import Operation
from ..parallel import for_each_frame
from ..progress import Progress
from ..settings import setting
from . import similarity
from .anchors import Points
from .template import Shape, Template, template
from .track import FaceTrack, TrackError
from .warp import FILL_LEVELS, valid_area, warp, warp_on

Fit = Literal["similarity", "latentsync"]

_BIAS_KEPT = 0.2


def align(track: FaceTrack, size: int = 256, shape: Shape = "latentsync", fit: Fit = "similarity") -> FaceTrack:
    """Give the track with matrices to a crop of `size` px.

    Args:
        track: raw or smoothed.
        size: side of the square crop, px, at least 16.
        shape: see `template`.
        fit: ``similarity`` or ``latentsync`` (points rounded to whole px, scale by spread, and its bias term).

    Raises:
        GeometryError: a frame whose points coincide.
    """
    crop = template(size, shape)
    return dataclasses.replace(track, matrices=matrices_for(track.anchors, crop, fit, rounded=track.smoothing == "none"), crop=crop)


def matrices_for(anchors: Points, crop: Template, fit: Fit, *, rounded: bool) -> Matrices:
    """Give matrices ``[T,2,3]`` that bring brows and nose ``[T,3,2]`` (px) to the template; `rounded` is for ``latentsync``."""
    return latentsync_matrices(anchors, crop, rounded=rounded) if fit == "latentsync" else similarity.fit(anchors, crop.points)


def latentsync_matrices(anchors: Points, crop: Template, *, bias: bool = True, rounded: bool = True) -> Matrices:
    """Make matrices as LatentSync's AlignRestore does.

    Points are rounded to whole px. The bias is the difference of the normalised noses of template and face, an exponential average
    over the clip (0.2 of the one before), added to the shift in px although it has no unit; it amounts to some 0.3 px.

    Args:
        anchors: brows and nose ``[T,3,2]``, px.
        crop: the template.
        bias: add it.
        rounded: round the points, as the published code does with a detector's; the smoothed ones it leaves as they are.

    Returns:
        ``[T,2,3]``, frame px to px of the template's box.
    """
    points, places = np.round(anchors) if rounded else anchors, crop.points
    matrices = similarity.fit_by_spread(points, places)
    if bias:
        wanted, seen = _normalised(places[None])[0, 2], _normalised(points)[:, 2]
        kept = wanted - seen[0]
        for frame, nose in enumerate(seen):
            kept = wanted - nose if frame == 0 else _BIAS_KEPT * kept + (1 - _BIAS_KEPT) * (wanted - nose)
            matrices[frame, :, 2] += kept
    return matrices


def _normalised(points: Points) -> Points:
    """Take off the mean point, divide by the unbiased deviation over all six numbers."""
    centred = points - points.mean(1, keepdims=True)
    normalised: Points = centred / centred.reshape(len(points), -1).std(1, ddof=1)[:, None, None]
    return normalised


def latentsync_crop(frame: Frame, matrix: Matrices, crop: Template, out: Frame) -> None:
    """Cut one crop as LatentSync does: bilinear into the box, gray beyond the frame, cut down to whole levels, Lanczos to the square.

    Args:
        frame: ``[H,W,C]`` float32, 0..1.
        matrix: ``[2,3]``, frame px to the box.
        crop: the template.
        out: ``[size,size,C]``; the result, levels of 1/255.
    """
    levels = np.asarray(to_uint8(frame), np.float32)
    gray = FILL_LEVELS["gray"] * 255
    box = cv2.warpAffine(levels, matrix, (crop.width, crop.height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
                         borderValue=(gray,) * 4)
    whole = np.clip(np.floor(np.asarray(box) + 1e-3), 0, 255).astype(np.uint8)
    square = cv2.resize(whole, (crop.size, crop.size), interpolation=cv2.INTER_LANCZOS4)
    from_uint8(contiguous(np.asarray(square, np.uint8).reshape(out.shape)), out)


@dataclass(frozen=True)
class AlignFace(Operation):
    """Cuts the aligned square crop out of every frame that its track covers; only the track is held, so a clip may stream through."""

    fill: Literal["edge", "gray", "black"] = setting("edge", "What lies beyond the frame: its edge drawn out, gray, or black.")
    published: bool = setting(False, "Sample as the published pipeline does: bilinear, cut down to whole levels, then Lanczos.")
    track: FaceTrack = field(kw_only=True, repr=False)
    device: str | None = field(default=None, kw_only=True)
    """A torch device, e.g. ``cuda``; None is OpenCV on the processor, frames in parallel. Both give the same within 2 of 255 levels."""

    def __post_init__(self) -> None:
        """Check the settings and that the track is aligned.

        Raises:
            TrackError: the track holds no matrices.
        """
        super().__post_init__()
        if self.track.matrices is None or self.track.crop is None:
            raise TrackError("The track holds no matrices yet; align it first.")

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Give the side of the square, twice."""
        return self._crop.size, self._crop.size

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Cut one crop a frame; alpha is warped like a colour."""
        self.check_size(frames)
        crop = self._crop
        crops = empty_frames(len(frames), crop.size, crop.size, frames.shape[3])

        def work(i: int) -> None:
            if self.published and self.track.matrices is not None:
                latentsync_crop(frames[i], self.track.matrices[self.track.place(start + i)], crop, crops[i])
            elif self.device is None:
                warp(frames[i], self.track.matrix(start + i), crop.size, crop.size, self.fill, crops[i])
            else:
                matrix = self.track.matrix(start + i)[None]
                crops[i] = warp_on(self.device, frames[i : i + 1], matrix, crop.size, crop.size, self.fill)[0]

        for_each_frame(len(frames), work, progress)
        return crops

    def masks(self, first: int, last: int) -> Masks:
        """Give for frames first..last-1 where the crop shows the frame (1) and where what lies beyond it (0), ``[B,size,size]``."""
        crop = self._crop
        return np.stack([valid_area(self.track.matrix(i), *self.track.size, crop.size, crop.size) for i in range(first, last)])

    def to_json(self) -> dict[str, Any]:
        """Give the settings and the whole track."""
        return {**super().to_json(), "track": self.track.to_json()}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> AlignFace:
        """Read back what `to_json` gave, less ``"op"``.

        Raises:
            TrackError: the track is none.
        """
        return cls(**{**plain, "track": FaceTrack.from_json(plain.get("track"))})

    @property
    def _crop(self) -> Template:
        if self.track.crop is None:
            raise TrackError("The track holds no matrices yet; align it first.")
        return self.track.crop

    def check_size(self, frames: Frames) -> None:
        """Refuse frames of another size than those that were tracked.

        Raises:
            TrackError: they are.
        """
        if frames.shape[1:3] != self.track.size:
            height, width = self.track.size
            raise TrackError(f"The frames are {frames.shape[2]} x {frames.shape[1]} px, the track was made on {width} x {height}; "
                             "use the clip that was tracked.")
