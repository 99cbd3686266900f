"""A report's series as a picture."""
from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from ..arrays import Frame, contiguous, from_uint8
from ..report import Report

_INK, _PAPER, _GRID = "#1d2330", "#ffffff", "#d5d9e0"
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b0568f", "#8a6d00", "#3b3b98", "#56b4e9")
"""Told apart by the colour-blind too, and dark enough for a line on white: after Okabe and Ito, "Color universal design", 2008."""

_DPI = 100
_WIDTH, _PANEL, _HEAD = 1280, 190, 150
_TEXT = 0.72 * 26  # points: 26 px high, so 13 px where a node shows the picture at half its size


def plot_series(report: Report, size: tuple[int, int] | None = None) -> Frame:
    """Draw each series of a report over the frames, one above the other, each in its own range.

    Args:
        report: its series may differ in length; each starts at frame 0.
        size: width and height in px; none: 1280 px wide and as high as the panels ask for.

    Returns:
        ``[height,width,3]``, 0..1.
    """
    series = {name: values for name, values in report.series.items() if len(values)}
    width, height = size or (_WIDTH, _HEAD + _PANEL * max(len(series), 1))
    scale = min(1.0, width / _WIDTH, height / (_HEAD + _PANEL * max(len(series), 1)))
    layout = ConstrainedLayoutEngine(w_pad=0.12) if scale > 0.2 else None  # a smaller one has no room to arrange
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=_PAPER, layout=layout)
    canvas: Any = FigureCanvasAgg(figure)
    text = max(_TEXT * scale, 5.0)
    figure.suptitle(report.title, fontsize=text * 1.15, color=_INK, fontweight="bold")
    if not series:
        figure.text(0.5, 0.45, "no series in this report", ha="center", fontsize=text, color=_INK)
    else:
        _draw_panels(figure, series, text, 3.0 * max(scale, 0.4))
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    return from_uint8(contiguous(pixels))


def _draw_panels(figure: Figure, series: dict[str, tuple[float, ...]], text: float, stroke: float) -> None:
    panels = figure.subplots(len(series), 1, sharex=True, squeeze=False)[:, 0]
    for number, (panel, (name, values)) in enumerate(zip(panels, series.items(), strict=True)):
        colour = _COLOURS[number % len(_COLOURS)]
        panel.plot(range(len(values)), values, color=colour, linewidth=stroke, marker="o" if len(values) == 1 else None,
                   markersize=3 * stroke)
        panel.set_title(name, loc="left", fontsize=text, color=colour, pad=text / 4)
        panel.tick_params(labelsize=text * 0.85, colors=_INK)
        panel.yaxis.set_major_locator(MaxNLocator(2))
        panel.grid(color=_GRID, linewidth=stroke / 3)
        panel.margins(x=0.01, y=0.15)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    panels[-1].xaxis.set_major_locator(MaxNLocator(8, integer=True))
    panels[-1].set_xlabel("frame", fontsize=text, color=_INK)
