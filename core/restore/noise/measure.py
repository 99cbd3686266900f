"""Noise of a plane or of RGB frames, from their flat blocks.

Flat blocks are found by their variance (`flat`), their residuals' autocovariance is averaged and freed of what the surface fit took
(`blocks.debias`), level by level of brightness for the variance, all together for the shape. Noise is taken to be the same process
everywhere up to its strength, which depends on luma alone, as in the AV1 film grain model (Norkin and Birkbeck, "Film grain
synthesis for AV1 video codec", DCC 2018).
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame, Frames, as_float32, as_float64
from .blocks import (
    BANDS,
    Blocks,
    Floats,
    autocovariance,
    band_sizes,
    block_side,
    debias,
    effective_samples,
    lags_of,
    residual_blocks,
)
from .flat import LEVELS, SLOW, calm_variance, flat_blocks, levels_of, smooth_curve
from .spectrum import WHITE, Lags, lags_from

_MOST = 800  # blocks a frame whose autocovariance is kept
_COARSEST = 60 / 1024  # independent values in a block a pixel, for the coarsest noise that is looked for
_STANDS_OUT = 1.6  # times the variance that its level should have: a block of texture among flat ones
_UNLIKE = 1.6  # times the usual share of a fast band: a block with texture
_LEAST_TEXTURED = 0.25  # quantile of the shares that is taken for the noise's own
_AGREE = 0.28  # share of the flat blocks that must be alike
_ROUNDS = 3  # of finding flat blocks and learning how many independent values each is worth
_EDGE = 4.0  # times the median variance of a chroma plane: beyond, the block has an edge

CB, CR = 0.5 / (1 - 0.114), 0.5 / (1 - 0.299)  # of Rec. 601, full range


@dataclass(frozen=True)
class Noise:
    """The noise of one plane.

    Attributes:
        sigma: its usual standard deviation (the median over the flat blocks), in units of the plane.
        sigmas: the standard deviation at each of LEVELS levels of luma, level i at ``(i + 1/2) / LEVELS``.
        lags: the autocorrelation.
        blocks: flat blocks it was measured on; 0: nothing could be told, and sigma is 0.
        counts: flat blocks of each level.
    """

    sigma: float = 0.0
    sigmas: tuple[float, ...] = (0.0,) * LEVELS
    lags: Lags = WHITE
    blocks: int = 0
    counts: tuple[int, ...] = (0,) * LEVELS


@dataclass(frozen=True)
class ColourNoise:
    """The noise of luma and chroma (Rec. 601, full range), and the correlation of each chroma with luma (lag 0)."""

    luma: Noise
    cb: Noise = Noise()
    cr: Noise = Noise()
    cb_luma: float = 0.0
    cr_luma: float = 0.0


@dataclass(frozen=True)
class Samples:
    """The calm ones of a frame's blocks: what of a frame is kept to measure noise over many frames.

    Attributes:
        side: of a block, px.
        means: mean luma, ``[n]``.
        energies: of the first plane (luma) by bands, ``[n,BANDS]``.
        covariances: autocovariances of each plane, ``[planes,n,L + 1,2 L + 1]``.
        crossed: covariance at lag 0 of each further plane with the first, ``[planes - 1,n]``.
    """

    side: int
    means: Floats
    energies: Floats
    covariances: NDArray[np.float32]
    crossed: Floats


def measure_noise(planes: Sequence[Frame]) -> Noise:
    """Measure the noise of planes ``[H,W]`` of one size (one, or several frames of a clip); any unit near 0..1.

    On white noise the sigma is right within 5 %, on noise correlated over up to 1.5 px within 10 %, where a tenth of the picture is
    flat; shading is no problem, fine texture everywhere is.
    """
    return measure_samples([sample([plane]) for plane in planes]).luma


def measure_colour(frames: Frames) -> ColourNoise:
    """Measure the noise of frames ``[B,H,W,C]``, C = 1 (chroma is nothing), 3 or 4 (alpha is not looked at), 0..1."""
    return measure_samples([sample_frame(frame) for frame in frames])


def sample_frame(frame: Frame) -> Samples:
    """Take the samples of one ``[H,W,C]`` frame: luma, and chroma where it has colour."""
    return sample(planes_of(frame))


def planes_of(frame: Frame) -> list[Frame]:
    """Give luma (0..1), Cb and Cr (-0.5..0.5) of ``[H,W,3 or 4]``, or the one plane of ``[H,W,1]``."""
    if frame.shape[2] == 1:
        return [as_float32(frame[..., 0])]
    luma = cv2.cvtColor(as_float32(frame[..., :3]), cv2.COLOR_RGB2GRAY)
    return [luma, (frame[..., 2] - luma) * np.float32(CB), (frame[..., 0] - luma) * np.float32(CR)]


def sample(planes: Sequence[Frame]) -> Samples:
    """Take the samples of one frame given as planes ``[H,W]``, luma first."""
    side = block_side(*planes[0].shape)
    if side == 0:
        return Samples(0, np.zeros(0), np.zeros((0, BANDS)), np.zeros((len(planes), 0, 1, 1), np.float32), np.zeros((len(planes) - 1, 0)))
    blocks = [residual_blocks(plane, side) for plane in planes]
    energies = blocks[0].energies
    keep = _calm(blocks[0], energies)
    residuals = [plane.residuals[keep] for plane in blocks]
    crossed = [np.einsum("nij,nij->n", residuals[0], other) / side**2 for other in residuals[1:]]
    covariances = np.stack([autocovariance(part) for part in residuals])
    mixed = np.array(crossed).reshape(len(planes) - 1, len(keep))
    return Samples(side, as_float64(blocks[0].means[keep]), as_float64(energies[keep]), covariances, mixed)


def _calm(blocks: Blocks, energies: NDArray[np.float32]) -> NDArray[np.int64]:
    """List the blocks worth keeping: not clipped, calm for their brightness, evenly thinned to a bounded number.

    Exactly flat blocks are bars or graphics when there are few; when there are many, they are the picture, which has no noise.
    """
    usable = ~blocks.clipped
    empty = energies.max(axis=1) <= 1e-11
    if (empty & usable).sum() <= 0.3 * usable.sum():
        usable &= ~empty
    here, levels, keep = np.flatnonzero(usable), levels_of(blocks.means), np.zeros(len(usable), bool)
    for level in range(LEVELS):
        members = here[levels[here] == level]
        if len(members):
            keep[members] = blocks.variances[members] <= calm_variance(blocks.variances[members], _COARSEST * blocks.side**2)[1]
    kept = np.flatnonzero(keep)
    step = max(1, -(-len(kept) // _MOST))
    return np.asarray(kept[::step], np.int64)


def measure_samples(parts: Sequence[Samples]) -> ColourNoise:
    """Measure the noise that samples of one or many frames of one clip carry together."""
    parts = [part for part in parts if len(part.means)]
    if not parts:
        return ColourNoise(Noise())
    side = parts[0].side
    means = np.concatenate([part.means for part in parts])
    energies = np.concatenate([part.energies for part in parts])
    covariances = np.concatenate([part.covariances for part in parts], axis=1)
    crossed = np.concatenate([part.crossed for part in parts], axis=1)
    variances = np.asarray(covariances[0, :, 0, lags_of(side)], np.float64)
    samples = float(side**2 - 6)
    for _ in range(_ROUNDS):
        flat = flat_blocks(means, variances, energies, samples, band_sizes(side))
        if not flat.any() or not variances[flat].mean() > 1e-11:
            break
        samples = effective_samples(covariances[0, flat].mean(axis=0, dtype=np.float64), side)
    if not flat.any():
        return ColourNoise(Noise())
    flat[np.flatnonzero(flat)[~alike(energies[flat], variances[flat])]] = False
    levels, middle = levels_of(means[flat]), lags_of(side)
    kept = covariances[:, flat]
    luma = _noise(kept[0], levels, side)
    # Where a level stands out, its blocks are texture: they are left out of the shape.
    plain = variances[flat] <= _STANDS_OUT * np.maximum(np.array(luma.sigmas), luma.sigma)[levels] ** 2
    if plain.sum() >= 3:
        kept, levels, flat = kept[:, plain], levels[plain], np.flatnonzero(flat)[plain]
        luma = _noise(kept[0], levels, side)
    chroma = []
    for plane, cross in zip(kept[1:], crossed[:, flat], strict=True):
        own = plane[:, 0, middle]
        plain = own <= _EDGE * np.median(own)  # a flat luma may hide an edge between colours
        product = float(own[plain].mean()) * float(kept[0, plain, 0, middle].mean())
        correlation = float(cross[plain].mean()) / np.sqrt(product) if product > 0 else 0.0
        chroma.append((_noise(plane[plain], levels[plain], side), float(np.clip(correlation, -1, 1))))
    if not chroma:
        return ColourNoise(luma)
    (cb, cb_luma), (cr, cr_luma) = chroma
    return ColourNoise(luma, cb, cr, cb_luma, cr_luma)


def alike(energies: Floats, variances: Floats) -> NDArray[np.bool_]:
    """Say which flat blocks have no more power in the fast bands than noise of one shape has, whatever its strength.

    Grass under coarse grain is calm as a whole, and a level of brightness may hold nothing else: it shows by fast detail that the
    grain has not got, more of it than other blocks have, and a larger share of its power. Where few blocks agree, the shape of the
    noise depends on brightness, and all are believed.

    Args:
        energies: ``[n,BANDS]`` of flat blocks.
        variances: ``[n]``.
    """
    fast = energies[:, SLOW:]
    shares = fast / np.maximum(variances, 1e-11)[:, None]
    much, large = (part > _UNLIKE * np.quantile(part, _LEAST_TEXTURED, axis=0) for part in (fast, shares))
    usual: NDArray[np.bool_] = np.logical_not((much & large).any(axis=1))
    return usual if usual.mean() >= _AGREE else np.ones(len(usual), bool)


def _noise(covariances: NDArray[Any], levels: NDArray[np.int64], side: int) -> Noise:
    """Put together the noise of one plane from the autocovariances of its flat blocks ``[n,...]`` and their levels ``[n]``."""
    middle, counts = lags_of(side), np.bincount(levels, minlength=LEVELS)
    variances = np.asarray(covariances[:, 0, middle], np.float64)
    if not variances.mean() > 1e-11:
        return Noise(blocks=len(levels), counts=tuple(int(n) for n in counts))
    pooled = covariances.mean(axis=0, dtype=np.float64)
    freed = debias(pooled, side)
    kept = freed[0, middle] / pooled[0, middle]  # what the surfaces took of the variance
    found = np.array([np.sqrt(variances[levels == level].mean() * kept) if counts[level] else np.nan for level in range(LEVELS)])
    curve = smooth_curve(found, counts)
    order = np.argsort(curve)
    below = np.cumsum(counts[order])
    sigma = float(curve[order][np.searchsorted(below, below[-1] / 2)])
    return Noise(sigma, tuple(float(s) for s in curve), lags_from(freed), len(levels), tuple(int(n) for n in counts))
