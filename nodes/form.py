"""The form of a node: its inputs from an operation's settings, and the one call that runs it."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..core.arrays import to_image
from ..core.masked import Mask, Masked
from ..core.operation import Chain, Numbered, Operation, run
from ..core.settings import Setting, settings_of
from ..core.video.clip import FrameSource
from ..core.video.memory import chunk_frames
from ..core.video.source import BatchSource
from ..host.blocker import blocked
from ..host.progress import node_progress
from ..host.video import open_video
from .names import OPS

InputTypes = dict[str, dict[str, Any]]

IMAGES_IN = ("IMAGE", {
    "tooltip": "Frames to work on now. Leave it unlinked to only add this step to `ops` for Render Video; link both to do both.",
})
MASK_IN = ("MASK", {
    "tooltip": "Where to work: white changes, black keeps every pixel bit for bit. One mask for all frames, or one a frame.",
})
OPS_IN = (OPS, {"tooltip": "The steps before this one, from another Talkies node. Only Render Video runs them."})

IMAGES_OUT = "The frames, when `images` is linked."
OPS_OUT = "The steps so far with this one at their end, for Render Video."


def widgets(operation: type[Any]) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Give the settings that a class declares as node widgets: kind, default, range, step and tooltip."""
    return {entry.name: _widget(entry) for entry in settings_of(operation)}


def _widget(entry: Setting) -> tuple[Any, dict[str, Any]]:
    unit = f" Unit: {entry.unit}." if entry.unit else ""
    options: dict[str, Any] = {"default": entry.default, "tooltip": f"{entry.help}{unit}"}
    if entry.kind == "choice":
        return list(entry.choices), options
    if entry.kind in ("float", "int"):
        options |= {"min": entry.low, "max": entry.high, "step": entry.step or (1 if entry.kind == "int" else 0.01)}
        if entry.kind == "float":
            options["round"] = min(0.001, options["step"])
    return {"float": "FLOAT", "int": "INT", "bool": "BOOLEAN", "text": "STRING"}[entry.kind], options


def frame_inputs(operation: type[Operation]) -> InputTypes:
    """Give the inputs of a frame node: the operation's settings, then images, mask and ops, none of which must be linked."""
    return {
        "required": widgets(operation),
        "optional": {"images": IMAGES_IN, "mask": MASK_IN, "ops": OPS_IN},
        "hidden": {"node_id": "UNIQUE_ID"},
    }


def clip_of(images: Any | None, video: Any | None, fps: float, title: str) -> FrameSource:
    """Open whichever of images and video is linked, to be read by chunks.

    Raises:
        ValueError: neither is, or both are.
    """
    if (images is None) == (video is None):
        raise ValueError(f"{title}: {'neither' if images is None else 'both of'} images {'nor' if images is None else 'and'} video "
                         f"{'is' if images is None else 'are'} linked; link one of them.")
    return BatchSource(images, fps) if video is None else open_video(video)


def runs_of(source: FrameSource) -> Iterator[Numbered]:
    """Read a clip from its beginning as numbered runs of frames of a bounded size."""
    for chunk in source.chunks(chunk_frames(source.info)):
        yield chunk.start, chunk.frames


def masked(operation: Operation, mask: Any | None) -> Operation:
    """Confine an operation to a mask, if there is one."""
    return operation if mask is None else Masked(operation=operation, mask=Mask(mask))


def process(operation: Operation, images: Any | None, title: str, node_id: str | None) -> Any:
    """Run an operation on a linked IMAGE and give an IMAGE; give the host's blocker when nothing is linked."""
    if images is None:
        return blocked(f"{title}: no images are linked, so there are none to pass on. Link images, or use only the ops output.")
    return to_image(run(operation, images, node_progress(title, node_id)))


def appended(ops: Chain | None, operation: Operation) -> Chain:
    """Put an operation at the end of a chain, which may be missing."""
    return (ops or Chain()).then(operation)
