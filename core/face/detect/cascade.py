"""The built-in detector: scikit-image's LBP cascade, whose file ships with the wheel. Nothing to download.

Source: Liao et al., "Learning Multi-scale Block Local Binary Patterns for Face Recognition", ICB 2007; the cascade is OpenCV's
``lbpcascade_frontalface``. The library's own grouping gives boxes that jump by a step of its search grid, and keeps groups of four
chance hits. Here every single window that fires is taken, and a face is the mean of the many windows around it: their number
is the confidence, and their mean moves by a tenth of a step.
"""
from __future__ import annotations

import threading
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame, as_float32, contiguous, to_uint8
from .interface import Detection, DetectorError, Scheme, distinct, rgb
from .region import Region

Windows = NDArray[np.float64]
"""Windows that fired, ``[N,3]``: middle x, middle y, side; px of the picture searched."""

LONG_ENOUGH = 360
"""Short side, px, to which a frame is reduced before the whole of it is searched."""

FACE = 72
"""Side of a face, px, in the crop in which a known place is searched."""

SHAPE = np.array([[-0.193, -0.11], [0.193, -0.11], [0.0, 0.047], [-0.18, 0.25], [0.18, 0.25]])
"""Where eyes, nose tip and mouth corners lie in a box: from its middle, in its sides. Means over the mesh's points
of three people."""

_ANGLES = (0.0, 0.22, -0.22)  # the cascade knows upright faces only; a tilted one is seen in a turned crop
_ENOUGH = 30


class Cascade:
    """The built-in detector. Gives boxes; their five points sit at fixed shares of the box, and so are as steady as it is."""

    name: ClassVar[str] = "builtin"
    scheme: ClassVar[Scheme] = "box"
    noise: ClassVar[float] = 1.0

    def __init__(self, *, min_size: float = 48.0, min_windows: int = 28) -> None:
        try:
            from skimage import data
            from skimage.feature import Cascade as Classifier
        except ImportError as error:
            raise DetectorError("The built-in detector needs scikit-image. Get it with `pip install scikit-image`.") from error
        file: Any = data.lbp_frontal_face_cascade_filename
        self._classifier: Any = Classifier(file())
        self._min_size = min_size
        self._min_windows = min_windows
        self._lock = threading.Lock()  # the classifier keeps scratch memory of its own

    def detect(self, frame: Frame, index: int, near: Detection | None) -> list[Detection]:
        """Look around the face `near`; where it is lost, or there is none, in the whole frame (see `Detector.detect`)."""
        frame = rgb(frame)
        if near is not None:
            # At a place known to hold a face, a few windows are enough; elsewhere as many fire by chance.
            found = self._closer(frame, *near.centre, near.box[2] - near.box[0], max(self._min_windows // 5, 1))
            if found is not None:
                return [found]
        faces = [self._closer(frame, *place, self._min_windows) for place in self._whole(frame)]
        return distinct([face for face in faces if face is not None])

    def _whole(self, frame: Frame) -> list[tuple[float, float, float]]:
        """Search the reduced frame coarsely; gives middle and side, frame px, of the ten likeliest places."""
        scale = min(LONG_ENOUGH / min(frame.shape[:2]), 1.0)
        size = max(round(frame.shape[1] * scale), 1), max(round(frame.shape[0] * scale), 1)
        small = as_float32(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
        if min(size) < 25 or np.ptp(small) < 0.05:
            return []
        step = np.array([frame.shape[1] / size[0], frame.shape[0] / size[1]])
        windows = self._windows(small, 1.12, max(24.0, self._min_size * scale), 0.9 * min(size))
        groups = sorted(grouped(windows), key=lambda g: -len(g))[:10]
        places = [g.mean(0) for g in groups if len(g) >= 3]
        return [(float(x * step[0]), float(y * step[1]), float(side * step[0])) for x, y, side in places]

    def _closer(self, frame: Frame, x: float, y: float, side: float, least: int) -> Detection | None:
        """Search finely around a place; None where fewer than `least` windows fire."""
        best: Windows | None = None
        region = Region(x, y, 2 * side)
        for angle in _ANGLES:
            turned = Region(x, y, 2 * side, angle)
            groups = grouped(self._windows(turned.cut(frame, 2 * FACE), 1.04, 0.7 * FACE, 1.4 * FACE))
            central = [g for g in groups if np.hypot(*(g[:, :2].mean(0) - FACE)) < 0.45 * FACE]
            top = max(central, key=len, default=None)
            if top is not None and (best is None or len(top) > len(best)):
                best, region = top, turned
            if best is not None and len(best) >= _ENOUGH:
                break
        if best is None or len(best) < least:
            return None
        u, v, width = best.mean(0)
        (x, y), side = region.to_frame(np.array([u, v]), 2 * FACE), float(width * region.side / (2 * FACE))
        return boxed(float(x), float(y), side, len(best) / (len(best) + 10))

    def _windows(self, picture: Frame, factor: float, smallest: float, largest: float) -> Windows:
        """Give every window that fires in ``[H,W,3]``, sides from `smallest` to `largest` in steps of `factor`."""
        grey = contiguous(cv2.cvtColor(to_uint8(picture), cv2.COLOR_RGB2GRAY))
        with self._lock:
            # A threshold that no overlap reaches turns the library's grouping off.
            found = self._classifier.detect_multi_scale(
                grey, scale_factor=factor, step_ratio=1, min_size=(int(smallest),) * 2, max_size=(int(largest),) * 2,
                min_neighbor_number=1, intersection_score_threshold=2.0)
        sides = [(w["c"] + (w["width"] - 1) / 2, w["r"] + (w["height"] - 1) / 2, w["width"]) for w in found]
        return np.array(sides, np.float64).reshape(-1, 3)


def boxed(x: float, y: float, side: float, score: float) -> Detection:
    """Give the detection of a square box with its five points at the shares of `SHAPE`."""
    half = side / 2
    return Detection(SHAPE * side + (x, y), "box", (x - half, y - half, x + half, y + half), score)


def grouped(windows: Windows) -> list[Windows]:
    """Part windows into groups, largest first: middles within a quarter of a side, sides less than 40 % apart."""
    groups = []
    while len(windows):
        apart = np.hypot(windows[:, None, 0] - windows[None, :, 0], windows[:, None, 1] - windows[None, :, 1])
        sides = np.sqrt(windows[:, None, 2] * windows[None, :, 2])
        alike = (apart < 0.25 * sides) & (np.abs(np.log(windows[:, None, 2] / windows[None, :, 2])) < 0.34)
        member = alike[int(alike.sum(1).argmax())]
        groups.append(windows[member])
        windows = windows[~member]
    return groups
