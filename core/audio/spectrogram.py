"""A picture of a mel spectrogram, with time along the bottom and Hz up the side."""
from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..arrays import Frame, contiguous, from_uint8
from .mel import STANDARD, Mel, MelPreset, hz_to_mel

TICKS = (100, 250, 500, 1000, 1500, 2000, 3000, 4000, 5500, 7500)
"""Hz marked up the side."""

INK, PAPER = "#d8d8dc", "#17171a"


def spectrogram_picture(
    mel: Mel, preset: MelPreset = STANDARD, title: str = "", width: int = 1280, height: int = 480
) -> Frame:
    """Draw a mel spectrogram.

    Args:
        mel: ``[bands,T]`` float32 in -4..4; the colours always span that range, so pictures can be compared.
        preset: what the bands and columns mean.
        title: written above.
        width: px, at least 200.
        height: px, at least 150.

    Returns:
        ``[height,width,3]`` float32, 0..1.
    """
    dots = 100
    figure = Figure(figsize=(width / dots, height / dots), dpi=dots, facecolor=PAPER, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=PAPER)
    # Column t is centred on its time, band b on its own mel.
    half = 0.5 / float(preset.columns_per_second)
    end = (mel.shape[1] - 1) / float(preset.columns_per_second)
    image = axes.imshow(
        mel, origin="lower", aspect="auto", cmap="magma", vmin=-preset.top, vmax=preset.top, interpolation="auto",
        interpolation_stage="data", extent=(-half, end + half, 0.5, preset.bands + 0.5),
    )
    low, high = hz_to_mel(preset.low), hz_to_mel(preset.high)
    places = {hz: (hz_to_mel(hz) - low) / (high - low) * (preset.bands + 1) for hz in TICKS if preset.low < hz < preset.high}
    axes.set_yticks(list(places.values()), [f"{hz / 1000:g}k" if hz >= 1000 else str(hz) for hz in places])
    axes.set_ylabel("Hz (mel scale)")
    axes.set_xlabel("seconds")
    axes.set_title(title, color=INK, fontsize=10, loc="left")
    bar = figure.colorbar(image, ax=axes, pad=0.01, fraction=0.04, ticks=[-4, -2, 0, 2, 4])
    bar.set_label("mel level (1 is 12.5 dB)")
    for part in (axes, bar.ax):
        part.tick_params(colors=INK, labelsize=8)
        part.xaxis.label.set_color(INK)
        part.yaxis.label.set_color(INK)
        for spine in part.spines.values():
            spine.set_color(INK)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.array(canvas.buffer_rgba(), np.uint8)[..., :3]  # type: ignore[no-untyped-call]
    return from_uint8(contiguous(pixels))
