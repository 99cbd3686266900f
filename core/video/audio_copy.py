"""The sound of a clip, written beside its frames: packets copied as they are, or a waveform encoded."""
from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError

from ..arrays import Waveform, contiguous
from .clip import VideoError
from .container import display_name, open_container, start_offset
from .timeline import Timeline

_log = logging.getLogger(__name__)

_ENCODERS = {".mp4": "aac", ".m4v": "aac", ".mov": "pcm_s24le", ".mkv": "flac", ".webm": "libopus"}
_BIT_RATES = {"aac": 128_000, "libopus": 96_000}  # a channel
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_BLOCK = 8192  # samples a step when a waveform is encoded


@dataclass(frozen=True)
class CopyAudio:
    """All audio streams of a file, packet by packet, not decoded, with their own times.

    A stream that the container cannot hold is encoded anew, which is logged.
    """

    source: str | PathLike[str] | BytesIO


@dataclass(frozen=True, eq=False)
class EncodeAudio:
    """Sound from memory, float32 ``[channels,samples]`` at `rate` Hz, that begins `start` seconds into the clip's time."""

    waveform: Waveform
    rate: int
    start: Fraction = Fraction(0)


Audio = CopyAudio | EncodeAudio


class AudioTrack(ABC):
    """Sound being written; asked again and again to catch up with the frames, so that neither waits for the other in memory."""

    @abstractmethod
    def advance(self, until: Fraction) -> None:
        """Write all that begins up to `until`, seconds."""

    @abstractmethod
    def finish(self) -> None:
        """Write what is left."""

    def close(self) -> None:  # noqa: B027  # most have nothing to end
        """End what is open; a second call does nothing."""


def open_audio(audio: Audio | None, container: OutputContainer, path: Path) -> AudioTrack:
    """Add the streams that `audio` needs to a file that is about to be written.

    Args:
        audio: None for a silent file.
        container: open, nothing written yet.
        path: its final name, which decides on the encoder where one is needed.

    Raises:
        VideoError: the sound cannot be read, or has more than eight channels.
    """
    if audio is None:
        return _Silence()
    if isinstance(audio, EncodeAudio):
        return _Encoded(audio, container, path)
    return _Copied(audio, container, path)


class _Silence(AudioTrack):
    def advance(self, until: Fraction) -> None:
        """Have nothing to write."""

    def finish(self) -> None:
        """Have nothing to write."""


class _Encoded(AudioTrack):
    """A waveform, encoded block by block."""

    def __init__(self, audio: EncodeAudio, container: OutputContainer, path: Path) -> None:
        self._audio, self._container = audio, container
        self._done = 0
        self._layout = _layout(audio.waveform.shape[0])
        self._stream = _add_encoder(container, path, audio.rate, self._layout)

    def advance(self, until: Fraction) -> None:
        """See `AudioTrack.advance`."""
        audio = self._audio
        total = audio.waveform.shape[1]
        while self._done < total and audio.start + Fraction(self._done, audio.rate) <= until:
            block = contiguous(audio.waveform[:, self._done : self._done + _BLOCK])
            sound = av.AudioFrame.from_ndarray(block, "fltp", self._layout)
            sound.sample_rate, sound.time_base = audio.rate, Fraction(1, audio.rate)
            sound.pts = round(audio.start * audio.rate) + self._done
            self._container.mux(self._stream.encode(sound))
            self._done += block.shape[1]

    def finish(self) -> None:
        """See `AudioTrack.finish`."""
        self.advance(self._audio.start + Fraction(self._audio.waveform.shape[1], self._audio.rate))
        self._container.mux(self._stream.encode(None))


class _Copied(AudioTrack):
    """The audio streams of another file, read along in a container of our own."""

    def __init__(self, audio: CopyAudio, container: OutputContainer, path: Path) -> None:
        self._name = display_name(audio.source)
        self._output = container
        self._input = open_container(audio.source)
        try:
            self._offset = start_offset(self._input)
            self._lanes = {stream.index: _lane(stream, container, path) for stream in self._input.streams.audio}
        except BaseException:
            self._input.close()
            raise
        self._packets = self._demuxed(self._input)
        self._next: Any = None

    def _demuxed(self, container: InputContainer) -> Iterator[Any]:
        streams = [stream for stream in container.streams.audio if stream.index in self._lanes]
        if streams:
            for packet in container.demux(*streams):
                if packet.size:
                    yield packet

    def advance(self, until: Fraction | None) -> None:
        """See `AudioTrack.advance`; None writes all."""
        while True:
            packet = self._next or next(self._packets, None)
            self._next = None
            if packet is None:
                return
            time = packet.pts if packet.pts is not None else packet.dts
            if until is not None and time is not None and time * packet.time_base - self._offset > until:
                self._next = packet
                return
            for ready in self._lanes[packet.stream.index].take(packet, round(self._offset / packet.time_base)):
                self._output.mux(ready)

    def finish(self) -> None:
        """See `AudioTrack.finish`."""
        self.advance(None)
        for lane in self._lanes.values():
            for ready in lane.flush():
                self._output.mux(ready)

    def close(self) -> None:
        """Close the file that is read."""
        self._input.close()


class _PacketLane:
    """One stream, its packets passed on bit for bit; only times that would not increase are repaired."""

    def __init__(self, stream: Any, output: Any) -> None:
        self._output = output
        self._timeline = Timeline(1)

    def take(self, packet: Any, offset: int) -> list[Any]:
        """Give the packets to write for one that was read, `offset` ticks earlier."""
        stated = packet.pts if packet.pts is not None else packet.dts
        self._timeline.step = max(1, packet.duration or 1)
        packet.pts = packet.dts = self._timeline.place(None if stated is None else stated - offset)
        packet.stream = self._output
        return [packet]

    def flush(self) -> list[Any]:
        """Give what is left: nothing."""
        return []


class _DecodedLane:
    """One stream, decoded and encoded anew, because the container cannot hold its codec."""

    def __init__(self, stream: Any, output: Any) -> None:
        self._input, self._output = stream, output
        self._time: int | None = None

    def take(self, packet: Any, offset: int) -> list[Any]:
        """Give the packets to write for one that was read, `offset` ticks earlier."""
        start = None if packet.pts is None else (packet.pts - offset) * packet.time_base
        ready = []
        for sound in packet.decode():
            ready += self._encode(sound, start)
        return ready

    def _encode(self, sound: Any, start: Fraction | None) -> list[Any]:
        if self._time is None:
            # From the first sample on, times are counted, so that rounding in the source's clock makes no gaps.
            self._time = round((start or 0) * sound.sample_rate)
        sound.pts, sound.time_base = self._time, Fraction(1, sound.sample_rate)
        self._time += sound.samples
        return list(self._output.encode(sound))

    def flush(self) -> list[Any]:
        """Give what decoder and encoder still hold."""
        ready = []
        for sound in self._input.codec_context.decode(None):
            ready += self._encode(sound, None)
        return ready + list(self._output.encode(None))


def _lane(stream: Any, container: OutputContainer, path: Path) -> Any:
    codec = stream.codec_context.codec.canonical_name
    lane: Any
    try:
        if codec not in container.supported_codecs:
            raise ValueError(codec)
        output: Any = container.add_stream_from_template(stream, opaque=True)
        lane = _PacketLane(stream, output)
    except ValueError:
        context = stream.codec_context
        output = _add_encoder(container, path, context.sample_rate, _layout(context.layout.nb_channels))
        _log.warning("%s does not hold %s sound; it is encoded as %s instead.", path.suffix, codec, output.codec_context.name)
        lane = _DecodedLane(stream, output)
    for key in ("language", "title", "handler_name"):
        if key in stream.metadata:
            output.metadata[key] = stream.metadata[key]
    return lane


def _add_encoder(container: OutputContainer, path: Path, rate: int, layout: str) -> Any:
    name = _ENCODERS.get(path.suffix.lower(), "aac")
    rates = av.Codec(name, "w").audio_rates
    if rates and rate not in rates:
        rate = min((r for r in rates if r >= rate), default=max(rates))
    try:
        stream: Any = container.add_stream(name, rate=rate)
    except (ValueError, FFmpegError) as error:
        raise VideoError(f"{path.name}: the sound cannot be encoded as {name} ({error}). Choose another container.") from error
    stream.layout = layout
    stream.time_base = Fraction(1, rate)
    if name == "flac":
        stream.format = "s32"
    if name in _BIT_RATES:
        stream.bit_rate = _BIT_RATES[name] * stream.layout.nb_channels
    return stream


def _layout(channels: int) -> str:
    if channels not in _LAYOUTS:
        raise VideoError(f"Sound of {channels} channels came; up to {max(_LAYOUTS)} can be encoded. Mix it down first.")
    return _LAYOUTS[channels]
