"""A whole job: one clip, one voice, one result as long as the rule for lengths says."""
from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..arrays import Frames, Masks, Waveform, contiguous, to_frames
from ..face.track import FaceTrack, TrackError
from ..progress import Progress, part, silent
from ..video.clip import FrameSource
from .length import ExtendedSource, Length, Order, extended_track, frame_order
from .lip_sync import LipSync
from .sound import LipSound


@dataclass(frozen=True)
class Lengthened:
    """A clip made as long as its sound.

    Attributes:
        order: which frame of the clip each frame of the result shows.
        track: of the result.
        own: frames that the clip has of its own.
    """

    order: Order
    track: FaceTrack
    own: int

    @property
    def extended(self) -> bool:
        """Say whether the result has more frames than the clip."""
        return len(self.order) > self.own

    def source(self, source: FrameSource) -> FrameSource:
        """Give the clip in the result's order; itself, with all its times, where nothing is added."""
        return ExtendedSource(source, self.order) if self.extended else source

    def frames(self, images: Any) -> Frames:
        """Give a batch in the result's order; the batch itself where nothing is added."""
        frames = to_frames(images, "LipSync: images")
        return contiguous(frames[self.order]) if self.extended else frames


def lengthened(track: FaceTrack, sound: LipSound, length: Length, count: int | None) -> Lengthened:
    """Settle how long the result is.

    Args:
        track: of the clip.
        sound: the voice.
        length: the rule; see `frame_order`.
        count: frames of the clip, where that is known otherwise than by the track.

    Raises:
        TrackError: the track does not cover the clip.
    """
    own = track.stop if count is None else count
    if own > track.stop or track.start:
        raise TrackError(f"The track covers frames {track.start} to {track.stop - 1}, the clip has {own}; track the whole clip.")
    order = frame_order(own, sound.frames(track.fps), length)
    return Lengthened(order, extended_track(track, order) if len(order) > own else track, own)


def fitted(waveform: Waveform, rate: int, frames: int, fps: Fraction) -> Waveform:
    """Cut a sound ``[C,T]`` to the length of so many frames; a shorter one stays as it is."""
    return contiguous(waveform[:, : max(1, round(frames * rate / fps))])


@dataclass(frozen=True)
class Made:
    """What came of a batch: whole frames ``[B,H,W,C]``, finished faces ``[B,h,w,3]``, and how much each pixel changed ``[B,H,W]``."""

    frames: Frames
    faces: Frames
    masks: Masks


def run_batch(operation: LipSync, frames: Frames, progress: Progress = silent) -> tuple[LipSync, Made]:
    """Draw the lips of a clip held as a batch, surveying it first where that is asked for.

    Returns:
        The operation with what it learnt, and everything that was made.
    """
    frames = to_frames(frames, "LipSync: images")
    if operation.needs_survey:
        operation = operation.survey([(0, frames)], part(progress, 0, 2))
        progress = part(progress, 1, 2)
    faces = operation.faces(frames, 0, progress)
    out, masks = frames.copy(), np.zeros(frames.shape[:3], np.float32)
    operation.put_back(out, 0, faces, masks)
    return operation, Made(out, faces, masks)
