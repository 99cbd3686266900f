"""Grain put into frames: of a preset or as measured, over what the clip already has or in place of what it lacks."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame, Frames, as_float32
from ...masked import Mask
from ...operation import FrameOperation, Numbered
from ...progress import Progress, silent
from ...settings import SettingError, setting
from ..noise.spectrum import Lags, correlation_size, lags_from, plane_of
from . import add_kernel
from .measure import measure_grain
from .presets import preset_profile
from .profile import GrainProfile, curve_at, scaled_lags
from .tile import SIDE, Tiles, grain_tiles

_STEPS = 1025  # luma values at which the strength is tabulated


@dataclass(frozen=True)
class AddGrain(FrameOperation):
    """Adds film grain. Strength 0 returns the frames unchanged, bit for bit.

    After the AV1 film grain model: grain is one noise, coloured and scaled by a piecewise linear function of luma, laid down in
    blocks of 32x32 px from random places of a template, with seams cross-faded. Here the template is large (512x512), its spectrum
    is the measured one itself, and the places are a hash of (seed, frame, block), so that every frame has other grain and the same
    frame always the same. Black stays black and white stays white: the strength never exceeds a third of the distance to either.

    Source: Norkin and Birkbeck, "Film grain synthesis for AV1 video codec", DCC 2018.
    """

    preset: Literal["35mm", "16mm", "8mm", "high_iso", "fine"] = setting(
        "35mm", "The grain of a film stock or a camera. Not used when `grain` is linked.")
    strength: float = setting(1.0, "Multiplies the grain. 0 changes nothing, 1 is the preset's or the measured strength.",
                              low=0, high=4, step=0.05)
    size: float = setting(1.0, "Multiplies the size of a grain.", low=0.25, high=4, step=0.05)
    chroma: float = setting(1.0, "Multiplies the colour of the grain. 0 is black-and-white grain.", low=0, high=4, step=0.05)
    seed: int = setting(0, "Another seed, other grain; the same seed, the same grain in every frame of the same number.",
                        low=0, high=2**31 - 1, step=1)
    fixed_size: bool = setting(
        False, "Keep the size of grains in px. Otherwise they grow with the frame, as on film: twice as large at 1080 rows as at 540.")
    fill_up: bool = setting(
        False, "Measure the clip's own grain first, and add only what it lacks. This is what matching does.")
    profile: GrainProfile | None = field(default=None, kw_only=True)
    """Measured grain in place of a preset."""
    own: GrainProfile | None = field(default=None, kw_only=True)
    """The clip's own grain, learnt by `survey`; for `fill_up`."""
    where: Mask | None = field(default=None, kw_only=True)
    """Where the clip's own grain is measured: inside the mask."""

    @property
    def identity(self) -> bool:
        """Say whether strength is 0."""
        return self.strength == 0

    @property
    def needs_survey(self) -> bool:
        """Say whether the clip's own grain is wanted and not known yet."""
        return self.fill_up and self.own is None and not self.identity

    @property
    def wanted(self) -> GrainProfile:
        """Give the grain that frames should have in the end, at strength 1."""
        return self.profile or preset_profile(self.preset)

    def survey(self, clip: Iterable[Numbered], progress: Progress = silent) -> AddGrain:
        """Learn the clip's own grain."""
        return replace(self, own=measure_grain(clip, progress, self.where, outside=False))

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Make the template, then add it frame by frame.

        Raises:
            SettingError: the clip's own grain is wanted, and the clip has not been surveyed.
        """
        if self.needs_survey:
            raise SettingError("AddGrain: fill_up is on, and the clip's own grain is not known yet. Run it with `run`, or call "
                               "`survey` on the whole clip first, or turn fill_up off.")
        self._tiles(frames.shape[1])
        return super().apply(frames, start, progress)

    def frame(self, frame: Frame, index: int, out: Frame) -> None:
        """Add grain to one ``[H,W,1]`` or ``[H,W,3]`` frame."""
        height, _, channels = frame.shape
        tiles, grain = self._tiles(height)
        scales = strengths(grain, self.strength, self.chroma)
        coloured = channels == 3 and self.chroma > 0 and grain.has_chroma
        add_kernel.add_grain(
            frame.reshape(height, -1), out.reshape(height, -1), channels, tiles.coloured if coloured else tiles.luma,
            3 if coloured else 1, SIDE, tiles.block, tiles.seam, fade(tiles.seam), scales, self.seed, index)

    def _tiles(self, height: int) -> tuple[Tiles, GrainProfile]:
        grain = missing(self.wanted, self.own) if self.fill_up and self.own else self.wanted
        factor = self.size * (height / grain.height if grain.height and not self.fixed_size else 1.0)
        lags, cb_lags, cr_lags = (scaled_lags(own, factor) for own in (grain.lags, grain.cb_lags, grain.cr_lags))
        size = correlation_size(lags)
        return grain_tiles(lags, cb_lags, cr_lags, grain.cb_luma, grain.cr_luma, size, self.seed), grain

    def to_json(self) -> dict[str, Any]:
        """Give the settings, and what grain is wanted, found, and where, as far as that is known."""
        more = {"profile": self.profile, "own": self.own, "where": self.where}
        return super().to_json() | {name: value.to_json() for name, value in more.items() if value is not None}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> AddGrain:
        """Read back what `to_json` gave, less ``"op"``; the settings are known ones.

        Raises:
            SettingError: a profile, the mask or a setting is wrong.
        """
        readers: dict[str, Any] = {"profile": GrainProfile.from_json, "own": GrainProfile.from_json, "where": Mask.from_json}
        return cls(**{name: readers[name](value) if name in readers else value for name, value in plain.items()})


def missing(wanted: GrainProfile, own: GrainProfile) -> GrainProfile:
    """Give the grain that must be added to `own` to make `wanted`: variances and spectra are subtracted, never below nothing."""
    if own.blocks == 0 or own.sigma == 0:
        return wanted

    def lacks(curve: tuple[float, ...], there: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(float(np.sqrt(max(a * a - b * b, 0.0))) for a, b in zip(curve, there, strict=True))

    def rest(lags: Lags, there: Lags, strong: float, weak: float) -> Lags:
        if weak <= 0 or weak >= strong:
            return lags
        reach = min(len(lags), len(there)) - 1
        parts = [plane_of(part)[len(part) - 1 :, len(part) - 1 - reach : len(part) + reach][: reach + 1] for part in (lags, there)]
        return lags_from(strong**2 * parts[0] - weak**2 * parts[1])

    return replace(
        wanted, sigmas=lacks(wanted.sigmas, own.sigmas), cb_sigmas=lacks(wanted.cb_sigmas, own.cb_sigmas),
        cr_sigmas=lacks(wanted.cr_sigmas, own.cr_sigmas), lags=rest(wanted.lags, own.lags, wanted.sigma, own.sigma))


@lru_cache(maxsize=8)
def strengths(grain: GrainProfile, strength: float, chroma: float) -> NDArray[np.float32]:
    """Tabulate the standard deviation of luma, Cb and Cr grain over luma 0..1, ``[3,_STEPS]``; nothing at black and at white."""
    luma = np.linspace(0, 1, _STEPS)
    most = np.minimum(luma, 1 - luma) / 3
    curves = (grain.sigmas, tuple(chroma * s for s in grain.cb_sigmas), tuple(chroma * s for s in grain.cr_sigmas))
    return as_float32(np.stack([np.minimum(strength * curve_at(curve, luma), most) for curve in curves]))


@lru_cache(maxsize=4)
def fade(seam: int) -> NDArray[np.float32]:
    """Give ``[2,seam]``: rising weights and falling ones, the squares of each pair summing to 1."""
    angle = (np.arange(seam) + 0.5) / seam * np.pi / 2
    return as_float32(np.stack((np.sin(angle), np.cos(angle))))
