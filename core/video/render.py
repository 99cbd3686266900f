"""A clip streamed through an operation, from a source to a sink, with no more than a few chunks of it in memory.

Reading, computing and writing overlap: while one chunk is worked on, the next is decoded and the one before is encoded.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

from ..operation import Numbered, Operation, stream
from ..parallel import worker_count
from ..progress import Progress, silent
from .clip import Chunk, ClipInfo, FrameSink, FrameSource
from .overlap import Behind, ahead

Watcher = Callable[[Chunk], None]
"""Shown every chunk as it passes. It must not keep or change the frames."""


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
    part: range | None = None,
    before: Watcher | None = None,
    after: Watcher | None = None,
) -> int:
    """Run `operation` over `source` into `sink`; every frame keeps its time, and as many come out as go in.

    Args:
        source: the clip; read once, and once more for each operation that must see all of it first.
        sink: made for `rendered_info(source.info, operation)`, already entered.
        operation: any operation; a survey it asks for is made here.
        size: frames a chunk.
        progress: called on this thread at least once a chunk, and every tenth of a second while the encoder is waited for, with
            frames done and the frames there will be (0 when the source does not announce any).
        part: only these frames are written, the same as in a render of the whole; they and what the operation looks at around them
            are read. None: all.
        before: shown what is read.
        after: shown what is written.

    Returns:
        How many frames were written.
    """
    announced = (source.info.frames or 0) if part is None else len(part)
    if operation.needs_survey:
        operation = operation.survey(NumberedFrames(source, size), progress)
    times: list[int] = []
    written = furthest = 0

    def tell(done: int) -> None:
        nonlocal furthest
        furthest = max(furthest, min(done, announced) if announced else done)  # links of a chain are not always equally far
        progress(furthest, announced)

    def read() -> Iterator[Chunk]:
        if part is None:
            return source.chunks(size)
        return source.part(max(0, part.start - operation.radius), part.stop + operation.radius, size)

    def passing() -> Iterator[Numbered]:
        with closing(ahead(read())) as chunks:
            for chunk in chunks:
                tell(written)
                if before:
                    before(chunk)
                times.extend(chunk.times)
                run = chunk.start, chunk.frames
                del chunk  # what is handed on is not held here as well
                yield run
                del run

    def within_chunk(done: int, total: int) -> None:
        # The operation counts its own steps over what it was handed; to the outside only frames of the clip count.
        tell(written + done * size // max(total, 1) if announced else written)

    together = worker_count()

    def write(chunk: Chunk) -> None:
        # Encoding is slow; a cancel must not wait for a chunk.
        for first in range(0, len(chunk.frames), together):
            if encoder.cancelled:
                return
            sink.write(Chunk(chunk.start + first, chunk.frames[first : first + together], chunk.times[first : first + together]))

    encoder: Behind[Chunk] = Behind(write, lambda: tell(written))
    runs = stream(operation, passing(), within_chunk)
    with closing(runs), encoder:
        for start, frames in runs:
            made = Chunk(start, frames, tuple(times[: len(frames)]))
            del times[: len(frames)], frames
            if part is not None:
                made = made.within(part)
            if len(made.frames):
                if after:
                    after(made)
                encoder(made)
                written += len(made.frames)
            del made
            tell(written)
    return written


class NumberedFrames:
    """The numbered frames of a source, from the beginning each time they are asked for: a chain walks them once for each survey."""

    def __init__(self, source: FrameSource, size: int) -> None:
        """Take the source, and how many frames a run has."""
        self._source, self._size = source, size

    def __iter__(self) -> Iterator[Numbered]:
        """Begin at the first frame."""
        return ((chunk.start, chunk.frames) for chunk in self._source.chunks(self._size))
