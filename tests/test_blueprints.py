"""The subgraph blueprints: the form that frontends load, made of nodes that are here, wired as their nodes are."""
from __future__ import annotations

import json

import pytest
from checkout import ROOT

from talkies import NODE_CLASS_MAPPINGS

BLUEPRINTS = sorted((ROOT / "subgraphs").glob("*.json"))
INPUT, OUTPUT = -10, -20  # the ids of a subgraph's own two ends


def test_there_are_some():
    assert BLUEPRINTS


@pytest.mark.parametrize("path", BLUEPRINTS, ids=lambda path: path.stem)
def test_a_blueprint_is_one_node_that_stands_for_its_subgraph(path):
    wanted = json.loads(path.read_text(encoding="utf-8"))
    (node,), (subgraph,) = wanted["nodes"], wanted["definitions"]["subgraphs"]
    assert node["type"] == subgraph["id"] and subgraph["name"] == path.stem == node["title"]
    assert [(slot["name"], slot["type"]) for slot in node["inputs"]] == [(slot["name"], slot["type"]) for slot in subgraph["inputs"]]
    assert [(slot["name"], slot["type"]) for slot in node["outputs"]] == [(slot["name"], slot["type"]) for slot in subgraph["outputs"]]
    assert wanted["extra"]["BlueprintDescription"].endswith((".", ")")) and wanted["extra"]["BlueprintSearchAliases"]


@pytest.mark.parametrize("path", BLUEPRINTS, ids=lambda path: path.stem)
def test_every_link_joins_an_output_to_an_input_of_its_type(path):
    (subgraph,) = json.loads(path.read_text(encoding="utf-8"))["definitions"]["subgraphs"]
    nodes = {node["id"]: node for node in subgraph["nodes"]}
    assert all(node["type"] in NODE_CLASS_MAPPINGS for node in nodes.values())
    used = set()
    for link in subgraph["links"]:
        source = subgraph["inputs"] if link["origin_id"] == INPUT else nodes[link["origin_id"]]["outputs"]
        target = subgraph["outputs"] if link["target_id"] == OUTPUT else nodes[link["target_id"]]["inputs"]
        assert source[link["origin_slot"]]["type"] == link["type"] == target[link["target_slot"]]["type"]
        used |= {link["origin_id"], link["target_id"]}
    assert used == {INPUT, OUTPUT, *nodes}


@pytest.mark.parametrize("path", BLUEPRINTS, ids=lambda path: path.stem)
def test_a_node_has_a_value_for_every_widget(path):
    (subgraph,) = json.loads(path.read_text(encoding="utf-8"))["definitions"]["subgraphs"]
    for node in subgraph["nodes"]:
        inputs = NODE_CLASS_MAPPINGS[node["type"]].INPUT_TYPES()
        widgets = [name for part in ("required", "optional") for name, spec in inputs.get(part, {}).items()
                   if (isinstance(spec[0], list) or spec[0] in ("INT", "FLOAT", "BOOLEAN", "STRING")) and not spec[1].get("forceInput")]
        assert len(node["widgets_values"]) == len(widgets), (node["type"], widgets)
