"""Reading a video file by chunks through PyAV: upright, in the right colours, every frame with its own time."""
from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import chain, islice
from os import PathLike
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from ..arrays import Frames, empty_frames
from ..parallel import PerThread, for_each_frame
from .clip import UNSPECIFIED, Chunk, ClipInfo, Colour, FrameSource, VideoError, check_size
from .container import display_name, open_container, start_offset, video_stream
from .frame_index import FrameIndex, index_frames
from .pixels import PixelLayout, Unpacker, batches, layout_of, orientation_of
from .timeline import Timeline

_log = logging.getLogger(__name__)

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
        self._indexed: list[FrameIndex | None] = []
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

    @property
    def index(self) -> FrameIndex | None:
        """Give the number and time of every frame, or None where the file does not tell (see `index_frames`). It is made once."""
        if not self._indexed:
            with open_container(self._source) as container:
                stream = video_stream(container, self.name)
                whole = _alpha_decoder(stream) is None
                found = index_frames(container, stream, self.info.time_base, self.info.step, start_offset(container)) if whole else None
            self._indexed.append(found)
        return self._indexed[0]

    def part(self, start: int, stop: int, size: int) -> Iterator[Chunk]:
        """See `FrameSource.part`; decoding begins at the key frame before `start` where the file's packets can be trusted."""
        check_size(size)
        index = self.index if start > 0 else None
        if index is None or start >= len(index.stated):
            yield from super().part(start, stop, size)
            return
        stop = min(stop, len(index.stated))
        container = open_container(self._source)
        self._open.append(container)
        try:
            stream = video_stream(container, self.name)
            container.seek(index.stated[start], stream=stream, backward=True, any_frame=False)
            pictures = self._from(self._pictures(container, stream), index, start)
            first = next(pictures, None)
            if first is not None:
                convert = _Converter(self.name, self.info, self._coded, start_offset(container), start, index.times[start:stop])
                left = stop - start
                while first is not None:
                    count = min(size, left)
                    yield convert(first, islice(pictures, count - 1), count)
                    left -= count
                    first = next(pictures, None) if left > 0 else None
                return
        finally:
            container.close()
            self._open.remove(container)
        _log.info("%s: seeking to frame %d does not hit it; the clip is read from its beginning.", self.name, start)
        yield from super().part(start, stop, size)

    @staticmethod
    def _from(pictures: Iterator[av.VideoFrame], index: FrameIndex, start: int) -> Iterator[av.VideoFrame]:
        """Drop the pictures before frame `start`; give none at all when that frame itself does not come."""
        for picture in pictures:
            number = None if picture.pts is None else index.number(picture.pts)
            if number == start:
                yield picture
                break
            if number is None or number > start:
                return
        yield from pictures

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

    def __init__(
        self, name: str, info: ClipInfo, coded: _Coded, offset: Fraction, start: int = 0, known: tuple[int, ...] = ()
    ) -> None:
        """Take what is known of the clip; for a part of it also the number of its first frame and the times of all of them."""
        self._name, self._info, self._coded, self._offset = name, info, coded, offset
        self._timeline = Timeline(info.step)
        self._unpack = PerThread(lambda: Unpacker(coded.layout, info.colour, coded.height, coded.orientation))
        self._start, self._known = start, iter(known)

    def __call__(self, first: av.VideoFrame, rest: Iterable[av.VideoFrame], size: int) -> Chunk:
        """Make the next chunk, of `first` and of `rest`, which holds up to ``size - 1`` more."""
        info, start = self._info, self._start
        frames = empty_frames(size, info.height, info.width, info.channels)
        times: list[int] = []
        for batch in batches(chain((first,), rest), _BATCH):
            target = frames[len(times) :]
            for picture in batch:
                self._require_alike(picture, start + len(times))
                known = next(self._known, None)
                times.append(self._timeline.place(_time(picture, info.time_base, self._offset)) if known is None else known)

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
