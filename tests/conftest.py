"""Make the checkout importable as `talkies`, the way ComfyUI imports a custom node: from its folder, whatever that is called."""
from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def load_pack(name: str, root: Path = ROOT):
    """Import the pack at `root` under `name`, as ComfyUI's loader does."""
    spec = importlib.util.spec_from_file_location(name, root / "__init__.py", submodule_search_locations=[str(root)])
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


os.environ.setdefault("MPLBACKEND", "Agg")
load_pack("talkies")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips, weights and goldens beside the checkout; skips where there is none."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared folder with real media and goldens beside the checkout")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def library_guard():
    """Check every array that the pack hands to OpenCV, SciPy, scikit-image or bm3d, in every test."""
    import library_guard

    with pytest.MonkeyPatch.context() as patch:
        yield library_guard.install(patch)
