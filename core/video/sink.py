"""Where frames go: a video file with its sound, written by chunks and committed at the end. `create_sink` knows the other kinds."""
from __future__ import annotations

import logging
import math
import os
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer
from av.error import FFmpegError

from ..arrays import Frame
from ..parallel import PerThread, for_each_frame
from .audio_copy import Audio, AudioTrack, open_audio
from .clip import Chunk, ClipInfo, FrameSink, VideoError
from .encoding import Encoding
from .pixels import Packer, batches, layout_of
from .stills import IMAGE_SUFFIXES, ArraySink, FolderSink, StillSink, partial_path, require_folder

__all__ = ["FileSink", "FrameSink", "create_sink"]

_log = logging.getLogger(__name__)

_BATCH = 16  # packed pictures that wait for the encoder


class FileSink(FrameSink):
    """Encodes frames into a video file, its sound interleaved as it goes, so memory does not grow with the clip.

    Every frame that is written comes back when the file is read, with its time (exactly in MP4 and MOV; Matroska and WebM
    count in milliseconds). Colour tags and sample aspect are those of `info`; frames are upright, so no rotation is written.
    """

    def __init__(
        self, path: str | PathLike[str], info: ClipInfo, encoding: Encoding | None = None, audio: Audio | None = None, threads: int = 0
    ) -> None:
        """Prepare; nothing is written before the ``with`` block begins.

        Args:
            path: the file; its folder must exist.
            info: size, rate, time base, colour, aspect and alpha of the frames to come; depth and pixel format of their source.
            encoding: how; by the suffix when not given.
            audio: `CopyAudio` or `EncodeAudio`.
            threads: of the encoder; H.264 and H.265 come out as other bits with another number. 0 is what suits this machine.

        Raises:
            VideoError: the folder is missing, or the container does not hold the codec.
        """
        self._path = Path(path)
        self.info = info
        self.encoding = encoding or Encoding.for_file(self._path)
        self.encoding.check_file(self._path)
        require_folder(self._path)
        self._audio, self._threads = audio, threads
        self._partial = partial_path(self._path)
        self._container: OutputContainer | None = None
        self._stream: Any = None
        self._track: AudioTrack | None = None
        self._packer: PerThread[Packer] | None = None
        self._last: int | None = None
        self._step = info.step
        self._encoded = 0

    def _open(self) -> None:
        info = self.info
        format_name = self.encoding.pixel_format_for(info)
        layout = layout_of(format_name)
        fast_start = self._path.suffix.lower() in (".mp4", ".m4v", ".mov")
        try:
            # A late start is written in units of the movie's own clock, which must therefore hold the video's times and milliseconds.
            clock = math.lcm(info.time_base.denominator, 1000)
            options = {"movflags": "+faststart", "movie_timescale": str(clock if clock < 2**31 else info.time_base.denominator)}
            container = av.open(str(self._partial), "w", container_options=options if fast_start else {})
            self._container = container
            stream: Any = container.add_stream(self.encoding.encoder, rate=_c_fraction(info.fps), options=self.encoding.options(info))
            stream.width, stream.height, stream.pix_fmt = info.width, info.height, format_name
            context = stream.codec_context
            context.time_base = stream.time_base = _c_fraction(info.time_base)
            context.sample_aspect_ratio = _c_fraction(info.sample_aspect)
            context.thread_type, context.thread_count = "AUTO", self._threads
            rgb = layout.model == "rgb"
            context.color_range, context.colorspace = (2, 0) if rgb else (info.colour.range, info.colour.matrix or 2)
            context.color_primaries, context.color_trc = info.colour.primaries, info.colour.transfer
            if self.encoding.codec == "h265" and fast_start:
                context.codec_tag = "hvc1"  # the tag that Apple's players look for
            self._stream = stream
            self._track = open_audio(self._audio, container, self._path)
        except FFmpegError as error:
            raise self._refused(error) from error
        self._packer = PerThread(lambda: Packer(layout, info.colour, info.height))

    def write(self, chunk: Chunk) -> None:
        """See `FrameSink.write`."""
        height, width = chunk.frames.shape[1:3]
        if (width, height) != (self.info.width, self.info.height):
            raise VideoError(f"{self._path.name}: frames of {width}x{height} px came; {self.info.width}x{self.info.height} was announced.")
        assert self._packer is not None, "write comes inside the with block"
        packer = self._packer
        for batch in batches(zip(chunk.frames, chunk.times, strict=True), _BATCH):
            pictures: list[av.VideoFrame | None] = [None] * len(batch)

            def pack(i: int, batch: list[tuple[Frame, int]] = batch, pictures: list[av.VideoFrame | None] = pictures) -> None:
                """Pack picture `i` of the batch."""
                pictures[i] = packer.mine(batch[i][0])

            for_each_frame(len(batch), pack)
            for picture, (_, time) in zip(pictures, batch, strict=True):
                self._write_picture(picture, time)

    def _write_picture(self, picture: Any, time: int) -> None:
        assert self._track is not None
        if self._last is not None:
            if time <= self._last:
                raise VideoError(f"{self._path.name}: a frame at time {time} came after one at {self._last}; times must increase.")
            self._step = time - self._last
        self._last = time
        picture.pts, picture.time_base = time, self.info.time_base
        self._encode(picture)
        self._track.advance(time * self.info.time_base)

    def _encode(self, picture: av.VideoFrame | None) -> None:
        assert self._container is not None
        try:
            packets = self._stream.encode(picture)
            if picture is None and not self._encoded and self.encoding.codec == "h265":
                # x265 leaves the decoding times of a clip of one or two frames unset; here the whole clip is at hand to give them.
                for packet, time in zip(packets, decoding_times([packet.pts for packet in packets]), strict=True):
                    packet.dts = time
            self._encoded += len(packets)
            for packet in packets:
                if not packet.duration:
                    packet.duration = self._step  # the last frame's is nowhere else to be had, and short clips would report a wrong rate
                self._container.mux(packet)
        except FFmpegError as error:
            raise self._refused(error) from error

    def _commit(self) -> None:
        assert self._container is not None and self._track is not None
        if self._last is None:
            raise VideoError(f"{self._path.name}: no frame was written, so there is no file. Check the frames that were asked for.")
        self._encode(None)
        try:
            self._track.finish()
            self._container.close()
        except FFmpegError as error:
            raise self._refused(error) from error
        finally:
            self._track.close()
        self._container = None
        os.replace(self._partial, self._path)

    def _abort(self) -> None:
        if self._track is not None:
            self._track.close()
        if self._container is not None:
            try:
                self._container.close()
            except (FFmpegError, ValueError, OSError) as error:
                _log.debug("Closing the unfinished %s: %s", self._partial.name, error)  # it is removed in the next line
            self._container = None
        self._partial.unlink(missing_ok=True)

    def _refused(self, error: FFmpegError) -> VideoError:
        info = self.info
        return VideoError(f"{self._path.name}: {self.encoding.encoder} does not write {info.width}x{info.height} px frames as "
                          f"{self.encoding.pixel_format_for(info)} at {info.fps} fps ({error.strerror}). Choose another codec or size, "
                          f"and check that the disk is not full.")


def create_sink(
    path: str | PathLike[str], info: ClipInfo, encoding: Encoding | None = None, audio: Audio | None = None
) -> FrameSink:
    """Choose the kind of sink by the name.

    Args:
        path: ``.mp4 .m4v .mov .mkv .webm`` a video; ``.png .tif .jpg .webp ...`` one still; ``.npy`` float32 ``[B,H,W,C]``; a name
            without a suffix, or an existing empty folder, a folder of PNG.
        info: what is to be written.
        encoding: of a video.
        audio: of a video; the others hold no sound, which is logged.

    Raises:
        VideoError: nothing of that name can be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if path.is_dir() or not suffix or suffix in IMAGE_SUFFIXES or suffix == ".npy":
        if audio is not None:
            _log.warning("%s holds pictures only; the sound is left out.", path.name)
        if path.is_dir() or not suffix:
            return FolderSink(path, info)
        return ArraySink(path, info) if suffix == ".npy" else StillSink(path, info)
    return FileSink(path, info, encoding, audio)


def decoding_times(shown: list[int]) -> list[int]:
    """Give the latest times at which frames may be decoded, in that order, each before it is shown, for the times they are shown."""
    ordered = sorted(shown)
    lead = max((early - late for early, late in zip(ordered, shown, strict=True)), default=0)
    return [time - lead for time in ordered]


def _c_fraction(value: Fraction) -> Fraction:
    """Give the nearest fraction that FFmpeg's 32-bit numerator and denominator hold; all real rates and time bases are exact."""
    limit = 2**31 - 1
    return value if max(value.numerator, value.denominator) <= limit else value.limit_denominator(limit // max(1, int(value) + 1))
