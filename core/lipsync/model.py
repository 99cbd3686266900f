"""A loaded Diff2Lip: its network in the precisions asked for, the device it runs on, and what it has drawn already."""
from __future__ import annotations

import copy
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch

from ..arrays import Frame
from ..upscale.engine import Runtime
from .checkpoint import load
from .network import LipNetwork

Precision = Literal["auto", "float32", "bfloat16", "float16"]

BYTES_A_FACE = {torch.float32: 160 * 2**20, torch.bfloat16: 100 * 2**20, torch.float16: 100 * 2**20}
"""What one face takes beside the weights while it is worked on: its feature maps (81 MiB in float32), and room for the kernels."""

MOST_FACES = 32
"""No more faces at once, however much memory there is: beyond it nothing gets faster."""

_KEPT_FACES = 256  # 48 MiB
_SHARE = 0.6  # of free memory


@dataclass(frozen=True)
class Drawn:
    """One drawn face.

    Attributes:
        picture: ``[H,W,3]``, 0..1.
        evaluations: of the network, that it took.
        error: estimated, rms over the mouth in pictures of -1..1; NaN: no estimate.
        seconds: its share of the time of its micro-batch.
    """

    picture: Frame
    evaluations: int
    error: float
    seconds: float = 0.0


class Remembered:
    """The faces drawn last, by everything they depend on: what is found here saves work and never changes a result.

    Neighbours that a finishing step asks for twice, and a node run again with another finish, are not drawn anew.
    """

    def __init__(self, most: int = _KEPT_FACES) -> None:
        self._most = most
        self._faces: OrderedDict[bytes, Drawn] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._faces)

    def get(self, key: bytes) -> Drawn | None:
        """Give a face, if it is still known."""
        with self._lock:
            found = self._faces.get(key)
            if found is not None:
                self._faces.move_to_end(key)
            return found

    def put(self, key: bytes, drawn: Drawn) -> None:
        """Keep a face; the one not asked for longest goes."""
        with self._lock:
            self._faces[key] = drawn
            while len(self._faces) > self._most:
                self._faces.popitem(last=False)


def free_memory(device: torch.device) -> int:
    """Give the bytes that a device has free for torch; 0 where that cannot be told."""
    if device.type != "cuda":
        return 0
    reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + reserved


@dataclass(frozen=True, eq=False)
class LipModel:
    """The published network, ready to draw.

    Attributes:
        network: float32, frozen.
        name: of its file.
        sha256: of its file; empty where there is none.
        path: of its file; None where there is none.
        runtime: where it runs, and which errors mean that memory is full.
        free: tells the free memory of a device, bytes.
        remembered: faces drawn already.
    """

    network: LipNetwork
    name: str = ""
    sha256: str = ""
    path: Path | None = None
    runtime: Runtime = field(default_factory=Runtime)
    free: Callable[[torch.device], int] = free_memory
    remembered: Remembered = field(default_factory=Remembered, repr=False)
    _copies: dict[torch.dtype, LipNetwork] = field(default_factory=dict, repr=False)

    @contextmanager
    def held(self, precision: Precision, faces: int = 1) -> Iterator[LipNetwork]:
        """Hold the network on the device that it computes on, in a precision; `faces` is how many will be worked on at once.

        A lower precision works on a copy, since going there and back would lose digits. ``auto`` lets float32 on a processor go by
        Winograd's convolution; ``float32`` sums as the published network does.
        """
        with self.runtime.hold(self.network, faces * BYTES_A_FACE[torch.float32]) as network:
            device = next(network.parameters()).device
            dtype = chosen_precision(precision, device)
            placed: Any = network
            if dtype != torch.float32:
                if dtype not in self._copies:
                    self._copies[dtype] = copy.deepcopy(self.network).use_precision(dtype)
                placed = self._copies[dtype]
            with torch.inference_mode():
                yield placed.placed(device, quick=precision == "auto")

    def faces_at_once(self, batch: int, device: torch.device, dtype: torch.dtype) -> int:
        """Give the number of faces an evaluation.

        On a CPU it is always one: more are not faster there, and the last bit would depend on how many there are.

        Args:
            batch: what the user asks for; 0 chooses by free memory.
            device: where it runs.
            dtype: of the feature maps.
        """
        if device.type == "cpu":
            return 1
        if batch:
            return batch
        free = self.free(device)
        return min(MOST_FACES, max(1, int(_SHARE * free / BYTES_A_FACE[dtype]))) if free else 4


def chosen_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Give the precision of the feature maps: ``auto`` is float32 on a CPU and half on a GPU, bfloat16 where it has that."""
    if precision != "auto":
        named: torch.dtype = getattr(torch, precision)
        return named
    if device.type == "cpu":
        return torch.float32
    return torch.float16 if device.type == "cuda" and not torch.cuda.is_bf16_supported() else torch.bfloat16


def open_model(path: Path, runtime: Runtime | None = None, free: Callable[[torch.device], int] = free_memory) -> LipModel:
    """Load the published checkpoint, once for as long as the file stays the same.

    Raises:
        CheckpointError: no such file, or it is something else.
    """
    status = path.stat() if path.is_file() else None
    return _opened(path.absolute(), status.st_mtime_ns if status else 0, status.st_size if status else 0, runtime or Runtime(), free)


@lru_cache(maxsize=1)
def _opened(path: Path, changed: int, size: int, runtime: Runtime, free: Callable[[torch.device], int]) -> LipModel:
    network = load(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return LipModel(network, path.name, digest.hexdigest(), path, runtime, free)
