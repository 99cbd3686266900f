"""BM3D across frames: what neighbours gain and cost in pans, what is left of flicker, and memory over the length of a clip."""
from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

import cv2
import numpy as np
from skimage import data

from talkies.core.measure.image import psnr
from talkies.core.restore.bm3d.denoise import denoise, denoise_frame
from talkies.core.restore.bm3d.noise_model import Noise
from talkies.core.restore.bm3d.operation import BM3D
from talkies.core.restore.bm3d.profile import BALANCED, FAST, Profile

from . import pictures
from .timing import in_new_process, peak_bytes, table

Clip = Any  # an array [F,H,W,C], float32, 0..1

SIGMA = 25
_SIDE, _FRAMES = 352, 9
_MIDDLE = _FRAMES // 2
PANS: dict[str, tuple[str, float, float]] = {  # picture, px a frame to the right and down
    "astronaut 2.3, 1.7": ("astronaut", 2.3, 1.7), "coffee 2.3, 1.7": ("coffee", 2.3, 1.7),
    "astronaut 20, 0": ("astronaut", 20, 0), "coffee 20, 0": ("coffee", 20, 0),
}


def video(repeat: int) -> dict[str, Any]:
    """Print gain and cost of radii beside stills, and flicker beside twice the strength; give them."""
    figures: dict[str, Any] = {}
    rows = []
    for pan, (picture, right, down) in PANS.items():
        clean = panned(picture, right, down)
        clip = noisy(clean)
        for profile in (FAST, BALANCED):
            denoise_frame(clip[:3, :64, :64], 1, Noise(SIGMA), profile)  # compile
            still = None
            for radius in (0, 1, 2, 4):
                found = _measured(clip, clean, radius, profile, repeat)
                still = still or found
                figures[f"{pan}, {profile.name}, radius {radius}"] = found
                rows.append([f"{pan}, {profile.name}, radius {radius}", f"{found['psnr']:.3f}", f"{found['psnr'] - still['psnr']:+.3f}",
                             f"{found['wall_s']:.3f}", f"{found['cpu_s']:.3f}", f"{found['cpu_s'] / still['cpu_s']:.2f}x"])
    print(f"sigma {SIGMA}, {_SIDE}x{_SIDE} RGB, a window that moves over a picture; the middle frame")
    print(table(["pan in px a frame, way", "PSNR", "over still", "s a frame", "CPU s a frame", "of still"], rows) + "\n", flush=True)
    return figures | {"flicker": _flicker()}


def panned(picture: str, right: float, down: float) -> Clip:
    """Give a clip ``[F,S,S,3]``: a window that moves over a photograph by so many px a frame, cubic between pixels."""
    whole = (getattr(data, picture)() / np.float32(255)).astype(np.float32)
    return np.stack([cv2.warpAffine(whole, np.array([[1, 0, float(right * i)], [0, 1, 10 + float(down * i)]]), (_SIDE, _SIDE),
                                    flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP) for i in range(_FRAMES)])


def noisy(clean: Clip) -> Clip:
    """Add white noise, another in every frame, the same at every call."""
    return (clean + np.random.default_rng(0).standard_normal(clean.shape) * SIGMA / 255).astype(np.float32)


def _measured(clip: Clip, clean: Clip, radius: int, profile: Profile, repeat: int) -> dict[str, float]:
    some = clip[_MIDDLE - radius : _MIDDLE + radius + 1]
    seconds = []
    for _ in range(repeat):
        wall, cpu = perf_counter(), process_time()
        made = denoise_frame(some, radius, Noise(SIGMA), profile)
        seconds.append((perf_counter() - wall, process_time() - cpu))
    return {"psnr": psnr(made, clean[_MIDDLE]), "wall_s": min(s[0] for s in seconds), "cpu_s": min(s[1] for s in seconds)}


def _flicker() -> dict[str, Any]:
    """How much what is left changes from frame to frame along the motion: a picture that stands still, and one that moves whole pixels."""
    figures, rows = {}, []
    for name, (right, down) in {"still": (0, 0), "2, 1": (2, 1), "20, 0": (20, 0)}.items():
        clean = panned("astronaut", right, down)
        clip = noisy(clean)
        ways: dict[str, Callable[[], Clip]] = {
            "noisy": lambda clip=clip: clip,
            "balanced": lambda clip=clip: denoise(clip, Noise(SIGMA)),
            "balanced, twice as strong": lambda clip=clip: denoise(clip, Noise(2 * SIGMA)),
            "balanced, radius 2": lambda clip=clip: denoise(clip, Noise(SIGMA), radius=2),
        }
        for way, call in ways.items():
            made = call()
            mean = float(np.mean([psnr(a, b) for a, b in zip(made, clean, strict=True)]))
            found = {"flicker": along_the_motion(made, right, down), "psnr": mean}
            figures[f"{name}, {way}"] = found
            rows.append([f"{name}, {way}", f"{found['flicker']:.3f}", f"{found['psnr']:.3f}"])
    print(table(["pan in px a frame, way", "flicker, steps of 255", "PSNR"], rows) + "\n", flush=True)
    return figures


def along_the_motion(clip: Clip, right: int, down: int) -> float:
    """Give the root mean square of what changes from frame to frame where the picture is the same, in steps of 255."""
    before = clip[:-1, down:, right:]
    after = clip[1:, : _SIDE - down, : _SIDE - right]
    return 255 * float(np.sqrt(((after - before) ** 2).mean()))


def memory() -> dict[str, Any]:
    """Print the peak memory of clips of few and of more frames of 1080p, each in a process of its own; give it."""
    figures = {f"{profile}, radius {radius}, {frames} frames":
               in_new_process(["bm3d", "--peak", str(frames), profile, str(radius)])["beyond_clip_bytes"]
               for profile, radius, counts in (("fast", 0, (2, 20)), ("balanced", 2, (5, 7))) for frames in counts}
    rows = [[f"1080p RGB, {name}", f"{size / 2**20:.0f}"] for name, size in figures.items()]
    print(table(["peak memory beyond the clip and its result", "MiB"], rows) + "\n", flush=True)
    return figures


def peak(frames: int, profile: str, radius: int) -> int:
    """Give the peak of memory beyond the clip and its result, in bytes."""
    frame = noisy(pictures.mosaic(1920, 1080)[None])
    clip = np.repeat(frame, frames, axis=0)
    operation = BM3D(sigma=SIGMA, profile=profile, radius=radius)
    operation(clip[:5, :64, :64])
    return peak_bytes(lambda: operation(clip)) - clip.nbytes
