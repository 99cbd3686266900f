"""What a render will need, said before it starts."""
from __future__ import annotations

from dataclasses import dataclass

from ..operation import Operation
from .clip import ClipInfo
from .encoding import Encoding
from .pixels import layout_of

_BITS_A_PIXEL = {"h264": 0.55, "h265": 0.3, "vp9": 0.35, "prores": 3.7, "ffv1": 10.0}
"""At the default quality, of talking heads; a clip with much grain takes several times that, a clean one less."""

_PICTURES = {"h264": 60, "h265": 70, "vp9": 45, "prores": 12, "ffv1": 12}
"""Pictures that decoder and encoder hold beside the frames at work: look-ahead, references, threads."""


@dataclass(frozen=True)
class Need:
    """Bytes, both estimates: `memory` beside what the program itself takes, and `output` on disk (None where it is not known)."""

    frames: int | None
    width: int
    height: int
    memory: float
    output: float | None

    def __str__(self) -> str:
        """Give one sentence."""
        count = f"{self.frames:,} frames" if self.frames else "frames"
        disk = "" if self.output is None else f", output about {_size(self.output)}"
        return f"{count} of {self.width}x{self.height} px: about {_size(self.memory)} of memory beside the program, at any length{disk}."


def foresee(info: ClipInfo, operation: Operation, size: int, encoding: Encoding | None) -> Need:
    """Estimate what rendering a clip takes.

    Args:
        info: the clip that is read.
        operation: what is done to it.
        size: frames a chunk (`memory.chunk_frames`).
        encoding: of a video; None for stills and arrays, whose size is then not estimated.
    """
    height, width = operation.output_size(info.height, info.width)
    pixels, made = info.width * info.height, width * height
    chunk = size + 2 * operation.radius
    work = chunk * info.channels * 4 * (3 * pixels + 3 * made)
    if encoding is None:
        return Need(info.frames, width, height, work, None)
    layout = layout_of(encoding.pixel_format_for(info))
    stored = {"420": 1.5, "422": 2.0, "440": 2.0}.get(layout.chroma, 3.0) * (1 if layout.depth == 8 else 2)
    coding = stored * made * _PICTURES[encoding.codec]
    output = None if info.frames is None else info.frames * made * _BITS_A_PIXEL[encoding.codec] / 8
    return Need(info.frames, width, height, work + coding, output)


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 0.95e9 else f"{max(count / 1e6, 1):.0f} MB"
