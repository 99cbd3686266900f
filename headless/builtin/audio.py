"""Load, save and preview sound."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import av

from ...host.video_type import decode_sound, encode_sound, layout_of
from .folders import FolderNode, Result, Shown, metadata
from .save_image import temporary_ending

_HIDDEN = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}


class LoadAudio(FolderNode):
    """ComfyUI's Load Audio."""

    DISPLAY_NAME = "LoadAudio"
    CATEGORY = "audio"
    RETURN_TYPES = ("AUDIO",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Declare the inputs as ComfyUI does."""
        return {"required": {"audio": (cls.folders.names("audio", "video"), {"audio_upload": True})}}

    @classmethod
    def VALIDATE_INPUTS(cls, audio: str) -> bool | str:
        """Say whether the file is there."""
        return cls.folders.missing(audio) or True

    def run(self, audio: str) -> tuple[dict[str, Any]]:
        """Give the sound of an audio or video file at its own rate."""
        path = self.folders.resolve(audio)
        with av.open(str(path)) as container:
            sound = decode_sound(container) if container.streams.audio else None
        if sound is None:
            raise ValueError(f"{path} has no sound.")
        return (sound,)


class SaveAudio(FolderNode):
    """ComfyUI's Save Audio (FLAC)."""

    DISPLAY_NAME = "SaveAudio"
    CATEGORY = "audio"
    RETURN_TYPES = ()
    FUNCTION = "run"
    OUTPUT_NODE = True

    kind: ClassVar[str] = "output"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Declare the inputs as ComfyUI does."""
        prefix = ("STRING", {"default": "audio/ComfyUI"})
        return {"required": {"audio": ("AUDIO",), "filename_prefix": prefix}, "hidden": _HIDDEN}

    def run(
        self, audio: Mapping[str, Any], filename_prefix: str = "ComfyUI", prompt: Any = None,
        extra_pnginfo: Mapping[str, Any] | None = None,
    ) -> Result:
        """Write every waveform of the batch ``[B,C,T]`` to a FLAC file of its own."""
        folder, name, counter, subfolder = self.folders.place(filename_prefix, self.kind)
        shown: list[Shown] = []
        for index, waveform in enumerate(audio["waveform"]):
            file = f"{name.replace('%batch_num%', str(index))}_{counter + index:05}_.flac"
            _write(folder / file, waveform, int(audio["sample_rate"]), metadata(prompt, extra_pnginfo))
            shown.append({"filename": file, "subfolder": subfolder, "type": self.kind})
        return {"ui": {"audio": shown}}


class PreviewAudio(SaveAudio):
    """ComfyUI's Preview Audio."""

    DISPLAY_NAME = "PreviewAudio"
    kind = "temp"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Declare the inputs as ComfyUI does."""
        return {"required": {"audio": ("AUDIO",)}, "hidden": _HIDDEN}

    def run(
        self, audio: Mapping[str, Any], filename_prefix: str = "ComfyUI", prompt: Any = None,
        extra_pnginfo: Mapping[str, Any] | None = None,
    ) -> Result:
        """Write every waveform of the batch to a file of its own."""
        return super().run(audio, filename_prefix + temporary_ending(), prompt, extra_pnginfo)


def _write(path: Path, waveform: Any, rate: int, tags: Mapping[str, str]) -> None:
    with av.open(str(path), mode="w", format="flac") as output:
        output.metadata.update(tags)
        stream = output.add_stream("flac", rate=rate, layout=layout_of(waveform.shape[0]))
        encode_sound(output, stream, waveform[None], rate)
