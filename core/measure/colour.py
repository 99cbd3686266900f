"""How far two sets of colours are apart, to the eye."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import color

from ..arrays import Frames, as_float64
from ..masked import Mask
from ..parallel import for_each_frame
from ..video.colour_axes import to_lab
from ..video.colour_rows import selected

Labs = NDArray[np.float64]
"""Mean colours in CIELAB, one a frame, ``[T,3]``; NaN where there was nothing to measure."""


def mean_labs(frames: Frames, mask: Mask | None = None, start: int = 0) -> Labs:
    """Give the mean CIELAB colour of every frame ``[B,H,W,C]`` inside the mask."""
    means = np.full((len(frames), 3), np.nan)

    def work(i: int) -> None:
        colours = selected(frames[i], mask, start + i)
        if len(colours):
            means[i] = as_float64(to_lab(colours)).mean(0)

    for_each_frame(len(frames), work)
    return means


def ciede2000(first: Labs, second: Labs) -> NDArray[np.float64]:
    """Give the CIEDE2000 difference of CIELAB colours ``[...,3]``; 1 is about what the eye just sees.

    Source: CIE 142-2001, by scikit-image.
    """
    skimage_color: Any = color
    return np.asarray(skimage_color.deltaE_ciede2000(as_float64(first), as_float64(second)))


def mean_difference(first: Labs, second: Labs) -> float:
    """Give the mean CIEDE2000 over frames that both have; NaN where there is none."""
    differences = ciede2000(first, second)
    there = np.isfinite(differences)
    return float(differences[there].mean()) if there.any() else float("nan")


def drift(labs: Labs) -> float:
    """Give the mean CIEDE2000 from one frame to the next: how much the mean colour flickers; 0 for one frame."""
    if len(labs) < 2:
        return 0.0
    return mean_difference(labs[1:], labs[:-1])


def series(first: Labs, second: Labs) -> Sequence[float]:
    """Give the CIEDE2000 of every frame, 0 where there was nothing to measure."""
    values: list[float] = np.nan_to_num(ciede2000(first, second)).tolist()
    return tuple(values)
