"""A saved UI workflow as graphs: nodes with their sockets, links, and subgraphs as graphs inside an instance node."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .prompt import ObjectInfo, WorkflowError, input_specs
from .ui_widgets import is_widget, widget_values

MUTED, BYPASSED = 2, 4
INPUTS, OUTPUTS = "-10", "-20"
"""The ids by which a subgraph's links name its own inputs and outputs."""


@dataclass(frozen=True)
class Socket:
    """An input or output of a node; `link` is the id of the link that feeds an input."""

    name: str
    kind: str
    link: str | None = None


@dataclass(frozen=True)
class Link:
    """A connection, from a node's output to a node's input, both by id and index."""

    origin: str
    origin_slot: int
    target: str
    target_slot: int


@dataclass(frozen=True, eq=False)
class UiNode:
    """A node of a graph, its sockets in the order that its page gives them."""

    graph: UiGraph
    saved: Mapping[str, Any]
    definition: Mapping[str, Any] | None
    subgraph: Mapping[str, Any] | None

    @property
    def id(self) -> str:
        """The node's id in its own graph."""
        return str(self.saved["id"])

    @property
    def path(self) -> str:
        """The node's id in the prompt: those of the subgraph instances around it, then its own."""
        return ":".join((*self.graph.path, self.id))

    @property
    def kind(self) -> str:
        """The node's class name, or the id of its subgraph."""
        return str(self.saved.get("type"))

    @property
    def mode(self) -> int:
        """0 where the node runs, `MUTED` or `BYPASSED`."""
        return int(self.saved.get("mode") or 0)

    @property
    def title(self) -> str:
        """The title that its page shows."""
        return str(self.saved.get("title") or (self.definition or {}).get("display_name") or self.kind)

    @cached_property
    def inputs(self) -> tuple[Socket, ...]:
        """Sockets as defined (those without a widget first), then whatever else the file has."""
        saved = {str(entry.get("name")): entry for entry in self.saved.get("inputs") or ()}
        kinds: dict[str, str] = {}
        if self.subgraph is not None:
            kinds = {str(entry.get("name")): str(entry.get("type")) for entry in self.subgraph.get("inputs") or ()}
        elif self.definition is not None:
            specs = input_specs(self.definition)
            for name in sorted(specs, key=lambda name: is_widget(*specs[name])):
                kinds[name] = specs[name][1] if isinstance(specs[name][1], str) else "COMBO"
        kinds |= {name: str(entry.get("type")) for name, entry in saved.items() if name not in kinds}
        return tuple(Socket(name, kind, _key(saved.get(name, {}).get("link"))) for name, kind in kinds.items())

    @cached_property
    def outputs(self) -> tuple[Socket, ...]:
        """Output sockets, as defined where that is known."""
        if self.subgraph is None and self.definition is not None:
            return tuple(Socket(str(kind), str(kind)) for kind in self.definition.get("output") or ())
        entries = (self.subgraph or self.saved).get("outputs") or ()
        return tuple(Socket(str(entry.get("name")), str(entry.get("type"))) for entry in entries)

    @cached_property
    def widgets(self) -> dict[str, Any]:
        """What the node's widgets hold; for a subgraph instance, those of the inner widgets that it shows as its own."""
        if self.subgraph is None:
            return widget_values(self.saved, self.definition)
        values = self.saved.get("widgets_values")
        if isinstance(values, Mapping):
            return dict(values)
        values = list(values or ())
        names = self.graph.inside(self).shown_inputs()
        proxies = (self.saved.get("properties") or {}).get("proxyWidgets") or ()
        if len(proxies) == len(values) > len(names):  # one value for each widget shown, of which "-1" marks its own inputs
            return {name: value for (owner, name, *_), value in zip(proxies, values, strict=True) if str(owner) == "-1"}
        return dict(zip(names, values, strict=False))


@dataclass(frozen=True, eq=False)
class UiGraph:
    """The nodes and links of a workflow, or of a subgraph as one instance of it uses it."""

    saved: Mapping[str, Any]
    object_info: ObjectInfo
    subgraphs: Mapping[str, Mapping[str, Any]]
    instance: UiNode | None = None
    _inner: dict[str, UiGraph] = field(default_factory=dict)

    @property
    def path(self) -> tuple[str, ...]:
        """The ids of the subgraph instances that lead here."""
        return () if self.instance is None else (*self.instance.graph.path, self.instance.id)

    @cached_property
    def nodes(self) -> dict[str, UiNode]:
        """The nodes by id."""
        return {
            str(saved["id"]): UiNode(
                self, saved, self.object_info.get(str(saved.get("type"))), self.subgraphs.get(str(saved.get("type")))
            )
            for saved in self.saved.get("nodes") or ()
            if isinstance(saved, Mapping) and "id" in saved
        }

    @cached_property
    def links(self) -> dict[str, Link]:
        """The links by id, from either of the two shapes that files have."""
        links: dict[str, Link] = {}
        for saved in self.saved.get("links") or ():
            if isinstance(saved, Mapping):
                saved = [saved[key] for key in ("id", "origin_id", "origin_slot", "target_id", "target_slot")]
            if isinstance(saved, (list, tuple)) and len(saved) >= 5:
                links[str(saved[0])] = Link(str(saved[1]), int(saved[2]), str(saved[3]), int(saved[4]))
        return links

    def inside(self, instance: UiNode) -> UiGraph:
        """Give the graph inside a subgraph instance of this graph.

        Raises:
            WorkflowError: the subgraph holds itself.
        """
        if instance.id not in self._inner:
            assert instance.subgraph is not None
            outer: UiNode | None = self.instance
            while outer is not None:
                if outer.kind == instance.kind:
                    raise WorkflowError(f'Subgraph "{outer.title}" (node {instance.path}) holds itself; it can never be run.')
                outer = outer.graph.instance
            self._inner[instance.id] = UiGraph(instance.subgraph, self.object_info, self.subgraphs, instance)
        return self._inner[instance.id]

    def every_node(self, *, running: bool) -> Iterator[UiNode]:
        """Walk through the nodes here and in all subgraphs; with `running`, not those muted or bypassed, nor what is in them."""
        for node in self.nodes.values():
            if running and node.mode in (MUTED, BYPASSED):
                continue
            yield node
            if node.subgraph is not None:
                yield from self.inside(node).every_node(running=running)

    def shown_inputs(self) -> list[str]:
        """Name the inputs of this subgraph that feed a widget inside, in order: its instance shows them as widgets of its own."""
        shown = []
        for entry in self.saved.get("inputs") or ():
            links = (self.links.get(str(key)) for key in entry.get("linkIds") or ())
            if any(link is not None and self._is_shown(link) for link in links):
                shown.append(str(entry.get("name")))
        return shown

    def _is_shown(self, link: Link) -> bool:
        node = self.nodes.get(link.target)
        entries = node.saved.get("inputs") or () if node is not None else ()
        if node is None or link.target_slot >= len(entries):
            return False
        entry = entries[link.target_slot]
        if node.subgraph is not None:
            return str(entry.get("name")) in self.inside(node).shown_inputs()
        return bool(entry.get("widget"))


def _key(link: Any) -> str | None:
    return None if link is None else str(link)
