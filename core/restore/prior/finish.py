"""Finishing a filled picture: BM3D and the pixels that are known take turns, while the filter grows gentle."""
from __future__ import annotations

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
    """How long a filled picture is finished.

    Attributes:
        profile: of BM3D.
        rounds: how many turns they take.
    """

    profile: Profile
    rounds: int

    def __call__(self, picture: Frame, missing: Any, progress: Progress) -> Frame:
        """Finish what was filled; every other pixel keeps its bits.

        Source: Tirer and Giryes, "Image restoration by iterative denoising and backward projections", IEEE TIP 28(3), 2019, for holes
        without noise. The falling strength is that of plug-and-play schemes.

        Args:
            picture: ``[H,W,C]``, C = 1 or 3, 0..1, its holes filled with a first guess.
            missing: ``[H,W]`` bool, the holes.
            progress: told of rounds.

        Returns:
            ``[H,W,C]`` float32, 0..1 in the holes.
        """
        made: Frame = as_float32(picture).copy()
        rows, columns = (_span(missing.any(axis=axis)) for axis in (1, 0))
        part_of, holes = made[rows, columns], missing[rows, columns, None]
        for number, sigma in enumerate(np.geomspace(STRONGEST, GENTLEST, self.rounds)):
            turn = part(progress, number, self.rounds)
            cleaned = denoise_frame(contiguous(part_of)[None], 0, Noise(float(sigma)), self.profile, progress=turn)
            np.copyto(part_of, np.clip(cleaned, 0, 1), where=holes)
        return made


def _span(has_holes: Any) -> slice:
    """Give the places from the first hole to the last of a line, with what is looked at around them."""
    found = np.flatnonzero(has_holes)
    return slice(max(0, int(found[0]) - AROUND), int(found[-1]) + 1 + AROUND)
