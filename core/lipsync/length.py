"""A clip as long as its new sound: which frames follow when the sound goes on after the last one."""
from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..face.track import FaceTrack
from ..video.clip import Chunk, FrameSource, check_size

Length = Literal["trim", "hold", "loop", "bounce"]

Order = NDArray[np.int64]
"""Which frame of the clip each frame of the result shows."""


def frame_order(count: int, wanted: int, length: Length) -> Order:
    """Give the order for a result of `wanted` frames out of `count`; never fewer than there are.

    Args:
        count: frames of the clip, at least 1.
        wanted: frames that the sound lasts.
        length: ``trim`` cuts the sound to the clip, ``hold`` stays on the last frame, ``loop`` starts over, ``bounce`` runs back and
            forth. A sound that ends first is followed by silence, whatever this says.
    """
    steps = np.arange(count if length == "trim" else max(count, wanted), dtype=np.int64)
    if length == "loop":
        return steps % count
    if length == "bounce" and count > 1:
        turn = steps % (2 * count - 2)  # the two ends are shown once, not twice
        return np.minimum(turn, 2 * count - 2 - turn)
    return np.minimum(steps, count - 1)


def extended_track(track: FaceTrack, order: Order) -> FaceTrack:
    """Give the track of a clip in another order; the track starts at its frame 0. Where frames do not follow on, there is a cut.

    Raises:
        TrackError: it does not cover a frame that is shown.
    """
    if np.array_equal(order, np.arange(len(track))) and track.start == 0:
        return track
    places = np.array([track.place(int(i)) for i in order])
    steps = np.diff(order)
    seams = {int(i) + 1 for i in np.flatnonzero(np.abs(steps) > 1)}
    inherited = {i + 1 for i, step in enumerate(steps) if abs(step) == 1 and max(int(order[i]), int(order[i + 1])) in track.cuts}
    return dataclasses.replace(
        track, points=track.points[places], found=track.found[places], confidence=track.confidence[places], start=0, motion=None,
        matrices=None if track.matrices is None else track.matrices[places], cuts=tuple(sorted(seams | inherited)))


class ExtendedSource(FrameSource):
    """A clip in the order of `frame_order`, read by chunks from another source, with no more than a chunk of it in memory.

    Stretches that run backwards are read chunk by chunk from the last to the first, for each of which the source is read up to there.
    """

    def __init__(self, source: FrameSource, order: Order) -> None:
        """Take an open source; closing this leaves it open."""
        self._source, self._order = source, order
        self.info = dataclasses.replace(source.info, time_base=1 / source.info.fps, frames=len(order))

    def chunks(self, size: int) -> Iterator[Chunk]:
        """See `FrameSource.chunks`."""
        check_size(size)
        order = self._order
        start = 0
        while start < len(order):
            stop = start + 1
            direction = 0 if stop == len(order) else int(np.sign(order[stop] - order[start]))
            while stop < len(order) and order[stop] - order[stop - 1] == direction:
                stop += 1
            yield from self._stretch(start, stop, direction, size)
            start = stop

    def _stretch(self, start: int, stop: int, direction: int, size: int) -> Iterator[Chunk]:
        """Give frames start..stop-1 of the result, whose source frames go on in one direction (1, 0 or -1)."""
        if direction > 0:
            first = int(self._order[start])
            yield from self._forward(start, first, first + stop - start, size)
            return
        for at in range(start, stop, size):
            wanted = self._order[at : min(at + size, stop)]
            low, high = int(wanted.min()), int(wanted.max()) + 1
            parts = [chunk.frames for chunk in self._forward(0, low, high, size)]
            frames = np.concatenate(parts)[wanted - low]
            yield Chunk(at, frames, tuple(range(at, at + len(frames))))

    def _forward(self, start: int, first: int, last: int, size: int) -> Iterator[Chunk]:
        """Read frames first..last-1 of the source, numbered from `start` on."""
        for chunk in self._source.chunks(size):
            low, high = max(first, chunk.start), min(last, chunk.start + len(chunk.frames))
            if low < high:
                inside = slice(low - chunk.start, high - chunk.start)
                at = start + low - first
                yield Chunk(at, chunk.frames[inside], tuple(range(at, at + high - low)))
            if chunk.start + len(chunk.frames) >= last:
                return
