"""TensorFlow Lite networks through LiteRT, the interpreter that runs beside NumPy 2."""
from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .interface import DetectorError

INSTALL = "pip install ai-edge-litert"


def load_interpreter() -> Any:
    """Give LiteRT's `Interpreter` class.

    Raises:
        DetectorError: its package is not installed.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise DetectorError(f"The face mesh runs through LiteRT, which is not installed. Get it with `{INSTALL}`.") from error
    return Interpreter


class Network:
    """One .tflite file, with its tensors allocated; `run` takes one input and gives every output, flat, by its length."""

    def __init__(self, path: Path, threads: int = 2) -> None:
        interpreter = load_interpreter()
        try:
            self._net = interpreter(model_content=path.read_bytes(), num_threads=threads)
            self._net.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise DetectorError(f"{path} is not a TensorFlow Lite file that LiteRT reads ({error}). Get it again.") from error
        # An interpreter owns one set of buffers, so calls from several threads take turns.
        self._lock = threading.Lock()
        self._input = self._net.get_input_details()[0]
        self._outputs = {int(np.prod(d["shape"])): d["index"] for d in self._net.get_output_details()}
        self.path = path
        self.size = int(self._input["shape"][1])

    def expect(self, size: int, *lengths: int) -> None:
        """Check the input side and output lengths.

        Raises:
            DetectorError: it is another network than the one expected.
        """
        if self.size != size or not set(lengths) <= set(self._outputs):
            raise DetectorError(f"{self.path} takes {self.size} px and gives {sorted(self._outputs)} values; wanted is a network of "
                                f"{size} px that gives {sorted(lengths)}. It is another model than its name says.")

    def run(self, picture: NDArray[np.float32]) -> dict[int, NDArray[np.float32]]:
        """Run on ``[size,size,3]`` float32; gives output length -> flat float32 values."""
        with self._lock:
            self._net.set_tensor(self._input["index"], picture[None])
            self._net.invoke()
            return {n: np.array(self._net.get_tensor(i), np.float32).reshape(-1) for n, i in self._outputs.items()}
