"""The boundary: the only file that turns tensors into arrays and back.

On the array side a clip is float32, C-contiguous, ``[B,H,W,C]``, RGB(A) or gray, nominally 0..1. A ComfyUI IMAGE is the same
as a torch tensor, and the two share memory whenever nothing has to change. What breaks image libraries in practice is rank,
dtype, byte order, read-only or strided outputs, non-finite values, emptiness and channel count; all of it is settled or refused
here, with the input's name, shape and dtype in the message.
"""
from __future__ import annotations

from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

Frame: TypeAlias = NDArray[np.float32]
"""One frame, ``[H,W,C]`` (or ``[H,W]`` where a function says so), float32, C-contiguous, nominally 0..1."""

Frames: TypeAlias = NDArray[np.float32]
"""A run of frames, ``[B,H,W,C]`` with C = 1 (gray), 3 (RGB) or 4 (RGBA), float32, C-contiguous, nominally 0..1."""

Masks: TypeAlias = NDArray[np.float32]
"""A run of masks, ``[B,H,W]``, float32, C-contiguous, 0 (leave alone) to 1 (change)."""

Waveform: TypeAlias = NDArray[np.float32]
"""Sound, ``[channels,samples]``, float32, C-contiguous, nominally -1..1."""

Matrices: TypeAlias = NDArray[np.float64]
"""Affine matrices, ``[B,2,3]``, float64."""

CHANNELS = (1, 3, 4)

_EIGHT_BIT = np.arange(256, dtype=np.float32) / np.float32(255)


class ArrayError(ValueError):
    """An input that the boundary refuses; the message names it, its shape and its dtype."""


# --- in ------------------------------------------------------------------------------------------------------------------


def to_frames(value: Any, name: str = "images", *, finite: bool = True) -> Frames:
    """Bring pictures of any kind to ``[B,H,W,C]`` float32, without a copy when nothing has to change.

    Args:
        value: tensor or array ``[B,H,W,C]``, ``[H,W,C]`` or ``[B,H,W]``; float16/bfloat16/float32/float64 (taken as they are)
            or bool/uint8/uint16/uint32 (scaled by their range to 0..1); any device, stride, byte order; read-only or not.
            A rank of 3 is read as ``[H,W,C]`` when the last axis is 1, 3 or 4 long, else as ``[B,H,W]``.
        name: how the message calls the input.
        finite: refuse NaN and infinity.

    Raises:
        ArrayError: wrong rank, zero-sized, unsupported channel count or dtype, NaN or infinity.
    """
    array = _to_array(value, name)
    if array.ndim == 3:
        array = array[None] if array.shape[-1] in CHANNELS else array[..., None]
    if array.ndim != 4:
        raise ArrayError(f"{name} has shape {_shape(value)}; frames are [B,H,W,C], [H,W,C] or [B,H,W]. ({_dtype(value)})")
    if 0 in array.shape:
        raise ArrayError(f"{name} has shape {_shape(value)}; it must hold at least one frame of at least 1x1. ({_dtype(value)})")
    if array.shape[-1] not in CHANNELS:
        raise ArrayError(f"{name} has shape {_shape(value)}; a frame has 1, 3 or 4 channels, last axis. ({_dtype(value)})")
    frames = _to_float32(array, name)
    if finite:
        require_finite(frames, name)
    return frames


def to_mask(value: Any, name: str = "mask") -> Masks:
    """Bring a mask of any kind to ``[B,H,W]`` float32, clipped to 0..1.

    Args:
        value: tensor or array ``[B,H,W]``, ``[H,W]``, ``[B,H,W,1]`` or ``[B,1,H,W]``, of the dtypes that `to_frames` takes.
        name: how the message calls the input.

    Raises:
        ArrayError: wrong rank, zero-sized, unsupported dtype, NaN or infinity.
    """
    array = _to_array(value, name)
    if array.ndim == 2:
        array = array[None]
    elif array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    elif array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 3 or 0 in array.shape:
        raise ArrayError(f"{name} has shape {_shape(value)}; a mask is [B,H,W] or [H,W], at least 1x1. ({_dtype(value)})")
    masks = _to_float32(array, name)
    require_finite(masks, name)
    if masks.min() < 0 or masks.max() > 1:
        masks = np.clip(masks, 0, 1)
    return masks


def to_matrices(value: Any, name: str = "matrices") -> Matrices:
    """Bring affine matrices to ``[B,2,3]`` float64, whatever axes of length 1 came with them.

    Args:
        value: tensor or array ``[2,3]``, ``[B,2,3]``, ``[B,1,2,3]``, ``[1,B,2,3]`` (and so ``[1,2,3]``, ``[1,1,2,3]``), any float
            or integer dtype.
        name: how the message calls the input.

    Raises:
        ArrayError: the last two axes are not 2x3, more than one axis before them is longer than 1, empty, NaN or infinity.
    """
    array = _to_array(value, name)
    lead = array.shape[:-2]
    if array.ndim < 2 or array.shape[-2:] != (2, 3) or sum(n > 1 for n in lead) > 1 or 0 in lead:
        raise ArrayError(f"{name} has shape {_shape(value)}; affine matrices are [B,2,3] or [2,3]. ({_dtype(value)})")
    if array.dtype.kind not in "fiu":
        raise ArrayError(f"{name} is {_dtype(value)}; affine matrices are real numbers.")
    matrices = np.ascontiguousarray(array.reshape(-1, 2, 3), dtype=np.float64)
    if not np.isfinite(matrices).all():
        first = int(np.argwhere(~np.isfinite(matrices))[0, 0])
        raise ArrayError(f"{name} holds NaN or infinity, first in matrix {first}.")
    return matrices


def to_waveform(value: Any, name: str = "audio") -> Waveform:
    """Bring sound to ``[channels,samples]`` float32.

    Args:
        value: tensor or array ``[1,C,T]`` (ComfyUI's AUDIO waveform), ``[C,T]`` or ``[T]``; floats are taken as they are, signed
            integers are divided by the magnitude of their minimum (int16: 32768), uint8 is centred at 128 (WAV).
        name: how the message calls the input.

    Raises:
        ArrayError: wrong rank, a batch of more than one, empty, unsupported dtype, NaN or infinity.
    """
    array = _to_array(value, name)
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or 0 in array.shape:
        raise ArrayError(f"{name} has shape {_shape(value)}; a waveform is [1,C,T], [C,T] or [T], not empty. ({_dtype(value)})")
    if array.dtype.kind == "i":
        array = array.astype(np.float64) / -float(np.iinfo(array.dtype).min)
    elif array.dtype == np.uint8:
        array = (array.astype(np.float32) - 128) / 128
    waveform = _to_float32(array, name)
    if not np.isfinite(waveform).all():
        channel, sample = (int(i) for i in np.argwhere(~np.isfinite(waveform))[0])
        raise ArrayError(f"{name} holds NaN or infinity, first at channel {channel}, sample {sample}.")
    return waveform


def to_floats(value: Any, name: str = "values") -> NDArray[np.float32]:
    """Bring a tensor or array of any shape to C-contiguous float32, sharing memory where it can; unchecked, for weights and features."""
    return _to_float32(_to_array(value, name), name)


def require_finite(frames: Frames | Masks, name: str) -> None:
    """Refuse NaN and infinity in ``[B,...]`` float32 frames or masks.

    Raises:
        ArrayError: names the first bad frame, how many bad values it has, and where the first one lies.
    """
    for index, frame in enumerate(frames):
        # A sum of squares is finite only if every value is; one pass at memory speed. Huge finite values overflow it, so
        # a bad sum is looked at again exactly.
        flat = frame.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            total = np.dot(flat, flat)
        if np.isfinite(total):
            continue
        bad = ~np.isfinite(frame)
        if not bad.any():
            continue
        place = np.argwhere(bad)[0]
        kind = "NaN" if np.isnan(frame[bad]).all() else "infinite" if np.isinf(frame[bad]).all() else "NaN or infinite"
        raise ArrayError(
            f"{name}: frame {index} holds {int(bad.sum())} {kind} value{'s' if bad.sum() > 1 else ''}, the first at row "
            f"{place[0]}, column {place[1]}. Repair it first, e.g. with Frame Adjust's \"replace_nonfinite\"."
        )


# --- out -----------------------------------------------------------------------------------------------------------------


def to_image(frames: Frames) -> torch.Tensor:
    """Give ``[B,H,W,C]`` frames as a ComfyUI IMAGE (or ``[B,H,W]`` masks as a MASK) that shares their memory.

    Read-only arrays are copied, since torch would let others write into them.
    """
    frames = np.ascontiguousarray(frames, dtype=np.float32)
    return torch.from_numpy(frames if frames.flags.writeable else frames.copy())


def to_waveform_tensor(waveform: Waveform) -> torch.Tensor:
    """Give ``[C,T]`` sound as the ``[1,C,T]`` tensor of ComfyUI's AUDIO, sharing memory where it can."""
    return to_image(waveform)[None]


def empty_frames(count: int, height: int, width: int, channels: int) -> Frames:
    """Allocate ``[count,height,width,channels]`` float32 frames, not yet filled."""
    return np.empty((count, height, width, channels), np.float32)


# --- at a library's door -------------------------------------------------------------------------------------------------


def to_uint8(frame: Frame, *, rounding: Literal["nearest", "truncate"] = "nearest") -> NDArray[np.uint8]:
    """Quantise frames of any rank from 0..1 to 0..255, clipped; C-contiguous. `truncate` is what ComfyUI's own savers do."""
    if rounding == "truncate":
        return np.asarray(np.clip(frame * np.float32(255), 0, 255).astype(np.uint8))
    quantised: NDArray[np.uint8] = _quantise(frame, 255.0, cv2.CV_8U)
    return quantised


def to_uint16(frame: Frame) -> NDArray[np.uint16]:
    """Quantise frames of any rank from 0..1 to 0..65535, rounded and clipped; C-contiguous."""
    return _quantise(frame, 65535.0, cv2.CV_16U)


def from_uint8(frame: NDArray[np.uint8], out: Frame | None = None) -> Frame:
    """Scale 0..255 to exactly ``value / 255`` float32, into `out` (same shape, C-contiguous) when given."""
    frame = np.ascontiguousarray(frame)
    out = np.empty(frame.shape, np.float32) if out is None else out
    if not out.flags.c_contiguous or out.shape != frame.shape:
        raise ArrayError(f"out has shape {_shape(out)}; a C-contiguous array of {_shape(frame)} is wanted.")
    cv2.LUT(_plane(frame), _EIGHT_BIT, dst=_plane(out))  # a table, since a product with 1/255 is off by an ulp in half the levels
    return out


def from_uint16(frame: NDArray[np.uint16], out: Frame | None = None) -> Frame:
    """Scale 0..65535 to exactly ``value / 65535`` float32, into `out` (same shape) when given."""
    out = np.empty(frame.shape, np.float32) if out is None else out
    np.divide(frame, np.float32(65535), out=out, dtype=np.float32)
    return out


def contiguous(array: NDArray[Any]) -> NDArray[Any]:
    """Give the same values C-contiguous and writable, as an array that a library may write into; copies only if it must."""
    return np.require(array, requirements=("C", "W"))


def as_float64(array: NDArray[Any]) -> NDArray[np.float64]:
    """Give an array as C-contiguous float64, for statistics and the libraries that compute in it; copies only if it must."""
    return np.ascontiguousarray(array, dtype=np.float64)


def as_float32(array: NDArray[Any]) -> NDArray[np.float32]:
    """Give an array as C-contiguous float32, for libraries that take no other; copies only if it must."""
    return np.ascontiguousarray(array, dtype=np.float32)


def to_bytes(value: Any) -> bytes:
    """Give the values of a tensor or array in row order as bytes, for a digest."""
    return bytes(np.ascontiguousarray(_to_array(value, "value")).data)


# --- inside --------------------------------------------------------------------------------------------------------------


def _to_array(value: Any, name: str) -> NDArray[Any]:
    """A tensor or array of any kind as a NumPy array: no copy where the memory can be shared."""
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.is_quantized:
            raise ArrayError(f"{name} is a {value.layout} tensor of {_dtype(value)}; a dense tensor is wanted.")
        value = value.detach().cpu().resolve_conj().resolve_neg()
        # NumPy has no bfloat16 (nor float8); float32 holds every one of their values.
        array: NDArray[Any] = (value.float() if value.is_floating_point() and value.element_size() < 4 else value).numpy()
        return array
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, (torch.Tensor, np.ndarray)) for v in value):
        parts = [_to_array(v, f"{name}[{i}]") for i, v in enumerate(value)]
        if len({(p.shape, p.dtype) for p in parts}) > 1:
            raise ArrayError(f"{name} is a list of arrays of different shapes or dtypes; one size and dtype is wanted.")
        return np.stack(parts)
    raise ArrayError(f"{name} is a {type(value).__name__}; a torch tensor or NumPy array is wanted.")


def _to_float32(array: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Native C-contiguous float32, integers scaled by their range; the same object when it is that already."""
    dtype = array.dtype
    if dtype.kind == "f":
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, which the finite check reports
            return np.require(array, np.dtype(np.float32), ("C", "A"))
    if dtype.kind == "b":
        return np.ascontiguousarray(array, dtype=np.float32)
    if dtype == np.uint8:
        return from_uint8(array)
    if dtype.kind == "u" and dtype.itemsize <= 4:
        # float32 cannot hold a uint32 exactly; its quotient is rounded once, at the end.
        scaled = np.divide(np.ascontiguousarray(array), np.iinfo(dtype).max, dtype=np.float64 if dtype.itemsize == 4 else np.float32)
        return np.asarray(scaled, np.float32)
    raise ArrayError(f"{name} is {dtype}; taken are float16, bfloat16, float32, float64, bool, uint8, uint16 and uint32.")


def _quantise(frame: Frame, levels: float, depth: int) -> NDArray[Any]:
    frame = np.ascontiguousarray(frame, dtype=np.float32)
    scale: Any = levels  # OpenCV's stubs know no scalar operand
    return np.asarray(cv2.multiply(_plane(frame), scale, dtype=depth)).reshape(frame.shape)


def _plane(array: NDArray[Any]) -> NDArray[Any]:
    """A contiguous array of any rank as one 2-D single-channel plane, a view: OpenCV's scalars and tables then mean every value."""
    return array.reshape(array.shape[0] if array.ndim > 1 else 1, -1)


def _shape(value: Any) -> str:
    return str(list(getattr(value, "shape", [len(value)] if hasattr(value, "__len__") else [])))


def _dtype(value: Any) -> str:
    return str(getattr(value, "dtype", type(value).__name__)).removeprefix("torch.")
