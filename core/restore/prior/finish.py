"""Finishing a filled or enlarged picture: BM3D and what is known take turns, while the filter grows gentle."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import Frame, as_float32, contiguous
from ...progress import Progress, part
from ..bm3d.denoise import denoise_frame
from ..bm3d.noise_model import Noise
from ..bm3d.profile import Profile

STRONGEST, GENTLEST = 30.0, 1.0
"""What BM3D takes for noise in the first round and in the last, steps of 255. Stronger first rounds wash out what the prior drew."""

AROUND = 48
"""Pixels round the holes that BM3D looks at for similar blocks; it reaches 19, and a block is 8."""


@dataclass(frozen=True)
class Finish:
    """How long a picture is finished.

    Attributes:
        profile: of BM3D.
        rounds: how many turns they take.
    """

    profile: Profile
    rounds: int

    def __call__(self, picture: Frame, agree: Callable[[Frame], Frame], progress: Progress) -> Frame:
        """Finish a picture.

        Source: Tirer and Giryes, "Image restoration by iterative denoising and backward projections", IEEE TIP 28(3), 2019, for what
        is known without noise. The falling strength is that of plug-and-play schemes.

        Args:
            picture: ``[H,W,C]``, C = 1 or 3, 0..1: a first guess.
            agree: gives the picture nearest to one ``[H,W,C]`` that agrees with what is known.
            progress: told of rounds.

        Returns:
            ``[H,W,C]`` float32, as `agree` gave it last.
        """
        made = as_float32(picture)
        for number, sigma in enumerate(np.geomspace(STRONGEST, GENTLEST, self.rounds)):
            turn = part(progress, number, self.rounds)
            made = agree(denoise_frame(made[None], 0, Noise(float(sigma)), self.profile, progress=turn))
        return made

    def filled(self, picture: Frame, missing: Any, progress: Progress) -> Frame:
        """Finish what was filled; every other pixel keeps its bits.

        Args:
            picture: ``[H,W,C]``, C = 1 or 3, 0..1, its holes filled with a first guess.
            missing: ``[H,W]`` bool, the holes; at least one pixel.
            progress: told of rounds.

        Returns:
            ``[H,W,C]`` float32, 0..1 in the holes.
        """
        made: Frame = as_float32(picture).copy()
        rows, columns = (_span(missing.any(axis=axis)) for axis in (1, 0))
        known, holes = contiguous(made[rows, columns]), missing[rows, columns, None]
        made[rows, columns] = self(known, lambda cleaned: np.where(holes, np.clip(cleaned, 0, 1), known), progress)
        return made


def _span(has_holes: Any) -> slice:
    """Give the places from the first hole to the last of a line, with what is looked at around them."""
    found = np.flatnonzero(has_holes)
    return slice(max(0, int(found[0]) - AROUND), int(found[-1]) + 1 + AROUND)
