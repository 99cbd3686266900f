"""What a node gives to its panel in the page: plain JSON values under one key."""
from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.report import Report


def with_panel(result: tuple[Any, ...], report: Report | None = None, **panels: Any) -> dict[str, Any]:
    """Give a node's result with what its panel shows.

    Args:
        result: the node's outputs.
        report: shown as figures and curves (the key ``talkies_report``).
        panels: JSON values by key, each for the panel that listens to it.
    """
    if report is not None:
        panels["talkies_report"] = report.to_json()
    return {"ui": {key: [for_page(value)] for key, value in panels.items()}, "result": result}


def for_page(value: Any) -> Any:
    """Give plain numbers for NumPy's, and null where one is not finite: ComfyUI's message could not be written or read otherwise."""
    if isinstance(value, Mapping):
        return {key: for_page(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [for_page(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
