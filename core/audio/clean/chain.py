"""The whole clean-up of a voice track, by its settings."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...arrays import Waveform
from ...progress import Progress, part, silent
from ...report import Report
from ...settings import check_settings, setting
from .denoise import denoise
from .dynamics import compress
from .loudness import CEILING_DB, SILENT, level
from .quality import judge

OFFSET = 1e-3
"""The constant from which on it is taken out of the sound before anything else, of full scale."""


@dataclass(frozen=True)
class CleanSpeech:
    """What to do to a voice track. With `denoise` and `compress` 0 and `level` off the sound comes out bit for bit."""

    denoise: float = setting(
        1.0, "How far background noise is turned down: 1 is 18 dB where nobody speaks. 0 leaves it. Clean speech is hardly touched.",
        low=0.0, high=1.0, step=0.05, unit="share of 18 dB")
    method: Literal["wiener", "log-mmse"] = setting(
        "wiener", "How noise and speech are told apart: wiener is the cleaner, log-mmse keeps a little more of faint consonants.")
    compress: float = setting(
        0.0, "How far quiet and loud passages are evened out: 1 brings every passage to the voice's median level. 0 leaves them.",
        low=0.0, high=1.0, step=0.05, unit="share")
    level: bool = setting(True, "Bring the whole track to the loudness of `target`, peaks held under -1 dB true peak.")
    target: float = setting(
        -16.0, "The loudness to bring it to: -16 is usual for speech on the web, -23 for broadcast.",
        low=-40.0, high=-5.0, step=0.5, unit="LUFS")

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def identity(self) -> bool:
        """Say whether these settings leave the sound as it is, bit for bit."""
        return self.denoise == 0 and self.compress == 0 and not self.level

    def __call__(self, waveform: Waveform, rate: int, progress: Progress = silent) -> tuple[Waveform, Report]:
        """Clean ``[C,T]`` sound.

        Args:
            waveform: float32, finite; never written to.
            rate: Hz.
            progress: told how far it is; may raise to cancel.

        Returns:
            ``[C,T]`` float32 (the same array when nothing is on), and the figures before and after.
        """
        before = judge(waveform, rate)
        figures: dict[str, float | int | str] = {f"before: {name}": value for name, value in before.figures().items()}
        if self.identity:
            progress(3, 3)
            return waveform, Report("Clean Speech: nothing is turned on, the sound is as it was", figures)
        made = waveform
        if self.denoise:
            if before.offset > OFFSET:
                made = made - made.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
                figures["noise: constant taken out (of full scale)"] = before.offset
            made, noise = denoise(made, rate, method=self.method, strength=self.denoise, progress=part(progress, 0, 3))
            figures["noise: pieces of their own"] = len(noise.cuts) + 1
        if self.compress:
            made, figures["compress: range of the slow gain (dB)"] = compress(made, rate, self.compress)
            progress(2, 3)
        if self.level:
            made, levelled = level(made, rate, self.target, part(progress, 2, 3))
            figures |= {"level: gain (dB)": levelled.gain, "level: peaks turned down by up to (dB)": levelled.limited}
            figures |= _shortfall(levelled.before, levelled.after, self.target)
        figures |= {f"after: {name}": value for name, value in judge(made, rate).figures().items()}
        return made, Report("Clean Speech", figures)

    def to_json(self) -> dict[str, Any]:
        """Give the settings as plain JSON values."""
        return {name: getattr(self, name) for name in ("denoise", "method", "compress", "level", "target")}


def _shortfall(before: float, after: float, target: float) -> dict[str, float | int | str]:
    if before == SILENT:
        return {"level: note": "The sound is silent; it has no loudness to bring anywhere."}
    if abs(after - target) > 0.1:
        return {"level: note": f"{target:g} LUFS is out of reach with peaks under {CEILING_DB:g} dB; {after:.1f} was reached. "
                               "Compress first."}
    return {}
