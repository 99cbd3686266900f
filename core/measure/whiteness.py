"""Whether what was removed from a picture was noise: white noise has no resemblance to itself a pixel further on, detail has."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import as_float64


def lag1_autocorrelation(residual: NDArray[Any]) -> float:
    """Give the autocorrelation one pixel right and one pixel down, the mean of the two, of a residual ``[H,W]`` or ``[H,W,C]``.

    0 is white: nothing but white noise was removed. Well above 0, structure went with it, or the noise was correlated. The residual's
    mean is not taken off: a shift of brightness is structure too. 0 where nothing was removed, or the frame is one pixel.
    """
    planes = as_float64(residual).reshape(*residual.shape[:2], -1)
    found = []
    for plane in np.moveaxis(planes, 2, 0):
        for first, second in ((plane[:, :-1], plane[:, 1:]), (plane[:-1], plane[1:])):
            energy = np.sqrt((first**2).sum() * (second**2).sum())
            if energy > 0:
                found.append(float((first * second).sum() / energy))
    return float(np.mean(found)) if found else 0.0
