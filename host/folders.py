"""Where models, temporary files and results lie: ComfyUI's folders, or plain ones beside the user."""
from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .comfy import module

MODEL_FILES = frozenset({".pt", ".pth", ".pth.tar", ".safetensors", ".onnx", ".tflite", ".bin"})
"""File name endings that count as weights."""


def model_folders(kind: str) -> list[Path]:
    """List the folders searched for models of a kind (a key of ComfyUI's folder table, e.g. ``"upscale_models"``).

    Without ComfyUI that is ``$TALKIES_MODELS/<kind>``, by default ``models/<kind>`` under the working folder.
    """
    paths = module("folder_paths")
    if paths is None:
        return [Path(os.environ.get("TALKIES_MODELS", "models")) / kind]
    if kind not in paths.folder_names_and_paths:
        # A new key without its extensions would list every file, so both are set at once.
        paths.folder_names_and_paths[kind] = ([str(Path(paths.models_dir) / kind)], set(MODEL_FILES))
    return [Path(p) for p in paths.get_folder_paths(kind)]


def model_names(kind: str) -> list[str]:
    """List the model files of a kind by name (relative, with forward slashes), sorted."""
    found = set()
    for folder in model_folders(kind):
        for path in folder.rglob("*") if folder.is_dir() else ():
            if path.is_file() and path.name.endswith(tuple(MODEL_FILES)):
                found.add(path.relative_to(folder).as_posix())
    return sorted(found)


def find_model(kind: str, name: str) -> Path | None:
    """Give the path of a model file, or None when none of the folders holds it."""
    return next((folder / name for folder in model_folders(kind) if (folder / name).is_file()), None)


def temporary_folder() -> Path:
    """Give the folder for files that may go when the host stops: ComfyUI's temp, or ``talkies`` under the system's. It exists."""
    paths = module("folder_paths")
    folder = Path(paths.get_temp_directory()) if paths else Path(tempfile.gettempdir()) / "talkies"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
