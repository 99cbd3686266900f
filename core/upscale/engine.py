"""What turns a tile into a larger one: an engine. Here is the usual one, a spandrel network in torch."""
from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch

from .family import ModelError
from .lean import LeanRRDB, has_rrdb_form
from .quick import QuickCompact, has_compact_form

Precision = Literal["auto", "float32", "bfloat16", "float16"]

CPU_MEMORY = 80 * 2**20
"""Bytes that a tile may take while it is worked on, on the CPU."""

MOST_PIXELS = 2**20
"""No tile is larger than this, however much memory there is: beyond it nothing gets faster."""


Remembered = dict[Any, tuple[torch.Tensor, torch.Tensor]]
"""Tiles of the frame before, by size and place: what went in and what came out. An equal input gives the same output, so what is
remembered can save work but never change a result."""


class Engine(Protocol):
    """Turns tiles into larger ones.

    Attributes:
        scale: how many times higher and wider they get.
        channels: 1 or 3.
        multiple: tiles should start and end at multiples of this, px.
        most: pixels that it takes at once.
        batches: whether small frames are run together. On a CPU that gains nothing, and where a clip is cut would show in the last bit.
        remembered: tiles of the frame before (see `tiled.Memory`).
    """

    scale: int
    channels: int
    multiple: int
    most: int
    batches: bool
    remembered: Remembered

    def session(self) -> AbstractContextManager[Callable[[torch.Tensor], Pending]]:
        """Hold the network where it computes, and give what starts it on tiles.

        The callable takes ``[N,C,h,w]`` float32 on the CPU, 0..1, and gives a `Pending` of ``[N,C,h*scale,w*scale]``.
        """


@dataclass(frozen=True)
class Pending:
    """A result on the CPU that may still be on its way there."""

    tensor: torch.Tensor
    arrived: torch.cuda.Event | None = None

    def wait(self) -> torch.Tensor:
        """Give the result, float32 on the CPU, once it has arrived."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.tensor


@contextmanager
def on_best_device(network: torch.nn.Module, memory: int) -> Iterator[torch.nn.Module]:
    """Hold a network on the GPU where there is one, else on the CPU."""
    yield network.to("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Runtime:
    """Where networks run. The defaults are for no host; inside ComfyUI its nodes hand in ComfyUI's model management.

    Attributes:
        hold: context that holds a network, of which a run needs so many bytes beside the weights, on the device it computes on.
        out_of_memory: exceptions that mean that the device's memory is full.
    """

    hold: Callable[[torch.nn.Module, int], AbstractContextManager[torch.nn.Module]] = on_best_device
    out_of_memory: tuple[type[BaseException], ...] = (torch.cuda.OutOfMemoryError, MemoryError)

    def ran_out(self, error: BaseException) -> bool:
        """Say whether an error means that memory is full; torch's CPU allocator has no exception type of its own."""
        text = str(error)
        return isinstance(error, self.out_of_memory) or (
            isinstance(error, RuntimeError) and ("can't allocate memory" in text or "not enough memory" in text or "out of memory" in text))


Call = Callable[[torch.Tensor], torch.Tensor]


class TorchEngine:
    """A network as spandrel describes it, in ``channels_last`` layout; on the CPU in float32 by Winograd (see `quick`, `dense`).

    The described network's own dtype is never changed, since others on the wire may use it: a lower precision works on a copy.
    """

    def __init__(self, descriptor: Any, precision: Precision = "auto", runtime: Runtime | None = None) -> None:
        """Take a network.

        Args:
            descriptor: spandrel's ImageModelDescriptor (ComfyUI's UPSCALE_MODEL).
            precision: ``auto`` is float32 on the CPU and, on a GPU, float16 or bfloat16, whichever the network allows.
            runtime: where it runs.

        Raises:
            ModelError: the network does not work in that precision.
        """
        self._descriptor = descriptor
        self._precision = precision
        self._runtime = runtime or Runtime()
        self._copies: dict[torch.dtype, tuple[torch.nn.Module, Call]] = {}
        self.remembered: Remembered = {}
        self.scale = int(descriptor.scale)
        self.channels = int(descriptor.input_channels)
        self.multiple = int(descriptor.size_requirements.multiple_of)
        self._smallest = max(1, int(descriptor.size_requirements.minimum))
        # oneDNN takes other paths for some batches than for one frame (off by an ulp), and convolutions keep the CPU busy with one as well.
        self.batches = torch.cuda.is_available()
        self._cost = bytes_per_pixel(descriptor)
        self.most = _most(self._cost)
        for dtype, allowed in ((torch.float16, descriptor.supports_half), (torch.bfloat16, descriptor.supports_bfloat16)):
            if precision == str(dtype).removeprefix("torch.") and not allowed:
                raise ModelError(f"{descriptor.architecture.name} does not work in {precision}; set precision to auto or float32.")

    @contextmanager
    def session(self) -> Iterator[Callable[[torch.Tensor], Pending]]:
        """Hold the network on its device (see `Engine`)."""
        network, _ = self._prepared(self._dtype("cuda" if torch.cuda.is_available() else "cpu"))
        with self._runtime.hold(network, self.most * self._cost) as held:
            device = next(held.parameters()).device
            dtype = self._dtype(device.type)
            network, call = self._prepared(dtype)
            network.to(device=device)
            yield lambda tiles: self._start(call, tiles, device, dtype)

    def _dtype(self, device: str) -> torch.dtype:
        if self._precision != "auto":
            chosen: torch.dtype = getattr(torch, self._precision)
            return chosen
        if device != "cuda":
            return torch.float32
        return torch.float16 if self._descriptor.supports_half else torch.bfloat16 if self._descriptor.supports_bfloat16 else torch.float32

    def _prepared(self, dtype: torch.dtype) -> tuple[torch.nn.Module, Call]:
        """Give a network in `dtype` and what calls it; made at the first use."""
        if dtype not in self._copies:
            described = self._descriptor if dtype == torch.float32 else copy.deepcopy(self._descriptor).to(dtype=dtype)
            network: torch.nn.Module = described.model
            call = described
            if has_rrdb_form(network):
                network = call = LeanRRDB(network)
            elif dtype == torch.float32 and has_compact_form(network):
                network = call = QuickCompact(network)
            network.eval().to(memory_format=torch.channels_last)
            self._copies[dtype] = network, call
        return self._copies[dtype]

    @torch.inference_mode()
    def _start(self, call: Call, tiles: torch.Tensor, device: torch.device, dtype: torch.dtype) -> Pending:
        height, width = tiles.shape[2:]
        tiles = padded(tiles, self._smallest, self.multiple)
        on_gpu = device.type == "cuda"
        if on_gpu:
            tiles = tiles.contiguous(memory_format=torch.channels_last).pin_memory()
        tiles = tiles.to(device=device, dtype=dtype, memory_format=torch.channels_last, non_blocking=on_gpu)
        made = call(tiles)[..., : height * self.scale, : width * self.scale].float().clamp_(0, 1)
        if not on_gpu:
            return Pending(made)
        host = torch.empty(made.shape, dtype=made.dtype, pin_memory=True)
        host.copy_(made, non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        arrived.record()
        return Pending(host, arrived)


def bytes_per_pixel(descriptor: Any) -> int:
    """Estimate what a network needs while it works, in bytes a pixel of its input, as float32.

    Measured for the Real-ESRGAN family (weights and result not counted), a generous guess for others.
    """
    if has_rrdb_form(descriptor.model):
        return 3400 // int(descriptor.model.shuffle_factor or 1) ** 2 + 16 * int(descriptor.scale) ** 2
    if descriptor.architecture.id == "Compact":
        return 900
    return 1024 * int(descriptor.scale) ** 2


def _most(cost: int) -> int:
    if not torch.cuda.is_available():
        return CPU_MEMORY // cost
    free, _ = torch.cuda.mem_get_info()
    return max(2**14, min(MOST_PIXELS, free // 2 // cost))


def padded(tiles: torch.Tensor, smallest: int, multiple: int) -> torch.Tensor:
    """Bring ``[N,C,h,w]`` to a size that the network takes, mirrored at the far edges (repeated where there is too little to mirror)."""
    height, width = tiles.shape[2:]
    right, below = (max(smallest, -(-size // multiple) * multiple) - size for size in (width, height))
    if not right and not below:
        return tiles
    mode = "reflect" if right < width and below < height else "replicate"
    return torch.nn.functional.pad(tiles, (0, right, 0, below), mode=mode)
