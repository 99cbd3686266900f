"""Deblurring as an operation on clips."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from ...arrays import Frames, as_float64, contiguous, empty_frames
from ...operation import Numbered, Operation
from ...progress import Progress, part, silent
from ...settings import SettingError, setting
from ..bm3d.measured import MeasuredNoise, measured_noise
from ..bm3d.profile import PROFILES
from .inverse import Blur
from .psf import MOST, Psf, gaussian, motion, point_of
from .restore import restored

Points = tuple[tuple[float, ...], ...]
"""A point-spread function as plain numbers, rows of columns, as `psf.from_picture` gives it."""


@dataclass(frozen=True)
class Deblur(Operation):
    """Takes back a known blur: lens (Gaussian), camera shake (motion), or whatever a picture of one point shows.

    Strength 0 returns the frames unchanged, bit for bit. Values of a frame within 0..1 stay there. See `restore` for the method and
    its sources.

    Attributes:
        picture: the point-spread function for ``psf = picture``; no setting.
        measured: the noise of the clip, learnt by `survey`.
    """

    psf: Literal["gaussian", "motion", "picture"] = setting(
        "gaussian", "What the blur made of one point. gaussian: out of focus. motion: moved along a straight line. picture: as the "
        "image linked to `psf_image` shows.")
    blur_sigma: float = setting(1.6, "gaussian: how wide, standard deviation.", low=0.1, high=20, step=0.1, unit="px")
    rows: int = setting(15, "gaussian: height of the table that it is cut to; odd.", low=1, high=MOST, step=2, unit="px")
    columns: int = setting(15, "gaussian: width of the table that it is cut to; odd.", low=1, high=MOST, step=2, unit="px")
    length: float = setting(9.0, "motion: how far a point moved.", low=0, high=MOST - 1, step=0.5, unit="px")
    angle: float = setting(0.0, "motion: in which direction, counter-clockwise from the horizontal.",
                           low=-180, high=180, step=1, unit="degrees")
    sigma: float = setting(
        0.0, "Standard deviation of the noise in the blurred frames. 0 measures it, once for the clip. More is smoother, less is sharper "
        "and rings earlier.", low=0, high=100, step=0.5, unit="steps of 255")
    profile: Literal["fast", "balanced", "quality"] = setting("balanced", "How thorough BM3D is in every round.")
    rounds: int = setting(8, "How often the result is brought back to the blurred frame and filtered again. 0 is the classic two steps: "
                          "inverse and filter, several times faster.", low=0, high=16, step=1)
    strength: float = setting(1.0, "Blends the result over the source. 0 changes nothing.", low=0, high=1, step=0.05)
    picture: Points | None = field(default=None, repr=False, kw_only=True)
    measured: MeasuredNoise | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings and the picture.

        Raises:
            SettingError: a setting is out of range, a size is even, or the picture is no point-spread function.
        """
        super().__post_init__()
        if self.picture is not None:
            object.__setattr__(self, "picture", tuple(tuple(float(value) for value in row) for row in self.picture))
            if max(point_of(self.picture).shape) > MOST:
                raise SettingError(f"Deblur: the picture of the point-spread function is {len(self.picture[0])}x{len(self.picture)} px; "
                                   f"at most {MOST} px a side are taken, less its black rim.")
        for name in ("rows", "columns"):
            if getattr(self, name) % 2 == 0:
                raise SettingError(f"Deblur: {name} is {getattr(self, name)}; it must be odd, so that the table has a middle.")

    @property
    def identity(self) -> bool:
        """Say whether strength is 0."""
        return self.strength == 0

    @property
    def needs_survey(self) -> bool:
        """Say whether the clip's noise is wanted and not known yet."""
        return not self.identity and self.sigma == 0 and self.measured is None

    def survey(self, clip: Iterable[Numbered], progress: Progress = silent) -> Deblur:
        """Measure the noise of the whole clip."""
        return self.with_noise(measured_noise(clip, progress=progress))

    def with_noise(self, measured: MeasuredNoise) -> Deblur:
        """Give the operation for a clip whose noise is known."""
        return replace(self, measured=measured)

    def point_spread(self) -> Psf:
        """Give the point-spread function ``[rows,columns]`` that these settings say.

        Raises:
            SettingError: it is to come from a picture, and there is none.
        """
        if self.psf == "gaussian":
            return gaussian((self.rows, self.columns), self.blur_sigma)
        if self.psf == "motion":
            return motion(self.length, self.angle)
        if self.picture is None:
            raise SettingError('Deblur: psf is "picture", and there is no picture of it. Link an image of one blurred point to psf_image.')
        return point_of(self.picture)

    def noise_level(self) -> float:
        """Give the noise that is counted with, in steps of 255.

        Raises:
            SettingError: it is to be measured, and the clip has not been surveyed.
        """
        if self.sigma > 0:
            return self.sigma
        if self.measured is None:
            raise SettingError("Deblur: the noise of the clip is not measured yet. Run it with `run`, or call `survey` on the whole clip "
                               "first, or set sigma.")
        return self.measured.sigma

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Restore every frame.

        Raises:
            SettingError: see `point_spread` and `noise_level`.
        """
        sigma, point = self.noise_level(), self.point_spread()
        count, height, width, channels = frames.shape
        colours = 3 if channels == 4 else channels
        blur = _laid_out(tuple(map(tuple, point.tolist())), height, width)
        out = empty_frames(*frames.shape)
        for t, frame in enumerate(frames):
            source = contiguous(frame[..., :colours])
            made = restored(source, blur, sigma, PROFILES[self.profile], self.rounds, part(progress, t, count))
            out[t] = frame
            if self.strength < 1:
                made = source + np.float32(self.strength) * (made - source)
            np.clip(made, min(0.0, float(source.min())), max(1.0, float(source.max())), out=out[t, ..., :colours])
        return out

    def to_json(self) -> dict[str, Any]:
        """Give the settings, and picture and noise where there are any."""
        more = {} if self.picture is None else {"picture": [list(row) for row in self.picture]}
        return super().to_json() | more | ({} if self.measured is None else {"measured": self.measured.to_json()})

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Deblur:
        """Read back what `to_json` gave, less ``"op"``.

        Raises:
            SettingError: picture or noise are none, or a setting is wrong.
        """
        measured = plain.get("measured")
        return cls(**{**plain, "measured": None if measured is None else MeasuredNoise.from_json(measured)})


@lru_cache(maxsize=2)
def _laid_out(points: Points, height: int, width: int) -> Blur:
    return Blur.of(as_float64(np.array(points)), height, width)
