"""The process that the `bm3d` package runs in: reads frames from its input, writes denoised ones to its output.

Run as a script, so that neither ComfyUI nor the rest of the pack is loaded a second time. A message is a line of JSON and the bytes
of its array, if it has one.
"""
from __future__ import annotations

import json
import os
import sys
from typing import Any, BinaryIO

import numpy as np

_ROWS = {
    "opponent": np.array([[1, 1, 1], [1, 0, -1], [0.5, -1, 0.5]]),
    "ycbcr": np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]),
}
_SPACES = {name: rows / np.linalg.norm(rows, axis=1, keepdims=True) for name, rows in _ROWS.items()}
"""Luma and two chromas, rows of unit length, as `bm3d.colour` has them; this file runs alone and cannot import it."""

_PROFILES = {"np": "BM3DProfile", "lc": "BM3DProfileLC", "vn": "BM3DProfileVN", "vn_old": "BM3DProfileVNOld", "high": "BM3DProfileHigh"}

_FLAT = 1e-6  # a channel with a smaller range is constant, and the package would divide by its range


def main() -> None:
    """Answer requests until the input ends."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the package prints must not get between the replies
    try:
        package = _package()
    except ImportError as error:
        _send(replies, {"error": f"it does not import: {error}"})
        return
    _send(replies, {"ready": True})
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        shape = tuple(request["shape"])
        frame = np.frombuffer(sys.stdin.buffer.read(4 * int(np.prod(shape))), "<f4").reshape(shape).astype(np.float64)
        try:
            made = denoised(package, frame, request["levels"], request["profile"], request["stage"], request["space"])
        except Exception as error:  # noqa: BLE001  the whole of it goes to the other process
            _send(replies, {"error": f"{type(error).__name__}: {error}"})
            continue
        _send(replies, {"shape": made.shape}, made.astype("<f4").tobytes())


def denoised(package: Any, frame: Any, levels: list[float], profile: str, stage: str, space: str) -> Any:
    """Denoise ``[H,W,C]`` float64, C = 1 or 3; levels of luma and of chroma in 0..1.

    Constant colour planes, which the package answers with NaN, and those of level 0 are kept.
    """
    settings = getattr(package, _PROFILES[profile])()
    settings.num_threads = 1  # with more, its sums depend on which thread is done first
    stages = package.BM3DStages.HARD_THRESHOLDING if stage == "hard" else package.BM3DStages.ALL_STAGES
    luma, chroma = levels
    if frame.shape[2] == 1 or not np.ptp(frame, axis=2).any():  # gray, or gray as RGB: one plane, with the noise of one plane
        plane = frame[..., 0]
        if np.ptp(plane) >= _FLAT and luma > 0:
            plane = package.bm3d(plane, luma, settings, stages)
        return np.repeat(plane[..., None], frame.shape[2], axis=2)
    turn = _SPACES[space]
    planes = frame @ turn.T
    sigmas = [luma, chroma, chroma]
    moving = [c for c in range(3) if np.ptp(planes[..., c]) >= _FLAT and sigmas[c] > 0]
    if len(moving) == 3 and stage == "all" and luma == chroma:
        return package.bm3d_rgb(frame, luma, settings, {"opponent": "opp", "ycbcr": "YCbCr"}[space])
    if len(moving) == 1:
        planes[..., moving[0]] = package.bm3d(planes[..., moving[0]], sigmas[moving[0]], settings, stages)
    elif moving:
        planes[..., moving] = package.bm3d(planes[..., moving], [sigmas[c] for c in moving], settings, stages)
    return planes @ np.linalg.inv(turn).T


def _package() -> Any:
    if not hasattr(np, "trapz"):  # the package calls it still; NumPy 2.4 dropped it
        vars(np)["trapz"] = np.trapezoid
    import bm3d

    return bm3d


def _send(replies: BinaryIO, header: dict[str, Any], body: bytes = b"") -> None:
    replies.write(json.dumps(header).encode() + b"\n" + body)
    replies.flush()


if __name__ == "__main__":
    main()
