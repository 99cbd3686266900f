"""How much memory a job took at its peak, beyond what was taken before it."""
from __future__ import annotations

import math
import mmap
from pathlib import Path

import torch

_STATM = Path("/proc/self/statm")


def _resident() -> float:
    """Give the bytes that this process holds in memory: as Linux tells, elsewhere as psutil does (ComfyUI brings it along); else NaN."""
    if _STATM.exists():
        return float(_STATM.read_text(encoding="ascii").split()[1]) * mmap.PAGESIZE
    try:
        import psutil  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return math.nan
    return float(psutil.Process().memory_info().rss)


class PeakMemory:
    """Exact on a GPU; on the CPU the highest of the looks taken, which is close where the work repeats itself."""

    def __init__(self, device: torch.device) -> None:
        """Start to count."""
        self._device = device
        self._gpu = device.type == "cuda"
        if self._gpu:
            torch.cuda.reset_peak_memory_stats(device)
        self._before = self._peak = self._now()

    def _now(self) -> float:
        if self._gpu:
            return float(torch.cuda.max_memory_allocated(self._device))
        return _resident()

    def look(self) -> None:
        """Look now."""
        self._peak = max(self._peak, self._now())

    @property
    def beyond(self) -> float:
        """Give the peak beyond the start, bytes; NaN where nothing can be told."""
        return self._peak - self._before
