"""The host's VIDEO as a frame source, without decoding anything twice, and a finished file as the host's VIDEO."""
from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from ..core.arrays import to_waveform
from ..core.video.audio_copy import Audio, CopyAudio, EncodeAudio
from ..core.video.clip import FrameSource
from ..core.video.source import BatchSource, FileSource
from .comfy import module
from .video_type import Components, VideoFromComponents, VideoFromFile


def open_video(video: Any) -> FrameSource:
    """Open a VIDEO for reading by chunks.

    A VIDEO that stands on a file is read from that file; one that holds a batch of frames is cut into views. (Asking the latter for its
    stream would make the host encode it first, with loss.)

    Args:
        video: ComfyUI's VideoFromFile or VideoFromComponents, or the twins of them in `video_type`.

    Raises:
        VideoError: the file cannot be read.
    """
    if is_file(video):
        return FileSource(video.get_stream_source())
    components = video.get_components()
    return BatchSource(components.images, components.frame_rate)


def sound_of(video: Any) -> Audio | None:
    """Give a VIDEO's sound: to be copied packet by packet from its file, or its waveform; None when a batch has none."""
    if is_file(video):
        return CopyAudio(video.get_stream_source())
    audio = video.get_components().audio
    return None if audio is None else EncodeAudio(to_waveform(audio["waveform"]), int(audio["sample_rate"]))


def is_file(video: Any) -> bool:
    """Say whether a VIDEO stands on a file or buffer. The class tells: both kinds have the same methods."""
    return any(kind.__name__ == "VideoFromFile" for kind in type(video).__mro__)


def video_from_frames(images: torch.Tensor, fps: Fraction, audio: dict[str, Any] | None) -> Any:
    """Give an IMAGE and an AUDIO as the host's VIDEO, not yet encoded."""
    latest = module("comfy_api.latest")
    if latest:
        return latest.InputImpl.VideoFromComponents(latest.Types.VideoComponents(images=images, audio=audio, frame_rate=fps))
    return VideoFromComponents(Components(images, fps, audio))


def video_from_file(path: Path) -> Any:
    """Give a finished file as the host's VIDEO."""
    latest = module("comfy_api.latest")
    return latest.InputImpl.VideoFromFile(str(path)) if latest else VideoFromFile(str(path))
