"""WeNet features for the networks trained on them: sixteen steps of 512 around each video frame, through onnxruntime."""
from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Waveform, as_float32, to_waveform
from ..progress import Progress, silent
from .context import MODES, Rows
from .fbank import BANDS, LENGTH, SHIFT, fbank

CHUNK = 67
"""Filter bank frames that one feature hears: 16 steps of the conformer after its fourfold subsampling."""

LEAD, TAIL = 32, 35
"""Filter bank frames of silence put before and after the sound, so that a chunk lies around its video frame."""

OFFSET = 100
"""The position that the published extractor tells the conformer every time; it never moves on, and the caches stay zero."""

FRAMES_PER_SECOND = Fraction(16000, SHIFT)

_TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}


@dataclass(frozen=True, eq=False)
class Wenet:
    """A loaded WeNet encoder: the session, the shape of its chunk, what its other inputs are fed, the sha256 and name of its file."""

    session: Any
    chunk: tuple[int, ...]
    constants: Mapping[str, NDArray[Any]]
    sha256: str
    name: str


def load_wenet(path: Path | str) -> Wenet:
    """Load a WeNet conformer's encoder.onnx, whose first input is the chunk ``[1,67,80]`` or ``[1,1,67,80]``.

    Raises:
        FileNotFoundError: no such file.
        ImportError: onnxruntime is not installed.
        ValueError: not an ONNX file, or one whose inputs are not those of a WeNet encoder.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}. Give the encoder.onnx of a WeNet conformer (wenetspeech).")
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("WeNet runs through onnxruntime, which is not installed. Install it, or hand in precomputed features.") from error
    content = path.read_bytes()
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except (RuntimeError, ValueError, onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf) as error:
        raise ValueError(f"{path.name} is not a model that onnxruntime can run: {error}") from error
    constants = {i.name: _constant(i, path.name) for i in session.get_inputs() if i.name != "chunk"}
    chunk = next((i for i in session.get_inputs() if i.name == "chunk"), None)
    if chunk is None or (isinstance(chunk.shape[-1], int) and chunk.shape[-1] != BANDS):
        names = [i.name for i in session.get_inputs()]
        raise ValueError(f'{path.name} has inputs {names}; a WeNet encoder takes "chunk" [1,{CHUNK},{BANDS}].')
    return Wenet(session, (1,) * (len(chunk.shape) - 2) + (CHUNK, BANDS), constants, hashlib.sha256(content).hexdigest(), path.name)


def _constant(entry: Any, name: str) -> NDArray[Any]:
    """Give what an input besides the chunk is fed: the offset 100, empty caches, a mask that lets everything through."""
    kind = _TYPES.get(entry.type)
    open_sizes = [d for d in entry.shape[1:] if not isinstance(d, int)]
    if kind is None or open_sizes:
        raise ValueError(f'{name}: input "{entry.name}" is {entry.type} {entry.shape}; its size must be fixed at export.')
    shape = [d if isinstance(d, int) else 1 for d in entry.shape]
    if entry.name == "offset":
        return np.full(shape, OFFSET, kind)
    return np.ones(shape, kind) if kind is np.bool_ else np.zeros(shape, kind)


def wenet_rows(wenet: Wenet, sound: Waveform, fps: Fraction, frames: int | None = None, progress: Progress = silent) -> Rows:
    """Run the encoder around every video frame.

    The sound, as 16-bit integers, gets 32 filter bank frames of silence before and 35 after it; frame i hears the 67 filter bank
    frames from ``floor(100 i / fps)`` on (at 20 fps every fifth, as published). There are as many frames as it takes for one to reach
    the end; what that last one lacks are zero rows, as published. Frames asked for beyond it hear silence.

    Args:
        wenet: the loaded encoder.
        sound: ``[1,T]`` float32 at 16 kHz.
        fps: video frames a second.
        frames: how many; None for as many as the sound lasts.
        progress: told of the frames done; may raise to cancel.

    Returns:
        ``[frames, 16, 512]`` float32.

    Raises:
        ValueError: the encoder gives other than 16 x 512 numbers a chunk.
    """
    step = FRAMES_PER_SECOND / fps
    whole = np.trunc(np.clip(sound[0], -1, 1) * np.float32(32767))
    padded = np.pad(whole, (LEAD * SHIFT, TAIL * SHIFT))
    rows = (len(padded) - LENGTH) // SHIFT + 1
    natural = math.ceil(max(0, rows - CHUNK) / step) + 1
    frames = natural if frames is None else frames
    starts = np.arange(frames, dtype=np.int64) * step.numerator // step.denominator
    wanted = int(starts[-1]) + CHUNK
    if frames > natural:
        padded = np.pad(padded, (0, max(0, (wanted - 1) * SHIFT + LENGTH - len(padded))))
    bank = fbank(as_float32(padded))
    bank = np.pad(bank, ((0, max(0, wanted - len(bank))), (0, 0)))
    row = MODES["wenet"].row
    out = np.empty((frames, *row), np.float32)
    for i, start in enumerate(starts):
        made = wenet.session.run(None, {"chunk": bank[start : start + CHUNK].reshape(wenet.chunk), **wenet.constants})[0]
        if made.size != out[i].size:
            raise ValueError(f"{wenet.name} gives {list(made.shape)} for a chunk; the pictures' network takes {list(row)}.")
        out[i] = to_waveform(made.reshape(row), "WeNet's features")
        progress(i + 1, frames)
    return out
