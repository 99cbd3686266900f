"""Check a workflow before it runs, as a ComfyUI server does when it is queued."""
from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .prompt import NodeClasses, Prompt, WorkflowError, combo_options, is_link, label, type_and_options

MANY_CHOICES = 20


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a workflow.

    Attributes:
        kind: the server's own name for it, e.g. ``value_bigger_than_max``.
        message: a sentence that names node, class, input, value and range.
        node_id: the node, where it is one node's.
        input_name: the input, where it is one input's.
    """

    kind: str
    message: str
    node_id: str | None = None
    input_name: str | None = None

    def __str__(self) -> str:
        """Give the message."""
        return self.message


@dataclass(frozen=True)
class Checked:
    """A workflow after its check: values brought to the types that its inputs declare, the output nodes, and what is wrong."""

    prompt: Prompt
    outputs: tuple[str, ...]
    problems: tuple[Problem, ...]

    def require_valid(self) -> Checked:
        """Give itself.

        Raises:
            WorkflowError: there are problems; the message lists them.
        """
        if self.problems:
            raise WorkflowError("The workflow cannot run. " + " ".join(str(problem) for problem in self.problems))
        return self


def validate_prompt(prompt: Prompt, classes: NodeClasses) -> list[Problem]:
    """List what is wrong with a workflow in API format; empty when it can run."""
    return list(check_prompt(prompt, classes).problems)


def check_prompt(prompt: Prompt, classes: NodeClasses) -> Checked:
    """Check a workflow in API format, which is left as it is, as far as its output nodes need it.

    Checked are: node types, required inputs, links (both ends, types, circles), values (type, range, choices), each node's own
    VALIDATE_INPUTS, and that there is an output at all.
    """
    checked = copy.deepcopy(prompt)
    unknown = [_unknown(checked, node_id) for node_id, node in checked.items() if node.get("class_type") not in classes]
    if unknown:
        return Checked(checked, (), tuple(unknown))
    outputs = tuple(node_id for node_id, node in checked.items() if is_output(classes[node["class_type"]]))
    if not outputs:
        problem = Problem("prompt_no_outputs", "It has no output node (e.g. Save Image, Save Video or a preview).")
        return Checked(checked, (), (problem,))
    check = _Check(checked, classes)
    for output in outputs:
        check.run(output)
    return Checked(checked, outputs, tuple(check.problems))


def is_output(kind: type) -> bool:
    """Say whether a node class is an output, for whose sake a workflow runs."""
    return getattr(kind, "OUTPUT_NODE", False) is True


def types_meet(given: Any, wanted: Any) -> bool:
    """Say whether an output's type may feed an input's: equal, or one of several joined by commas in common; ``*`` takes all."""
    differ = given != wanted  # not `==`: before servers knew "*", types that take anything overrode `!=`
    if not differ or "*" in (given, wanted):
        return True
    if not isinstance(given, str) or not isinstance(wanted, str):
        return False
    return not {part.strip() for part in given.split(",")}.isdisjoint(part.strip() for part in wanted.split(","))


def _unknown(prompt: Prompt, node_id: str) -> Problem:
    kind = prompt[node_id].get("class_type")
    if kind is None:
        return Problem("invalid_prompt", f"Node {node_id} has no class_type.", node_id)
    text = f"{_capital(label(prompt, node_id))}: there is no node type {kind} here; is its pack installed?"
    return Problem("invalid_prompt", text, node_id)


class _Check:
    """Walks from outputs to what feeds them, each node once."""

    def __init__(self, prompt: Prompt, classes: NodeClasses) -> None:
        self.prompt, self.classes = prompt, classes
        self.problems: list[Problem] = []
        self._done: set[str] = set()

    def run(self, output: str) -> None:
        """Check `output` and all nodes it needs, without recursion: a chain may be longer than Python's stack."""
        stack: list[tuple[str, list[str]]] = [(output, self._enter(output))]
        while stack:
            node_id, sources = stack[-1]
            if not sources:
                stack.pop()
                continue
            source = sources.pop()
            path = [step for step, _ in stack]
            if source in path:
                around = " -> ".join([source, *reversed(path[path.index(source) :])])
                if not any(problem.kind == "dependency_cycle" for problem in self.problems):
                    self._report("dependency_cycle", node_id, None, f"the links run in a circle: {around}")
            elif source not in self._done:
                stack.append((source, self._enter(source)))

    def _enter(self, node_id: str) -> list[str]:
        """Check one node's own inputs; gives the nodes that it links to."""
        if node_id in self._done:
            return []
        self._done.add(node_id)
        node = self.prompt[node_id]
        kind = self.classes[node["class_type"]]
        declared = kind.INPUT_TYPES()  # type: ignore[attr-defined]
        names, takes_all = _own_check(kind)
        given, links, received = node["inputs"], [], {}
        before = len(self.problems)
        for section in ("required", "optional"):
            for name, spec in (declared.get(section) or {}).items():
                wanted, options = type_and_options(spec)
                if name not in given:
                    if section == "required":
                        self._report("required_input_missing", node_id, name, "is required, but neither set nor linked")
                elif isinstance(given[name], list):
                    source = self._link(node_id, name, given[name], wanted, check_type="input_types" not in names)
                    if source is not None:
                        links.append(source[0])
                        received[name] = source[1]
                else:
                    self._value(node_id, name, wanted, options, ranged=name not in names and not takes_all)
        if (names or takes_all) and len(self.problems) == before:
            self._ask_node(node_id, kind, names, takes_all, received)
        return links

    def _link(self, node_id: str, name: str, link: list[Any], wanted: Any, *, check_type: bool) -> tuple[str, Any] | None:
        if len(link) != 2:
            self._report("bad_linked_input", node_id, name, f"holds the list {link}; a link is [node id, output index]")
            return None
        source, slot = link
        if not isinstance(source, str) or source not in self.prompt:
            self._report("bad_linked_input", node_id, name, f"links to node {source}, which is not in the workflow")
            return None
        given = self.classes[self.prompt[source]["class_type"]].RETURN_TYPES  # type: ignore[attr-defined]
        if not is_link(link) or slot not in range(len(given)):
            text = f"links to output {slot} of {label(self.prompt, source)}, which has {len(given)} (counted from 0)"
            self._report("bad_linked_input", node_id, name, text)
            return None
        given_type = given[int(slot)]
        if check_type and not types_meet(given_type, wanted):
            text = f"wants {_type_name(wanted)}, but {label(self.prompt, source)} gives {given_type} from its output {slot}"
            self._report("return_type_mismatch", node_id, name, text)
            return None
        return source, given_type

    def _value(self, node_id: str, name: str, wanted: Any, options: Mapping[str, Any], *, ranged: bool) -> None:
        inputs = self.prompt[node_id]["inputs"]
        value = inputs[name]
        if isinstance(value, dict) and "__value__" in value:
            value = inputs[name] = value["__value__"]
        convert = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}.get(wanted) if isinstance(wanted, str) else None
        if convert is not None:
            try:
                value = inputs[name] = convert(value)
            except (TypeError, ValueError, OverflowError):
                self._report("invalid_input_type", node_id, name, f"is {value!r}; it takes {_type_name(wanted)}")
                return
        if not ranged:
            return
        low, high = (options.get("min"), options.get("max")) if isinstance(value, (int, float)) else (None, None)
        span = f"range {'-inf' if low is None else low} to {'inf' if high is None else high}"
        if low is not None and value < low:
            self._report("value_smaller_than_min", node_id, name, f"is {value}, smaller than the least, {low} ({span})")
        elif high is not None and value > high:
            self._report("value_bigger_than_max", node_id, name, f"is {value}, bigger than the most, {high} ({span})")
        choices = combo_options(wanted, options)
        if choices is not None and value not in choices and not options.get("remote"):
            listed = f"{len(choices)} choices" if len(choices) > MANY_CHOICES else ", ".join(map(str, choices)) or "nothing"
            self._report("value_not_in_list", node_id, name, f"is {value!r}; there is {listed} to choose from")

    def _ask_node(self, node_id: str, kind: Any, names: list[str], takes_all: bool, received: Mapping[str, Any]) -> None:
        """Call the node's VALIDATE_INPUTS with constants; a linked value is not known yet and goes in as None."""
        is_list = getattr(kind, "INPUT_IS_LIST", False)
        given, declared = self.prompt[node_id]["inputs"], _declared(kind)
        values = {name: None if isinstance(value, list) else value for name, value in given.items() if name in declared}
        asked = {name: [value] if is_list else value for name, value in values.items() if takes_all or name in names}
        asked_names = list(asked)
        if "input_types" in names:
            asked["input_types"] = [dict(received)] if is_list else dict(received)
        try:
            answer = kind.VALIDATE_INPUTS(**asked)
        except Exception as error:  # noqa: BLE001 - a node's own check may raise anything; the server reports it as a problem too
            self._report("exception_during_validation", node_id, None, f"its own check failed: {type(error).__name__}: {error}")
            return
        if answer is not True:
            reason = answer if isinstance(answer, str) else f"the node refuses its {', '.join(asked_names) or 'inputs'}"
            self._report("custom_validation_failed", node_id, asked_names[0] if len(asked_names) == 1 else None, reason)

    def _report(self, kind: str, node_id: str, name: str | None, text: str) -> None:
        where = _capital(label(self.prompt, node_id))
        own = kind == "custom_validation_failed"
        message = f"{where}: {text}" if name is None or own else f"{where}: input {name} {text}"
        self.problems.append(Problem(kind, message.rstrip(".") + ".", node_id, name))


def _own_check(kind: Any) -> tuple[list[str], bool]:
    """Which inputs a class's VALIDATE_INPUTS names, and whether it takes all."""
    function = getattr(kind, "VALIDATE_INPUTS", None)
    if function is None:
        return [], False
    spec = inspect.getfullargspec(function)
    bound = 1 if inspect.ismethod(function) else 0
    return spec.args[bound:] + spec.kwonlyargs, spec.varkw is not None


def _declared(kind: Any) -> set[str]:
    return {name for specs in kind.INPUT_TYPES().values() for name in specs}


def _type_name(wanted: Any) -> str:
    return "one of a list" if isinstance(wanted, (list, tuple)) else str(wanted)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
