"""Masks of the mouth that follow the face: the lips' outline, an ellipse where only five points are known, or the lower half."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ..arrays import Frame, Masks, as_float32
from ..progress import Progress, silent
from ..settings import check_settings, setting
from . import similarity
from .anchors import Points, eye_distance, to_68
from .detect.scheme import to_5
from .fill import segments
from .track import FaceTrack

OUTER, INNER = slice(48, 60), slice(60, 68)

_CLOSED_HEIGHT, _WIDTH_SHARE = 0.34, 1.15
_SUBPIXEL = 4  # fractional bits of drawn corners

Series = NDArray[np.float64]


@dataclass(frozen=True)
class LipMask:
    """A mask of the mouth for every frame of a track.

    With 68 points or the mesh it is the outline of the lips (points 48-67); with five points or a box an ellipse about the corners of
    the mouth. Hard edges are the default: soft ones let the source's lips shine through what is generated there.
    """

    region: Literal["lips", "lower_half"] = setting("lips", "lips: follows the mouth. lower_half: a rectangle from the nose to the chin.")
    expansion: float = setting(1.5, "Size about the mouth's centre; 1 is the lips themselves.", low=0.5, high=4.0, step=0.05)
    adaptive: float = setting(0.5, "How much more it grows while the mouth is open, for the chin that goes down with it.", low=0.0,
                              high=3.0, step=0.05)
    feather: float = setting(0.0, "Softness of the edge, as a share of the eye distance. 0 is a hard edge.", low=0.0, high=1.0, step=0.01)
    steadiness: float = setting(0.06, "Over how long size and place are averaged; 0 takes each frame as it is.", low=0.0, high=1.0,
                                step=0.01, unit="s")

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            SettingError: one is wrong.
        """
        check_settings(self)

    def masks(self, track: FaceTrack, first: int | None = None, last: int | None = None, *, in_crop: bool = False,
              progress: Progress = silent) -> Masks:
        """Draw the masks of frames first..last-1 (all of the track by default).

        Args:
            track: whole; the averaging looks beyond the frames asked for, so how a clip is cut into runs does not show.
            first: absolute index of the first frame.
            last: absolute index after the last frame.
            in_crop: draw in the aligned square instead of the frame.
            progress: called after every frame; may raise to cancel.

        Returns:
            ``[B,H,W]`` or ``[B,size,size]``, 0..1.

        Raises:
            TrackError: a frame that the track does not cover, or `in_crop` of a track that is not aligned.
        """
        first, last = track.start if first is None else first, track.stop if last is None else last
        outlines, units = self.outlines(track), eye_distance(track.points, track.scheme)
        drawn = []
        for index in range(first, last):
            place = track.place(index)
            outline, unit, size = outlines[place], float(units[place]), track.size
            if in_crop and track.crop is not None:
                matrix = track.matrix(index)
                outline, unit = similarity.apply(matrix[None], outline)[0], unit * float(similarity.scales(matrix))
                size = (track.crop.size, track.crop.size)
            drawn.append(draw(outline, size, self.feather * unit))
            progress(index + 1 - first, last - first)
        return np.stack(drawn)

    def outlines(self, track: FaceTrack) -> Points:
        """Give the outline of every frame's mask, ``[T,N,2]``, px of the frame, N the same in all."""
        if self.region == "lower_half":
            return _lower_halves(track)
        outlined = track.scheme in ("mesh468", "points68")
        shape = to_68(track.points, track.scheme)[:, OUTER] if outlined else _ellipses(track)
        centre = shape.mean(1, keepdims=True)
        unit = eye_distance(track.points, track.scheme)
        grown = self.expansion * (1 + self.adaptive * mouth_opening(track) / 0.5)
        grown = _averaged(grown[:, None], track, self.steadiness)[:, 0]
        outline = centre + grown[:, None, None] * (shape - centre)
        # Averaged in eye distances about the face's own middle, so that the head's motion does not lag.
        middle = to_5(track.points, track.scheme)[:, :3].mean(1, keepdims=True)
        apart = (outline - middle) / unit[:, None, None]
        apart = _averaged(apart.reshape(len(track), -1), track, self.steadiness).reshape(apart.shape)
        placed: Points = middle + apart * unit[:, None, None]
        return placed


def mouth_opening(track: FaceTrack) -> Series:
    """Measure how far the mouth is open, ``[T]``: the gap of the inner lips over the eye distance, so that scale does not matter.

    0 for five points and boxes, which cannot tell.
    """
    if track.scheme not in ("mesh468", "points68"):
        return np.zeros(len(track))
    inner = to_68(track.points, track.scheme)[:, INNER]
    gaps = np.linalg.norm(inner[:, 1:4] - inner[:, 7:4:-1], axis=-1).mean(1)
    opening: Series = gaps / np.maximum(1e-6, eye_distance(track.points, track.scheme))
    return opening


def _ellipses(track: FaceTrack) -> Points:
    """Fit an ellipse of 12 points to the corners of each mouth; its height is that of lips at rest, in eye distances."""
    five = to_5(track.points, track.scheme)
    unit = eye_distance(track.points, track.scheme)[:, None]
    centre, across = five[:, 3:5].mean(1), five[:, 4] - five[:, 3]
    half = 0.5 * across * _WIDTH_SHARE
    length = np.maximum(1e-6, np.linalg.norm(across, axis=1, keepdims=True))
    down = np.stack((-across[:, 1], across[:, 0]), -1) / length * 0.5 * _CLOSED_HEIGHT * unit
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)[None, :, None]
    shape: Points = centre[:, None] + np.cos(turn) * half[:, None] + np.sin(turn) * down[:, None]
    return shape


def _lower_halves(track: FaceTrack) -> Points:
    """Outline the face from the nose down: an upright rectangle in the face's own turn, 2.2 eye distances wide."""
    five = to_5(track.points, track.scheme)
    across = five[:, 1] - five[:, 0]
    down = np.stack((-across[:, 1], across[:, 0]), -1)
    nose, mouth = five[:, 2], five[:, 3:5].mean(1)
    middle = five[:, :2].mean(1)
    length = ((mouth - middle) * down).sum(-1) / np.maximum(1e-6, (down * down).sum(-1))
    low = middle + down * (length * 1.75)[:, None]
    high = middle + down * (((nose - middle) * down).sum(-1) / np.maximum(1e-6, (down * down).sum(-1)))[:, None]
    return np.stack((high - 1.1 * across, high + 1.1 * across, low + 1.1 * across, low - 1.1 * across), 1)


def _averaged(series: Series, track: FaceTrack, seconds: float) -> Series:
    sigma = seconds * float(track.fps)
    if sigma <= 0:
        return series
    averaged: Series = series.copy()
    for part in segments(len(series), track.local_cuts):
        averaged[part] = gaussian_filter1d(series[part], sigma, axis=0, mode="nearest")
    return averaged


def draw(outline: Points, size: tuple[int, int], feather: float) -> Frame:
    """Draw an outline ``[N,2]`` (px) as ``[H,W]``: 0 or 1; with a feather (px) a ramp of that width, half inside and half outside."""
    mask = np.zeros(size, np.uint8)
    corners: Any = np.round(np.clip(outline, -1e5, 1e5) * 2 ** _SUBPIXEL).astype(np.int32)
    cv2.fillPoly(mask, [corners], 1, shift=_SUBPIXEL)
    if feather <= 0:
        return mask.astype(np.float32)
    inside = np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, 5), np.float32)
    outside = np.asarray(cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5), np.float32)
    if not mask.any():
        return mask.astype(np.float32)
    share = np.clip(0.5 + (inside - outside) / np.float32(feather), 0, 1)
    return as_float32(share * share * (3 - 2 * share))
