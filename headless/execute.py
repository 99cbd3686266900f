"""Run a workflow in this process: nodes as its outputs need them, each intermediate result freed after its last use."""
from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from typing import Any

import torch

from ..host.blocker import Blocked
from .prompt import Hooks, NodeClasses, Outputs, Prompt, WorkflowError, is_link, label, title, type_and_options
from .results import Results
from .validate import Checked, check_prompt


def execute(
    prompt: Prompt, classes: NodeClasses, *, hooks: Hooks | None = None, extra_pnginfo: Mapping[str, Any] | None = None
) -> Outputs:
    """Check a workflow in API format and run it.

    Nodes run as on a server: under ``torch.inference_mode``, lists mapped over, lazy inputs only when asked for. There is no
    cache: every run computes everything that its outputs need, and nothing else.

    Args:
        prompt: the workflow; left as it is.
        classes: V1 node classes by class name.
        hooks: told of every node before it runs, and of what output nodes show.
        extra_pnginfo: what savers store beside the prompt, e.g. ``{"workflow": the UI format}``.

    Returns:
        What the output nodes show, by node id.

    Raises:
        WorkflowError: the workflow is not valid, or a node failed; the message names it and its cause is chained.
        KeyboardInterrupt: passes through, as does every other exception that is not an `Exception`.
    """
    checked = check_prompt(prompt, classes).require_valid()
    run = _Run(checked, classes, hooks or Hooks(), extra_pnginfo)
    with torch.inference_mode():
        for output in checked.outputs:
            run.reach(output)
    return run.shown


class _Run:
    def __init__(self, checked: Checked, classes: NodeClasses, hooks: Hooks, extra_pnginfo: Mapping[str, Any] | None) -> None:
        prompt, outputs = checked.prompt, checked.outputs
        self.prompt, self.classes, self.hooks, self.extra_pnginfo = prompt, classes, hooks, extra_pnginfo
        self.shown: Outputs = {}
        self._outputs = outputs
        self._needed: set[str] = set()
        self._declared: dict[str, Any] = {}
        self._objects: dict[str, Any] = {}
        self._started = 0
        self._results = Results(prompt, self._possible())
        for output in outputs:
            self._need(output)

    def reach(self, output: str) -> None:
        """Run `output` after everything it needs, one branch at a time, so that little is alive at once."""
        stack = [output]
        while stack:
            node_id = stack[-1]
            if self._results.has(node_id):
                stack.pop()
                continue
            missing = [source for source in self._strong_sources(node_id) if not self._results.has(source)]
            missing = missing or self._asked_for(node_id)
            if missing:
                self._require_no_circle(missing[0], stack)
                self._need(missing[0])
                stack.append(missing[0])
                continue
            self._run_node(node_id)
            stack.pop()

    def _need(self, node_id: str) -> None:
        """Count `node_id` and what it needs among the nodes to run."""
        waiting = [node_id]
        while waiting:
            current = waiting.pop()
            if current not in self._needed:
                self._needed.add(current)
                waiting += self._strong_sources(current)

    def _possible(self) -> set[str]:
        """The nodes that may still run, lazy inputs counted as if they were all asked for."""
        possible: set[str] = set()
        waiting = list(self._outputs)
        while waiting:
            node_id = waiting.pop()
            if node_id not in possible and not (self._started and self._results.has(node_id)):
                possible.add(node_id)
                waiting += [value[0] for value in self.prompt[node_id]["inputs"].values() if is_link(value)]
        return possible

    def _strong_sources(self, node_id: str) -> list[str]:
        lazy = self._lazy_inputs(node_id)
        return [value[0] for name, value in self.prompt[node_id]["inputs"].items() if is_link(value) and name not in lazy]

    def _lazy_inputs(self, node_id: str) -> set[str]:
        return {name for name, options in self._options(node_id).items() if options.get("lazy")}

    def _options(self, node_id: str) -> dict[str, Mapping[str, Any]]:
        declared = self._inputs_declared(node_id)
        specs = {**declared.get("required", {}), **declared.get("optional", {})}
        return {name: type_and_options(spec)[1] for name, spec in specs.items()}

    def _inputs_declared(self, node_id: str) -> Mapping[str, Mapping[str, Any]]:
        if node_id not in self._declared:
            self._declared[node_id] = self._kind(node_id).INPUT_TYPES()
        return dict(self._declared[node_id])

    def _kind(self, node_id: str) -> Any:
        return self.classes[self.prompt[node_id]["class_type"]]

    def _object(self, node_id: str) -> Any:
        if node_id not in self._objects:
            self._objects[node_id] = self._guarded(node_id, self._kind(node_id))
        return self._objects[node_id]

    def _asked_for(self, node_id: str) -> list[str]:
        """The sources of lazy inputs that the node asks for, now that it can see the others."""
        lazy = [name for name in self._lazy_inputs(node_id) if is_link(self.prompt[node_id]["inputs"].get(name))]
        if not lazy or not hasattr(self._object(node_id), "check_lazy_status"):
            return []
        answers = self._call(node_id, "check_lazy_status", self._inputs(node_id))
        names = [name for answer in answers if isinstance(answer, (list, tuple)) for name in answer]
        sources = [self.prompt[node_id]["inputs"][name][0] for name in lazy if name in names]
        return [source for source in sources if not self._results.has(source)]

    def _inputs(self, node_id: str) -> dict[str, list[Any]]:
        """Every input as a list of values, as nodes that map over lists want them; None for what was not computed."""
        node, options = self.prompt[node_id], self._options(node_id)
        values: dict[str, list[Any]] = {}
        for name, value in node["inputs"].items():
            if is_link(value) and not options.get(name, {}).get("rawLink"):
                values[name] = self._results.get(value) if self._results.has(value[0]) else [None]
            elif name in options:
                values[name] = [value]
        hidden = {"PROMPT": self.prompt, "EXTRA_PNGINFO": self.extra_pnginfo, "UNIQUE_ID": node_id}
        for name, spec in self._inputs_declared(node_id).get("hidden", {}).items():
            values[name] = [hidden.get(spec if isinstance(spec, str) else spec[0])]
        return values

    def _run_node(self, node_id: str) -> None:
        self.hooks.node(self._started, len(self._needed), title(self.prompt, node_id))
        self._started += 1
        kind = self._kind(node_id)
        answers = self._call(node_id, kind.FUNCTION, self._inputs(node_id))
        width = len(kind.RETURN_TYPES)
        rows = [self._row(node_id, answer, width) for answer in answers]
        shown: dict[str, list[Any]] = {}
        for answer in answers:
            for key, values in ((answer.get("ui") if isinstance(answer, dict) else None) or {}).items():
                shown.setdefault(key, []).extend(values)
        are_lists = getattr(kind, "OUTPUT_IS_LIST", (False,) * width)
        columns: list[list[Any]] = [[] for _ in range(width)]
        for row in rows:
            for column, value, is_list in zip(columns, row, are_lists, strict=True):
                column.extend(value if is_list and not isinstance(value, Blocked) else [value])
        self._results.add(node_id, columns)
        self._objects.pop(node_id, None)
        if self._lazy_inputs(node_id):  # whatever it did not ask for may now be out of reach
            self._results.keep_readers(self._possible())
        if shown:
            self.shown[node_id] = shown
            self.hooks.finished(node_id, shown)

    def _row(self, node_id: str, answer: Any, width: int) -> tuple[Any, ...]:
        """One call's results, one value an output."""
        if isinstance(answer, dict):
            if "expand" in answer:
                raise WorkflowError(f"{self._name(node_id)} unfolds into further nodes; that runs in ComfyUI only (--server).")
            answer = answer.get("result", ())
        if isinstance(answer, Blocked):
            return (answer,) * width
        row = () if answer is None else tuple(answer) if isinstance(answer, (tuple, list)) else (answer,)
        if len(row) < width:
            raise WorkflowError(f"{self._name(node_id)} gave {len(row)} results where it declares {width} outputs.")
        return row[:width]

    def _call(self, node_id: str, function: str, inputs: dict[str, list[Any]]) -> list[Any]:
        """Call a method of a node once with whole lists, or once for every place of its longest list."""
        method = getattr(self._object(node_id), function)
        if getattr(self._kind(node_id), "INPUT_IS_LIST", False):
            return [self._call_once(node_id, method, inputs, [value for values in inputs.values() for value in values])]
        empty = [name for name, values in inputs.items() if not values]
        if empty:
            raise WorkflowError(f"{self._name(node_id)} got an empty list for its input {empty[0]}.")
        answers = []
        for call in range(max((len(values) for values in inputs.values()), default=1)):
            row = {name: values[min(call, len(values) - 1)] for name, values in inputs.items()}
            answers.append(self._call_once(node_id, method, row, list(row.values())))
        return answers

    def _call_once(self, node_id: str, method: Any, arguments: dict[str, Any], values: list[Any]) -> Any:
        for value in values:
            if isinstance(value, Blocked):
                if value.message is None:
                    return value
                raise WorkflowError(f"{self._name(node_id)} got no input: {value.message}")
        return self._guarded(node_id, method, arguments)

    def _guarded(self, node_id: str, function: Any, arguments: Mapping[str, Any] | None = None) -> Any:
        try:
            answer = function(**(arguments or {}))
            return asyncio.run(_settled(answer)) if inspect.isawaitable(answer) else answer
        except WorkflowError:
            raise
        except Exception as error:
            raise WorkflowError(f"{self._name(node_id)} failed: {_reason(error)}") from error

    def _name(self, node_id: str) -> str:
        name = label(self.prompt, node_id)
        return name[:1].upper() + name[1:]

    def _require_no_circle(self, source: str, stack: list[str]) -> None:
        if source in stack:  # links that are lazy on both sides pass the validation of other hosts
            raise WorkflowError(f"{self._name(source)} waits for itself: the links run in a circle.")


async def _settled(answer: Any) -> Any:
    return await answer


def _reason(error: Exception) -> str:
    """The message of an error, with its type where the message alone says little."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return f"out of memory ({error}). Shorten the clip or its size, or run the operations by chunks with Render Video."
    text = str(error).strip()
    return text if text and isinstance(error, (ValueError, OSError, RuntimeError)) else f"{type(error).__name__}: {text}"
