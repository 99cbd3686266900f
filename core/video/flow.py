"""Dense motion between frames: optical flow, how far it can be trusted, and flows one after the other.

A flow is ``[H,W,3]`` float32: where the pixel went, x and y in px, and how sure that is, 0..1. Flow: Kroeger, Timofte, Dai and Van
Gool, "Fast optical flow using dense inverse search", ECCV 2016 (OpenCV's DIS). Trust: the way there and back must end where it began,
as in Sundaram, Brox and Keutzer, "Dense point trajectories by GPU-accelerated large displacement optical flow", ECCV 2010.
"""
from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Frame, contiguous, to_uint8

Flow = NDArray[np.float32]
"""``[H,W,3]``: displacement x, y (px) and trust (0..1)."""

Luma = NDArray[np.uint8]

Detail = Literal["fast", "fine"]

LONGEST = {"fast": 480, "fine": 960}
"""Longest side on which flow is measured, px; larger frames are halved, thirded ... until they fit."""

SMALLEST = 16
"""Frames with a shorter side are taken as standing still: DIS needs 12 px."""

_PRESETS = {"fast": cv2.DISOPTICAL_FLOW_PRESET_FAST, "fine": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM}
_SLACK, _SLACK_SHARE = 0.7, 0.05  # a round trip may miss by so many px, and by that share of the way


def flow_luma(frame: Frame, detail: Detail) -> Luma:
    """Give what flow is measured on: 8-bit luma of a ``[H,W,C]`` frame, reduced to `LONGEST`."""
    eight = to_uint8(frame)
    luma = eight[..., 0] if eight.shape[-1] == 1 else np.asarray(cv2.cvtColor(contiguous(eight[..., :3]), cv2.COLOR_RGB2GRAY), np.uint8)
    luma = contiguous(luma)
    factor = -(-max(luma.shape) // LONGEST[detail])
    if factor > 1:
        size = (max(1, luma.shape[1] // factor), max(1, luma.shape[0] // factor))
        luma = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
    return luma


def flows_between(before: Luma, after: Luma, detail: Detail) -> tuple[Flow, Flow]:
    """Measure the flow from one picture to the other and back, each with its trust; OpenCV must be set to one thread.

    Args:
        before: ``[h,w]``, uint8.
        after: the same size.
        detail: fast or fine.
    """
    if min(before.shape) < SMALLEST:
        still = np.zeros((*before.shape, 3), np.float32)
        still[..., 2] = 1
        return still, still
    there, back = _dis(before, after, detail), _dis(after, before, detail)
    return _trusted(there, back), _trusted(back, there)


def then(first: Flow, second: Flow) -> Flow:
    """Follow one flow and then another; trust multiplies, and is 0 for what left the picture."""
    landed = sampled(second, first, cv2.BORDER_CONSTANT)
    landed[..., :2] += first[..., :2]
    landed[..., 2] *= first[..., 2]
    return landed


def sampled(picture: Frame, flow: Flow, border: int = cv2.BORDER_REPLICATE, interpolation: int = cv2.INTER_LINEAR) -> Frame:
    """Take each pixel of ``[H,W,C]`` from where the flow leads; C = 1 keeps its axis."""
    x, y = places(flow)
    made = np.asarray(cv2.remap(picture, x, y, interpolation, borderMode=border), np.float32)
    return made.reshape(*flow.shape[:2], picture.shape[-1])


def places(flow: Flow) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give where each pixel went, x and y, ``[H,W]`` each."""
    height, width = flow.shape[:2]
    x = np.add(flow[..., 0], np.arange(width, dtype=np.float32), dtype=np.float32)
    y = np.add(flow[..., 1], np.arange(height, dtype=np.float32)[:, None], dtype=np.float32)
    return x, y


def enlarged(flow: Flow, height: int, width: int) -> Flow:
    """Give a flow at the size of the frames it belongs to."""
    if flow.shape[:2] == (height, width):
        return flow
    scale = np.array([width / flow.shape[1], height / flow.shape[0], 1], np.float32)
    return np.asarray(cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR), np.float32) * scale


def _dis(before: Luma, after: Luma, detail: Detail) -> NDArray[np.float32]:
    start: Any = None
    return np.asarray(cv2.DISOpticalFlow.create(_PRESETS[detail]).calc(before, after, start), np.float32)


def _trusted(there: NDArray[np.float32], back: NDArray[np.float32]) -> Flow:
    home = sampled(back, there, cv2.BORDER_REPLICATE)
    missed = np.linalg.norm(there + home, axis=-1)
    allowed = np.float32(_SLACK) + np.float32(_SLACK_SHARE) * np.linalg.norm(there, axis=-1)
    trust = np.exp(-((missed / allowed) ** 2))
    x, y = places(there)
    inside = (x > -0.5) & (y > -0.5) & (x < there.shape[1] - 0.5) & (y < there.shape[0] - 0.5)
    return np.dstack((there, (trust * inside).astype(np.float32)))
