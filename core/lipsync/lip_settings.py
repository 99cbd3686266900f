"""How lips are drawn, as settings: what the node, the command line and the configuration file offer."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..settings import setting


@dataclass(frozen=True)
class LipSettings:
    """How lips are drawn."""

    preset: Literal["auto", "fast", "balanced", "high", "ultra"] = setting(
        "high", "Evaluations of the network a frame: fast 10, balanced 25, high 50, ultra 100. auto tries a few frames finely, chooses as "
        "few as keep the estimated error under `bound`, and says how many.")
    sampler: Literal["adams", "ddim", "dpm_2m", "dpm_3m", "dpm_2s", "dpm_3s", "unipc_2", "unipc_3"] = setting(
        "ddim", "ddim: the published one. adams, unipc and dpm come as near with fewer evaluations. auto always takes adams.")
    evaluations: int = setting(0, "Evaluations a frame in place of those of `preset`; 0 takes those. ddim knows only some numbers.",
                               low=0, high=1000)
    bound: float = setting(0.05, "When `preset` is auto: the estimated error that is allowed, rms over the mouth.", low=0.001, high=1.0,
                           step=0.001, unit="of a picture from -1 to 1")
    seed: int = setting(7, "Of the noise that the lips are drawn from, the same in every frame. 7 is the published one.", low=0,
                        high=2**32 - 1)
    precision: Literal["auto", "float32", "bfloat16", "float16"] = setting(
        "auto", "auto: float32 on a CPU, half precision on a GPU. float32 sums as published and is slower. bfloat16 is a third faster on "
        "CPUs that have it, 1 % off.")
    batch: int = setting(0, "Faces at once on a GPU; 0 chooses by free memory. When memory runs out it goes on with half.", low=0, high=256)
    mask_mode: Literal["lower_half", "lips"] = setting(
        "lower_half", "What of the drawn lower face goes into the frame: all of it, as published, or the mouth alone.")
    edge: float = setting(6.0, "Softness of the drawn part's rim, inwards, in pixels of the 128 px face.", low=0.0, high=32.0, step=0.5,
                          unit="px")
    reference: Literal["same", "first", "random", "index", "closed"] = setting(
        "same", "Which frame shows the network the mouth: each its own (published), the first, a random one, one by index, or the widest "
        "closed mouth, which lets nothing of the old speech through.")
    reference_index: int = setting(0, "When `reference` is index: the number of the frame, counted from 0.", low=0, high=10_000_000)
    crop: Literal["aligned", "original"] = setting(
        "aligned", "aligned: upright and steady, follows the track. original: the published whole-pixel boxes.")
    bridge: int = setting(0, "Gaps without a face of up to so many frames are drawn too, with the face between its neighbours. 0: frames "
                          "without a face pass as they are.", low=0, high=250, unit="frames")
    reuse: int = setting(1, "DeepCache: compute the deep features at every so many evaluations only. 1 is exact; the report tells how far "
                         "off the rest is.", low=1, high=10)
    warm_start: float = setting(0.0, "Share of the evaluations that three of four frames leave out, starting from the frame before. 0 is "
                                "exact; the report tells how far off the rest is.", low=0.0, high=0.9, step=0.05)
    compiled: bool = setting(False, "Run through torch.compile: minutes at first, then faster on a GPU. On a CPU it gains nothing.")
