"""The two residual blocks of the acoustic model, both conditioned on the speaker in every norm."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from voxclone.layers.convolution import Conv1d
from voxclone.layers.norm import ConditionalLayerNorm


class TransformerBlock(nn.Module):
    """Self-attention, then a convolutional feed-forward layer (FFT block, arXiv:1905.09263, section 3.1)."""

    def __init__(self, dim: int, heads: int, kernel_size: int, condition_dim: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.attention_norm = ConditionalLayerNorm(dim, condition_dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.attention_out = nn.Linear(dim, dim)
        self.position = Conv1d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)
        self.feed_norm = ConditionalLayerNorm(dim, condition_dim)
        self.feed_in = Conv1d(dim, 2 * dim, kernel_size, padding=kernel_size // 2)
        self.feed_out = nn.Linear(2 * dim, dim)

    def forward(self, x: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        """(B, N, D), mask (B, N), condition (B, C) to (B, N, D); zero where masked."""
        keep = mask[:, :, None].to(x.dtype)
        x = (x + self.position(x.transpose(1, 2)).transpose(1, 2)) * keep
        batch, length, dim = x.shape
        query, key, value = (
            self.qkv(self.attention_norm(x, condition))
            .view(batch, length, 3, self.heads, dim // self.heads)
            .permute(2, 0, 3, 1, 4)
        )
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
        x = x + self._drop(self.attention_out(attended.transpose(1, 2).reshape(batch, length, dim)))
        fed = self.feed_in((self.feed_norm(x, condition) * keep).transpose(1, 2)).transpose(1, 2)
        return (x + self._drop(self.feed_out(functional.gelu(fed)))) * keep

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)


class ConvolutionBlock(nn.Module):
    """Depthwise convolution, conditional norm, pointwise expansion (ConvNeXt, arXiv:2201.03545), residual."""

    def __init__(self, dim: int, kernel_size: int, expansion: int, condition_dim: int) -> None:
        super().__init__()
        self.depthwise = Conv1d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)
        self.norm = ConditionalLayerNorm(dim, condition_dim)
        self.expand = nn.Linear(dim, expansion * dim)
        self.reduce = nn.Linear(expansion * dim, dim)
        self.scale = nn.Parameter(torch.full((dim,), 0.1))

    def forward(self, x: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        """(B, T, D), mask (B, T), condition (B, C) to (B, T, D); zero where masked."""
        y = self.norm(self.depthwise(x.transpose(1, 2)).transpose(1, 2), condition)
        y = self.reduce(functional.gelu(self.expand(y)))
        out: Tensor = (x + self.scale * y) * mask[:, :, None].to(x.dtype)
        return out
