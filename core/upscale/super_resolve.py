"""Super-resolution as an operation: the whole frame, or a region of it with the rest enlarged by Lanczos."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from ..arrays import Frame, Frames, contiguous, empty_frames, to_image
from ..operation import Operation, resized
from ..parallel import for_each_frame
from ..progress import Progress, silent
from ..settings import SettingError, setting
from .engine import Engine
from .face_region import region_from_json
from .region import Crop, Region, blended, crop_around, enlarged, faded
from .tiled import upscale
from .upscaler import Upscaler

_DEFAULT = Upscaler()

_GROUP = 48 * 2**20  # bytes of frames at the model's own scale that wait to be resized


@dataclass(frozen=True)
class SuperResolve(Operation):
    """Upscales every frame with a network; alpha is enlarged beside it.

    Source of the networks: Wang et al., "Real-ESRGAN: training real-world blind super-resolution with pure synthetic data", ICCVW 2021.

    Attributes:
        upscaler: a network on a wire, folders and device of a host; no setting, and not part of equality or JSON.
        region: where to work; None is everywhere.
    """

    model: str = setting(
        "RealESRGAN_x2plus.pth", "The model's file in models/upscale_models, or a path. Not used when `upscale_model` is linked.")
    output: Literal["model", "2x", "4x", "source"] = setting(
        "model", "Size of the frames that come out. model: as many times larger as the model makes them. 2x, 4x: twice or four times "
        "the size that came in, whatever the model makes. "
        "source: the size that came in, with the detail added.")
    denoise: float = setting(
        1.0, "How much noise is taken out, for realesr-general-x4v3 only: below 1 its weights are blended with its wdn partner's.",
        low=0, high=1, step=0.05)
    tile: int = setting(
        0, "Longest side of a tile. 0 chooses by memory; smaller needs less memory and computes more.", low=0, high=4096, step=8, unit="px")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = setting(
        "auto", "auto: float32 on a CPU, half precision on a GPU. bfloat16 is at most a little faster on a CPU, with errors of about "
        "1/255.")
    engine: Literal["torch", "openvino", "realesrgan"] = setting(
        "torch", "torch fits always. openvino can be faster on a CPU, realesrgan is the original for comparison; both need their package.")
    reuse: bool = setting(
        False, "Video: keep the result where a frame is exactly equal to the one before, so that a still background costs nothing.")
    feather: int = setting(
        6, "With `mask` or `track`: over how many pixels of the source the result fades in from its rim.", low=0, high=256, unit="px")
    upscaler: Upscaler | None = field(default=None, repr=False, compare=False, kw_only=True)
    region: Region | None = field(default=None, kw_only=True)

    @property
    def scale(self) -> Fraction:
        """Give the factor of `output`; for ``model`` that reads the model.

        Raises:
            ModelError: the model is missing or of the wrong kind.
        """
        return Fraction(self._factor)

    @property
    def _factor(self) -> int:
        return {"source": 1, "2x": 2, "4x": 4}.get(self.output) or self._engine().scale

    def _engine(self) -> Engine:
        return (self.upscaler or _DEFAULT).engine(self.model, self.denoise, self.precision, self.engine)

    def to_json(self) -> dict[str, Any]:
        """Give every setting, and the region where there is one.

        Raises:
            SettingError: the network came over a wire, so that it has no name.
        """
        if self.upscaler is not None and self.upscaler.descriptor is not None:
            raise SettingError("SuperResolve: a model that came over a wire cannot be written down. Choose it by its name instead.")
        return {**super().to_json(), **({} if self.region is None else {"region": self.region.to_json()})}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> SuperResolve:
        """Read back what `to_json` gave, less ``"op"``; the model is looked up by its name where the operation runs.

        Raises:
            SettingError: a setting or the region is wrong.
        """
        settings = dict(plain)
        region = settings.pop("region", None)
        return cls(**settings, region=None if region is None else region_from_json(region))

    def apply(self, frames: Frames, start: int, progress: Progress) -> Frames:
        """Upscale frames ``[B,H,W,C]``."""
        engine = self._engine()
        count, height, width, channels = frames.shape
        factor = self._factor
        out = empty_frames(count, height * factor, width * factor, channels)
        colour = frames if channels < 4 else contiguous(frames[..., :3])
        result = out if channels < 4 else np.empty((*out.shape[:3], 3), np.float32)
        if self.region is None:
            self._everywhere(engine, colour, result, factor, progress)
        else:
            self._in_region(engine, self.region, colour, result, factor, start, progress)
        if channels == 4:
            out[..., :3] = result
            for i in range(count):
                out[i, ..., 3] = resized(contiguous(frames[i, ..., 3]), *out.shape[1:3])
        return out

    def _run(self, engine: Engine, frames: Frames, out: Frames, progress: Progress) -> None:
        """Upscale ``[B,H,W,C]`` by the engine's scale; frames of other channels than the network's go through in a form that it takes."""
        channels = frames.shape[3]
        runtime = (self.upscaler or _DEFAULT).runtime
        memory = engine.remembered if self.reuse else None
        if channels == engine.channels:
            upscale(to_image(frames), to_image(out), engine, runtime, progress, self.tile, memory)
        elif channels == 1:
            made = np.empty((*out.shape[:3], engine.channels), np.float32)
            upscale(to_image(np.repeat(frames, engine.channels, 3)), to_image(made), engine, runtime, progress, self.tile, memory)
            np.mean(made, axis=3, keepdims=True, out=out)
        else:  # a gray network on RGB: each channel is a frame of its own
            apart = contiguous(frames.transpose(0, 3, 1, 2)).reshape(-1, *frames.shape[1:3], 1)
            made = np.empty((len(apart), *out.shape[1:3], 1), np.float32)
            upscale(to_image(apart), to_image(made), engine, runtime, progress, self.tile, memory)
            out[...] = made.reshape(len(out), channels, *out.shape[1:3]).transpose(0, 2, 3, 1)

    def _everywhere(self, engine: Engine, frames: Frames, out: Frames, factor: int, progress: Progress) -> None:
        if factor == engine.scale:
            self._run(engine, frames, out, progress)
            return
        count, height, width, channels = frames.shape
        large = height * engine.scale, width * engine.scale
        together = max(1, _GROUP // (4 * channels * large[0] * large[1]))
        for first in range(0, count, together):
            group = slice(first, min(count, first + together))
            made = empty_frames(group.stop - first, large[0], large[1], channels)
            self._run(engine, frames[group], made, _share(progress, first, group.stop, count))

            def resize(i: int, made: Frames = made, first: int = first) -> None:
                out[first + i] = enlarged(made[i], *out.shape[1:3])

            for_each_frame(len(made), resize)

    def _in_region(
        self, engine: Engine, region: Region, frames: Frames, out: Frames, factor: int, start: int, progress: Progress
    ) -> None:
        count, height, width, channels = frames.shape
        masks = [region.at(start + i, height, width) for i in range(count)]
        crops = [crop_around(mask) for mask in masks]

        def lay(i: int) -> None:
            out[i] = enlarged(frames[i], *out.shape[1:3])

        for_each_frame(count, lay)
        done = crops.count(None)
        for indices in _alike(crops):
            size = crops[indices[0]].size  # type: ignore[union-attr]
            cut = np.stack([crops[i].of(frames[i]) for i in indices])  # type: ignore[union-attr]
            made = empty_frames(len(indices), size[0] * engine.scale, size[1] * engine.scale, channels)
            self._run(engine, cut, made, _share(progress, done, done + len(indices), count))

            def put(k: int, indices: list[int] = indices, made: Frames = made, size: tuple[int, int] = size) -> None:
                i = indices[k]
                part: Frame = enlarged(made[k], size[0] * factor, size[1] * factor)
                crop = crops[i]
                if crop is not None:
                    blended(out[i], part, crop, faded(masks[i], self.feather), factor)

            for_each_frame(len(indices), put)
            done += len(indices)
        progress(count, count)


def _alike(crops: list[Crop | None]) -> Iterator[list[int]]:
    """Give the indices of crops of one size, size after size; frames without a crop are left out."""
    by_size: dict[tuple[int, int], list[int]] = {}
    for i, crop in enumerate(crops):
        if crop is not None:
            by_size.setdefault(crop.size, []).append(i)
    yield from by_size.values()


def _share(progress: Progress, first: int, stop: int, count: int) -> Progress:
    """Give a progress for frames `first` to `stop` of a job of `count` frames."""
    if progress is silent:
        return silent

    def report(done: int, total: int) -> None:
        steps = max(1, total // max(1, stop - first))
        progress(first * steps + done, count * steps)

    return report
