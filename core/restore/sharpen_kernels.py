"""The loops of `Sharpen`: one pass over the frame, row by row, with everything between source and output in a few cached rows.

A frame is seen as rows of ``width * channels`` values. What is sharpened is a "plane": the luma of RGB (one value a pixel), or
the values themselves (every channel for itself); `step` is the distance between neighbours in a plane. Outside the frame, rows
and columns are mirrored with the edge repeated, which keeps the mean of the plane under every symmetric filter.

All in one file, since numba's stored code is renewed when its own file changes and not when one that it calls into does.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled

Rows = NDArray[np.float32]

ENERGY_RADIUS = 2  # of the window in which `detail` measures the local energy, px

_R, _G, _B = np.float32(0.299), np.float32(0.587), np.float32(0.114)  # luma of Rec. 601, as OpenCV's RGB2GRAY
_ZERO, _ONE, _TINY = np.float32(0), np.float32(1), np.float32(1e-12)
_FLAT = np.float32(1e-9)  # energy of what no noise has touched
_BEND = np.float32(4.4)  # square of the slope of the sRGB curve's inverse, over the linear value (within 25 % from 1 % up)


@compiled
def mirrored(i: int, n: int) -> int:
    """Fold an index outside 0..n-1 back, the edge repeated: -1 is 0, n is n-1."""
    i %= 2 * n
    return i if i < n else 2 * n - 1 - i


@compiled
def plane_size(source: Rows, luma: bool) -> tuple[int, int]:
    """Give the plane's rows and values a row."""
    return source.shape[0], source.shape[1] // 3 if luma else source.shape[1]


@compiled
def pad(row: Rows, width: int, margin: int, step: int) -> None:
    """Fill `margin` values on either side of ``row[margin : margin + width]`` (multiples of `step`) by mirroring."""
    pixels = width // step
    for k in range(1, margin // step + 1):
        left, right = mirrored(-k, pixels) * step, mirrored(pixels - 1 + k, pixels) * step
        for c in range(step):
            row[margin - k * step + c] = row[margin + left + c]
            row[margin + width + (k - 1) * step + c] = row[margin + right + c]


@compiled
def take_row(source: Rows, luma: bool, width: int, margin: int, step: int, row: Rows) -> None:
    """Write the plane of one source row into ``row[margin : margin + width]`` and pad it."""
    inner = row[margin : margin + width]
    if luma:
        for x in range(width):
            inner[x] = _R * source[3 * x] + _G * source[3 * x + 1] + _B * source[3 * x + 2]
    else:
        inner[:] = source
    pad(row, width, margin, step)


@compiled
def next_row(source: Rows, ahead: int, luma: bool, width: int, margin: int, step: int, rows: Rows) -> Rows:
    """Put the plane's row `ahead`, which may lie outside the frame, into its place in the ring, and give it.

    Below the frame the rows come from the ring and not from the source, so that `source` and `out` may be the same array.
    """
    height, size = len(source), len(rows)
    row: Rows = rows[ahead % size]
    if ahead < height:
        take_row(source[mirrored(ahead, height)], luma, width, margin, step, row)
    else:
        row[:] = rows[mirrored(ahead, height) % size]
    return row


@compiled
def filter_row(row: Rows, taps: Rows, width: int, step: int, out: Rows) -> None:
    """Convolve a padded row with symmetric taps (``taps[0]`` the centre); the padding is ``(len(taps) - 1) * step`` each side."""
    radius = len(taps) - 1
    centre, t = row[radius * step :][:width], taps[0]
    for x in range(width):
        out[x] = t * centre[x]
    for k in range(1, radius + 1):
        left, right, t = row[(radius - k) * step :][:width], row[(radius + k) * step :][:width], taps[k]
        for x in range(width):
            out[x] += t * (left[x] + right[x])


@compiled
def filter_column(ring: Rows, at: int, taps: Rows, width: int, out: Rows) -> None:
    """Convolve the rows of a ring around virtual row `at` with symmetric taps. Row j of the frame lies at ``j % len(ring)``."""
    size = len(ring)
    centre, t = ring[at % size], taps[0]
    for x in range(width):
        out[x] = t * centre[x]
    for k in range(1, len(taps)):
        above, below, t = ring[(at - k) % size], ring[(at + k) % size], taps[k]
        for x in range(width):
            out[x] += t * (above[x] + below[x])


@compiled
def add_row(source: Rows, change: Rows, luma: bool, width: int, out: Rows) -> None:
    """Write source + change; a value in 0..1 stays there, one outside is not pushed further out."""
    if luma:
        for x in range(width):
            d = change[x]
            for c in range(3):
                v = source[3 * x + c]
                out[3 * x + c] = min(max(v + d, min(v, _ZERO)), max(v, _ONE))
    else:
        for x in range(width):
            v = source[x]
            out[x] = min(max(v + change[x], min(v, _ZERO)), max(v, _ONE))


@compiled
def unsharp(source: Rows, out: Rows, luma: bool, step: int, taps: Rows, weight: float, amount: float, threshold: float) -> None:
    """Add ``amount * (weight * plane - filtered plane)``, the magnitude of the bracket less `threshold`.

    With Gaussian taps and weight 1 that is the unsharp mask, with taps (1, 1) and weight 9 the Laplacian of 8 neighbours.
    """
    height, width = plane_size(source, luma)
    radius, size = len(taps) - 1, 2 * len(taps) - 1
    margin = radius * step
    rows, blurred = np.empty((size, width + 2 * margin), np.float32), np.empty((size, width), np.float32)
    change = np.empty(width, np.float32)
    a, shrink, w = np.float32(amount), np.float32(threshold), np.float32(weight)
    for ahead in range(-radius, height + radius):
        filter_row(next_row(source, ahead, luma, width, margin, step, rows), taps, width, step, blurred[ahead % size])
        i = ahead - radius
        if i < 0:
            continue
        filter_column(blurred, i, taps, width, change)
        plane = rows[i % size][margin : margin + width]
        for x in range(width):
            d = w * plane[x] - change[x]
            change[x] = a * (max(d - shrink, _ZERO) + min(d + shrink, _ZERO))
        add_row(source[i], change, luma, width, out[i])


@compiled
def window_energies(source: Rows, luma: bool, step: int, taps: Rows, lines: NDArray[np.int64], window: int) -> Rows:
    """Measure the mean square of ``plane - Gaussian`` in windows of `window` values along some rows of the frame.

    Returns:
        ``[len(lines), windows]``; 0 where any quarter of the window is flat; a shorter window at the end of a row is left out.
    """
    height, width = plane_size(source, luma)
    radius, size = len(taps) - 1, 2 * len(taps) - 1
    margin = radius * step
    window = min(window, width)
    quarter, count = max(window // 4, 1), width // window
    rows, blurred = np.empty((size, width + 2 * margin), np.float32), np.empty((size, width), np.float32)
    smooth, energies = np.empty(width, np.float32), np.empty((len(lines), count), np.float32)
    for n in range(len(lines)):
        i = lines[n]
        for j in range(i - radius, i + radius + 1):
            take_row(source[mirrored(j, height)], luma, width, margin, step, rows[j % size])
            filter_row(rows[j % size], taps, width, step, blurred[j % size])
        filter_column(blurred, i, taps, width, smooth)
        plane = rows[i % size][margin : margin + width]
        for w in range(count):
            total, flat = _ZERO, False
            for first in range(w * window, (w + 1) * window - quarter + 1, quarter):
                energy = _ZERO
                for x in range(first, first + quarter):
                    d = plane[x] - smooth[x]
                    energy += d * d
                flat = flat or energy <= _FLAT * np.float32(quarter)
                total += energy
            energies[n, w] = _ZERO if flat else total / np.float32(window // quarter * quarter)
    return energies


@compiled
def slope_of_light(plane: Rows, linear: bool, squared: Rows, root: Rows) -> None:
    """Write by how much a small sRGB difference is larger in linear light, and its square; 1 where the plane is not linear."""
    if linear:
        for x in range(len(plane)):
            squared[x] = _BEND * max(plane[x], _ZERO)
            root[x] = np.sqrt(squared[x])
    else:
        squared[:] = _ONE
        root[:] = _ONE


@compiled
def detail(
    source: Rows, out: Rows, luma: bool, step: int, linear: bool, taps: Rows, amount: float, floor: float, slack: float, most: float
) -> None:
    """Add ``amount * gain * (plane - Gaussian)``, kept within the range of the 3x3 neighbours.

    The gain is the local Wiener estimate ``max(energy - floor, 0) / energy``, energy being the mean square of the detail in 5x5.
    The range is widened by `slack` times its own height on either side, though by no more than `most`. `floor` and `most` are
    in sRGB values also where the rows hold linear light.
    """
    height, width = plane_size(source, luma)
    radius = len(taps) - 1
    reach = radius + ENERGY_RADIUS
    margin, edge = radius * step, ENERGY_RADIUS * step
    size, box = 2 * reach + 1, 2 * ENERGY_RADIUS + 1
    rows, blurred = np.empty((size, width + 2 * margin), np.float32), np.empty((size, width), np.float32)
    details, energies = np.empty((box, width), np.float32), np.empty((box, width), np.float32)
    highest, lowest = np.empty((size, width), np.float32), np.empty((size, width), np.float32)
    squares, energy, change = np.empty(width + 2 * edge, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    squared, slope = np.empty(width, np.float32), np.empty(width, np.float32)
    even = np.full(ENERGY_RADIUS + 1, np.float32(1.0 / box), np.float32)
    a, noise, give, most_give = np.float32(amount), np.float32(floor), np.float32(slack), np.float32(most)
    for ahead in range(-reach, height + reach):
        row = next_row(source, ahead, luma, width, margin, step, rows)
        filter_row(row, taps, width, step, blurred[ahead % size])
        left, centre, right = row[margin - step :][:width], row[margin:][:width], row[margin + step :][:width]
        high, low = highest[ahead % size], lowest[ahead % size]
        for x in range(width):
            high[x] = max(left[x], max(centre[x], right[x]))
            low[x] = min(left[x], min(centre[x], right[x]))
        j = ahead - radius
        if j < -ENERGY_RADIUS:
            continue
        d = details[j % box]
        filter_column(blurred, j, taps, width, d)
        plane, inner = rows[j % size][margin:][:width], squares[edge:][:width]
        for x in range(width):
            d[x] = plane[x] - d[x]
            inner[x] = d[x] * d[x]
        pad(squares, width, edge, step)
        filter_row(squares, even, width, step, energies[j % box])
        i = j - ENERGY_RADIUS
        if i < 0:
            continue
        filter_column(energies, i, even, width, energy)
        plane, d = rows[i % size][margin:][:width], details[i % box]
        slope_of_light(plane, linear, squared, slope)
        high_a, high_b, high_c = highest[(i - 1) % size], highest[i % size], highest[(i + 1) % size]
        low_a, low_b, low_c = lowest[(i - 1) % size], lowest[i % size], lowest[(i + 1) % size]
        for x in range(width):
            wanted = a * d[x] * max(energy[x] - noise * squared[x], _ZERO) / (energy[x] + _TINY)
            top, bottom = max(high_a[x], max(high_b[x], high_c[x])), min(low_a[x], min(low_b[x], low_c[x]))
            spare = min(give * (top - bottom), most_give * slope[x])
            change[x] = min(max(wanted, bottom - spare - plane[x]), top + spare - plane[x])
        add_row(source[i], change, luma, width, out[i])


@compiled
def adaptive(source: Rows, out: Rows, luma: bool, step: int, linear: bool, taps: Rows, amount: float, floor: float, edge: float) -> None:
    """Add ``amount`` times what an edge-preserving base leaves: texture is lifted, strong edges and flat noise are left alone.

    The base is the self-guided filter (He, Sun and Tang, ECCV 2010) with Gaussian windows: where the local variance is far above
    `edge` it follows the plane, far below it is the local mean. `floor` is the variance of noise alone. Both are in squared sRGB
    values also where the rows hold linear light.
    """
    height, width = plane_size(source, luma)
    radius = len(taps) - 1
    margin = radius * step
    reach, size, near = 2 * radius, 4 * radius + 1, 2 * radius + 1
    rows, squares = np.empty((size, width + 2 * margin), np.float32), np.empty(width + 2 * margin, np.float32)
    means, powers = np.empty((near, width), np.float32), np.empty((near, width), np.float32)
    shares, offsets = np.empty((near, width), np.float32), np.empty((near, width), np.float32)
    share, offset = np.empty(width + 2 * margin, np.float32), np.empty(width + 2 * margin, np.float32)
    squared, slope = np.empty(width, np.float32), np.empty(width, np.float32)
    mean, power, change = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    lift, level = np.empty(width, np.float32), np.empty(width, np.float32)
    a, noise, eps = np.float32(amount), np.float32(floor), np.float32(edge)
    for ahead in range(-reach, height + reach):
        row = next_row(source, ahead, luma, width, margin, step, rows)
        for x in range(len(row)):
            squares[x] = row[x] * row[x]
        filter_row(row, taps, width, step, means[ahead % near])
        filter_row(squares, taps, width, step, powers[ahead % near])
        j = ahead - radius
        if j < -radius:
            continue
        filter_column(means, j, taps, width, mean)
        filter_column(powers, j, taps, width, power)
        slope_of_light(mean, linear, squared, slope)
        inner, shift = share[margin:][:width], offset[margin:][:width]
        for x in range(width):
            variance = max(power[x] - mean[x] * mean[x], _ZERO)
            # The share of the detail that is added back: none in noise, all in texture, none again across a strong edge.
            noise_here, edge_here = noise * squared[x], eps * squared[x] + _TINY
            inner[x] = max(variance - noise_here, _ZERO) / (variance + _TINY) * edge_here / (variance + edge_here)
            shift[x] = inner[x] * mean[x]
        pad(share, width, margin, step)
        pad(offset, width, margin, step)
        filter_row(share, taps, width, step, shares[j % near])
        filter_row(offset, taps, width, step, offsets[j % near])
        i = j - radius
        if i < 0:
            continue
        filter_column(shares, i, taps, width, lift)
        filter_column(offsets, i, taps, width, level)
        plane = rows[i % size][margin:][:width]
        for x in range(width):
            change[x] = a * (lift[x] * plane[x] - level[x])
        add_row(source[i], change, luma, width, out[i])
