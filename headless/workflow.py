"""Read a workflow, in the UI format that the page saves or the API format that it queues, and bring it to the API format."""
from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from .prompt import ObjectInfo, Prompt, WorkflowError
from .ui_format import from_ui


def load_workflow(path: Path) -> dict[str, Any]:
    """Read a workflow file as it is: JSON of either format, or a PNG that ComfyUI saved, which carries its workflow.

    Raises:
        WorkflowError: the file is missing, is not JSON, or holds no workflow.
    """
    if not path.is_file():
        raise WorkflowError(f"{path} is not there; a workflow is a .json file saved from ComfyUI, or a .png that it made.")
    text = _from_picture(path) if path.suffix.lower() == ".png" else path.read_text(encoding="utf-8-sig")
    try:
        workflow = json.loads(text)
    except ValueError as error:
        raise WorkflowError(f"{path} is not JSON: {error}. Save the workflow again from ComfyUI.") from error
    if not is_ui(workflow) and _api(workflow) is None:
        raise WorkflowError(
            f"{path} is JSON, but not a workflow. The UI format has \"nodes\" and \"links\"; the API format has a \"class_type\" "
            "for every node id."
        )
    return dict(workflow)


def is_ui(workflow: object) -> bool:
    """Say whether a workflow is in the UI format."""
    return isinstance(workflow, dict) and isinstance(workflow.get("nodes"), list)


def to_prompt(workflow: Mapping[str, Any], object_info: ObjectInfo) -> Prompt:
    """Bring a workflow of either format to the API format; the given one is left as it is.

    Args:
        workflow: what `load_workflow` gives; the body of a request to /prompt is taken too.
        object_info: the node definitions, from a server or from `object_info`.

    Raises:
        WorkflowError: it is of neither format, or cannot be converted.
    """
    if is_ui(workflow):
        return from_ui(workflow, object_info)
    nodes = _api(workflow)
    if nodes is None:
        raise WorkflowError('This is no workflow: it has neither "nodes" (UI format) nor "class_type"s by node id (API format).')
    prompt: Prompt = {}
    for node_id, node in nodes.items():
        entry = copy.deepcopy(dict(node))
        entry.setdefault("inputs", {})
        class_name = str(entry.get("class_type"))
        shown = object_info.get(class_name, {}).get("display_name", class_name)
        entry["_meta"] = {"title": shown} | (entry.get("_meta") or {})
        prompt[str(node_id)] = entry
    return prompt


def _api(workflow: object) -> Mapping[str, Any] | None:
    """The nodes of an API-format workflow, also out of a request's body; None where it is something else."""
    if not isinstance(workflow, Mapping):
        return None
    body = workflow.get("prompt")
    nodes = {key: node for key, node in (body if isinstance(body, Mapping) else workflow).items() if isinstance(node, Mapping)}
    return nodes if nodes and any("class_type" in node for node in nodes.values()) else None


def _from_picture(path: Path) -> str:
    with Image.open(path) as picture:
        for key in ("workflow", "prompt"):
            if isinstance(picture.info.get(key), str):
                return str(picture.info[key])
    raise WorkflowError(f"{path} carries no workflow; it was saved without one, or another program has rewritten it.")
