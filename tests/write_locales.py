"""Writes locales/<language>/nodeDefs.json from the node classes and tests/translations: ``python tests/write_locales.py``.

``python tests/write_locales.py --missing zh`` prints the English texts that a language lacks, as JSON to fill in. Tests see that the files
are up to date and that no translation is missing or left over.
"""
from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TRANSLATIONS = ROOT / "tests" / "translations"
"""One file a language, English text to translated text, apart from the locales, so that a changed English text shows as missing."""

LANGUAGES = tuple(sorted(path.stem for path in TRANSLATIONS.glob("*.json")))


def target(language: str) -> Path:
    """Give the file that ComfyUI reads."""
    return ROOT / "locales" / language / "nodeDefs.json"


def node_definitions(pack: Any) -> dict[str, Any]:
    """Give the English texts of every node in the form of ComfyUI's nodeDefs.json."""
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


def translations(language: str) -> dict[str, str]:
    """Read a language's translations."""
    read: dict[str, str] = json.loads((TRANSLATIONS / f"{language}.json").read_text(encoding="utf-8"))
    return read


def english(plain: Any) -> Iterator[str]:
    """Walk all texts of the definitions."""
    for value in plain.values():
        if isinstance(value, str):
            yield value
        else:
            yield from english(value)


def translated(plain: Any, words: dict[str, str]) -> Any:
    """Give the definitions in another language; a text without a translation stays English."""
    return {key: words.get(value, value) if isinstance(value, str) else translated(value, words) for key, value in plain.items()}


def text(pack: Any, language: str = "en") -> str:
    """Give the file's text."""
    plain = node_definitions(pack)
    return json.dumps(plain if language == "en" else translated(plain, translations(language)), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> None:
    """Write all files, or print what is missing."""
    from checkout import load_pack

    pack = load_pack()
    if arguments[:1] == ["--missing"]:
        known = translations(arguments[1]) if arguments[1] in LANGUAGES else {}
        missing = dict.fromkeys(entry for entry in english(node_definitions(pack)) if entry not in known)
        sys.stdout.write(json.dumps(dict.fromkeys(missing, ""), indent=1, ensure_ascii=False) + "\n")
        return
    for language in ("en", *LANGUAGES):
        target(language).parent.mkdir(parents=True, exist_ok=True)
        target(language).write_text(text(pack, language), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
