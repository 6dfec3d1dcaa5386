"""The report's numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxclone.finetuning.coverage import ENOUGH, PHONES, count_phones, missing_phones, next_prompts
from voxclone.finetuning.dataset import SpeakerData
from voxclone.text.symbols import SYMBOLS

PROMPTS = 20


def measure(data: SpeakerData, language: str) -> dict[str, Any]:
    """What was kept and what it is like, as JSON values."""
    used = {entry.key for entry in (*data.train, *data.held_out)}
    kept = [each for each in data.utterances if each.key in used]
    dropped: dict[str, list[float]] = defaultdict(list)
    for each in data.utterances:
        if each.key not in used:
            dropped[each.dropped].append(each.seconds)
    entries = [*data.train, *data.held_out]
    ids = [data.store.read(entry, "phoneme_ids") for entry in entries]
    counts = sum((count_phones(each.tolist()) for each in ids), Counter[str]())
    f0 = np.concatenate([data.store.read(entry, "f0") for entry in entries])
    return {
        "utterances_kept": len(kept),
        "minutes_kept": round(sum(each.seconds for each in kept) / 60, 2),
        "held_out": len(data.held_out),
        "dropped": {
            reason: {"utterances": len(seconds), "minutes": round(sum(seconds) / 60, 2)}
            for reason, seconds in sorted(dropped.items())
        },
        "snr_db": _quantiles([each.snr_db for each in kept if each.snr_db is not None]),
        "bandwidth_hz": _quantiles([each.bandwidth_hz for each in kept if each.bandwidth_hz is not None]),
        "f0_hz": _quantiles(f0[f0 > 0]),
        "phones_per_second": round(sum(counts.values()) / (60 * max(sum(e.seconds for e in kept) / 60, 1e-9)), 2),
        "phones": {phone: counts[phone] for phone in PHONES},
        "phones_heard": sum(1 for phone in PHONES if counts[phone]),
        f"phones_below_{ENOUGH}": missing_phones(counts),
        "record_next": next_prompts([[SYMBOLS[i] for i in each.tolist()] for each in ids], PROMPTS, language),
    }


def _quantiles(values: list[float] | NDArray[np.floating]) -> dict[str, float]:
    """Least, tenth, median, ninetieth and greatest."""
    found = np.percentile(values, (0, 10, 50, 90, 100)) if len(values) else [float("nan")] * 5
    return {name: round(float(v), 1) for name, v in zip(("min", "p10", "median", "p90", "max"), found, strict=True)}
