"""Deblur beside scikit-image's Wiener filter and Richardson-Lucy, as they come and each at its best setting for the very picture."""
from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage
from skimage import data, restoration

from talkies.core.arrays import as_float32, as_float64
from talkies.core.measure.image import psnr
from talkies.core.restore.deblur.operation import Deblur
from talkies.core.restore.deblur.psf import gaussian, motion

from .timing import machine, table

PICTURES = ("camera", "astronaut", "coffee")
HELD_OUT = ("chelsea", "rocket", "stereo_motorcycle")  # constants were chosen on the others, though two of these were watched
BLURS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Gaussian 1.6 px": (gaussian((15, 15), 1.6), {"blur_sigma": 1.6}),
    "Gaussian 2.5 px": (gaussian((21, 21), 2.5), {"blur_sigma": 2.5, "rows": 21, "columns": 21}),
    "motion 9 px, 30 deg": (motion(9, 30), {"psf": "motion", "length": 9, "angle": 30}),
    "motion 15 px, 0 deg": (motion(15, 0), {"psf": "motion", "length": 15}),
}
NOISES = (1.5, 5.0)
_RIM = 24
_BALANCES = np.geomspace(3e-4, 1, 10)
_COUNTS = (4, 8, 12, 16, 24, 32, 64, 128)


def options_from(arguments: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks deblur", description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="side of the picture in px; default 256")
    parser.add_argument("--pictures", nargs="+", choices=PICTURES + HELD_OUT, default=list(PICTURES))
    parser.add_argument("--profiles", nargs="+", default=["fast", "balanced"], help="of ours; default fast and balanced")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> dict[str, Any]:
    """Print PSNR and time for every picture, blur and noise, and give them."""
    options = options_from(arguments)
    print(f"Deblur, {options.size}x{options.size} px, noise seeded, the blur known to all, the surroundings of the frame to none\n"
          f"{machine()}\n")
    ours = {f"talkies {profile}": {"profile": profile} for profile in options.profiles}
    ours["talkies fast, rounds 0"] = {"profile": "fast", "rounds": 0}
    figures, rows, gains = [], [], {name: [] for name in ours}
    Deblur(sigma=1)(np.zeros((16, 16, 3), np.float32))  # compile
    for picture in options.pictures:
        for blur, (psf, settings) in BLURS.items():
            for sigma in NOISES:
                sharp, frame = blurred(picture, psf, sigma, options.size)
                found = {"blurred": (psnr(frame, sharp), 0.0), **peers(frame, psf, sharp)}
                for name, more in ours.items():
                    found[name] = _timed(lambda f=frame, s={**settings, **more, "sigma": sigma}: Deblur(**s)(f)[0], sharp)
                best = max(found["Wiener at its best"][0], found["Richardson-Lucy at its best"][0])
                for name in ours:
                    gains[name].append(found[name][0] - best)
                figures.append({"picture": picture, "blur": blur, "sigma": sigma, "psnr": {k: v[0] for k, v in found.items()},
                                "seconds": {k: v[1] for k, v in found.items()}})
                rows.append([f"{picture}, {blur}, {sigma:g}", *(f"{value[0]:.2f}" for value in found.values())])
    print(table(["picture, blur, noise: PSNR dB", *figures[0]["psnr"]], rows) + "\n")
    seconds = {name: float(np.median([f["seconds"][name] for f in figures])) for name in figures[0]["seconds"]}
    print(table(["way", "s, median", "least gain over the better peer at its best, dB", "mean"],
                [[name, f"{value:.2f}", *((f"{min(gains[name]):+.2f}", f"{np.mean(gains[name]):+.2f}") if name in gains else ("", ""))]
                 for name, value in seconds.items()]))
    print("At its best: the setting (10 balances, 8 counts) of the highest PSNR against the sharp picture, which nobody has in earnest.\n"
          "Peers get the frame with its rim mirrored, which is better for both than the frame alone.")
    made = {"machine": machine(), "size": options.size, "cases": figures, "gain": {k: min(v) for k, v in gains.items()}}
    if options.json:
        options.json.write_text(json.dumps(made, indent=1), encoding="utf-8")
    return made


def blurred(name: str, psf: Any, sigma: float, size: int) -> tuple[Any, Any]:
    """Cut a piece from a photograph and blur it with what lies around it; noise is added. Gives sharp and blurred, ``[H,W,C]``."""
    whole = getattr(data, name)()
    whole = as_float64(whole[0] if isinstance(whole, tuple) else whole) / 255
    whole = whole.reshape(*whole.shape[:2], -1)
    size = min(size, whole.shape[0] - 2 * _RIM)
    top, left = min(20, whole.shape[0] - size - 2 * _RIM), 90
    whole = whole[top : top + size + 2 * _RIM, left : left + size + 2 * _RIM]
    spread = np.stack([scipy.ndimage.convolve(whole[..., c], psf) for c in range(whole.shape[2])], axis=-1)
    inner = (slice(_RIM, -_RIM), slice(_RIM, -_RIM))
    noise = np.random.default_rng(0).standard_normal(spread[inner].shape) * sigma / 255
    return as_float32(whole[inner]), as_float32(spread[inner] + noise)


def peers(frame: Any, psf: Any, sharp: Any) -> dict[str, tuple[float, float]]:
    """Give PSNR and seconds of scikit-image's two, at their defaults and at their best."""
    planes = [as_float64(np.pad(frame[..., c], _RIM, mode="reflect")) for c in range(frame.shape[2])]

    def cut(made: list[Any]) -> Any:
        return as_float32(np.stack(made, axis=-1)[_RIM:-_RIM, _RIM:-_RIM])

    def wiener(balance: float) -> Any:
        return cut([restoration.wiener(plane, psf, balance, clip=False) for plane in planes])

    def lucy(count: int) -> Any:
        return cut([restoration.richardson_lucy(plane.clip(1e-6), psf, count, clip=False) for plane in planes])

    return {
        "Wiener, balance 0.1": _timed(lambda: wiener(0.1), sharp),
        "Wiener at its best": max(_timed(lambda b=b: wiener(b), sharp) for b in _BALANCES),
        "Richardson-Lucy, 10": _timed(lambda: lucy(10), sharp),
        "Richardson-Lucy at its best": max(_timed(lambda n=n: lucy(n), sharp) for n in _COUNTS),
    }


def _timed(call: Callable[[], Any], sharp: Any) -> tuple[float, float]:
    started = time.perf_counter()
    made = call()
    return psnr(made, sharp), time.perf_counter() - started
