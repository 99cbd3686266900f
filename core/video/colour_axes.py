"""The spaces in which colours are matched: CIELAB, l-alpha-beta, linear light, and sRGB as it is.

Each takes colours ``[...,3]`` there and back in float32. CIELAB is CIE 15 with the D65 white of sRGB (2 degrees); OpenCV's own float
version is up to 0.5 off and loses 0.005 on the way there and back. l-alpha-beta: Ruderman, Cronin and Chiao, JOSA A 15(8), 1998, by
the matrices of Reinhard, Ashikhmin, Gooch and Shirley, "Color transfer between images", IEEE CG&A 21(5), 2001.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..arrays import Frame, as_float32
from ..compiled import compiled
from ..restore.linear_light import to_linear, to_srgb

SpaceName = Literal["cielab", "l-alpha-beta", "linear", "srgb"]

_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
_WHITE = np.array([0.95047, 1.0, 1.08883])
_TO_XYZ = _XYZ / _WHITE[:, None]
"""Linear sRGB (IEC 61966-2-1) to XYZ over the white."""

_LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
_OPPONENT = np.diag(1 / np.sqrt([3.0, 6.0, 2.0])) @ np.array([[1.0, 1, 1], [1, 1, -2], [1, -1, 0]])
_DARKEST = 2e-4  # of linear light: below it the logarithm would blow noise up

_EDGE, _SLOPE, _FOOT = np.float32(216 / 24389), np.float32(24389 / 27 / 116), np.float32(16 / 116)
_EDGE_ROOT = np.float32(6 / 29)


@dataclass(frozen=True)
class Space:
    """A colour space: ``there`` from sRGB values and ``back``, ``[...,3]`` float32 each; both give new arrays."""

    there: Callable[[Frame], Frame]
    back: Callable[[Frame], Frame]


def to_lab(rgb: Frame) -> Frame:
    """Give sRGB colours ``[...,3]`` as CIELAB: L 0..100, a and b about -110..110. Values beyond 0..1 go on smoothly."""
    lab = _linear(rgb) @ as_float32(_TO_XYZ.T)
    _root(lab.reshape(-1))
    out = np.empty_like(lab)
    out[..., 0] = 116 * lab[..., 1] - 16
    out[..., 1] = 500 * (lab[..., 0] - lab[..., 1])
    out[..., 2] = 200 * (lab[..., 1] - lab[..., 2])
    return out


def from_lab(lab: Frame) -> Frame:
    """Give CIELAB colours ``[...,3]`` as sRGB, not clipped."""
    xyz = np.empty_like(lab)
    xyz[..., 1] = (lab[..., 0] + 16) / 116
    xyz[..., 0] = xyz[..., 1] + lab[..., 1] / 500
    xyz[..., 2] = xyz[..., 1] - lab[..., 2] / 200
    _cube(xyz.reshape(-1))
    return _srgb(xyz @ as_float32(np.linalg.inv(_TO_XYZ).T))


def _to_opponent(rgb: Frame) -> Frame:
    cones = _linear(rgb) @ as_float32(_LMS.T)
    made: Frame = np.log10(np.maximum(cones, np.float32(_DARKEST))) @ as_float32(_OPPONENT.T)
    return made


def _from_opponent(opponent: Frame) -> Frame:
    cones = np.power(np.float32(10), np.clip(opponent @ as_float32(np.linalg.inv(_OPPONENT).T), -6, 3))
    return _srgb(cones @ as_float32(np.linalg.inv(_LMS).T))


def _linear(rgb: Frame) -> Frame:
    light = np.empty_like(rgb)
    to_linear(rgb, light)
    return light


def _srgb(light: Frame) -> Frame:
    light = as_float32(light)
    to_srgb(light, light)
    return light


SPACES: dict[SpaceName, Space] = {
    "cielab": Space(to_lab, from_lab),
    "l-alpha-beta": Space(_to_opponent, _from_opponent),
    "linear": Space(_linear, _srgb),
    "srgb": Space(lambda rgb: rgb.copy(), lambda rgb: rgb),
}


@compiled
def _root(values: Frame) -> None:
    """Replace each by CIE's f: the cube root, and a straight line near 0."""
    for i in range(len(values)):
        v = values[i]
        values[i] = np.float32(np.cbrt(v)) if v > _EDGE else _SLOPE * v + _FOOT


@compiled
def _cube(values: Frame) -> None:
    """Undo `_root`."""
    for i in range(len(values)):
        v = values[i]
        values[i] = v * v * v if v > _EDGE_ROOT else (v - _FOOT) / _SLOPE
