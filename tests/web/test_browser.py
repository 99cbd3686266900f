"""The pack in a real page: ComfyUI, Chromium, both renderers of nodes.

`COMFYUI_PATH` names a ComfyUI tree (see comfy_server_real.py); `COMFYUI_FRONTEND` the folder of another frontend than the tree's own;
`PLAYWRIGHT_PATH` a folder whose node_modules hold playwright-core (default: this repository); `CHROMIUM` the browser;
`TALKIES_SCREENSHOTS` a folder to leave pictures in.
"""
from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from checkout import ROOT
from comfy_server_real import RealServer, needs_comfyui

from talkies.headless.demo import write_clip
from talkies.headless.demo_clip import demo_clip

HERE = ROOT / "tests" / "web"
WORKFLOWS = sorted(path.stem for path in (ROOT / "example_workflows").glob("*.json"))
QUICK = ("sharpen_a_video", "speech_to_features", "steady_and_restore_the_face")
"""Workflows that need no weights and end within seconds on the short clip; these are run, the others are loaded."""

CHROMIUM = os.environ.get("CHROMIUM") or next(
    (found for name in ("chromium", "chromium-browser", "google-chrome", "chrome") if (found := shutil.which(name))), None)
NODE = shutil.which("node")


@cache
def missing() -> str | None:
    """Say what is not here to drive a browser with; None if all is."""
    if NODE is None:
        return "node is not installed"
    if CHROMIUM is None:
        return "no Chromium is installed; CHROMIUM can name one"
    home = os.environ.get("PLAYWRIGHT_PATH", str(ROOT))
    question = f"require('module').createRequire({json.dumps(home + '/')})('playwright-core')"
    asked = subprocess.run([NODE, "-e", question], capture_output=True)
    return None if asked.returncode == 0 else "playwright-core is not installed; PLAYWRIGHT_PATH can name the folder that has it"


pytestmark = [pytest.mark.slow, needs_comfyui, pytest.mark.skipif(missing() is not None, reason=str(missing()))]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comfy")
    clip = Path(write_clip(demo_clip(1.2), folder))
    frontend = os.environ.get("COMFYUI_FRONTEND")
    with RealServer(folder / "base", [clip], ["--front-end-root", frontend] if frontend else []) as running:
        yield running


@pytest.fixture(scope="module", params=["classic", "vue"])
def seen(request, server):
    """All that one visit of the page found."""
    pictures = os.environ.get("TALKIES_SCREENSHOTS", "")
    visit = subprocess.run([str(NODE), str(HERE / "browser.mjs"), server.url, request.param, "ComfyUI-Talkies", ",".join(QUICK), pictures],
                           capture_output=True, text=True, timeout=3000, env={**os.environ, "CHROMIUM": str(CHROMIUM)})
    assert visit.returncode == 0, visit.stdout[-2000:] + visit.stderr[-4000:] + server.log[-2000:]
    return json.loads(visit.stdout.splitlines()[-1])


def test_every_step_could_be_taken(seen):
    assert "failed" not in seen, seen["failed"]


def test_no_error_names_our_files(seen):
    ours = [text for text in seen["errors"] if "/extensions/ComfyUI-Talkies/" in text or "talkies-" in text]
    # The page asks for help in its language first, and takes the plain file when there is none.
    assert not [text for text in ours if not text.split(" net::")[0].endswith("/en.md")]


def test_no_extension_is_loaded_twice(seen):
    assert seen["twice"] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_loads_with_every_node_known(seen, name):
    assert seen["workflows"][name]["unknown"] == [] and seen["workflows"][name]["nodes"] > 2


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_node_of_a_workflow_lies_over_another(seen, name):
    if seen["renderer"] == "vue":
        pytest.skip("Nodes 2.0 sizes nodes by itself, and this frontend gives those out of view no size")
    assert seen["workflows"][name]["overlaps"] == []


@pytest.mark.parametrize("name", QUICK)
def test_a_quick_workflow_runs_from_the_page(seen, name):
    assert seen["workflows"][name]["ran"] == "success"


@pytest.mark.parametrize("file", sorted(path.name for path in (ROOT / "subgraphs").glob("*.json")))
def test_a_blueprint_opens_with_every_node_known(seen, file):
    (node,) = seen["blueprints"][file]
    assert len(node["inside"]) == 4 and all(inner["known"] for inner in node["inside"])
    assert node["inputs"] in (["images"], ["video", "crop_ops"])


def test_the_template_browser_offers_our_workflows(seen):
    assert seen["template"] == "loaded"


@pytest.mark.parametrize(("node", "ink", "colours"), [
    ("TalkiesVideoAlign", 8000, 500), ("TalkiesUltraSmooth", 3000, 20), ("TalkiesCompare", 20000, 500), ("TalkiesAudioEncode", 20000, 300),
    ("TalkiesCleanSpeech", 1500, 8), ("TalkiesColorMatch", 1500, 8), ("TalkiesInspectArrays", 500, 3),
    ("TalkiesFilmGrain", 8000, 50), ("TalkiesBM3D", 1500, 8), ("TalkiesDeepImagePrior", 2500, 20),
    ("TalkiesLBCLAHE", 1500, 8), ("TalkiesDeblur", 500, 8), ("TalkiesRenderVideo", 500, 8),
])
def test_a_panel_draws(seen, node, ink, colours):
    panel = seen["panels"][node]
    assert panel is not None, f"the panel of {node} is nowhere on the page: {seen['panels']}"
    assert panel["width"] > 150 and panel["height"] > 60
    assert panel["ink"] > ink and panel["colours"] > colours, panel


@pytest.mark.parametrize("node", ["TalkiesCompare", "TalkiesVideoAlign", "TalkiesUltraSmooth", "TalkiesAudioEncode"])
def test_the_keyboard_moves_what_a_panel_shows(seen, node):
    before, after = seen["moves"][node]
    assert before and after and before != after


def test_help_opens_behind_the_info_button(seen):
    assert seen["help"]["text"]
