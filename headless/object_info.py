"""Describe V1 node classes as a server's /object_info does, so that workflows convert the same here and against a server."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .prompt import NodeClasses


def object_info(classes: NodeClasses, display_names: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """Describe node classes in the shape of a server's /object_info.

    Args:
        classes: V1 node classes by class name.
        display_names: their titles, as in NODE_DISPLAY_NAME_MAPPINGS; a class may carry its own as ``DISPLAY_NAME``.
    """
    names = display_names or {}
    return {name: _describe(name, node, names.get(name)) for name, node in classes.items()}


def _describe(name: str, node: Any, display_name: str | None) -> dict[str, Any]:
    inputs: dict[str, dict[str, Any]] = {
        section: {key: _plain(spec) for key, spec in specs.items()} for section, specs in node.INPUT_TYPES().items()
    }
    outputs = list(node.RETURN_TYPES)
    info: dict[str, Any] = {
        "input": inputs,
        "input_order": {section: list(specs) for section, specs in inputs.items()},
        "output": outputs,
        "output_is_list": list(getattr(node, "OUTPUT_IS_LIST", [False] * len(outputs))),
        "output_name": list(getattr(node, "RETURN_NAMES", outputs)),
        "name": name,
        "display_name": display_name or getattr(node, "DISPLAY_NAME", name),
        "description": getattr(node, "DESCRIPTION", ""),
        "python_module": getattr(node, "RELATIVE_PYTHON_MODULE", "nodes"),
        "category": getattr(node, "CATEGORY", "sd"),
        "output_node": getattr(node, "OUTPUT_NODE", False) is True,
    }
    if hasattr(node, "OUTPUT_TOOLTIPS"):
        info["output_tooltips"] = list(node.OUTPUT_TOOLTIPS)
    if hasattr(node, "SEARCH_ALIASES"):
        info["search_aliases"] = list(node.SEARCH_ALIASES)
    info.update({flag.lower(): True for flag in ("DEPRECATED", "EXPERIMENTAL") if getattr(node, flag, False)})
    return info


def _plain(value: Any) -> Any:
    """Tuples as lists, all the way down, as JSON would give them."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, Mapping) else value
