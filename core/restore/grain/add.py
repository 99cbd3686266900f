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
from ..noise.blocks import Floats
from ..noise.spectrum import Lags, correlation_size, lags_from
from . import add_kernel
from .measure import GrainSurvey
from .presets import preset_profile
from .profile import GrainProfile, curve_at, scaled_lags
from .tile import SIDE, Tiles, grain_tiles

_ENOUGH = 48  # flat blocks from which the bias that was measured is believed in full
_BIAS = 0.5  # share of the wanted variance that it may have
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
    together: GrainProfile | None = field(default=None, kw_only=True)
    """What is measured where all of the wanted grain lies over the clip's own, learnt by `survey`; for `fill_up`."""
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
        """Learn the clip's own grain, and what is measured where all of the wanted grain lies over it."""
        whole = replace(self, fill_up=False, strength=1.0)
        alone, together = (GrainSurvey(self.where, outside=False) for _ in range(2))
        for start, frames in clip:
            for i, frame in enumerate(frames):
                if alone.wants(start + i):
                    alone.add(start + i, frame)
                    together.add(start + i, whole(frame[None], start + i)[0])
                progress(start + i + 1, 0)
        return replace(self, own=alone.profile(), together=together.profile())

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
        grain = self.wanted
        factor = self.size * (height / grain.height if grain.height and not self.fixed_size else 1.0)
        lags, cb_lags, cr_lags = (scaled_lags(own, factor) for own in (grain.lags, grain.cb_lags, grain.cr_lags))
        grain = replace(grain, lags=lags, cb_lags=cb_lags, cr_lags=cr_lags)
        if self.fill_up and self.own:
            grain = missing(grain, self.own, self.together)
        size = correlation_size(grain.lags)
        return grain_tiles(grain.lags, grain.cb_lags, grain.cr_lags, grain.cb_luma, grain.cr_luma, size, self.seed), grain

    def to_json(self) -> dict[str, Any]:
        """Give the settings, and what grain is wanted, found, and where, as far as that is known."""
        more = {"profile": self.profile, "own": self.own, "together": self.together, "where": self.where}
        return super().to_json() | {name: value.to_json() for name, value in more.items() if value is not None}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> AddGrain:
        """Read back what `to_json` gave, less ``"op"``; the settings are known ones.

        Raises:
            SettingError: a profile, the mask or a setting is wrong.
        """
        readers: dict[str, Any] = {name: GrainProfile.from_json for name in ("profile", "own", "together")} | {"where": Mask.from_json}
        return cls(**{name: readers[name](value) if name in readers else value for name, value in plain.items()})


@lru_cache(maxsize=8)
def missing(wanted: GrainProfile, own: GrainProfile, together: GrainProfile | None = None) -> GrainProfile:
    """Give the grain that must be added to `own` to make `wanted`: variances and spectra are subtracted, never below nothing.

    Texture passes for grain on a clean clip otherwise than under grain, where other blocks are flat. So what was measured with all
    of the wanted grain over the clip, less the sum of both, is taken off as well: all of it where the clip has no grain, none
    where it has what is wanted.
    """
    if own.blocks == 0 or own.sigma == 0:
        return wanted
    trust = 0.0 if together is None else min(together.blocks / _ENOUGH, 1.0)
    seen = together or own

    def lacks(curve: tuple[float, ...], there: tuple[float, ...], all_of_it: tuple[float, ...]) -> tuple[float, ...]:
        want, has, both = (np.array(c) ** 2 for c in (curve, there, all_of_it))
        bias = trust * np.clip(both - want - has, -_BIAS * want, _BIAS * want) * np.maximum(1 - has / np.maximum(want, 1e-12), 0)
        return tuple(float(s) for s in np.sqrt(np.maximum(want - has - bias, 0)))

    def rest() -> Lags:
        strong, weak = wanted.sigma, own.sigma
        if weak >= strong:
            return wanted.lags
        reach = max(len(profile.lags) for profile in (wanted, own, seen)) - 1
        want, has, both = (profile.sigma**2 * _padded(profile.lags, reach) for profile in (wanted, own, seen))
        return lags_from(want - has - trust * (1 - (weak / strong) ** 2) * (both - want - has))

    return replace(
        wanted, sigmas=lacks(wanted.sigmas, own.sigmas, seen.sigmas), cb_sigmas=lacks(wanted.cb_sigmas, own.cb_sigmas, seen.cb_sigmas),
        cr_sigmas=lacks(wanted.cr_sigmas, own.cr_sigmas, seen.cr_sigmas), lags=rest())


def _padded(lags: Lags, reach: int) -> Floats:
    """Give an autocorrelation up to a farther lag."""
    more = reach - len(lags) + 1
    return np.pad(np.array(lags), ((0, more), (more, more)))


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
