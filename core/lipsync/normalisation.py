"""Group normalisation that computes in float32 whatever comes in."""
from __future__ import annotations

from torch import Tensor, float32, nn
from torch.nn import functional

GROUPS = 32
EPSILON = 1e-5


class GroupNorm(nn.GroupNorm):
    """32 groups, affine; the statistics are float32 and the result has the precision of the input."""

    def __init__(self, channels: int) -> None:
        super().__init__(GROUPS, channels, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``[N,C,...]``."""
        if x.dtype == float32 or x.device.type == "cpu":  # the CPU kernel takes half maps with float32 weights, and adds up in float32
            return functional.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)
        return functional.group_norm(x.float(), self.num_groups, self.weight, self.bias, self.eps).to(x.dtype)
