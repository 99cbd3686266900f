"""The API format of a workflow (what a server's /prompt takes), its errors and the hooks of a run."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Prompt: TypeAlias = dict[str, dict[str, Any]]
"""``{"id": {"class_type": str, "inputs": {name: value or ["id", output index]}, "_meta": {"title": str}}}``."""

ObjectInfo: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Node definitions by class name, in the shape of a server's /object_info."""

NodeClasses: TypeAlias = Mapping[str, type]
"""V1 node classes by class name, as in NODE_CLASS_MAPPINGS."""

Outputs: TypeAlias = dict[str, dict[str, list[Any]]]
"""What the output nodes show, by node id, as a server's /history gives it: ``{"4": {"images": [{"filename", ...}]}}``."""


class WorkflowError(RuntimeError):
    """A workflow that cannot be read, is not valid, or failed. The message is one readable paragraph."""


class ServerGoneError(WorkflowError):
    """The server that ran the workflow cannot be reached any more, or was started again and forgot it: another one could run it."""


@dataclass(frozen=True)
class Hooks:
    """What a run tells its caller, here or on a server.

    Attributes:
        node: called before a node runs with its index (from 0), how many nodes the run needs, and its title.
        progress: called with a node's id, its steps done and its steps in all.
        finished: called with a node's id and what it shows (its ``ui``), after an output node has run.
    """

    node: Callable[[int, int, str], None] = lambda index, count, title: None
    progress: Callable[[str, int, int], None] = lambda node_id, done, total: None
    finished: Callable[[str, Mapping[str, list[Any]]], None] = lambda node_id, shown: None


def is_link(value: object) -> bool:
    """Say whether an input's value is a link, ``["node id", output index]``."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and _is_index(value[1])


def title(prompt: Prompt, node_id: str) -> str:
    """Give a node's title, or its class name where it has none."""
    node = prompt[node_id]
    meta = node.get("_meta")
    found = meta.get("title") if isinstance(meta, dict) else None
    return str(found or node.get("class_type") or node_id)


def label(prompt: Prompt, node_id: str) -> str:
    """Name a node in a message: ``node 3 "Sharpen the mouth" (TalkiesSharpen)``."""
    name = str(prompt[node_id].get("class_type"))
    shown = title(prompt, node_id)
    return f'node {node_id} "{shown}" ({name})' if shown != name else f"node {node_id} ({name})"


def input_specs(definition: Mapping[str, Any]) -> dict[str, tuple[str, Any, Mapping[str, Any]]]:
    """List a node's inputs in the order of its page: ``{name: ("required" or "optional", type, options)}``.

    Args:
        definition: an entry of /object_info; its ``input_order`` counts, inputs that it does not list come last.
    """
    inputs = definition.get("input") or {}
    order = definition.get("input_order") or {}
    named = [(section, name) for section in ("required", "optional") for name in order.get(section) or ()]
    named += [(section, name) for section in ("required", "optional") for name in inputs.get(section) or ()]
    specs: dict[str, tuple[str, Any, Mapping[str, Any]]] = {}
    for section, name in named:
        spec = (inputs.get(section) or {}).get(name)
        if spec is not None and name not in specs:
            specs[name] = (section, *type_and_options(spec))
    return specs


def type_and_options(spec: Any) -> tuple[Any, Mapping[str, Any]]:
    """Split one input's ``(type, options)``; options may be absent."""
    options = spec[1] if len(spec) > 1 and isinstance(spec[1], Mapping) else {}
    return spec[0], options


def combo_options(kind: Any, options: Mapping[str, Any]) -> list[Any] | None:
    """Give the choices of a combo input, in either of its two spellings; None when the input is not a combo."""
    if isinstance(kind, (list, tuple)):
        return list(kind)
    return list(options.get("options") or ()) if kind == "COMBO" else None


def _is_index(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
