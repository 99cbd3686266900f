"""Where frames come from: a batch in memory, a video file, stills or an array file, all read by chunks."""
from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

from ..arrays import to_frames
from ..operation import cut
from .clip import Chunk, ClipInfo, FrameSource, check_size
from .stills import IMAGE_SUFFIXES, ArraySource, StillSource
from .video_file import FileSource

__all__ = ["BatchSource", "FileSource", "FrameSource", "open_source"]

DEFAULT_FPS = Fraction(25)
"""Frames a second where nothing says (stills, arrays)."""


class BatchSource(FrameSource):
    """Frames that are in memory already; its chunks are views of them."""

    def __init__(self, frames: Any, fps: Fraction | float = DEFAULT_FPS, *, bit_depth: int = 8) -> None:
        """Take a clip.

        Args:
            frames: ``[B,H,W,C]`` (anything that `to_frames` takes).
            fps: frames a second; a float is taken for the nearest rate with a denominator up to 1001, so 29.97 is 30000/1001.
            bit_depth: how deep a file made of them should be.

        Raises:
            ArrayError: the frames are refused by the boundary.
        """
        self._frames = to_frames(frames)
        fps = exact_fps(fps)
        count, height, width, channels = self._frames.shape
        self.info = ClipInfo(width, height, fps, 1 / fps, count, bit_depth=bit_depth, has_alpha=channels == 4)

    def chunks(self, size: int) -> Iterator[Chunk]:
        """See `FrameSource.chunks`."""
        check_size(size)
        for start, frames in cut(self._frames, size):
            yield Chunk(start, frames, tuple(range(start, start + len(frames))))


def exact_fps(fps: Fraction | float) -> Fraction:
    """Give a frame rate as a fraction: whole numbers and fractions as they are, 23.976, 29.97 and 59.94 as the rates over 1001."""
    if isinstance(fps, (int, Fraction)):
        return Fraction(fps)
    over_1001 = Fraction(round(fps) * 1000, 1001)
    return over_1001 if round(fps) != fps and abs(over_1001 - Fraction(fps)) < Fraction(1, 200) else Fraction(fps).limit_denominator(1001)


def open_source(path: str | PathLike[str] | BytesIO, fps: Fraction | float | None = None) -> FrameSource:
    """Open whatever holds frames.

    Args:
        path: a video file (or one in a BytesIO), an image, a folder of images (read in natural order), or a ``.npy`` of
            ``[B,H,W,C]`` or ``[H,W,C]``.
        fps: frames a second for what has none of its own, i.e. images and arrays; 25 where it is not given.

    Raises:
        VideoError: there is no such file, or it cannot be read.
    """
    if isinstance(path, BytesIO):
        return FileSource(path)
    path = Path(path)
    rate = exact_fps(DEFAULT_FPS if fps is None else fps)
    if path.is_dir():
        return StillSource.of_folder(path, rate)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return StillSource((path,), rate)
    if path.suffix.lower() == ".npy":
        return ArraySource(path, rate)
    return FileSource(path)
