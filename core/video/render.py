"""A clip streamed through an operation, from a source to a sink, with no more than a few chunks of it in memory.

Reading, computing and writing overlap: while one chunk is worked on, the next is decoded and the one before is encoded.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

from ..arrays import Frames
from ..operation import Numbered, Operation, stream
from ..parallel import worker_count
from ..progress import Progress, silent
from .clip import Chunk, ClipInfo, FrameSink, FrameSource
from .overlap import Behind, ahead

Watcher = Callable[[int, Frames], None]
"""Shown every run of frames as it passes: the index of its first frame, and the frames. It must not keep or change them."""


def rendered_info(info: ClipInfo, operation: Operation) -> ClipInfo:
    """Give what a clip will be once `operation` has run over it."""
    height, width = operation.output_size(info.height, info.width)
    return replace(info, width=width, height=height)


def render(
    source: FrameSource,
    sink: FrameSink,
    operation: Operation,
    size: int,
    progress: Progress = silent,
    *,
    before: Watcher | None = None,
    after: Watcher | None = None,
) -> int:
    """Run `operation` over the whole of `source` into `sink`; every frame keeps its time, and as many come out as go in.

    Args:
        source: the clip; read once, and once more for each operation that must see all of it first.
        sink: made for `rendered_info(source.info, operation)`, already entered.
        operation: any operation; a survey it asks for is made here.
        size: frames a chunk.
        progress: called on this thread at least once a chunk, and every tenth of a second while the encoder is waited for, with
            frames done and the frames the source announces (0 when it announces none).
        before: shown the source's frames as they pass.
        after: shown the frames that are written.

    Returns:
        How many frames were written.
    """
    announced = source.info.frames or 0
    if operation.needs_survey:
        operation = operation.survey(NumberedFrames(source, size), progress)
    times: list[int] = []
    reached = 0

    def tell(done: int) -> None:
        progress(min(done, announced) if announced else done, announced)

    def passing() -> Iterator[Numbered]:
        with closing(ahead(source.chunks(size))) as chunks:
            for chunk in chunks:
                tell(reached)
                if before:
                    before(chunk.start, chunk.frames)
                times.extend(chunk.times)
                run = chunk.start, chunk.frames
                del chunk  # what is handed on is not held here as well
                yield run
                del run

    def within_chunk(done: int, total: int) -> None:
        # The operation counts its own steps over what it was handed; to the outside only frames of the clip count.
        tell(reached + done * size // max(total, 1) if announced else reached)

    together = worker_count()

    def write(chunk: Chunk) -> None:
        # Encoding is slow; a cancel must not wait for a chunk.
        for first in range(0, len(chunk.frames), together):
            if encoder.cancelled:
                return
            sink.write(Chunk(chunk.start + first, chunk.frames[first : first + together], chunk.times[first : first + together]))

    encoder: Behind[Chunk] = Behind(write, lambda: tell(reached))
    runs = stream(operation, passing(), within_chunk)
    with closing(runs), encoder:
        for start, frames in runs:
            if after:
                after(start, frames)
            encoder(Chunk(start, frames, tuple(times[: len(frames)])))
            del times[: len(frames)]
            reached = start + len(frames)
            del frames
            tell(reached)
    return reached


class NumberedFrames:
    """The numbered frames of a source, from the beginning each time they are asked for: a chain walks them once for each survey."""

    def __init__(self, source: FrameSource, size: int) -> None:
        """Take the source, and how many frames a run has."""
        self._source, self._size = source, size

    def __iter__(self) -> Iterator[Numbered]:
        """Begin at the first frame."""
        return ((chunk.start, chunk.frames) for chunk in self._source.chunks(self._size))
