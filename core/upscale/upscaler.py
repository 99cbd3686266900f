"""From a model's name, or a network on the wire, to the engine that runs it; engines are kept while their files stay the same."""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from .denoise_blend import weak_partner
from .engine import Engine, Precision, Runtime, TorchEngine
from .family import ModelError, find_model
from .loader import checked, load_model

Kind = Literal["torch", "openvino", "realesrgan"]

Stamp = tuple[str, int, int]


@dataclass(frozen=True, eq=False)
class Upscaler:
    """Where networks come from and where they run.

    Attributes:
        descriptor: a loaded network (ComfyUI's UPSCALE_MODEL); None to find one by its name.
        folders: where names are looked up; None for the folders that hold without a host.
        runtime: the device and its memory.
    """

    descriptor: Any = None
    folders: tuple[Path, ...] | None = None
    runtime: Runtime = field(default_factory=Runtime)
    _made: dict[Precision, TorchEngine] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse a network that takes no single RGB or gray image.

        Raises:
            ModelError: names what it is instead.
        """
        if self.descriptor is not None:
            from spandrel import ImageModelDescriptor

            checked(self.descriptor, ImageModelDescriptor, "upscale_model")

    def engine(self, model: str, denoise: float, precision: Precision, kind: Kind) -> Engine:
        """Give the engine.

        Raises:
            ModelError: the model is missing or of the wrong kind, or the engine cannot run it.
        """
        if self.descriptor is None:
            path = find_model(model, self.folders)
            partner = None if denoise == 1 else weak_partner(path)
            return _opened(_stamp(path), None if partner is None else _stamp(partner), denoise, precision, kind, self.runtime)
        if kind != "torch":
            raise ModelError(f"The engine {kind} reads a model's file, so it cannot run one that comes over a wire. Choose it by its name.")
        if denoise != 1:
            raise ModelError("denoise below 1 blends two model files, so not one that came over a wire. Choose it by its name.")
        if precision not in self._made:
            self._made[precision] = TorchEngine(self.descriptor, precision, self.runtime)
        return self._made[precision]


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return str(path.resolve()), status.st_mtime_ns, status.st_size


@lru_cache(maxsize=2)
def _opened(file: Stamp, partner: Stamp | None, denoise: float, precision: Precision, kind: Kind, runtime: Runtime) -> Engine:
    """Open an engine; the stamps of the files are there so that a replaced file is read again."""
    path = Path(file[0])
    if kind == "torch":
        return TorchEngine(load_model(path, denoise), precision, runtime)
    if precision not in ("auto", "float32") and kind == "realesrgan":
        raise ModelError("The reference engine realesrgan runs in float32; set precision to auto or float32.")
    if kind == "realesrgan":
        from .reference import ReferenceEngine

        return ReferenceEngine(path, load_model(path), denoise)
    from .openvino_engine import OpenVinoEngine

    return OpenVinoEngine(load_model(path, denoise), precision)
