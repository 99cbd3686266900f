"""What a clip is (`ClipInfo`), the runs of frames it travels in (`Chunk`), and the two ends of the road (`FrameSource`, `FrameSink`)."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import TypeVar

from ..arrays import Frames

UNSPECIFIED = 2
"""The code point of ITU-T H.273 for a matrix, primaries or transfer that nobody wrote down."""

_Source = TypeVar("_Source", bound="FrameSource")
_Sink = TypeVar("_Sink", bound="FrameSink")


class VideoError(ValueError):
    """A file that cannot be read or written as asked; the message says what came, what is wanted and what to do."""


@dataclass(frozen=True)
class Colour:
    """The colour tags of a clip, kept as they came: `range` 0 unspecified, 1 limited, 2 full; the others are ITU-T H.273 code points."""

    range: int = 0
    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED


BT709 = Colour(range=1, matrix=1, primaries=1, transfer=1)
"""What is written for frames that never had tags of their own (an IMAGE batch, stills)."""


@dataclass(frozen=True)
class ClipInfo:
    """What is known of a clip before its frames are.

    Sizes are those of the upright frames. `fps` is the average of a clip whose frames are not evenly spaced; times are whole numbers
    of `time_base` seconds. `frames` is the count that the container states, a guide for progress (None where it states none);
    `pixel_format` is FFmpeg's name of what is stored, None for frames that come from memory; `bit_depth` is 1..16 per component.
    """

    width: int
    height: int
    fps: Fraction
    time_base: Fraction
    frames: int | None = None
    pixel_format: str | None = None
    bit_depth: int = 8
    colour: Colour = BT709
    sample_aspect: Fraction = Fraction(1)
    has_alpha: bool = False

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise VideoError(f"A clip of {self.width}x{self.height} px cannot be; a frame is at least 1x1.")
        if self.fps <= 0 or self.time_base <= 0:
            raise VideoError(f"A clip of {self.fps} frames a second on a time base of {self.time_base} s cannot be; both are above 0.")

    @property
    def channels(self) -> int:
        """Count the channels of its frames: 4 with alpha, else 3."""
        return 4 if self.has_alpha else 3

    @property
    def step(self) -> int:
        """Give the nominal time from one frame to the next, in units of `time_base`, at least 1."""
        return max(1, round(1 / (self.fps * self.time_base)))


@dataclass(frozen=True)
class Chunk:
    """A run of consecutive frames: the index of the first one in the clip, the frames ``[B,H,W,C]``, and when each is shown.

    `times` are presentation times in units of the clip's `time_base`, strictly increasing, one a frame.
    """

    start: int
    frames: Frames
    times: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.frames) != len(self.times):
            raise VideoError(f"A chunk of {len(self.frames)} frames came with {len(self.times)} times; one a frame is wanted.")

    def within(self, part: range) -> Chunk:
        """Give those of its frames whose index is in `part`; maybe none."""
        first = min(max(part.start - self.start, 0), len(self.frames))
        last = max(min(part.stop - self.start, len(self.frames)), first)
        return Chunk(self.start + first, self.frames[first:last], self.times[first:last])


class FrameSource(ABC):
    """A clip that can be read by chunks, as often as one likes, each time from the beginning. A context manager: it ends what it opened."""

    info: ClipInfo

    @abstractmethod
    def chunks(self, size: int) -> Iterator[Chunk]:
        """Read the clip from its first frame on.

        Args:
            size: frames a chunk, at least 1; the last chunk may be shorter.

        Yields:
            Consecutive chunks that do not overlap; their frames are the consumer's to keep, not to write to.

        Raises:
            VideoError: the file cannot be decoded.
        """

    def part(self, start: int, stop: int, size: int) -> Iterator[Chunk]:
        """Read frames `start` to `stop` - 1 (fewer where the clip ends before), numbered and timed as in the whole clip.

        Here the clip is read from its beginning and what comes before `start` is dropped; sources that can do better do so.

        Raises:
            VideoError: as `chunks`, or `start` is below 0.
        """
        if start < 0:
            raise VideoError(f"Frames from {start} on were asked for; the first one is 0.")
        for chunk in self.chunks(size):
            kept = chunk.within(range(start, stop))
            if len(kept.frames):
                yield kept
            if chunk.start + len(chunk.frames) >= stop:
                return

    def close(self) -> None:  # noqa: B027  # most have nothing to end
        """End what is open; a second call does nothing."""

    def __enter__(self: _Source) -> _Source:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class FrameSink(ABC):
    """A clip being written. Used as a context manager: the end of the block commits; any exception, a cancel too, leaves no trace.

    Until the commit everything lies under a hidden name in the target's folder, so nothing half-made ever has the final name and an
    older file there stays whole until the new one replaces it in one step.
    """

    def __enter__(self: _Sink) -> _Sink:
        try:
            self._open()
        except BaseException:
            self._abort()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self._abort()
            return
        try:
            self._commit()
        except BaseException:
            self._abort()
            raise

    @abstractmethod
    def write(self, chunk: Chunk) -> None:
        """Append the frames of `chunk`.

        Raises:
            VideoError: the frames are not of the announced size, times do not increase, or the encoder refuses.
        """

    @abstractmethod
    def _open(self) -> None:
        """Begin the hidden file."""

    @abstractmethod
    def _commit(self) -> None:
        """Finish it and give it its name."""

    @abstractmethod
    def _abort(self) -> None:
        """Remove it; must not fail for having been half opened."""


def check_size(size: int) -> None:
    """Refuse a chunk size below 1.

    Raises:
        VideoError: it is.
    """
    if size < 1:
        raise VideoError(f"Chunks of {size} frames were asked for; at least 1 is wanted.")
