"""Reading a video file by chunks through PyAV: upright, in the right colours, every frame with its own time."""
from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import chain, islice
from os import PathLike
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from ..arrays import Frames, empty_frames
from ..parallel import for_each_frame
from .clip import UNSPECIFIED, Chunk, ClipInfo, Colour, FrameSource, VideoError, check_size
from .pixels import PerThread, PixelLayout, Unpacker, batches, layout_of, orientation_of
from .timeline import Timeline

_log = logging.getLogger(__name__)

_TIMES_MAY_START_OVER = 0x200  # AVFMT_TS_DISCONT: transport streams and their like, whose clock starts anywhere
_ATTACHED_PICTURE = 0x400  # AV_DISPOSITION_ATTACHED_PIC: cover art
_FALLBACK_FPS = Fraction(25)
_BATCH = 16  # decoded pictures that wait to be converted, a tenth of the size of the frames they become


@dataclass(frozen=True)
class _Coded:
    """How the frames of a file are coded: what `Unpacker` needs, beside the clip's info."""

    width: int
    height: int
    layout: PixelLayout
    orientation: tuple[int, int, int, int]


class FileSource(FrameSource):
    """A video file (or one in a BytesIO), decoded chunk by chunk and never held whole.

    Frames are RGB, or RGBA where the pixel format has alpha; gray comes as RGB, since every operation and ComfyUI's IMAGE want it.
    Frames of 8 bits are exactly n / 255, deeper ones n / 65535. They are turned upright by the file's display matrix. A clip without
    a colour matrix is BT.601 up to 576 lines and BT.709 above; without a range, limited. Times are the container's, repaired where
    they are missing, doubled or run backwards (`Timeline`); clocks that start anywhere (MPEG-TS) start at 0.
    """

    def __init__(self, source: str | PathLike[str] | BytesIO) -> None:
        """Open the file and decode its first frame, to know what is in it.

        Raises:
            VideoError: there is no such file, it is no video, or not one frame can be decoded.
        """
        self._source = source
        self._open: list[InputContainer] = []
        self.info, self._coded = self._probe()

    @property
    def name(self) -> str:
        """Give the file's name for messages."""
        return display_name(self._source)

    def chunks(self, size: int) -> Iterator[Chunk]:
        """See `FrameSource.chunks`. Every call reads on its own."""
        check_size(size)
        container = open_container(self._source)
        self._open.append(container)
        try:
            pictures = self._pictures(container, video_stream(container, self.name))
            convert = _Converter(self.name, self.info, self._coded, start_offset(container))
            while first := next(pictures, None):
                yield convert(first, islice(pictures, size - 1), size)  # not kept here while the consumer works on it
        finally:
            container.close()
            self._open.remove(container)

    def close(self) -> None:
        """Close the file, also where a reading was left half-way."""
        for container in self._open:
            container.close()

    def _pictures(self, container: InputContainer, stream: VideoStream) -> Generator[av.VideoFrame, None, None]:
        """Decode frame by frame; a damaged packet is skipped, and told at the end."""
        stream.thread_type = "AUTO"
        decoder: Any = _alpha_decoder(stream)
        damaged, count = 0, 0
        reason: FFmpegError | None = None
        for packet in container.demux(stream):
            try:
                pictures = packet.decode() if decoder is None else decoder.decode(packet if packet.size else None)
            except FFmpegError as error:
                damaged, reason = damaged + 1, error
                continue
            count += len(pictures)
            yield from pictures
        if not count:
            raise VideoError(f"{self.name}: its video stream ({stream.codec_context.name}) holds no frame that can be decoded"
                             f"{f' ({reason.strerror})' if reason else ''}. Check that the file is complete.")
        if damaged:
            _log.warning("%s: %d damaged packets were skipped (%s); their frames are missing.", self.name, damaged, reason)

    def _probe(self) -> tuple[ClipInfo, _Coded]:
        with open_container(self._source) as container:
            stream = video_stream(container, self.name)
            fps = _real_rate(stream.average_rate or stream.guessed_rate or stream.base_rate or _FALLBACK_FPS)
            time_base = stream.time_base or 1 / fps
            aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or Fraction(1)
            pictures = self._pictures(container, stream)
            picture = next(pictures)
            context = stream.codec_context
            layout = layout_of(picture.format.name)
            colour = Colour(
                2 if layout.full_range else int(picture.color_range or context.color_range),
                0 if layout.model == "rgb" else int(picture.colorspace if picture.colorspace != UNSPECIFIED else context.colorspace),
                int(context.color_primaries), int(context.color_trc))
            orientation = orientation_of(_display_matrix(picture))
            coded = _Coded(picture.width, picture.height, layout, orientation)
            sideways = orientation[0] == 0
            count = stream.frames
            pictures.close()
        width, height = (coded.height, coded.width) if sideways else (coded.width, coded.height)
        info = ClipInfo(
            width, height, fps, Fraction(time_base), count or self._count(), layout.name, layout.depth, colour,
            (1 / aspect if sideways else aspect) if aspect > 0 else Fraction(1), layout.alpha)
        return info, coded

    def _count(self) -> int:
        """Count the packets of a file whose header does not state the number of frames; reads it through, decodes nothing."""
        with open_container(self._source) as container:
            return sum(1 for packet in container.demux(video_stream(container, self.name)) if packet.size)


class _Converter:
    """Makes chunks of decoded pictures, one after the other, several frames at a time."""

    def __init__(self, name: str, info: ClipInfo, coded: _Coded, offset: Fraction) -> None:
        self._name, self._info, self._coded, self._offset = name, info, coded, offset
        self._timeline = Timeline(info.step)
        self._unpack = PerThread(lambda: Unpacker(coded.layout, info.colour, coded.height, coded.orientation))
        self._start = 0

    def __call__(self, first: av.VideoFrame, rest: Iterable[av.VideoFrame], size: int) -> Chunk:
        """Make the next chunk, of `first` and of `rest`, which holds up to ``size - 1`` more."""
        info, start = self._info, self._start
        frames = empty_frames(size, info.height, info.width, info.channels)
        times: list[int] = []
        for batch in batches(chain((first,), rest), _BATCH):
            target = frames[len(times) :]
            for picture in batch:
                self._require_alike(picture, start + len(times))
                times.append(self._timeline.place(_time(picture, info.time_base, self._offset)))

            def convert(i: int, batch: list[av.VideoFrame] = batch, target: Frames = target) -> None:
                """Convert picture `i` of the batch."""
                self._unpack.mine(batch[i], target[i])

            for_each_frame(len(batch), convert)
        self._start += len(times)
        return Chunk(start, frames[: len(times)], tuple(times))

    def _require_alike(self, picture: av.VideoFrame, index: int) -> None:
        coded = self._coded
        if (picture.width, picture.height, picture.format.name) != (coded.width, coded.height, coded.layout.name):
            raise VideoError(
                f"{self._name}: frame {index} is {picture.width}x{picture.height} {picture.format.name}, the ones before it "
                f"{coded.width}x{coded.height} {coded.layout.name}. A clip has one size; convert it first.")


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


def _real_rate(fps: Fraction) -> Fraction:
    """Undo the rounding of containers that state a rate in nanoseconds or milliseconds: 19001/317 was 60000/1001."""
    for real in (Fraction(round(fps)), Fraction(round(fps) * 1000, 1001)):
        if real and abs(fps / real - 1) < Fraction(1, 10**6):
            return real
    return Fraction(fps)


def _time(picture: av.VideoFrame, time_base: Fraction, offset: Fraction) -> int | None:
    if picture.pts is None:
        return None
    return round(picture.pts * ((picture.time_base or time_base) / time_base) - offset / time_base)


def _display_matrix(picture: av.VideoFrame) -> bytes | None:
    entry: Any = picture.side_data.get("DISPLAYMATRIX")
    return None if entry is None else bytes(entry)


def _alpha_decoder(stream: VideoStream) -> Any:
    """Give libvpx's decoder for VP8 and VP9 with alpha, which FFmpeg's own decoders leave out; None for everything else."""
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    if tags.get("alpha_mode") != "1" or stream.codec_context.name not in ("vp8", "vp9"):
        return None
    try:
        return av.CodecContext.create(f"libvpx{'-vp9' if stream.codec_context.name == 'vp9' else ''}", "r")
    except (ValueError, FFmpegError):
        _log.warning("This build of FFmpeg has no libvpx decoder; the alpha of this %s file is left out.", stream.codec_context.name)
        return None
