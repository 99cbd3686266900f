"""The JavaScript's own unit tests, run by node's test runner; and what holds for every file of the web part."""
from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from checkout import ROOT

SCRIPTS = sorted((ROOT / "web" / "js").rglob("*.js"))


def test_node_passes_the_unit_tests():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    files = [str(path) for path in sorted((ROOT / "tests" / "web").glob("*.test.mjs"))]
    run = subprocess.run([node, "--test", *files], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_nothing_is_ever_written_as_html(script):
    text = script.read_text(encoding="utf-8")
    assert not re.search(r"\b(inner|outer)HTML\b|insertAdjacentHTML|document\.write|\beval\(", text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_nothing_comes_from_another_host(script):
    text = script.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://", text)
