"""One frame, tile by tile: from an array to a fitted picture and back."""
from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ...arrays import Frame, as_float32, to_frames, to_image
from ...operation import resized
from ...progress import Progress, part
from ...settings import SettingError
from .chain import TileWeights
from .fit import Fit, FitError, Moment, Watch, Weights, fit
from .recipe import WARM_SHARE, Recipe
from .runtime import Precision, Runtime, half_precision
from .second import averaged, is_white
from .target import Loss, Target
from .tiles import Mosaic, Tile, tiles

_FIRST = 0.85
"""Share of a tile's time that its first network takes, where something comes after it."""


@dataclass(frozen=True)
class FrameFitter:
    """Fits frames of any size.

    Attributes:
        recipe: the network and how it is fitted.
        factor: how many times larger the result is.
        luma: weight of errors in brightness.
        chroma: weight of errors in colour.
        loss: how errors are counted.
        seed: of everything random.
        tile: longest side of a tile, px of the source.
        overlap: of tiles, px of the source.
        precision: what to compute in.
        runtime: where it runs and who looks on.
    """

    recipe: Recipe
    factor: int
    luma: float
    chroma: float
    loss: Loss
    seed: int
    tile: int
    overlap: int
    precision: Precision
    runtime: Runtime

    def __call__(
        self, frame: Frame, missing: Frame | None, index: int, before: TileWeights | None, progress: Progress
    ) -> tuple[Frame, TileWeights]:
        """Fit one frame.

        Args:
            frame: ``[H,W,C]``, C = 1 or 3.
            missing: ``[H,W]``, above 0 where pixels are to be filled: 1 takes the fitted picture, between the two are blended.
            index: its place in the clip.
            before: the weights of the frame to start from.
            progress: told of iterations over all tiles.

        Returns:
            The picture ``[H*factor,W*factor,C]``, and the weights of its tiles.

        Raises:
            SettingError: a tile has holes and nothing else.
            FitError: a fit went to infinity, or memory ran out.
        """
        if missing is not None and not (missing > 0).any():
            progress(1, 1)
            return frame.copy(), before or (None,)
        height, width, channels = frame.shape
        low, high = min(0.0, float(frame.min())), max(1.0, float(frame.max()))
        cover = tiles(height, width, self.tile, self.overlap)
        mosaic = Mosaic(height, width, channels, self.factor, self.overlap)
        so_far = self.enlarged(frame) if self.runtime.preview else None
        weights = []
        for number, tile in enumerate(cover):
            steps = part(progress, number, len(cover))
            start = before[number] if before is not None and len(before) == len(cover) else None
            holes = None if missing is None else tile.of(missing) > 0
            if holes is not None and not holes.any():
                mosaic.lay(tile, tile.of(frame))
                weights.append(start)
                steps(1, 1)
                continue
            if holes is not None and holes.all():
                raise SettingError(f"DeepImagePrior: in frame {index} {_where(tile, len(cover))} is to be filled, so there is nothing to "
                                   f"fill it from. {'Make the mask smaller' if len(cover) == 1 else 'Choose a larger tile'}.")
            made, found = self._fit(tile, frame, holes, (index, number), start, (low, high), so_far, steps)
            mosaic.lay(tile, _array(made.picture, low, high))
            weights.append(found)
            if self.runtime.finished:
                self.runtime.finished(index, made)
        picture = mosaic.picture()
        if missing is not None:
            share = missing[..., None]
            picture = np.where(share >= 1, picture, np.where(share <= 0, frame, frame + share * (picture - frame)))
        return as_float32(picture), tuple(weights)

    def _fit(
        self, tile: Tile, frame: Frame, holes: Any, place: tuple[int, int], start: tuple[Weights, ...] | None, span: tuple[float, float],
        so_far: Frame | None, progress: Progress,
    ) -> tuple[Fit, tuple[Weights, ...]]:
        """Fit the networks of the recipe to one tile, and finish what was filled."""
        device = self.runtime.device()
        # A tensor made in inference mode could not be fitted to.
        with torch.inference_mode(False):
            picture = ((_tensor(tile.of(frame)) - span[0]) / (span[1] - span[0])).to(device)
            known = None if holes is None else _tensor((~holes).astype(np.float32)[..., None]).to(device)
            target = Target(picture, known, self.factor, self.luma, self.chroma, self.loss)
        watch = self._watch(tile, place[0], so_far, span)

        def fitted(recipe: Recipe, before: Weights | None, progress: Progress) -> Fit:
            if before is not None:
                fewer = max(2 * recipe.plan.every, round(recipe.plan.iterations * WARM_SHARE))
                recipe = replace(recipe, plan=replace(recipe.plan, iterations=min(fewer, recipe.plan.iterations)))
            with torch.inference_mode(False):
                problem = recipe.problem(target, self.seed, place, device)
            if before is not None:
                problem.network.load_state_dict(before)
            try:
                return fit(problem, recipe.plan, device, progress, half_precision(self.precision, device), watch)
            except (torch.cuda.OutOfMemoryError, MemoryError) as error:
                raise FitError(f"DeepImagePrior: memory ran out with a tile of {picture.shape[3]}x{picture.shape[2]} px; set tile to "
                               f"{max(64, self.tile * self.factor // 2)}.") from error

        second, finish = self.recipe.second, self.recipe.finish
        alone = second is None and finish is None
        made = fitted(self.recipe, start[0] if start else None, progress if alone else _share(progress, 0, _FIRST))
        weights, rest = [made.weights], _share(progress, _FIRST, 1)
        if second is not None and made.ended != "time" and is_white(picture.cpu() - made.picture):
            left = second.plan.seconds and max(second.plan.seconds - made.seconds, 1e-3)
            other = fitted(replace(second, plan=replace(second.plan, seconds=left)), start[1] if start and start[1:] else None, rest)
            weights.append(other.weights)
            made = averaged(made, other)
        if finish is not None:
            started = time.monotonic()
            drawn = _array(made.picture, 0, 1)
            if holes is None:
                drawn = finish(drawn, lambda cleaned: _array(target.matched(_tensor(cleaned).to(device)).cpu(), 0, 1), rest)
            else:
                drawn = finish.filled(np.where(holes[..., None], drawn, _array(picture.cpu(), 0, 1)), holes, rest)
            made = replace(made, picture=_tensor(drawn), seconds=made.seconds + time.monotonic() - started,
                           afterwards="finished by BM3D")
        progress(1, 1)
        return made, tuple(weights)

    def _watch(self, tile: Tile, index: int, so_far: Frame | None, span: tuple[float, float]) -> Watch | None:
        preview, running, f = self.runtime.preview, self.runtime.running, self.factor
        if preview is None and running is None:
            return None

        def show(moment: Moment) -> None:
            if preview is not None and so_far is not None:
                so_far[tile.top * f : tile.bottom * f, tile.left * f : tile.right * f] = _array(moment.picture.cpu(), *span)
                preview(so_far)
            if running is not None:
                running(index, moment)

        return show

    def enlarged(self, frame: Frame) -> Frame:
        """Give a copy of a frame ``[H,W,C]`` at the size of the result, by linear interpolation."""
        height, width = (side * self.factor for side in frame.shape[:2])
        planes = [resized(as_float32(frame[..., c]), height, width) for c in range(frame.shape[2])]
        return np.stack(planes, -1)


def _share(progress: Progress, start: float, stop: float) -> Progress:
    """Give a progress for the part of a job from `start` to `stop`, of 1, in thousandths."""

    def report(done: int, total: int) -> None:
        progress(round(1000 * (start + (stop - start) * done / max(total, 1))), 1000)

    return report


def _where(tile: Tile, count: int) -> str:
    return "all" if count == 1 else f"all of rows {tile.top} to {tile.bottom}, columns {tile.left} to {tile.right}"


def _tensor(part_of_frame: Frame) -> torch.Tensor:
    """Give ``[h,w,C]`` as ``[1,C,h,w]``, a tensor of its own memory."""
    return to_image(part_of_frame.copy()).permute(2, 0, 1)[None].contiguous()


def _array(picture: torch.Tensor, low: float, high: float) -> Frame:
    """Give ``[1,C,h,w]`` as ``[h,w,C]``, in the frame's own range."""
    made: Frame = to_frames(picture.permute(0, 2, 3, 1))[0]
    return made if (low, high) == (0.0, 1.0) else made * np.float32(high - low) + np.float32(low)
