"""Measuring the grain of a clip: a bounded number of its frames, evenly spread, however long it is."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ...arrays import Frame, Frames
from ...masked import Mask
from ...operation import Numbered
from ...progress import Progress, silent
from ..noise.blocks import block_side, residual_blocks
from ..noise.flat import LEVELS
from ..noise.measure import ColourNoise, Noise, Samples, measure_samples, planes_of, sample
from .classify import LEAST, classify
from .profile import GrainProfile

MOST_FRAMES = 16
"""Frames of a clip that are looked at, at the most."""

_HIDDEN = -1.0  # what stands in place of masked pixels: it is clipped, so that no block with it counts


class GrainSurvey:
    """Collects samples of frames as they come; every frame counts until there are too many, then every other, and so on.

    Args:
        mask: where to look; None looks everywhere.
        outside: look where the mask is 0 (and not where it is 1).
    """

    def __init__(self, mask: Mask | None = None, outside: bool = True) -> None:
        self._mask, self._outside = mask, outside
        self._stride, self._kept, self._alike = 1, dict[int, Samples](), list[float]()
        self._before: tuple[int, Frame] | None = None
        self.height = 0

    def add(self, index: int, frame: Frame) -> None:
        """Take frame ``[H,W,C]`` number `index` into account."""
        planes = [_visible(plane, self._seen(index, *frame.shape[:2])) for plane in planes_of(frame)]
        if self._before is not None and self._before[0] == index - 1 and (index - 1) % self._stride == 0 and len(self._alike) < MOST_FRAMES:
            alike = correlation_of_grain(self._before[1], planes[0])
            self._alike += [] if alike is None else [alike]
        self._before = (index, planes[0])
        if index % self._stride:
            return
        self.height = frame.shape[0]
        self._kept[index] = sample(planes)
        if len(self._kept) > MOST_FRAMES:
            self._stride *= 2
            self._kept = {n: samples for n, samples in self._kept.items() if n % self._stride == 0}

    def wants(self, index: int) -> bool:
        """Say whether `add` would look at this frame, itself or beside the one before."""
        return index % self._stride == 0 or ((index - 1) % self._stride == 0 and len(self._alike) < MOST_FRAMES)

    def noise(self) -> ColourNoise:
        """Give the noise found so far."""
        return measure_samples(list(self._kept.values()))

    def profile(self) -> GrainProfile:
        """Give the grain found so far."""
        alike = float(np.clip(np.median(self._alike), -1, 1)) if self._alike else None
        return profile_of(self.noise(), self.height, len(self._kept), alike)

    def _seen(self, index: int, height: int, width: int) -> Any:
        if self._mask is None:
            return None
        mask = self._mask.at(index, height, width)
        return mask <= 0 if self._outside else mask >= 1


def measure_grain(
    clip: Iterable[Numbered], progress: Progress = silent, mask: Mask | None = None, outside: bool = True, total: int = 0
) -> GrainProfile:
    """Measure the grain of a clip given as ``(start, frames)`` runs; the result does not depend on where it is cut.

    Args:
        clip: the runs, consecutive.
        progress: called after every frame; may raise to cancel.
        mask: confines the measure.
        outside: look where the mask is 0 (else where it is 1).
        total: frames of the clip, where that is known.
    """
    survey = GrainSurvey(mask, outside)
    for start, frames in clip:
        survey_run(survey, start, frames, lambda done, _, first=start: progress(first + done, total))  # type: ignore[misc]
    return survey.profile()


def survey_run(survey: GrainSurvey, start: int, frames: Frames, progress: Callable[[int, int], None] = silent) -> None:
    """Take a run of frames ``[B,H,W,C]`` into account."""
    for i, frame in enumerate(frames):
        if survey.wants(start + i):
            survey.add(start + i, frame)
        progress(i + 1, len(frames))


def correlation_of_grain(before: Frame, after: Frame) -> float | None:
    """Give the correlation of what lies on the calm half of two luma planes' blocks; None where too few blocks tell."""
    side = block_side(*before.shape)
    if side == 0:
        return None
    one, other = residual_blocks(before, side), residual_blocks(after, side)
    usable = np.flatnonzero(~one.clipped & ~other.clipped & (np.minimum(one.variances, other.variances) > 1e-9))
    if len(usable) < 3:
        return None
    calm = usable[np.argsort(one.variances[usable], kind="stable")[: max(len(usable) // 5, 3)]]
    products = np.einsum("nij,nij->n", one.residuals[calm], other.residuals[calm]) / side**2
    return float(np.median(products / np.sqrt(one.variances[calm] * other.variances[calm])))


def profile_of(noise: ColourNoise, height: int, frames: int, temporal: float | None = None) -> GrainProfile:
    """Make a profile of a measured noise."""
    kind, confidence, pattern = classify(noise, height, temporal)
    luma = noise.luma
    coloured = max(noise.cb.sigma, noise.cr.sigma) > 0.05 * max(luma.sigma, LEAST)
    nothing = Noise()
    cb, cr = (noise.cb, noise.cr) if coloured else (nothing, nothing)
    return GrainProfile(
        kind, round(confidence, 3), _rounded(luma.sigmas), _rounded(cb.sigmas), _rounded(cr.sigmas), luma.lags, cb.lags, cr.lags,
        round(noise.cb_luma, 4) if coloured else 0.0, round(noise.cr_luma, 4) if coloured else 0.0, round(luma.sigma, 7),
        None if temporal is None else round(temporal, 4), pattern, height, luma.blocks, frames)


def _rounded(sigmas: tuple[float, ...]) -> tuple[float, ...]:
    assert len(sigmas) == LEVELS
    return tuple(round(s, 7) for s in sigmas)


def _visible(plane: Frame, seen: Any) -> Frame:
    """Hide what is not to be seen."""
    if seen is None:
        return plane
    return np.where(seen, plane, np.float32(_HIDDEN))


