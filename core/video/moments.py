"""A few moments of a clip, evenly spread, kept as small JPEG pictures for somebody to look at."""
from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from ..arrays import Frame, contiguous, to_uint8

QUALITY = 92
"""JPEG quality, without chroma subsampling."""


@dataclass
class Moments:
    """Keeps every n-th frame, n doubled whenever there are too many, so that no frame count need be known beforehand.

    Args:
        most: how many are kept at most; at least half as many are, once the clip is that long.
        side: the longer side of a picture, px; larger ones are shrunk.
    """

    most: int = 48
    side: int = 1024
    step: int = 1
    kept: dict[int, tuple[bytes, ...]] = field(default_factory=dict)

    def wants(self, index: int) -> bool:
        """Say whether frame `index` would be kept."""
        return index % self.step == 0

    def see(self, index: int, *pictures: Frame) -> None:
        """Keep the pictures ``[H,W,3]``, 0..1, of frame `index`, if it is one of those."""
        if not self.wants(index):
            return
        if len(self.kept) == self.most:
            self.step *= 2
            self.kept = {at: kept for at, kept in self.kept.items() if self.wants(at)}
            if not self.wants(index):
                return
        self.kept[index] = tuple(jpeg(picture, self.side) for picture in pictures)


def jpeg(picture: Frame, side: int = 1024) -> bytes:
    """Encode ``[H,W,3]``, 0..1, as JPEG, its longer side no longer than `side` px."""
    height, width = picture.shape[:2]
    shrink = side / max(height, width)
    if shrink < 1:
        size = max(round(width * shrink), 1), max(round(height * shrink), 1)
        picture = np.asarray(cv2.resize(contiguous(picture), size, interpolation=cv2.INTER_AREA), np.float32)
    encoded = BytesIO()
    Image.fromarray(to_uint8(contiguous(picture))).save(encoded, "JPEG", quality=QUALITY, subsampling=0)
    return encoded.getvalue()
