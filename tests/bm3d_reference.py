"""BM3D as the papers say it, in float64, slow and obvious: block by block, with no tricks."""
from __future__ import annotations

import numpy as np

from talkies.core.restore.bm3d.transforms import bior15, dct

N = 8


def haar_neighbours(group: np.ndarray) -> np.ndarray:
    """Haar over a sorted group: neighbours are paired, the means are paired again; coarse first."""
    if len(group) == 1:
        return group
    means, differences = (group[0::2] + group[1::2]) / np.sqrt(2), (group[0::2] - group[1::2]) / np.sqrt(2)
    return np.concatenate((haar_neighbours(means), differences))


def haar_back(spectrum: np.ndarray) -> np.ndarray:
    if len(spectrum) == 1:
        return spectrum
    half = len(spectrum) // 2
    means, differences = haar_back(spectrum[:half]), spectrum[half:]
    group = np.empty_like(spectrum)
    group[0::2], group[1::2] = (means + differences) / np.sqrt(2), (means - differences) / np.sqrt(2)
    return group


def matches(plane: np.ndarray, y: int, x: int, reach: int, limit: float, capacity: int) -> list[tuple[int, int]]:
    """The most similar blocks, the nearest first among equals; their number a power of two."""
    height, width = plane.shape
    found = []
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            v, u = y + dy, x + dx
            if 0 <= v <= height - N and 0 <= u <= width - N:
                distance = ((plane[v : v + N, u : u + N] - plane[y : y + N, x : x + N]) ** 2).sum()
                if distance < limit:
                    found.append((distance, dy * dy + dx * dx, dy, dx, v, u))
    found = sorted(found)[:capacity]
    return [(v, u) for *_, v, u in found[: 2 ** int(np.log2(len(found)))]]


def stage(noisy, pilot, settings, variance, *, luma_gain):
    """One stage on planes ``[C,H,W]``; `variance` ``[C]`` of white noise."""
    basis = dct() if settings.transform == "dct" else bior15()
    back = np.linalg.inv(basis)
    guide = noisy if pilot is None else pilot
    limit = N * N * (settings.match_noise * variance[0] + luma_gain * (settings.match_signal / 255) ** 2)
    window = np.outer(np.kaiser(N, settings.beta), np.kaiser(N, settings.beta))
    total, weights = np.zeros(noisy.shape), np.zeros(noisy.shape)
    _, height, width = noisy.shape
    for y in range(0, height - N + 1, settings.step):
        for x in range(0, width - N + 1, settings.step):
            group = matches(guide[0], y, x, settings.reach, limit, settings.capacity)
            for c in range(len(noisy)):
                factor = settings.shrinkage if c == 0 else settings.chroma_shrinkage
                spectrum = haar_neighbours(np.stack([basis @ noisy[c, v : v + N, u : u + N] @ basis.T for v, u in group]))
                if pilot is None:
                    keep = np.abs(spectrum) > factor * np.sqrt(variance[c])
                    keep[0, 0, 0] = True
                    gain = keep.astype(float)
                else:
                    power = haar_neighbours(np.stack([basis @ pilot[c, v : v + N, u : u + N] @ basis.T for v, u in group])) ** 2
                    gain = power / (power + factor * variance[c])
                weight = 1 / max((gain**2).sum() * variance[c], variance[c])
                for block, (v, u) in zip(haar_back(spectrum * gain), group, strict=True):
                    total[c, v : v + N, u : u + N] += weight * window * (back @ block @ back.T)
                    weights[c, v : v + N, u : u + N] += weight * window
    return total / weights


def denoised(planes, profile, variance):
    """Both stages on planes ``[C,H,W]`` whose sides are whole steps above a block for both stages."""
    gain = 3 if len(planes) == 3 else 1
    basic = stage(planes, None, profile.hard, variance, luma_gain=gain)
    return basic, stage(planes, basic, profile.wiener, variance, luma_gain=gain)
