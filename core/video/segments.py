"""A long clip in segments: each rendered and encoded by itself, from any place of the clip, the same bits as in one go."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..heap import give_back
from ..operation import Operation
from ..progress import Progress, silent
from .clip import FrameSource, VideoError
from .encoding import Encoding
from .render import render, rendered_info
from .sink import FileSink

SECONDS = 10
"""Length of a segment: long against the two seconds of extra key frames that it costs, short against what an interruption loses."""

ENCODER_THREADS = 4
"""Of a segment's encoder, on every machine: H.264 and H.265 come out as other bits with another number of threads."""


@dataclass(frozen=True)
class Segment:
    """Frames `start` to `stop` - 1 of a clip, the `index`-th of its segments."""

    index: int
    start: int
    stop: int


def segments_of(frames: int, length: int) -> tuple[Segment, ...]:
    """Cut a clip of `frames` frames into segments of `length`, the last one shorter.

    Raises:
        VideoError: either is below 1.
    """
    if frames < 1 or length < 1:
        raise VideoError(f"Segments of {length} of {frames} frames were asked for; both are at least 1.")
    return tuple(Segment(index, start, min(start + length, frames)) for index, start in enumerate(range(0, frames, length)))


def segment_length(source: FrameSource, seconds: float = SECONDS) -> int:
    """Give the frames of a segment of about so many seconds; it depends on nothing but the clip, so any machine cuts alike."""
    return max(1, round(seconds * source.info.fps))


def render_segment(
    source: FrameSource, operation: Operation, segment: Segment, path: Path, encoding: Encoding, size: int, progress: Progress = silent,
) -> tuple[int, ...]:
    """Render one segment into a video file without sound.

    Args:
        source: the whole clip.
        operation: surveyed already, if it needs that.
        segment: which frames.
        path: the file, in a container of the encoding's.
        encoding: how.
        size: frames a chunk.
        progress: called with the frames of the segment that are done; may raise to cancel.

    Returns:
        When each of its frames is shown, in units of the clip's time base.

    Raises:
        VideoError: the clip ends before the segment does.
    """
    part = range(segment.start, segment.stop)
    shown: list[int] = []
    with FileSink(path, rendered_info(source.info, operation), encoding, threads=ENCODER_THREADS) as sink:
        render(source, sink, operation, size, progress, part=part, after=lambda chunk: shown.extend(chunk.times))
        if len(shown) != len(part):
            raise VideoError(f"The clip has {segment.start + len(shown)} frames and not the {segment.stop} it announced; check that the "
                             "file is complete, or render it without segments.")
    give_back()
    return tuple(shown)
