"""SyncNet's distance and confidence (LSE-D, LSE-C), where the user supplies the published checkpoint (syncnet_v2.model).

Source: Chung and Zisserman, "Out of time: automated lip sync in the wild", ACCV workshop 2016; LSE-D and LSE-C: Prajwal et al., "A lip
sync expert is all you need", ACM MM 2020. Two networks make 1024 numbers each, of five frames of a face and of 0.2 s of sound. LSE-D is
their mean distance at the best of 31 offsets, LSE-C how far that is below the median of the offsets.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..arrays import Frame, Waveform, as_float32, to_frames, to_image
from ..audio.resample import mono, resample
from ..face.anchors import eye_distance
from ..face.detect.scheme import to_5
from ..face.track import FaceTrack
from ..operation import Numbered
from ..progress import Progress, silent
from ..report import Report
from ..weights import WeightsError, load_state_dict
from .mfcc import RATE, mfcc

FPS, SIZE, FRAMES, COLUMNS = 25, 224, 5, 20
REACH = 15
_BOX = 1.5  # half side of the face's box, eye distances
_MARGIN = 0.4  # of the half side, added left, right and (twice) below
_BEYOND = 110.0  # level, 0..255, of what lies beyond the frame

_Sizes = int | tuple[int, ...]


class SyncNet(nn.Module):
    """The two networks, named as in the published checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_layer(nn.Conv2d, 1, 64, 3, padding=1), nn.MaxPool2d(1, 1),
            *_layer(nn.Conv2d, 64, 192, 3, padding=1), nn.MaxPool2d(3, (1, 2)),
            *_layer(nn.Conv2d, 192, 384, 3, padding=1), *_layer(nn.Conv2d, 384, 256, 3, padding=1),
            *_layer(nn.Conv2d, 256, 256, 3, padding=1), nn.MaxPool2d(3, 2), *_layer(nn.Conv2d, 256, 512, (5, 4)))
        flat = (0, 1, 1)
        self.netcnnlip = nn.Sequential(
            *_layer(nn.Conv3d, 3, 96, (5, 7, 7), (1, 2, 2)), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_layer(nn.Conv3d, 96, 256, (1, 5, 5), (1, 2, 2), flat), nn.MaxPool3d((1, 3, 3), (1, 2, 2), flat),
            *(part for _ in range(3) for part in _layer(nn.Conv3d, 256, 256, (1, 3, 3), padding=flat)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)), *_layer(nn.Conv3d, 256, 512, (1, 6, 6)))
        self.netfcaud, self.netfclip = (
            nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 1024)) for _ in range(2))

    def hear(self, cepstra: Tensor) -> Tensor:
        """Embed ``[N,1,13,20]`` cepstra; ``[N,1024]``."""
        made: Tensor = self.netfcaud(self.netcnnaud(cepstra).flatten(1))
        return made

    def see(self, faces: Tensor) -> Tensor:
        """Embed ``[N,3,5,224,224]`` faces, BGR, 0..255; ``[N,1024]``."""
        made: Tensor = self.netfclip(self.netcnnlip(faces).flatten(1))
        return made


def _layer(kind: Any, before: int, after: int, size: _Sizes, stride: _Sizes = 1, padding: _Sizes = 0) -> tuple[nn.Module, ...]:
    norm = nn.BatchNorm2d if kind is nn.Conv2d else nn.BatchNorm3d
    return kind(before, after, size, stride, padding), norm(after), nn.ReLU()


def load_syncnet(path: Path) -> SyncNet:
    """Read the published checkpoint, tensors only.

    Raises:
        WeightsError: the file is missing or damaged, or its tensors are not SyncNet's; the message names the first that differs.
    """
    found, network = load_state_dict(path), SyncNet()
    for key, wanted in network.state_dict().items():
        if key not in found:
            if key.endswith("num_batches_tracked"):
                found[key] = wanted
                continue
            raise WeightsError(f"{path} has no {key}; syncnet_v2.model of the published SyncNet is wanted.")
        if found[key].shape != wanted.shape:
            raise WeightsError(f"{path}: {key} has shape {list(found[key].shape)}; SyncNet's has {list(wanted.shape)}.")
    if extra := sorted(set(found) - set(network.state_dict())):
        raise WeightsError(f"{path} holds {extra[0]}, which SyncNet has not; syncnet_v2.model is wanted.")
    network.load_state_dict(found)
    return network.eval().requires_grad_(False)


@dataclass(frozen=True)
class SyncScore:
    """LSE-D (smaller is better), LSE-C (larger is better), and the frames (at 25 a second) by which the sound comes late."""

    distance: float
    confidence: float
    offset: int

    def report(self) -> Report:
        """Give the three figures."""
        return Report("SyncNet", {"LSE-D": self.distance, "LSE-C": self.confidence, "sound late (frames at 25)": self.offset})


def face_crop(frame: Frame, track: FaceTrack, index: int) -> Frame:
    """Cut the face of frame `index` out of ``[H,W,3]`` as SyncNet's pipeline frames it; ``[224,224,3]``, 0..1."""
    place = track.place(index)
    five = to_5(track.points[place : place + 1], track.scheme)[0]
    half = _BOX * float(eye_distance(track.points[place : place + 1], track.scheme)[0])
    x, y = (five[:2].mean(0) + five[3:5].mean(0)) / 2
    scale = SIZE / (2 * half * (1 + _MARGIN))
    matrix = np.array([[scale, 0, -scale * (x - half * (1 + _MARGIN))], [0, scale, -scale * (y - half)]])
    gray = (_BEYOND / 255,) * 3
    return as_float32(cv2.warpAffine(frame, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_CONSTANT, borderValue=gray))


def sync_score(
    network: SyncNet, clip: Iterable[Numbered], track: FaceTrack, waveform: Waveform, rate: int, progress: Progress = silent,
    batch: int = 8,
) -> SyncScore:
    """Measure LSE-D and LSE-C of a clip; frames of another rate than 25 are picked at 25 a second, by the nearest time.

    Args:
        network: loaded, on the device to run on.
        clip: ``(start, frames)`` runs that the track covers, from frame 0.
        track: where the face is.
        waveform: ``[C,T]``.
        rate: Hz.
        progress: called after every batch; may raise to cancel.
        batch: windows at once.

    Raises:
        ValueError: picture or sound is shorter than six frames.
    """
    cepstra = as_float32(mfcc(resample(mono(waveform), rate, RATE)[0]))
    samples = waveform.shape[1] * RATE // rate
    step = float(track.fps) / FPS
    count = min(int(len(track) / step), samples * FPS // RATE) - FRAMES
    if count < 1:
        raise ValueError(f"The clip has {len(track)} frames and {waveform.shape[1] / rate:.2f} s of sound; SyncNet needs six frames at 25 "
                         "a second, with their sound.")
    device = next(network.parameters()).device
    lips = _embedded(network, _windows(clip, track, step, count), count, batch, device, progress)
    sounds = torch.cat([
        network.hear(to_image(np.stack([cepstra[:, 4 * i : 4 * i + COLUMNS] for i in range(first, min(first + batch, count))]))[:, None]
                     .to(device)).cpu() for first in range(0, count, batch)])
    return compared(lips, sounds)


def compared(lips: Tensor, sounds: Tensor, reach: int = REACH) -> SyncScore:
    """Give the figures of embeddings ``[T,1024]`` of picture and sound; beyond the sound's ends lie zeros, as published."""
    padded = nn.functional.pad(sounds, (0, 0, reach, reach))
    distances = torch.stack([torch.nn.functional.pairwise_distance(lips, padded[k : k + len(lips)]) for k in range(2 * reach + 1)]).mean(1)
    best = int(distances.argmin())
    return SyncScore(float(distances[best]), float(distances.median() - distances[best]), best - reach)


def _windows(clip: Iterable[Numbered], track: FaceTrack, step: float, count: int) -> Iterable[NDArray[np.float32]]:
    """Give windows ``[3,5,224,224]``, BGR, 0..255, one for each frame at 25 a second; five crops are held."""
    held: list[NDArray[np.float32]] = []
    wanted = 0
    for start, frames in clip:
        for i, frame in enumerate(frames):
            while wanted < count + FRAMES - 1 and round(wanted * step) == start + i:
                colours = to_frames(np.repeat(frame, 3, axis=-1) if frame.shape[-1] == 1 else frame[..., :3])[0]
                held.append(face_crop(colours, track, track.start + start + i)[..., ::-1].transpose(2, 0, 1) * np.float32(255))
                wanted += 1
                if len(held) == FRAMES:
                    yield np.stack(held, axis=1)
                    held.pop(0)


def _embedded(
    network: SyncNet, windows: Iterable[NDArray[np.float32]], count: int, batch: int, device: torch.device, progress: Progress,
) -> Tensor:
    made: list[Tensor] = []
    waiting: list[NDArray[np.float32]] = []
    for window in windows:
        waiting.append(window)
        if len(waiting) == batch or sum(map(len, made)) + len(waiting) == count:
            made.append(network.see(to_image(np.stack(waiting)).to(device)).cpu())
            waiting = []
            progress(sum(map(len, made)), count)
    return torch.cat(made)
