"""Draws the pictures of the help pages with the nodes themselves: ``python tests/write_help_pictures.py [NODE ...]``.

Before and after on the demo's portrait (public domain), plots, masks and spectrograms as the nodes give them. Nodes that need weights
that are not here or minutes of work, or that show nothing, have a picture of the node instead, from the page:
``node tests/web/node_pictures.mjs``.
"""
from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "web" / "docs" / "pictures"
WIDTH = 640
QUALITY = 85


def settings_of(node: Any, **changed: Any) -> dict[str, Any]:
    """Give the defaults of a node's widgets, with some changed."""
    found = {}
    for name, spec in node.INPUT_TYPES()["required"].items():
        options = spec[1] if len(spec) > 1 else {}
        if isinstance(spec[0], list):
            found[name] = options.get("default", spec[0][0] if spec[0] else "")
        elif "default" in options:
            found[name] = options["default"]
    return {**found, **changed}


def run(name: str, **inputs: Any) -> tuple[Any, ...]:
    """Run a node of the pack with its defaults and these inputs; gives its outputs."""
    node = PACK.NODE_CLASS_MAPPINGS[f"Talkies{name}"]
    made = getattr(node(), node.FUNCTION)(**settings_of(node, **inputs))
    return made["result"] if isinstance(made, dict) else made


def portrait(size: int = 320, **filmed: Any) -> np.ndarray:
    """Give one frame of the demo clip ``[1,size,size,3]``, its middle, filmed with this blur and noise."""
    from talkies.headless.demo_clip import demo_clip

    frame = next(demo_clip(0.04, **filmed).chunks(1)).frames
    start = (frame.shape[1] - size) // 2
    return np.ascontiguousarray(frame[:, start : start + size, start : start + size])


def clip(count: int = 40) -> np.ndarray:
    """Give the first frames of the demo clip."""
    from talkies.headless.demo_clip import demo_clip

    return next(demo_clip(count / 25).chunks(count)).frames


def image(frames: np.ndarray) -> Any:
    """Give frames as the IMAGE of ComfyUI."""
    from talkies.core.arrays import to_image

    return to_image(np.ascontiguousarray(frames, np.float32))


def side_by_side(*panels: Any) -> np.ndarray:
    """Put pictures of one height beside each other, a white line between them."""
    shown = [np.asarray(panel)[0] if np.ndim(panel) == 4 else np.asarray(panel) for panel in panels]
    rows = []
    for panel in shown:
        rows += [np.ones((panel.shape[0], 4, 3), np.float32), panel[..., :3]]
    return np.concatenate(rows[1:], 1)


def before_and_after(name: str, frame: np.ndarray, **settings: Any) -> np.ndarray:
    """Run a frame node on one picture."""
    return side_by_side(frame, run(name, images=image(frame), **settings)[0])


def tracked() -> tuple[np.ndarray, Any]:
    """Give the demo clip and its raw track, found with the detector that needs no download."""
    frames = clip()
    return frames, run("VideoAlign", images=image(frames))[1]


def film_grain() -> np.ndarray:
    soft = portrait(blur=0.6, noise=0.0)
    return side_by_side(soft, run("FilmGrain", images=image(soft), mode="add", preset="16mm")[0])


def color_match() -> np.ndarray:
    frame = portrait(noise=0.0)
    tinted = np.clip(frame * np.array([0.75, 0.95, 1.2], np.float32), 0, 1)
    return side_by_side(tinted, frame, run("ColorMatch", images=image(tinted), reference=image(frame))[0])


def temporal_consistency() -> np.ndarray:
    from talkies.core.measure.plot import plot_series
    from talkies.core.report import Report

    frames = clip(25)
    pumping = np.clip(frames * (1 + 0.06 * np.random.default_rng(0).standard_normal((25, 1, 1, 1)).astype(np.float32)), 0, 1)
    steady = np.asarray(run("TemporalConsistency", images=image(pumping))[0])
    levels = {name: tuple(float(v) * 255 for v in pictures.mean((1, 2, 3))) for name, pictures in (("before", pumping), ("after", steady))}
    return plot_series(Report("Mean brightness of a flickering clip, levels", {}, levels))


def video_align() -> np.ndarray:
    frames, track = tracked()
    shown = (frames[0] * 255).round().astype(np.uint8).copy()
    for x, y in track.points[0]:
        cv2.circle(shown, (round(float(x)), round(float(y))), 5, (255, 80, 40), -1, cv2.LINE_AA)
    crop = np.asarray(run("VideoAlign", images=image(frames))[0])[0]
    return side_by_side(shown.astype(np.float32) / 255, cv2.resize(crop, (512, 512), interpolation=cv2.INTER_AREA))


def ultra_smooth() -> np.ndarray:
    frames, track = tracked()
    return np.asarray(run("UltraSmooth", track=track, images=image(frames), landmark_params="")[3])[0]


def lip_mask() -> np.ndarray:
    frames, track = tracked()
    mask = np.asarray(run("LipMask", track=track, space="frame")[0])[0][..., None]
    return side_by_side(frames[0], frames[0] * (1 - mask) + mask * (0.4 * frames[0] + np.array([0.1, 0.5, 0.55], np.float32)))


def paste_back() -> np.ndarray:
    frames, track = tracked()
    crops = np.asarray(run("VideoAlign", images=image(frames))[0])
    worked = np.clip((crops - 0.5) * 1.5 + 0.5, 0, 1)
    pasted = np.asarray(run("PasteBack", crops=image(worked), images=image(frames), track=track)[0])[0]
    return side_by_side(frames[0], pasted)


def spoken(noise: float) -> dict[str, Any]:
    """Give the demo's voice as AUDIO."""
    import torch

    from talkies.headless.demo_clip import demo_clip

    sound = demo_clip(4.0)
    wave = sound.sound + noise * np.random.default_rng(0).standard_normal(sound.sound.shape).astype(np.float32)
    return {"waveform": torch.from_numpy(np.ascontiguousarray(wave))[None], "sample_rate": sound.rate}


def spectrogram(audio: dict[str, Any]) -> np.ndarray:
    """Give the picture that Audio Encode makes."""
    return np.asarray(run("AudioEncode", audio=audio, mode="mel", preset="enhanced", features="")[1])[0]


def clean_speech() -> np.ndarray:
    noisy = spoken(0.03)
    return np.concatenate([spectrogram(noisy), spectrogram(run("CleanSpeech", audio=noisy, denoise=0.8)[0])])


PICTURES: dict[str, Callable[[], np.ndarray]] = {
    "Sharpen": lambda: before_and_after("Sharpen", portrait(blur=1.4), strength=0.5),
    "FrameAdjust": lambda: before_and_after("FrameAdjust", portrait(noise=0.0), gamma=1.4, contrast=1.15),
    "BM3D": lambda: before_and_after("BM3D", portrait(blur=0.5, noise=20 / 255)),
    "Deblur": lambda: before_and_after("Deblur", portrait(blur=2.0, noise=1 / 255), blur_sigma=2.0, profile="fast"),
    "LBCLAHE": lambda: before_and_after("LBCLAHE", portrait(noise=1 / 255) ** 2.4, mode="rule_based"),
    "FilmGrain": film_grain,
    "ColorMatch": color_match,
    "TemporalConsistency": temporal_consistency,
    "VideoAlign": video_align,
    "UltraSmooth": ultra_smooth,
    "LipMask": lip_mask,
    "PasteBack": paste_back,
    "AudioEncode": lambda: spectrogram(spoken(0.0)),
    "CleanSpeech": clean_speech,
}


def write(name: str) -> Path:
    """Draw one picture and save it for the help page."""
    picture = np.clip(PICTURES[name](), 0, 1)
    eight = Image.fromarray((picture * 255).round().astype(np.uint8))
    eight.thumbnail((WIDTH, WIDTH), Image.LANCZOS)
    path = FOLDER / f"Talkies{name}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    eight.save(path, quality=QUALITY, optimize=True)
    return path


if __name__ == "__main__":
    from checkout import load_pack

    PACK = load_pack()
    for wanted in sys.argv[1:] or PICTURES:
        sys.stdout.write(f"{write(wanted)}\n")
