"""A network of a few weights with the face of the published one, for tests of everything around it; and clips, tracks and sounds."""
from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from torch import nn

from talkies.core.audio.mel import mel_spectrogram
from talkies.core.face.track import FaceTrack, track_from_points
from talkies.core.lipsync.model import LipModel
from talkies.core.lipsync.network import Conditions, Deep
from talkies.core.lipsync.sound import LipSound

FACE = np.array([[-28.0, -32], [28, -32], [0, 4], [-20, 32], [20, 32]])
"""Eyes, nose tip, corners of the mouth about the middle of a face, px."""


class TinyLips(nn.Module):
    """Believes in a face whose lower half depends on sound, reference and condition; counts how often it is asked."""

    def __init__(self, fails_above: int = 10**9) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 1)
        nn.init.constant_(self.first.weight, 0.05)
        nn.init.constant_(self.first.bias, 0.0)
        self.requires_grad_(False)
        self.asked: list[int] = []
        self.deep_asked = 0
        self.fails_above = fails_above

    @property
    def precision(self):
        return torch.float32

    @property
    def placement(self):
        return self.first.weight.device

    def placed(self, device, quick=False):
        return self.to(device)

    def use_precision(self, precision):
        return self

    def prepare(self, cond, mask, ref, mel):
        style = torch.cat([mel.mean((1, 2))[:, None], mel.std((1, 2))[:, None]], 1)
        return Conditions(style, mask, 0.5 * ref + 0.1 * cond)

    def denoise(self, x, timesteps, conditions, deep=None):
        if len(x) > self.fails_above:
            raise MemoryError(f"{len(x)} faces")
        self.asked.append(len(x))

        def compute():
            self.deep_asked += 1
            return 0.1 * torch.tanh(conditions.style[:, :1, None, None]) * torch.sin(timesteps.float()[:, None, None, None] / 300)

        far = compute() if deep is None else deep.features(compute)
        return torch.tanh(self.first(x) + 0.5 * conditions.base + far)

    def bound_to(self, conditions, every=1, compiled=False):
        deep = Deep(every) if every > 1 else None
        return lambda x, t: self.denoise(x, torch.full((len(x),), t), conditions, deep)


def tiny_model(**options) -> LipModel:
    """A model around a new tiny network."""
    return LipModel(TinyLips(**options), "tiny")


def face_clip(count: int, height: int = 160, width: int = 200, channels: int = 3, seed: int = 5) -> np.ndarray:
    """Textured frames ``[B,H,W,C]``, 0..1, that move a little."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((count, height // 8, width // 8, channels))
    return (np.kron(coarse, np.ones((1, 8, 8, 1))) * 0.8 + 0.2 * rng.random((count, height, width, channels))).astype(np.float32)


def face_track(count: int, fps: Fraction = Fraction(25), missing: tuple[int, ...] = (), height: int = 160, width: int = 200) -> FaceTrack:
    """A face that drifts through the middle of the frame; not seen in the frames named."""
    points = [None if i in missing else FACE + np.array([width / 2 + 0.7 * i % 5, height / 2 + 0.3 * i % 3]) for i in range(count)]
    return track_from_points(points, "points5", (height, width), fps)


def voice(seconds: float = 1.0, rate: int = 16000, seed: int = 2) -> LipSound:
    """A sound with syllables."""
    samples = waveform(seconds, rate, seed)
    return LipSound(mel_spectrogram(samples, rate), Fraction(samples.shape[1], rate))


def waveform(seconds: float = 1.0, rate: int = 16000, seed: int = 2) -> np.ndarray:
    """Noise in bursts, ``[1,T]`` float32."""
    time = np.arange(int(seconds * rate)) / rate
    loud = np.sin(2 * np.pi * 4 * time) > 0
    return (0.3 * loud * np.random.default_rng(seed).standard_normal(len(time))).astype(np.float32)[None]
