"""The 68 points of the face_alignment package: its S3FD detector to start, then its FAN network on the face's own region.

Source: Bulat and Tzimiropoulos, "How far are we from solving the 2D & 3D Face Alignment problem?", ICCV 2017. The package's `FaceAlignment`
class looks for its weights online and rounds each point to a quarter of a heat map's cell (4 px on a face of 500 px); here its
networks are fed from files that are on this machine, and a point is the vertex of the parabola through the logarithms around the
heat map's peak, which is exact for the Gaussian peaks that FAN was trained on.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import torch

from ...arrays import Frame, Frames, as_float32, to_frames, to_image, to_uint8
from ...weights import load_state_dict
from .interface import Box, Detection, DetectorError, Points, Scheme, distinct, rgb
from .region import Region, box_of

SIZE = 256
CELLS = 64
SEARCH = 640
"""Long side, px, to which the frame is reduced for S3FD."""

INSTALL = "pip install face-alignment"


class FaceAlignment:
    """The face_alignment detector. Files: ``2DFAN4-11f355bf06.pth.tar`` and ``s3fd-619a316812.pth``."""

    name: ClassVar[str] = "face_alignment"
    scheme: ClassVar[Scheme] = "points68"
    noise: ClassVar[float] = 1.5  # a guess: its weights were not at hand to measure

    def __init__(self, fan: Path, s3fd: Path, *, device: str = "cpu", min_score: float = 0.5) -> None:
        try:
            from face_alignment.detection.sfd import FaceDetector
            from face_alignment.models import FAN
        except ImportError as error:
            raise DetectorError(
                f"The face_alignment detector needs a package that is not installed. Get it with `{INSTALL}`.") from error
        self._device = device
        try:
            self._net: Any = FAN(4)
            self._net.load_state_dict(load_state_dict(fan))
            self._faces: Any = FaceDetector(device=device, path_to_detector=str(s3fd), filter_threshold=min_score)
        except (RuntimeError, TypeError) as error:
            raise DetectorError(f"{fan.name} or {s3fd.name} does not fit the installed face_alignment ({error}). "
                                f"Wanted is version 1.5 or later: {INSTALL} -U") from error
        self._net.to(device).eval()

    def detect(self, frame: Frame, index: int, near: Detection | None) -> list[Detection]:
        """Follow the face `near`; where it is lost, or there is none, find every face of the frame (see `Detector.detect`)."""
        frame = rgb(frame)
        if near is not None:
            face = self._points(frame, near.box)
            if face.score >= 0.25:
                return [face]
        return distinct([self._points(frame, box) for box in self._search(frame)])

    def _search(self, frame: Frame) -> list[Box]:
        scale = min(SEARCH / max(frame.shape[:2]), 1.0)
        size = max(round(frame.shape[1] * scale), 1), max(round(frame.shape[0] * scale), 1)
        small = as_float32(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
        rows = self._faces.detect_from_image(to_uint8(small))
        return [(float(r[0] / scale), float(r[1] / scale), float(r[2] / scale), float(r[3] / scale)) for r in rows]

    def _points(self, frame: Frame, box: Box) -> Detection:
        """Run FAN on a box: a square 200/195 of its width and height together, its middle raised by 12 % of the height."""
        width, height = box[2] - box[0], box[3] - box[1]
        region = Region((box[0] + box[2]) / 2, (box[1] + box[3]) / 2 - 0.12 * height, max((width + height) * 200 / 195, 1.0))
        picture = to_image(region.cut(frame, SIZE)[None]).permute(0, 3, 1, 2).to(self._device)
        with torch.inference_mode():
            out = self._net(picture)
        maps = to_frames((out[-1] if isinstance(out, (list, tuple)) else out)[0].float(), "heat maps")[..., 0]
        cells, peaks = vertices(maps)
        points = region.to_frame((cells + 0.5) * (SIZE / CELLS) - 0.5, SIZE)
        return Detection(points, "points68", box_of(points), float(np.clip(peaks.mean(), 0, 1)))


def vertices(maps: Frames) -> tuple[Points, Points]:
    """Find the peak of each ``[H,W]`` map of ``[K,H,W]`` below the cell.

    Returns:
        ``[K,2]`` x and y in cells, and the values ``[K]`` at the highest cells.
    """
    count, height, width = maps.shape
    flat = maps.reshape(count, -1)
    at = flat.argmax(1)
    x, y = at % width, at // width
    row, log = np.arange(count), np.log(np.maximum(maps.astype(np.float64), 1e-6))

    def _shift(low: Points, middle: Points, high: Points) -> Points:
        bend = low - 2 * middle + high
        return np.where(bend < -1e-9, np.clip(0.5 * (low - high) / np.minimum(bend, -1e-9), -0.5, 0.5), 0.0)

    u = _shift(log[row, y, np.maximum(x - 1, 0)], log[row, y, x], log[row, y, np.minimum(x + 1, width - 1)])
    v = _shift(log[row, np.maximum(y - 1, 0), x], log[row, y, x], log[row, np.minimum(y + 1, height - 1), x])
    return np.stack((x + u, y + v), -1), flat[row, at].astype(np.float64)
