"""The Film Grain node."""
from __future__ import annotations

from typing import Any

from ..core.arrays import to_frames, to_image
from ..core.masked import Mask
from ..core.operation import Chain, Operation, run
from ..core.progress import part
from ..core.restore.grain.add import AddGrain
from ..core.restore.grain.curves import grain_curves, grain_patch
from ..core.restore.grain.files import parse_grain
from ..core.restore.grain.measure import measure_grain
from ..core.restore.grain.plot import plot_grain
from ..core.restore.grain.presets import preset_profile
from ..core.restore.grain.profile import GrainProfile
from ..core.restore.grain.remove import RemoveGrain
from ..core.restore.grain.report import grain_report
from ..core.restore.grain.table import table_of, write_tables
from ..core.video.moments import jpeg
from ..host.blocker import blocked
from ..host.previews import save_previews
from ..host.progress import node_progress
from .form import IMAGES_IN, IMAGES_OUT, OPS_IN, OPS_OUT, InputTypes, appended, masked, widgets
from .names import GRAIN, OPS, REPORT, category
from .panel import with_panel

_ADD = ("preset", "strength", "size", "chroma", "seed", "fixed_size")
_REMOVE = ("method", "adaptive", "preservation", "texture")


class FilmGrain:
    """See web/docs/TalkiesFilmGrain.md."""

    CATEGORY = category("Restore")
    DESCRIPTION = "Measures film grain, removes it, adds it, or gives a clip the grain of another, frame by frame and never frozen."
    SEARCH_ALIASES = ["grain", "noise", "degrain", "regrain", "match grain", "film look", "iso noise", "av1 grain table"]
    RETURN_TYPES = ("IMAGE", GRAIN, OPS, REPORT, "IMAGE", "STRING")
    RETURN_NAMES = ("images", "grain", "ops", "report", "plot", "av1_table")
    OUTPUT_TOOLTIPS = (
        IMAGES_OUT, "The grain that was measured, or that was added: for the `grain` input of another Film Grain.", OPS_OUT,
        "Kind, confidence, strength, size, colour, how alike neighbouring frames are; after removing or matching, what is there then.",
        "Strength over luma, power over frequency, and a patch of the grain.",
        "The grain as an AV1 film grain table, for the --film-grain-table of libaom and the fgs-table of SVT-AV1.",
    )
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        adding, removing = widgets(AddGrain), widgets(RemoveGrain)
        return {
            "required": {
                "mode": (["match", "add", "remove", "measure"], {"default": "match", "tooltip": (
                    "match: the grain of `reference` (or of the part outside `mask`) is put on `images`, as far as they lack it. "
                    "add: that of `preset` or of `grain`. remove: what `images` are measured to have. measure: look only.")}),
                **{name: adding[name] for name in _ADD}, **{name: removing[name] for name in _REMOVE},
            },
            "optional": {
                "images": IMAGES_IN,
                "mask": ("MASK", {"tooltip": "Where to work: white changes, black keeps every pixel bit for bit. To match without "
                                  "`reference`, grain is measured on black and put on white; to measure, only black counts."}),
                "ops": OPS_IN,
                "reference": ("IMAGE", {"tooltip": "The frames whose grain is wanted, for match. One is enough, several are better."}),
                "grain": (GRAIN, {"tooltip": "Grain measured by another Film Grain: added, matched or removed instead of measuring."}),
                "av1_table": ("STRING", {"default": "", "multiline": True, "tooltip": (
                    "The text of an AV1 film grain table (filmgrn1 ...) or of a grain profile in JSON, used as `grain` is.")}),
            },
            "hidden": {"node_id": "UNIQUE_ID"},
        }

    def run(
        self, mode: str, images: Any = None, mask: Any = None, ops: Chain | None = None, reference: Any = None,
        grain: GrainProfile | None = None, av1_table: str = "", node_id: str | None = None, **settings: Any,
    ) -> dict[str, Any]:
        progress = node_progress("Film Grain", node_id)
        given = grain or (parse_grain(av1_table) if av1_table.strip() else None)
        found = _found(mode, given, images, mask, reference, settings, part(progress, 0, 2))
        operation = _operation(mode, found, mask, settings)
        made: Any = images
        after = None
        if operation is None:
            ops = ops or Chain()
        else:
            operation = masked(operation, mask)
            ops = appended(ops, operation)
            if images is not None:
                frames = run(operation, images, part(progress, 1, 2))
                after = _measured(frames, None, part(progress, 1, 2)) if mode != "add" else None
                made = to_image(frames)
        if images is None:
            made = blocked("Film Grain: no images are linked, so there are none to pass on. Link images, or use only the ops output.")
        known = found or GrainProfile()
        report = grain_report(f"Film Grain, {mode}", known, after)
        panel = {**grain_curves(known), "patch": save_previews([jpeg(grain_patch(known))], "grain")[0], "report": report.to_json()}
        result = made, known, ops, report, to_image(plot_grain(known)[None]), write_tables([table_of(known)])
        return with_panel(result, talkies_grain=panel)


def _found(
    mode: str, given: GrainProfile | None, images: Any, mask: Any, reference: Any, settings: dict[str, Any], progress: Any
) -> GrainProfile | None:
    """Give the grain that the mode works with; None where only the clip itself can tell, later.

    Raises:
        ValueError: nothing says what grain is wanted.
    """
    if given is not None:
        return given
    if mode == "add":
        return preset_profile(settings["preset"])
    if mode == "match":
        if reference is not None:
            return _measured(reference, None, progress)
        if mask is None or images is None:
            raise ValueError("Film Grain: match has nothing to go by; link reference or grain, or images and a mask, outside which the "
                             "grain is measured.")
        return _measured(images, mask, progress)
    if images is None:
        if mode == "measure":
            raise ValueError("Film Grain: measure has nothing to look at; link images.")
        return None
    return _measured(images, mask if mode == "measure" else None, progress)


def _measured(images: Any, mask: Any, progress: Any) -> GrainProfile:
    frames = to_frames(images, "Film Grain: images")
    return measure_grain([(0, frames)], progress, None if mask is None else Mask(mask), total=len(frames))


def _operation(mode: str, found: GrainProfile | None, mask: Any, settings: dict[str, Any]) -> Operation | None:
    """Give the step that the mode stands for; measure has none."""
    adding = {name: settings[name] for name in _ADD}
    if mode == "match":
        return AddGrain(**adding, fill_up=True, profile=found, where=None if mask is None else Mask(mask))
    if mode == "add":
        return AddGrain(**adding, profile=found)
    if mode == "remove":
        return RemoveGrain(**{name: settings[name] for name in _REMOVE}, strength=settings["strength"], profile=found)
    return None
