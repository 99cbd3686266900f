"""Gamma, contrast and brightness, and the repair of values that are not numbers."""
from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from .arrays import Frame, Frames
from .measure.statistics import frame_mean
from .operation import FrameOperation, Numbered
from .parallel import for_each_frame
from .progress import Progress, silent
from .repair import repair_nonfinite
from .settings import SettingError, setting


@dataclass(frozen=True)
class FrameAdjust(FrameOperation):
    """Adjusts the tones of every frame: repair, gamma, contrast, brightness, clip, in that order.

    ``v -> sign(v) |v| ^ (1 / gamma)``, then ``(v - pivot) * contrast + pivot + brightness``. A step at its neutral value is left
    out, so that the values keep their bits. Alpha is not adjusted, though repaired.
    """

    gamma: float = setting(1.0, "Above 1 lifts the midtones, below 1 darkens them; black and white stay.", low=0.1, high=10, step=0.01)
    contrast: float = setting(1.0, "Distance of every tone from the pivot is multiplied by this.", low=0, high=4, step=0.01)
    pivot: Literal["frame", "clip", "middle"] = setting(
        "clip",
        "The tone that contrast keeps. clip: the mean of the whole clip, the same in every frame, so nothing flickers. "
        "frame: each frame's own mean. middle: 0.5.",
    )
    brightness: float = setting(0.0, "Added to every tone.", low=-1, high=1, step=0.01, unit="of the range 0..1")
    replace_nonfinite: bool = setting(False, "Replace NaN and infinity by the median of their neighbours instead of refusing them.")
    clip_range: bool = setting(True, "Clip the result to 0..1.")
    clip_mean: float | None = field(default=None, kw_only=True)
    """The mean of the clip, learnt by `survey`; the pivot of ``clip``."""

    @property
    def identity(self) -> bool:
        """Say whether nothing is adjusted, repaired or clipped."""
        return self._neutral and not self.replace_nonfinite and not self.clip_range

    @property
    def accepts_nonfinite(self) -> bool:
        """Say whether NaN and infinity are repaired."""
        return self.replace_nonfinite

    @property
    def needs_survey(self) -> bool:
        """Say whether the clip's mean is wanted and not known yet."""
        return self.pivot == "clip" and self.contrast != 1 and self.clip_mean is None

    @property
    def _neutral(self) -> bool:
        return self.gamma == 1 and self.contrast == 1 and self.brightness == 0

    def survey(self, clip: Iterable[Numbered], progress: Progress = silent) -> FrameAdjust:
        """Learn the mean over the clip as contrast will meet it, after repair and gamma.

        Frame means are summed without rounding, so that the result does not depend on where the clip is cut.
        """
        means: list[float] = []
        for _, frames in clip:
            run = [0.0] * len(frames)

            def work(i: int, frames: Frames = frames, run: list[float] = run) -> None:
                frame = frames[i]
                if self.replace_nonfinite or self.gamma != 1:
                    frame = frame[..., :3].copy()
                    self._prepare(frame, frame)
                run[i] = frame_mean(frame)

            for_each_frame(len(frames), work)
            means += run
            progress(len(means), 0)
        return replace(self, clip_mean=math.fsum(means) / len(means)) if means else self

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Adjust the colours, and repair alpha.

        Raises:
            SettingError: the pivot is the clip's mean, and the clip has not been surveyed.
        """
        if self.needs_survey:
            raise SettingError(
                'FrameAdjust: pivot is "clip", and the mean of the clip is not known yet. Run it with `run`, or call `survey` on the '
                'whole clip first, or choose pivot "frame" or "middle".'
            )
        made = super().apply(frames, start, progress)
        if self.replace_nonfinite and frames.shape[-1] == 4:
            for frame in made:
                repair_nonfinite(frame, frame)
        return made

    def frame(self, frame: Frame, index: int, out: Frame) -> None:
        """Adjust one ``[H,W,1]`` or ``[H,W,3]`` frame."""
        self._prepare(frame, out)
        if self.contrast != 1:
            pivot = frame_mean(out) if self.pivot == "frame" else 0.5 if self.pivot == "middle" else self.clip_mean or 0.0
            np.multiply(out, np.float32(self.contrast), out=out)
            np.add(out, np.float32(pivot * (1 - self.contrast) + self.brightness), out=out)
        elif self.brightness != 0:
            np.add(out, np.float32(self.brightness), out=out)
        if self.clip_range:
            np.clip(out, 0, 1, out=out)

    def _prepare(self, frame: Frame, out: Frame) -> None:
        """Write the repaired frame after gamma into `out`, which may be `frame`."""
        if self.replace_nonfinite:
            repair_nonfinite(frame, out)
            frame = out
        if self.gamma != 1:
            signs = frame if frame is not out and frame.min() < 0 else frame.copy() if frame.min() < 0 else None
            np.power(np.abs(frame, out=out), np.float32(1 / self.gamma), out=out)
            if signs is not None:
                np.copysign(out, signs, out=out)
        elif frame is not out:
            np.copyto(out, frame)

    def to_json(self) -> dict[str, Any]:
        """Give the settings, and the clip's mean where it is known."""
        return super().to_json() | ({} if self.clip_mean is None else {"clip_mean": self.clip_mean})

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> FrameAdjust:
        """Read back what `to_json` gave, less ``"op"``; the settings are known ones.

        Raises:
            SettingError: the clip's mean is not a finite number, or a setting is wrong.
        """
        mean = plain.get("clip_mean")
        if mean is not None and (isinstance(mean, bool) or not isinstance(mean, (int, float)) or not math.isfinite(mean)):
            raise SettingError(f"FrameAdjust: clip_mean is {mean!r}; it must be a number or null.")
        return cls(**{**plain, "clip_mean": None if mean is None else float(mean)})
