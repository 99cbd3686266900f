"""ComfyUI's VIDEO values, for runs without it: a video in a file, or one put together from frames and sound.

They answer to the methods that nodes may call on a VIDEO (``get_stream_source``, ``get_components``, ``get_dimensions``,
``get_duration``, ``get_container_format``, ``save_to``) and give the same frames, bit for bit.
"""
from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
import torch
from av.container import InputContainer, OutputContainer

from ..core.arrays import Frames, empty_frames, from_uint8, to_frames, to_image, to_uint8, to_waveform, to_waveform_tensor

Place = str | io.BytesIO
"""A file by its path, or the contents of one."""

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
_GUESS = 64
"""Frames to make room for at first where a file does not say how many it holds."""


@dataclass(frozen=True)
class Components:
    """What a video is made of.

    Attributes:
        images: IMAGE ``[B,H,W,3]``.
        frame_rate: frames a second.
        audio: AUDIO, or None.
        metadata: the file's own tags, or None.
    """

    images: torch.Tensor
    frame_rate: Fraction
    audio: dict[str, Any] | None = None
    metadata: dict[str, str] | None = None


@dataclass(frozen=True)
class VideoFromFile:
    """A video in a file or in memory; nothing is decoded until it is asked for."""

    file: Place

    def get_stream_source(self) -> Place:
        """Give the path, or the file's contents from their start."""
        if isinstance(self.file, io.BytesIO):
            self.file.seek(0)
        return self.file

    def get_dimensions(self) -> tuple[int, int]:
        """Give width and height, px."""
        with av.open(self.get_stream_source()) as container:
            stream = self._picture(container)
            return stream.width, stream.height

    def get_duration(self) -> float:
        """Give the length in seconds, by counting the frames where the file does not tell."""
        with av.open(self.get_stream_source()) as container:
            if container.duration is not None:
                return float(container.duration / av.time_base)
            stream = self._picture(container)
            count = stream.frames or sum(1 for _ in container.decode(stream))
            if not count or not stream.average_rate:
                raise ValueError(f"The length of {self.file} cannot be told: it has no duration, and no frames or frame rate.")
            return float(count / stream.average_rate)

    def get_container_format(self) -> str:
        """Give the names of the container's format, joined by commas."""
        with av.open(self.get_stream_source()) as container:
            return str(container.format.name)

    def get_components(self) -> Components:
        """Decode everything.

        Raises:
            ValueError: there is no video stream, or no frame in it.
        """
        with av.open(self.get_stream_source()) as container:
            stream = self._picture(container)
            frames = _decode(container, stream)
            rate = Fraction(stream.average_rate) if stream.average_rate else Fraction(1)
            tags = dict(container.metadata)
        with av.open(self.get_stream_source()) as container:
            sound = decode_sound(container) if container.streams.audio else None
        return Components(to_image(frames), rate, sound, tags)

    def save_to(self, path: Place, format: str = "auto", codec: str = "auto", metadata: Mapping[str, Any] | None = None) -> None:
        """Write the video; it is copied without encoding it again unless another format or codec is asked for."""
        with av.open(self.get_stream_source()) as container:
            formats = container.format.name.split(",")
            present = container.streams.video[0].codec.name if container.streams.video else None
            if format in ("auto", *formats) and (codec == "auto" or present in (codec, None)):
                _remux(container, path, formats[0] if format == "auto" else str(format), metadata)
                return
        VideoFromComponents(self.get_components()).save_to(path, format, codec, metadata)

    def _picture(self, container: InputContainer) -> av.VideoStream:
        if not container.streams.video:
            raise ValueError(f"{self.file} has no video stream.")
        return container.streams.video[0]


@dataclass(frozen=True)
class VideoFromComponents:
    """A video put together from frames and sound, not yet encoded."""

    components: Components

    def get_components(self) -> Components:
        """Give the frames and the sound."""
        return Components(self.components.images, self.components.frame_rate, self.components.audio)

    def get_stream_source(self) -> io.BytesIO:
        """Encode the video in memory."""
        contents = io.BytesIO()
        self.save_to(contents)
        contents.seek(0)
        return contents

    def get_dimensions(self) -> tuple[int, int]:
        """Give width and height, px."""
        return self.components.images.shape[2], self.components.images.shape[1]

    def get_duration(self) -> float:
        """Give the length in seconds."""
        return float(self.components.images.shape[0] / self.components.frame_rate)

    def get_container_format(self) -> str:
        """Give the format that it is encoded to."""
        return "mov,mp4,m4a,3gp,3g2,mj2"

    def save_to(self, path: Place, format: str = "auto", codec: str = "auto", metadata: Mapping[str, Any] | None = None) -> None:
        """Encode to MP4 with H.264 and AAC.

        Raises:
            ValueError: another format or codec is asked for, or the frames have an odd width or height.
        """
        if format not in ("auto", "mp4") or codec not in ("auto", "h264"):
            raise ValueError(f"format {format} with codec {codec} is not offered; a video is saved as mp4 with h264.")
        width, height = self.get_dimensions()
        if width % 2 or height % 2:
            raise ValueError(f"The frames are {width}x{height} px; H.264 wants even width and height. Crop or pad them by one.")
        with _open_to_write(path, "mp4") as output:
            for key, value in (metadata or {}).items():
                output.metadata[key] = json.dumps(value)
            _encode(output, self.components)


def decode_sound(container: InputContainer) -> dict[str, Any] | None:
    """Decode the first audio stream as AUDIO; None when it holds nothing."""
    stream = container.streams.audio[0]
    parts = []
    for frame in container.decode(stream):
        samples = frame.to_ndarray()
        channels = frame.layout.nb_channels
        parts.append(samples if samples.shape[0] == channels else samples.reshape(-1, channels).T)  # packed: one row, interleaved
    if not parts:
        return None
    waveform = to_waveform_tensor(to_waveform(np.concatenate(parts, axis=1), "audio"))
    return {"waveform": waveform, "sample_rate": int(stream.codec_context.sample_rate)}


def encode_sound(output: OutputContainer, stream: av.AudioStream, waveform: torch.Tensor, rate: int) -> None:
    """Encode a whole ``[1,C,T]`` waveform to a stream of an open file, and finish that stream."""
    samples = to_waveform(waveform, "audio")
    frame = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1), format="flt", layout=layout_of(samples.shape[0]))
    frame.sample_rate = rate
    frame.pts = 0
    output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def layout_of(channels: int) -> str:
    """Give the name of the layout of a number of channels.

    Raises:
        ValueError: there is none for that many.
    """
    if channels not in LAYOUTS:
        raise ValueError(f"The audio has {channels} channels; it can be saved with {', '.join(map(str, LAYOUTS))}.")
    return LAYOUTS[channels]


def _decode(container: InputContainer, stream: av.VideoStream) -> Frames:
    frames: Frames | None = None
    count = 0
    for picture in container.decode(stream):
        pixels: Any = picture.to_ndarray(format="rgb24")
        if frames is None:
            frames = empty_frames(stream.frames or _GUESS, *pixels.shape)
        elif count == len(frames):  # the file told too few, or nothing
            longer = empty_frames(2 * count, *pixels.shape)
            longer[:count] = frames
            frames = longer
        from_uint8(pixels, out=frames[count])
        count += 1
    if frames is None:
        raise ValueError("The video holds no frame that can be decoded.")
    return frames[:count]


def _encode(output: OutputContainer, components: Components) -> None:
    rate = Fraction(round(components.frame_rate * 1000), 1000)
    frames = to_frames(components.images, "images")
    picture = output.add_stream("h264", rate=rate)
    picture.height, picture.width = frames.shape[1:3]
    picture.pix_fmt = "yuv420p"
    sound = None
    if components.audio:
        sample_rate = int(components.audio["sample_rate"])
        waveform = components.audio["waveform"][:1, :, : math.ceil(sample_rate / rate * len(frames))]
        sound = output.add_stream("aac", rate=sample_rate, layout=layout_of(waveform.shape[1]))
    for frame in frames:
        pixels = to_uint8(np.broadcast_to(frame[..., :3], (*frame.shape[:2], 3)), rounding="truncate")
        output.mux(picture.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")))
    output.mux(picture.encode(None))
    if sound is not None:
        encode_sound(output, sound, waveform, sample_rate)


def _remux(container: InputContainer, path: Place, format: str, metadata: Mapping[str, Any] | None) -> None:
    """Copy the packets of all video, audio and subtitle streams to a new file, with the old tags and new ones over them."""
    with _open_to_write(path, format) as output:
        tags = dict(container.metadata)
        tags |= {key: value if isinstance(value, str) else json.dumps(value) for key, value in (metadata or {}).items()}
        output.metadata.update(tags)
        copies = {
            stream.index: output.add_stream_from_template(stream, opaque=True)
            for stream in container.streams
            if stream.type in ("video", "audio", "subtitle")
        }
        for packet in container.demux():
            if packet.dts is not None and packet.stream.index in copies:
                packet.stream = copies[packet.stream.index]
                output.mux(packet)


def _open_to_write(path: Place, format: str) -> OutputContainer:
    options = {"movflags": "use_metadata_tags"}  # without it MP4 keeps only the tags that it knows
    if isinstance(path, io.BytesIO):
        return av.open(path, mode="w", format=format, options=options)
    return av.open(path, mode="w", options=options)
