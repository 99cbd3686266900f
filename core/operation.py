"""What an operation on frames is, and how a chain of them runs.

An operation is a frozen dataclass: its fields are its settings, `radius` says how many neighbour frames it needs on each side,
`scale` how it changes the frame size, and calling it with frames and the index of the first one gives the frames back. It holds no
state, so the same object runs on a batch, on a file chunk by chunk, and on many machines; where the chunks are cut never shows.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

import cv2
import numpy as np

from .arrays import Frame, Frames, contiguous, empty_frames, to_frames
from .parallel import for_each_frame
from .progress import Progress, part, silent
from .settings import check_settings, settings_of

Numbered = tuple[int, Frames]
"""The absolute index of the first frame, and a run of frames ``[B,H,W,C]``."""

_Self = TypeVar("_Self", bound="Operation")


@dataclass(frozen=True)
class Operation(ABC):
    """A pure function on frames, with settings. Subclasses are frozen dataclasses that declare fields with `setting`."""

    def __post_init__(self) -> None:
        check_settings(self)

    @classmethod
    def name(cls) -> str:
        """Give the name on the command line and in JSON: the class name in lower case."""
        return cls.__name__.lower()

    @property
    def radius(self) -> int:
        """Count the neighbour frames needed on each side."""
        return 0

    @property
    def scale(self) -> Fraction:
        """Give the factor by which height and width change."""
        return Fraction(1)

    @property
    def identity(self) -> bool:
        """Say whether these settings leave every frame as it is, bit for bit."""
        return False

    @property
    def accepts_nonfinite(self) -> bool:
        """Say whether NaN and infinity may come in (only an operation that repairs them says so)."""
        return False

    @property
    def needs_survey(self) -> bool:
        """Say whether the whole clip must be seen once (`survey`) before frames can be made."""
        return False

    def survey(self: _Self, clip: Iterable[Numbered], progress: Progress = silent) -> _Self:
        """Look at the whole clip once, in order, and give the same operation with what it learnt filled in."""
        return self

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Give the height and width of the frames that come out for frames of this size."""
        return round(height * self.scale), round(width * self.scale)

    def __call__(self, frames: Any, start: int = 0, progress: Progress = silent, wanted: range | None = None) -> Frames:
        """Run on consecutive frames.

        Args:
            frames: ``[B,H,W,C]``, C = 1, 3 or 4 (anything that `to_frames` takes); never written to.
            start: index of the first one in the clip.
            progress: called as frames get done; may raise to cancel.
            wanted: places in `frames` of those that are to be made; the others are there as their neighbours. None: all.

        Returns:
            Frames ``[B,H',W',C]``, the wanted ones. Within `radius` of an end that is not the clip's own end they lack neighbours; `stream`
            does not want those.

        Raises:
            ArrayError: the frames are refused by the boundary.
        """
        frames = to_frames(frames, f"{type(self).__name__}: images", finite=not self.accepts_nonfinite)
        if wanted is None or len(wanted) == len(frames):
            return frames if self.identity else self.apply(frames, start, progress)
        return frames[wanted.start : wanted.stop] if self.identity else self.apply_to(frames, start, wanted, progress)

    @abstractmethod
    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Do the work of a call on frames that passed the boundary."""

    def apply_to(self, frames: Frames, start: int, wanted: range, progress: Progress) -> Frames:
        """Do the work of a call for some of the frames; here for all of them, of which the wanted ones are kept."""
        return self.apply(frames, start, progress)[wanted.start : wanted.stop]

    def to_json(self) -> dict[str, Any]:
        """Give the operation as plain JSON values, every setting spelled out."""
        return {"op": self.name(), **{s.name: getattr(self, s.name) for s in settings_of(type(self))}}


@dataclass(frozen=True)
class FrameOperation(Operation):
    """An operation that makes each frame from that frame alone. Frames run in parallel; alpha passes around the work."""

    @abstractmethod
    def frame(self, frame: Frame, index: int, out: Frame) -> None:
        """Make one frame.

        Args:
            frame: ``[H,W,C]``, C = 1 or 3, not to be written to.
            index: its place in the clip.
            out: ``[H',W',C]``, C-contiguous, not yet filled; the result goes here.
        """

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Run `frame` on every frame, into one preallocated output."""
        count, height, width, channels = frames.shape
        out = empty_frames(count, *self.output_size(height, width), channels)

        def work(i: int) -> None:
            if channels < 4:
                self.frame(frames[i], start + i, out[i])
                return
            colour = np.empty((*out.shape[1:3], 3), np.float32)
            self.frame(contiguous(frames[i, ..., :3]), start + i, colour)
            out[i, ..., :3] = colour
            out[i, ..., 3] = resized(contiguous(frames[i, ..., 3]), *out.shape[1:3])

        for_each_frame(count, work, progress)
        return out


@dataclass(frozen=True)
class Chain(Operation):
    """Operations one after the other, itself an operation: radii add up, scales multiply."""

    operations: tuple[Operation, ...] = ()

    @property
    def radius(self) -> int:
        """Add up the radii."""
        return sum(op.radius for op in self.operations)

    @property
    def scale(self) -> Fraction:
        """Multiply the scales."""
        product = Fraction(1)
        for op in self.operations:
            product *= op.scale
        return product

    @property
    def identity(self) -> bool:
        """Say whether no link changes anything."""
        return all(op.identity for op in self.operations)

    @property
    def accepts_nonfinite(self) -> bool:
        """Say whether the first link repairs non-finite values."""
        return bool(self.operations) and self.operations[0].accepts_nonfinite

    @property
    def needs_survey(self) -> bool:
        """Say whether any link must see the whole clip first."""
        return any(op.needs_survey for op in self.operations)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Follow the size through the links."""
        for op in self.operations:
            height, width = op.output_size(height, width)
        return height, width

    def survey(self, clip: Iterable[Numbered], progress: Progress = silent) -> Chain:
        """Let each link that asks for it see the clip as it arrives there. `clip` is walked once per such link."""
        asking = [i for i, op in enumerate(self.operations) if op.needs_survey]
        ready = list(self.operations)
        for turn, i in enumerate(asking):
            ready[i] = ready[i].survey(stream(Chain(tuple(ready[:i])), clip), part(progress, turn, len(asking)))
        return Chain(tuple(ready))

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Run link after link; only one intermediate clip is alive at a time."""
        for i, op in enumerate(self.operations):
            frames = op(frames, start, part(progress, i, len(self.operations)))
        return frames

    def apply_to(self, frames: Frames, start: int, wanted: range, progress: Progress) -> Frames:
        """Run link after link, each on what the links after it look at."""
        first, reach = 0, self.radius
        for i, op in enumerate(self.operations):
            reach -= op.radius
            low, high = max(wanted.start - reach, first), min(wanted.stop + reach, first + len(frames))
            frames = op(frames, start + first, part(progress, i, len(self.operations)), range(low - first, high - first))
            first = low
        return frames

    def then(self, operation: Operation) -> Chain:
        """Give the chain with one more link (or the links of another chain) at its end."""
        return Chain(self.operations + (operation.operations if isinstance(operation, Chain) else (operation,)))

    def to_json(self) -> dict[str, Any]:
        """Give ``{"op": "chain", "operations": [...]}``."""
        return {"op": self.name(), "operations": [op.to_json() for op in self.operations]}


def stream(operation: Operation, clip: Iterable[Numbered], progress: Progress = silent) -> Generator[Numbered, None, None]:
    """Run an operation over a clip that arrives in consecutive runs of frames, with just the overlap that its radius asks for.

    The links of a chain follow one another run by run, so that each makes every frame once, whatever the others' radii.

    Args:
        operation: surveyed already, if it needs that.
        clip: ``(start, frames)`` runs, consecutive, of any lengths; each starts where the one before ended.
        progress: handed on to each call.

    Yields:
        ``(start, frames)`` runs, consecutive; the same bits wherever the clip was cut.
    """
    if isinstance(operation, Chain) and not operation.identity:  # one that changes nothing still passes the boundary, below
        links = [link for link in operation.operations if not link.identity]
        for i, link in enumerate(links):
            clip = stream(link, clip, part(progress, i, len(links)))
        yield from clip
        return
    radius = operation.radius
    held: Frames | None = None
    held_start = done = 0
    for start, frames in clip:
        if held is None:
            held, held_start, done = frames, start, start
        else:
            held = np.concatenate((held, frames))
        safe = start + len(frames) - radius
        if safe <= done:
            continue
        made = operation(held, held_start, progress, range(done - held_start, safe - held_start))
        keep = max(held_start, safe - radius)
        held = held[keep - held_start :].copy() if radius else None  # a copy, so that the frames no longer needed are let go
        held_start, at, done = keep, done, safe
        del frames
        yield at, made
        del made  # before the next run of frames is asked for: two of them in memory would be one too many
    if held is not None and done < held_start + len(held):
        yield done, operation(held, held_start, progress, range(done - held_start, len(held)))


def cut(frames: Frames, size: int, start: int = 0) -> Iterator[Numbered]:
    """Cut a batch into consecutive runs of `size` frames (the last may be shorter), as views."""
    for first in range(0, len(frames), size):
        yield start + first, frames[first : first + size]


def run(operation: Operation, frames: Any, progress: Progress = silent) -> Frames:
    """Run an operation on a whole clip held as a batch, surveying it first where the operation asks for it.

    Args:
        operation: any operation.
        frames: the whole clip, ``[B,H,W,C]`` (anything that `to_frames` takes).
        progress: called as frames get done; may raise to cancel.
    """
    if operation.needs_survey:
        clip = to_frames(frames, f"{type(operation).__name__}: images", finite=not operation.accepts_nonfinite)
        operation = operation.survey([(0, clip)])
    return operation(frames, 0, progress)


def resized(plane: Frame, height: int, width: int) -> Frame:
    """Resize one ``[H,W]`` plane (alpha, mask): area average when it shrinks, linear when it grows, itself when nothing changes."""
    if plane.shape == (height, width):
        return plane
    shrinks = height * width < plane.size
    return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))
