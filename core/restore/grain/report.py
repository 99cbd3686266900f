"""The figures of a grain profile."""
from __future__ import annotations

from ...report import Report
from .profile import GrainProfile


def grain_report(title: str, grain: GrainProfile, after: GrainProfile | None = None) -> Report:
    """Give the figures of a measured grain, and what was measured afterwards."""
    figures: dict[str, float | int | str] = {
        "kind": grain.kind, "confidence (0..1)": grain.confidence, "sigma (0..255)": 255 * grain.sigma, "size (px)": grain.size,
        "Cb sigma (0..255)": 255 * max(grain.cb_sigmas), "Cr sigma (0..255)": 255 * max(grain.cr_sigmas),
        "Cb with luma": grain.cb_luma, "Cr with luma": grain.cr_luma,
        "frame to frame": "one frame cannot tell" if grain.temporal is None else grain.temporal,
        "flat blocks": grain.blocks, "frames measured": grain.frames,
    }
    if grain.pattern is not None:
        figures["pattern (cycles a pixel, down and right)"] = f"{grain.pattern[0]:.3f}, {grain.pattern[1]:.3f}"
    if after is not None:
        figures |= {"afterwards: kind": after.kind, "afterwards: sigma (0..255)": 255 * after.sigma, "afterwards: size (px)": after.size}
    return Report(title, figures)
