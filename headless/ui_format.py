"""From the UI format of a workflow (what the page saves) to the API format (what it queues).

The page's own conversion, offline: muted nodes go, bypassed ones hand their input through by type, reroutes and primitives
dissolve, subgraphs unfold under ids such as ``"12:3"``, and widgets give the values of inputs that are not linked.
"""
from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .prompt import ObjectInfo, Prompt, WorkflowError, input_specs, is_link
from .ui_graph import BYPASSED, INPUTS, Link, UiGraph, UiNode
from .ui_text import SAVERS, choose, fill_patterns

PRIMITIVE, REROUTE, SETTER, GETTER = "PrimitiveNode", "Reroute", "SetNode", "GetNode"
VIRTUAL = frozenset({PRIMITIVE, REROUTE, SETTER, GETTER, "Note", "MarkdownNote"})
"""Nodes that live on the page only."""


@dataclass(frozen=True)
class _Value:
    """A link that turned out to carry a widget's value."""

    value: Any


_Origin = list[Any] | _Value | None  # ["node id", output index], a value, or nothing


def from_ui(workflow: Mapping[str, Any], object_info: ObjectInfo) -> Prompt:
    """Convert a workflow in UI format.

    Args:
        workflow: what the page saves, with ``nodes`` and ``links``.
        object_info: the node definitions; a node that is not among them is kept with what the file says of it.

    Raises:
        WorkflowError: links run in a circle through reroutes or bypassed nodes, a subgraph holds itself, or there is a group node.
    """
    definitions = workflow.get("definitions") or {}
    subgraphs = {str(entry["id"]): entry for entry in definitions.get("subgraphs") or ()}
    graph = UiGraph(workflow, object_info, subgraphs)
    prompt: Prompt = {}
    for node in graph.every_node(running=True):
        if node.kind.startswith(("workflow>", "workflow/")):
            raise WorkflowError(
                f'Node {node.path} "{node.title}" is a group node, which the page no longer makes. '
                "Open the workflow in ComfyUI, convert it to a subgraph, and save it again."
            )
        if node.subgraph is None and node.kind not in VIRTUAL:
            prompt[node.path] = {"inputs": _inputs(node, graph), "class_type": node.kind, "_meta": {"title": node.title}}
    for entry in prompt.values():
        entry["inputs"] = {
            name: value for name, value in entry["inputs"].items() if not is_link(value) or value[0] in prompt
        }
    return prompt


def _inputs(node: UiNode, graph: UiGraph) -> dict[str, Any]:
    inputs = {name: _wrapped(value) for name, value in _texts(node, graph).items()}
    for slot, socket in enumerate(node.inputs):
        origin = _input_origin(node, slot, socket.kind, set())
        if origin is not None:
            inputs[socket.name] = _wrapped(origin.value) if isinstance(origin, _Value) else origin
    return inputs


def _wrapped(value: Any) -> Any:
    """A list is a link in the API format, so one that is a value is wrapped."""
    return {"__value__": value} if isinstance(value, list) else value


def _texts(node: UiNode, graph: UiGraph) -> dict[str, Any]:
    """A node's widget values, with those texts settled that the page settles as it queues."""
    values = dict(node.widgets)
    specs = input_specs(node.definition or {})
    for name, value in values.items():
        if isinstance(value, str) and name in specs and specs[name][2].get("dynamicPrompts"):
            values[name] = choose(value, random.Random())
    prefix = values.get("filename_prefix")
    if node.kind in SAVERS and isinstance(prefix, str):
        values["filename_prefix"] = fill_patterns(prefix, lambda name, widget: _widget(graph, name, widget), datetime.now())
    return values


def _widget(graph: UiGraph, name: str, widget: str) -> object | None:
    nodes = list(graph.every_node(running=False))
    named = [node for node in nodes if (node.saved.get("properties") or {}).get("Node name for S&R") == name]
    node = next(iter(named or [node for node in nodes if node.title == name]), None)
    return None if node is None else node.widgets.get(widget)


def _input_origin(node: UiNode, slot: int, kind: str, seen: set[tuple[str, str, int]]) -> _Origin:
    """Follow an input to what feeds it; `kind` is the type that is asked for."""
    _guard(node, "input", slot, seen)
    if slot >= len(node.inputs) or node.inputs[slot].link is None:
        return None
    link = node.graph.links.get(str(node.inputs[slot].link))
    return None if link is None else _link_origin(node.graph, link, kind, seen)


def _link_origin(graph: UiGraph, link: Link, kind: str, seen: set[tuple[str, str, int]]) -> _Origin:
    if link.origin == INPUTS and graph.instance is not None:
        return _instance_origin(graph.instance, link.origin_slot, kind, seen)
    origin = graph.nodes.get(link.origin)
    return None if origin is None else _output_origin(origin, link.origin_slot, kind, seen)


def _instance_origin(instance: UiNode, slot: int, kind: str, seen: set[tuple[str, str, int]]) -> _Origin:
    """What feeds an input of a subgraph from outside: a link, or the widget of its instance."""
    if slot >= len(instance.inputs):
        return None
    socket = instance.inputs[slot]
    if socket.link is not None:
        return _input_origin(instance, slot, kind, seen)
    return _Value(instance.widgets[socket.name]) if socket.name in instance.widgets else None


def _output_origin(node: UiNode, slot: int, kind: str, seen: set[tuple[str, str, int]]) -> _Origin:
    """Follow an output back through nodes that do not run themselves."""
    _guard(node, "output", slot, seen)
    if node.kind == PRIMITIVE:
        saved = node.saved.get("widgets_values")
        return _Value(saved[0]) if isinstance(saved, list) and saved else None
    if node.mode == BYPASSED:
        matching = _bypass_input(node, slot, kind)
        return None if matching is None else _input_origin(node, matching, node.inputs[matching].kind, seen)
    if node.subgraph is not None:
        return _subgraph_output(node, slot, kind, seen)
    if node.kind == GETTER:
        setter = _setter(node)
        return None if setter is None else _input_origin(setter, 0, kind, seen)
    if node.kind in VIRTUAL:
        return _input_origin(node, slot, kind, seen)
    return [node.path, slot]


def _subgraph_output(node: UiNode, slot: int, kind: str, seen: set[tuple[str, str, int]]) -> _Origin:
    assert node.subgraph is not None
    inner = node.graph.inside(node)
    outputs = node.subgraph.get("outputs") or ()
    links = outputs[slot].get("linkIds") or () if slot < len(outputs) else ()
    link = inner.links.get(str(links[0])) if links else None
    return None if link is None else _link_origin(inner, link, kind, seen)


def _setter(getter: UiNode) -> UiNode | None:
    """The node that sets the name which a getter reads, in the getter's graph or one around it."""
    graph: UiGraph | None = getter.graph
    while graph is not None:
        for node in graph.nodes.values():
            if node.kind == SETTER and node.saved.get("widgets_values") == getter.saved.get("widgets_values"):
                return node
        graph = graph.instance.graph if graph.instance is not None else None
    return None


def _bypass_input(node: UiNode, slot: int, kind: str) -> int | None:
    """The input that a bypassed node hands to an output: the one beside it, else the first of the type, else any that fits."""
    kinds = [socket.kind for socket in node.inputs]
    if kind in ("*", ""):
        return (slot if slot < len(kinds) else 0) if kinds else None
    given = node.outputs[slot].kind if slot < len(node.outputs) else kind
    fitting = [_connects(own, given) and _connects(own, kind) for own in kinds]
    if slot < len(kinds) and fitting[slot]:
        return slot
    if kind in kinds:
        return kinds.index(kind)
    return fitting.index(True) if True in fitting else None


def _connects(one: str, other: str) -> bool:
    if {one, other} & {"", "*", "0", "None"}:
        return True
    return not {part.strip().lower() for part in one.split(",")}.isdisjoint(part.strip().lower() for part in other.split(","))


def _guard(node: UiNode, side: str, slot: int, seen: set[tuple[str, str, int]]) -> None:
    step = (node.path, side, slot)
    if step in seen:
        raise WorkflowError(f'Node {node.path} "{node.title}": {side} {slot} leads back to itself; the links run in a circle.')
    seen.add(step)
