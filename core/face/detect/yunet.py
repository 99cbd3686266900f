"""YuNet through OpenCV's FaceDetectorYN: five points, a 230 KB file.

Source: Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 20, 2023; file from OpenCV Zoo.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from .interface import DetectorError
from .onnx_faces import FivePoints, Row


class YuNet(FivePoints):
    """The YuNet detector. Its order of points is the picture's: left eye, right eye, nose tip, left and right mouth corner."""

    name: ClassVar[str] = "yunet"
    noise: ClassVar[float] = 1.4
    near_size: ClassVar[int] = 480
    margin: ClassVar[float] = 1.5

    def __init__(self, path: Path, *, min_score: float = 0.6) -> None:
        super().__init__(min_score)
        create: Any = getattr(getattr(cv2, "FaceDetectorYN", None), "create", None)
        if create is None:
            raise DetectorError(f"OpenCV {cv2.__version__} has no FaceDetectorYN. Get one from 4.8 on: pip install -U opencv-python")
        try:
            self._net = create(str(path), "", (self.size, self.size), min_score, 0.3, 200)
        except cv2.error as error:
            raise DetectorError(f"{path} is not a YuNet file that OpenCV {cv2.__version__} reads ({error.err}).") from error

    def rows(self, picture: NDArray[np.uint8]) -> list[Row]:
        """Find the faces of one ``[size,size,3]`` BGR picture."""
        self._net.setInputSize((picture.shape[1], picture.shape[0]))
        found = self._net.detect(picture)[1]
        rows: list[Row] = []
        for row in () if found is None else found.astype(np.float64):
            x, y, width, height = row[:4]
            rows.append((float(row[14]), np.array([x, y, x + width, y + height]), row[4:14].reshape(5, 2)))
        return rows
