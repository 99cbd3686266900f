"""LB-CLAHE: local contrast by contrast-limited adaptive equalisation of lightness, in float, steady over a shot."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame, Frames, contiguous
from ...operation import FrameOperation, Numbered
from ...parallel import for_each_frame, worker_count
from ...progress import Progress, silent
from ...settings import SettingError, setting
from . import colour
from .features import GRID
from .local import Look, curves_of, lines, look, step_of
from .predict import predicted
from .shots import CutWatch, Shot, ShotBuilder, thumbnail


@dataclass(frozen=True)
class Tones:
    """What one frame is equalised with."""

    curves: Frame = field(repr=False)
    """``[rows,columns,KNOTS]``."""
    noise: NDArray[np.float32] = field(repr=False)
    """``[BANDS]``, deviation of the noise by lightness."""
    clip: float
    """The clip limit."""


@dataclass(frozen=True)
class LBCLAHE(FrameOperation):
    """Brings out local contrast in the lightness; hue and chroma stay. Strength 0 returns the frames unchanged, bit for bit.

    A frame's lightness is cut into tiles, each tile's histogram (512 bins) is clipped and cumulated to a tone curve, and the curves
    of neighbouring tiles are blended by distance and by whose pixels they are made for. What the curves change is smoothed by a guided
    filter that knows the noise, so that edges get no halo and noise no gain; lightness is moved along L of CIELAB with a and b
    kept. In a clip the curves are averaged around keyframes half a second apart and interpolated between them, so nothing flickers.

    Sources: Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994. Parameters from features: Campos et
    al., "Machine learning hyperparameter selection for contrast limited adaptive histogram equalization", EURASIP JIVP 2019:59. Guided
    filter: He and Sun, "Fast guided filter", arXiv:1505.00996, 2015.
    """

    strength: float = setting(1.0, "How much of the change is made. 0 changes nothing.", low=0, high=1, step=0.01)
    mode: Literal["learned", "rule_based", "fixed"] = setting(
        "learned",
        "Who chooses clip limit and tiles. learned: a small regressor trained on degraded pictures. rule_based: from the range of "
        "lightness, the noise and the evenness of the light. fixed: `clip_limit` and `tiles`.",
    )
    clip_limit: float = setting(2.0, "When `mode` is fixed: no tone's contrast is raised by more than this. 1 changes next to nothing.",
                                low=1, high=10, step=0.1, unit="times")
    tiles: int = setting(8, "When `mode` is fixed: tiles along each side. More of them work more locally.", low=1, high=32)
    space: Literal["lab", "oklab", "hsv", "ycbcr"] = setting(
        "lab", "Which lightness is equalised: L of CIELAB, L of Oklab, V of HSV, or Y of YCbCr. a and b of CIELAB are kept with each.")
    locality: float = setting(
        0.25, "Share of a tile's own histogram in its curve; the rest is the whole frame's. 1 is the classic method, 0 one curve for all.",
        low=0, high=1, step=0.05)
    over_time: Literal["shot", "frame"] = setting(
        "shot", "shot: curves change slowly within a shot and start anew at a cut, so nothing flickers. frame: every frame for itself.")
    shots: tuple[Shot, ...] | None = field(default=None, kw_only=True, repr=False)
    """The curves of the clip's shots, in order, learnt by `survey`."""

    @property
    def identity(self) -> bool:
        """Say whether strength is 0."""
        return self.strength == 0

    @property
    def needs_survey(self) -> bool:
        """Say whether the shots' curves are wanted and not known yet."""
        return self.over_time == "shot" and self.shots is None and not self.identity

    def survey(self, clip: Iterable[Numbered], progress: Progress = silent) -> LBCLAHE:
        """Learn the curves of every shot, in one pass that keeps a keyframe's curves for half a second of clip.

        Frames are looked at in parallel and added up in order, in whole numbers, so that the curves do not depend on where the clip is cut.
        """
        watch, builder, shots, count = CutWatch(), None, [], 0
        together = 4 * worker_count()
        for start, frames in clip:
            for first in range(0, len(frames), together):
                run = frames[first : first + together]
                for offset, (thumb, seen, clip_limit, tiles) in enumerate(self._seen_in(run)):
                    if watch.cuts_at(thumb) and builder:
                        shots.append(builder.shot())
                        builder = None
                    builder = builder or ShotBuilder(start + first + offset, self.locality, self.tiles if self.mode == "fixed" else 0)
                    builder.see(seen, clip_limit, tiles)
                count += len(run)
                progress(count, 0)
        return replace(self, shots=(*shots, builder.shot())) if builder else self

    def _seen_in(self, frames: Frames) -> list[tuple[Frame, Look, float, float]]:
        found: list[Any] = [None] * len(frames)

        def work(i: int) -> None:
            plane = self._plane(frames[i])
            seen = self._look(plane)
            found[i] = (thumbnail(plane), seen, *self._predicted(seen))

        for_each_frame(len(frames), work)
        return found

    def _plane(self, frame: Frame) -> Frame:
        colours = contiguous(frame[..., :3]) if frame.shape[-1] == 4 else frame
        return colour.samples(colours, colour.SPACES.index(self.space), step_of(*frame.shape[:2]))

    def _look(self, plane: Frame) -> Look:
        return look(plane, self.tiles if self.mode == "fixed" else GRID)

    def _predicted(self, seen: Look) -> tuple[float, float]:
        """Give the clip limit and the log2 of the tiles for a frame."""
        return (self.clip_limit, float(np.log2(self.tiles))) if self.mode == "fixed" else predicted(self.mode, seen.features())

    def tones(self, frame: Frame, index: int) -> Tones:
        """Give what frame `index` is equalised with; `frame` ``[H,W,C]`` is looked at only where every frame stands for itself.

        Raises:
            SettingError: the curves of the shots are wanted, and the clip has not been surveyed.
        """
        if self.over_time == "frame":
            return self._tones_of(self._plane(frame))
        if self.shots is None:
            raise SettingError(
                'LBCLAHE: over_time is "shot", and the shots of the clip are not known yet. Run it with `run`, or call `survey` on the '
                'whole clip first, or choose over_time "frame".')
        later = [shot for shot in self.shots if shot.first <= index]
        return Tones(*(later[-1] if later else self.shots[0]).at(index))

    def _tones_of(self, plane: Frame) -> Tones:
        seen = self._look(plane)
        clip, tiles = self._predicted(seen)
        count = self.tiles if self.mode == "fixed" else int(2 ** np.floor(tiles + 0.5))
        return Tones(curves_of(seen.joined(count), clip, seen.noise, self.locality), seen.noise, clip)

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Equalise every frame.

        Raises:
            SettingError: as `tones`.
        """
        if self.needs_survey:
            self.tones(frames[0], start)
        return super().apply(frames, start, progress)

    def frame(self, frame: Frame, index: int, out: Frame) -> None:
        """Equalise one ``[H,W,1]`` or ``[H,W,3]`` frame."""
        height, _, channels = frame.shape
        step, space = step_of(*frame.shape[:2]), colour.SPACES.index(self.space)
        plane = self._plane(frame)
        tones = self._tones_of(plane) if self.over_time == "frame" else self.tones(frame, index)
        gain, offset = lines(plane, tones.curves, tones.noise)
        colour.shift_lightness(
            frame.reshape(height, -1), channels, space, gain, offset, step, step // 2, self.strength, out.reshape(height, -1))

    def to_json(self) -> dict[str, Any]:
        """Give the settings, and the shots' curves where they are known."""
        return super().to_json() | ({} if self.shots is None else {"shots": [shot.to_json() for shot in self.shots]})

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> LBCLAHE:
        """Read back what `to_json` gave, less ``"op"``; the settings are known ones.

        Raises:
            SettingError: the shots are no such curves, or a setting is wrong.
        """
        shots = plain.get("shots")
        if shots is not None and (not isinstance(shots, list) or not shots):
            raise SettingError(f"LBCLAHE: shots is {str(shots)[:40]!r}; it must be a list of shots or null.")
        return cls(**{**plain, "shots": None if shots is None else tuple(Shot.from_json(shot) for shot in shots)})
