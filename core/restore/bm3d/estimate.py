"""How strong the noise is, from a frame itself."""
from __future__ import annotations

import numpy as np

from ...arrays import Frame

_MAD = 0.6744897501960817  # median of the magnitude of a standard normal value


def white_noise_level(frame: Frame) -> float:
    """Estimate the standard deviation of white noise in a frame ``[H,W,C]``, in steps of 255, from its finest diagonal detail.

    Source: Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81(3), 1994 (median of the magnitude,
    here of the 2x2 Haar diagonal). Reads low on correlated noise. A frame of one row or column has no such detail: 0.
    """
    height, width = (n // 2 * 2 for n in frame.shape[:2])
    if not height or not width:
        return 0.0
    colours = frame[:height, :width, : 3 if frame.shape[2] == 4 else frame.shape[2]]
    diagonal = (colours[::2, ::2] - colours[1::2, ::2] - colours[::2, 1::2] + colours[1::2, 1::2]) / 2
    return 255 * float(np.median(np.abs(diagonal), axis=(0, 1)).mean()) / _MAD
