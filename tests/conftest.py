"""Every test runs on this checkout, imported as `talkies`, with the library calls of the pack under guard."""
from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from checkout import SHARED, load_pack

os.environ.setdefault("MPLBACKEND", "Agg")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's threads of several workers would only wait for one another
load_pack()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips, weights and goldens beside the checkout; skips where there is none."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared folder with real media and goldens beside the checkout")
    return SHARED


@pytest.fixture(scope="session")
def clean_ramp():
    """Two gray frames ``[2,160,192,3]`` that go from dark on the left to light on the right."""
    columns = np.mgrid[:160, :192][1].astype(np.float32)
    return np.repeat((0.25 + 0.5 * columns / 192)[None, ..., None].repeat(2, axis=0), 3, axis=3)


@pytest.fixture(scope="session")
def grainy_ramp(clean_ramp):
    """The same with the grain of 16 mm film."""
    from talkies.core.operation import run
    from talkies.core.restore.grain.add import AddGrain

    return run(AddGrain(preset="16mm", fixed_size=True, seed=4), clean_ramp)


@pytest.fixture(scope="module")
def one_thread():
    """Run torch on one thread: tiny networks gain nothing by more, and on a busy machine lose much."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session", autouse=True)
def library_guard():
    """Check every array that the pack hands to OpenCV, SciPy, scikit-image or bm3d, in every test."""
    import library_guard

    with pytest.MonkeyPatch.context() as patch:
        yield library_guard.install(patch)
