"""Whether fine-tuning helped is measured against recordings that were held back, and told as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from voxclone.finetuning import likeness
from voxclone.finetuning.likeness import Likeness, Spoken, measure_likeness
from voxclone.safety.verification import SpeakerMatch

FOUND = Likeness(2, 6, recordings=0.85, clone=0.781, fine_tuned=0.842)


@dataclass
class Said:
    """Speech whose samples are its embedding."""

    samples: np.ndarray
    sample_rate: int = 22050


def unit(degrees: float) -> np.ndarray:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], np.float32)


def measured(monkeypatch: pytest.MonkeyPatch, verification: object) -> Likeness:
    """The held-back recordings lie at 0 degrees between them, the others at 10, clones at 40, the voice at 20."""
    monkeypatch.setattr(likeness, "embed", lambda encoder, samples, rate: samples)
    angles = {"held 1": -30.0, "held 2": 30.0, "learned 1": 10.0, "learned 2": -10.0}
    entries = {key: SimpleNamespace(key=key) for key in angles}
    data: Any = SimpleNamespace(
        embeddings={key: unit(angle) for key, angle in angles.items()},
        held_out=[entries["held 1"], entries["held 2"]],
        train=[entries["learned 1"], entries["learned 2"]],
    )
    base: Any = SimpleNamespace(speaker_encoder=None, config=SimpleNamespace(verification=verification))
    model: Any = SimpleNamespace(match_embeddings=lambda one, other: SpeakerMatch(float(one @ other), 9.0, 7.0))
    spoken: Any = [Spoken(text, Said(unit(40.0)), Said(unit(20.0))) for text in "abc"]  # type: ignore[arg-type]
    return measure_likeness(data, base, model, spoken)


@pytest.mark.parametrize("verification", [None, SimpleNamespace(threshold=None)])
def test_it_is_the_likeness_to_the_held_back_recordings(verification: object, monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, verification)
    cosines = [found.recordings, found.clone, found.fine_tuned]
    assert cosines == pytest.approx(np.cos(np.radians([10.0, 40.0, 20.0])), abs=1e-6)
    assert (found.held_back, found.sentences, found.clone_match, found.fine_tuned_match) == (2, 3, None, None)
    assert found.raised and "speaker_score" not in found.numbers()


def test_a_cohort_gives_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, SimpleNamespace(threshold=7.0))
    assert found.clone_match is not None and found.clone_match.similarity == pytest.approx(np.cos(np.radians(40.0)))
    assert found.fine_tuned_match is not None
    assert found.fine_tuned_match.similarity == pytest.approx(np.cos(np.radians(20.0)))
    assert str(found).endswith("Score: 9.0 cloned, 9.0 fine-tuned; one speaker from 7.0")
    assert found.numbers()["speaker_score"] == {"clone": 9.0, "fine-tuned": 9.0, "threshold": 7.0}


def test_it_is_told_in_a_line() -> None:
    assert str(FOUND) == (
        "likeness to 2 held-back recordings (cosine): 0.78 cloned, 0.84 fine-tuned; the speaker's other recordings 0.85"
    )
    assert "to 1 held-back recording (" in str(replace(FOUND, held_back=1))
    assert FOUND.warning == ""


@pytest.mark.parametrize("after", [0.7, 0.781, 0.784])
def test_no_gain_is_warned_of(after: float) -> None:
    found = replace(FOUND, fine_tuned=after)
    assert "did not make the voice more like its speaker (0.78 cloned" in found.warning
    assert f"{after:.2f} fine-tuned, by 6 sentences of each)" in found.warning
    assert not found.raised and not found.numbers()["likeness_raised"]
