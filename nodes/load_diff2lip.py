"""The Load Diff2Lip node."""
from __future__ import annotations

from typing import Any

from ..core.report import Report
from ..host.lips import LICENCE, lip_names, open_lips
from .form import InputTypes
from .names import LIPS, REPORT, category


class LoadDiff2Lip:
    """See web/docs/TalkiesLoadDiff2Lip.md."""

    CATEGORY = category("Lips")
    DESCRIPTION = "Loads the published Diff2Lip checkpoint, safely: tensors only, every one checked. Its licence is CC BY-NC 4.0."
    SEARCH_ALIASES = ["diff2lip", "lip sync model", "lip-sync checkpoint", "load lips", "wav2lip"]
    RETURN_TYPES = (LIPS, REPORT)
    RETURN_NAMES = ("lips", "report")
    OUTPUT_TOOLTIPS = ("The network, for Diff2Lip Generate.", "The file, its sha256, its size in parameters, and its licence.")
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return {"required": {"checkpoint": (lip_names(), {"tooltip": (
            "The file in models/diff2lip. Running the node without it says where to get it, how large it is, and where it belongs.")})}}

    def run(self, checkpoint: str) -> tuple[Any, ...]:
        model = open_lips(checkpoint)
        parameters = sum(p.numel() for p in model.network.parameters())
        return model, Report("Load Diff2Lip", {"file": model.name, "sha256": model.sha256, "parameters": parameters, "licence": LICENCE})
