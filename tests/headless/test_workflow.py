"""A workflow saved by the page becomes what the page would queue, whatever the page has put in it."""
import copy
import json
from datetime import datetime
from typing import ClassVar

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from talkies.headless import ui_format
from talkies.headless.object_info import object_info
from talkies.headless.overrides import apply_overrides
from talkies.headless.prompt import WorkflowError
from talkies.headless.ui_text import choose, fill_patterns
from talkies.headless.workflow import load_workflow, to_prompt


def node_class(required=None, optional=None, outputs=(), output_node=False, **attributes):
    return type("Node", (), {
        "INPUT_TYPES": classmethod(lambda cls: {"required": required or {}, "optional": optional or {}}),
        "RETURN_TYPES": outputs, "FUNCTION": "run", "OUTPUT_NODE": output_node, **attributes,
    })


CLASSES = {
    "Load": node_class({"image": (["a.png", "b.png"], {"image_upload": True})}, outputs=("IMAGE", "MASK")),
    "Noise": node_class(
        {"images": ("IMAGE",), "seed": ("INT", {"default": 0}), "amount": ("FLOAT", {"default": 0.5, "min": 0.0, "max": 1.0})},
        {"mask": ("MASK",), "mode": (["soft", "hard"],)}, outputs=("IMAGE",), DISPLAY_NAME="Add Noise"),
    "Text": node_class({"text": ("STRING", {"multiline": True}), "on": ("BOOLEAN", {"default": True})}, outputs=("STRING",)),
    "Forced": node_class({"count": ("INT", {"forceInput": True}), "name": ("STRING", {"default": "x"})}, outputs=("INT",)),
    "Count": node_class(
        {"value": ("INT", {"default": 1, "control_after_generate": True}), "next": ("INT", {"default": 7})}, outputs=("INT",)),
    "MaskOf": node_class({"clip": ("CLIP",), "images": ("IMAGE",)}, outputs=("MASK", "IMAGE")),
    "SaveImage": node_class({"images": ("IMAGE",), "filename_prefix": ("STRING", {"default": "ComfyUI"})}, output_node=True),
}
INFO = object_info(CLASSES)


def saved(node_id, kind, values=None, inputs=(), outputs=(), **extra):
    """A node as the page saves it; `inputs` are (name, type, link) or (name, type, link, "widget")."""
    entries = [
        {"name": entry[0], "type": entry[1], "link": entry[2], **({"widget": {"name": entry[0]}} if len(entry) > 3 else {})}
        for entry in inputs
    ]
    found = {"id": node_id, "type": kind, "mode": 0, "inputs": entries, "outputs": [{"name": t, "type": t} for t in outputs], **extra}
    return found if values is None else {**found, "widgets_values": values}


def workflow(nodes, links=(), subgraphs=()):
    return {"nodes": nodes, "links": [list(link) for link in links], "definitions": {"subgraphs": list(subgraphs)}, "version": 0.4}


def inputs_of(ui, info=INFO):
    return {node_id: node["inputs"] for node_id, node in to_prompt(ui, info).items()}


LOAD = saved(1, "Load", ["b.png", "image"], outputs=("IMAGE", "MASK"))


def save(link, prefix="out", node_id=9):
    return saved(node_id, "SaveImage", [prefix], [("images", "IMAGE", link)])


class TestWidgets:
    def test_values_by_position_with_control_and_upload_widgets(self):
        noise = saved(2, "Noise", [42, "randomize", 0.25, "hard"], [("images", "IMAGE", 1), ("mask", "MASK", None)], ("IMAGE",))
        ui = workflow([LOAD, noise, save(2)], [(1, 1, 0, 2, 0, "IMAGE"), (2, 2, 0, 9, 0, "IMAGE")])
        assert to_prompt(ui, INFO) == {
            "1": {"class_type": "Load", "inputs": {"image": "b.png"}, "_meta": {"title": "Load"}},
            "2": {"class_type": "Noise", "inputs": {"images": ["1", 0], "seed": 42, "amount": 0.25, "mode": "hard"},
                  "_meta": {"title": "Add Noise"}},
            "9": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "out"}, "_meta": {"title": "SaveImage"}},
        }

    @pytest.mark.parametrize("control", ["fixed", "increment", True, None])
    def test_whatever_a_control_widget_has_held_over_the_years(self, control):
        assert inputs_of(workflow([saved(2, "Noise", [42, control, 0.25, "hard"])]))["2"] == {"seed": 42, "amount": 0.25, "mode": "hard"}

    def test_a_missing_control_value_shifts_nothing(self):
        assert inputs_of(workflow([saved(2, "Noise", [42, 0.25, "hard"])]))["2"] == {"seed": 42, "amount": 0.25, "mode": "hard"}

    def test_control_by_option_rather_than_by_name(self):
        assert inputs_of(workflow([saved(2, "Count", [5, "increment", 8])]))["2"] == {"value": 5, "next": 8}

    def test_values_by_name(self):
        noise = saved(2, "Noise", {"seed": 3, "amount": 0.1, "extra": 1, "videopreview": {"hidden": False}})
        assert inputs_of(workflow([noise]))["2"] == {"seed": 3, "amount": 0.1, "mode": "soft", "extra": 1}

    def test_values_that_the_file_lacks_are_the_defaults(self):
        assert inputs_of(workflow([saved(2, "Noise")]))["2"] == {"seed": 0, "amount": 0.5, "mode": "soft"}

    def test_an_unlinked_widget_socket_keeps_its_value_and_a_linked_one_does_not(self):
        noise = saved(2, "Noise", [42, "fixed", 0.25, "soft"], [
            ("images", "IMAGE", None), ("mask", "MASK", None), ("seed", "INT", 5, "widget"), ("amount", "FLOAT", None, "widget")])
        ui = workflow([saved(3, "Count", [1, "fixed", 2], outputs=("INT",)), noise], [(5, 3, 0, 2, 2, "INT")])
        assert inputs_of(ui)["2"] == {"seed": ["3", 0], "amount": 0.25, "mode": "soft"}

    def test_a_forced_input_takes_no_value(self):
        assert inputs_of(workflow([saved(2, "Forced", ["y"])]))["2"] == {"name": "y"}

    def test_a_file_from_before_an_input_was_forced(self):
        assert inputs_of(workflow([saved(2, "Forced", [12, "y"])]))["2"] == {"name": "y"}

    def test_a_list_is_wrapped_so_that_it_is_no_link(self):
        assert inputs_of(workflow([saved(2, "Text", [["a", 1], False])]))["2"] == {"text": {"__value__": ["a", 1]}, "on": False}

    def test_a_dynamic_combo_brings_its_own_widgets(self):
        options = [{"key": "a", "inputs": {"required": {"seed": ["INT", {}]}}}, {"key": "b", "inputs": {"required": {"size": ["INT", {}]}}}]
        inputs = {"model": ["COMFY_DYNAMICCOMBO_V3", {"options": options}], "last": ["STRING", {}]}
        info = {"Dyn": {"input": {"required": inputs}, "output": []}}
        assert inputs_of(workflow([saved(1, "Dyn", ["b", 512, "z"])]), info)["1"] == {"model": "b", "model.size": 512, "last": "z"}
        assert inputs_of(workflow([saved(1, "Dyn")]), info)["1"] == {"model": "a", "model.seed": 0, "last": ""}

    def test_an_unknown_class_keeps_what_the_file_says(self):
        sockets = [("images", "IMAGE", 1), ("seed", "INT", None, "widget"), ("word", "STRING", None, "widget")]
        odd = saved(2, "Odd", [7, "fixed", "w"], sockets)
        ui = workflow([LOAD, odd], [(1, 1, 0, 2, 0, "IMAGE")])
        inputs = {"images": ["1", 0], "seed": 7, "word": "w"}
        assert to_prompt(ui, INFO)["2"] == {"class_type": "Odd", "_meta": {"title": "Odd"}, "inputs": inputs}


class TestNodesThatDoNotRun:
    def test_a_muted_node_goes_and_so_do_links_to_it(self):
        noise = saved(2, "Noise", [1, "fixed", 0.5, "soft"], [("images", "IMAGE", 1)], ("IMAGE",), mode=2)
        ui = workflow([LOAD, noise, save(2)], [(1, 1, 0, 2, 0, "IMAGE"), (2, 2, 0, 9, 0, "IMAGE")])
        assert inputs_of(ui) == {"1": {"image": "b.png"}, "9": {"filename_prefix": "out"}}

    def test_a_bypassed_node_hands_its_input_through(self):
        first = saved(2, "Noise", inputs=[("images", "IMAGE", 1)], outputs=("IMAGE",), mode=4)
        second = saved(3, "Noise", inputs=[("images", "IMAGE", 2)], outputs=("IMAGE",), mode=4)
        links = [(1, 1, 0, 2, 0, "IMAGE"), (2, 2, 0, 3, 0, "IMAGE"), (3, 3, 0, 9, 0, "IMAGE")]
        assert inputs_of(workflow([LOAD, first, second, save(3)], links))["9"]["images"] == ["1", 0]

    def test_a_bypassed_node_goes_by_type_not_by_place(self):
        middle = saved(2, "MaskOf", inputs=[("clip", "CLIP", 1), ("images", "IMAGE", 2)], outputs=("MASK", "IMAGE"), mode=4)
        links = [(1, 5, 0, 2, 0, "CLIP"), (2, 1, 0, 2, 1, "IMAGE"), (3, 2, 1, 9, 0, "IMAGE"), (4, 2, 0, 3, 3, "MASK")]
        noise = saved(3, "Noise", [1, "fixed", 0.5, "soft"], [("images", "IMAGE", None), ("mask", "MASK", 4)])
        found = inputs_of(workflow([LOAD, saved(5, "Text", outputs=("CLIP",)), middle, noise, save(3)], links))
        assert found["9"]["images"] == ["1", 0]
        assert "mask" not in found["3"]

    def test_reroutes_primitives_and_notes_dissolve(self):
        reroute = saved(3, "Reroute", inputs=[("", "*", 1)], outputs=("IMAGE",))
        primitive = saved(4, "PrimitiveNode", [77, "fixed"], outputs=("INT",))
        noise = saved(2, "Noise", [1, "fixed", 0.5, "soft"], [("images", "IMAGE", 2), ("seed", "INT", 3, "widget")], ("IMAGE",))
        note = saved(6, "Note", ["read me"])
        links = [(1, 1, 0, 3, 0, "*"), (2, 3, 0, 2, 0, "IMAGE"), (3, 4, 0, 2, 1, "INT")]
        found = inputs_of(workflow([LOAD, reroute, primitive, noise, note, saved(7, "MarkdownNote", [""])], links))
        assert found == {"1": {"image": "b.png"}, "2": {"images": ["1", 0], "seed": 77, "amount": 0.5, "mode": "soft"}}

    def test_set_and_get_nodes(self):
        setter = saved(3, "SetNode", ["clip"], [("IMAGE", "IMAGE", 1)], ("IMAGE",))
        ui = workflow([LOAD, setter, saved(4, "GetNode", ["clip"], outputs=("IMAGE",)), save(2)],
                      [(1, 1, 0, 3, 0, "IMAGE"), (2, 4, 0, 9, 0, "IMAGE")])
        assert inputs_of(ui)["9"]["images"] == ["1", 0]

    def test_links_in_a_circle_are_told(self):
        one, two = saved(2, "Reroute", inputs=[("", "*", 1)], outputs=("*",)), saved(3, "Reroute", inputs=[("", "*", 2)], outputs=("*",))
        ui = workflow([one, two, save(3)], [(1, 3, 0, 2, 0, "*"), (2, 2, 0, 3, 0, "*"), (3, 3, 0, 9, 0, "*")])
        with pytest.raises(WorkflowError, match="circle"):
            to_prompt(ui, INFO)

    def test_group_nodes_are_told(self):
        with pytest.raises(WorkflowError, match="group node"):
            to_prompt(workflow([saved(2, "workflow>Mine")]), INFO)


INNER = "6b1f0d5e-0000-4000-8000-000000000001"
OUTER = "6b1f0d5e-0000-4000-8000-000000000002"


def link(key, origin, slot, target, target_slot):
    return {"id": key, "origin_id": origin, "origin_slot": slot, "target_id": target, "target_slot": target_slot, "type": "*"}


def subgraph():
    """Noise inside: input images, promoted amount (its own value is 0.9), output IMAGE."""
    noise = saved(2, "Noise", [5, "fixed", 0.9, "soft"], [("images", "IMAGE", 1), ("amount", "FLOAT", 2, "widget")], ("IMAGE",))
    return {
        "id": INNER, "name": "Noisy", "nodes": [noise], "links": [link(1, -10, 0, 2, 0), link(2, -10, 1, 2, 1), link(3, 2, 0, -20, 0)],
        "inputs": [{"name": "images", "type": "IMAGE", "linkIds": [1]}, {"name": "amount", "type": "FLOAT", "linkIds": [2]}],
        "outputs": [{"name": "IMAGE", "type": "IMAGE", "linkIds": [3]}],
    }


class TestSubgraphs:
    links = ((1, 1, 0, 4, 0, "IMAGE"), (2, 4, 0, 9, 0, "IMAGE"))

    def instance(self, values=None, **extra):
        return saved(4, INNER, values, [("images", "IMAGE", 1)], ("IMAGE",), **extra)

    def test_unfolds_under_the_ids_of_its_instances(self):
        found = inputs_of(workflow([LOAD, self.instance([]), save(2)], self.links, [subgraph()]))
        assert found["4:2"] == {"images": ["1", 0], "seed": 5, "amount": 0.9, "mode": "soft"}
        assert found["9"]["images"] == ["4:2", 0]
        assert set(found) == {"1", "4:2", "9"}

    def test_the_value_shown_on_the_instance_counts(self):
        found = inputs_of(workflow([LOAD, self.instance([0.2]), save(2)], self.links, [subgraph()]))
        assert found["4:2"]["amount"] == 0.2

    def test_a_link_to_the_shown_input_counts_more(self):
        instance = saved(4, INNER, [0.2], [("images", "IMAGE", 1), ("amount", "FLOAT", 3, "widget")], ("IMAGE",))
        found = inputs_of(workflow([LOAD, instance, saved(5, "Count", [1, "fixed", 2], outputs=("INT",)), save(2)],
                                   [*self.links, (3, 5, 0, 4, 1, "FLOAT")], [subgraph()]))
        assert found["4:2"]["amount"] == ["5", 0]

    def test_two_instances_do_not_share_values(self):
        other = {**self.instance([0.3]), "id": 6}
        found = inputs_of(workflow([LOAD, self.instance([0.2]), other], self.links[:1], [subgraph()]))
        assert (found["4:2"]["amount"], found["6:2"]["amount"]) == (0.2, 0.3)

    def test_a_bypassed_instance_hands_through_and_a_muted_one_goes(self):
        nodes, links = [LOAD, save(2)], self.links
        bypassed = inputs_of(workflow([*nodes, self.instance([], mode=4)], links, [subgraph()]))
        assert bypassed == {"1": {"image": "b.png"}, "9": {"images": ["1", 0], "filename_prefix": "out"}}
        muted = inputs_of(workflow([*nodes, self.instance([], mode=2)], links, [subgraph()]))
        assert set(muted) == {"1", "9"} and "images" not in muted["9"]

    def test_nested_with_the_outermost_value(self):
        inner = saved(7, INNER, [0.4], [("images", "IMAGE", 1), ("amount", "FLOAT", 2, "widget")], ("IMAGE",))
        outer = {**subgraph(), "id": OUTER, "nodes": [inner],
                 "links": [link(1, -10, 0, 7, 0), link(2, -10, 1, 7, 1), link(3, 7, 0, -20, 0)]}
        instance = saved(4, OUTER, [0.1], [("images", "IMAGE", 1)], ("IMAGE",))
        found = inputs_of(workflow([LOAD, instance, save(2)], self.links, [subgraph(), outer]))
        assert found["4:7:2"] == {"images": ["1", 0], "seed": 5, "amount": 0.1, "mode": "soft"}
        assert found["9"]["images"] == ["4:7:2", 0]

    def test_one_that_holds_itself_is_told(self):
        endless = {**subgraph(), "nodes": [saved(2, INNER, [])]}
        with pytest.raises(WorkflowError, match="holds itself"):
            to_prompt(workflow([self.instance([])], (), [endless]), INFO)


class TestTexts:
    now = datetime(2026, 3, 4, 5, 6, 7)

    def test_dates_and_widgets_in_file_names(self):
        values = {("Noise", "mode"): "a/b"}
        pattern = "%date:yyyy-MM-dd hhmmss yy M d%/%Noise.mode%_%width%_%No.such%"
        text = fill_patterns(pattern, lambda node, widget: values.get((node, widget)), self.now)
        assert text == "2026-03-04 050607 26 3 4/a_b_%width%_%No.such%"

    def test_the_savers_prefix_is_filled_from_the_graph(self):
        noise = saved(2, "Noise", [42, "fixed", 0.25, "hard"], properties={"Node name for S&R": "Noise"})
        grain = saved(5, "Noise", [1, "fixed", 1, "soft"], title="Grain")
        found = inputs_of(workflow([noise, save(None, "%Noise.seed%_%Grain.mode%"), grain]))
        assert found["9"]["filename_prefix"] == "42_soft"

    def test_dynamic_prompts_settle(self):
        first = type("First", (), {"choice": staticmethod(lambda options: options[0])})()
        last = type("Last", (), {"choice": staticmethod(lambda options: options[-1])})()
        text = r"a {red|{dark|light} blue} \{x\} /* no */ end // gone"
        assert choose(text, first) == "a red {x}  end "
        assert choose(text, last) == "a light blue {x}  end "

    def test_only_inputs_that_ask_for_it(self, monkeypatch):
        monkeypatch.setattr(ui_format, "choose", lambda text, choices: "chosen")
        info = copy.deepcopy(INFO)
        assert inputs_of(workflow([saved(2, "Text", ["{a|b}"])]), info)["2"]["text"] == "{a|b}"
        info["Text"]["input"]["required"]["text"][1]["dynamicPrompts"] = True
        assert inputs_of(workflow([saved(2, "Text", ["{a|b}"])]), info)["2"]["text"] == "chosen"


class TestApiFormat:
    api: ClassVar = {"1": {"class_type": "Load", "inputs": {"image": "a.png"}}, "2": {"class_type": "Noise", "inputs": {"images": ["1", 0]},
                                                                          "_meta": {"title": "Mine"}}}

    def test_passes_with_titles_added(self):
        before = copy.deepcopy(self.api)
        prompt = to_prompt(self.api, INFO)
        assert prompt["1"] == {"class_type": "Load", "inputs": {"image": "a.png"}, "_meta": {"title": "Load"}}
        assert prompt["2"]["_meta"] == {"title": "Mine"}
        assert self.api == before

    def test_the_body_of_a_request_is_taken(self):
        assert to_prompt({"prompt": self.api, "client_id": "x"}, INFO) == to_prompt(self.api, INFO)

    def test_something_else_is_told(self):
        with pytest.raises(WorkflowError, match="no workflow"):
            to_prompt({"a": 1}, INFO)


class TestFiles:
    def test_json_of_either_format(self, tmp_path):
        for name, content in (("ui", workflow([LOAD])), ("api", TestApiFormat.api)):
            (tmp_path / name).with_suffix(".json").write_text(json.dumps(content))
            assert load_workflow(tmp_path / f"{name}.json") == content

    def test_a_picture_carries_its_workflow(self, tmp_path):
        text = PngInfo()
        text.add_text("prompt", json.dumps(TestApiFormat.api))
        Image.new("RGB", (4, 4)).save(tmp_path / "made.png", pnginfo=text)
        assert load_workflow(tmp_path / "made.png") == TestApiFormat.api

    def test_what_cannot_be_read_is_told(self, tmp_path):
        (tmp_path / "a.json").write_text("{")
        (tmp_path / "b.json").write_text("[1, 2]")
        Image.new("RGB", (4, 4)).save(tmp_path / "c.png")
        reasons = {"a.json": "is not JSON", "b.json": "not a workflow", "c.png": "carries no workflow", "d.json": "is not there"}
        for name, reason in reasons.items():
            with pytest.raises(WorkflowError, match=reason):
                load_workflow(tmp_path / name)


class TestObjectInfo:
    def test_has_the_shape_of_a_servers(self):
        info = object_info({"Noise": CLASSES["Noise"]}, {"Noise": "My Noise"})["Noise"]
        assert info == json.loads(json.dumps(info))
        assert info["input"]["optional"]["mode"] == [["soft", "hard"]]
        assert info["input_order"] == {"required": ["images", "seed", "amount"], "optional": ["mask", "mode"]}
        assert (info["output"], info["output_name"], info["output_is_list"]) == (["IMAGE"], ["IMAGE"], [False])
        assert (info["display_name"], info["output_node"], info["category"]) == ("My Noise", False, "sd")

    def test_the_order_given_counts_more_than_that_of_the_mapping(self):
        info = copy.deepcopy(INFO)
        inputs = info["Text"]["input"]["required"]
        info["Text"]["input"]["required"] = dict(reversed(inputs.items()))
        assert inputs_of(workflow([saved(2, "Text", ["words", False])]), info)["2"] == {"text": "words", "on": False}


class TestOverrides:
    prompt = to_prompt(workflow([
        saved(1, "Load", ["a.png", "image"]), saved(2, "Noise", [1, "fixed", 0.5, "soft"], title="v1.5 noise"),
        saved(3, "Text", ["t", True]), saved(4, "Text", ["u", True], title="Second"),
    ]), INFO)

    def changed(self, *overrides):
        return apply_overrides(self.prompt, overrides, INFO)

    @pytest.mark.parametrize(("override", "node", "name", "value"), [
        ("2.amount=0.75", "2", "amount", 0.75),
        ("Noise.seed=12", "2", "seed", 12),
        ("v1.5 noise.mode=hard", "2", "mode", "hard"),
        ("Second.text=a=b", "4", "text", "a=b"),
        ("Second.on=no", "4", "on", False),
        ('2.images=["1", 0]', "2", "images", ["1", 0]),
        ("2.mode=odd", "2", "mode", "odd"),
    ])
    def test_by_id_title_or_class_read_as_declared(self, override, node, name, value):
        assert self.changed(override)[node]["inputs"][name] == value
        assert self.prompt[node]["inputs"].get(name) != value

    @pytest.mark.parametrize(("override", "reason"), [
        ("2.amount", "NODE.INPUT=VALUE"),
        ("9.amount=1", "no node \"9\".*node 2 \"v1.5 noise\" \\(Noise\\)"),
        ("Text.text=x", "2 nodes are called \"Text\": node 3 .*node 4 \"Second\""),
        ("2.amont=1", "no input \"amont\".*amount"),
        ("2.seed=1.5", "a whole number"),
        ("2.amount=much", "a number"),
        ("3.on=maybe", "true or false"),
        ("2.images=1", "a link to IMAGE"),
    ])
    def test_what_does_not_fit_is_told(self, override, reason):
        with pytest.raises(WorkflowError, match=reason):
            self.changed(override)
