"""Opening media files for reading, and what their containers say of streams and clocks."""
from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from os import PathLike
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from .clip import VideoError

_TIMES_MAY_START_OVER = 0x200  # AVFMT_TS_DISCONT: transport streams and their like, whose clock starts anywhere
_ATTACHED_PICTURE = 0x400  # AV_DISPOSITION_ATTACHED_PIC: cover art


def open_container(source: str | PathLike[str] | BytesIO) -> InputContainer:
    """Open a media file for reading; a BytesIO is read from its beginning through a cursor of our own, without a copy.

    Raises:
        VideoError: there is no such file, or FFmpeg cannot read it.
    """
    name = display_name(source)
    if isinstance(source, BytesIO):
        if not source.getbuffer().nbytes:
            raise VideoError("The video in memory is empty; a whole file is wanted.")
        source = BytesIO(source.getvalue())
    else:
        path = Path(source)
        if not path.is_file():
            raise VideoError(f"{name} does not exist{', it is a folder' if path.is_dir() else ''}. Check the path ({path.parent}).")
        source = str(path)
    try:
        return av.open(source, "r", metadata_errors="ignore")
    except (FFmpegError, OSError) as error:
        raise VideoError(f"{name} cannot be read as a video ({error.strerror or error}). "
                         f"Check that the file is complete, or convert it first.") from error


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """Give the first video stream that is not cover art.

    Raises:
        VideoError: there is none.
    """
    for stream in container.streams.video:
        if not stream.disposition.value & _ATTACHED_PICTURE and stream.codec_context is not None:
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    raise VideoError(f"{name} has no video stream; it holds {kinds}. Choose a file with a picture.")


def start_offset(container: InputContainer) -> Fraction:
    """Give the time, in seconds, that counts as 0: the earliest start where the format's clock starts anywhere, else 0."""
    if not container.format.flags & _TIMES_MAY_START_OVER:
        return Fraction(0)
    starts = [stream.start_time * stream.time_base for stream in (*container.streams.video, *container.streams.audio)
              if stream.start_time is not None and stream.time_base]
    return min(starts, default=Fraction(0))


def display_name(source: str | PathLike[str] | BytesIO) -> str:
    """Name a file in messages."""
    return "The video in memory" if isinstance(source, BytesIO) else Path(source).name
