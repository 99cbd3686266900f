"""Writes locales/en/nodeDefs.json from the node classes: ``python tests/write_locales.py``. A test sees that it is up to date."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "locales" / "en" / "nodeDefs.json"


def node_definitions(pack: Any) -> dict[str, Any]:
    """Give the texts of every node in the form of ComfyUI's nodeDefs.json."""
    return {name: _definition(node, pack.NODE_DISPLAY_NAME_MAPPINGS[name]) for name, node in sorted(pack.NODE_CLASS_MAPPINGS.items())}


def _definition(node: Any, display_name: str) -> dict[str, Any]:
    groups = node.INPUT_TYPES()
    inputs = {
        name: {"name": name.replace("_", " "), "tooltip": spec[1]["tooltip"]}
        for group in ("required", "optional")
        for name, spec in groups.get(group, {}).items()
    }
    outputs = {
        str(i): {"name": name.replace("_", " "), "tooltip": tooltip}
        for i, (name, tooltip) in enumerate(zip(node.RETURN_NAMES, node.OUTPUT_TOOLTIPS, strict=True))
    }
    return {"display_name": display_name, "description": node.DESCRIPTION, "inputs": inputs, "outputs": outputs}


def text(pack: Any) -> str:
    """Give the file's text."""
    return json.dumps(node_definitions(pack), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    from checkout import load_pack

    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text(load_pack()), encoding="utf-8")
