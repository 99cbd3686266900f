"""A reference data set for ports of the speech front end: every intermediate result of one sound, with hashes and instructions."""
from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import torch
from numpy.typing import NDArray
from scipy.io import wavfile

from ..progress import Progress, silent
from .context import BEFORE, CONTEXT, MODES
from .mel import STANDARD
from .resample import resampler
from .speech import Speech

SCHEMA = 1
"""Version of the layout of the data set. It goes up when a file is renamed or changes its meaning."""

TOLERANCE = 1e-3
"""The largest difference that a port may show, anywhere. The origin's papers give 1e-3 in one place and 1e-4 in another; this one holds."""

METADATA = "metadata.json"
MEL = "mel_spectrogram.npy"


def frame_names(frame: int) -> tuple[str, str]:
    """Give the names of a frame's two files: the sixteen rows, and the tensor they become."""
    return f"frames/frame_{frame:05d}_window.npy", f"frames/frame_{frame:05d}_reshaped.npy"


def export_reference(speech: Speech, folder: Path, audio_path: str = "", progress: Progress = silent) -> Path:
    """Write the data set of a speech with features.

    The folder appears complete or not at all. One that holds an earlier data set is replaced; any other that is not empty is refused.

    Args:
        speech: of mode ave, hubert or wenet.
        folder: made, with its parents.
        audio_path: the name of the sound, for the record.
        progress: told of the frames written; may raise to cancel.

    Raises:
        ValueError: the speech has no features.
        FileExistsError: the folder holds something else.
    """
    if speech.rows is None or speech.mode == "mel":
        raise ValueError('The speech holds the mel only; a reference is about features. Encode it with mode "ave", "hubert" or "wenet".')
    if folder.exists() and any(folder.iterdir()) and not (folder / METADATA).is_file():
        raise FileExistsError(f"{folder} is not empty and holds no earlier data set. Name a new folder.")
    making = folder.with_name(folder.name + ".partial")
    shutil.rmtree(making, ignore_errors=True)
    (making / "frames").mkdir(parents=True)
    try:
        _write(speech, making, audio_path, progress)
        if folder.exists():
            shutil.rmtree(folder)
        making.replace(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return folder


def _write(speech: Speech, folder: Path, audio_path: str, progress: Progress) -> None:
    hashes: dict[str, str] = {}

    def save(name: str, array: NDArray[Any]) -> None:
        np.save(folder / name, array, allow_pickle=False)
        hashes[name] = _sha256(folder / name)

    wavfile.write(folder / "reference_audio.wav", speech.sample_rate, speech.sound[0])
    hashes["reference_audio.wav"] = _sha256(folder / "reference_audio.wav")
    save(MEL, speech.mel)
    save("mel_windows.npy", speech.windows())
    rows: NDArray[np.float32] = speech.rows  # type: ignore[assignment]  # the caller has seen to it
    save("audio_features_raw.npy", rows if speech.raw is None else speech.raw)
    save("audio_features_padded.npy", rows)
    for frame in range(speech.frames):
        for name, reshape in zip(frame_names(frame), (False, True), strict=True):
            save(name, speech.get_frame_features(frame, reshape))
        progress(frame + 1, speech.frames)
    for name, content in (("summary.json", summary(speech)), ("VALIDATION_INSTRUCTIONS.json", instructions(speech))):
        _dump(folder / name, content)
        hashes[name] = _sha256(folder / name)
    _dump(folder / METADATA, metadata(speech, audio_path, hashes))


def metadata(speech: Speech, audio_path: str, hashes: Mapping[str, str]) -> dict[str, Any]:
    """Give the content of metadata.json: the origin's fields, then what makes the set checkable."""
    facts = speech.summary()
    raw = facts["raw"] or facts["rows"]
    return {
        "audio_path": audio_path, "mode": speech.mode, "fps": float(speech.fps), "n_frames": speech.frames,
        "mel_shape": facts["mel"]["shape"], "mel_windows_shape": [len(speech.starts), 1, *speech.mel.shape[:1], 16],
        "features_shape": raw["shape"], "features_padded_shape": facts["rows"]["shape"],
        "mel_value_range": [facts["mel"]["low"], facts["mel"]["high"]], "features_value_range": [raw["low"], raw["high"]],
        "schema_version": SCHEMA, "fps_exact": str(speech.fps), "border_rule": speech.border, "n_rows": facts["rows"]["shape"][0],
        "n_windows": len(speech.starts), "sample_rate": speech.sample_rate, "samples": speech.sound.shape[1],
        "checkpoint": speech.encoder[0], "checkpoint_sha256": speech.encoder[1], "source_sha256": speech.source,
        "notes": list(speech.notes),
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__, "torch": torch.__version__,
                     "resampler": resampler()},
        "files": dict(sorted(hashes.items())),
    }


def summary(speech: Speech) -> dict[str, Any]:
    """Give the content of summary.json."""
    shape = MODES[speech.mode]  # type: ignore[index]  # never called for a mel
    return {"total_frames": speech.frames, "mode": speech.mode, "fps": float(speech.fps), "window_shape": [CONTEXT, *shape.row],
            "reshaped_shape": list(shape.tensor)}


def instructions(speech: Speech) -> dict[str, Any]:
    """Give the content of VALIDATION_INSTRUCTIONS.json."""
    before, after = BEFORE, CONTEXT - BEFORE - 1
    return {
        "title": "Validation of a port of the speech front end",
        "description": "Feed reference_audio.wav to the port, write its arrays under the same names, and compare every value.",
        "steps": [
            f"mel_spectrogram.npy [80,T]: pre-emphasis {STANDARD.preemphasis}, centred STFT of {STANDARD.window} every {STANDARD.hop} "
            "samples with zeros beyond both ends, magnitude, 80 Slaney bands, dB, -4..4. T = 1 + samples // 200.",
            "mel_windows.npy [n,1,80,16]: window i starts at floor(80 i / fps), the last ones moved back to fit.",
            "audio_features_raw.npy: one feature a window, from the encoder in float32.",
            "audio_features_padded.npy: a copy of the first feature before them, of the last one after them.",
            f"frames/frame_NNNNN_window.npy: rows i-{before} .. i+{after} of the padded features; rows that are not there "
            f'by the border rule "{speech.border}".',
            "frames/frame_NNNNN_reshaped.npy: the same values in the shape of the picture network, row-major.",
            "Run `talkies validate-reference REFERENCE CANDIDATE`.",
        ],
        "files": {"float32 .npy, C order": "every array", METADATA: "shapes, ranges, versions, and the sha256 of every other file"},
        "validation_criteria": {
            "shapes": "equal", "mel_range": [-STANDARD.top, STANDARD.top], "max_abs_difference": TOLERANCE, "nan_or_infinity": "none",
            "missing_files": "none",
        },
    }


def _dump(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
