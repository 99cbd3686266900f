"""The loops between RGB and lightness: sample a frame's lightness, and shift it with the colour kept.

CIELAB is three cube roots of linear mixtures of R, G and B, and its L goes through all three alike: moving L with a and b kept adds one
number to each root. So a frame is changed without ever being converted as a whole: decode, mix, root, add, cube, mix back, encode, a
row at a time. What would leave the gamut is moved only as far as the gamut goes, so a and b stay there too. Whichever lightness is
equalised, the colour is put back so: its change is taken for what it does to a gray.

All in one file, since numba's stored code is renewed when its own file changes and not when one that it calls into does.

Sources: IEC 61966-2-1 (sRGB), CIE 15:2004 (CIELAB; white D65), Ottosson, "A perceptual color space for image processing", 2020 (Oklab).
"""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame, as_float32
from ...compiled import compiled

Rows = NDArray[np.float32]

SPACES = ("lab", "oklab", "hsv", "ycbcr")
LAB, OKLAB, HSV, YCBCR = range(4)

_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_R, _G, _B = np.float32(0.299), np.float32(0.587), np.float32(0.114)  # luma of Rec. 601, as OpenCV's RGB2YCrCb

# sRGB: the curve's straight part, and its power by two polynomials (minimax, relative error 5e-7 and 1.1e-6):
# u^2.4 = u^2 * P(sqrt(u)) and x^(1/2.4) = Q(x^(1/4)). Unlike pow, they are the same bits everywhere and run in vectors.
_KNEE, _LINEAR_KNEE, _SLOPE = np.float32(0.04045), np.float32(0.0031308), np.float32(12.92)
_SCALE, _OFFSET, _PER_SLOPE, _PER_SCALE = np.float32(1.055), np.float32(0.055), np.float32(1 / 12.92), np.float32(1 / 1.055)
_P0, _P1, _P2, _P3, _P4, _P5, _P6, _P7 = (
    np.float32(c) for c in (0.0276634773, 1.43478321, -1.29433726, 2.06814383, -2.43573082, 1.86058682, -0.817290906, 0.156182173))
_Q0, _Q1, _Q2, _Q3, _Q4, _Q5, _Q6, _Q7 = (
    np.float32(c) for c in (-0.00298013508, 0.112860755, 1.41142117, -1.18028599, 1.30399877, -1.0212606, 0.471718796, -0.0954738754))

# CIELAB: f(t) is the cube root above (6/29)^3 and a straight line below.
_F_KNEE, _ROOT_KNEE = np.float32((6 / 29) ** 3), np.float32(6 / 29)
_F_SLOPE, _F_OFFSET, _PER_F_SLOPE = np.float32((29 / 6) ** 2 / 3), np.float32(4 / 29), np.float32(3 * (6 / 29) ** 2)
_LOW, _HIGH = np.float32(-1e-4), np.float32(1 + 1e-4)  # of linear light within the gamut, rounding allowed for
_PER_LAB = np.float32(1 / 1.16)
_BITS, _THIRD, _FOUR_THIRDS = np.int32(0x54A2FA8C), np.float32(1 / 3), np.float32(4 / 3)

_SRGB_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
_MIX = _SRGB_TO_XYZ / _SRGB_TO_XYZ.sum(1, keepdims=True)  # the white is D65, R = G = B = 1
MIX = as_float32(_MIX)
"""From linear R, G, B to X, Y, Z over white's."""
UNMIX = as_float32(np.linalg.inv(_MIX))
"""The way back."""

_OKLAB_MIX = np.array([
    [0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]])
OKLAB_MIX = as_float32(_OKLAB_MIX / _OKLAB_MIX.sum(1, keepdims=True))
"""From linear R, G, B to what Oklab takes the roots of."""
_OK_L, _OK_M, _OK_S = (np.float32(v) for v in (0.2104542553, 0.7936177850, -0.0040720403))  # Oklab's L of the three roots; they sum to 1


@compiled
def decoded(v: Any) -> Any:
    """Give the linear light of an sRGB value in 0..1."""
    u = (v + _OFFSET) * _PER_SCALE
    r = np.sqrt(u)
    p = ((((((_P7 * r + _P6) * r + _P5) * r + _P4) * r + _P3) * r + _P2) * r + _P1) * r + _P0
    return v * _PER_SLOPE if v <= _KNEE else u * u * p


@compiled
def encoded(x: Any) -> Any:
    """Give the sRGB value of linear light in 0..1."""
    q = np.sqrt(np.sqrt(x))
    p = ((((((_Q7 * q + _Q6) * q + _Q5) * q + _Q4) * q + _Q3) * q + _Q2) * q + _Q1) * q + _Q0
    return x * _SLOPE if x <= _LINEAR_KNEE else _SCALE * p - _OFFSET


@compiled
def cube_root(x: Any) -> Any:
    """Give the cube root of a value in 0..1 (-0.0 too) to some 3e-7: 1 over it by a guess from the exponent and three of Newton's steps."""
    z = np.int32(_BITS - np.float32(abs(x)).view(np.int32) // np.int32(3)).view(np.float32)
    third = x * _THIRD
    z *= _FOUR_THIRDS - third * z * z * z  # left to right, so that 0 stays 0 while z is huge
    z *= _FOUR_THIRDS - third * z * z * z
    z *= _FOUR_THIRDS - third * z * z * z
    return x * z * z


@compiled
def rooted(x: Any) -> Any:
    """Give CIELAB's f: the cube root, and its straight part near 0."""
    return _F_SLOPE * x + _F_OFFSET if x <= _F_KNEE else cube_root(x)


@compiled
def cubed(f: Any) -> Any:
    """Undo `rooted`."""
    return (f - _F_OFFSET) * _PER_F_SLOPE if f <= _ROOT_KNEE else f * f * f


@compiled
def take_row(source: Rows, first: int, step: int, channels: int, rgb: Rows) -> None:
    """Write every `step`-th pixel of one source row, from pixel `first` on, into ``rgb[3,W]``, clipped to 0..1; gray three times."""
    r, g, b = rgb[0], rgb[1], rgb[2]
    if channels == 3 and step == 1:
        inner = source[3 * first :]
        for x in range(len(r)):
            r[x] = min(max(inner[3 * x], _ZERO), _ONE)
            g[x] = min(max(inner[3 * x + 1], _ZERO), _ONE)
            b[x] = min(max(inner[3 * x + 2], _ZERO), _ONE)
        return
    for c in range(3):
        plane, at = rgb[c], first * channels + min(c, channels - 1)
        for x in range(len(plane)):
            plane[x] = min(max(source[at + x * step * channels], _ZERO), _ONE)


@compiled
def decode_row(rgb: Rows, light: Rows) -> None:
    """Write the linear light of a row of sRGB values; both ``[3,W]``."""
    for c in range(3):
        plane, made = rgb[c], light[c]
        for x in range(len(plane)):
            made[x] = decoded(plane[x])


@compiled
def mix_row(light: Rows, mix: Rows, made: Rows) -> None:
    """Write three mixtures of a row of three values; both ``[3,W]``, possibly the same."""
    r, g, b = light[0], light[1], light[2]
    p, q, t = made[0], made[1], made[2]
    m00, m01, m02 = mix[0, 0], mix[0, 1], mix[0, 2]
    m10, m11, m12 = mix[1, 0], mix[1, 1], mix[1, 2]
    m20, m21, m22 = mix[2, 0], mix[2, 1], mix[2, 2]
    for x in range(len(r)):
        i, j, k = r[x], g[x], b[x]
        p[x] = m00 * i + m01 * j + m02 * k
        q[x] = m10 * i + m11 * j + m12 * k
        t[x] = m20 * i + m21 * j + m22 * k


@compiled
def root_row(light: Rows, roots: Rows) -> None:
    """Write CIELAB's three roots of a row of linear R, G, B; both ``[3,W]``."""
    mix_row(light, MIX, roots)
    for c in range(3):
        root = roots[c]
        for x in range(len(root)):
            root[x] = rooted(root[x])


@compiled
def lightness_row(rgb: Rows, light: Rows, space: int, made: Rows) -> None:
    """Write the lightness, 0..1, of a row, ``[3,W]`` as sRGB values and as linear light: L, Oklab's L, HSV's V, or YCbCr's Y."""
    width = len(made)
    if space == LAB:
        r, g, b = light[0], light[1], light[2]
        for x in range(width):
            made[x] = np.float32(1.16) * rooted(MIX[1, 0] * r[x] + MIX[1, 1] * g[x] + MIX[1, 2] * b[x]) - np.float32(0.16)
    elif space == OKLAB:
        r, g, b = light[0], light[1], light[2]
        for x in range(width):
            k = cube_root(OKLAB_MIX[0, 0] * r[x] + OKLAB_MIX[0, 1] * g[x] + OKLAB_MIX[0, 2] * b[x])
            m = cube_root(OKLAB_MIX[1, 0] * r[x] + OKLAB_MIX[1, 1] * g[x] + OKLAB_MIX[1, 2] * b[x])
            s = cube_root(OKLAB_MIX[2, 0] * r[x] + OKLAB_MIX[2, 1] * g[x] + OKLAB_MIX[2, 2] * b[x])
            made[x] = _OK_L * k + _OK_M * m + _OK_S * s
    else:
        r, g, b = rgb[0], rgb[1], rgb[2]
        if space == HSV:
            for x in range(width):
                made[x] = max(r[x], max(g[x], b[x]))
        else:
            for x in range(width):
                made[x] = _R * r[x] + _G * g[x] + _B * b[x]
    for x in range(width):
        made[x] = min(max(made[x], _ZERO), _ONE)


@compiled
def sample_lightness(source: Rows, channels: int, space: int, step: int, first: int, out: Rows) -> None:
    """Write the lightness of every `step`-th pixel of every `step`-th row, from pixel and row `first` on.

    Args:
        source: a frame as rows, ``[H, W * channels]``; values outside 0..1 count as 0 or 1.
        channels: 1 or 3.
        space: `LAB`, `OKLAB`, `HSV` or `YCBCR`.
        step: distance of the samples, px.
        first: place of the first one, px.
        out: ``[h,w]``, 0..1.
    """
    width = out.shape[1]
    rgb, light = np.empty((3, width), np.float32), np.empty((3, width), np.float32)
    for j in range(len(out)):
        take_row(source[first + j * step], first, step, channels, rgb)
        if space < HSV:
            decode_row(rgb, light)
        lightness_row(rgb, light, space, out[j])


@compiled
def between_row(planes: Rows, place: float, step: int, first: int, line: Rows, out: Rows) -> None:
    """Interpolate one row, at `place` between the rows of a small plane, whose columns are `step` apart and begin at `first`."""
    top = min(max(int(np.floor(place)), 0), len(planes) - 1)
    bottom = min(top + 1, len(planes) - 1)
    share = np.float32(min(max(place - top, 0.0), 1.0))
    above, below = planes[top], planes[bottom]
    for x in range(len(above)):
        line[x] = above[x] + share * (below[x] - above[x])
    line[len(above)] = line[len(above) - 1]
    covered = min(first + len(above) * step, len(out))
    out[:first] = line[0]
    out[covered:] = line[len(above)]
    if step == 2:  # 1080p: in pairs, for the processor's vectors
        pairs = out[first:covered]
        for n in range(len(pairs) // 2):
            pairs[2 * n] = line[n]
            pairs[2 * n + 1] = _HALF * (line[n] + line[n + 1])
        if len(pairs) % 2:
            pairs[-1] = line[len(pairs) // 2]
        return
    for k in range(step):
        every, part = out[first + k : covered : step], np.float32(k / step)
        for n in range(len(every)):
            every[n] = line[n] + part * (line[n + 1] - line[n])


@compiled
def steps_row(light: Rows, change: Rows, space: int, made: Rows) -> None:
    """Write by how much the roots move for a change of the lightness: by what it does to those of a gray."""
    width = len(made)
    if space == LAB:
        for x in range(width):
            made[x] = (min(max(light[x] + change[x], _ZERO), _ONE) - light[x]) * _PER_LAB
    elif space == OKLAB:
        for x in range(width):
            before, after = light[x], min(max(light[x] + change[x], _ZERO), _ONE)
            made[x] = rooted(after * after * after) - rooted(before * before * before)
    else:
        for x in range(width):
            made[x] = rooted(decoded(min(max(light[x] + change[x], _ZERO), _ONE))) - rooted(decoded(light[x]))


@compiled
def unroot_row(roots: Rows, steps: Rows, light: Rows) -> None:
    """Write the linear R, G, B of a row of roots moved by `steps`; they may leave 0..1."""
    for c in range(3):
        root, plane = roots[c], light[c]
        for x in range(len(steps)):
            plane[x] = cubed(root[x] + steps[x])
    mix_row(light, UNMIX, light)


@compiled
def keep_in_gamut(roots: Rows, steps: Rows, light: Rows, who: NDArray[np.int64], those: Rows, good: Rows) -> None:
    """Shorten the steps of those pixels that left the gamut to where it ends, by halving, and write their linear R, G, B anew.

    `who` ``[W]``, `those` ``[4,W]`` and `good` ``[W]`` are room to work in: the pixels are put side by side, for the processor's vectors.
    """
    count = 0
    for x in range(len(steps)):
        least, most = min(light[0, x], min(light[1, x], light[2, x])), max(light[0, x], max(light[1, x], light[2, x]))
        if least < _LOW or most > _HIGH:
            who[count] = x
            count += 1
    if count == 0:
        return
    f0, f1, f2, step, share = those[0][:count], those[1][:count], those[2][:count], those[3][:count], good[:count]
    for n in range(count):
        x = who[n]
        f0[n], f1[n], f2[n], step[n], share[n] = roots[0, x], roots[1, x], roots[2, x], steps[x], _ZERO
    reach = _ONE
    for _ in range(8):
        reach *= _HALF
        for n in range(count):
            f = (share[n] + reach) * step[n]
            i, j, k = cubed(f0[n] + f), cubed(f1[n] + f), cubed(f2[n] + f)
            r = UNMIX[0, 0] * i + UNMIX[0, 1] * j + UNMIX[0, 2] * k
            g = UNMIX[1, 0] * i + UNMIX[1, 1] * j + UNMIX[1, 2] * k
            b = UNMIX[2, 0] * i + UNMIX[2, 1] * j + UNMIX[2, 2] * k
            inside = min(r, min(g, b)) >= _LOW and max(r, max(g, b)) <= _HIGH
            share[n] += reach if inside else _ZERO
    for n in range(count):
        x, f = who[n], share[n] * step[n]
        i, j, k = cubed(f0[n] + f), cubed(f1[n] + f), cubed(f2[n] + f)
        for c in range(3):
            light[c, x] = UNMIX[c, 0] * i + UNMIX[c, 1] * j + UNMIX[c, 2] * k


@compiled
def shift_lightness(
    source: Rows, channels: int, space: int, gains: Rows, offsets: Rows, step: int, first: int, strength: float, out: Rows
) -> None:
    """Change the lightness p of every pixel by ``strength * (gain * p + offset)``, hue and chroma kept.

    Args:
        source: a frame as rows, ``[H, W * channels]``. What lies outside 0..1 is put on top of the result again.
        channels: 1 or 3.
        space: `LAB`, `OKLAB`, `HSV` or `YCBCR`.
        gains: ``[h,w]``, one every `step` px, the first at `first`; between them interpolated.
        offsets: as `gains`.
        step: px.
        first: px.
        strength: share of the change.
        out: as `source`, not the same array.
    """
    height, width = len(source), source.shape[1] // channels
    rgb, roots, light = np.empty((3, width), np.float32), np.empty((3, width), np.float32), np.empty((3, width), np.float32)
    p, change, steps = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    line, share = np.empty(gains.shape[1] + 1, np.float32), np.float32(strength)
    who, those, good = np.empty(width, np.int64), np.empty((4, width), np.float32), np.empty(width, np.float32)
    for y in range(height):
        take_row(source[y], 0, 1, channels, rgb)
        decode_row(rgb, light)
        root_row(light, roots)
        if space == LAB:  # the second root is Y's
            for x in range(width):
                p[x] = min(max(np.float32(1.16) * roots[1, x] - np.float32(0.16), _ZERO), _ONE)
        else:
            lightness_row(rgb, light, space, p)
        place = (y - first) / step
        between_row(gains, place, step, first, line, change)
        between_row(offsets, place, step, first, line, steps)
        for x in range(width):
            change[x] = share * (change[x] * p[x] + steps[x])
        steps_row(p, change, space, steps)
        unroot_row(roots, steps, light)
        keep_in_gamut(roots, steps, light, who, those, good)
        made, given = out[y], source[y]
        for c in range(channels):
            plane, before = light[c], rgb[c]
            for x in range(width):
                plane[x] = encoded(min(max(plane[x], _ZERO), _ONE)) - before[x]
        if channels == 3:
            r, g, b = light[0], light[1], light[2]
            for x in range(width):
                made[3 * x] = given[3 * x] + r[x]
                made[3 * x + 1] = given[3 * x + 1] + g[x]
                made[3 * x + 2] = given[3 * x + 2] + b[x]
        else:
            for x in range(width):
                made[x] = given[x] + light[0, x]


def samples(frame: Frame, space: int, step: int) -> Frame:
    """Give the lightness of one ``[H,W,C]`` frame at every `step`-th pixel, ``[h,w]``, 0..1."""
    height, width, channels = frame.shape
    first = step // 2
    out = np.empty((-(-(height - first) // step), -(-(width - first) // step)), np.float32)
    sample_lightness(frame.reshape(height, -1), channels, space, step, first, out)
    return out
