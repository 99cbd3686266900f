"""Self-attention over the positions of a feature map (Dhariwal and Nichol, "Diffusion Models Beat GANs", 2021)."""
from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .normalisation import GroupNorm

HEAD_CHANNELS = 64


class Attention(nn.Module):
    """Multi-head self-attention with a residual connection, on ``[N,C,H,W]``.

    The projection gives each head its 64 query, 64 key and 64 value channels in one run (head by head, not all queries first).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % HEAD_CHANNELS:
            raise ValueError(f"Attention got {channels} channels; a multiple of {HEAD_CHANNELS} is wanted, {HEAD_CHANNELS} a head.")
        self.heads = channels // HEAD_CHANNELS
        self.norm = GroupNorm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Attend over all positions, row by row; ``[N,C,H,W]`` in and out."""
        count, channels, height, width = x.shape
        rows = self.norm(x).permute(0, 2, 3, 1).reshape(count, height * width, channels)  # no copy in channels_last
        query, key, value = self.split(functional.linear(rows, self.qkv.weight[:, :, 0], self.qkv.bias))
        # The scores are softmax'ed in float32 inside the kernel, whatever the precision of the maps.
        mixed = functional.scaled_dot_product_attention(query, key, value, scale=HEAD_CHANNELS**-0.5)
        mixed = mixed.transpose(1, 2).reshape(count, height * width, channels)
        change = functional.linear(mixed, self.proj_out.weight[:, :, 0], self.proj_out.bias)
        return x + change.reshape(count, height, width, channels).permute(0, 3, 1, 2)

    def split(self, qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Cut ``[N,positions,3C]`` into query, key and value, each ``[N,heads,positions,64]``."""
        count, positions, _ = qkv.shape
        by_head = qkv.reshape(count, positions, self.heads, 3, HEAD_CHANNELS).permute(3, 0, 2, 1, 4)
        query, key, value = torch.unbind(by_head)
        return query, key, value
