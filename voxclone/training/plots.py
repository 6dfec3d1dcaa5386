"""Pictures for a run's report."""

from __future__ import annotations

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
