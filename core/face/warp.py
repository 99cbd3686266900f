"""Warping frames by affine matrices: OpenCV on the CPU, grid_sample on any torch device, the same picture from both.

Bicubic (Keys' kernel with a = -0.75 in both). Where the picture shrinks it is blurred first, by the Gaussian that brings a pixel of the
source to a pixel of the result, so nothing aliases. What bicubic overshoots is clipped; rounding is left to who quantises.
"""
from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
import torch

from ..arrays import Frame, Frames, Masks, Matrices, contiguous, to_frames, to_image
from . import similarity

Fill = Literal["edge", "gray", "black"]
"""What lies beyond the frame: its outermost pixels drawn out, mid-gray (127 of 255, as the published pipeline), or black."""

FILL_LEVELS: dict[Fill, float] = {"gray": 127 / 255, "black": 0.0}

_NOTICEABLE = 0.2  # px; a Gaussian under it changes nothing


def warp(frame: Frame, matrix: Matrices, height: int, width: int, fill: Fill = "edge", out: Frame | None = None) -> Frame:
    """Warp one frame on the CPU.

    Args:
        frame: ``[H,W,C]`` float32, 0..1.
        matrix: ``[2,3]``, frame px to result px.
        height: of the result, px.
        width: of the result, px.
        fill: what lies beyond the frame.
        out: ``[height,width,C]``, C-contiguous, to write into.

    Returns:
        ``[height,width,C]``, clipped to 0..1.
    """
    result = np.empty((height, width, frame.shape[2]), np.float32) if out is None else out
    sigma = prefilter_sigma(matrix)
    if sigma:
        frame, matrix = _blurred_part(frame, matrix, height, width, sigma)
    border = cv2.BORDER_REPLICATE if fill == "edge" else cv2.BORDER_CONSTANT
    level = FILL_LEVELS.get(fill, 0.0)
    made = cv2.warpAffine(frame, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=border, borderValue=(level,) * 4)
    np.clip(np.asarray(made, np.float32).reshape(result.shape), 0, 1, out=result)
    return result


def warp_on(
    device: str, frames: Frames, matrices: Matrices, height: int, width: int, fill: Fill = "edge",
) -> Frames:
    """Warp frames ``[B,H,W,C]`` by matrices ``[B,2,3]`` on a torch device; the result of `warp`, within 2 of 255 levels."""
    result = []
    for frame, matrix in zip(frames, matrices, strict=True):
        sigma = prefilter_sigma(matrix)
        if sigma:  # only the part that is seen goes to the device
            part, moved = _part(frame, matrix, height, width, sigma)
        else:
            part, moved = frame, matrix
        picture = to_image(contiguous(part)).to(device).permute(2, 0, 1)[None]
        if sigma:
            picture = _blurred_on(picture, sigma)
        grid = _grid(moved, part.shape[0], part.shape[1], height, width).to(device)
        level = FILL_LEVELS.get(fill, 0.0)
        padding = "border" if fill == "edge" else "zeros"
        made = torch.nn.functional.grid_sample(picture - level, grid, mode="bicubic", padding_mode=padding, align_corners=False)
        result.append((made + level).clamp(0, 1)[0].permute(1, 2, 0))
    return to_frames(torch.stack(result).contiguous(), "warped frames")


def valid_area(matrix: Matrices, frame_height: int, frame_width: int, height: int, width: int) -> Masks:
    """Give ``[height,width]``: 1 where the result of a warp shows the frame, 0 where it shows what lies beyond."""
    back = similarity.invert(matrix)
    columns, rows = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)[:, None]
    x = back[0, 0] * columns + back[0, 1] * rows + back[0, 2]
    y = back[1, 0] * columns + back[1, 1] * rows + back[1, 2]
    inside = (x >= -0.5) & (x <= frame_width - 0.5) & (y >= -0.5) & (y <= frame_height - 0.5)
    area: Masks = inside.astype(np.float32)
    return area


def prefilter_sigma(matrix: Matrices) -> float:
    """Give the blur (px of the source) before a warp that shrinks; 0 where none is needed."""
    scale = float(similarity.scales(matrix))
    if scale >= 1:
        return 0.0
    sigma = 0.5 * float(np.sqrt(1 / max(scale, 1e-3) ** 2 - 1))
    return sigma if sigma > _NOTICEABLE else 0.0


def _part(frame: Frame, matrix: Matrices, height: int, width: int, sigma: float) -> tuple[Frame, Matrices]:
    """Give the part of the frame that the result shows, with room for the filters, and the matrix from there."""
    corners = np.array([[0.0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]])
    seen = similarity.apply(similarity.invert(matrix)[None], corners)[0]
    room = int(np.ceil(4 * sigma)) + 4
    low = np.floor(seen.min(0)).astype(int) - room
    high = np.ceil(seen.max(0)).astype(int) + room + 1
    left, top = (int(np.clip(low[i], 0, frame.shape[1 - i] - 1)) for i in (0, 1))
    right, bottom = (int(np.clip(high[i], (left, top)[i] + 1, frame.shape[1 - i])) for i in (0, 1))
    return frame[top:bottom, left:right], similarity.compose(matrix, np.array([[1.0, 0, left], [0, 1, top]]))


def _blurred_part(frame: Frame, matrix: Matrices, height: int, width: int, sigma: float) -> tuple[Frame, Matrices]:
    part, moved = _part(frame, matrix, height, width, sigma)
    size = _taps(sigma)
    blurred = cv2.GaussianBlur(contiguous(part), (size, size), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32).reshape(part.shape), moved


def _taps(sigma: float) -> int:
    return 2 * max(1, int(np.ceil(3 * sigma))) + 1


def _blurred_on(picture: torch.Tensor, sigma: float) -> torch.Tensor:
    size = _taps(sigma)
    taps = to_image(np.asarray(cv2.getGaussianKernel(size, sigma), np.float32)[:, 0]).to(picture.device)
    channels, half = picture.shape[1], size // 2
    for shape, padding in (((1, 1, 1, size), (half, half, 0, 0)), ((1, 1, size, 1), (0, 0, half, half))):
        padded = torch.nn.functional.pad(picture, padding, mode="replicate")
        picture = torch.nn.functional.conv2d(padded, taps.reshape(shape).expand(channels, *shape[1:]), groups=channels)
    return picture


def _grid(matrix: Matrices, frame_height: int, frame_width: int, height: int, width: int) -> torch.Tensor:
    back: Any = similarity.invert(matrix)
    columns, rows = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)[:, None]
    x = back[0, 0] * columns + back[0, 1] * rows + back[0, 2]
    y = back[1, 0] * columns + back[1, 1] * rows + back[1, 2]
    share = np.stack(((2 * x + 1) / frame_width - 1, (2 * y + 1) / frame_height - 1), -1)
    return to_image(share.astype(np.float32))[None]
