"""A network run by OpenVINO on the CPU (``pip install openvino``, extra `openvino`)."""
from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ..arrays import to_frames, to_image
from .engine import CPU_MEMORY, Pending, Precision, Remembered, bytes_per_pixel, padded
from .family import ModelError


class OpenVinoEngine:
    """A spandrel network, converted once when it is opened."""

    def __init__(self, descriptor: Any, precision: Precision = "auto") -> None:
        """Convert a network.

        Args:
            descriptor: spandrel's ImageModelDescriptor.
            precision: ``auto`` is float32.

        Raises:
            ModelError: OpenVINO is missing, cannot convert the network, or was asked for float16.
        """
        if precision == "float16":
            raise ModelError("The engine openvino runs in float32 or bfloat16; set precision to one of them.")
        try:
            openvino = importlib.import_module("openvino")
        except ImportError as error:
            raise ModelError(
                f"The engine openvino needs its package ({error}). Get it with `pip install openvino`, or set engine to torch.") from error
        self.scale = int(descriptor.scale)
        self.channels = int(descriptor.input_channels)
        self.multiple = int(descriptor.size_requirements.multiple_of)
        self.most = CPU_MEMORY // bytes_per_pixel(descriptor)
        self.batches = False
        self.remembered: Remembered = {}
        self._smallest = max(1, int(descriptor.size_requirements.minimum))
        side = max(8, self._smallest)
        try:
            network, example = descriptor.model.cpu().float().eval(), torch.zeros(1, self.channels, side, side)
            converted = openvino.convert_model(network, example_input=example, input=[-1, self.channels, -1, -1])
            self._compiled = openvino.compile_model(converted, "CPU", {
                "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32", "PERFORMANCE_HINT": "LATENCY"})
        except RuntimeError as error:
            name = descriptor.architecture.name
            raise ModelError(f"OpenVINO cannot run {name} ({str(error).splitlines()[0]}). Set engine to torch.") from error

    @contextmanager
    def session(self) -> Iterator[Callable[[torch.Tensor], Pending]]:
        """Give what runs tiles (see `Engine`)."""
        yield self._run

    def _run(self, tiles: torch.Tensor) -> Pending:
        height, width = tiles.shape[2:]
        planes = padded(tiles, self._smallest, self.multiple)
        made = to_image(self._compiled([to_frames_of_planes(planes)])[0])
        return Pending(made[..., : height * self.scale, : width * self.scale].clamp(0, 1))


def to_frames_of_planes(planes: torch.Tensor) -> Any:
    """Give ``[N,C,h,w]`` as a contiguous float32 array of the same order."""
    count, channels, height, width = planes.shape
    return to_frames(planes.reshape(count * channels, height, width, 1)).reshape(count, channels, height, width)
