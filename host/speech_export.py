"""Where speech references go, and the encoder beside them in other formats."""
from __future__ import annotations

from pathlib import Path

from ..core.audio.checkpoint import load_encoder
from ..core.audio.network_export import export_coreml, export_onnx
from ..core.audio.speech import Speech
from .comfy import module
from .folders import find_model
from .speech import FOLDER, NO_CHECKPOINT


def reference_folder(name: str) -> Path:
    """Give the folder of a data set: under ComfyUI's output, or under ``output`` in the working folder.

    Raises:
        ValueError: a name that is empty or leads out of there.
    """
    paths = module("folder_paths")
    root = Path(paths.get_output_directory() if paths else "output").resolve()
    place = (root / name).resolve()
    if not name.strip() or place == root or root not in place.parents:
        raise ValueError(f'folder is "{name}"; it must be a name under {root}, e.g. "speech_reference".')
    return place


def export_networks(speech: Speech, folder: Path, checkpoint: str | Path, *, onnx: bool, coreml: bool) -> list[Path]:
    """Write the encoder that a speech was made with into a folder, as ONNX and CoreML.

    Raises:
        ValueError: no checkpoint, or another one than the speech was made with.
    """
    if not onnx and not coreml:
        return []
    if str(checkpoint) in ("", NO_CHECKPOINT):
        raise ValueError("Writing the encoder takes its checkpoint. Pick the one that the speech was made with.")
    encoder = load_encoder(find_model(FOLDER, str(checkpoint)) or Path(checkpoint))
    if encoder.sha256 != speech.encoder[1]:
        made = speech.encoder[0] or "no encoder"
        raise ValueError(f"The speech was made with {made}, not with {encoder.name}: the data set would not fit the network.")
    written = [export_onnx(encoder.network, folder / "AudioEncoder.onnx", f"checkpoint sha256 {encoder.sha256}")] if onnx else []
    return [*written, export_coreml(encoder.network, folder / "AudioEncoder.mlpackage")] if coreml else written
