"""The deep image prior as an operation: every frame is restored by a network fitted to that frame alone."""
from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from ...arrays import Frame, Frames, contiguous, empty_frames
from ...masked import Mask
from ...operation import Operation, resized
from ...progress import Progress
from ...settings import SettingError, setting
from .chain import Remembered
from .fit import Plan
from .frame_fit import FrameFitter
from .recipe import FACTORS, Recipe, recipe
from .runtime import Runtime
from .stopping import PATIENCE, WINDOW

STEPS = 1000
"""Steps of progress a frame: fits differ in their iterations, and one that stops early jumps to its end."""


@dataclass(frozen=True)
class DeepImagePrior(Operation):
    """Restores every frame by fitting a network to it, which draws the picture before it can draw its faults; alpha passes around it.

    A video is fitted in groups of `restart` frames, counted from the clip's first: the first of a group starts from nothing, each
    other from the weights of the one before it. So a frame depends on its group alone, wherever the clip is cut.

    Source: Ulyanov, Vedaldi and Lempitsky, "Deep image prior", CVPR 2018; stopped as in Wang et al., "Early stopping for deep image
    prior", TMLR 2023.

    Attributes:
        holes: what to fill, for the task inpaint (1: missing). Without it a frame's transparent pixels are filled.
        runtime: where it runs and who looks on; no setting, and not part of equality or JSON.
    """

    task: Literal["denoise", "inpaint", "super_resolve_2x", "super_resolve_4x", "artefacts"] = setting(
        "denoise", "denoise: takes noise out. inpaint: fills what the mask marks. super_resolve: draws the picture 2 or 4 times larger. "
        "artefacts: takes out JPEG blocks and ringing.")
    preset: Literal["fast", "balanced", "thorough"] = setting(
        "balanced", "fast: under a minute; denoise by zs_n2n. balanced: minutes on a CPU. thorough: a wider network, and longer.")
    network: Literal["auto", "hourglass", "deep_decoder", "zs_n2n"] = setting(
        "auto", "auto: the hourglass; inpaint and super_resolve are finished by BM3D, a longer denoise is averaged with zs_n2n. "
        "hourglass: the classic prior alone, for every task. deep_decoder: smoother. zs_n2n: quick, for noise without a pattern.")
    iterations: int = setting(0, "The most steps a frame. 0: as the preset has it.", low=0, high=100000, step=50)
    time_limit: float = setting(
        0.0, "The most time a frame may take. 0: none. With a limit the result depends on how fast the machine is.",
        low=0, high=86400, step=1, unit="s")
    seed: int = setting(0, "Of the random weights and noise. The same seed gives the same picture.", low=0, high=2**53 - 1)
    window: int = setting(
        WINDOW, "Checks (every 10 steps) over which the variance of the outputs is taken.", low=2, high=200, unit="checks")
    patience: int = setting(
        PATIENCE, "Checks without a calmer moment after which it stops.", low=1, high=10000, unit="checks")
    luma: float = setting(1.0, "Weight of errors in brightness.", low=0.01, high=10, step=0.05)
    chroma: float = setting(1.0, "Weight of errors in colour. Lower follows the noise in colours less.", low=0.01, high=10, step=0.05)
    loss: Literal["squared", "absolute"] = setting(
        "squared", "squared: for most noise. absolute: for pixels that are lost outright, such as salt and pepper.")
    tile: int = setting(
        512, "Longest side of a tile, in pixels of the result. Each tile is fitted apart.", low=64, high=4096, step=32, unit="px")
    overlap: int = setting(
        32, "Over how many pixels of the result one tile fades into the next.", low=0, high=256, step=8, unit="px")
    warm_start: bool = setting(True, "Video: start each frame from the one before, which is quicker and steadier.")
    restart: int = setting(
        4, "Video: every so many frames, counted from the clip's first, one starts from nothing.", low=1, high=64, unit="frames")
    precision: Literal["auto", "float32", "float16", "bfloat16"] = setting(
        "auto", "auto: half precision on a GPU, float32 on a CPU. Should half precision fail, float32 takes over.")
    holes: Mask | None = field(default=None, kw_only=True)
    runtime: Runtime = field(default_factory=Runtime, repr=False, compare=False, kw_only=True)
    _remembered: Remembered = field(default_factory=Remembered, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a network that cannot do the task.

        Raises:
            SettingError: says which can.
        """
        super().__post_init__()
        if self.network == "zs_n2n" and self.task not in ("denoise", "artefacts"):
            raise SettingError(f"DeepImagePrior: the network zs_n2n takes out noise, it cannot {self.task}; choose hourglass or auto.")
        if self.holes is not None and self.task != "inpaint":
            raise SettingError(f"DeepImagePrior: holes are for the task inpaint, and the task is {self.task}.")

    @property
    def radius(self) -> int:
        """Give how far back a group may begin."""
        return self.restart - 1 if self.warm_start else 0

    @property
    def scale(self) -> Fraction:
        """Give the factor of the task."""
        return Fraction(self.factor)

    @property
    def factor(self) -> int:
        """Give how many times larger the frames get."""
        return FACTORS.get(self.task, 1)

    @property
    def recipe(self) -> Recipe:
        """Give the network and how it is fitted."""
        plan = Plan(1, 0.0, window=self.window, patience=self.patience, seconds=self.time_limit)
        even = self.loss == "squared" and self.luma == self.chroma
        return recipe(self.task, self.preset, self.network, self.iterations, plan, even)

    def to_json(self) -> dict[str, Any]:
        """Give every setting, and the holes where there are any."""
        return {**super().to_json(), **({} if self.holes is None else {"holes": self.holes.to_json()})}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> DeepImagePrior:
        """Read back what `to_json` gave, less ``"op"``.

        Raises:
            SettingError: a setting or the mask is wrong.
        """
        holes = plain.get("holes")
        if holes is not None and not isinstance(holes, dict):
            raise SettingError("DeepImagePrior: holes must be an object, as `Mask.to_json` gives it.")
        return cls(**{**plain, "holes": None if holes is None else Mask.from_json(holes)})

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Restore frames ``[B,H,W,C]``, one after the other.

        Frames before `start` are not at hand, so those of a group that begins there lack what they start from: they come back as they
        are (only enlarged, where that is the task), and `stream` drops them.

        Raises:
            SettingError: there is nothing to inpaint by, or a frame of which nothing is known.
        """
        count, height, width, channels = frames.shape
        if self.task == "inpaint" and self.holes is None and channels != 4:
            raise SettingError("DeepImagePrior: the task is inpaint, and nothing says what to fill; "
                               "link a mask, or give frames with alpha.")
        fitter = FrameFitter(
            self.recipe, self.factor, self.luma, self.chroma, self.loss, self.seed, max(16, self.tile // self.factor),
            self.overlap // self.factor, self.precision, self.runtime)
        out = empty_frames(count, height * self.factor, width * self.factor, channels)
        colour = frames if channels < 4 else contiguous(frames[..., :3])
        missing = [self._missing(frame, start + i) for i, frame in enumerate(frames)]
        restart = self.restart if self.warm_start else 1
        for i, link in enumerate(self._remembered.links(colour, missing, start, restart)):
            known = fitter.enlarged(colour[i]) if link is None else self._remembered.look_up(link)
            if link is not None and known is None:
                before = self._remembered.weights_before(link)
                known, weights = fitter(colour[i], missing[i], start + i, before, _step(progress, i, count))
                if restart > 1:
                    self._remembered.keep(link, known, weights, max(2, 2 * self.radius))
            assert known is not None, "a frame with a link is remembered or fitted"
            out[i, ..., : known.shape[2]] = known
            if channels == 4:
                out[i, ..., 3] = resized(contiguous(frames[i, ..., 3]), *out.shape[1:3])
            progress((i + 1) * STEPS, count * STEPS)
        return out

    def _missing(self, frame: Frame, index: int) -> Frame | None:
        """Give what is to be filled in one frame ``[H,W,C]`` as ``[H,W]``, 0..1; None for tasks that fill nothing."""
        if self.task != "inpaint":
            return None
        height, width = frame.shape[:2]
        return 1 - contiguous(frame[..., 3]) if self.holes is None else self.holes.at(index, height, width)


def _step(progress: Progress, index: int, count: int) -> Progress:
    """Give a progress for frame `index` of `count`, whatever it counts in, in `STEPS` steps a frame."""

    def report(done: int, total: int) -> None:
        progress(index * STEPS + done * STEPS // max(total, 1), count * STEPS)

    return report
