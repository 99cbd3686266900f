"""The Compare node."""
from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from ..core.arrays import to_image
from ..core.measure.comparison import compare, heat_map
from ..core.measure.plot import plot_series
from ..core.video.moments import Moments
from ..host.previews import save_previews
from ..host.progress import node_progress
from .form import InputTypes, clip_of, runs_of
from .names import REPORT, category
from .panel import with_panel


class Compare:
    """See web/docs/TalkiesCompare.md."""

    CATEGORY = category("Inspect")
    DESCRIPTION = "Two clips behind one slider, with PSNR, SSIM, flicker and jitter of every frame and a map of where they differ."
    SEARCH_ALIASES = ["a/b", "before after", "slider", "psnr", "ssim", "difference", "quality", "image comparer"]
    RETURN_TYPES = (REPORT, "IMAGE", "IMAGE")
    RETURN_NAMES = ("report", "plot", "difference")
    OUTPUT_TOOLTIPS = (
        "PSNR, SSIM, flicker and jitter: one figure over the clip each, and one number a frame.",
        "The series as curves over the frames.",
        "Where the two differ, averaged over the clip: black nowhere, white most.",
    )
    FUNCTION = "run"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return {
            "required": {
                "moments": ("INT", {"default": 48, "min": 2, "max": 240, "step": 1, "tooltip": (
                    "How many frames, at most, are kept for the slider, evenly spread over the clip. All are measured.")}),
                "side": ("INT", {"default": 1024, "min": 128, "max": 4096, "step": 64, "tooltip": (
                    "The longer side of the pictures behind the slider; larger frames are shrunk to it. Unit: px.")}),
            },
            "optional": {
                "before": ("IMAGE", {"tooltip": "The frames before. Link these or `before_video`."}),
                "after": ("IMAGE", {"tooltip": "The frames after. Where sizes differ, the ones before are resized to these."}),
                "before_video": ("VIDEO", {"tooltip": "The video before, of any length; it is read a few frames at a time."}),
                "after_video": ("VIDEO", {"tooltip": "The video after, of any length."}),
            },
            "hidden": {"node_id": "UNIQUE_ID"},
        }

    def run(self, moments: int, side: int, before: Any = None, after: Any = None, before_video: Any = None, after_video: Any = None,
            node_id: str | None = None) -> dict[str, Any]:
        kept = Moments(moments, side)
        with ExitStack() as open_clips:
            first, second = (open_clips.enter_context(clip_of(images, video, 25.0, f"Compare ({name})"))
                             for name, images, video in (("before", before, before_video), ("after", after, after_video)))
            total = min(first.info.frames or 0, second.info.frames or 0)
            found = compare(runs_of(first), runs_of(second), node_progress("Compare", node_id), total,
                            lambda index, a, b: kept.see(index, a, b, heat_map(abs(a - b).mean(-1), 0.25)) if kept.wants(index) else None)
        report = found.report()
        pictures = [{"frame": index, **dict(zip(("before", "after", "difference"), save_previews(jpegs, f"compare_{index}"), strict=True))}
                    for index, jpegs in kept.kept.items()]
        return with_panel((report, to_image(plot_series(report)[None]), to_image(heat_map(found.heat)[None])),
                          talkies_compare={"moments": pictures, "report": report.to_json()})
