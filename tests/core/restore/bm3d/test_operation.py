"""BM3D as an operation: what every operation promises."""
from __future__ import annotations

from operation_tester import OperationTester

from talkies.core.restore.bm3d.operation import BM3D


class TestBM3D(OperationTester):
    variants = (
        BM3D(sigma=5, profile="fast"),
        BM3D(sigma=5, profile="fast", radius=1),
        BM3D(profile="lc", stages="hard", luma_strength=0.5, strength=0.7),
        BM3D(sigma=8, profile="fast", radius=2, colour_space="ycbcr", chroma_strength=2, detail=0.5),
    )
