"""What a node gives to its panel in the page: plain JSON values under one key."""
from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.report import Report
from ..host.page import send_to_page


def show_while_running(node_id: str | None, report: Report | None = None, **panels: Any) -> None:
    """Give a node's panel what `with_panel` would, while the node is still at work. Where no page is connected, nothing happens.

    Args:
        node_id: the node's id in the graph (hidden input UNIQUE_ID).
        report: as for `with_panel`.
        panels: as for `with_panel`.
    """
    if node_id is not None:
        send_to_page("talkies.running", {"node": node_id, "output": _shown(report, panels)})


def with_panel(result: tuple[Any, ...], report: Report | None = None, **panels: Any) -> dict[str, Any]:
    """Give a node's result with what its panel shows.

    Args:
        result: the node's outputs.
        report: shown as figures and curves (the key ``talkies_report``).
        panels: JSON values by key, each for the panel that listens to it.
    """
    return {"ui": _shown(report, panels), "result": result}


def _shown(report: Report | None, panels: Mapping[str, Any]) -> dict[str, list[Any]]:
    found = dict(panels) if report is None else {**panels, "talkies_report": report.to_json()}
    return {key: [for_page(value)] for key, value in found.items()}


def for_page(value: Any) -> Any:
    """Give plain numbers for NumPy's, and null where one is not finite: ComfyUI's message could not be written or read otherwise."""
    if isinstance(value, Mapping):
        return {key: for_page(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [for_page(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
