"""FFmpeg's picture formats <-> float32 frames. libswscale unpacks and resamples chroma; the colour matrix is our own (`colour_space`)."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from ..arrays import Frame, from_uint8, from_uint16, to_uint8, to_uint16
from .clip import Colour
from .colour_space import rgb_to_ycc, ycc_to_rgb

_T = TypeVar("_T")

_BICUBIC, _FULL_CHROMA_OUT, _FULL_CHROMA_IN, _ACCURATE, _BITEXACT = 0x4, 0x2000, 0x4000, 0x40000, 0x80000
ACCURATE = _BICUBIC | _FULL_CHROMA_OUT | _FULL_CHROMA_IN | _ACCURATE | _BITEXACT
"""libswscale's flags for full accuracy (plain numbers, since their Python names differ between releases of PyAV)."""

_RGB = {(False, False): "rgb24", (False, True): "rgba", (True, False): "rgb48le", (True, True): "rgba64le"}


@dataclass(frozen=True)
class PixelLayout:
    """What matters of one of FFmpeg's pixel formats: colour model, depth, alpha, chroma subsampling and implied full range."""

    name: str
    model: str  # "rgb", "ycc" or "gray"
    depth: int
    alpha: bool
    chroma: str  # "444", "422", "420", ...
    full_range: bool

    @property
    def unpacked(self) -> str:
        """Name the format that `Unpacker` reads the samples from: one plane a component, or interleaved RGB."""
        if self.model == "gray":
            return self.name
        if self.model == "rgb":
            return _RGB[self.depth > 8, self.alpha]
        if self.depth == 8:
            return "yuvj444p" if self.full_range else "yuva444p" if self.alpha else "yuv444p"
        return f"yuv{'a' if self.alpha else ''}444p{self.depth}le"


def layout_of(name: str) -> PixelLayout:
    """Describe a pixel format by FFmpeg's name of it.

    Raises:
        ValueError: FFmpeg knows no such format.
    """
    pixel_format = av.VideoFormat(name, 64, 64)
    parts = pixel_format.components
    alpha = any(part.is_alpha for part in parts) or name == "pal8"
    bits = max((part.bits for part in parts), default=8)
    if pixel_format.is_rgb or pixel_format.has_palette or len(parts) < 3:
        # Gray with one little-endian (or 8-bit) plane is read from that plane; every other odd one is left to libswscale.
        gray = name == "gray" or (name.startswith("gray") and name.endswith("le") and bits <= 16)
        model, chroma = ("gray", "400") if gray else ("rgb", "444")
        depth = bits if gray else 8 if bits <= 8 else 16
    elif name.startswith("xyz"):
        model, chroma, depth = "rgb", "444", 16
    else:
        model = "ycc"
        chroma = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (1, 2): "440", (4, 1): "411", (4, 4): "410"}.get(
            (64 // pixel_format.chroma_width(), 64 // pixel_format.chroma_height()), "444")
        depth = next(d for d in ((8, 9, 10, 12, 16) if alpha else (8, 9, 10, 12, 14, 16)) if d >= min(bits, 16))
    return PixelLayout(name, model, depth, alpha, chroma, name.startswith("yuvj"))


def plane_view(plane: Any, depth: int, components: int = 1) -> NDArray[Any]:
    """Look into a plane of an FFmpeg frame as ``[H,W]`` (or ``[H,W,components]``) uint8 or uint16, without its row padding or a copy."""
    samples = np.frombuffer(plane, np.uint8 if depth == 8 else np.dtype("<u2"))
    rows = samples[: plane.height * plane.line_size // samples.itemsize].reshape(plane.height, -1)[:, : plane.width * components]
    return rows.reshape(plane.height, plane.width, components) if components > 1 else rows


def batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Cut any run of things into lists of up to `size`, taking no more of them than the list at hand needs."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


class Unpacker:
    """Brings decoded frames of one format to float32 RGB(A); 8 bits are exactly n / 255, more bits n / 65535."""

    def __init__(self, layout: PixelLayout, colour: Colour, lines: int, orientation: tuple[int, int, int, int] = (1, 0, 0, 1)) -> None:
        """Prepare for frames of `layout`, coded with `lines` lines, to be turned upright by `orientation` (see `upright`)."""
        self._layout, self._orientation = layout, orientation
        self._range = 2 if colour.range == 2 else 1
        self._matrix = ycc_to_rgb(colour, lines, layout.depth)
        self._reformatter = VideoReformatter()

    def __call__(self, picture: av.VideoFrame, out: Frame) -> None:
        """Write one frame into `out`, ``[H,W,3]`` or ``[H,W,4]``, float32, upright."""
        layout = self._layout
        if picture.format.name != layout.unpacked:
            # The same range on both sides: libswscale then converts no colour, it only unpacks and brings chroma to full size.
            same = {} if layout.model == "rgb" else {"src_color_range": self._range, "dst_color_range": self._range}
            picture = self._reformatter.reformat(picture, format=layout.unpacked, interpolation=ACCURATE, **same)
        planes = picture.planes
        if layout.model == "rgb":
            pixels = plane_view(planes[0], layout.depth, 4 if layout.alpha else 3)
        elif layout.model == "gray":
            luma = self._matrix[0, 0]  # neutral chroma: R = G = B, and black is where the first row's neutral point says
            black = self._matrix[0, 3] + self._matrix[0, 1:3].sum() * 2 ** (layout.depth - 1)
            pixels = cv2.transform(plane_view(planes[0], layout.depth), np.array([[luma, black]] * 3))
        else:
            parts = [plane_view(plane, layout.depth) for plane in planes]
            pixels = cv2.transform(cv2.merge(parts[:3]), self._matrix)
            if layout.alpha:
                pixels = np.dstack((pixels, _alpha(parts[3], layout.depth)))
        pixels = upright(pixels, self._orientation)
        (from_uint8 if layout.depth == 8 else from_uint16)(pixels, out)


class Packer:
    """Brings float32 frames to FFmpeg frames of one pixel format."""

    def __init__(self, layout: PixelLayout, colour: Colour, lines: int) -> None:
        """Prepare for frames to be coded in `layout` with `lines` lines."""
        self._layout, self._colour = layout, colour
        self._range = 2 if colour.range == 2 else 1
        self._matrix = rgb_to_ycc(colour, lines, layout.depth)
        self._reformatter = VideoReformatter()

    def __call__(self, frame: Frame) -> av.VideoFrame:
        """Make an FFmpeg frame of ``[H,W,C]``, C = 1, 3 or 4; values beyond 0..1 are clipped; alpha is dropped if the format has none."""
        layout = self._layout
        height, width, channels = frame.shape
        alpha = frame[..., 3] if channels == 4 else None
        rgb: NDArray[Any] = cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB) if channels == 1 else frame[..., :3]
        if layout.model == "rgb":
            return self._packed(rgb, alpha)
        depth = layout.depth
        picture = av.VideoFrame(width, height, layout.unpacked)
        ycc = cv2.transform(to_uint16(rgb), self._matrix)
        ycc = cv2.min(ycc.reshape(height, -1), 2**depth - 1).reshape(ycc.shape)  # full-range chroma of 127.5 rounds out of range
        for index, plane in enumerate(picture.planes[:3]):
            plane_view(plane, depth)[...] = ycc[..., index]
        if layout.alpha:
            top = np.float32(2**depth - 1)
            opaque = np.ones((height, width), np.float32) if alpha is None else alpha
            plane_view(picture.planes[3], depth)[...] = to_uint8(opaque) if depth == 8 else to_uint16(opaque * (top / np.float32(65535)))
        picture.color_range = self._range
        if layout.name != layout.unpacked:
            picture = self._reformatter.reformat(
                picture, format=layout.name, interpolation=ACCURATE, src_color_range=self._range, dst_color_range=self._range)
        return self._tagged(picture, self._colour.matrix)

    def _packed(self, rgb: Frame, alpha: Frame | None) -> av.VideoFrame:
        layout = self._layout
        height, width = rgb.shape[:2]
        quantised = to_uint8 if layout.depth == 8 else to_uint16
        picture = av.VideoFrame(width, height, layout.unpacked)
        pixels = plane_view(picture.planes[0], layout.depth, 4 if layout.alpha else 3)
        pixels[..., :3] = quantised(rgb)
        if layout.alpha:
            pixels[..., 3] = 2 ** (8 if layout.depth == 8 else 16) - 1 if alpha is None else quantised(alpha)
        if layout.name != layout.unpacked:
            picture = self._reformatter.reformat(picture, format=layout.name, interpolation=ACCURATE)
        return self._tagged(picture, 0)

    def _tagged(self, picture: av.VideoFrame, matrix: int) -> av.VideoFrame:
        picture.colorspace = matrix
        picture.color_range = 2 if self._layout.model == "rgb" else self._colour.range
        if hasattr(picture, "color_trc"):  # from PyAV 17 on; ProRes takes its tags from the frame
            picture.color_primaries, picture.color_trc = self._colour.primaries, self._colour.transfer
        return picture


def orientation_of(display_matrix: bytes | None) -> tuple[int, int, int, int]:
    """Read FFmpeg's display matrix (nine native int32, 16.16) as the signs (a, b, c, d) of x' = a x + c y, y' = b x + d y.

    Only the eight turns and mirrors exist among the signs; another angle goes to the nearest of them.
    """
    if display_matrix is None or len(display_matrix) < 36:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(display_matrix, np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return 0, (1 if b > 0 else -1), (1 if c > 0 else -1), 0
    return (-1 if a < 0 else 1), 0, 0, (-1 if d < 0 else 1)


def upright(pixels: NDArray[Any], orientation: tuple[int, int, int, int]) -> NDArray[Any]:
    """Turn and mirror ``[H,W,C]`` as `orientation_of` says."""
    a, b, c, d = orientation
    if b:
        pixels = cv2.transpose(pixels)
    mirror_x, mirror_y = (c or a) < 0, (b or d) < 0
    if mirror_x or mirror_y:
        pixels = cv2.flip(pixels, -1 if mirror_x and mirror_y else 1 if mirror_x else 0)
    return pixels


def _alpha(plane: NDArray[Any], depth: int) -> NDArray[Any]:
    """Bring an alpha plane, always full range, from `depth` bits to 8 or 16."""
    if depth in (8, 16):
        return plane
    return to_uint16(plane * (np.float32(1) / np.float32(2**depth - 1)))
