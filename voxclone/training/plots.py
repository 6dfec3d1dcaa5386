"""Pictures for a run's report."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor


def compare_mels(natural: Tensor, made: Tensor) -> Figure:
    """Natural above made, one column for each item of (B, n_mels, T)."""
    figure = Figure(figsize=(3.2 * len(natural), 5), layout="tight")
    for item in range(len(natural)):
        for row, mel in enumerate((natural, made)):
            axes = figure.add_subplot(2, len(natural), row * len(natural) + item + 1)
            axes.imshow(mel[item].float().cpu(), aspect="auto", origin="lower", vmin=-11.5, vmax=1.5)
            axes.set_axis_off()
    return figure


def draw_alignments(scores: Tensor, durations: Tensor, mel_lengths: Tensor) -> Figure:
    """The first four items' soft alignments (B, T, N) of unnormalised scores, their hard paths (B, N) over them."""
    figure = Figure(figsize=(12, 8), layout="tight")
    for item in range(min(4, len(scores))):
        axes = figure.add_subplot(2, 2, item + 1)
        own = durations[item][durations[item] > 0].cpu()
        soft = torch.softmax(scores[item, : int(mel_lengths[item]), : len(own)].float(), dim=1)
        axes.imshow(soft.T.cpu(), aspect="auto", origin="lower", interpolation="nearest")
        axes.step(own.cumsum(0), torch.arange(len(own)), where="pre", color="red", linewidth=0.6)
    return figure
