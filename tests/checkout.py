"""The checkout under test: where it is, and how it is imported."""
from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
"""Real clips, weights and goldens beside the checkout; tests that need them skip where it is absent."""


def load_pack(name: str = "talkies", root: Path = ROOT) -> ModuleType:
    """Import the pack at `root` under `name` as ComfyUI's loader does: from its folder, whatever that is called."""
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, root / "__init__.py", submodule_search_locations=[str(root)])
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
