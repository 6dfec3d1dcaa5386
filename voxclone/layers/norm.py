"""Speaker-adaptive layer normalisation."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ConditionalLayerNorm(nn.Module):
    """Layer norm whose scale and shift come from the speaker (SALN, arXiv:2106.03153, section 3.2)."""

    def __init__(self, dim: int, condition_dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.affine = nn.Linear(condition_dim, 2 * dim)
        nn.init.normal_(self.affine.weight, std=0.02)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(B, T, D) and (B, condition_dim) to (B, T, D)."""
        scale, shift = self.affine(condition)[:, None].chunk(2, dim=2)
        adapted: Tensor = functional.layer_norm(x, (self.dim,)) * (1 + scale) + shift
        return adapted
