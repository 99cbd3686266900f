"""Speech, noise and encoder weights for the tests of the audio rooms: everything from seeds, or from the shared folder."""
from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import torch
from scipy.io import wavfile

from talkies.core.audio.encoder import PREFIX, AudioEncoder

RATE = 16000


def deterministic(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Weights by a rule of their key alone, the one that the goldens were computed with (facts: AUDIO.md, 9)."""
    leaf = key.rsplit(".", 1)[1]
    if leaf == "num_batches_tracked":
        return torch.zeros(shape, dtype=torch.int64)
    x = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()))).standard_normal(shape, dtype=np.float32)
    if len(shape) == 4:
        x = x * np.float32(np.sqrt(1 / np.prod(shape[1:])))
    elif leaf == "running_var":
        x = 1 + np.float32(0.1) * np.abs(x)
    else:
        x = np.float32(0.1) * x + np.float32(leaf == "weight")
    return torch.from_numpy(x.astype(np.float32))


def encoder_state(prefix: str = PREFIX, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """The 91 entries of a checkpoint, with the module's prefix or another before each key."""
    shapes = {key: tuple(value.shape) for key, value in AudioEncoder().state_dict().items()}
    made = {key: deterministic(key, shape) for key, shape in shapes.items()}
    return {key.replace(PREFIX, prefix): v.to(dtype) if v.is_floating_point() else v for key, v in made.items()}


def checkpoint_file(folder: Path) -> Path:
    """Write a checkpoint as published: flat keys."""
    torch.save(encoder_state(""), folder / "audio_visual_encoder.pth")
    return folder / "audio_visual_encoder.pth"


def read(path: Path, seconds: float | None = None) -> np.ndarray:
    """A mono 16-bit wav as [1,T] float32."""
    rate, samples = wavfile.read(path)
    assert rate == RATE
    assert samples.dtype == np.int16
    return (samples[: None if seconds is None else int(seconds * rate)] / np.float32(32768)).astype(np.float32)[None]


def noise(samples: int, colour: str, seed: int) -> np.ndarray:
    """White or pink noise, [T] float64."""
    white = np.random.default_rng(seed).standard_normal(samples)
    if colour == "white":
        return white
    spectrum = np.fft.rfft(white)
    spectrum[0] = 0
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    return np.fft.irfft(spectrum, samples)


def mixed(speech: np.ndarray, colour: str, snr: float | np.ndarray, seed: int = 1) -> np.ndarray:
    """Speech with noise at a signal-to-noise ratio in dB, one for all or one a sample."""
    added = noise(speech.shape[1], colour, seed)
    clean = speech[0].astype(np.float64)
    scale = np.sqrt((clean @ clean) / (added @ added)) * 10 ** (-np.asarray(snr) / 20)
    return (clean + scale * added).astype(np.float32)[None]


def voice(seconds: float, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """A synthetic voice with pauses: harmonics of a wandering pitch, syllable by syllable; [1,T] float32."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate)) / rate
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    tone = sum(np.sin(k * phase) / k for k in range(1, 20) if k * 140 < rate / 2)
    syllables = np.clip(np.sin(2 * np.pi * 3 * t + rng.uniform(0, 6)), 0, 1) * (np.sin(2 * np.pi * 0.4 * t) > -0.6)
    return (0.2 * tone * syllables).astype(np.float32)[None]
