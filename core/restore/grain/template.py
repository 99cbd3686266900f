"""The AV1 specification's grain template in its integers: random register, Gaussian sequence, autoregressive filter.

Source: AV1 Bitstream & Decoding Process Specification, 7.18.3.2 and 7.18.3.3, for 8 bits.
"""
from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...compiled import compiled
from .gaussian_sequence import GAUSSIAN_SEQUENCE

Integers: TypeAlias = NDArray[np.int32]

HEIGHT, WIDTH = 73, 82
"""Of the luma template, px."""

_SEEDS = (1, 7391, 20011, 50021)  # templates over which a filter's gain is averaged


def filtered_template(coeffs: tuple[int, ...], lag: int, coeff_shift: int, seed: int, scale_shift: int = 0) -> Integers:
    """Give the template ``[73,82]`` that a filter makes of the Gaussian sequence."""
    return _template(GAUSSIAN_SEQUENCE, seed, 4 + scale_shift, np.array(coeffs, np.int32), lag, coeff_shift)


def template_sigma(coeffs: tuple[int, ...], lag: int, coeff_shift: int, scale_shift: int = 0) -> float:
    """Give the standard deviation of the part of a template that frames are made of, in steps of 255, over a few seeds."""
    made = [filtered_template(coeffs, lag, coeff_shift, seed, scale_shift)[9:, 9:] for seed in _SEEDS]
    return max(float(np.sqrt(np.mean([(part * 1.0) ** 2 for part in made]))), 1e-6)


@compiled
def next_register(register: int) -> int:
    """Step the 16-bit linear feedback shift register (7.18.3.2)."""
    bit = (register ^ (register >> 1) ^ (register >> 3) ^ (register >> 12)) & 1
    return (register >> 1) | (bit << 15)


@compiled
def rounded(value: int, bits: int) -> int:
    """Divide by ``2 ** bits``, rounding half up."""
    return value if bits == 0 else (value + (1 << (bits - 1))) >> bits


@compiled
def _template(sequence: Integers, seed: int, shift: int, coeffs: Integers, lag: int, coeff_shift: int) -> Integers:
    grain = np.zeros((73, 82), np.int32)
    register = seed
    for y in range(73):
        for x in range(82):
            register = next_register(register)
            grain[y, x] = rounded(sequence[(register >> 5) & 2047], shift)
    for y in range(3, 73):
        for x in range(3, 79):
            total, at = 0, 0
            for down in range(-lag, 1):
                for right in range(-lag, lag + 1):
                    if down == 0 and right == 0:
                        break
                    total += grain[y + down, x + right] * coeffs[at]
                    at += 1
            grain[y, x] = min(max(grain[y, x] + rounded(total, coeff_shift), -128), 127)
    return grain
