"""Which frame of a video file is shown when, known without decoding it: what seeking to a frame by its number needs."""
from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from av.container import InputContainer
from av.video.stream import VideoStream

from .timeline import Timeline


@dataclass(frozen=True)
class FrameIndex:
    """The frames of a clip in the order in which they are shown.

    `stated` are the container's times in units of the stream's time base, strictly increasing; `times` are those that
    `FileSource.chunks` gives, in units of the clip's.
    """

    stated: tuple[int, ...]
    times: tuple[int, ...]

    def number(self, stated: int) -> int | None:
        """Give the number of the frame with that stated time, or None when there is none."""
        place = bisect_left(self.stated, stated)
        return place if place < len(self.stated) and self.stated[place] == stated else None


def index_frames(container: InputContainer, stream: VideoStream, time_base: Fraction, step: int, offset: Fraction) -> FrameIndex | None:
    """Read through a file's packets, decoding nothing.

    Args:
        container: open, at its beginning.
        stream: the video stream.
        time_base: the clip's, seconds.
        step: the nominal time from frame to frame, in units of `time_base`.
        offset: seconds that count as 0 (`start_offset`).

    Returns:
        None where the packets do not tell: a time is missing, doubled or falls back behind what was shown, or a packet is damaged. Such a
        file can only be read from its beginning.
    """
    stated: list[int] = []
    for packet in container.demux(stream):
        entry: Any = packet
        if not packet.size or entry.is_discard:
            continue
        if packet.pts is None or entry.is_corrupt:
            return None
        stated.append(packet.pts)
    stated.sort()
    if not stated or any(a == b for a, b in pairwise(stated)):
        return None
    timeline = Timeline(step)
    base = stream.time_base or time_base
    times = tuple(timeline.place(round(time * (base / time_base) - offset / time_base)) for time in stated)
    return FrameIndex(tuple(stated), times)
