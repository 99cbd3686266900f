"""SCRFD through OpenCV's dnn module: five points, for users who have the file.

Source: Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", ICLR 2022, and the published network: BGR swapped
to RGB, (v - 127.5) / 128; for the strides 8, 16, 32 two anchors a cell, each with a score, the distances to the four sides and five
offsets, all in strides.
"""
from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from .interface import DetectorError
from .onnx_faces import FivePoints, Row

STRIDES = (8, 16, 32)


class Scrfd(FivePoints):
    """An SCRFD file with key points (``*_kps.onnx``, ``*_bnkps.onnx``, ``det_10g.onnx``...), at its usual 640 x 640."""

    name: ClassVar[str] = "scrfd"
    noise: ClassVar[float] = 0.6

    def __init__(self, path: Path, *, min_score: float = 0.5) -> None:
        super().__init__(min_score)
        try:
            self._net = cv2.dnn.readNetFromONNX(str(path))
            self._outputs = self._net.getUnconnectedOutLayersNames()
            self.rows(np.zeros((self.size, self.size, 3), np.uint8))
        except cv2.error as error:
            raise DetectorError(f"{path} is not an ONNX file that OpenCV {cv2.__version__} reads ({error.err}).") from error
        except KeyError as error:
            raise DetectorError(f"{path} is not an SCRFD file with key points: its outputs lack {error}.") from error

    def rows(self, picture: NDArray[np.uint8]) -> list[Row]:
        """Find the faces of one ``[640,640,3]`` BGR picture."""
        blob = cv2.dnn.blobFromImage(picture, 1 / 128, (self.size, self.size), (127.5, 127.5, 127.5), swapRB=True)
        self._net.setInput(blob)
        # The outputs' order differs between files and versions; their sizes do not.
        tensors = {(o.size // o.shape[-1], o.shape[-1]): o.reshape(-1, o.shape[-1]).astype(np.float64)
                   for o in self._net.forward(self._outputs)}
        boxes, points, scores = [], [], []
        for stride in STRIDES:
            n = self.size // stride
            logits, sides, offsets = (tensors[(2 * n * n, k)] for k in (1, 4, 10))
            keep = np.flatnonzero(logits[:, 0] >= self._min_score)
            cell = np.stack((keep // 2 % n, keep // 2 // n), -1) * float(stride)
            boxes.append(np.concatenate((cell - sides[keep, :2] * stride, cell + sides[keep, 2:] * stride), 1))
            points.append(cell[:, None] + offsets[keep].reshape(-1, 5, 2) * stride)
            scores.append(logits[keep, 0])
        box, point, score = np.concatenate(boxes), np.concatenate(points), np.concatenate(scores)
        sized = np.concatenate((box[:, :2], box[:, 2:] - box[:, :2]), 1)
        kept = cv2.dnn.NMSBoxes(sized.tolist(), score.tolist(), self._min_score, 0.4) if len(box) else ()
        return [(float(score[i]), box[i], point[i]) for i in kept]
