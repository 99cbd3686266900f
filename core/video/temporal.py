"""Flicker taken out along the motion: neighbour frames are carried to where things are now, and blended where they agree."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from ..arrays import Frame, Frames, contiguous, empty_frames
from ..operation import Operation
from ..parallel import for_each_frame, single_threaded_opencv, worker_count
from ..progress import Progress
from ..settings import setting
from .flow import Flow, enlarged, sampled, then
from .flow_window import FlowWindow
from .temporal_kernels import accumulate, average, difference

_NEGLIGIBLE = 1e-3  # the share of the past at which `ema` stops looking back
_MOST = 0.8  # of the past in `ema`: it looks back 31 frames then
_WINDOW = 5  # px: two frames agree or not over a window of this size
_SOFT = 1 / 12  # of the shorter side: over this distance a difference is light and not an object
_BLOCK = 4  # frames for each processor that are worked on together


@dataclass(frozen=True)
class TemporalConsistency(Operation):
    """Takes flicker out of a clip, every frame blended with its neighbours. Strength 0 returns the frames unchanged, bit for bit.

    - ``motion``: neighbours are carried along the optical flow to where things are in this frame. Where the way there and back does
      not meet, or what arrives looks different (a lip over teeth, a cut), they do not count; so articulation stays, nothing ghosts.
      Looks the same number of frames back and ahead, so nothing lags.
    - ``ema``: the plain exponential average over the past, for comparison: it ghosts and damps whatever moves.

    Source of the idea: Bonneel et al., "Blind video temporal consistency", ACM TOG 34(6), 2015, and motion-compensated temporal
    filtering as in Dubois and Sabri, "Noise reduction in image sequences using motion-compensated temporal filtering", IEEE Trans.
    Communications 32(7), 1984.
    """

    mode: Literal["motion", "ema"] = setting(
        "motion", "motion: neighbours follow the motion and must agree. ema: a plain average over the past; it ghosts and blurs speech.")
    strength: float = setting(1.0, "How much of the flicker is taken out. 0 changes nothing. For ema: the share of the past.",
                              low=0, high=1, step=0.01)
    neighbours: int = setting(2, "Frames looked at on each side (motion). More is calmer and slower.", low=1, high=6, unit="frames")
    tolerance: float = setting(
        0.08, "How different a neighbour may look and still count (motion). Raise it for strong flicker; lower it where "
        "fine changes get lost.",
        low=0.005, high=0.5, step=0.005, unit="of the range 0..1")
    detail: Literal["fast", "fine"] = setting("fine", "fine: flow on up to 960 px, smooth. fast: on up to 480 px, several times faster.")

    @property
    def radius(self) -> int:
        """Count the neighbours; for ``ema`` the frames of the past that matter."""
        if self.mode == "motion" or self.strength == 0:
            return 0 if self.strength == 0 else self.neighbours
        return max(1, math.ceil(math.log(_NEGLIGIBLE) / math.log(self._share)))

    @property
    def identity(self) -> bool:
        """Say whether strength is 0."""
        return self.strength == 0

    @property
    def _share(self) -> float:
        """Give the share of the past of ``ema``: at 1 nothing would ever change, and the frames held grow without bound; it ends there."""
        return min(self.strength, _MOST)

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Blend, block by block; the flows of a block are all that is held beside the frames."""
        return self.apply_to(frames, start, range(len(frames)), progress)

    def apply_to(self, frames: Frames, start: int, wanted: range, progress: Progress) -> Frames:
        """Blend some of the frames with their neighbours among all."""
        made = empty_frames(len(wanted), *frames.shape[1:])
        if self.mode == "ema":
            for_each_frame(len(wanted), lambda i: self._averaged(frames, wanted[i], made[i]), progress)
        else:
            with single_threaded_opencv():
                self._blend_all(frames, wanted, made, progress)
        if frames.shape[-1] == 4:
            made[..., 3] = frames[wanted.start : wanted.stop, ..., 3]
        return made

    def _averaged(self, frames: Frames, i: int, out: Frame) -> None:
        """Average frame `i` with those before it; what lies before the clip is its first frame."""
        average(frames[max(0, i - self.radius) : i + 1], np.float32(self._share), out)

    def _blend_all(self, frames: Frames, wanted: range, made: Frames, progress: Progress) -> None:
        count, block = len(wanted), _BLOCK * worker_count()
        steps = FlowWindow(frames, self.detail)
        for first in range(0, count, block):
            last = min(first + block, count)

            def work(i: int, first: int = first) -> None:
                self._blend(frames, steps, wanted[first + i], made[first + i])

            def report(done: int, total: int, first: int = first) -> None:
                progress(first + done, count)

            def waiting(done: int, total: int, first: int = first) -> None:
                progress(first, count)

            steps.move(max(0, wanted[first] - self.neighbours), min(len(frames), wanted[last - 1] + 1 + self.neighbours), waiting)
            for_each_frame(last - first, work, report)

    def _blend(self, frames: Frames, steps: FlowWindow, index: int, out: Frame) -> None:
        """Make one frame of itself and its neighbours."""
        frame = contiguous(frames[index, ..., :3])
        total, weight = np.zeros_like(frame), np.ones(frame.shape[:2], np.float32)
        for direction in (-1, 1):
            flow: Flow | None = None
            for k in range(1, self.neighbours + 1):
                other = index + direction * k
                if not 0 <= other < len(frames):
                    break
                step = steps.back(other) if direction < 0 else steps.there(other - 1)
                flow = step if flow is None else then(flow, step)
                self._add(frame, contiguous(frames[other, ..., :3]), enlarged(flow, *frame.shape[:2]), total, weight)
        total /= weight[..., None]
        total *= np.float32(self.strength)
        np.add(frame, total, out=out[..., :3])

    def _add(self, frame: Frame, neighbour: Frame, flow: Flow, total: Frame, weight: Frame) -> None:
        """Add what a neighbour says of each pixel to `total`, as far as it is believed, and how far that is to `weight`."""
        arrived = sampled(neighbour, flow, interpolation=cv2.INTER_CUBIC)
        arrived -= frame
        size = max(_WINDOW, round(min(frame.shape[:2]) * _SOFT) // 2 * 2 + 1)
        light = np.asarray(cv2.blur(arrived, (size, size)), np.float32).reshape(arrived.shape)
        unlike = np.empty(frame.shape[:2], np.float32)
        difference(arrived, light, np.float32(self.tolerance), unlike)
        unlike = np.asarray(cv2.blur(unlike, (_WINDOW, _WINDOW)), np.float32)
        usual = float(np.median(unlike[::4, ::4]))
        accumulate(arrived, unlike, flow, np.float32(max(self.tolerance / 2, 2 * usual)), total, weight)

