"""Where the brows and the nose go in an aligned crop."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..arrays import Matrices
from .anchors import Points
from .similarity import resize_matrix

Shape = Literal["latentsync", "natural", "diff2lip"]

# LatentSync's three-point template on a 75 x 100 base, and the factor from base to crop at 256.
_BASE_POINTS = np.array([[17.0, 20.0], [58.0, 20.0], [37.5, 40.0]])
_BASE_WIDTH, _BASE_HEIGHT, _FACTOR = 75, 100, 2.8

# A detector's box about the whole face, hairline to chin and cheek to cheek, on the same base: left, top, right, bottom. Measured as the
# outline of the face mesh on real clips, which is what the boxes that Diff2Lip was trained on hold.
_FACE_BOX = (3.0, 2.5, 72.0, 85.5)


@dataclass(frozen=True)
class Template:
    """Places of left brow, right brow and nose in a box of `height` x `width` px, which is then resized to a square of `size` px."""

    size: int
    height: int
    width: int
    shape: Shape

    @property
    def points(self) -> Points:
        """Give the three places in the box, ``[3,2]``, px."""
        if self.shape == "diff2lip":
            left, top, _, bottom = _FACE_BOX
            within: Points = (_BASE_POINTS - (left, top)) * (self.height / (bottom - top))
            return within
        factor = self.size / 256 * _FACTOR
        margin = (self.width - _BASE_WIDTH * factor) / 2 if self.shape == "natural" else 0.0
        places: Points = _BASE_POINTS * factor + np.array([margin, 0.0])
        return places

    @property
    def square(self) -> Matrices:
        """Give the ``[2,3]`` matrix from the box to the square."""
        return resize_matrix(self.height, self.width, self.size, self.size)


def template(size: int = 256, shape: Shape = "latentsync") -> Template:
    """Make the template for square crops.

    Args:
        size: side of the square crop, px.
        shape: ``latentsync``: the published box of 210 x 280 at 256, which fills the square by widening the face by a third, as the
            models trained on it expect; ``natural``: the same height of picture with its true proportions, for everything else;
            ``diff2lip``: the face alone, hairline to chin, filling the square (so a fifth wider than it is).

    Raises:
        ValueError: a size under 16 px.
    """
    if size < 16:
        raise ValueError(f"The crop size is {size} px; a face needs at least 16.")
    if shape == "diff2lip":
        left, top, right, bottom = _FACE_BOX
        return Template(size, size, round(size * (right - left) / (bottom - top)), shape)
    height, width = int(_BASE_HEIGHT * size / 256 * _FACTOR), int(_BASE_WIDTH * size / 256 * _FACTOR)
    return Template(size, height, height if shape == "natural" else width, shape)
