"""Video files made with PyAV alone, and the standards' colour arithmetic in plain NumPy: the yardsticks for core/video."""
from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BARS = np.array(
    [[255, 255, 255], [191, 191, 0], [0, 191, 191], [0, 191, 0], [191, 0, 191], [191, 0, 0], [0, 0, 191], [16, 16, 16], [90, 20, 200],
     [128, 128, 128]], np.uint8)
BAR = 32  # px
LUMA_WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def bars(height: int = 64) -> np.ndarray:
    """One frame of ten vertical bars, uint8 [H,320,3]."""
    return np.repeat(np.repeat(BARS[None], height, 0), BAR, 1)


def bar_interiors(width: int = len(BARS) * BAR) -> np.ndarray:
    """Which columns lie well inside a bar."""
    place = np.arange(width) % BAR
    return (place >= 10) & (place < BAR - 10)


def reference_ycc(rgb: np.ndarray, matrix: int, full: bool, bits: int) -> np.ndarray:
    """Y'CbCr code values, not rounded, [3,H,W], of uint8 RGB: BT.601/BT.709/BT.2020 as printed in the recommendations."""
    kr, kb = LUMA_WEIGHTS[matrix]
    r, g, b = np.moveaxis(rgb.astype(np.float64) / 255, -1, 0)
    y = kr * r + (1 - kr - kb) * g + kb * b
    pb, pr = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    if full:
        return np.stack([y, pb, pr]) * (2**bits - 1) + np.array([0, 1, 1])[:, None, None] * 2 ** (bits - 1)
    scale = 2 ** (bits - 8)
    return np.stack([16 + 219 * y, 128 + 224 * pb, 128 + 224 * pr]) * scale


def put(plane, values: np.ndarray) -> None:
    """Write [H,W] values into a plane of an FFmpeg frame."""
    rows = np.frombuffer(plane, values.dtype).reshape(-1, plane.line_size // values.itemsize)
    rows[: values.shape[0], : values.shape[1]] = values


def planes(picture) -> list[np.ndarray]:
    """Copy the planes of an FFmpeg frame as [H,W] arrays."""
    deep = picture.format.components[0].bits > 8
    found = []
    for plane in picture.planes:
        rows = np.frombuffer(plane, np.uint16 if deep else np.uint8).reshape(-1, plane.line_size // (2 if deep else 1))
        found.append(rows[: plane.height, : plane.width].copy())
    return found


def picture_of(rgb: np.ndarray, pixel_format: str, matrix: int, full: bool) -> av.VideoFrame:
    """An FFmpeg frame of a YUV format from uint8 RGB, chroma averaged over the pixels it covers."""
    picture = av.VideoFrame(rgb.shape[1], rgb.shape[0], pixel_format)
    bits = picture.format.components[0].bits
    dtype = np.uint8 if bits == 8 else np.uint16
    for plane, values in zip(picture.planes, reference_ycc(rgb, matrix, full, bits), strict=False):
        high, wide = rgb.shape[0] // plane.height, rgb.shape[1] // plane.width
        mean = values.reshape(plane.height, high, plane.width, wide).mean((1, 3))
        put(plane, np.clip(np.rint(mean), 0, 2**bits - 1).astype(dtype))
    return picture


def write_pictures(
    path: Path, pictures: list, *, codec: str = "libx264", rate: Fraction | int = 25, time_base: Fraction | None = None, times=None,
    tags: tuple[int, int, int, int] = (0, 2, 2, 2), options: dict[str, str] | None = None, aspect: Fraction | None = None,
) -> Path:
    """Encode FFmpeg frames; `tags` are range, matrix, primaries, transfer. x264 is lossless unless `options` say otherwise."""
    first = pictures[0]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or ({"qp": "0"} if codec == "libx264" else {}))
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, first.format.name
        context = stream.codec_context
        context.time_base = stream.time_base = time_base or 1 / Fraction(rate)
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = tags
        if aspect:
            context.sample_aspect_ratio = aspect
        for index, picture in enumerate(pictures):
            picture.pts, picture.time_base = (index if times is None else times[index]), context.time_base
            picture.color_range, picture.colorspace = tags[0], tags[1]
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def gray_pictures(count: int, size: tuple[int, int] = (32, 48), pixel_format: str = "yuv420p") -> list:
    """Frames that tell their index by their brightness."""
    return [picture_of(np.full((*size, 3), 20 + 9 * i % 230, np.uint8), pixel_format, 5, False) for i in range(count)]


def write_sound(path: Path, codec: str, *, rate: int = 48000, seconds: float = 1.0, streams: int = 1, start: float = 0, video: bool = True,
                video_start: int = 0) -> Path:
    """A file with tones, one pitch a stream, and (unless told otherwise) a little video at 25 fps that starts at frame `video_start`."""
    with av.open(str(path), "w") as container:
        if video:
            suits = {".webm": "libvpx-vp9"}.get(path.suffix, "libx264")
            picture_stream = container.add_stream(suits, rate=25)
            picture_stream.width, picture_stream.height, picture_stream.pix_fmt = 48, 32, "yuv420p"
            picture_stream.codec_context.time_base = Fraction(1, 25)
        tones = []
        for _ in range(streams):
            tone = container.add_stream(codec, rate=rate)
            tone.layout = "stereo"
            tone.time_base = Fraction(1, rate)
            tones.append(tone)
        if video:
            for index, picture in enumerate(gray_pictures(round(25 * seconds))):
                picture.pts, picture.time_base = index + video_start, Fraction(1, 25)
                container.mux(picture_stream.encode(picture))
            container.mux(picture_stream.encode(None))
        time = np.arange(round(rate * seconds)) / rate
        for number, tone in enumerate(tones):
            wave = (0.3 * np.sin(2 * np.pi * 440 * (number + 1) * time)).astype(np.float32)
            for first in range(0, len(wave), 4096):
                sound = av.AudioFrame.from_ndarray(np.tile(wave[None, first : first + 4096], (2, 1)), "fltp", "stereo")
                sound.sample_rate, sound.time_base, sound.pts = rate, Fraction(1, rate), first + round(start * rate)
                container.mux(tone.encode(sound))
            container.mux(tone.encode(None))
    return path


def sound_packets(source) -> dict[int, list[tuple]]:
    """Per audio stream, in order: (pts in seconds, payload) of every packet."""
    with av.open(source if not isinstance(source, Path) else str(source)) as container:
        found: dict[int, list[tuple]] = {number: [] for number in range(len(container.streams.audio))}
        order = {stream.index: number for number, stream in enumerate(container.streams.audio)}
        if order:
            for packet in container.demux(*container.streams.audio):
                if packet.size:
                    found[order[packet.stream.index]].append((packet.pts * packet.time_base, bytes(packet)))
    return found


def decoded_sound(path: Path) -> tuple[np.ndarray, int, float]:
    """The first audio stream, float [channels,samples], its rate, and when its first sample is heard (seconds)."""
    blocks, start, rate = [], None, 0
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("fltp")
        for sound in container.decode(audio=0):
            rate = sound.sample_rate
            start = float(sound.pts * sound.time_base) if start is None else start
            blocks += [block.to_ndarray() for block in resampler.resample(sound)]
    return np.concatenate(blocks, 1), rate, start


def turn_mp4(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write (a, b, c, d) into the display matrix of an MP4's video track, as a phone held sideways does (ISO 14496-12, tkhd)."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4
    place += (52 if content[place] else 40)  # to the matrix, by the box's version
    a, b, c, d = (value * 65536 for value in matrix)
    struct.pack_into(">9i", content, place, a, b, 0, c, d, 0, 0, 0, 0x40000000)
    path.write_bytes(content)
    return path
