"""The results of nodes during a run, each kept only until the last node that needs it has run."""
from __future__ import annotations

from collections import defaultdict
from typing import Any

from .prompt import Prompt, is_link


class Results:
    """Output values by link; forgets them as soon as they have no reader left."""

    def __init__(self, prompt: Prompt, readers: set[str]) -> None:
        """Count which of the nodes `readers` read every output of `prompt`."""
        self._values: dict[tuple[str, int], list[Any]] = {}
        self._done: set[str] = set()
        self._readers: dict[tuple[str, int], set[str]] = defaultdict(set)
        self._reads: dict[str, set[tuple[str, int]]] = defaultdict(set)
        for node_id in readers:
            for value in prompt[node_id]["inputs"].values():
                if is_link(value):
                    link = (value[0], int(value[1]))
                    self._readers[link].add(node_id)
                    self._reads[node_id].add(link)

    def has(self, node_id: str) -> bool:
        """Say whether a node has run."""
        return node_id in self._done

    def get(self, link: list[Any]) -> list[Any]:
        """Give the values of an output of a node that has run."""
        return self._values[link[0], int(link[1])]

    def add(self, node_id: str, columns: list[list[Any]]) -> None:
        """Keep those outputs of `node_id` that somebody reads, and forget what `node_id` was the last to read."""
        self._done.add(node_id)
        for slot, values in enumerate(columns):
            if self._readers[node_id, slot]:
                self._values[node_id, slot] = values
        for link in self._reads[node_id]:
            self._readers[link].discard(node_id)
            if not self._readers[link]:
                self._values.pop(link, None)

    def keep_readers(self, readers: set[str]) -> None:
        """Forget what none of `readers` reads: the other nodes will not run any more."""
        for link, waiting in self._readers.items():
            waiting &= readers
            if not waiting:
                self._values.pop(link, None)

    def kept(self) -> list[tuple[str, int]]:
        """List the outputs that are alive, as (node id, output index)."""
        return list(self._values)
