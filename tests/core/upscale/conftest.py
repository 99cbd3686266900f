"""Networks for the tests: the four published shapes with weights by a rule, and small ones that run in no time."""
from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
import torch
from spandrel.architectures.Compact import Compact
from spandrel.architectures.ESRGAN import ESRGAN


def drawn(shapes, factor):
    """Draw the tensors of the goldens: PCG64 seeded with the CRC-32 of the key."""
    state = {}
    for key, shape in shapes.items():
        weight = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()))).standard_normal(tuple(shape))
        if key.endswith("bias"):
            weight = weight * 0.02
        elif len(shape) == 1:
            weight = 0.25 + 0.05 * weight
        else:
            weight = weight * factor / np.sqrt(shape[1] * 9)
        state[key] = torch.from_numpy(weight.astype(np.float32))
    return state


def drawn_for(network, factor):
    """Draw a network's tensors; a network that adds its result to nothing gets a middle gray to add it to."""
    state = drawn({key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}, factor)
    if isinstance(network, ESRGAN):
        state[list(state)[-1]] += 0.5
    return state


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A folder of small models: ``compact`` (4x), ``rrdb`` (4x), ``rrdb2`` (2x, unshuffled), ``gray`` (2x), an x4v3 and its partner."""
    folder = tmp_path_factory.mktemp("small")
    compact = drawn_for(Compact(num_feat=16, num_conv=3, upscale=4), 1.3)
    torch.save({"params": compact}, folder / "compact.pth")
    torch.save({"params_ema": drawn_for(ESRGAN(num_filters=16, num_blocks=1, scale=4), 0.65)}, folder / "rrdb.pth")
    unshuffled = ESRGAN(in_nc=12, num_filters=16, num_blocks=1, scale=4, shuffle_factor=2)
    torch.save({"params_ema": drawn_for(unshuffled, 0.65)}, folder / "rrdb2.pth")
    torch.save(drawn_for(Compact(num_in_ch=1, num_out_ch=1, num_feat=8, num_conv=2, upscale=2), 1.3), folder / "gray.pth")
    torch.save({"params": compact}, folder / "tiny-general-x4v3.pth")
    torch.save({"params": {k: v * 0.5 for k, v in compact.items()}}, folder / "tiny-general-wdn-x4v3.pth")
    return folder


@pytest.fixture(scope="session")
def manifests(shared):
    return json.loads((shared / "goldens" / "upscale" / "realesrgan_manifests.json").read_text(encoding="utf-8"))["models"]


@pytest.fixture(scope="session")
def goldens(shared):
    return np.load(shared / "goldens" / "upscale" / "realesrgan_goldens.npz")


@pytest.fixture(scope="session")
def published(tmp_path_factory, manifests):
    """A folder with the four published shapes, weights by the rule, wrapped as the real files are."""
    folder = tmp_path_factory.mktemp("published")
    for name, manifest in manifests.items():
        state = drawn(manifest["shapes"], 0.65 if manifest["arch"] == "RRDBNet" else 1.3)
        torch.save({manifest["wrapper"]: state}, folder / f"{name}.pth")
    return folder


@pytest.fixture(scope="session")
def picture():
    """A smooth 96x128 picture with edges, ``[1,H,W,3]``."""
    y, x = np.mgrid[0:96, 0:128].astype(np.float32)
    plane = 0.5 + 0.25 * np.sin(x / 9) * np.cos(y / 7) + 0.15 * ((x - 60) ** 2 + (y - 40) ** 2 < 700)
    return np.stack([plane, plane[::-1], 0.9 * plane], -1)[None].astype(np.float32)
