"""The example workflows: what the command makes of them is what ComfyUI's own page queues, and it is valid.

tests/api_of_the_page/ holds what the page (frontend 1.27.10, ``app.graphToPrompt()``) made of each.
"""
from __future__ import annotations

import json

import pytest
from checkout import ROOT

from talkies.headless.cli import main

WORKFLOWS = sorted((ROOT / "example_workflows").glob("*.json"))
PAGE = ROOT / "tests" / "api_of_the_page"


ONLY_THE_PAGE = {"upload", "preview", "previewMode", "video-preview", "audioUI", "comparison", "description"}
"""Widgets that show something and that a server does not know."""


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_the_command_makes_what_the_page_queues(path, tmp_path, capsys):
    assert main(["convert", str(path), "-o", str(tmp_path / "api.json")]) == 0
    ours = json.loads((tmp_path / "api.json").read_text(encoding="utf-8"))
    page = json.loads((PAGE / path.name).read_text(encoding="utf-8"))
    assert ours.keys() == page.keys()
    for node_id, node in ours.items():
        theirs = page[node_id]
        assert node["class_type"] == theirs["class_type"]
        assert node["inputs"] == {name: value for name, value in theirs["inputs"].items() if name in node["inputs"]}, node["class_type"]
        assert theirs["inputs"].keys() - node["inputs"].keys() <= ONLY_THE_PAGE, node["class_type"]


def test_every_workflow_has_its_page_and_none_is_left_over():
    assert {path.name for path in WORKFLOWS} == {path.name for path in PAGE.glob("*.json")}


def test_an_input_can_be_set_on_the_way(capsys):
    assert main(["convert", str(ROOT / "example_workflows" / "sharpen_a_video.json"), "--set", "TalkiesSharpen.strength=0.75"]) == 0
    prompt = json.loads(capsys.readouterr().out)
    assert [node["inputs"]["strength"] for node in prompt.values() if node["class_type"] == "TalkiesSharpen"] == [0.75]
