"""Error rates of a speaker encoder's scores, with intervals over speakers, as numbers, a table and curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from speaker_trials import Side
from voxclone.models.cohort import Cohort
from voxclone.training.metrics import ErrorCurve, crossing, detection_cost, error_curve

FALSE_ACCEPTANCE = 0.01  # that the threshold of a model lets pass
ROUNDS = 1000
TARGETS = {"clean 5 s, same gender": 3.0, "across channels": 6.0, "both sides 2 s": 8.0}  # EER in percent
DRAWN = (
    "clean 5 s",
    "clean 5 s, same gender",
    "across channels",
    "one speaker across channels, two in one channel",
    "both sides 2 s",
    "both sides at 5 dB SNR",
)
TICKS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)

Vector = NDArray[np.float64]


class Trial(NamedTuple):
    """The two sides that are compared."""

    left: Side
    right: Side


class Condition(NamedTuple):
    """Trials of one speaker, and of two."""

    same: list[Trial]
    different: list[Trial]


def scored(trials: Sequence[Trial], embeddings: dict[Side, Vector], cohort: Cohort | None) -> Vector:
    """The score of each trial, which is the cosine where there is no cohort."""

    def whole(side: Side) -> Vector:
        total = np.sum([embeddings[Side((one,), *side[1:])] for one in side.segments], axis=0)
        return np.asarray(total / np.linalg.norm(total))

    sides = np.array([[whole(left), whole(right)] for left, right in trials]).swapaxes(0, 1)
    if cohort is None:
        return np.asarray((sides[0] * sides[1]).sum(1))
    scores: Vector = cohort.double()(*torch.from_numpy(sides)).numpy()
    return scores


def judged(condition: Condition, scores: Sequence[Vector], speakers: dict[str, str]) -> dict[str, Any]:
    """Error rates of a condition; speakers are drawn anew with all their trials for the intervals."""
    names = sorted(set(speakers.values()))
    places = [
        np.array([[names.index(speakers[side.segments[0]]) for side in trial] for trial in part]) for part in condition
    ]
    curve = error_curve(scores[0], scores[1])
    rounds: list[tuple[float, float]] = []
    rng = np.random.default_rng(0)
    while len(rounds) < ROUNDS:
        counts = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        weights = counts[places[0][:, 0]], counts[places[1]].prod(axis=1)
        if weights[0].any() and weights[1].any():
            drawn = error_curve(scores[0], scores[1], *weights)
            rounds.append((100 * crossing(drawn), detection_cost(drawn)))
    threshold = float(np.quantile(scores[1], 1 - FALSE_ACCEPTANCE))
    rates = 100 * crossing(curve), detection_cost(curve)
    low, high = np.quantile(rounds, [0.025, 0.975], axis=0)
    return {
        "same": len(scores[0]),
        "different": len(scores[1]),
        "eer_percent": spread(rates[0], low[0], high[0], 2),
        "min_dcf": spread(rates[1], low[1], high[1], 3),
        "threshold_at_1_percent": round(threshold, 3),
        "false_rejection_at_1_percent": round(float((scores[0] < threshold).mean()), 4),
        "mean_score": {
            "same": round(float(scores[0].mean()), 4),
            "different": round(float(scores[1].mean()), 4),
        },
        "most_confused": most_confused(places[1], scores[1] >= threshold, names),
    }


def most_confused(places: NDArray[np.int64], accepted: NDArray[np.bool_], names: Sequence[str]) -> dict[str, float]:
    """The three pairs of speakers of whose trials the most are accepted at 1 % false acceptance, and the share."""
    pairs, which = np.unique(np.sort(places, axis=1), axis=0, return_inverse=True)
    shares = np.bincount(which.ravel(), accepted) / np.bincount(which.ravel())
    return {" and ".join(names[n] for n in pairs[at]): round(float(shares[at]), 3) for at in np.argsort(-shares)[:3]}


def spread(value: float, low: float, high: float, digits: int) -> dict[str, float]:
    return {"value": round(value, digits), "low": round(float(low), digits), "high": round(float(high), digits)}


def show(result: dict[str, Any]) -> None:
    names = list(result["encoders"])
    print(f"EER in percent [95 % over speakers] / minDCF(0.01), {result['speakers']} speakers\n" + "  |  ".join(names))
    for name in result["encoders"][names[0]]["conditions"]:
        cells = []
        for encoder in names:
            eer, cost = (result["encoders"][encoder]["conditions"][name][key] for key in ("eer_percent", "min_dcf"))
            cells.append(f"{eer['value']:6.2f} [{eer['low']:5.2f}, {eer['high']:5.2f}] / {cost['value']:.3f}")
        target = f"   (target {TARGETS[name]:g})" if name in TARGETS else ""
        print(f"{name:48}" + "  |  ".join(cells) + target)
    for encoder in names:
        told = result["encoders"][encoder]
        print(encoder, {key: value for key, value in told.items() if key != "conditions"})


def draw(curves: dict[str, dict[str, ErrorCurve]], path: Path) -> None:
    """Misses over false alarms, both on the scale of a normal deviate, one panel for each encoder (NIST's DET plot)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from scipy.stats import norm

    places = norm.ppf(TICKS)
    figure, panels = pyplot.subplots(1, len(curves), figsize=(6.4 * len(curves), 7), squeeze=False)
    for axes, (name, own) in zip(panels[0], curves.items(), strict=True):
        for condition in (each for each in DRAWN if each in own):
            _, refused, accepted = own[condition]
            inside = (refused > 0) & (accepted > 0) & (refused < 1) & (accepted < 1)
            label = f"{condition}: {100 * crossing(own[condition]):.1f} %"
            axes.plot(norm.ppf(accepted[inside]), norm.ppf(refused[inside]), label=label)
        axes.plot(norm.ppf([0.001, 0.4]), norm.ppf([0.001, 0.4]), color="0.7", linewidth=0.8)
        axes.set_xticks(places, [f"{100 * tick:g}" for tick in TICKS])
        axes.set_yticks(places, [f"{100 * tick:g}" for tick in TICKS])
        axes.set(xlim=places[[0, -1]], ylim=places[[0, -1]], title=name)
        axes.set(xlabel="other speakers accepted, %", ylabel="the speaker refused, %")
        axes.grid(alpha=0.3)
        axes.legend(title="equal error rate", loc="upper center", bbox_to_anchor=(0.5, -0.11), ncols=2, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
