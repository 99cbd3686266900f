"""Deterministic weights that stand in for the published ones, and seeded inputs. ``python tests/lips_filling.py OUT.pt`` writes a file."""
from __future__ import annotations

import math
import sys
import zlib
from pathlib import Path

import numpy as np
import torch

GAINS = {"out.2.weight": 1.6, "audio_encoder_to_style.3.weight": 4.0}
SEEDS = {"noise": 7, "face": (11, 12), "ref": (13, 14), "mel": 15, "x": 16}


def generator(seed):
    return np.random.Generator(np.random.PCG64(seed))


def weight(key, shape):
    """Draw a tensor, seeded by its name, of a size that keeps signals alive through the depth of the network."""
    drawn = generator(zlib.crc32(key.encode())).standard_normal(shape)
    if len(shape) > 1:
        drawn *= (1.5 if key.endswith("qkv.weight") else GAINS.get(key, 1.0)) / math.sqrt(math.prod(shape[1:]))
    else:
        drawn = 1 + 0.1 * drawn if key.endswith(".weight") else 0.1 * drawn
    return torch.tensor(drawn.astype(np.float32))


def filled(network):
    """Fill a network in place, and give it frozen."""
    network.load_state_dict({k: weight(k, tuple(v.shape)) for k, v in network.state_dict().items()})
    return network.eval().requires_grad_(False)


def inputs(count=2, size=128):
    """Draw faces in blocks with grain, noise, mel and noisy faces for `count` (1 or 2) items; float32 tensors by name."""
    def picture(blocks, grain):
        coarse = np.kron(generator(blocks).random((2, 3, 16, 16)), np.ones((8, 8)))
        return ((coarse * 0.8 + 0.2 * generator(grain).random((2, 3, 128, 128))) * 2 - 1).astype(np.float32)

    noise = generator(SEEDS["noise"]).standard_normal((1, 3, 128, 128)).astype(np.float32).repeat(2, 0)
    face, ref = picture(*SEEDS["face"]), picture(*SEEDS["ref"])
    mel = np.clip(generator(SEEDS["mel"]).standard_normal((2, 80, 16)) * 1.5 - 1, -4, 4).astype(np.float32)
    x = generator(SEEDS["x"]).standard_normal((2, 3, 128, 128)).astype(np.float32)
    mask = np.zeros((2, 1, 128, 128), np.float32)
    mask[:, :, 64:] = 1
    cond = (face * (1 - mask) + mask * noise).astype(np.float32)
    drawn = {"noise": noise, "face": face, "ref": ref, "x": x, "mask": mask, "cond": cond}
    edge = (128 - size) // 2
    cut = {k: torch.tensor(v[:count, :, edge : edge + size, edge : edge + size]) for k, v in drawn.items()}
    return {**cut, "mel": torch.tensor(mel[:count])}


def write_checkpoint(path, precision=torch.float32):
    """Write a file as the published one is laid out: a plain table of the 632 tensors."""
    from talkies.core.lipsync.network import LipNetwork

    torch.save({k: v.to(precision) for k, v in filled(LipNetwork()).state_dict().items()}, path)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import benchmarks  # noqa: F401  makes `talkies` importable from the checkout

    write_checkpoint(Path(sys.argv[1]))
