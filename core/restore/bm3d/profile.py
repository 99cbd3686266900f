"""Profiles: how far, how densely and with which transforms the two stages work."""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Transform = Literal["dct", "bior1.5"]

_IN_CLIP_CAPACITY = 16  # blocks; neighbour frames show the same thing again, and more than that is worth less than denser references
_IN_CLIP_SIGNAL = 1.5  # times `match_signal`: what moved by parts of a pixel matches less well, and helps all the same


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        step: px from one reference block to the next.
        reach: px that blocks are looked for in every direction.
        capacity: most blocks of a group; 1, 2, 4, 8, 16 or 32.
        transform: along the sides of a block.
        shrinkage: threshold in standard deviations (hard), or the share of the noise's power that the filter counts with (Wiener).
        chroma_shrinkage: the same for chroma, which is smoother and bears more.
        match_noise, match_signal: two blocks match up to a mean square difference of ``match_noise * variance of the noise +
            match_signal ** 2``, the latter in steps of 255 of gray.
        beta: of the Kaiser window.
        clip_step: px from one reference block to the next where neighbour frames are searched, which takes less time a reference.
    """

    step: int
    reach: int
    capacity: int
    transform: Transform
    shrinkage: float
    chroma_shrinkage: float
    match_noise: float
    match_signal: float
    beta: float = 2.0
    clip_step: int = 3

    @property
    def in_clip(self) -> Stage:
        """Give the stage as it runs where neighbour frames are searched too."""
        return replace(self, step=self.clip_step, capacity=min(self.capacity, _IN_CLIP_CAPACITY),
                       match_signal=_IN_CLIP_SIGNAL * self.match_signal)


@dataclass(frozen=True)
class Profile:
    """Both stages: thresholding, which makes the basic estimate, and the Wiener filter that it guides."""

    name: str
    hard: Stage
    wiener: Stage


FAST = Profile("fast", Stage(5, 9, 8, "bior1.5", 2.65, 3.1, 3.0, 30, clip_step=5), Stage(5, 9, 8, "dct", 1.0, 1.0, 0, 20, clip_step=5))
BALANCED = Profile("balanced", Stage(4, 19, 16, "bior1.5", 2.65, 3.1, 3.0, 30), Stage(4, 19, 32, "dct", 1.0, 1.0, 0, 20))
QUALITY = Profile("quality", Stage(3, 19, 16, "bior1.5", 2.65, 3.1, 3.0, 30), Stage(3, 19, 32, "dct", 1.0, 1.0, 0, 20))

PROFILES = {profile.name: profile for profile in (FAST, BALANCED, QUALITY)}
PUBLISHED = {"np": BALANCED, "lc": FAST, "high": QUALITY, "vn": BALANCED, "refilter": QUALITY}
"""The names that the published package knows, and what runs for them."""
