"""Putting processed crops back: only their place in the frame is touched, and every pixel outside the mask keeps its bits."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np

from ..arrays import ArrayError, Frame, Frames, Masks, Matrices, as_float32, contiguous, to_frames, to_mask
from ..operation import Numbered, Operation, resized
from ..parallel import for_each_frame
from ..progress import Progress, silent
from ..settings import setting
from . import similarity
from .track import FaceTrack, TrackError
from .warp import warp

AUTO_EDGE = 0.05
"""Width of the soft edge as a share of the crop's side, when none is given: the published restorer's, the root of the area over 20."""

_BANDS = 4


@dataclass(frozen=True)
class PasteSettings:
    """How a crop goes back into its frame."""

    edge: float = setting(0.0, "Width of the soft edge, in pixels of the crop. 0 takes a twentieth of its side.", low=0.0, high=512.0,
                          step=1.0, unit="px")
    blend: Literal["feather", "multiband"] = setting(
        "feather", "feather: one soft edge. multiband: coarse detail blends over a wider edge than fine detail.")
    content: Literal["replace", "difference"] = setting(
        "replace", "replace: the crop takes the place of the frame. difference: only what was changed in the crop is added, so that "
        "detail which the crop could not hold stays.")


@dataclass(frozen=True)
class PasteBack(Operation, PasteSettings):
    """Pastes crops into the frames that they were cut from, by the track that cut them.

    `crops` are ``[T,h,w,C]`` for the T frames of the track, of any size (they are taken to show the track's square); `mask` is
    ``[T,h,w]`` or ``[1,h,w]`` in the crop, 1 where it counts, or None. A crop's own alpha counts as a mask, too. The alpha of RGBA
    frames stays as it is. `originals` are the crops as they were cut, which ``difference`` needs; None cuts them again.
    """

    track: FaceTrack = field(kw_only=True, repr=False)
    crops: Frames = field(kw_only=True, repr=False, hash=False, compare=False)
    mask: Masks | None = field(default=None, kw_only=True, repr=False, hash=False, compare=False)

    def __post_init__(self) -> None:
        """Check settings and counts.

        Raises:
            TrackError: the track is not aligned.
            ArrayError: not as many crops as the track has frames, or not as many masks.
        """
        super().__post_init__()
        crops = to_frames(self.crops, "PasteBack: crops")
        if self.track.matrices is None:
            raise TrackError("The track holds no matrices yet; align it first.")
        if len(crops) != len(self.track):
            raise ArrayError(f"PasteBack: crops has {len(crops)} frames, the track {len(self.track)}; give one crop a frame.")
        object.__setattr__(self, "crops", crops)
        if self.mask is not None:
            mask = to_mask(self.mask, "PasteBack: mask")
            if len(mask) not in (1, len(crops)):
                raise ArrayError(f"PasteBack: mask has {len(mask)} frames; give 1, or one for each of the {len(crops)} crops.")
            object.__setattr__(self, "mask", mask)

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Copy the frames and paste into the copies."""
        out = np.empty_like(frames)

        def work(i: int) -> None:
            place = self.track.place(start + i)
            mask = None if self.mask is None else self.mask[place if len(self.mask) > 1 else 0]
            np.copyto(out[i], frames[i])
            paste(out[i], self.crops[place], crop_matrix(self.track, start + i, self.crops[place]), self, mask)

        for_each_frame(len(frames), work, progress)
        return out

    def to_json(self) -> dict[str, Any]:
        """Give the settings and the track; the crops are pictures and stay out."""
        return {**super().to_json(), "track": self.track.to_json()}


def paste_clip(
    clip: Iterable[Numbered], crops: Iterable[Numbered], track: FaceTrack, settings: PasteSettings | None = None,
    progress: Progress = silent,
) -> Iterator[Numbered]:
    """Paste a stream of crops into a stream of frames, holding one run of each.

    Args:
        clip: ``(start, frames)`` runs by absolute index.
        crops: the same for the crops, counted from the track's first frame; cut into runs wherever they like.
        track: aligned.
        settings: how.
        progress: called as frames get done.

    Yields:
        The runs of `clip`, pasted; frames that the track does not cover as they came.

    Raises:
        ArrayError: there are fewer crops than frames of the track in the clip.
    """
    settings = PasteSettings() if settings is None else settings
    waiting = (crop for _, run in crops for crop in run)
    for start, frames in clip:
        out = frames.copy()
        for i in range(len(frames)):
            if not track.start <= start + i < track.stop:
                continue
            crop = next(waiting, None)
            if crop is None:
                raise ArrayError(f"There is no crop for frame {start + i}; the track covers {track.start} to {track.stop - 1}.")
            paste(out[i], crop, crop_matrix(track, start + i, crop), settings)
            progress(start + i + 1 - track.start, len(track))
        yield start, out


def crop_matrix(track: FaceTrack, index: int, crop: Frame) -> Matrices:
    """Give the ``[2,3]`` matrix from frame `index` to its crop, whatever size that has by now (upscaled, say)."""
    side = track.crop.size if track.crop else 0
    return similarity.compose(similarity.resize_matrix(side, side, *crop.shape[:2]), track.matrix(index))


@dataclass(frozen=True)
class Pasted:
    """Where a crop went: `weight` ``[h,w]`` in those rows and columns, 0 where the frame kept its bits, 1 where the crop is."""

    rows: slice
    columns: slice
    weight: Frame


def paste(
    frame: Frame, crop: Frame, matrix: Matrices, settings: PasteSettings, mask: Frame | None = None, within: Frame | None = None,
) -> Pasted | None:
    """Paste one crop into one frame, in place.

    Args:
        frame: ``[H,W,C]``, C-contiguous, written to.
        crop: ``[h,w,C]``.
        matrix: ``[2,3]``, frame px to crop px.
        settings: edge, blend and content.
        mask: ``[h',w']`` in the crop, 0..1, or None.
        within: ``[H,W]`` in the frame, 0..1: where it may go at all, or None.

    Returns:
        Where it went; None where it lies outside the frame.
    """
    height, width = crop.shape[:2]
    soft = edge_mask(height, width, settings.edge)
    if mask is not None:
        soft = soft * resized(contiguous(mask), height, width)
    if crop.shape[2] == 4:
        soft = soft * crop[..., 3]
    part = _place(matrix, frame.shape[0], frame.shape[1], height, width)
    if part is None:
        return None
    rows, columns = part
    to_part = similarity.compose(np.array([[1.0, 0, -columns.start], [0, 1, -rows.start]]), similarity.invert(matrix))
    size = (rows.stop - rows.start, columns.stop - columns.start)
    channels = min(3, frame.shape[2])
    source = frame[rows, columns, :channels]
    colour = contiguous(_channels(crop, channels))
    if settings.content == "difference":
        colour = colour - _channels(warp(contiguous(frame[..., :channels]), matrix, height, width), channels)
        made = source + np.asarray(cv2.warpAffine(colour, to_part, size[::-1], flags=cv2.INTER_CUBIC)).reshape(*size, channels)
        np.clip(made, 0, 1, out=made)
    else:
        made = warp(colour, to_part, *size, "edge")
    weight = np.asarray(cv2.warpAffine(as_float32(soft), to_part, size[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
                                       borderValue=(0.0,)), np.float32)
    np.clip(weight, 0, 1, out=weight)
    if settings.blend == "multiband":
        made = multiband(contiguous(source), made, weight)
        weight = np.minimum(1, 4 * weight)  # the bands did the blending; only the outermost edge is still drawn in
    if within is not None:
        weight = weight * within[rows, columns]
    blended = source + weight[..., None] * (made - source)
    np.copyto(source, made, where=(weight >= 1)[..., None])
    np.copyto(source, blended, where=((weight > 0) & (weight < 1))[..., None])
    return Pasted(rows, columns, weight)


def edge_mask(height: int, width: int, edge: float = 0.0) -> Frame:
    """Make ``[height,width]``: 0 at the crop's rim, 1 from `edge` px inward (0: a twentieth of the side), smooth between them."""
    reach = edge or AUTO_EDGE * max(height, width)
    rows, columns = (np.minimum(np.arange(n), np.arange(n)[::-1]) / max(reach, 1e-6) for n in (height, width))
    near = np.clip(np.minimum(rows[:, None], columns[None]), 0, 1)
    return as_float32(near * near * (3 - 2 * near))


def multiband(below: Frame, above: Frame, weight: Frame) -> Frame:
    """Blend two pictures ``[H,W,C]`` band by band: Laplacian pyramids, joined by the Gaussian pyramid of the weight.

    Source: Burt and Adelson, "A multiresolution spline with application to image mosaics", ACM TOG 2(4), 1983.
    """
    bands = min(_BANDS, max(0, int(np.log2(max(2, min(below.shape[:2])))) - 3))
    sharp = _pyramid(below, bands), _pyramid(above, bands), _pyramid(weight, bands)
    joined: Frame | None = None
    for level in range(bands, -1, -1):
        low, high, share = (p[level] for p in sharp)
        if level < bands:
            low, high = (p - _up(q[level + 1], p) for p, q in ((low, sharp[0]), (high, sharp[1])))
        band = low + share.reshape(*share.shape[:2], 1) * (high - low)
        joined = band if joined is None else band + _up(joined, band)
    return np.clip(below if joined is None else joined, 0, 1)


def _pyramid(picture: Frame, bands: int) -> list[Frame]:
    levels = [picture]
    for _ in range(bands):
        smaller = np.asarray(cv2.pyrDown(levels[-1]), np.float32)
        levels.append(smaller.reshape(*smaller.shape[:2], *picture.shape[2:]))
    return levels


def _up(picture: Frame, like: Frame) -> Frame:
    return np.asarray(cv2.pyrUp(picture, dstsize=(like.shape[1], like.shape[0])), np.float32).reshape(like.shape)


def _place(matrix: Matrices, frame_height: int, frame_width: int, height: int, width: int) -> tuple[slice, slice] | None:
    """Give the rows and columns of the frame that the crop covers; None where it lies outside."""
    corners = np.array([[-1.0, -1], [width, -1], [-1, height], [width, height]])
    seen = similarity.apply(similarity.invert(matrix)[None], corners)[0]
    low = np.maximum(0, np.floor(seen.min(0))).astype(int)
    high = np.minimum([frame_width, frame_height], np.ceil(seen.max(0)).astype(int) + 1)
    if (high <= low).any():
        return None
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _channels(picture: Frame, channels: int) -> Frame:
    """Give the colours of a picture as `channels` of them: alpha left out, gray spread, colour as its luma where gray is wanted."""
    colour = picture[..., :3]
    if colour.shape[2] == channels:
        return colour
    if channels == 3:
        return np.repeat(colour, 3, axis=2)
    gray = cv2.cvtColor(contiguous(colour), cv2.COLOR_RGB2GRAY)
    return np.asarray(gray, np.float32)[..., None]
