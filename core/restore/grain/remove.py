"""Grain taken out of frames: as measured, with what must be kept kept."""
from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame, Frames, as_float32, as_float64, contiguous, empty_frames
from ...operation import Numbered, Operation
from ...parallel import for_each_frame
from ...progress import Progress, silent
from ...settings import SettingError, setting
from ..bm3d.denoise import denoise_frame
from ..bm3d.noise_model import LAGS as BM3D_LAGS
from ..bm3d.noise_model import Noise
from ..bm3d.profile import PROFILES
from ..noise.measure import CB, CR, planes_of
from ..noise.spectrum import Lags, plane_of
from .classify import LEAST
from .measure import measure_grain
from .profile import GrainProfile, curve_at
from .wiener import denoise_plane

_FULL = 2.2 / 255  # luma grain from which all is removed that may be, where `adaptive` is on; from LEAST on it removes some
_TRUSTED = 0.3  # least confidence at which `adaptive` lets a picture be touched
_MORE = 1.3  # times the grain that BM3D is told
_WIDE = (3.4, 5.7)  # size of grain, px, from which the windows have a say in BM3D's result, and from which it is half
_STEPS = 1024  # luma values of the stabilising curve
_STEEPEST = 3.0  # how far a level's grain may lie from the usual one before the stabilising curve bends no more

Curve = NDArray[np.float64]


@dataclass(frozen=True)
class RemoveGrain(Operation):
    """Removes the grain that the clip was measured to have. Strength 0, or grain of kind none, returns the frames bit for bit.

    The clip is measured once (unless a profile is given), so that every frame is treated alike and nothing flickers. ``fast`` is a
    Wiener filter in overlapping windows with the measured spectrum; ``bm3d`` goes on from there by block matching with the same
    spectrum, on luma made to have the same grain at every brightness. What they find is blended with the source by `preservation`
    and, in texture, by `texture`.
    """

    method: Literal["bm3d", "fast"] = setting(
        "bm3d", "bm3d: block matching, keeps more texture; seconds a frame at 1080p. fast: windows of 16 px alone, several times as fast.")
    adaptive: bool = setting(
        True, "Leave clean pictures as they are, bit for bit, and remove faint grain only in part. Off: remove whatever was measured.")
    strength: float = setting(1.0, "Multiplies the measured grain: above 1 removes more, below 1 less. 0 changes nothing.",
                              low=0, high=3, step=0.05)
    preservation: float = setting(0.0, "Share of the grain that is kept, everywhere.", low=0, high=1, step=0.05)
    texture: float = setting(0.3, "Share of what was removed that is put back where the picture has texture.", low=0, high=1, step=0.05)
    profile: GrainProfile | None = field(default=None, kw_only=True)
    """The grain to remove: given, or learnt by `survey`."""

    @property
    def identity(self) -> bool:
        """Say whether nothing is removed: by the settings, or because there is nothing."""
        return self.strength == 0 or self.preservation == 1 or (self.profile is not None and self.share == 0)

    @property
    def needs_survey(self) -> bool:
        """Say whether the grain must be measured first."""
        return self.profile is None and not (self.strength == 0 or self.preservation == 1)

    @property
    def share(self) -> float:
        """Give the share of what is found that is removed, 0..1, before `texture`."""
        grain = self.profile
        if grain is None or (grain.blocks == 0 and grain.sigma == 0):
            return 0.0
        kept = 1 - self.preservation
        if not self.adaptive:
            return kept if grain.sigma > 0 else 0.0
        if grain.kind == "none" or grain.confidence < _TRUSTED:
            return 0.0
        return kept * float(np.clip((grain.sigma - LEAST) / (_FULL - LEAST), 0, 1))

    def survey(self, clip: Iterable[Numbered], progress: Progress = silent) -> RemoveGrain:
        """Measure the clip's grain."""
        return replace(self, profile=measure_grain(clip, progress))

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Clean every frame for itself.

        Raises:
            SettingError: the clip has not been surveyed.
        """
        if self.profile is None:
            raise SettingError("RemoveGrain: the grain is not known yet. Run it with `run`, or call `survey` on the whole clip first, "
                               "or give it a profile.")
        out = empty_frames(*frames.shape)
        if self.method == "fast":
            for_each_frame(len(frames), lambda i: self._frame(frames[i], out[i], silent), progress)
            return out
        for i, frame in enumerate(frames):
            self._frame(frame, out[i], lambda done, total, i=i: progress(
                100 * i + 100 * done // max(total, 1), 100 * len(frames)))
        return out

    def _frame(self, frame: Frame, out: Frame, progress: Progress) -> None:
        out[:] = frame
        colours = 1 if frame.shape[2] == 1 else 3
        source = contiguous(frame[..., :colours])
        grain = self.profile or GrainProfile()
        if self.method == "fast":
            clean = cleaned_fast(source, grain, self.strength)
        else:
            clean = cleaned_bm3d(source, grain, self.strength, progress)
        kept = np.float32(self.share)
        amount = kept * (1 - np.float32(self.texture) * texture_of(clean, grain.sigma)) if self.texture > 0 else kept
        made = source + amount * (clean - source)
        np.clip(made, min(0.0, float(source.min())), max(1.0, float(source.max())), out=out[..., :colours])

    def to_json(self) -> dict[str, Any]:
        """Give the settings, and the grain where it is known."""
        return super().to_json() | ({} if self.profile is None else {"profile": self.profile.to_json()})

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> RemoveGrain:
        """Read back what `to_json` gave, less ``"op"``; the settings are known ones.

        Raises:
            SettingError: the profile or a setting is wrong.
        """
        read: dict[str, Any] = {**plain}
        if "profile" in read:
            read["profile"] = GrainProfile.from_json(read["profile"])
        return cls(**read)


def cleaned_fast(frame: Frame, grain: GrainProfile, strength: float = 1.0) -> Frame:
    """Take grain from one ``[H,W,1 or 3]`` frame by windowed Wiener filters in luma and chroma."""
    planes = planes_of(frame)
    curves = (grain.sigmas, grain.cb_sigmas, grain.cr_sigmas)
    lags = (grain.lags, grain.cb_lags, grain.cr_lags)
    made = []
    for plane, curve, own in zip(planes, curves, lags, strict=False):
        if max(curve) == 0:
            made.append(plane)
            continue
        sigma = as_float32(strength * curve_at(curve, planes[0]))
        made.append(denoise_plane(plane, sigma, own))
    return _frame_of(made)


def cleaned_bm3d(frame: Frame, grain: GrainProfile, strength: float = 1.0, progress: Progress = silent) -> Frame:
    """Take grain from one ``[H,W,1 or 3]`` frame by BM3D's Wiener stage with the measured spectra, piloted by `cleaned_fast`.

    BM3D's own first stage compares blocks in the grainy picture, where coarse grain resembles itself more than what it lies on; the
    windowed filter does not compare. Blocks of one group overlap and share their grain, which their mean therefore keeps: `_MORE`
    makes up for that. Grain wider than BM3D's blocks of 8 px can tell from the picture is left in part to the windows of 16 px.

    BM3D wants the same noise everywhere: luma goes through a curve whose slope is the inverse of the grain's strength, and back.
    Colour differences are not bent.
    """
    pilot = cleaned_fast(frame, grain, strength)
    luma, usual = planes_of(frame)[0], grain.sigma
    # BM3D's planes are Y, Cb and Cr divided by the lengths of their rows in the matrix from RGB.
    luma_row, cb_row, cr_row = (0.299, 0.587, 0.114), (-0.299 * CB, -0.587 * CB, 0.5), (0.5, -0.587 * CR, -0.114 * CR)
    chroma = math.sqrt(np.mean(curve_at(grain.cb_sigmas, luma) ** 2 / math.hypot(*cb_row) ** 2
                               + curve_at(grain.cr_sigmas, luma) ** 2 / math.hypot(*cr_row) ** 2) / 2)
    level = usual if frame.shape[2] == 1 else usual / math.hypot(*luma_row)
    counted = 255 * strength * _MORE
    noise = Noise(counted * level, counted * chroma, _correlation(grain.lags), _correlation(grain.cb_lags))
    values, bent = stabilising_curve(grain)
    made = _bent(
        denoise_frame(_bent(frame, values, bent)[None], 0, noise, PROFILES["balanced"], colour_space="ycbcr", progress=progress,
                      pilot=_bent(pilot, values, bent)[None]), bent, values)
    windows = np.float32(0.5 * np.clip((grain.size - _WIDE[0]) / (_WIDE[1] - _WIDE[0]), 0, 1))
    return made + windows * (pilot - made) if windows > 0 else made


def _bent(frame: Frame, given: Curve, wanted: Curve) -> Frame:
    """Move the luma of a frame along a curve, colour differences kept."""
    luma = planes_of(as_float32(frame))[0]
    return np.asarray(frame + (as_float32(np.interp(luma, given, wanted)) - luma)[..., None])


@lru_cache(maxsize=8)
def stabilising_curve(grain: GrainProfile) -> tuple[Curve, Curve]:
    """Give luma values and what they become, rising, so that grain has its usual strength at every brightness."""
    values = np.linspace(-0.5, 1.5, 2 * _STEPS + 1)
    sigma = np.clip(curve_at(grain.sigmas, values), max(grain.sigma, 1e-6) / _STEEPEST, max(grain.sigma, 1e-6) * _STEEPEST)
    slope = max(grain.sigma, 1e-6) / sigma
    bent = np.concatenate(([0.0], np.cumsum((slope[1:] + slope[:-1]) / 2))) / _STEPS
    return values, as_float64(bent - np.interp(0.5, values, bent) + 0.5)


def texture_of(frame: Frame, sigma: float) -> Frame:
    """Tell texture from calm areas of a clean frame ``[H,W,C]``: ``[H,W,1]``, 0 to 1, half where it varies by `sigma` (0..1)."""
    luma = planes_of(frame)[0]
    mean = cv2.blur(luma, (7, 7))
    varies = np.maximum(cv2.blur(luma * luma, (7, 7)) - mean * mean, 0)
    share = as_float32(varies**2 / (varies**2 + np.float32(max(sigma, 1e-4) ** 4)))
    return share.reshape(*luma.shape, 1)


def _correlation(lags: Lags) -> NDArray[np.float64]:
    whole, middle = plane_of(lags), len(lags) - 1
    table = np.zeros((2 * BM3D_LAGS + 1,) * 2)
    reach = min(middle, BM3D_LAGS)
    table[BM3D_LAGS - reach : BM3D_LAGS + reach + 1, BM3D_LAGS - reach : BM3D_LAGS + reach + 1] = whole[
        middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]
    return table


def _frame_of(planes: list[Frame]) -> Frame:
    """Give ``[H,W,1 or 3]`` from luma, or from luma, Cb and Cr (Rec. 601)."""
    if len(planes) == 1:
        return planes[0][..., None]
    luma, blue, red = planes[0], planes[0] + planes[1] / np.float32(CB), planes[0] + planes[2] / np.float32(CR)
    green = (luma - np.float32(0.299) * red - np.float32(0.114) * blue) / np.float32(0.587)
    return np.stack((red, green, blue), axis=2)


