"""The Video Align node."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..core.arrays import to_image
from ..core.face.align import AlignFace, align
from ..core.face.detect.given import Given, from_json, from_values
from ..core.face.find import FaceSearch, find_face
from ..core.face.overlay import overlay
from ..core.face.track import FaceTrack
from ..core.operation import Chain, Numbered
from ..core.video.moments import Moments
from ..host.blocker import blocked
from ..host.devices import compute_device
from ..host.folders import model_folders
from ..host.previews import save_previews
from ..host.progress import node_progress
from .form import InputTypes, clip_of, runs_of, widgets
from .names import OPS, REPORT, TRACK, category
from .panel import with_panel

_MOMENTS, _SIDE = 24, 640  # pictures behind the scrubber at most, and their longer side, px


class VideoAlign:
    """See web/docs/TalkiesVideoAlign.md."""

    CATEGORY = category("Face")
    DESCRIPTION = "Finds a face, follows it through the clip and cuts it out upright, at the same place and size in every frame."
    SEARCH_ALIASES = ["face crop", "face align", "face detect", "landmarks", "stabilize face", "latentsync"]
    RETURN_TYPES = ("IMAGE", TRACK, "MASK", OPS, REPORT)
    RETURN_NAMES = ("images", "track", "mask", "ops", "report")
    OUTPUT_TOOLTIPS = (
        "The aligned crops, one a frame, when `images` is linked.",
        "The face in every frame: for Ultra Smooth, Lip Mask and Paste Back.",
        "Where the crops show the picture; black where they reach beyond its edge.",
        "The cutting as a step for Render Video, which makes a video of the crops of any length.",
        "Which detector was used and why, how many frames the face was found in, and which were filled.",
    )
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return {
            "required": {
                **widgets(FaceSearch),
                "size": ("INT", {"default": 256, "min": 32, "max": 2048, "step": 8, "tooltip": "Side of the square crop. Unit: px."}),
                "shape": (["natural", "latentsync"], {"default": "natural", "tooltip": "natural: true proportions. latentsync: the face "
                          "widened by a third, as the models trained on that crop expect it."}),
                "fit": (["similarity", "latentsync"], {"default": "similarity", "tooltip": "similarity: least squares, in full precision. "
                        "latentsync: the published pipeline's numbers, rounded points and all."}),
                "fill": widgets(AlignFace)["fill"],
                "fps": ("FLOAT", {"default": 25.0, "min": 0.1, "max": 1000.0, "step": 0.001,
                                  "tooltip": "Frames a second of `images`; a video states its own."}),
            },
            "optional": {
                "images": ("IMAGE", {"tooltip": "The frames. Link these or `video`."}),
                "video": ("VIDEO", {"tooltip": "A clip of any length; only its track is kept. Use `ops` with Render Video."}),
                "points": ("STRING,FACE_LANDMARKS", {
                    "forceInput": True, "tooltip": "Face points of your own as JSON: a list with one entry a frame, null "
                                      "or [[x, y], ...] with 5, 68 or 468 points in px. They take the place of the detector."}),
            },
            "hidden": {"node_id": "UNIQUE_ID"},
        }

    def run(
        self, size: int, shape: Any, fit: Any, fill: Any, fps: float, images: Any = None, video: Any = None, points: Any = None,
        node_id: str | None = None, **search: Any,
    ) -> dict[str, Any]:
        progress, moments = node_progress("Video Align", node_id), Moments(_MOMENTS, _SIDE)
        with clip_of(images, video, fps, "Video Align") as source:
            info = source.info
            found = find_face(
                _seen(runs_of(source), moments), (info.height, info.width), info.fps, FaceSearch(**search), model_folders("talkies"),
                given=_given(points), device=str(compute_device()),
                progress=progress, total=info.frames or 0)
            track = align(found.track, size, shape, fit)
            cutter = AlignFace(fill, fit == "latentsync", track=track)
        crops: Any = blocked("Video Align: with a video linked there are no crops in memory; use the ops output with Render Video.")
        if video is None:
            crops = to_image(cutter(images, progress=progress))
        mask = to_image(cutter.masks(track.start, track.stop)) if video is None else crops
        return with_panel((crops, track, mask, Chain((cutter,)), found.report), talkies_align=_panel(track, moments))


def _seen(runs: Iterator[Numbered], moments: Moments) -> Iterator[Numbered]:
    """Let frames pass and keep a few of them as pictures."""
    for start, frames in runs:
        for index, frame in enumerate(frames, start):
            moments.see(index, frame[..., :3])
        yield start, frames


def _panel(track: FaceTrack, moments: Moments) -> dict[str, Any]:
    """Give what the panel shows: the kept frames with the face in them, and how sure the detector was of every frame."""
    pictures = [{"frame": index, "picture": save_previews(jpegs, f"align_{index}")[0], **overlay(track, index)}
                for index, jpegs in moments.kept.items()]
    height, width = track.size
    return {"size": [width, height], "detector": track.detector, "moments": pictures, "filled": track.filled.tolist(),
            "confidence": [round(float(v), 3) for v in track.confidence]}


def _given(points: Any) -> Given | None:
    """Take points as JSON text or as ComfyUI's FACE_LANDMARKS; None where nothing is linked."""
    if points is None or (isinstance(points, str) and not points.strip()):
        return None
    return from_json(points) if isinstance(points, str) else from_values(points)
