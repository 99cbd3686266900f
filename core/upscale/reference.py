"""The original Real-ESRGAN package (``pip install realesrgan``, extra `reference`) as an engine, to compare with."""
from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ..arrays import to_frames
from .denoise_blend import weak_partner
from .engine import Pending, Remembered
from .family import ModelError

_GONE = "torchvision.transforms.functional_tensor"

_lock = threading.Lock()


@contextmanager
def gone_module() -> Iterator[None]:
    """Stand in for a module that torchvision dropped and the package's dependency imports one function from, inside the block only."""
    with _lock:
        stands = _GONE not in sys.modules and importlib.util.find_spec(_GONE) is None
        if stands:
            stand_in: Any = types.ModuleType(_GONE)
            stand_in.rgb_to_grayscale = importlib.import_module("torchvision.transforms.functional").rgb_to_grayscale
            sys.modules[_GONE] = stand_in
        try:
            yield
        finally:
            if stands:
                del sys.modules[_GONE]


def original() -> Any:
    """Import the package.

    Raises:
        ModelError: it is not installed, or does not import here.
    """
    try:
        with gone_module():
            package = importlib.import_module("realesrgan")
            importlib.import_module("basicsr.archs.rrdbnet_arch")
    except ImportError as error:
        raise ModelError(f"The engine realesrgan needs its package, which does not import here ({error}). "
                         "Install it with `pip install realesrgan`, or set engine to torch.") from error
    return package


class ReferenceEngine:
    """The package's own `RealESRGANer`, one frame at a time, float32, without its rounding to 8 bits."""

    def __init__(self, path: Path, descriptor: Any, denoise: float = 1.0) -> None:
        """Open a model.

        Args:
            path: the file; its tensors stand under ``params_ema`` or ``params``, as published.
            descriptor: the same file as spandrel describes it, which tells the size of the network.
            denoise: see `denoise_blend`.

        Raises:
            ModelError: the package is missing, or the network is not of the Real-ESRGAN family.
        """
        package = original()
        network = _network(descriptor, path.name)
        files: Any = str(path) if denoise == 1 else [str(path), str(weak_partner(path))]
        try:
            self._original = package.RealESRGANer(
                scale=int(descriptor.scale), model_path=files, dni_weight=None if denoise == 1 else [denoise, 1 - denoise],
                model=network, tile=0, pre_pad=0, half=False)
        except (KeyError, RuntimeError) as error:
            raise ModelError(
                f"The engine realesrgan cannot read {path.name} ({error}); it takes files as published. Set engine to torch.") from error
        self.scale = int(descriptor.scale)
        self.channels = 3
        self.multiple = int(descriptor.size_requirements.multiple_of)
        self.most = 2**20
        self.batches = False
        self.remembered: Remembered = {}

    @contextmanager
    def session(self) -> Iterator[Callable[[torch.Tensor], Pending]]:
        """Give what starts the package on tiles (see `Engine`); it put its network on a device of its own choice already."""
        yield lambda tiles: Pending(torch.cat([self._one(tile) for tile in tiles]))

    @torch.inference_mode()
    def _one(self, tile: torch.Tensor) -> torch.Tensor:
        self._original.pre_process(to_frames(tile.permute(1, 2, 0))[0])
        self._original.process()
        made: torch.Tensor = self._original.post_process()
        return made.float().cpu().clamp(0, 1)


def _network(descriptor: Any, name: str) -> torch.nn.Module:
    """Make the package's own network of the size that spandrel found."""
    form = descriptor.model
    made: torch.nn.Module
    if descriptor.architecture.id == "Compact":
        archs = importlib.import_module("realesrgan.archs.srvgg_arch")
        made = archs.SRVGGNetCompact(num_feat=form.num_feat, num_conv=form.num_conv, upscale=form.upscale, act_type=form.act_type)
        return made
    if descriptor.architecture.id == "ESRGAN":
        archs = importlib.import_module("basicsr.archs.rrdbnet_arch")
        blocks = sum(type(part).__name__ == "RRDB" for part in descriptor.model.modules())
        features = next(part for part in descriptor.model.modules() if isinstance(part, torch.nn.Conv2d)).out_channels
        made = archs.RRDBNet(num_in_ch=3, num_out_ch=3, scale=int(descriptor.scale), num_feat=features, num_block=blocks)
        return made
    raise ModelError(
        f"The engine realesrgan runs the Real-ESRGAN family alone; {name} is a {descriptor.architecture.name}. Set engine to torch.")
