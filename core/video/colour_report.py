"""What a colour match did, in figures."""
from __future__ import annotations

import numpy as np

from ..arrays import Frames
from ..masked import Mask
from ..measure.colour import drift, mean_difference, mean_labs, series
from ..report import Report
from .colour import ColorMatch


def match_report(operation: ColorMatch, before: Frames, after: Frames, reference: Frames | None, reference_mask: Mask | None) -> Report:
    """Measure how near the colours came to the reference, and how much they flicker, before and after.

    Args:
        operation: its `measure` says where the frames are measured.
        before: ``[B,H,W,C]``.
        after: the same frames, matched.
        reference: the frames matched to; None where the match is within `before`.
        reference_mask: where the reference (or `before`) is measured.
    """
    old, new = mean_labs(before, operation.measure), mean_labs(after, operation.measure)
    figures: dict[str, float | int | str] = {"method": operation.method, "over": operation.over, "frames": len(before)}
    lines: dict[str, tuple[float, ...]] = {}
    if reference is not None or reference_mask is not None:
        goal = mean_labs(before if reference is None else reference, reference_mask)
        if len(goal) != len(old):
            goal = np.nanmean(goal, axis=0, keepdims=True).repeat(len(old), axis=0)
        figures |= {"CIEDE2000 to the reference before": mean_difference(old, goal),
                    "CIEDE2000 to the reference after": mean_difference(new, goal)}
        lines = {"CIEDE2000 before": tuple(series(old, goal)), "CIEDE2000 after": tuple(series(new, goal))}
    figures |= {"CIEDE2000 from frame to frame before": drift(old), "CIEDE2000 from frame to frame after": drift(new),
                "CIEDE2000 of the change": mean_difference(old, new)}
    return Report("Color Match", figures, lines or {"CIEDE2000 of the change": tuple(series(old, new))})
