"""Named figures of a run: what a node found or did, for people, for files and for the panels."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Report:
    """Figures (name to number or text, the unit in the name, e.g. ``"sigma (0..255)"``) and series (one number a frame)."""

    title: str
    figures: Mapping[str, float | int | str] = field(default_factory=dict)
    series: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON values."""
        return {"title": self.title, "figures": dict(self.figures), "series": {k: list(v) for k, v in self.series.items()}}

    def to_text(self) -> str:
        """Give one line a figure, aligned, for a log or a text node."""
        width = max((len(name) for name in self.figures), default=0)
        lines = [f"{name:<{width}}  {value:.6g}" if isinstance(value, float) else f"{name:<{width}}  {value}"
                 for name, value in self.figures.items()]
        return "\n".join([self.title, *lines])

    def __str__(self) -> str:
        """Give the text, so that ComfyUI's Preview Any shows it."""
        return self.to_text()
