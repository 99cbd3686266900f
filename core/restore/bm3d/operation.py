"""BM3D as an operation on clips."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from ...arrays import Frame, Frames, empty_frames
from ...operation import Operation
from ...progress import Progress
from ...settings import setting
from .denoise import denoise_frame, share
from .estimate import white_noise_level
from .noise_model import Noise
from .profile import PROFILES, PUBLISHED


@dataclass(frozen=True)
class BM3D(Operation):
    """Removes noise by block matching and 3-D filtering, in every frame alone or, with a radius, in groups across frames.

    Strength 0, or luma and chroma strength 0, returns the frames unchanged, bit for bit. Values of a frame within 0..1 stay there.
    Sources: Dabov, Foi, Katkovnik and Egiazarian, IEEE TIP 16(8), 2007; "Color image denoising ... ", ICIP 2007; "Video denoising
    by sparse 3D transform-domain collaborative filtering", EUSIPCO 2007.
    """

    sigma: float = setting(0.0, "Standard deviation of the noise, as the literature counts it. 0 measures it in every frame.",
                           low=0, high=255, step=0.5, unit="steps of 255")
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

    @property
    def identity(self) -> bool:
        """Say whether a strength is 0, so that nothing changes."""
        return self.strength == 0 or (self.luma_strength == 0 and self.chroma_strength == 0)

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Denoise every frame among its neighbours."""
        out = empty_frames(*frames.shape)
        for t in range(len(frames)):
            first, last = max(0, t - self.radius), min(len(frames), t + self.radius + 1)
            self._frame(frames[first:last], t - first, share(progress, t, len(frames)), out[t])
        return out

    def noise_of(self, frame: Frame) -> Noise:
        """Say what noise is removed from a frame ``[H,W,C]``: the setting, or what the frame is measured to hold."""
        sigma = self.sigma or white_noise_level(frame)
        return Noise(sigma * self.luma_strength, sigma * self.chroma_strength)

    def _frame(self, frames: Frames, target: int, progress: Progress, out: Frame) -> None:
        source, colours = frames[target], 3 if frames.shape[-1] == 4 else frames.shape[-1]
        noise = self.noise_of(source)
        profile = PROFILES.get(self.profile) or PUBLISHED[self.profile]
        made = denoise_frame(frames, target, noise, profile, stages=self.stages, colour_space=self.colour_space, progress=progress)
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
