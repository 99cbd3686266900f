"""The AudioEncoder for other runtimes: ONNX, written node by node, and CoreML."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..arrays import as_float32, to_waveform
from ..progress import Progress, silent
from .context import Rows
from .encoder import FEATURES, INPUT, LAYERS, FoldedEncoder
from .mel import Mel
from .windows import Starts, cut_windows

OPSET = 17
LARGEST_BATCH = 1024


def export_onnx(network: FoldedEncoder, path: Path, note: str = "") -> Path:
    """Write the encoder as one ONNX file: input ``mel_input [batch,1,80,16]``, output ``features [batch,512]``, any batch, float32.

    Args:
        network: the folded encoder, on the CPU.
        path: ends in .onnx.
        note: kept in the file as its description, e.g. the checkpoint's sha256.

    Raises:
        ImportError: onnx is not installed.
    """
    try:
        from onnx import TensorProto, checker, helper, numpy_helper, save_model
    except ImportError as error:
        raise ImportError("Writing ONNX takes the onnx package, which is not installed: pip install onnx.") from error
    nodes, weights, flow = [], [], "mel_input"
    for i, convolution in enumerate(network.convolutions):
        for name in ("weight", "bias"):
            values = _values(getattr(convolution, name))
            weights.append(numpy_helper.from_array(values, f"conv{i}.{name}"))
        pads = [int(n) for n in (*convolution.padding, *convolution.padding)]
        nodes.append(helper.make_node(
            "Conv", [flow, f"conv{i}.weight", f"conv{i}.bias"], [f"conv{i}"], kernel_shape=list(convolution.kernel_size),
            strides=list(convolution.stride), pads=pads))
        if LAYERS[i].residual:
            nodes.append(helper.make_node("Add", [f"conv{i}", flow], [f"sum{i}"]))
        nodes.append(helper.make_node("Relu", [f"sum{i}" if LAYERS[i].residual else f"conv{i}"], [f"relu{i}"]))
        flow = f"relu{i}"
    nodes.append(helper.make_node("Flatten", [flow], ["features"], axis=1))
    graph = helper.make_graph(
        nodes, "AudioEncoder",
        [helper.make_tensor_value_info("mel_input", TensorProto.FLOAT, ["batch", *INPUT])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", FEATURES])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="talkies", doc_string=note)
    model.ir_version = 8
    checker.check_model(model)
    save_model(model, str(path))
    return path


def export_coreml(network: FoldedEncoder, path: Path) -> Path:
    """Write the encoder as a CoreML .mlpackage in float32 (float16, CoreML's default, is 1e-2 off), batch 1 to 1024, iOS 15 and later.

    Raises:
        ImportError: coremltools is not installed.
        ValueError: the path does not end in .mlpackage.
    """
    if path.suffix != ".mlpackage":
        raise ValueError(f"{path.name}: CoreML's ML programs are saved as .mlpackage (a .mlmodel cannot hold them).")
    try:
        import coremltools
    except ImportError as error:
        raise ImportError("Writing CoreML takes the coremltools package, which is not installed: pip install coremltools.") from error
    plain: Any = _Bare(network.convolutions).to(memory_format=torch.contiguous_format).eval()
    traced = torch.jit.trace(plain, torch.zeros(1, *INPUT))  # type: ignore[no-untyped-call]
    batch = coremltools.RangeDim(1, LARGEST_BATCH, default=1)
    model = coremltools.convert(
        traced, convert_to="mlprogram", compute_precision=coremltools.precision.FLOAT32,
        minimum_deployment_target=coremltools.target.iOS15,
        inputs=[coremltools.TensorType(name="mel_input", shape=(batch, *INPUT))], outputs=[coremltools.TensorType(name="features")])
    model.save(str(path))
    return path


class OnnxEncoder:
    """The encoder through onnxruntime, on the CPU."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Load an exported encoder; `threads` 0 lets onnxruntime choose.

        Raises:
            ImportError: onnxruntime is not installed.
            ValueError: not an ONNX file, or not this encoder's.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise ImportError("Running ONNX takes the onnxruntime package, which is not installed: pip install onnxruntime.") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        broken = (RuntimeError, ValueError, onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf)
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except broken as error:
            raise ValueError(f"{path.name} is not a model that onnxruntime can run: {error}") from error
        inputs = [(entry.name, entry.shape[1:]) for entry in self._session.get_inputs()]
        if inputs != [("mel_input", list(INPUT))]:
            raise ValueError(f"{path.name} has inputs {inputs}; an exported AudioEncoder has one, mel_input [batch,1,80,16].")

    def __call__(self, windows: np.ndarray[Any, np.dtype[np.float32]]) -> Rows:
        """Map windows ``[B,1,80,16]`` float32 to features ``[B,512]``."""
        features: Rows = self._session.run(["features"], {"mel_input": as_float32(windows)})[0]
        return features

    def encode(self, mel: Mel, starts: Starts, batch: int = 64, progress: Progress = silent) -> Rows:
        """Run on windows of a mel, as `encoder.encode` does: ``[n,512]``."""
        places, inverse = np.unique(starts, return_inverse=True)
        features = np.empty((len(places), FEATURES), np.float32)
        for first in range(0, len(places), batch):
            features[first : first + batch] = self(cut_windows(mel, places[first : first + batch]))
            progress(min(first + batch, len(places)), len(places))
        return features[inverse]


class _Bare(torch.nn.Module):
    """The network without its shape check, which a tracer cannot follow."""

    def __init__(self, convolutions: list[torch.nn.Conv2d]) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(*convolutions)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        for i, convolution in enumerate(self.layers):
            made = convolution(windows)
            windows = torch.relu(made + windows if LAYERS[i].residual else made)
        return windows.flatten(1)


def _values(weights: torch.Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    flat = to_waveform(weights.detach().reshape(1, -1), "weights")
    return flat.reshape(tuple(weights.shape))
