"""What a value is made of: shape, dtype, layout, device, range, non-finite values and bytes of every array inside it."""
from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import torch

DEPTH = 4
"""How many containers deep the description goes."""

COMPLEX = (torch.complex32, torch.complex64, torch.complex128, np.dtype(np.complex64), np.dtype(np.complex128))
"""The dtypes whose range is that of their magnitude."""


def describe(value: Any, name: str = "value", depth: int = DEPTH) -> Iterator[str]:
    """Describe any value, one line an array or plain value.

    Args:
        value: a tensor, an array, a number, text, a mapping, a sequence, a dataclass, or any object (its type is named).
        name: what the first line calls it; parts are ``name.key`` or ``name[i]``.
        depth: how many containers deep to look.

    Yields:
        Lines such as ``value: tensor float32 [8, 512, 512, 3] contiguous cpu, 0 to 1 (mean 0.45), 25165824 bytes``.
    """
    if isinstance(value, (torch.Tensor, np.ndarray)):
        yield f"{name}: {_array(value)}"
    elif value is None or isinstance(value, (bool, int, float, complex, Fraction)):
        yield f"{name}: {type(value).__name__} {value}"
    elif isinstance(value, str):
        yield f"{name}: text of {len(value)} characters: {value[:80]!r}"
    elif isinstance(value, bytes):
        yield f"{name}: {len(value)} bytes"
    elif depth > 0 and isinstance(value, Mapping):
        yield f"{name}: {type(value).__name__} of {len(value)}"
        for key, part in value.items():
            yield from describe(part, f"{name}.{key}", depth - 1)
    elif depth > 0 and isinstance(value, (list, tuple)):
        yield f"{name}: {type(value).__name__} of {len(value)}"
        for i, part in enumerate(value):
            yield from describe(part, f"{name}[{i}]", depth - 1)
    elif depth > 0 and dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield f"{name}: {type(value).__name__}"
        for entry in dataclasses.fields(value):
            yield from describe(getattr(value, entry.name), f"{name}.{entry.name}", depth - 1)
    elif isinstance(value, torch.nn.Module):
        parameters = list(value.parameters())
        size = sum(p.numel() * p.element_size() for p in parameters)
        yield f"{name}: network {type(value).__name__}, {sum(p.numel() for p in parameters)} parameters, {size} bytes"
    else:
        yield f"{name}: {type(value).__module__}.{type(value).__name__}"


def _array(value: torch.Tensor | np.ndarray[Any, Any]) -> str:
    if isinstance(value, torch.Tensor):
        kind, dtype = "tensor", str(value.dtype).removeprefix("torch.")
        layout = "contiguous" if value.layout == torch.strided and value.is_contiguous() else _strides(value)
        where = str(value.device) + (" requires_grad" if value.requires_grad else "")
        size = value.numel() * value.element_size()
        dense = value.detach() if value.layout == torch.strided else value.detach().to_dense()
        measures = _range(dense, torch.isfinite)
    else:
        kind, dtype = "array", str(value.dtype) + ("" if value.dtype.isnative else " (byte-swapped)")
        layout = "contiguous" if value.flags.c_contiguous else f"strides {list(value.strides)}"
        where = "cpu" + ("" if value.flags.writeable else " read-only")
        size = value.nbytes
        measures = _range(value, np.isfinite) if value.dtype.kind in "biufc" else ""
    return f"{kind} {dtype} {list(value.shape)} {layout} {where}{measures}, {size} bytes"


def _strides(value: torch.Tensor) -> str:
    return f"strides {list(value.stride())}" if value.layout == torch.strided else str(value.layout).removeprefix("torch.")


def _range(values: Any, isfinite: Callable[[Any], Any]) -> str:
    """Write range, mean and non-finite count of a tensor (on its own device) or array, a slice at a time so that memory stays small."""
    low, high, total, good = math.inf, -math.inf, 0.0, 0
    for part in _slices(values):
        part = abs(part) if part.dtype in COMPLEX else part * 1.0 if part.dtype in (torch.bool, np.dtype(bool)) else part
        part = part[isfinite(part)]
        if 0 in part.shape:
            continue
        part = part.double() if isinstance(part, torch.Tensor) else part.astype(np.float64)
        low, high = min(low, float(part.min())), max(high, float(part.max()))
        total += float(part.sum())
        good += math.prod(part.shape)
    count = math.prod(values.shape)
    bad = f", {count - good} NaN or infinite" if good < count else ""
    return f", {low:.6g} to {high:.6g} (mean {total / good:.6g}){bad}" if good else bad or ", empty"


def _slices(values: Any) -> Iterator[Any]:
    """Give views of about four million values each along the first axis."""
    if not values.shape or 0 in values.shape:
        yield values.reshape(-1)
        return
    rows = max(1, 2**22 // math.prod(values.shape[1:]))
    for first in range(0, values.shape[0], rows):
        yield values[first : first + rows]
