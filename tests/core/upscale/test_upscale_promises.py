"""What every operation promises, of Super Resolve: by name, found in the model folder of the environment."""
from __future__ import annotations

import shutil

import numpy as np
import pytest
from operation_tester import OperationTester

from talkies.core.masked import Mask
from talkies.core.upscale.region import Boxes
from talkies.core.upscale.super_resolve import SuperResolve


@pytest.fixture(autouse=True)
def models(small, tmp_path, monkeypatch):
    shutil.copytree(small, tmp_path / "upscale_models")
    monkeypatch.setenv("TALKIES_MODELS", str(tmp_path))


class TestSuperResolve(OperationTester):
    variants = (
        SuperResolve(model="compact"),
        SuperResolve(model="rrdb2.pth", output="source"),
        SuperResolve(model="tiny-general-x4v3", output="2x", denoise=0.5, tile=16),
        SuperResolve(model="compact", reuse=True),
        SuperResolve(model="compact", output="source", region=Boxes(((4, 4, 20, 20),))),
        SuperResolve(model="compact", output="source", feather=2, region=Mask(np.eye(24, 32, 4, dtype=np.float32)[None])),
    )
