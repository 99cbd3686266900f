"""How much louder noise is in luma than in chroma, block by block.

Fine texture lives in luma above all. Where a whole level of brightness is textured its flattest blocks are texture too, and agree on
too much noise. Chroma tells them apart: noise of one process has one ratio of luma to chroma all over the picture, at every
brightness, and texture only adds to it. So the lowest ratios are the noise's own.
"""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .blocks import effective_samples, lags_of
from .flat import calm_variance
from .measure import Samples

_FEWEST = 12  # blocks that are calm in chroma; of fewer the lowest ratios are chance
_EDGE = 1.5  # times the median variance of chroma: beyond, the block has colours of its own, which hide its luma's
_SPREAD = 1.5  # times that a ratio of one plane to two spreads as much as the variance of the one


def luma_over_chroma(parts: Sequence[Samples]) -> float | None:
    """Give the ratio of the standard deviations of luma and of the chromas (their root mean square); None where it cannot be told.

    Args:
        parts: samples of frames of one clip, of luma and two chromas in the units that the ratio is wanted in.
    """
    parts = [part for part in parts if len(part.means) and len(part.covariances) == 3]
    if not parts:
        return None
    covariances = np.concatenate([part.covariances for part in parts], axis=1)
    side = parts[0].side
    variances = np.asarray(covariances[:, :, 0, lags_of(side)], np.float64)
    chroma = variances[1:].mean(axis=0)
    if not np.median(chroma) > 1e-11:
        return None
    plain = chroma <= np.median(chroma) * _EDGE
    if plain.sum() < _FEWEST:
        return None
    samples = effective_samples(covariances[1:, plain].mean(axis=(0, 1), dtype=np.float64), side)
    ratios = variances[0, plain] / np.maximum(chroma[plain], 1e-11)
    return float(np.sqrt(calm_variance(ratios, samples / _SPREAD)[0]))
