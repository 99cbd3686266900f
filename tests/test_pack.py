"""The pack loads: as ComfyUI loads it, from any folder name, without network, and as `talkies` when pip installed it."""
from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys

import pytest
from library_guard import ROOMS, ROOT, sources

LOADER = """
import importlib.util, json, socket, sys
def refuse(*a, **k): raise OSError("no network at import")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
before = list(sys.path)
name, folder = sys.argv[1:]
spec = importlib.util.spec_from_file_location(name, folder + "/__init__.py", submodule_search_locations=[folder])
pack = importlib.util.module_from_spec(spec); sys.modules[name] = pack; spec.loader.exec_module(pack)
assert sys.path == before, "the pack changed sys.path"
foreign = [m for m in sys.modules if m.split(".")[0] in ("core", "nodes", "host", "headless", "comfy", "folder_paths")]
nodes, names = sorted(pack.NODE_CLASS_MAPPINGS), sorted(pack.NODE_DISPLAY_NAME_MAPPINGS)
print(json.dumps({"nodes": nodes, "names": names, "web": pack.WEB_DIRECTORY, "foreign": foreign}))
"""


def load(name: str, folder) -> dict:
    command = [sys.executable, "-W", "error::SyntaxWarning", "-c", LOADER, name, str(folder)]
    result = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert not result.stdout.splitlines()[:-1] and not result.stderr, "importing the pack prints something"
    return json.loads(result.stdout)


@pytest.mark.parametrize("folder", ["ComfyUI-Talkies", "comfyui talkies v1.0 (über)"])
def test_it_loads_as_comfyui_loads_it_from_any_folder_name(tmp_path, folder):
    target = tmp_path / "custom_nodes" / folder
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(".*", "__pycache__", "tests", "demo"))
    found = load(str(target).replace(".", "_x_"), target)
    assert found["nodes"] and all(n.startswith("Talkies") for n in found["nodes"])
    assert found["names"] == found["nodes"]
    assert (target / found["web"]).is_dir()
    assert not found["foreign"]


def test_pip_makes_it_importable_as_talkies(tmp_path):
    try:
        importlib.metadata.version("talkies")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the pack is not pip-installed in this environment (pip install -e .)")
    code = "import talkies, talkies.core.video.source; print(sorted(talkies.NODE_CLASS_MAPPINGS)[0])"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert result.stdout.startswith("Talkies"), result.stderr


def test_plain_pytest_collects_from_the_root():
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/core/test_operation.py"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0 and "test_any_cut_gives_the_same_bits" in result.stdout, result.stdout + result.stderr


def test_every_package_is_listed_for_the_wheel():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.findall(r'"(talkies[\w.]*)"', text[text.index("packages = [") : text.index("]", text.index("packages = ["))])
    folders = [p.parent.relative_to(ROOT) for room in ROOMS for p in (ROOT / room).rglob("__init__.py")]
    there = ["talkies", *(".".join(("talkies", *folder.parts)) for folder in folders)]
    assert sorted(listed) == sorted(there)


@pytest.mark.parametrize("path", sources(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_inside_the_house_are_relative_and_run_one_way(path):
    room = path.relative_to(ROOT).parts[0]
    may_use = {"core": {"core"}, "host": {"core", "host"}, "nodes": {"core", "host", "nodes"}, "headless": set(ROOMS)}[room]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [a.name.split(".")[0] for a in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules = [(node.module or "").split(".")[0]]
        elif isinstance(node, ast.ImportFrom):
            above = path.relative_to(ROOT).parts[: -node.level]
            target = (*above, *(node.module or node.names[0].name).split("."))[0]
            assert target not in ROOMS or target in may_use, f"{path}:{node.lineno}: {room} may not use {target}"
            continue
        else:
            continue
        banned = {*ROOMS, "talkies", "comfy", "comfy_api", "comfy_execution", "folder_paths", "server", "execution"}
        assert not banned & set(modules), f"{path}:{node.lineno}: imports {modules} by an absolute name"


def test_requirements_have_lower_bounds_only():
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            assert re.fullmatch(r"[A-Za-z0-9_.-]+>=[\d.]+(; [\w =\"]+)?", line), line


@pytest.mark.parametrize("name", ["torch", "numpy", "scipy", "opencv-python", "kornia", "librosa", "bm3d", "face-alignment", "spandrel"])
def test_requirements_name(name):
    assert re.search(rf"^{name}>=", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)


def test_nothing_banned_is_required():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8") + (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert not re.search(r"basicsr|gfpgan|facexlib|insightface|mediapipe", text)
