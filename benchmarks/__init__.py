"""Measurements of the pack beside its peers. Run from the repository root: ``python -m benchmarks sharpen``."""
from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def load_pack() -> None:
    """Make `talkies` importable: the installed package where there is one, else this checkout."""
    if "talkies" in sys.modules or importlib.util.find_spec("talkies") is not None:
        return
    spec = importlib.util.spec_from_file_location("talkies", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["talkies"] = module
    spec.loader.exec_module(module)


load_pack()
