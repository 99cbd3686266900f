"""The published Real-ESRGAN models: file, folder, address and size; and how a model's file is found by its name."""
from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FOLDER = "upscale_models"
"""ComfyUI's folder for such models, under ``models/``."""

ENDINGS = (".pth", ".pt", ".ckpt", ".safetensors")
"""File name endings that the loader reads."""

_RELEASES = "https://github.com/xinntao/Real-ESRGAN/releases/download"


class ModelError(ValueError):
    """A model's file is missing, unreadable, or not a single-image network; the message says what to do."""


@dataclass(frozen=True)
class Published:
    """One published model. The size is that of its parameters as float32, in megabytes (10^6 bytes), rounded."""

    file: str
    release: str
    scale: int
    megabytes: float
    good_for: str

    @property
    def url(self) -> str:
        """Give the address of the file."""
        return f"{_RELEASES}/{self.release}/{self.file}"


PUBLISHED = (
    Published("RealESRGAN_x2plus.pth", "v0.2.1", 2, 67, "photographs and film, 2x; a face crop of 128 px to 256 px"),
    Published("RealESRGAN_x4plus.pth", "v0.1.0", 4, 67, "photographs, 4x, the most detail and the slowest"),
    Published("RealESRNet_x4plus.pth", "v0.1.1", 4, 67, "photographs, 4x, smoother and nearer to the source"),
    Published("RealESRGAN_x4plus_anime_6B.pth", "v0.2.2.4", 4, 18, "drawings, 4x"),
    Published("realesr-animevideov3.pth", "v0.2.5.0", 4, 2.5, "video, 4x, the fastest"),
    Published("realesr-general-x4v3.pth", "v0.2.5.0", 4, 4.9, "video and photographs, 4x, fast, with a denoise setting"),
    Published("realesr-general-wdn-x4v3.pth", "v0.2.5.0", 4, 4.9, "as general-x4v3, but keeps noise; its partner for the denoise setting"),
)
"""The models whose addresses are known. Any other single-image model that spandrel reads works too."""


def model_folders() -> list[Path]:
    """List where models lie without a host: ``$TALKIES_MODELS/upscale_models``, by default ``models/upscale_models``."""
    return [Path(os.environ.get("TALKIES_MODELS", "models")) / FOLDER]


def find_model(name: str, folders: Iterable[Path] | None = None) -> Path:
    """Find a model's file.

    Args:
        name: a file name within one of the folders (the ending may be left out), or a path.
        folders: where to look; `model_folders` when None.

    Raises:
        ModelError: no such file; the message gives name, folder and, for a published model, address and size.
    """
    folders = list(model_folders() if folders is None else folders)
    for place in (Path(name), *(folder / name for folder in folders)):
        for path in (place, *(place.with_name(place.name + ending) for ending in ENDINGS)):
            if place.name and path.is_file():
                return path
    raise ModelError(missing(name, folders))


def missing(name: str, folders: Iterable[Path]) -> str:
    """Say that a model is missing, where it was looked for, and where it is to be had."""
    where = " or ".join(str(folder) for folder in folders) or f"models/{FOLDER}"
    text = f"Super Resolve: {name or 'a model without a name'} is not in {where}."
    known = published(name)
    if known:
        return f"{text} Download it from {known.url} (about {known.megabytes:g} MB) and put it there."
    return f"{text} Put the file there, or choose one of the published models: {', '.join(p.file for p in PUBLISHED)}."


def published(name: str) -> Published | None:
    """Give what is known of a model, by its file name with or without folder and ending; None when it is not a published one."""
    stem = Path(name).name
    return next((p for p in PUBLISHED if stem in (p.file, Path(p.file).stem)), None)
