"""BM3D from frames to frames: colour, padding, the two stages."""
from __future__ import annotations

from typing import Literal

import numpy as np

from ...arrays import Frame, Frames, empty_frames
from ...progress import Progress, silent
from . import stage as compiled_engine
from . import torch_engine
from .colour import ColourSpace, from_planes, to_planes
from .matching import BLOCK
from .motion import shrunk
from .noise_model import Noise
from .profile import BALANCED, Profile
from .tiling import Planes

Engine = Literal["auto", "compiled", "torch"]
Stages = Literal["all", "hard", "wiener"]


def denoise(
    frames: Frames, noise: Noise, profile: Profile = BALANCED, *, stages: Stages = "all", colour_space: ColourSpace = "opponent",
    radius: int = 0, engine: Engine = "auto", progress: Progress = silent,
) -> Frames:
    """Remove noise from every frame of a clip.

    Args:
        frames: ``[B,H,W,C]``, C = 1 (gray), 3 (RGB) or 4 (alpha passes untouched), float32, nominally 0..1.
        noise: what the noise is.
        profile: how thorough to be.
        stages: ``all``; ``hard`` stops after thresholding; ``wiener`` takes the frames themselves for the basic estimate.
        colour_space: where luma and chroma are told apart.
        radius: frames on either side in which similar blocks are looked for too.
        engine: ``compiled`` for the processor, ``torch`` for CUDA (or the processor, slowly); auto takes CUDA where there is one.
        progress: called as the work gets done; may raise to cancel.

    Returns:
        Frames of the same shape, not clipped.
    """
    out = empty_frames(*frames.shape)
    for t in range(len(frames)):
        first, last = max(0, t - radius), min(len(frames), t + radius + 1)
        out[t] = denoise_frame(frames[first:last], t - first, noise, profile, stages=stages, colour_space=colour_space,
                               engine=engine, progress=share(progress, t, len(frames)))
    return out


def denoise_frame(
    frames: Frames, target: int, noise: Noise, profile: Profile = BALANCED, *, stages: Stages = "all",
    colour_space: ColourSpace = "opponent", engine: Engine = "auto", progress: Progress = silent, pilot: Frames | None = None,
) -> Frame:
    """Remove noise from one of a few neighbouring frames ``[F,H,W,C]``; see `denoise`. Gives ``[H,W,C]``.

    A `pilot` of the same shape, cleaned by other means, takes the place of the first stage's estimate: blocks are then compared in it.
    """
    height, width, channels = frames.shape[1:]
    colours = 3 if channels == 4 else channels
    planes = np.stack([to_planes(frame[..., :colours], colour_space) for frame in frames], axis=1)
    small = shrunk(planes[0]) if len(frames) > 1 else None
    guide = planes
    if pilot is not None:
        stages = "wiener"
        guide = np.stack([to_planes(frame[..., :colours], colour_space) for frame in pilot], axis=1)
    if stages != "wiener":
        guide = _staged(planes, None, noise, profile, target, small, engine, share(progress, 0, 2 if stages == "all" else 1))
    if stages != "hard":
        made = _staged(planes, guide, noise, profile, target, small, engine, share(progress, 1, 2) if stages == "all" else progress)[:, 0]
    else:
        made = guide[:, target]
    out = np.empty((height, width, channels), np.float32)
    out[..., :colours] = from_planes(made, colour_space)
    if channels == 4:
        out[..., 3] = frames[target, ..., 3]
    return out


def _staged(planes: Planes, pilot: Planes | None, noise: Noise, profile: Profile, target: int, small: Frames | None,
            engine: Engine, progress: Progress) -> Planes:
    """Run one stage on planes of any size: they are mirrored to whole steps, and cut back."""
    height, width = planes.shape[-2:]
    stage = profile.hard if pilot is None else profile.wiener
    if small is not None:
        stage = stage.in_clip
    padded = _padded(planes, stage.step)
    on_torch = engine == "torch" or (engine == "auto" and torch_engine.device() == "cuda")
    run_stage = torch_engine.run_stage if on_torch else compiled_engine.run_stage
    made = run_stage(padded, None if pilot is None else _padded(pilot, stage.step), stage, noise, target, small=small,
                     progress=progress)
    return made[..., :height, :width]


def _padded(planes: Planes, step: int) -> Planes:
    """Mirror planes, the edge repeated, to at least a block and whole steps beyond it."""
    more = [max(BLOCK - n, 0) + (BLOCK - max(n, BLOCK)) % step for n in planes.shape[-2:]]
    return np.pad(planes, ((0, 0), (0, 0), (0, more[0]), (0, more[1])), mode="symmetric")


def share(progress: Progress, index: int, parts: int) -> Progress:
    """Give a progress for step `index` of `parts`, in hundredths: the steps need not count alike."""

    def report(done: int, total: int) -> None:
        progress(index * 100 + 100 * done // max(total, 1), parts * 100)

    return report
