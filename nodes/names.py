"""One place for the pack's names: ids, categories and the types on its wires."""
from __future__ import annotations

PREFIX = "Talkies"

OPS = "TALKIES_OPS"
"""A chain of frame operations (`core.operation.Chain`)."""

REPORT = "TALKIES_REPORT"
"""Named figures (`core.report.Report`)."""

AREAS = ("Video", "Restore", "Look", "Inspect")


def category(area: str) -> str:
    """Give the menu path of an area, e.g. ``Talkies/Restore``."""
    return f"{PREFIX}/{area}"
