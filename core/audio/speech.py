"""Speech as the lip-sync networks hear it: the mel, and one feature row a video frame."""
from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ..arrays import Waveform
from ..progress import Progress, silent
from .context import MODES, Border, Mode, Rows, check_rows, context
from .encoder import encode
from .mel import STANDARD, Mel, mel_spectrogram
from .network_export import OnnxEncoder
from .resample import mono, resample, resampler
from .windows import SHORTEST, WIDTH, Starts, cut_windows, natural_starts, window_starts

SpeechMode = Literal["ave", "hubert", "wenet", "mel"]
"""What the features are; ``mel`` means none, only the mel (all that Diff2Lip asks for)."""


@dataclass(frozen=True, eq=False)
class Speech:
    """What was made of one sound.

    Attributes:
        mode: which features.
        fps: video frames a second that the rows are counted in.
        border: what a context holds beyond the first and last row.
        frames: video frames that there are features for, exactly.
        sound: ``[1,samples]`` float32, mono at 16 kHz, as it was heard (short sounds with their silence).
        mel: ``[80,T]`` float32, -4..4, 80 columns a second.
        starts: ``[n]`` first mel column of each window, by SyncTalk's counting rule.
        raw: ``[n,512]``, one feature a window (ave only).
        rows: ``[frames or more, ...]``, what contexts are cut from; None in mode ``mel``.
        source: sha256 of the waveform that came in, as float32, with its rate and channel count.
        encoder: name and sha256 of the network's file; empty where there is none.
        notes: what was done to the sound or the rows beyond the rule, one sentence each.
    """

    mode: SpeechMode
    fps: Fraction
    border: Border
    frames: int
    sound: Waveform
    mel: Mel
    starts: Starts
    source: str
    raw: Rows | None = None
    rows: Rows | None = None
    encoder: tuple[str, str] = ("", "")
    notes: tuple[str, ...] = field(default=())

    sample_rate = STANDARD.sample_rate

    def windows(self) -> NDArray[np.float32]:
        """Copy out every mel window, ``[n,1,80,16]``."""
        return cut_windows(self.mel, self.starts)

    def get_frame_features(self, frame: int, reshape: bool = True) -> NDArray[np.float32]:
        """Give what video frame `frame` hears.

        Args:
            frame: 0 <= frame < `frames`.
            reshape: as the tensor of the picture network (ave ``[32,16,16]``, hubert ``[32,32,32]``, wenet ``[256,16,32]``); else the
                sixteen rows as they are, ``[16, ...]``.

        Raises:
            IndexError: no such frame.
            ValueError: there are no features, only a mel.
        """
        if self.rows is None or self.mode == "mel":
            raise ValueError('This speech holds the mel only. Make it with mode "ave", "hubert" or "wenet" to have features.')
        if not 0 <= frame < self.frames:
            raise IndexError(f"Frame {frame} was asked for; the speech has frames 0 to {self.frames - 1}.")
        rows = context(self.rows, frame, self.border)
        return rows.reshape(MODES[self.mode].tensor) if reshape else rows

    def summary(self) -> dict[str, Any]:
        """Give the facts as plain JSON values, arrays by their shape and range."""
        described = {name: _described(getattr(self, name)) for name in ("mel", "raw", "rows")}
        return {
            "mode": self.mode, "fps": str(self.fps), "border": self.border, "frames": self.frames, "windows": len(self.starts),
            "sample_rate": self.sample_rate, "samples": self.sound.shape[1], "seconds": self.sound.shape[1] / self.sample_rate,
            **described, "source_sha256": self.source, "encoder": self.encoder[0], "encoder_sha256": self.encoder[1],
            "notes": list(self.notes),
        }


def hear(
    waveform: Waveform, rate: int, fps: Fraction, *, border: Border = "zeros", frames: int | None = None, progress: Progress = silent
) -> Speech:
    """Bring a sound to 16 kHz mono and make its mel and windows: speech in mode ``mel``, which the other functions add features to.

    Args:
        waveform: ``[C,T]`` float32, finite. Fewer than 3000 samples at 16 kHz are followed by silence up to that, with a note.
        rate: its sample rate in Hz.
        fps: video frames a second.
        border: rule for the contexts.
        frames: how many video frames there are; None for the published count, windows + 2.
        progress: told of the mel columns done.

    Raises:
        ValueError: `frames` below 1.
    """
    if frames is not None and frames < 1:
        raise ValueError(f"Features for {frames} frames were asked for; at least 1 is wanted.")
    notes = []
    if rate != STANDARD.sample_rate:
        notes.append(f"Resampled from {rate} Hz to {STANDARD.sample_rate} Hz ({resampler()}).")
    if len(waveform) > 1:
        notes.append(f"Averaged {len(waveform)} channels to one.")
    sound = resample(mono(waveform), rate, STANDARD.sample_rate)
    short = SHORTEST - sound.shape[1]
    if short > 0:
        notes.append(f"The sound has {sound.shape[1]} samples at 16 kHz; {short} samples of silence follow it, to make one window.")
        sound = np.pad(sound, ((0, 0), (0, short)))
    over = float(np.abs(sound).max())
    if over > 1:
        notes.append(f"Samples reach {over:.2f}, beyond full scale; they are taken as they are.")
    if over == 0:
        notes.append("The sound is digital silence.")
    mel = mel_spectrogram(sound, STANDARD.sample_rate, progress=progress)
    starts = window_starts(mel.shape[1], fps)
    count = len(starts) + 2 if frames is None else frames
    return Speech("mel", fps, border, count, sound, mel, starts, _source(waveform, rate), notes=tuple(notes))


def with_encoder(
    speech: Speech, network: nn.Module | OnnxEncoder, encoder: tuple[str, str], *, batch: int = 64, progress: Progress = silent
) -> Speech:
    """Add the AudioEncoder's features: mode ``ave``.

    Rows are the features of the n windows with a copy of the first before and of the last after them: n + 2, row r hearing 0.2 s from
    ``(r - 1) / fps`` on. For more frames than that, the sound is taken to be followed by silence: row r hears the window that starts at
    ``(r - 1) / fps`` of a mel that goes on at -4. For fewer, the rows beyond stay as the contexts' right-hand side.

    Args:
        speech: from `hear`.
        network: the folded encoder, on the device to run on, or an exported one.
        encoder: name and sha256 of its file.
        batch: windows a step.
        progress: told of the windows done; may raise to cancel.
    """
    columns, windows = speech.mel.shape[1], len(speech.starts)
    tail = max(0, speech.frames - windows - 2)
    later = np.minimum(natural_starts(tail, speech.fps, first=windows + 1), columns)
    mel = np.pad(speech.mel, ((0, 0), (0, WIDTH)), constant_values=-STANDARD.top) if tail else speech.mel
    starts = np.concatenate((speech.starts, later))
    if isinstance(network, OnnxEncoder):
        features = network.encode(mel, starts, batch, progress)
    else:
        features = encode(network, mel, starts, batch=batch, progress=progress)
    raw = features[:windows]
    notes = speech.notes
    if tail:
        notes += (f"The pictures go on for {tail} frames after the sound's {windows + 2} rows; they hear silence.",)
    rows = np.concatenate((raw[:1], raw, raw[-1:], features[windows:]))
    return replace(speech, mode="ave", raw=raw, rows=rows, encoder=encoder, notes=notes)


def with_rows(speech: Speech, mode: Mode, rows: Rows, encoder: tuple[str, str], frames: int | None = None) -> Speech:
    """Add features that were made elsewhere: HuBERT's, WeNet's, or precomputed ones of any mode.

    Args:
        speech: from `hear`.
        mode: whose features they are.
        rows: ``[n, ...]`` in that mode's sizes.
        encoder: where they come from: a name, and a sha256 or an empty string.
        frames: how many video frames there are; None for as many as rows. Beyond the rows the last one is repeated, with a note.

    Raises:
        ArrayError: sizes that are not this mode's.
    """
    rows = check_rows(rows, mode)
    count = len(rows) if frames is None else frames
    notes = speech.notes
    if count > len(rows):
        notes += (f"There are {len(rows)} feature rows for {count} frames; the last row is repeated {count - len(rows)} times.",)
        rows = np.concatenate((rows, np.repeat(rows[-1:], count - len(rows), axis=0)))
    trained = MODES[mode].trained_fps
    if speech.fps != trained:
        notes += (f"{mode} was trained at {trained} frames a second, this is {float(speech.fps):g}.",)
    return replace(speech, mode=mode, rows=rows, raw=None, frames=count, encoder=encoder, notes=notes)


def _source(waveform: Waveform, rate: int) -> str:
    digest = hashlib.sha256(f"{rate} Hz, {len(waveform)} channels".encode())
    digest.update(waveform.astype("<f4", copy=False).data)
    return digest.hexdigest()


def _described(array: NDArray[np.float32] | None) -> dict[str, Any] | None:
    if array is None:
        return None
    return {"shape": list(array.shape), "dtype": str(array.dtype), "low": float(array.min()), "high": float(array.max())}

