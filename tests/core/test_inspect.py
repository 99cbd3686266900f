"""Inspect tells the truth about any value, and copies nothing."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from talkies.core.inspect import describe


def line(value):
    (only,) = describe(value)
    return only


@pytest.mark.parametrize(("value", "text"), [
    (torch.zeros(2, 3, dtype=torch.float16), "tensor float16 [2, 3] contiguous cpu, 0 to 0 (mean 0), 12 bytes"),
    (torch.tensor([[1.0, 2.0], [3.0, 6.0]]).T, "tensor float32 [2, 2] strides [1, 2] cpu, 1 to 6 (mean 3), 16 bytes"),
    (torch.tensor([1.0, float("nan"), float("inf")]), "tensor float32 [3] contiguous cpu, 1 to 1 (mean 1), 2 NaN or infinite, 12 bytes"),
    (torch.tensor([float("nan")]), "tensor float32 [1] contiguous cpu, 1 NaN or infinite, 4 bytes"),
    (torch.zeros(0, 3), "tensor float32 [0, 3] contiguous cpu, empty, 0 bytes"),
    (torch.tensor(7), "tensor int64 [] contiguous cpu, 7 to 7 (mean 7), 8 bytes"),
    (torch.tensor([True, False]), "tensor bool [2] contiguous cpu, 0 to 1 (mean 0.5), 2 bytes"),
    (torch.ones(2, requires_grad=True), "tensor float32 [2] contiguous cpu requires_grad, 1 to 1 (mean 1), 8 bytes"),
    (torch.eye(2).to_sparse(), "tensor float32 [2, 2] sparse_coo cpu, 0 to 1 (mean 0.5), 16 bytes"),
    (np.arange(4, dtype=">f4"), "array >f4 (byte-swapped) [4] contiguous cpu, 0 to 3 (mean 1.5), 16 bytes"),
    (np.zeros((4, 4), np.uint8)[:, ::2], "array uint8 [4, 2] strides [4, 2] cpu, 0 to 0 (mean 0), 8 bytes"),
    (np.array([3 + 4j]), "array complex128 [1] contiguous cpu, 5 to 5 (mean 5), 16 bytes"),
])
def test_an_array_is_described(value, text):
    assert line(value) == f"value: {text}"


def test_a_large_clip_is_read_in_slices_with_the_same_result():
    clip = torch.arange(3 * 2**21, dtype=torch.float32).reshape(3, 2048, 1024, 1)
    assert "0 to 6.29146e+06 (mean 3.14573e+06)" in line(clip)


def test_containers_are_opened():
    @dataclass
    class Pair:
        left: object
        right: object

    lines = list(describe({"waveform": torch.zeros(1, 2, 9), "sample_rate": 16000, "pair": Pair(None, ["text", b"12"])}))
    assert lines[0] == "value: dict of 3"
    assert lines[1].startswith("value.waveform: tensor float32 [1, 2, 9]")
    assert lines[2] == "value.sample_rate: int 16000"
    assert lines[5:] == ["value.pair.right: list of 2", "value.pair.right[0]: text of 4 characters: 'text'", "value.pair.right[1]: 2 bytes"]


def test_depth_is_bounded():
    deep: list = []
    deep.append(deep)
    assert len(list(describe(deep))) == 5


def test_a_network_is_summed_up():
    assert line(torch.nn.Linear(3, 4)) == "value: network Linear, 16 parameters, 64 bytes"
