"""How many frames of work fit into a budget of memory."""
from __future__ import annotations

from fractions import Fraction

from ..parallel import worker_count
from .clip import ClipInfo

MIB_A_PROCESSOR = 128
"""The budget where none is given: enough that every processor has a 1080p frame or two at work."""


def chunk_frames(info: ClipInfo, memory_mib: float = 0, scale: Fraction | float = 1, radius: int = 0) -> int:
    """Give the number of frames a chunk so that a streamed operation stays within a budget; at least 1.

    While a chunk of n frames is worked on, n + 2 radius frames are held twice, as they came and joined to the ones before them, and the
    next n are read already; results are held three times, those of the chunk before, which is being encoded, the new ones, and the
    intermediate clip of a chain. With f bytes a float32 frame and scale² f bytes a result, that is
    ``(n + 2 radius) * f * (3 + 3 scale²)``, solved for n.

    Args:
        info: the clip that is read.
        memory_mib: the budget, MiB; 0 takes `MIB_A_PROCESSOR` for each processor.
        scale: by which height and width change.
        radius: neighbour frames needed on each side.
    """
    memory_mib = memory_mib or MIB_A_PROCESSOR * worker_count()
    frame = info.width * info.height * info.channels * 4
    cost = frame * (3 + 3 * float(scale) ** 2)
    return max(1, int(memory_mib * 2**20 / cost) - 2 * radius)
