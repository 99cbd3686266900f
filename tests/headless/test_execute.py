"""A workflow runs here as it would on a server, and holds no more than it must."""
import weakref
from typing import ClassVar

import pytest
import torch

from talkies.headless.execute import execute
from talkies.headless.prompt import Hooks, WorkflowError
from talkies.host.blocker import Blocked

ANY = "*"


class Base:
    RETURN_TYPES = (ANY,)
    FUNCTION = "run"
    inputs: ClassVar = {}

    @classmethod
    def INPUT_TYPES(cls):
        return cls.inputs


class Value(Base):
    inputs: ClassVar = {"required": {"value": ("STRING", {})}}

    def run(self, value):
        return (value,)


class Join(Base):
    inputs: ClassVar = {"required": {"a": (ANY,)}, "optional": {"b": (ANY,)}}

    def run(self, a, b="-"):
        return (f"{a}{b}",)


class Show(Base):
    RETURN_TYPES = ()
    OUTPUT_NODE = True
    inputs: ClassVar = {"required": {"a": (ANY,)}}

    def run(self, a):
        return {"ui": {"text": [a]}}


class Split(Base):
    """Gives a list, and its length beside it."""

    RETURN_TYPES = (ANY, "INT")
    OUTPUT_IS_LIST = (True, False)
    inputs: ClassVar = {"required": {"value": ("STRING", {})}}

    def run(self, value):
        return list(value), len(value)


class Gather(Base):
    INPUT_IS_LIST = True
    inputs: ClassVar = {"required": {"a": (ANY,)}, "optional": {"sep": ("STRING", {})}}

    def run(self, a, sep):
        return {"result": (sep[0].join(a),)}


class Switch(Base):
    inputs: ClassVar = {"required": {"which": ("STRING", {}), "a": (ANY, {"lazy": True}), "b": (ANY, {"lazy": True})}}

    def check_lazy_status(self, which, a=None, b=None):
        return [which] if (a if which == "a" else b) is None else []

    def run(self, which, a=None, b=None):
        return ((a, b)[which == "b"],)


class Fail(Base):
    inputs: ClassVar = {"optional": {"a": (ANY,)}}
    error = ValueError("frame 3 is empty")

    def run(self, a=None):
        raise self.error


class Stop(Fail):
    error = KeyboardInterrupt()


class Odd(Fail):
    error = KeyError("x")


class Hidden(Base):
    RETURN_TYPES = ()
    OUTPUT_NODE = True
    inputs: ClassVar = {"required": {}, "hidden": {"node_id": "UNIQUE_ID", "prompt": "PROMPT", "extra": ("EXTRA_PNGINFO",)}}

    def run(self, node_id, prompt, extra):
        return {"ui": {"seen": [node_id, sorted(prompt), extra]}}


class Nothing(Base):
    RETURN_TYPES = (ANY, ANY)
    inputs: ClassVar = {"required": {"message": ("STRING", {})}}

    def run(self, message):
        return "kept", Blocked(message or None)


class Coroutine(Base):
    async def run(self):
        return ("awaited",)


class Expands(Base):
    def run(self):
        return {"expand": {}, "result": ()}


class Short(Base):
    RETURN_TYPES = (ANY, ANY)

    def run(self):
        return (1,)


CLASSES = {kind.__name__: kind for kind in Base.__subclasses__() + Fail.__subclasses__()}


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": inputs.pop("title", kind)}}


def texts(prompt, **options):
    return {node_id: shown["text"] for node_id, shown in execute(prompt, CLASSES, **options).items()}


class TestOrder:
    prompt: ClassVar = {
        "9": node("Show", a=["3", 0]), "3": node("Join", a=["1", 0], b=["2", 0]), "1": node("Value", value="x"),
        "2": node("Value", value="y"), "dead": node("Fail"),
    }

    def test_runs_what_outputs_need_and_nothing_else(self):
        seen = []
        hooks = Hooks(node=lambda index, count, title: seen.append((index, count, title)))
        assert texts(self.prompt, hooks=hooks) == {"9": ["xy"]}
        assert seen == [(0, 4, "Value"), (1, 4, "Value"), (2, 4, "Join"), (3, 4, "Show")]

    def test_a_node_that_feeds_two_runs_once(self):
        count = []

        class Once(Value):
            def __init__(self):
                count.append("made")

            def run(self, value):
                count.append("run")
                return (value,)

        prompt = {
            "1": node("Once", value="x"), "2": node("Join", a=["1", 0], b=["1", 0]), "3": node("Show", a=["2", 0]),
            "4": node("Show", a=["1", 0]),
        }
        assert {k: v["text"] for k, v in execute(prompt, {**CLASSES, "Once": Once}).items()} == {"3": ["xx"], "4": ["x"]}
        assert count == ["made", "run"]

    def test_an_invalid_one_does_not_start(self):
        ran = []
        prompt = {**self.prompt, "1": node("Value")}
        with pytest.raises(WorkflowError, match="value is required"):
            execute(prompt, CLASSES, hooks=Hooks(node=lambda *a: ran.append(a)))
        assert ran == []

    def test_a_chain_longer_than_pythons_stack(self):
        prompt = {"0": node("Value", value="")} | {str(i): node("Join", a=[str(i - 1), 0], b="x") for i in range(1, 2000)}
        assert texts({**prompt, "end": node("Show", a=["1999", 0])})["end"] == ["x" * 1999]


class TestLists:
    def test_a_list_is_mapped_over_and_shorter_ones_repeat_their_last(self):
        prompt = {
            "1": node("Split", value="abc"), "2": node("Split", value="12"), "3": node("Join", a=["1", 0], b=["2", 0]),
            "4": node("Show", a=["3", 0]),
        }
        assert texts(prompt) == {"4": ["a1", "b2", "c2"]}

    def test_a_node_that_wants_lists_gets_them_whole(self):
        prompt = {"1": node("Split", value="abc"), "2": node("Gather", a=["1", 0], sep="+"), "3": node("Show", a=["2", 0])}
        assert texts(prompt) == {"3": ["a+b+c"]}

    def test_an_output_that_is_no_list_beside_one_that_is(self):
        assert texts({"1": node("Split", value="abc"), "2": node("Show", a=["1", 1])}) == {"2": [3]}

    def test_an_empty_list_is_told(self):
        with pytest.raises(WorkflowError, match=r"Node 2 \(Show\) got an empty list for its input a"):
            execute({"1": node("Split", value=""), "2": node("Show", a=["1", 0])}, CLASSES)


class TestLazy:
    def prompt(self, which):
        return {
            "1": node("Value", value="left"), "2": node("Fail"), "3": node("Switch", which=which, a=["1", 0], b=["2", 0]),
            "4": node("Show", a=["3", 0]),
        }

    def test_only_what_is_asked_for_runs(self):
        assert texts(self.prompt("a")) == {"4": ["left"]}

    def test_and_it_does_run_when_asked_for(self):
        with pytest.raises(WorkflowError, match=r"Node 2 \(Fail\)"):
            texts(self.prompt("b"))

    def test_a_circle_through_a_lazy_input_is_told(self):
        prompt = self.prompt("a")
        prompt["1"] = node("Join", a=["3", 0])
        with pytest.raises(WorkflowError, match="circle"):
            texts(prompt)


class TestErrors:
    def test_names_the_node_and_chains_the_cause(self):
        with pytest.raises(WorkflowError, match=r'^Node 1 "Grain" \(Fail\) failed: frame 3 is empty$') as caught:
            execute({"1": node("Fail", title="Grain"), "2": node("Show", a=["1", 0])}, CLASSES)
        assert isinstance(caught.value.__cause__, ValueError)

    def test_an_odd_error_tells_its_type(self):
        with pytest.raises(WorkflowError, match="failed: KeyError: 'x'"):
            execute({"1": node("Odd"), "2": node("Show", a=["1", 0])}, CLASSES)

    def test_keyboard_interrupt_passes(self):
        with pytest.raises(KeyboardInterrupt):
            execute({"1": node("Stop"), "2": node("Show", a=["1", 0])}, CLASSES)

    @pytest.mark.parametrize(("kind", "reason"), [("Expands", "in ComfyUI only"), ("Short", "gave 1 results where it declares 2")])
    def test_what_cannot_be_done_is_told(self, kind, reason):
        with pytest.raises(WorkflowError, match=reason):
            execute({"1": node(kind), "2": node("Show", a=["1", 0])}, CLASSES)


class TestBlocked:
    def prompt(self, message):
        return {
            "1": node("Nothing", message=message), "2": node("Join", a=["1", 1], title="Glue"), "3": node("Show", a=["2", 0]),
            "4": node("Show", a=["1", 0]),
        }

    def test_the_node_that_receives_it_tells_the_message(self):
        with pytest.raises(WorkflowError, match=r'Node 2 "Glue" \(Join\) got no input: link images first'):
            texts(self.prompt("link images first"))

    def test_nobody_is_told_when_nobody_uses_it(self):
        prompt = self.prompt("link images first")
        assert texts({"1": prompt["1"], "4": prompt["4"]}) == {"4": ["kept"]}

    def test_without_a_message_what_follows_is_left_out_silently(self):
        assert texts(self.prompt("")) == {"4": ["kept"]}


class TestRest:
    def test_hidden_inputs(self):
        prompt = {"7": node("Hidden")}
        shown = execute(prompt, CLASSES, extra_pnginfo={"workflow": {"nodes": []}})
        assert shown == {"7": {"seen": ["7", ["7"], {"workflow": {"nodes": []}}]}}

    def test_coroutines_are_awaited(self):
        assert texts({"1": node("Coroutine"), "2": node("Show", a=["1", 0])}) == {"2": ["awaited"]}

    def test_finished_is_told_of_what_is_shown(self):
        told = []
        hooks = Hooks(finished=lambda node_id, shown: told.append((node_id, dict(shown))))
        execute({"1": node("Value", value="x"), "2": node("Show", a=["1", 0])}, CLASSES, hooks=hooks)
        assert told == [("2", {"text": ["x"]})]

    def test_nodes_run_without_gradients_as_on_a_server(self):
        class Mode(Value):
            def run(self, value):
                return (torch.is_inference_mode_enabled(),)

        assert execute({"1": node("Mode", value=""), "2": node("Show", a=["1", 0])}, {**CLASSES, "Mode": Mode}) == {"2": {"text": [True]}}


class Clip:
    """Something large."""


class TestMemory:
    """Only what somebody still needs is alive."""

    def run(self, prompt, alive_at):
        """Run nodes that make and hand on clips; `alive_at` collects how many are alive as each node runs."""
        clips = weakref.WeakSet()

        def make():
            clip = Clip()
            clips.add(clip)
            return clip

        class Make(Base):
            RETURN_TYPES = (ANY, ANY)
            inputs: ClassVar = {"optional": {"a": (ANY,), "b": (ANY,)}}

            def run(self, a=None, b=None):
                alive_at.append(len(clips))
                return make(), make()

        class End(Show):
            def run(self, a):
                alive_at.append(len(clips))
                return {"ui": {"text": ["end"]}}

        return execute(prompt, {**CLASSES, "Make": Make, "Show": End})

    def test_along_a_chain_one_clip_lives_at_a_time(self):
        alive = []
        prompt = {"0": node("Make")} | {str(i): node("Make", a=[str(i - 1), 0]) for i in range(1, 6)}
        self.run({**prompt, "end": node("Show", a=["5", 0])}, alive)
        assert alive == [0, 1, 1, 1, 1, 1, 1]

    def test_a_clip_lives_until_its_last_reader(self):
        alive = []
        prompt = {
            "1": node("Make"), "2": node("Make", a=["1", 0]), "3": node("Make", a=["2", 0], b=["1", 0]),
            "4": node("Make", a=["3", 0]), "5": node("Show", a=["4", 0]),
        }
        self.run(prompt, alive)
        assert alive == [0, 1, 2, 1, 1]

    def test_a_reader_that_will_not_run_holds_nothing(self):
        alive = []
        prompt = {
            "1": node("Make"), "2": node("Make", a=["1", 0]), "dead": node("Make", a=["1", 0]), "lazy": node("Make", a=["1", 0]),
            "3": node("Switch", which="a", a=["2", 0], b=["lazy", 0]), "4": node("Make", a=["3", 0]), "5": node("Show", a=["4", 0]),
        }
        self.run(prompt, alive)
        assert alive == [0, 1, 1, 1]
