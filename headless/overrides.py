"""Set inputs of a workflow from the command line: ``3.strength=0.5``, ``TalkiesSharpen.mode=unsharp``."""
from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

from .prompt import ObjectInfo, Prompt, WorkflowError, combo_options, input_specs, is_link, label, title

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def apply_overrides(prompt: Prompt, overrides: Iterable[str], object_info: ObjectInfo) -> Prompt:
    """Give the workflow with some inputs set anew.

    Args:
        prompt: a workflow in API format; it is left as it is.
        overrides: ``NODE.INPUT=VALUE`` each, where NODE is a node's id, its title or its class name. The value is read as
            what the input is declared to be; an input that takes a link reads ``["3", 0]``.
        object_info: the node definitions.

    Raises:
        WorkflowError: not of that form, no such node or input (the message lists what there is), more than one node of that
            title or class, or a value that the input cannot hold.
    """
    changed = copy.deepcopy(prompt)
    for override in overrides:
        target, equals, text = override.partition("=")
        if not equals or "." not in target:
            raise WorkflowError(f'"{override}" is not NODE.INPUT=VALUE, e.g. 3.strength=0.5 or TalkiesSharpen.mode=unsharp.')
        node_id, name = _find(changed, target.strip(), override)
        node = changed[node_id]
        definition = object_info.get(str(node["class_type"]))
        node["inputs"][name] = _read(text, name, label(changed, node_id), definition, override)
    return changed


def _find(prompt: Prompt, target: str, override: str) -> tuple[str, str]:
    """Split ``NODE.INPUT``; both may hold dots, so every place is tried, the last one first."""
    places = [place for place, character in enumerate(target) if character == "."]
    for place in reversed(places):
        name, matching = target[:place], _matching(prompt, target[:place])
        if len(matching) == 1:
            return matching[0], target[place + 1 :]
        if matching:
            listed = ", ".join(label(prompt, node_id) for node_id in matching)
            raise WorkflowError(f'"{override}": {len(matching)} nodes are called "{name}": {listed}. Name one by its id.')
    listed = "; ".join(label(prompt, node_id) for node_id in prompt)
    raise WorkflowError(f'"{override}": there is no node "{target[: places[-1]]}". There are: {listed}.')


def _matching(prompt: Prompt, name: str) -> list[str]:
    if name in prompt:
        return [name]
    return [node_id for node_id, node in prompt.items() if name in (title(prompt, node_id), node.get("class_type"))]


def _read(text: str, name: str, node: str, definition: Mapping[str, Any] | None, override: str) -> Any:
    """Read a value as an input is declared; of a class that is not known, as JSON or else as text."""
    if definition is None:
        return _json(text)
    specs = input_specs(definition)
    if name not in specs:
        raise WorkflowError(f'"{override}": {node} has no input "{name}". It has: {", ".join(specs) or "none"}.')
    _, kind, options = specs[name]
    choices = combo_options(kind, options)
    if choices is not None:
        # A choice may be a number; one that is not offered is left to the validation, which lists what is.
        return next((choice for choice in choices if str(choice) == text), text)
    try:
        return _convert(text, kind)
    except ValueError:
        wanted = _NAMES.get(kind, f"a link to {kind}, as [id, index]")
        raise WorkflowError(f'"{override}": input {name} of {node} takes {wanted}.') from None


_NAMES: Mapping[str, str] = {"INT": "a whole number", "FLOAT": "a number", "BOOLEAN": "true or false"}


def _convert(text: str, kind: Any) -> Any:
    if kind == "STRING":
        return text
    if kind == "INT":
        return int(text)
    if kind == "FLOAT":
        return float(text)
    if kind == "BOOLEAN":
        if text.lower() not in _TRUE + _FALSE:
            raise ValueError(text)
        return text.lower() in _TRUE
    value = _json(text)
    if not is_link(value):
        raise ValueError(text)
    return value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
