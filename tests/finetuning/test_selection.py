"""Utterances whose text does not fit, and those of another speaker, are told from the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voxclone import Consent, ConsentError, ModelError, VoxcloneError
from voxclone.finetuning.clips import Clip
from voxclone.finetuning.selection import strangers, unfit, verified_speaker
from voxclone.safety.evidence import Evidence
from voxclone.safety.verification import SpeakerMatch, digests
from voxclone.training.features import Entry

SAME_SPEAKER = 0.7  # threshold of an encoder


def entries(count: int) -> list[Entry]:
    return [Entry(str(n), {}, {"mel": (0, 200), "phoneme_ids": (0, 30)}) for n in range(count)]


def voices(count: int) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    vectors = np.eye(1, 16, dtype=np.float32) + 0.1 * rng.normal(size=(count, 16)).astype(np.float32)
    return {str(n): vector / np.linalg.norm(vector) for n, vector in enumerate(vectors)}


def test_a_low_confidence_is_a_wrong_text() -> None:
    confidence = {str(n): -0.5 - 0.01 * n for n in range(12)} | {"7": -3.9}
    gone = unfit(entries(12), confidence, {}, voices(12), SAME_SPEAKER)
    assert {key: reason for key, (reason, _) in gone.items()} == {"7": "text does not fit"}
    assert "-3.90 nats/frame" in gone["7"][1]


def test_a_text_that_fits_no_better_than_others_is_wrong_however_few_there_are() -> None:
    margins = {"0": 2.0, "1": -0.5, "2": 4.0, "3": 3.0}
    gone = unfit(entries(4), dict.fromkeys(margins, -0.5), margins, voices(4), SAME_SPEAKER)
    assert gone == {"1": ("text does not fit", "other texts fit as well: margin -0.50")}
    with pytest.raises(VoxcloneError, match=r"texts of 3 of 4 recordings fit no better .* such as that of 0"):
        unfit(entries(4), dict.fromkeys(margins, -0.5), margins | {"0": 0.1, "2": 0.0}, voices(4), SAME_SPEAKER)


def test_ordinary_scatter_goes_nowhere() -> None:
    rng = np.random.default_rng(1)
    confidence = {str(n): -0.5 + 0.1 * value for n, value in enumerate(rng.normal(size=40))}
    assert unfit(entries(40), confidence, {}, voices(40), SAME_SPEAKER) == {}


def test_another_speaker() -> None:
    embeddings = voices(12)
    embeddings["3"] = -embeddings["3"]
    gone = unfit(entries(12), dict.fromkeys(embeddings, -0.5), {}, embeddings, SAME_SPEAKER)
    assert {key: reason for key, (reason, _) in gone.items()} == {"3": "another speaker"}


def of_speakers(*counts: int) -> dict[str, NDArray[np.float32]]:
    """Embeddings of so many utterances of each speaker, who are at right angles."""
    turned = [np.roll(vector, place) for place, count in enumerate(counts) for vector in voices(count).values()]
    return {str(n): vector for n, vector in enumerate(turned)}


def test_all_of_two_others_go() -> None:
    embeddings = of_speakers(9, 3, 3)
    gone = unfit(entries(15), dict.fromkeys(embeddings, -0.5), {}, embeddings, SAME_SPEAKER)
    assert {key: reason for key, (reason, _) in gone.items()} == {str(n): "another speaker" for n in range(9, 15)}
    assert (
        unfit(entries(15), dict.fromkeys(embeddings, -0.5), {}, embeddings, None) == {}
    )  # of an encoder not calibrated


@pytest.mark.parametrize("counts", [(6, 6), (5, 5, 5), (4, 4, 3, 3), (5, 4, 4)])
def test_of_speakers_none_of_whom_has_most_nothing_is_learned(counts: tuple[int, ...]) -> None:
    embeddings = of_speakers(*counts)
    with pytest.raises(VoxcloneError, match=r"recordings are of several speakers: .* does not sound like"):
        unfit(entries(sum(counts)), dict.fromkeys(embeddings, -0.5), {}, embeddings, SAME_SPEAKER)


def test_too_many_phonemes_and_no_alignment() -> None:
    candidates = [*entries(2), Entry("fast", {}, {"mel": (0, 30), "phoneme_ids": (0, 29)})]
    gone = unfit(candidates, {"0": -0.5, "fast": -0.5}, {}, voices(2), SAME_SPEAKER)
    assert set(gone) == {"1", "fast"}


def test_of_a_few_none_is_an_outlier() -> None:
    assert unfit(entries(4), {"0": -0.1, "1": -5.0, "2": -0.1, "3": -0.1}, {}, voices(4), SAME_SPEAKER) == {}


class Encoder:
    """A model that knows three speakers by their files' names."""

    def __init__(self) -> None:
        self.is_calibrated = True

    def require_calibrated(self) -> float:
        if not self.is_calibrated:
            raise ModelError("not calibrated")
        return 0.7

    def match_embeddings(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> SpeakerMatch:
        return SpeakerMatch(float(one @ other), float(one @ other), 0.7)

    def embed(self, sources: list[Path]) -> NDArray[np.float32]:
        return np.array([np.eye(3, dtype=np.float32)["abc".index(path.stem[0])] for path in sources])


def test_a_verified_consent_is_of_the_speaker_that_it_was_verified_with(tmp_path: Path) -> None:
    clips = []
    for seed, name in enumerate(("a1", "a2", "b1")):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, np.random.default_rng(seed).normal(size=8000) * 0.1, 16000)
        clips += [Clip(f"{name}#1", path, "One."), Clip(f"{name}#2", path, "Two.")]
    (tmp_path / "c.wav").write_bytes(b"junk")  # said to be unreadable elsewhere
    clips.append(Clip("c", tmp_path / "c.wav", "Three."))
    word = Consent.attest("Ada", "her word", scope=("cloning", "adapting"))
    known = tuple(digests([tmp_path / "a1.wav"]))
    evidence = Evidence("0" * 64, "1" * 64, 0.9, 5.0, None, True, known)
    consent = replace(word, level="verified", evidence=evidence)
    model: Any = Encoder()
    assert verified_speaker(word, clips, model) is None
    speaker = verified_speaker(consent, clips, model)
    assert speaker is not None
    np.testing.assert_array_equal(speaker.embedding, [1, 0, 0])
    embeddings = {key: np.float32([cosine, 0, 0]) for key, cosine in {"a": 0.71, "b": 0.69, "n": np.nan}.items()}
    gone = strangers(embeddings, speaker)
    assert {key: reason for key, (reason, _) in gone.items()} == dict.fromkeys("bn", "not the verified speaker")
    assert strangers(embeddings, None) == {}
    with pytest.raises(ConsentError, match="verified with other recordings"):
        verified_speaker(consent, clips[4:], model)
    model.is_calibrated = False
    with pytest.raises(ModelError, match="not calibrated"):
        verified_speaker(consent, clips, model)
