"""How much memory a job took at its peak, beyond what was taken before it."""
from __future__ import annotations

import math
from typing import Any

import torch


def _process() -> Any | None:
    """Give this process as psutil sees it, or None where psutil is not installed (ComfyUI brings it along)."""
    try:
        import psutil  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return None
    return psutil.Process()


class PeakMemory:
    """Exact on a GPU; on the CPU the highest of the looks taken, which is close where the work repeats itself."""

    def __init__(self, device: torch.device) -> None:
        """Start to count."""
        self._device = device
        self._gpu = device.type == "cuda"
        if self._gpu:
            torch.cuda.reset_peak_memory_stats(device)
        self._process = None if self._gpu else _process()
        self._before = self._peak = self._now()

    def _now(self) -> float:
        if self._gpu:
            return float(torch.cuda.max_memory_allocated(self._device))
        return float(self._process.memory_info().rss) if self._process else math.nan

    def look(self) -> None:
        """Look now."""
        self._peak = max(self._peak, self._now())

    @property
    def beyond(self) -> float:
        """Give the peak beyond the start, bytes; NaN where nothing can be told."""
        return self._peak - self._before
