"""The dense blocks of ESRGAN's trunk on the CPU with their convolutions by Winograd, about twice as fast as torch's, in full float32.

Each convolution of a block reads all that those before it made. At the points of Winograd's way that is worked out once: what a
convolution makes is brought there when it is made, and every later one multiplies it as it lies.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from ..winograd import LARGEST_PRODUCT, POINTS, Floats, convolve_points, tiles, to_points
from .quick import Layer, is_plain, layer_of

LONGEST_RUN = 32
"""Tiles that are multiplied together at most; like all sizes of the work this is fixed, so that the number of threads never shows."""

SHARE = 0.2
"""Of a block's last convolution that is added to its input (Wang et al., "ESRGAN", 2018)."""


def has_dense_form(block: nn.Module) -> bool:
    """Say whether a module is spandrel's dense block of five plain 3x3 convolutions, four of them with a LeakyReLU."""
    if type(block).__name__ != "ResidualDenseBlock_5C" or getattr(block, "conv1x1", None) is not None:
        return False
    parts = [list(part.children()) for part in _parts(block)]
    kinds = [[type(p) for p in part] for part in parts]
    return kinds == [[nn.Conv2d, nn.LeakyReLU]] * 4 + [[nn.Conv2d]] and all(is_plain(part[0]) for part in parts)


def _parts(block: nn.Module) -> list[nn.Module]:
    return [getattr(block, f"conv{n}") for n in range(1, 6)]


class QuickTrunk:
    """The trunk of an RRDB network: dense blocks by threes, each three with a skip."""

    def __init__(self, threes: Sequence[Sequence[nn.Module]]) -> None:
        self._threes = [[[layer_of(*part.children()) for part in _parts(block)] for block in three] for three in threes]
        self._channels = self._threes[0][0][-1].kernels.shape[1]

    def __call__(self, picture: Floats) -> Floats:
        """Run all blocks on one picture ``[H,W,C]``, C-contiguous; give a new one."""
        seen = np.empty((POINTS, tiles(*picture.shape[:2]), self._channels), np.float32)
        threads = torch.get_num_threads()
        with ThreadPoolExecutor(max(1, threads - 1), thread_name_prefix="talkies-upscale") as pool:
            for three in self._threes:
                made = picture
                for layers in three:
                    made = _block(made, layers, seen, pool, threads)
                picture = _added(made, picture)
        return picture


def _block(picture: Floats, layers: Sequence[Layer], seen: Floats, pool: Executor, threads: int) -> Floats:
    ready, newest, count = 0, picture, seen.shape[1]
    for layer in layers:
        _, into, channels = layer.kernels.shape
        run = min(LONGEST_RUN, LARGEST_PRODUCT // (into * channels))
        made = np.empty((*picture.shape[:2], channels), np.float32)

        def bring(first: int, last: int, part: Floats = newest, channel: int = ready) -> None:
            to_points(part, first, last, seen, first, channel)

        def multiply(first: int, last: int, layer: Layer = layer, run: int = run, out: Floats = made) -> None:
            convolve_points(seen, layer.kernels, layer.bias, layer.slope, first, last, run, out)

        _shared(bring, count, pool, threads)
        _shared(multiply, -(-count // run), pool, threads)
        ready += newest.shape[2]
        newest = made
    return _added(newest, picture)


def _added(made: Floats, picture: Floats) -> Floats:
    made *= np.float32(SHARE)
    made += picture
    return made


def _shared(work: Callable[[int, int], None], count: int, pool: Executor, threads: int) -> None:
    """Call ``work(first, last)`` on as many pieces of 0..count-1 as there are threads, the first of them here."""
    cuts = [count * i // threads for i in range(threads + 1)]
    others = [pool.submit(work, first, last) for first, last in pairwise(cuts[1:])]
    work(cuts[0], cuts[1])
    for other in others:
        other.result()
