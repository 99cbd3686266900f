"""How a clip is encoded: codec, quality, speed and pixel format, and which container holds which codec."""
from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import cv2

from ..settings import check_settings, setting
from .clip import ClipInfo, VideoError
from .pixels import layout_of

_log = logging.getLogger(__name__)

CONTAINERS: dict[str, tuple[str, ...]] = {
    ".mp4": ("h264", "h265", "vp9"),
    ".m4v": ("h264", "h265"),
    ".mov": ("h264", "h265", "prores"),
    ".mkv": ("h264", "h265", "vp9", "prores", "ffv1"),
    ".webm": ("vp9",),
}
"""File suffix to the codecs that players expect in it; the first one is what a file gets when nobody chooses."""


@dataclass(frozen=True)
class _Codec:
    """What one encoder can do."""

    encoder: str
    chromas: tuple[str, ...]
    depths: tuple[int, ...]
    best_and_worst: tuple[int, int] | None = None  # of its constant-quality number
    quality: int = 0  # when nobody chooses: no difference to be seen at normal size
    alpha: str | None = None  # the one format with alpha
    even_only: bool = True  # whether subsampled chroma needs an even size


_CODECS = {
    "h264": _Codec("libx264", ("420", "422", "444"), (8, 10), (0, 51), 16),
    "h265": _Codec("libx265", ("420", "422", "444"), (8, 10, 12), (0, 51), 18),
    "vp9": _Codec("libvpx-vp9", ("420", "422", "440", "444"), (8, 10, 12), (0, 63), 20, "yuva420p", even_only=False),
    "prores": _Codec("prores_ks", ("422", "444"), (10,), alpha="yuva444p10le", even_only=False),
    "ffv1": _Codec("ffv1", ("444",), (8, 16), even_only=False),
}

_PRESETS = {"fast": "veryfast", "medium": "medium", "slow": "slow"}
_AVX512F = 13  # OpenCV's number of that processor feature, which its Python module does not name
_AHEAD_BYTES, _LEAST_AHEAD = 2**28, 10
_VP9_SPEEDS = {"fast": "5", "medium": "3", "slow": "1"}


@dataclass(frozen=True)
class Encoding:
    """Settings of an encoder. `quality` is the encoder's own constant-quality number, where lower is better and larger."""

    codec: Literal["h264", "h265", "vp9", "prores", "ffv1"] = setting(
        "h264", "H.264 plays everywhere; H.265 and VP9 are smaller; ProRes is for editing; FFV1 is lossless.")
    quality: int = setting(
        -1, "The encoder's constant quality, lower is better: H.264 and H.265 0..51, VP9 0..63; -1 is visually lossless (16, 18, 20).",
        low=-1, high=63)
    speed: Literal["fast", "medium", "slow"] = setting("medium", "Slower makes a smaller file of the same quality.")
    pixel_format: str = setting("auto", "FFmpeg's name of how pixels are stored, e.g. yuv420p; auto keeps what the source has.")

    def __post_init__(self) -> None:
        check_settings(self)
        codec = _CODECS[self.codec]
        if self.quality != -1:
            if codec.best_and_worst is None:
                raise VideoError(f"Encoding: {self.codec} has no quality number; leave it at -1.")
            if self.quality > codec.best_and_worst[1]:
                raise VideoError(f"Encoding: quality {self.quality} is beyond {self.codec}'s worst, {codec.best_and_worst[1]}.")
        if self.pixel_format != "auto":
            known = _formats(codec.encoder)
            if known and self.pixel_format not in known:
                raise VideoError(f"Encoding: {self.codec} cannot store {self.pixel_format!r}; it takes auto, {', '.join(known)}.")

    @classmethod
    def for_file(cls, path: str | Path) -> Encoding:
        """Give the settings for a file when nobody chooses, by its suffix.

        Raises:
            VideoError: no container of that suffix is written here.
        """
        return cls(_codecs_in(path)[0])  # type: ignore[arg-type]  # the table holds codec names only

    @property
    def encoder(self) -> str:
        """Give FFmpeg's name of the encoder.

        Raises:
            VideoError: this build of FFmpeg has it not.
        """
        name = _CODECS[self.codec].encoder
        if name not in av.codecs_available:
            raise VideoError(f"This PyAV was built without {name}, which writes {self.codec}. Choose another codec, or `pip install av`.")
        return name

    def check_file(self, path: str | Path) -> None:
        """Refuse a codec that the container of that suffix does not hold.

        Raises:
            VideoError: it does not; the message names those that it does, and the containers for this codec.
        """
        if self.codec not in _codecs_in(path):
            homes = ", ".join(suffix for suffix, codecs in CONTAINERS.items() if self.codec in codecs)
            raise VideoError(f"{Path(path).name}: a {Path(path).suffix} file does not hold {self.codec}; it holds "
                             f"{', '.join(_codecs_in(path))}. Name the file {homes}, or change the codec.")

    def pixel_format_for(self, info: ClipInfo) -> str:
        """Give FFmpeg's name of the pixel format for a clip.

        `auto` keeps subsampling, depth and alpha of the source as far as the codec can; what was never subsampled (RGB, stills,
        batches) becomes 4:2:0, which everything plays (4:2:2 in ProRes). FFV1 stores RGB. Sizes that are odd where a chroma sample
        covers two pixels become 4:4:4 in H.264 and H.265. What is lost or changed is logged.
        """
        if self.pixel_format != "auto":
            return self.pixel_format
        codec = _CODECS[self.codec]
        if self.codec == "ffv1":
            deep = info.bit_depth > 8
            return ("gbrap16le" if deep else "bgra") if info.has_alpha else ("gbrp16le" if deep else "bgr0")
        if info.has_alpha and codec.alpha:
            return codec.alpha
        if info.has_alpha:
            _log.warning("%s stores no alpha; it is left out. ProRes, VP9 and FFV1 keep it.", self.codec)
        layout = layout_of(info.pixel_format) if info.pixel_format else None
        chroma = layout.chroma if layout and layout.model == "ycc" else "420"
        if chroma not in codec.chromas:
            chroma = "422" if self.codec == "prores" else "444" if chroma == "440" else "420"
        if codec.even_only and ((info.width % 2 and chroma != "444") or (info.height % 2 and chroma == "420")):
            _log.info("%dx%d px is odd, which %s stores as 4:4:4 only; not every player shows that.", info.width, info.height, self.codec)
            chroma = "444"
        known = _formats(codec.encoder)  # a build of libvpx or x265 may be without its deeper formats
        depths = [d for d in codec.depths if not known or _ycc(chroma, d) in known] or list(codec.depths)
        depth = next((d for d in depths if d >= info.bit_depth), depths[-1])
        if depth < min(info.bit_depth, 12):
            _log.warning("%s stores %d bits here, the source has %d.", codec.encoder, depth, info.bit_depth)
        return _ycc(chroma, depth)

    def options(self, info: ClipInfo) -> dict[str, str]:
        """Give the encoder's private options, as FFmpeg calls them."""
        quality = str(_CODECS[self.codec].quality if self.quality == -1 else self.quality)
        if self.codec == "h264":
            # x264 holds the frames it looks ahead to, at about six bytes a pixel; the usual 40 of them are 3 GB at 4k.
            frames = max(_LEAST_AHEAD, min(40, _AHEAD_BYTES // (6 * info.width * info.height)))
            # The AVX-512 code of x264 (as built into PyAV 18) looks at memory that nobody wrote: the same frames give other bits each time.
            steady = {"x264-params": "asm=AVX2"} if cv2.checkHardwareSupport(_AVX512F) else {}
            return {"crf": quality, "preset": _PRESETS[self.speed], "rc-lookahead": str(frames), **steady}
        if self.codec == "h265":
            # x265 (as built into PyAV 14 to 18) writes past its memory when it looks ahead in frames below 56x56 px, and the process dies.
            ahead = ":rc-lookahead=0:bframes=0" if min(info.width, info.height) < 64 else ""
            # Without info=0 the header names the processor and its threads, and pieces made on two machines could not be joined.
            return {"crf": quality, "preset": _PRESETS[self.speed], "x265-params": f"log-level=error:info=0{ahead}"}
        if self.codec == "vp9":
            # An alternate reference frame has no alpha of its own, so libvpx refuses the two together.
            alpha = {"auto-alt-ref": "0"} if self.pixel_format_for(info).startswith("yuva") else {}
            return {"crf": quality, "b": "0", "deadline": "good", "cpu-used": _VP9_SPEEDS[self.speed], "row-mt": "1", **alpha}
        if self.codec == "prores":
            return {"profile": "4" if "444" in self.pixel_format_for(info) else "3", "vendor": "apl0"}  # 4444 or HQ
        slices = {"slices": "16"} if min(info.width, info.height) >= 128 else {}
        return {"level": "3", "slicecrc": "1", **slices}


def _ycc(chroma: str, depth: int) -> str:
    return f"yuv{chroma}p{'' if depth == 8 else f'{depth}le'}"


def _codecs_in(path: str | Path) -> tuple[str, ...]:
    suffix = Path(path).suffix.lower()
    if suffix not in CONTAINERS:
        what = repr(suffix) if suffix else "a name without a suffix"
        raise VideoError(f"{Path(path).name}: {what} is no video container written here; {', '.join(CONTAINERS)} are.")
    return CONTAINERS[suffix]


def _formats(encoder: str) -> tuple[str, ...]:
    """List the pixel formats that an encoder of this build takes; empty where it has no such encoder or does not tell."""
    if encoder not in av.codecs_available:
        return ()
    return tuple(entry.name for entry in av.Codec(encoder, "w").video_formats or ())
