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
from voxclone.config import VerificationConfig
from voxclone.models.cohort import Cohort
from voxclone.safety import verification
from voxclone.safety.challenge import Challenge, vocabulary
from voxclone.safety.recogniser import transcribe
from voxclone.safety.verification import MIN_PHRASE_MARGIN, SpeakerMatch, phrase_margin, require_verified

Recording = tuple[NDArray[np.float32], int]


class Listener:
    """A model that hears what it is told to."""

    def __init__(self, spoken: str, similarity: float = 0.9, mark: str | None = "not_detected") -> None:
        self.spoken, self.alike, self.mark = spoken, similarity, mark
        self.is_calibrated = True

    def require_calibrated(self) -> None:
        if not self.is_calibrated:
            raise ModelError("not calibrated")

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


def calibrated(folder: Path, source: Path, verification: VerificationConfig | None, **encoder: float) -> VoxClone:
    """The model of another folder with thresholds, and with a cohort where one is asked for."""
    shutil.copytree(source, folder)
    config = hub.read_config(folder)
    config = dataclasses.replace(config, speaker_encoder=dataclasses.replace(config.speaker_encoder, **encoder))
    model = VoxClone.from_pretrained(source, device="cpu")
    hub.save_part(folder, "speaker_encoder", model._speaker_encoder, config)
    if verification is not None:
        cohort = Cohort(verification, 16)
        vectors = torch.randn(verification.cohort_size, 16, generator=torch.Generator().manual_seed(0))
        cohort.embeddings.copy_(torch.nn.functional.normalize(vectors, dim=1))
        hub.save_part(folder, "cohort", cohort, dataclasses.replace(config, verification=verification))
    return VoxClone.from_pretrained(folder, device="cpu")


def test_speakers_are_matched_by_the_cosine_or_against_a_cohort(
    tiny_folder: Path, tiny_model: VoxClone, recording: Recording, tmp_path: Path
) -> None:
    noise = ((np.random.default_rng(0).normal(size=48000) * recording[0]).astype(np.float32), 16000)
    with pytest.raises(ModelError, match="not calibrated"):
        tiny_model.match_speakers(recording, noise)
    plain = calibrated(tmp_path / "plain", tiny_folder, None, same_speaker_threshold=0.9999)
    match = plain.match_speakers(recording, noise)
    assert match == (pytest.approx(plain.similarity(recording, noise)), match.similarity, 0.9999)
    assert not match.same_speaker
    assert plain.match_speakers(recording, [recording, recording]).same_speaker

    verification = VerificationConfig(20, nearest=5, threshold=1.5)
    model = calibrated(tmp_path / "cohort", tiny_folder, verification, same_speaker_threshold=0.9999)
    match = model.match_speakers(recording, noise)
    assert match.threshold == 1.5 and match.similarity == pytest.approx(plain.similarity(recording, noise))
    one, other = (torch.from_numpy(model.embed(each)[0]) for each in (recording, noise))
    assert model._cohort is not None
    assert match.score == pytest.approx(float(model._cohort(one, other)), abs=1e-3)
    assert match.same_speaker == (match.score >= 1.5)
    assert model.match_embeddings(one.numpy(), other.numpy()).score == pytest.approx(match.score, abs=1e-3)

    uncalibrated = dataclasses.replace(verification, threshold=None)
    with pytest.raises(ModelError, match=r"verification\.threshold"):
        calibrated(tmp_path / "none", tiny_folder, uncalibrated, same_speaker_threshold=0.5).require_calibrated()
    model.save_pretrained(tmp_path / "again")
    assert VoxClone.from_pretrained(tmp_path / "again", device="cpu").match_speakers(recording, noise) == match


@pytest.mark.skipif(importlib.util.find_spec("pocketsphinx") is None, reason="the asr extra is not installed")
def test_pocketsphinx_takes_every_word_of_the_vocabulary(recording: Recording) -> None:
    assert isinstance(transcribe(*recording, vocabulary()[:64]), str)
    import pocketsphinx

    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
    assert [word for word in vocabulary() if decoder.lookup_word(word) is None] == []
