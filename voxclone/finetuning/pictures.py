"""The report's pictures."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from voxclone.finetuning.coverage import ENOUGH
from voxclone.finetuning.dataset import SpeakerData

BLUE, RED, GREY = "#3b6ea5", "#b5473c", "#999999"


def draw_sorting(numbers: dict[str, Any]) -> Figure:
    """Minutes kept, and dropped by reason."""
    rows = {"kept": numbers["minutes_kept"]} | {name: about["minutes"] for name, about in numbers["dropped"].items()}
    figure = Figure(figsize=(7, 0.6 + 0.35 * len(rows)), layout="tight")
    axes = figure.add_subplot()
    axes.barh(list(rows), list(rows.values()), color=[BLUE, *[RED] * (len(rows) - 1)])
    axes.invert_yaxis()
    axes.set_xlabel("minutes")
    return figure


def draw_quality(data: SpeakerData) -> Figure:
    """Histograms of SNR, bandwidth, length and pitch of what is used."""
    used = {entry.key for entry in (*data.train, *data.held_out)}
    kept = [each for each in data.utterances if each.key in used]
    f0 = np.concatenate([data.store.read(entry, "f0") for entry in (*data.train, *data.held_out)])
    columns: dict[str, Any] = {
        "signal to noise, dB": [each.snr_db for each in kept if each.snr_db is not None],
        "bandwidth, kHz": [each.bandwidth_hz / 1000 for each in kept if each.bandwidth_hz is not None],
        "length, s": [each.seconds for each in kept],
        "pitch, Hz": f0[f0 > 0],
    }
    figure = Figure(figsize=(11, 2.4), layout="tight")
    for place, (label, values) in enumerate(columns.items(), 1):
        axes = figure.add_subplot(1, 4, place)
        axes.hist(values, bins=20, color=BLUE)
        axes.set_xlabel(label)
    return figure


def draw_phones(counts: dict[str, int]) -> Figure:
    """How often each phone is heard, on a logarithmic scale, the rare ones in red."""
    ordered = sorted(counts, key=lambda phone: -counts[phone])
    figure = Figure(figsize=(11, 2.6), layout="tight")
    axes = figure.add_subplot()
    heights = [max(counts[phone], 0.3) for phone in ordered]
    axes.bar(ordered, heights, color=[BLUE if counts[phone] >= ENOUGH else RED for phone in ordered])
    axes.axhline(ENOUGH, color=GREY, linewidth=0.8)
    axes.set_yscale("log")
    axes.set_ylabel("times heard")
    axes.margins(x=0.01)
    return figure


def draw_training(log: Path, before: float) -> Figure:
    """The held-out sentences' loss and that of what is learned from, by update."""
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    figure = Figure(figsize=(7, 2.6), layout="tight")
    axes = figure.add_subplot()
    for name, label, colour in (("total", "learned from", GREY), ("valid_total", "held out", BLUE)):
        points = [(int(row["step"]), float(row[name])) for row in rows if row.get(name)]
        axes.plot(*zip(*points, strict=True), color=colour, label=label, marker="." if name != "total" else None)
    axes.axhline(before, color=RED, linewidth=0.8, label="held out, before")
    axes.set_xlabel("updates")
    axes.set_ylabel("loss")
    axes.legend()
    return figure


def draw_mels(mels: dict[str, NDArray[np.float32]]) -> Figure:
    """Mels (n_mels, T) one above the other."""
    figure = Figure(figsize=(9, 1.9 * len(mels)), layout="tight")
    for place, (label, mel) in enumerate(mels.items(), 1):
        axes = figure.add_subplot(len(mels), 1, place)
        axes.imshow(mel, aspect="auto", origin="lower", vmin=-11.5, vmax=1.5)
        axes.set_ylabel(label)
        axes.set_xticks([])
        axes.set_yticks([])
    return figure
