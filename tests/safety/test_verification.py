"""Verified consent: the phrase, the speaker, and no mark; each can fail."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from voxclone import AudioError, Consent, ConsentError, ModelError, VoxClone, hub
from voxclone.cli import main
from voxclone.models.cohort import Cohort
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.safety import verification
from voxclone.safety.challenge import Challenge, vocabulary
from voxclone.safety.evidence import Evidence
from voxclone.safety.recogniser import transcribe
from voxclone.safety.verification import MIN_PHRASE_MARGIN, SpeakerMatch, phrase_margin, require_verified

Recording = tuple[NDArray[np.float32], int]


class Listener:
    """A model that hears what it is told to."""

    def __init__(self, spoken: str, similarity: float = 0.9, mark: str | None = "not_detected") -> None:
        self.spoken, self.alike, self.mark = spoken, similarity, mark
        self.is_calibrated = True

    def require_calibrated(self) -> float:
        if not self.is_calibrated:
            raise ModelError("not calibrated")
        return 5.0

    def match_speakers(self, one: object, other: object) -> SpeakerMatch:
        return SpeakerMatch(self.alike, 10 * self.alike, 5.0)

    def match_texts(self, source: object, texts: Sequence[str]) -> list[float]:
        spoken = self.spoken.split()
        noise = np.random.default_rng(len(texts)).normal(size=len(texts)) * 0.05
        return [
            -4 + sum(a == b for a, b in zip(text.split(), spoken, strict=False)) / 10 + float(each)
            for text, each in zip(texts, noise, strict=True)
        ]

    def find_mark(self, source: object) -> Any:
        return self.mark


@pytest.fixture(autouse=True)
def _no_recogniser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "transcribe", lambda *_: None)


def verify(recording: Recording, challenge: Challenge, model: Any, **options: Any) -> Consent:
    return Consent.verify(recording, challenge, recording, model=model, speaker="Ada", **options)


def test_the_right_phrase_by_the_right_speaker_is_verified(recording: Recording) -> None:
    challenge = Consent.challenge()
    consent = verify(
        recording, challenge, Listener(challenge.phrase), scope=("cloning", "sharing"), expires=timedelta(days=30)
    )
    assert (consent.level, consent.speaker, consent.scope) == ("verified", "Ada", ("cloning", "sharing"))
    assert consent.evidence is not None
    assert consent.evidence.phrase_sha256 == challenge.sha256
    assert (consent.evidence.similarity, consent.evidence.speaker_score) == (0.9, 9.0)
    assert consent.evidence.phrase_margin > MIN_PHRASE_MARGIN
    assert consent.evidence.words_heard is None
    assert consent.evidence.mark_checked
    assert Consent.from_dict(json.loads(json.dumps(consent.to_dict()))) == consent
    assert not consent.expired


def test_a_verified_record_clones_what_it_was_verified_with(tiny_model: VoxClone, recording: Recording) -> None:
    challenge = Consent.challenge()
    reference, other = recording, (recording[0][::-1].copy(), recording[1])
    said = (recording[0] * 0.5, recording[1])
    consent = Consent.verify(said, challenge, [reference], model=Listener(challenge.phrase), speaker="Ada")
    assert consent.evidence is not None and len(consent.evidence.reference_sha256) == 1
    for known in (reference, said):
        assert tiny_model.clone(known, name="Ada", consent=consent).consent == consent
    for record in (consent, without_references(consent)):
        with pytest.raises(ConsentError, match="verified with other recordings"):
            tiny_model.clone(other, name="Ada", consent=record)
    with pytest.raises(ConsentError, match=r"does not sound like the speaker .*4\.00, 5\.00 is needed"):
        require_verified(consent, [reference, other], Listener("", similarity=0.4))  # type: ignore[arg-type]
    require_verified(consent, [reference, other], Listener("", similarity=0.6))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="not calibrated"):
        tiny_model.clone([reference, other], name="Ada", consent=consent)
    require_verified(Consent.attest("Ada", "her word"), [other], tiny_model)


def without_references(consent: Consent) -> Consent:
    """As records were before they told of their references."""
    values = consent.to_dict()
    del values["evidence"]["reference_sha256"]
    record = Consent.from_dict(values)
    assert record.to_dict() == values
    return record


def test_what_is_wrong_with_the_record_is_said_before_the_phrase_is_used(recording: Recording, tmp_path: Path) -> None:
    challenge = Consent.challenge()
    listener = Listener(challenge.phrase)
    for fault in ({"expires": timedelta(days=-1)}, {"scope": ()}, {"basis": " "}):
        with pytest.raises(ConsentError, match=next(iter(fault))):
            verify(recording, challenge, listener, **fault)
    with pytest.raises(AudioError):
        Consent.verify(recording, challenge, tmp_path / "none.wav", model=listener, speaker="Ada")  # type: ignore[arg-type]
    assert verify(recording, challenge, listener).level == "verified"


def test_the_command_verifies_and_spends_the_challenge(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import soundfile

    monkeypatch.chdir(tmp_path)
    soundfile.write("clip.wav", *recording)
    assert main(["consent", "challenge"]) == 0
    phrase = capsys.readouterr().out.strip()
    listener = Listener(phrase)
    monkeypatch.setattr(VoxClone, "from_pretrained", lambda *_, **__: listener)
    command = ["consent", "verify", "clip.wav", "--reference", "clip.wav", "--speaker", "Ada", "--scope", "sharing"]
    assert main([*command, "--days", "0"]) == 2
    assert "--days is 0; it must be above 0" in capsys.readouterr().err
    assert main([*command, "--days", "30", "--basis", "a contract", "--by", "Bob"]) == 0
    record = Consent.from_dict(json.loads(Path("consent.json").read_text()))
    assert (record.basis, record.by) == ("a contract", "Bob")
    assert (record.level, record.scope, record.expires is None) == ("verified", ("sharing",), False)
    assert not Path("challenge.json").exists()
    assert main(command) == 2
    assert "challenge.json is not a challenge" in capsys.readouterr().err


def test_another_phrase_is_refused(recording: Recording) -> None:
    spoken = Consent.challenge().phrase
    with pytest.raises(ConsentError, match="does not hold the phrase"):
        verify(recording, Consent.challenge(), Listener(spoken))


def test_another_speaker_is_refused(recording: Recording) -> None:
    challenge = Consent.challenge()
    with pytest.raises(ConsentError, match="another speaker"):
        verify(recording, challenge, Listener(challenge.phrase, similarity=0.49))


def test_synthetic_speech_is_refused(recording: Recording) -> None:
    challenge = Consent.challenge()
    with pytest.raises(ConsentError, match="mark of synthetic speech"):
        verify(recording, challenge, Listener(challenge.phrase, mark="watermarked"))


def test_nan_passes_no_threshold(recording: Recording) -> None:
    challenge = Consent.challenge()
    with pytest.raises(ConsentError, match="another speaker"):
        verify(recording, challenge, Listener(challenge.phrase, similarity=float("nan")))


def test_a_challenge_verifies_once(recording: Recording) -> None:
    challenge = Consent.challenge()
    verify(recording, challenge, Listener(challenge.phrase))
    with pytest.raises(ConsentError, match="used before"):
        verify(recording, challenge, Listener(challenge.phrase))
    old = Challenge(challenge.words, (datetime.now(UTC) - timedelta(hours=1)).isoformat())
    with pytest.raises(ConsentError, match="10 minutes"):
        verify(recording, old, Listener(old.phrase))


def test_a_recogniser_that_hears_other_words_refuses(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    challenge = Consent.challenge()
    monkeypatch.setattr(verification, "transcribe", lambda samples, rate, words: " ".join(challenge.words[:3]))
    with pytest.raises(ConsentError, match="heard 38%"):
        verify(recording, challenge, Listener(challenge.phrase))
    again = Consent.challenge()
    monkeypatch.setattr(verification, "transcribe", lambda samples, rate, words: " ".join(again.words[:7]))
    evidence = verify(recording, again, Listener(again.phrase)).evidence
    assert evidence is not None
    assert evidence.words_heard == 0.875


def test_the_recogniser_is_given_decoys(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    challenge, given = Consent.challenge(), []
    monkeypatch.setattr(
        verification, "transcribe", lambda samples, rate, words: given.extend(words) or challenge.phrase
    )
    verify(recording, challenge, Listener(challenge.phrase))
    assert len(set(given)) == 64
    assert set(challenge.words) < set(given) < set(vocabulary())


def test_a_model_without_calibration_or_aligner_cannot_verify(tiny_model: VoxClone, recording: Recording) -> None:
    challenge = Consent.challenge()
    with pytest.raises(ModelError, match="not calibrated"):
        verify(recording, challenge, tiny_model)
    verify(recording, challenge, Listener(challenge.phrase))  # a refusal before listening does not use it up


def test_no_audio_is_refused(recording: Recording, tmp_path: Path) -> None:
    challenge = Consent.challenge()
    with pytest.raises(AudioError):
        Consent.verify(tmp_path / "none.wav", challenge, recording, model=Listener(challenge.phrase), speaker="Ada")


def test_the_margin_is_that_of_the_words(recording: Recording) -> None:
    challenge = Consent.challenge()
    assert phrase_margin(Listener(challenge.phrase), recording, challenge.words) > 4  # type: ignore[arg-type]
    assert phrase_margin(Listener("nothing of it"), recording, challenge.words) < 4  # type: ignore[arg-type]

    class Short(Listener):
        def match_texts(self, source: object, texts: Sequence[str]) -> list[float]:
            return [-np.inf] * len(texts)

    assert phrase_margin(Short(""), recording, challenge.words) == 0.0  # type: ignore[arg-type]


def test_a_speaker_is_similar_to_itself(tiny_model: VoxClone, recording: Recording) -> None:
    assert tiny_model.similarity(recording, [recording, recording]) == pytest.approx(1.0, abs=1e-5)
    noise = (np.random.default_rng(0).normal(size=48000) * recording[0]).astype(np.float32)
    assert -1.0 <= tiny_model.similarity(recording, (noise, 16000)) < 0.9999
    with pytest.raises(AudioError):
        tiny_model.similarity(recording, [])


@pytest.fixture
def cosine_folder(tiny_folder: Path, tiny_model: VoxClone, tmp_path: Path) -> Path:
    """The tiny model without a cohort, calibrated."""
    folder = tmp_path / "cosine"
    encoder = dataclasses.replace(tiny_model.config.speaker_encoder, same_speaker_threshold=0.9999)
    config = dataclasses.replace(tiny_model.config, speaker_encoder=encoder, verification=None)
    parts = {name: part for name, part in tiny_model._parts().items() if name != "cohort"}
    hub.save_folder(folder, config, parts, card="")
    return folder


@pytest.fixture
def cohort_folder(tiny_folder: Path, tiny_model: VoxClone, tmp_path: Path) -> Path:
    """The tiny model with a cohort of random directions, calibrated."""
    folder = tmp_path / "cohort"
    shutil.copytree(tiny_folder, folder)
    config = tiny_model.config
    assert config.verification is not None
    verification = dataclasses.replace(config.verification, cohort_size=20, nearest=5, threshold=1.5)
    cohort = Cohort(verification, 16)
    vectors = torch.randn(20, 16, generator=torch.Generator().manual_seed(0))
    cohort.embeddings.copy_(torch.nn.functional.normalize(vectors, dim=1))
    hub.save_part(folder, "cohort", cohort, dataclasses.replace(config, verification=verification))
    return folder


@pytest.fixture
def noise(recording: Recording) -> Recording:
    return (np.random.default_rng(0).normal(size=48000) * recording[0]).astype(np.float32), 16000


def test_without_a_cohort_speakers_are_matched_by_the_cosine(
    cosine_folder: Path, recording: Recording, noise: Recording
) -> None:
    model = VoxClone.from_pretrained(cosine_folder, device="cpu")
    match = model.match_speakers(recording, noise)
    assert (match.score, match.threshold) == (match.similarity, 0.9999)
    assert match.similarity == pytest.approx(model.similarity(recording, noise))
    assert not match and not match.same_speaker
    assert model.match_speakers(recording, [recording, recording])


def test_with_a_cohort_speakers_are_matched_against_it(
    cohort_folder: Path, tiny_model: VoxClone, recording: Recording, noise: Recording, tmp_path: Path
) -> None:
    model = VoxClone.from_pretrained(cohort_folder, device="cpu")
    match = model.match_speakers(recording, noise)
    assert match.threshold == 1.5 and match.similarity == pytest.approx(tiny_model.similarity(recording, noise))
    one, other = (model.embed(each)[0] for each in (recording, noise))
    assert model._cohort is not None
    assert match.score == pytest.approx(float(model._cohort(*torch.from_numpy(np.stack([one, other])))), abs=1e-3)
    assert bool(match) == match.same_speaker == (match.score >= 1.5)
    assert model.match_embeddings(one.astype(np.float64), other).score == pytest.approx(match.score, abs=1e-3)
    for unfit in (np.zeros(16, np.float32), np.full(16, np.nan, np.float32)):
        assert not model.match_embeddings(unfit, one) and not model.match_embeddings(unfit, unfit)
    model.save_pretrained(tmp_path / "again", card=hub.Card())
    again = VoxClone.from_pretrained(tmp_path / "again", device="cpu")
    assert again.match_speakers(recording, noise) == match and "cohort" not in again.card
    with pytest.raises(ModelError, match=r"not calibrated \(verification\.threshold"):
        tiny_model.match_speakers(recording, noise)


def test_a_cohort_that_does_not_fit_is_refused(cohort_folder: Path, tiny_model: VoxClone) -> None:
    """Against another encoder's voices, or against none, every stranger would pass."""
    config = hub.read_config(cohort_folder)
    assert config.verification is not None
    cohort = Cohort(config.verification, 16)
    hub.save_part(cohort_folder, "cohort", cohort, config)
    with pytest.raises(ModelError, match="not of unit length: make it anew"):
        VoxClone.from_pretrained(cohort_folder, device="cpu")
    cohort.embeddings.copy_(torch.eye(20, 16) + 1e-3)
    cohort.embeddings[16:] = torch.eye(16)[:4]
    hub.save_part(cohort_folder, "cohort", cohort, config)
    assert VoxClone.from_pretrained(cohort_folder, device="cpu").require_calibrated() == 1.5
    with torch.random.fork_rng():
        torch.manual_seed(1)
        hub.save_part(cohort_folder, "speaker_encoder", SpeakerEncoder(config.speaker_encoder), config)
    with pytest.raises(ModelError, match=r"was made with speaker encoder .*, and the model's is .*: make it anew"):
        VoxClone.from_pretrained(cohort_folder, device="cpu")
    with pytest.raises(ModelError, match="a cohort where its configuration has a verification"):
        parts = {name: part for name, part in tiny_model._parts().items() if name in hub.folder.PARTS}
        VoxClone(tiny_model.config, **parts, dtype=torch.float32, voices={}, card="")


def test_a_verified_record_without_a_score_keeps_its_digest() -> None:
    evidence = Evidence("0" * 64, "1" * 64, 0.9, 5.0, 1.0, True, ("2" * 64,))
    record = dataclasses.replace(
        Consent.attest("Ada", "her word"), created="2026-11-01T12:00:00+00:00", level="verified", evidence=evidence
    )
    assert record.digest == "db1852dd90b4f958cb9b5c709a5e5358fb07516403e44971ce060269004e122e"
    assert Consent.from_dict(record.to_dict()) == record
    scored = dataclasses.replace(record, evidence=dataclasses.replace(evidence, speaker_score=0.0))
    assert Consent.from_dict(json.loads(json.dumps(scored.to_dict()))) == scored and scored.digest != record.digest
    for unfit in ("5", True, float("nan"), 1e7):
        with pytest.raises(ConsentError, match="speaker_score"):
            dataclasses.replace(evidence, speaker_score=unfit)


@pytest.mark.skipif(importlib.util.find_spec("pocketsphinx") is None, reason="the asr extra is not installed")
def test_pocketsphinx_takes_every_word_of_the_vocabulary(recording: Recording) -> None:
    assert isinstance(transcribe(*recording, vocabulary()[:64]), str)
    import pocketsphinx

    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
    assert [word for word in vocabulary() if decoder.lookup_word(word) is None] == []
