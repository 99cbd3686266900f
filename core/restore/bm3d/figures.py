"""What BM3D did to a clip, in figures."""
from __future__ import annotations

import numpy as np

from ...arrays import Frames, as_float64
from ...measure.whiteness import lag1_autocorrelation
from ...report import Report
from .measured import MeasuredNoise, neighbour_correlation
from .operation import BM3D


def denoising_report(operation: BM3D, measured: MeasuredNoise, before: Frames, after: Frames, seconds: float) -> Report:
    """Tell what was asked for, what ran, and what was removed.

    Args:
        operation: what ran, surveyed if it needed that.
        measured: the noise of the clip, told whether it was used or not.
        before: frames ``[B,H,W,C]`` as they came.
        after: frames of the same shape as they are now.
        seconds: that it took.
    """
    removed = [as_float64(a[..., :3]) - as_float64(b[..., :3]) for a, b in zip(before, after, strict=True)]
    spread = tuple(255 * float(np.sqrt((r**2).mean())) for r in removed)
    whiteness = tuple(lag1_autocorrelation(r) for r in removed)
    noise = operation.removed()
    colour = before.shape[-1] > 1
    figures: dict[str, float | int | str] = {
        "sigma used (steps of 255)": noise.level(chroma=False),
        **({"sigma used in chroma (steps of 255)": noise.level(chroma=True)} if colour else {}),
        "sigma from": "measured" if operation.sigma == 0 else "set",
        "sigma measured (steps of 255)": measured.sigma,
        **({"sigma measured in chroma (steps of 255)": measured.chroma_sigma} if colour else {}),
        "correlation measured one pixel on": neighbour_correlation(measured.lags),
        "noise": operation.noise,
        "engine": operation.engine,
        "profile requested": operation.profile,
        "profile run": operation.ran(),
        "stages": operation.stages,
        "radius (frames)": operation.radius,
        "frames": len(before),
        "time (s)": seconds,
        "time a frame (s)": seconds / len(before),
        "removed, rms (steps of 255)": float(np.sqrt(np.mean(np.square(spread)))),
        "whiteness of what was removed (lag-1 autocorrelation)": float(np.mean(whiteness)),
    }
    return Report("BM3D", figures, {"removed, rms (steps of 255)": spread, "whiteness": whiteness})
