"""The transfer curve of sRGB (IEC 61966-2-1), exact and piecewise, and its inverse.

Below 0 both are mirrored (odd), above 1 they go on, so that values outside 0..1 survive the way there and back.
"""
from __future__ import annotations

import numpy as np

from ..arrays import Frame
from ..compiled import compiled

_KNEE, _LINEAR_KNEE = np.float32(0.04045), np.float32(0.04045 / 12.92)
_SLOPE, _SCALE, _OFFSET, _GAMMA = np.float32(12.92), np.float32(1.055), np.float32(0.055), np.float32(2.4)
_INVERSE_GAMMA, _ZERO = np.float32(1 / 2.4), np.float32(0)


@compiled
def to_linear(source: Frame, out: Frame) -> None:
    """Write the linear light of sRGB values (any shape) into `out`, which may be `source`."""
    values, made = source.reshape(-1), out.reshape(-1)
    for i in range(len(values)):
        v = abs(values[i])
        light = v / _SLOPE if v <= _KNEE else ((v + _OFFSET) / _SCALE) ** _GAMMA
        made[i] = -light if values[i] < _ZERO else light


@compiled
def to_srgb(source: Frame, out: Frame) -> None:
    """Write the sRGB values of linear light (any shape) into `out`, which may be `source`."""
    values, made = source.reshape(-1), out.reshape(-1)
    for i in range(len(values)):
        light = abs(values[i])
        v = light * _SLOPE if light <= _LINEAR_KNEE else _SCALE * light**_INVERSE_GAMMA - _OFFSET
        made[i] = -v if values[i] < _ZERO else v
