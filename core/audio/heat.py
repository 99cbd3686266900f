"""A mel spectrogram as nothing but its pixels, for a page that draws the axes itself."""
from __future__ import annotations

import cv2
import numpy as np
from matplotlib import colormaps

from ..arrays import Frame, as_float32, contiguous
from .mel import Mel, MelPreset, hz_to_mel

TICKS = (250, 1000, 2500, 6000)
"""Hz worth marking in a small picture."""


def mel_heat(mel: Mel, preset: MelPreset, most: int = 2048) -> Frame:
    """Colour a mel spectrogram, high bands on top, one pixel a band and a column (fewer columns than `most`: averages of them).

    Args:
        mel: ``[bands,T]`` in -4..4; the colours always span that range.
        preset: what the levels mean.
        most: the widest picture, px.

    Returns:
        ``[bands,min(T,most),3]`` float32, 0..1.
    """
    level = (as_float32(mel) + preset.top) / (2 * preset.top)
    if level.shape[1] > most:
        level = as_float32(np.asarray(cv2.resize(contiguous(level), (most, level.shape[0]), interpolation=cv2.INTER_AREA)))
    return as_float32(colormaps["magma"](np.clip(level[::-1], 0, 1))[..., :3])


def mel_ticks(preset: MelPreset) -> list[tuple[int, float]]:
    """Give Hz and where they lie in the picture, 0 at its lower edge, 1 at its upper."""
    low, high = hz_to_mel(preset.low), hz_to_mel(preset.high)
    # Bands are centred on 1..bands of bands + 1 equal steps of mel, and a pixel reaches half a step to either side.
    places = {hz: ((hz_to_mel(hz) - low) / (high - low) * (preset.bands + 1) - 0.5) / preset.bands for hz in TICKS}
    return [(hz, round(place, 4)) for hz, place in places.items() if 0 < place < 1]
