"""What LB-CLAHE chose and how steady it is: figures and one number a frame."""
from __future__ import annotations

import numpy as np

from ...arrays import Frame, Frames
from ...measure.statistics import frame_mean
from ...parallel import for_each_frame
from ...progress import Progress, silent
from ...report import Report
from .lbclahe import LBCLAHE, Tones


def clahe_report(operation: LBCLAHE, frames: Frames, made: Frames, progress: Progress = silent) -> Report:
    """Tell the clip limits, tiles and noise that frames were equalised with, and how much the mapping moves from frame to frame.

    Mapping jitter is the mean distance of a frame's tone curves to those of the frame before in the same shot, in 255ths of lightness;
    a static clip has none. Brightness flicker is the mean change of the mean brightness from frame to frame, in 255ths, before and after.

    Args:
        operation: surveyed, where it asks for that.
        frames: ``[B,H,W,C]`` that went in, the whole clip.
        made: what came out.
        progress: called as frames get done; may raise to cancel.
    """
    found: list[Tones | None] = [None] * len(frames)
    before, after = [0.0] * len(frames), [0.0] * len(frames)

    def work(i: int) -> None:
        found[i] = operation.tones(frames[i], i)
        before[i], after[i] = frame_mean(frames[i]), frame_mean(made[i])

    for_each_frame(len(frames), work, progress)
    tones = [entry for entry in found if entry is not None]
    starts = {shot.first for shot in operation.shots or ()}
    jitter = [0.0 if i == 0 or i in starts else _distance(tones[i].curves, tones[i - 1].curves) for i in range(len(tones))]
    within = [i for i in range(1, len(tones)) if i not in starts]
    clips, tiles = [tone.clip for tone in tones], [tone.curves.shape[0] for tone in tones]
    shadows = [float(tone.noise[:3].mean()) * 255 for tone in tones]
    figures: dict[str, float | int | str] = {
        "mode": operation.mode, "frames": len(frames), "shots": len(starts) if operation.over_time == "shot" else "every frame alone",
        "clip limit (times)": float(np.mean(clips)), "lowest clip limit (times)": min(clips), "highest clip limit (times)": max(clips),
        "tiles a side": tiles[0] if len(set(tiles)) == 1 else f"{min(tiles)} to {max(tiles)}",
        "noise in shadows (255ths of lightness)": float(np.mean(shadows)),
        "brightness before (0..1)": float(np.mean(before)), "brightness after (0..1)": float(np.mean(after)),
        "mapping jitter (255ths)": float(np.mean([jitter[i] for i in within])) if within else 0.0,
        "brightness flicker before (255ths)": _flicker(before, within), "brightness flicker after (255ths)": _flicker(after, within),
    }
    series = {"clip limit": tuple(clips), "mapping jitter (255ths)": tuple(jitter),
              "brightness before": tuple(before), "brightness after": tuple(after)}
    return Report("LB-CLAHE", figures, series)


def _distance(curves: Frame, others: Frame) -> float:
    if curves.shape != others.shape:  # other tiles: what they do on average
        curves, others = curves.mean((0, 1)), others.mean((0, 1))
    return float(np.abs(curves - others).mean()) * 255


def _flicker(means: list[float], within: list[int]) -> float:
    return float(np.mean([abs(means[i] - means[i - 1]) for i in within])) * 255 if within else 0.0
