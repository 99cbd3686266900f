"""Diff2Lip from the host's model folders, run under its memory management."""
from __future__ import annotations

from pathlib import Path

from ..core.lipsync.model import LipModel, open_model
from ..core.upscale.engine import Runtime
from ..core.weights import DIFF2LIP, WeightsError, missing_message
from .devices import free_memory, loaded, out_of_memory
from .folders import find_model, model_folders, model_names

FOLDER = DIFF2LIP.folder
"""The kind of model folder that Diff2Lip lies in."""

LICENCE = "Diff2Lip's weights are CC BY-NC 4.0: with credit, and not for commercial use."

_RUNTIME = Runtime(loaded, out_of_memory())


def lip_names() -> list[str]:
    """List the checkpoints to choose from: the published one, whether it is here or not, and what else is in the folder."""
    return [DIFF2LIP.file, *(name for name in model_names(FOLDER) if name != DIFF2LIP.file)]


def open_lips(checkpoint: str | Path) -> LipModel:
    """Load a checkpoint by its name in the model folders, or by its path.

    Raises:
        WeightsError: it is not there; the message says what file, where it belongs, where it is published, its size and licence.
        CheckpointError: the file is something else.
    """
    path = find_model(FOLDER, str(checkpoint)) or Path(checkpoint)
    if not path.is_file():
        wanted = missing_message(DIFF2LIP, model_folders(FOLDER))
        raise WeightsError(wanted if path.name == DIFF2LIP.file else f"There is no {checkpoint}. {wanted}")
    return open_model(path, _RUNTIME, free_memory)
