"""What a run found, for people: the figures of its fits, and their curves as a picture."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...arrays import Frame, contiguous, from_uint8
from ...report import Report
from .fit import Fit, Moment

_ENDED = {"variance": "the outputs had been calmest", "iterations": "all iterations were run", "time": "the time limit was reached"}
_MOST_POINTS = 400
"""Of a curve that is sent to the page every second."""

_LOSS, _VARIANCE, _BEST = "#9a9a9a", "#0072b2", "#c8452b"


def report(fits: Sequence[tuple[int, Fit]]) -> Report:
    """Give the figures of a run and the curves of its last fit.

    Args:
        fits: of each tile of each frame, with the frame's index, in the order they were made.
    """
    if not fits:
        return Report("Deep Image Prior", {"fits": 0, "note": "nothing was to be filled, so every frame is as it was"})
    made = [f for _, f in fits]
    last = made[-1]
    memory = max((f.memory for f in made if not math.isnan(f.memory)), default=math.nan)
    figures: dict[str, float | int | str] = {
        "frames": len({index for index, _ in fits}),
        "fits": len(made),
        "best iteration": last.best,
        "iterations": last.iterations,
        "iterations of all fits": sum(f.iterations for f in made),
        "ended because": _ENDED[last.ended],
        "seconds": round(sum(f.seconds for f in made), 2),
        "peak memory (MB)": "not known here" if math.isnan(memory) else round(memory / 1e6, 1),
        "precision": last.precision,
    }
    helped = [f.afterwards for f in made if f.afterwards]
    if helped:
        figures["afterwards"] = f"{len(helped)} of {len(made)} fits {helped[-1]}"
    fallen = sum(f.fell_back for f in made)
    if fallen:
        figures["fell back to float32"] = f"{fallen} of {len(made)} fits, in which half precision gave NaN"
    variances = tuple(v for v in last.variances if not math.isnan(v))
    return Report("Deep Image Prior", figures, {"training loss": last.losses, "variance of the outputs": variances})


def report_so_far(index: int, moment: Moment) -> Report:
    """Give how a fit stands: its curves as `report` has them, thinned out where it has run for long.

    Args:
        index: of the frame that it is of.
        moment: the fit under way.
    """
    figures: dict[str, float | int | str] = {
        "best iteration": moment.best or "not yet",
        "iterations": moment.iterations,
        "seconds": round(moment.seconds, 1),
        "iterations at most": moment.most,
        "frame": index,
    }
    stride = -(-max(len(moment.losses), 1) // _MOST_POINTS)
    thin = slice(stride - 1, None, stride)
    variances = tuple(v for v in moment.variances[thin] if not math.isnan(v))
    return Report("Deep Image Prior", figures, {"training loss": moment.losses[thin], "variance of the outputs": variances})


def plot(fit: Fit | None, width: int = 1024, height: int = 560) -> Frame:
    """Draw loss and variance over the iterations, and where the picture was taken, as ``[height,width,3]``, 0..1."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 100, height / 100), dpi=100, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    if fit is None or not fit.losses:
        figure.text(0.5, 0.5, "nothing was fitted", ha="center", fontsize=14)
    else:
        _draw(figure, fit)
    canvas.draw()
    drawn: Any = canvas.buffer_rgba()
    return from_uint8(contiguous(np.asarray(drawn, np.uint8)[..., :3]))


def _draw(figure: Any, fit: Fit) -> None:
    at = np.linspace(fit.iterations / len(fit.losses), fit.iterations, len(fit.losses))
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.plot(at, fit.losses, color=_LOSS)
    upper.set_ylabel("training loss")
    upper.set_title(f"picture of iteration {fit.best} of {fit.iterations}, since {_ENDED[fit.ended]} ({fit.seconds:.1f} s)", loc="left")
    lower.plot(at[: len(fit.variances)], fit.variances, color=_VARIANCE)
    lower.set_ylabel("variance of the outputs")
    lower.set_xlabel("iteration")
    for axes in (upper, lower):
        if any(np.nanmax(line.get_ydata(), initial=0) > 0 for line in axes.lines):
            axes.set_yscale("log")
        axes.grid(alpha=0.25)
        axes.axvline(fit.best, color=_BEST, linestyle="--", linewidth=1.2)
