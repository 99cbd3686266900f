"""A clip streamed through an operation, from a source to a sink, with no more than a chunk of it in memory."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from ..arrays import Frames
from ..operation import Numbered, Operation, stream
from ..parallel import worker_count
from ..progress import Progress, silent
from .clip import Chunk, ClipInfo, FrameSink, FrameSource

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
        progress: called at least once a chunk with frames done and the frames the source announces (0 when it announces none).
        before: shown the source's frames as they pass.
        after: shown the frames that are written.

    Returns:
        How many frames were written.
    """
    announced = source.info.frames or 0
    if operation.needs_survey:
        operation = operation.survey(_Frames(source, size), progress)
    times: list[int] = []
    first = 0

    def tell(done: int) -> None:
        progress(min(done, announced) if announced else done, announced)

    def passing() -> Iterator[Numbered]:
        for chunk in source.chunks(size):
            tell(first)
            if before:
                before(chunk.start, chunk.frames)
            times.extend(chunk.times)
            run = chunk.start, chunk.frames
            del chunk  # what is handed on is not held here as well
            yield run
            del run

    def within_chunk(done: int, total: int) -> None:
        # The operation counts its own steps over what it was handed; to the outside only frames of the clip count.
        tell(first + done * size // max(total, 1) if announced else first)

    together = worker_count()
    for start, frames in stream(operation, passing(), within_chunk):
        if after:
            after(start, frames)
        for first in range(start, start + len(frames), together):
            tell(first)  # encoding is slow; a cancel must not wait for a chunk
            part = frames[first - start : first - start + together]
            sink.write(Chunk(first, part, tuple(times[: len(part)])))
            del times[: len(part)]
        first = start + len(frames)
        del frames, part
        tell(first)
    return first


class _Frames:
    """The numbered frames of a source, from the beginning each time they are asked for."""

    def __init__(self, source: FrameSource, size: int) -> None:
        self._source, self._size = source, size

    def __iter__(self) -> Iterator[Numbered]:
        return ((chunk.start, chunk.frames) for chunk in self._source.chunks(self._size))
