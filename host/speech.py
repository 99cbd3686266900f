"""Speech features by the network that a mode asks for, found in the model folders and run under the host's memory management."""
from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ..core.arrays import ArrayError, Waveform, as_float32
from ..core.audio.checkpoint import load_encoder
from ..core.audio.context import MODES, Border, Mode
from ..core.audio.hubert import hubert_rows, load_hubert
from ..core.audio.network_export import OnnxEncoder
from ..core.audio.speech import Speech, SpeechMode, hear, with_encoder, with_rows
from ..core.audio.wenet import load_wenet, wenet_rows
from ..core.progress import Progress, part, silent
from ..core.report import Report
from .devices import loaded
from .folders import find_model, model_folders

FOLDER = "audio_encoders"
"""The kind of model folder that the encoders lie in; ComfyUI's own name for it."""

NO_CHECKPOINT = "none"

WANTED: dict[Mode, str] = {
    "ave": "SyncTalk_2D's audio_visual_encoder.pth (or the AudioEncoder.onnx that Export Speech Reference makes of it)",
    "hubert": "a folder with config.json and model.safetensors of facebook/hubert-large-ls960-ft",
    "wenet": "the encoder.onnx of a WeNet conformer",
}


def encode_speech(
    waveform: Waveform, rate: int, *, mode: str, fps: Fraction, checkpoint: str | Path = NO_CHECKPOINT, border: str = "zeros",
    frames: int | None = None, preset: str = "standard", features: Path | None = None, progress: Progress = silent,
) -> tuple[Speech, Report]:
    """Make speech of a sound in any mode.

    Args:
        waveform: ``[C,T]`` float32.
        rate: Hz.
        mode: ave, hubert, wenet or mel.
        checkpoint: a name in the model folders, or a path; ``none`` where `features` are given or the mode is mel.
        fps: video frames a second.
        border: zeros, edge or legacy.
        frames: how many video frames; None for what the sound gives.
        preset: must be ``standard`` unless the mode is mel.
        features: precomputed features (.npy) of that mode.
        progress: told how far it is; may raise to cancel.

    Raises:
        ValueError: an unknown mode or border, the enhanced preset with a network, or no checkpoint where one is needed.
        FileNotFoundError: no such checkpoint or features.
    """
    if mode not in get_args(SpeechMode) or border not in get_args(Border):
        modes, borders = (", ".join(get_args(kind)) for kind in (SpeechMode, Border))
        raise ValueError(f"mode is {mode!r} and border {border!r}; modes are {modes}, borders {borders}.")
    rule: Border = border  # type: ignore[assignment]  # just looked at
    if mode == "mel":
        speech = hear(waveform, rate, fps, border=rule, frames=frames, progress=progress)
        return speech, speech_report(speech)
    if preset != "standard":
        raise ValueError(
            f"The {preset} preset is to look at and to export; no published encoder takes it (128 bands give its network a shape it was "
            f'never trained on). Use preset "standard" with mode {mode}, or mode "mel".')
    network: Mode = mode  # type: ignore[assignment]
    speech = hear(waveform, rate, fps, border=rule, frames=frames, progress=part(progress, 0, 2))
    if features is not None:
        speech = with_rows(speech, network, _precomputed(features), (features.name, ""), frames)
    else:
        speech = _encoded(speech, network, _path(checkpoint, network), frames, part(progress, 1, 2))
    return speech, speech_report(speech)


def speech_report(speech: Speech) -> Report:
    """Give what was made as named figures."""
    facts = speech.summary()
    figures: dict[str, Any] = {
        "mode": speech.mode, "frames per second": str(speech.fps), "video frames": speech.frames, "mel windows": len(speech.starts),
        "mel columns": speech.mel.shape[1], "seconds": facts["seconds"], "border rule": speech.border,
        "mel lowest": facts["mel"]["low"], "mel highest": facts["mel"]["high"],
    }
    if facts["rows"]:
        figures |= {"feature rows": facts["rows"]["shape"][0], "feature size": int(np.prod(facts["rows"]["shape"][1:])),
                    "features lowest": facts["rows"]["low"], "features highest": facts["rows"]["high"],
                    "network": speech.encoder[0], "network sha256": speech.encoder[1]}
    figures |= {f"note {i}": note for i, note in enumerate(speech.notes, 1)}
    return Report("Audio Encode", figures)


def _path(checkpoint: str | Path, mode: Mode) -> Path:
    if str(checkpoint) in ("", NO_CHECKPOINT):
        folders = ", ".join(str(folder) for folder in model_folders(FOLDER))
        raise ValueError(
            f'Mode {mode} needs its network: {WANTED[mode]}. Put it into {folders} and pick it as "checkpoint"; or hand in precomputed '
            f'features (.npy, [n,{",".join(map(str, MODES[mode].row))}]); or use mode "mel", which needs none.')
    path = find_model(FOLDER, str(checkpoint)) or Path(checkpoint)
    if not path.exists():
        raise FileNotFoundError(f"There is no {checkpoint}. Mode {mode} needs {WANTED[mode]}.")
    return path


def _encoded(speech: Speech, mode: Mode, path: Path, frames: int | None, progress: Progress) -> Speech:
    if mode == "ave" and path.suffix == ".onnx":
        return with_encoder(speech, OnnxEncoder(path), (path.name, hashlib.sha256(path.read_bytes()).hexdigest()), progress=progress)
    if mode == "ave":
        encoder = load_encoder(path)
        with loaded(encoder.network, memory=256 * 2**20) as network:
            return with_encoder(speech, network, (encoder.name, encoder.sha256), progress=progress)
    if mode == "hubert":
        hubert = load_hubert(path)
        with loaded(hubert.network, memory=4 * 2**30) as network:
            rows = hubert_rows(network, speech.sound, speech.fps, frames, progress)
        return with_rows(speech, mode, rows, (hubert.name, hubert.sha256), frames)
    wenet = load_wenet(path)
    rows = wenet_rows(wenet, speech.sound, speech.fps, frames, progress)
    return with_rows(speech, mode, rows, (wenet.name, wenet.sha256), frames)


def _precomputed(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    if not path.is_file():
        raise FileNotFoundError(f"There are no features {path}. Give the path of a .npy file.")
    try:
        rows = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path.name} is not a .npy file of numbers ({error}).") from error
    if not isinstance(rows, np.ndarray) or rows.dtype.kind != "f":
        raise ArrayError(f"{path.name} holds {getattr(rows, 'dtype', type(rows).__name__)}; floating-point features are wanted.")
    return as_float32(rows)


