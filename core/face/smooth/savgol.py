"""The published smoothing: Savitzky-Golay and Gaussian passes over landmarks, and for ``ultra`` over the matrices and the pixels too.

From the project's first design document ("multi-stage landmark smoothing, affine matrix smoothing, temporal consistency filtering") and
the code published beside it. All of it is zero-phase low-pass filtering at about 1 Hz: it takes out most of what jitters, and of the
head's true motion, which then shows inside the crop. Kept because users know it, and to compare with.

Windows are in frames at 25 fps, as published, and scaled so that they last as long at any other rate.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import savgol_filter

from ...arrays import Frames, Matrices
from ...operation import Operation
from ...progress import Progress
from ...settings import SettingError, setting

Series = NDArray[np.float64]


@dataclass(frozen=True)
class LandmarkParameters:
    """Windows (frames at 25 fps) and orders of the passes over landmarks; a window of 0 leaves a pass out."""

    primary_window: int = 15
    primary_order: int = 2
    secondary_window: int = 0
    secondary_order: int = 1
    gaussian_sigma: float = 0.0

    def with_values(self, values: Mapping[str, float]) -> LandmarkParameters:
        """Change some of them by name, as the published ``landmark_params`` does.

        Raises:
            SettingError: a name that there is none of, or a negative or non-finite value.
        """
        for name, value in values.items():
            if name not in self.__dataclass_fields__:
                raise SettingError(f"landmark_params has no {name!r}; it has {', '.join(self.__dataclass_fields__)}.")
            if not (np.isfinite(value) and value >= 0):
                raise SettingError(f"landmark_params: {name} is {value!r}; a number of at least 0 is wanted.")
        changed = {n: float(v) if n == "gaussian_sigma" else int(v) for n, v in values.items()}
        return replace(self, **changed)  # type: ignore[arg-type]


STANDARD = LandmarkParameters()
ENHANCED = LandmarkParameters(15, 2, 7, 1, 1.0)
ULTRA = LandmarkParameters(21, 3, 11, 2, 1.5)
ULTRA_MATRICES = LandmarkParameters(13, 3, 0, 1, 1.2)

PRESETS: dict[str, tuple[LandmarkParameters, float]] = {
    "published": (ULTRA, 0.3),
    "talking_head": (LandmarkParameters(21, 3, 11, 2, 1.5), 0.4),
    "high_motion": (LandmarkParameters(11, 2, 5, 2, 0.8), 0.2),
}
"""Landmark parameters and ``temporal_alpha`` of the document's examples for ``ultra``."""


def smooth_series(series: Series, fps: Fraction, parameters: LandmarkParameters) -> Series:
    """Run the passes over series ``[T,...]``, each number on its own.

    Windows that do not fit a short clip shrink to the longest odd one that does; where even order + 1 frames are not there, the pass is
    left out.
    """
    rate = float(fps) / 25
    smooth = _savgol(series, parameters.primary_window, parameters.primary_order, rate)
    smooth = _savgol(smooth, parameters.secondary_window, parameters.secondary_order, rate)
    if parameters.gaussian_sigma > 0 and len(series) > 1:
        smooth = np.asarray(gaussian_filter1d(smooth, parameters.gaussian_sigma * rate, axis=0, mode="reflect"))
    return smooth


def smooth_matrices(matrices: Matrices, fps: Fraction, parameters: LandmarkParameters = ULTRA_MATRICES) -> Matrices:
    """Smooth each of the six entries on its own, as published; what comes out is affine, but no similarity any more."""
    return smooth_series(matrices, fps, parameters)


def _savgol(series: Series, window: int, order: int, rate: float) -> Series:
    if window <= 0:
        return series
    length = 2 * round((window * rate - 1) / 2) + 1
    length = min(length, len(series) - (len(series) + 1) % 2)
    if length <= order or length < 3:
        return series
    return np.asarray(savgol_filter(series, length, order, axis=0, mode="mirror"))


@dataclass(frozen=True)
class TemporalBlend(Operation):
    """Blends every frame with those before it: an exponential average, each frame ``alpha`` of the past and 1 - alpha of itself.

    The published pipeline's pixel filter. At 25 fps and 0.3 it keeps 74 % of what moves at 5 Hz and delays by 0.43 frames: lips blur.
    The past is cut off where its share falls under a thousandth, so that where a clip is cut into chunks does not show.
    """

    alpha: float = setting(0.3, "Share of the past in every frame; 0 leaves the frames as they are.", low=0.0, high=0.9, step=0.05)

    @property
    def radius(self) -> int:
        """Count the frames of the past that matter."""
        return 0 if self.alpha == 0 else max(1, int(np.ceil(np.log(1e-3) / np.log(self.alpha))))

    @property
    def identity(self) -> bool:
        """Say whether nothing is blended."""
        return self.alpha == 0

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Average each frame with up to `radius` before it."""
        blended = np.empty_like(frames)
        alpha = np.float32(self.alpha)
        for i in range(len(frames)):
            first = max(0, i - self.radius)
            kept = frames[first].copy()
            for j in range(first + 1, i + 1):
                kept *= alpha
                kept += (1 - alpha) * frames[j]
            blended[i] = kept
            progress(i + 1, len(frames))
        return blended
