"""A workflow that a server would refuse is refused here, for the same reason, in words that name what is wrong."""
import copy

import pytest

from talkies.headless.prompt import WorkflowError
from talkies.headless.validate import check_prompt, types_meet, validate_prompt


class Source:
    RETURN_TYPES = ("IMAGE", "MASK")
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"name": (["a.png", "b.png"],)}, "optional": {"size": ("INT", {"min": 1, "max": 64})}}


class Step:
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"images": ("IMAGE",), "strength": ("FLOAT", {"default": 0.5, "min": 0.0, "max": 1.0})},
            "optional": {
                "any": ("*",), "either": ("MASK,LATENT",), "on": ("BOOLEAN", {}), "text": ("STRING", {}),
                "pick": ("COMBO", {"options": [1, 2]}),
            },
        }


class Anything(str):
    def __ne__(self, other):
        return False


class Choosy(Step):
    """Its own check names strength only."""

    @classmethod
    def VALIDATE_INPUTS(cls, strength):
        return True if strength is None or strength < 9 else f"strength {strength} is silly"


class TakesAll(Step):
    @classmethod
    def VALIDATE_INPUTS(cls, **values):
        return "images" in values and values["images"] is None  # a link is not known yet


class Typed(Step):
    @classmethod
    def VALIDATE_INPUTS(cls, input_types):
        return True if input_types == {"images": "MASK"} else f"types are {input_types}"


class Raising(Step):
    @classmethod
    def VALIDATE_INPUTS(cls, strength):
        raise ValueError("boom")


class Sink:
    RETURN_TYPES = ()
    FUNCTION = "run"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"images": ("IMAGE",)}, "hidden": {"prompt": "PROMPT"}}


CLASSES = {kind.__name__: kind for kind in (Source, Step, Choosy, TakesAll, Typed, Raising, Sink)}
GOOD = {
    "1": {"class_type": "Source", "inputs": {"name": "a.png"}},
    "2": {"class_type": "Step", "inputs": {"images": ["1", 0], "strength": 0.5}, "_meta": {"title": "Mouth"}},
    "3": {"class_type": "Sink", "inputs": {"images": ["2", 0]}},
}


def problems(kind="Step", **inputs):
    prompt = copy.deepcopy(GOOD)
    prompt["2"]["class_type"] = kind
    prompt["2"]["inputs"].update(inputs)
    return validate_prompt(prompt, CLASSES)


def test_a_good_one_has_no_problems():
    assert validate_prompt(GOOD, CLASSES) == []


@pytest.mark.parametrize(("inputs", "kind", "words"), [
    ({"strength": 5.0}, "value_bigger_than_max", ("node 2", "Mouth", "Step", "strength", "5.0", "0.0 to 1.0")),
    ({"strength": -1}, "value_smaller_than_min", ("strength", "-1.0", "0.0 to 1.0")),
    ({"strength": "much"}, "invalid_input_type", ("strength", "'much'", "FLOAT")),
    ({"strength": None}, "invalid_input_type", ("strength", "None")),
    ({"images": ["1", 1]}, "return_type_mismatch", ("images", "IMAGE", "node 1 (Source)", "MASK")),
    ({"images": ["1", 2]}, "bad_linked_input", ("images", "output 2", "node 1 (Source)")),
    ({"images": ["7", 0]}, "bad_linked_input", ("images", "node 7")),
    ({"images": [1, 0]}, "bad_linked_input", ("images", "node 1")),
    ({"images": ["1"]}, "bad_linked_input", ("images", "['1']")),
    ({"pick": 3}, "value_not_in_list", ("pick", "3", "1, 2")),
    ({"either": ["1", 0]}, "return_type_mismatch", ("either", "MASK,LATENT")),
])
def test_one_wrong_input(inputs, kind, words):
    (problem,) = problems(**inputs)
    assert (problem.kind, problem.node_id, problem.input_name) == (kind, "2", next(iter(inputs)))
    assert all(word.lower() in str(problem).lower() for word in words), str(problem)


@pytest.mark.parametrize("inputs", [
    {"strength": "0.25"}, {"any": ["1", 1]}, {"either": ["1", 1]}, {"on": 1, "text": 5}, {"pick": 2}, {"undeclared": 5},
    {"text": {"__value__": ["a", 0]}},
])
def test_inputs_that_fit(inputs):
    assert problems(**inputs) == []


def test_values_are_brought_to_their_types_in_a_copy():
    prompt = copy.deepcopy(GOOD)
    prompt["2"]["inputs"].update(strength="0.25", on=1, text=5, pick=2)
    prompt["1"]["inputs"]["size"] = 3.7
    before = copy.deepcopy(prompt)
    checked = check_prompt(prompt, CLASSES)
    assert checked.prompt["2"]["inputs"] == {"images": ["1", 0], "strength": 0.25, "on": True, "text": "5", "pick": 2}
    assert checked.prompt["1"]["inputs"]["size"] == 3
    assert checked.outputs == ("3",) and prompt == before


def test_a_missing_input_and_a_choice_upstream_are_both_told():
    prompt = copy.deepcopy(GOOD)
    del prompt["2"]["inputs"]["images"]
    assert [p.kind for p in validate_prompt(prompt, CLASSES)] == ["required_input_missing"]
    prompt["2"]["inputs"] = {"images": ["1", 0]}
    prompt["1"]["inputs"] = {"name": "c.png"}
    found = validate_prompt(prompt, CLASSES)
    assert [(p.kind, p.node_id, p.input_name) for p in found] == [
        ("required_input_missing", "2", "strength"), ("value_not_in_list", "1", "name")]
    with pytest.raises(WorkflowError, match=r"strength is required.*a\.png, b\.png"):
        check_prompt(prompt, CLASSES).require_valid()


def test_a_long_list_of_choices_is_counted():
    many = type("Many", (Sink,), {"INPUT_TYPES": classmethod(lambda cls: {"required": {"images": ([str(i) for i in range(50)],)}})})
    (problem,) = validate_prompt({"1": {"class_type": "Many", "inputs": {"images": "x"}}}, {"Many": many})
    assert "50 choices" in str(problem)


class TestWholeWorkflow:
    def test_unknown_classes_are_all_told(self):
        prompt = {**GOOD, "4": {"class_type": "Gone", "inputs": {}}, "5": {"inputs": {}}}
        found = validate_prompt(prompt, CLASSES)
        assert [(p.kind, p.node_id) for p in found] == [("invalid_prompt", "4"), ("invalid_prompt", "5")]
        assert "Gone" in str(found[0]) and "class_type" in str(found[1])

    def test_no_output(self):
        assert [p.kind for p in validate_prompt({"1": GOOD["1"]}, CLASSES)] == ["prompt_no_outputs"]

    def test_a_circle(self):
        prompt = copy.deepcopy(GOOD)
        prompt["4"] = {"class_type": "Step", "inputs": {"images": ["2", 0], "strength": 0}}
        prompt["2"]["inputs"]["images"] = ["4", 0]
        (problem,) = validate_prompt(prompt, CLASSES)
        assert problem.kind == "dependency_cycle" and "2 -> 4 -> 2" in str(problem)

    def test_what_no_output_needs_is_not_checked(self):
        assert validate_prompt({**GOOD, "4": {"class_type": "Step", "inputs": {}}}, CLASSES) == []

    def test_a_shared_source_is_told_once(self):
        prompt = {**copy.deepcopy(GOOD), "4": {"class_type": "Sink", "inputs": {"images": ["2", 0]}}}
        prompt["2"]["inputs"]["strength"] = 7
        assert len(validate_prompt(prompt, CLASSES)) == 1

    def test_a_chain_longer_than_pythons_stack(self):
        prompt = {"0": GOOD["1"]}
        for i in range(1, 3000):
            prompt[str(i)] = {"class_type": "Step", "inputs": {"images": [str(i - 1), 0], "strength": 0}}
        prompt["end"] = {"class_type": "Sink", "inputs": {"images": ["2999", 0]}}
        assert validate_prompt(prompt, CLASSES) == []


class TestOwnChecks:
    def test_names_switch_the_range_off_and_ask_the_node(self):
        assert problems("Choosy", strength=5.0) == []
        (problem,) = problems("Choosy", strength=10)
        assert problem.kind == "custom_validation_failed" and "strength 10.0 is silly" in str(problem)

    def test_kwargs_switch_all_off_and_links_are_none(self):
        assert problems("TakesAll", strength=5.0, pick=9) == []

    def test_input_types_switch_the_link_type_off(self):
        assert problems("Typed", images=["1", 1]) == []
        assert "IMAGE" in str(problems("Typed")[0])

    def test_a_check_that_raises_is_a_problem(self):
        (problem,) = problems("Raising")
        assert problem.kind == "exception_during_validation" and "boom" in str(problem)

    def test_values_of_the_wrong_type_never_reach_it(self):
        assert [p.kind for p in problems("Choosy", strength="x")] == ["invalid_input_type"]


@pytest.mark.parametrize(("given", "wanted", "meets"), [
    ("IMAGE", "IMAGE", True), ("IMAGE", "MASK", False), ("IMAGE,MASK", "LATENT, MASK", True), (Anything("*"), "IMAGE", True),
    ("IMAGE", Anything("*"), True), (["a"], ["a"], True), (["a"], "STRING", False), ("*", "IMAGE", True), ("IMAGE", "*", True),
])
def test_types_meet_as_on_a_server(given, wanted, meets):
    assert types_meet(given, wanted) is meets
