"""BM3D as an operation on clips."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import cv2
import numpy as np

from ...arrays import Frame, Frames, contiguous, empty_frames
from ...operation import Numbered, Operation
from ...progress import Progress, silent
from ...settings import SettingError, setting
from ..bm3d_package.client import PackageProcess, ran
from .denoise import denoise_frame, share
from .measured import MeasuredNoise, measured_noise
from .noise_model import Noise
from .profile import PROFILES, PUBLISHED, Profile


@dataclass(frozen=True)
class BM3D(Operation):
    """Removes noise by block matching and 3-D filtering, in every frame alone or, with a radius, in groups across frames.

    Strength 0, or luma and chroma strength 0, returns the frames unchanged, bit for bit. Values of a frame within 0..1 stay there.
    Sources: Dabov, Foi, Katkovnik and Egiazarian, IEEE TIP 16(8), 2007; "Color image denoising ... ", ICIP 2007; "Video denoising
    by sparse 3D transform-domain collaborative filtering", EUSIPCO 2007.
    """

    sigma: float = setting(0.0, "Standard deviation of the noise, as the literature counts it. 0 measures it, once for the clip.",
                           low=0, high=255, step=0.5, unit="steps of 255")
    noise: Literal["white", "correlated"] = setting(
        "white", "white: every pixel has noise of its own. correlated: noise in blotches, as JPEG, cameras and resizing leave it; how "
        "its pixels hang together is measured in the clip.")
    profile: Literal["fast", "balanced", "quality", "np", "lc", "high", "vn", "refilter"] = setting(
        "balanced", "How thorough to be. The published names np, lc, high, vn and refilter run the nearest of the first three.")
    radius: int = setting(0, "How many frames on either side are searched for similar blocks too. 0 denoises every frame alone.",
                          low=0, high=4, step=1, unit="frames")
    stages: Literal["all", "hard", "wiener"] = setting(
        "all", "all: both stages. hard: thresholding alone, faster and rougher. wiener: the second alone, for frames nearly clean.")
    colour_space: Literal["opponent", "ycbcr"] = setting(
        "opponent", "Where brightness and colour are told apart. Opponent is best for equal noise in red, green and blue.")
    luma_strength: float = setting(1.0, "Multiplies sigma for brightness. 0 leaves brightness as it is.", low=0, high=4, step=0.05)
    chroma_strength: float = setting(1.0, "Multiplies sigma for colour. 0 leaves colour as it is.", low=0, high=4, step=0.05)
    detail: float = setting(0.0, "Share of what was removed that is put back where the picture has texture.", low=0, high=1, step=0.05)
    strength: float = setting(1.0, "Blends the result over the source. 0 changes nothing.", low=0, high=1, step=0.05)

    engine: Literal["talkies", "bm3d"] = setting(
        "talkies", "talkies: this pack's own. bm3d: the published package, to compare with; slow, stills and white noise only, and its "
        "licence allows non-commercial use only.")
    measured: MeasuredNoise | None = field(default=None, kw_only=True)
    """The noise of the clip, learnt by `survey`."""

    def __post_init__(self) -> None:
        """Check the settings, alone and together.

        Raises:
            SettingError: one is out of range, or asks the package for what it cannot do.
        """
        super().__post_init__()
        if self.engine == "bm3d":
            wrong = {"radius": self.radius > 0, "noise": self.noise != "white", "stages": self.stages == "wiener"}
            for name in (name for name, is_wrong in wrong.items() if is_wrong):
                raise SettingError(f"BM3D: {name} is {getattr(self, name)!r}, which the engine bm3d does not do; set engine to talkies.")

    @property
    def needs_survey(self) -> bool:
        """Say whether the clip's noise is wanted and not known yet."""
        return not self.identity and self.measured is None and (self.sigma == 0 or self.noise == "correlated")

    def survey(self, clip: Iterable[Numbered], progress: Progress = silent) -> BM3D:
        """Measure the noise of the whole clip."""
        return self.with_noise(measured_noise(clip, self.colour_space, progress))

    def with_noise(self, measured: MeasuredNoise) -> BM3D:
        """Give the operation for a clip whose noise is known."""
        return replace(self, measured=measured)

    @property
    def identity(self) -> bool:
        """Say whether a strength is 0, so that nothing changes."""
        return self.strength == 0 or (self.luma_strength == 0 and self.chroma_strength == 0)

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Denoise every frame among its neighbours.

        Raises:
            SettingError: the noise is to be measured, and the clip has not been surveyed.
            PackageError: the engine bm3d is missing, or failed.
        """
        return self.apply_to(frames, start, range(len(frames)), progress)

    def apply_to(self, frames: Frames, start: int, wanted: range, progress: Progress) -> Frames:
        """Denoise some of the frames among all."""
        noise = self.removed()
        if self.engine == "bm3d":
            return self._by_package(frames[wanted.start : wanted.stop], noise, progress)
        out = empty_frames(len(wanted), *frames.shape[1:])
        for i, t in enumerate(wanted):
            first, last = max(0, t - self.radius), min(len(frames), t + self.radius + 1)
            made = denoise_frame(frames[first:last], t - first, noise, self.profile_that_runs, stages=self.stages,
                                 colour_space=self.colour_space, progress=share(progress, i, len(wanted)))
            self._finish(frames[t], made, noise, out[i])
        return out

    def removed(self) -> Noise:
        """Say what noise is removed: the setting's, or the clip's.

        Raises:
            SettingError: it is to be measured, and the clip has not been surveyed.
        """
        if self.needs_survey:
            raise SettingError("BM3D: the noise of the clip is not measured yet. Run it with `run`, or call `survey` on the whole clip "
                               'first, or set sigma, and noise to "white".')
        if self.measured is None:
            return Noise(self.sigma * self.luma_strength, self.sigma * self.chroma_strength)
        return self.measured.noise(self.sigma, correlated=self.noise == "correlated", luma=self.luma_strength, chroma=self.chroma_strength)

    @property
    def profile_that_runs(self) -> Profile:
        """Give the profile of the pack's own engine for the name that was asked for."""
        return PROFILES.get(self.profile) or PUBLISHED[self.profile]

    def ran(self) -> str:
        """Say which profile runs for the one that was asked for, by the engine that is set."""
        return ran(self.profile) if self.engine == "bm3d" else self.profile_that_runs.name

    def _by_package(self, frames: Frames, noise: Noise, progress: Progress) -> Frames:
        out = empty_frames(*frames.shape)
        with PackageProcess() as package:
            for t, frame in enumerate(frames):
                made = np.array(frame)
                colours = 3 if frame.shape[-1] == 4 else frame.shape[-1]
                levels = noise.level(chroma=False), noise.level(chroma=True)
                made[..., :colours] = package.denoise(contiguous(frame[..., :colours]), levels, ran(self.profile), self.stages,
                                                      self.colour_space, progress, t, len(frames))
                self._finish(frame, made, noise, out[t])
                progress(t + 1, len(frames))
        return out

    def to_json(self) -> dict[str, Any]:
        """Give the settings, and the clip's noise where it is known."""
        return super().to_json() | ({} if self.measured is None else {"measured": self.measured.to_json()})

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> BM3D:
        """Read back what `to_json` gave, less ``"op"``.

        Raises:
            SettingError: the clip's noise is none, or a setting is wrong.
        """
        measured = plain.get("measured")
        return cls(**{**plain, "measured": None if measured is None else MeasuredNoise.from_json(measured)})

    def _finish(self, source: Frame, made: Frame, noise: Noise, out: Frame) -> None:
        """Put detail back, blend and clip one frame."""
        colours = 3 if source.shape[-1] == 4 else source.shape[-1]
        out[:] = source
        clean, noisy = made[..., :colours], source[..., :colours]
        if self.detail > 0:
            clean += self.detail * texture(clean, noise.level(chroma=False) / 255) * (noisy - clean)
        if self.strength < 1:
            clean = noisy + np.float32(self.strength) * (clean - noisy)
        np.clip(clean, min(0.0, float(noisy.min())), max(1.0, float(noisy.max())), out=out[..., :colours])


def texture(frame: Frame, sigma: float) -> Frame:
    """Tell texture from calm areas in a clean frame ``[H,W,C]``: ``[H,W,1]``, 0 to 1, half where it varies by `sigma` (0..1)."""
    brightness = frame.mean(axis=2)
    mean = cv2.blur(brightness, (5, 5))
    varies = np.maximum(cv2.blur(brightness * brightness, (5, 5)) - mean * mean, 0)
    share_of: Frame = varies / (varies + np.float32(max(sigma, 1e-4) ** 2))
    return share_of[..., None]
