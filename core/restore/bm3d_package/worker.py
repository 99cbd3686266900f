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

_OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [0.5, -1, 0.5]]) / np.sqrt([[3], [2], [1.5]])
"""An orthonormal colour space: luma and two chromas."""

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
            made = denoised(package, frame, request["sigma"], request["profile"], request["stage"])
        except Exception as error:  # noqa: BLE001  the whole of it goes to the other process
            _send(replies, {"error": f"{type(error).__name__}: {error}"})
            continue
        _send(replies, {"shape": made.shape}, made.astype("<f4").tobytes())


def denoised(package: Any, frame: Any, sigma: float, profile: str, stage: str) -> Any:
    """Denoise ``[H,W,C]`` float64, C = 1 or 3, sigma in 0..1; constant colour channels, which the package answers with NaN, are kept."""
    profile = package.BM3DProfileLC() if profile == "lc" else profile
    stages = package.BM3DStages.HARD_THRESHOLDING if stage == "hard" else package.BM3DStages.ALL_STAGES
    if np.ptp(frame, axis=(0, 1)).max() < _FLAT:
        return frame
    if frame.shape[2] == 1 or not np.ptp(frame, axis=2).any():  # gray, or gray as RGB: one plane, with the noise of one plane
        plane = package.bm3d(frame[..., 0], sigma, profile, stages)
        return np.repeat(plane[..., None], frame.shape[2], axis=2)
    opponent = frame @ _OPPONENT.T
    moving = [c for c in range(3) if np.ptp(opponent[..., c]) >= _FLAT]
    if len(moving) == 3 and stage == "all":
        return package.bm3d_rgb(frame, sigma, profile, "opp")
    made = package.bm3d(opponent[..., moving], [sigma] * len(moving) if len(moving) > 1 else sigma, profile, stages)
    opponent[..., moving] = made.reshape(*frame.shape[:2], len(moving))
    return opponent @ _OPPONENT


def _package() -> Any:
    if not hasattr(np, "trapz"):  # the package calls it still; NumPy 2.4 dropped it
        np.trapz = np.trapezoid  # type: ignore[attr-defined, unused-ignore]
    import bm3d

    return bm3d


def _send(replies: BinaryIO, header: dict[str, Any], body: bytes = b"") -> None:
    replies.write(json.dumps(header).encode() + b"\n" + body)
    replies.flush()


if __name__ == "__main__":
    main()
