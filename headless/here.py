"""One job of a batch, in this process."""
from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
from .builtin import Folders, builtin_nodes
from .client import shown_files
from .execute import execute
from .jobs import Job, prompt_for
from .object_info import object_info
from .run import prepare


def run_job(job: Job, workflow: Path, overrides: Iterable[str], inputs: Path, folder: Path) -> list[Path]:
    """Run a workflow on a job's video.

    Args:
        job: the video, and the sound that belongs to it.
        workflow: a file of either format.
        overrides: ``NODE.INPUT=VALUE`` each.
        inputs: where loaders that name other files look.
        folder: gets what is made.

    Returns:
        The files that the workflow saved.

    Raises:
        WorkflowError: it cannot be read, is not valid, or fails.
    """
    folders = Folders(inputs, folder / "output", folder / "temp", allow_paths=True)
    classes = {**builtin_nodes(folders), **NODE_CLASS_MAPPINGS}
    definitions = object_info(classes, NODE_DISPLAY_NAME_MAPPINGS)
    prompt, extra = prepare(workflow, definitions, overrides)
    absolute = Job(job.video.resolve(), job.audio and job.audio.resolve())
    outputs = execute(prompt_for(prompt, absolute, definitions), classes, extra_pnginfo=extra)
    return [folders.path_of(shown) for shown in shown_files(outputs) if shown["type"] == "output"]
