"""The published way to warp a face and put it back, whole frames at a time, from its description: the peer in the speed figure."""
from __future__ import annotations

import cv2
import kornia
import numpy as np
import torch

from talkies.core.arrays import Frame, Matrices, to_frames, to_image, to_mask
from talkies.core.face import similarity
from talkies.core.face.template import Template


def warp_published(frame: Frame, matrix: Matrices, crop: Template) -> torch.Tensor:
    """Warp the whole frame, bilinear, gray beyond it, then to the square by Lanczos."""
    picture = to_image(frame * np.float32(255)).permute(2, 0, 1)[None]
    turn = torch.tensor(matrix, dtype=torch.float32)[None]
    box = kornia.geometry.transform.warp_affine(picture, turn, (crop.height, crop.width), mode="bilinear", padding_mode="fill",
                                                fill_value=torch.tensor([127.0] * 3))
    levels = to_frames(box[0].permute(1, 2, 0).contiguous(), "box")[0].astype(np.uint8)
    return torch.tensor(cv2.resize(levels, (crop.size, crop.size), interpolation=cv2.INTER_LANCZOS4))


def restore_published(frame: Frame, square: Frame, matrix: Matrices, crop: Template) -> torch.Tensor:
    """Resize the crop back to its box, warp it and its mask over the whole frame, erode twice, blur, blend."""
    height, width = frame.shape[:2]
    face = torch.nn.functional.interpolate(to_image(square * np.float32(255)).permute(2, 0, 1)[None], (crop.height, crop.width),
                                           mode="bicubic", antialias=True)
    back = torch.tensor(similarity.invert(matrix), dtype=torch.float32)[None]
    warp = kornia.geometry.transform.warp_affine
    placed = warp(face, back, (height, width), mode="bilinear", padding_mode="fill", fill_value=torch.tensor([127.0] * 3))
    mask = warp(torch.ones_like(face[:, :1]), back, (height, width), mode="bilinear", padding_mode="zeros")
    inner = cv2.erode(to_mask(mask[0, 0], "mask")[0], np.ones((2, 2)))
    edge = max(1, int(float(inner.sum()) ** 0.5) // 20)
    core = cv2.erode(inner, np.ones((2 * edge, 2 * edge)))
    side = 2 * edge + 1
    sigma = 0.3 * ((side - 1) * 0.5 - 1) + 0.8
    soft = kornia.filters.gaussian_blur2d(torch.tensor(core)[None, None], (side, side), (sigma, sigma))
    below = to_image(frame * np.float32(255)).permute(2, 0, 1)[None]
    return (soft * (torch.tensor(inner)[None, None] * placed) + (1 - soft) * below).to(torch.uint8)
