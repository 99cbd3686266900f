"""The grain of a clip as a picture: strength over luma, power over frequency, and a patch of it."""
from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ...arrays import Frame, contiguous, from_uint8
from ..noise.flat import LEVELS
from ..noise.spectrum import correlation_size, radial_spectrum
from .profile import GrainProfile
from .tile import grain_tiles

_INK, _GRID = "#1d2330", "#d5d9e0"
_LUMA, _CB, _CR = "#1d2330", "#0072b2", "#d55e00"
_PATCH = 128  # px of grain shown
_SIGMAS = 3.0  # standard deviations from black to middle gray in the patch
_TEXT = 17


def plot_grain(grain: GrainProfile, title: str = "Film grain", width: int = 1280, height: int = 480) -> Frame:
    """Draw a grain profile, ``[height,width,3]``, 0..1."""
    figure = Figure(figsize=(width / 100, height / 100), dpi=100, facecolor="#ffffff", layout=ConstrainedLayoutEngine(w_pad=0.12))
    canvas: Any = FigureCanvasAgg(figure)
    kind = f"{grain.kind} ({100 * grain.confidence:.0f} %), sigma {255 * grain.sigma:.2f}, size {grain.size:.2f} px"
    figure.suptitle(f"{title}: {kind}", fontsize=_TEXT, color=_INK, fontweight="bold")
    strength, power, patch = figure.subplots(1, 3, width_ratios=(1.2, 1.2, 0.9))
    luma = (np.arange(LEVELS) + 0.5) / LEVELS
    curves = [("luma", grain.sigmas, _LUMA), ("Cb", grain.cb_sigmas, _CB), ("Cr", grain.cr_sigmas, _CR)]
    for name, curve, colour in curves[: 3 if grain.has_chroma else 1]:
        strength.plot(luma, [255 * s for s in curve], color=colour, linewidth=2.5, label=name)
    strength.set(title="strength (steps of 255) over luma", xlim=(0, 1))
    strength.set_ylim(bottom=0)
    strength.legend(fontsize=_TEXT * 0.75, frameon=False)
    rings = 10 * np.log10(np.maximum(radial_spectrum(grain.lags), 1e-4))
    power.plot((np.arange(len(rings)) + 0.5) / (2 * len(rings)), rings, color=_LUMA, linewidth=2.5)
    power.axhline(0, color=_GRID, linewidth=1.5)
    power.set(title="power (dB over white) by cycles a pixel", xlim=(0, 0.5), ylim=(max(-40, rings.min() - 3), rings.max() + 3))
    for panel in (strength, power):
        panel.grid(color=_GRID)
        panel.tick_params(labelsize=_TEXT * 0.75, colors=_INK)
    tiles = grain_tiles(grain.lags, grain.cb_lags, grain.cr_lags, 0.0, 0.0, correlation_size(grain.lags), 0)
    patch.imshow(tiles.luma[:_PATCH, :_PATCH], cmap="gray", vmin=-_SIGMAS, vmax=_SIGMAS, interpolation="nearest")
    patch.set(title=f"{_PATCH} x {_PATCH} px of it", xticks=[], yticks=[])
    for panel in (strength, power, patch):
        panel.title.set(fontsize=_TEXT * 0.8, color=_INK)
    canvas.draw()
    return from_uint8(contiguous(np.asarray(canvas.buffer_rgba())[..., :3]))
