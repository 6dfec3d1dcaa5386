"""Expired and revoked voices neither load nor speak, and a scope is honoured."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voxclone import Consent, ConsentError, Voice, VoiceError, VoxClone, hub
from voxclone.cli import main
from voxclone.safety import validity
from voxclone.safety.detection import Detection
from voxclone.safety.validity import VARIABLE, require_valid, revocations, revoke

Recording = tuple[NDArray[np.float32], int]
EVIDENCE_FREE = {"speaker": "Ada", "basis": "my own voice", "by": None, "level": "attested", "scope": ["cloning"]}


@pytest.fixture(autouse=True)
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This user's revocation list."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "config"))
    return validity.list_paths()[0]


def expired() -> Consent:
    past = datetime.now(UTC) - timedelta(days=2)
    until = (past + timedelta(days=1)).isoformat()
    return Consent.from_dict(
        {**EVIDENCE_FREE, "created": past.isoformat(), "expires": until, "voxclone_version": "0.1.0"}
    )


def with_consent(voice: Voice, consent: Consent) -> Voice:
    return Voice(voice.name, voice.speaker_embedding, voice.spectrum, voice.f0_median, (consent,), voice.encoder_id)


def test_an_expired_voice_neither_loads_nor_speaks(tiny_model: VoxClone, tmp_path: Path) -> None:
    voice = with_consent(tiny_model.voices["ada"], expired())
    voice.save(tmp_path / "ada.voice")
    with pytest.raises(ConsentError, match="expired on"):
        Voice.load(tmp_path / "ada.voice")
    with pytest.raises(ConsentError, match="expired on"):
        tiny_model.generate("Hello.", voice)


def test_a_revoked_voice_neither_loads_nor_speaks(tiny_model: VoxClone, tmp_path: Path) -> None:
    voice = with_consent(tiny_model.voices["ada"], Consent.attest("Ada", basis="my own voice"))
    voice.save(tmp_path / "ada.voice")
    mix = Voice.mix({voice: 0.5, tiny_model.voices["bob"]: 0.5})
    assert Voice.load(tmp_path / "ada.voice") == voice
    tiny_model.generate("Hello.", mix)
    revoke([voice.consent.digest], "withdrawn by letter")
    for attempt in (
        lambda: Voice.load(tmp_path / "ada.voice"),
        lambda: tiny_model.generate("Hello.", voice),
        lambda: tiny_model.generate("Hello.", mix),
    ):
        with pytest.raises(ConsentError, match="revoked: withdrawn by letter"):
            attempt()
    tiny_model.generate("Hello.", tiny_model.voices["bob"])


def test_a_revoked_example_voice_is_left_out(tiny_model: VoxClone, tiny_folder: Path) -> None:
    revoke([tiny_model.voices["ada"].consent.digest])
    assert list(VoxClone.from_pretrained(tiny_folder, device="cpu").voices) == ["bob"]


def test_cloning_needs_a_consent_that_holds(tiny_model: VoxClone, recording: Recording) -> None:
    with pytest.raises(ConsentError, match="expired on"):
        tiny_model.clone(recording, name="Ada", consent=expired())
    with pytest.raises(ConsentError, match="not to cloning"):
        tiny_model.clone(recording, name="Ada", consent=Consent.attest("Ada", "contract", scope=["sharing"]))
    consent = Consent.attest("Ada", "contract", expires=timedelta(days=1))
    assert tiny_model.clone(recording, name="Ada", consent=consent).consent == consent
    revoke([consent.digest])
    with pytest.raises(ConsentError, match="revoked"):
        tiny_model.clone(recording, name="Ada", consent=consent)


def test_uses_are_those_of_the_scope() -> None:
    consent = Consent.attest("Ada", "contract", scope=["cloning", "sharing"])
    assert consent.permits("sharing")
    assert not consent.permits("commercial")
    require_valid([consent], "cloning", "sharing")
    with pytest.raises(ConsentError, match=r"not to commercial \(use the speech for commercial ends\)"):
        require_valid([consent], "commercial")
    with pytest.raises(ConsentError, match="list of uses"):
        Consent.attest("Ada", "contract", scope="cloning")


def test_a_voice_is_published_only_where_its_speaker_agreed(tiny_model: VoxClone) -> None:
    voice = with_consent(tiny_model.voices["ada"], Consent.attest("Ada", "contract"))
    with pytest.raises(ConsentError, match="not to sharing"):
        voice.push_to_hub("org/ada")


def test_a_record_cannot_expire_before_it_begins() -> None:
    with pytest.raises(ConsentError, match="not after it was created"):
        Consent.attest("Ada", "contract", expires=timedelta(days=-1))
    with pytest.raises(ConsentError, match="time zone"):
        Consent.attest("Ada", "contract", expires=datetime(2099, 1, 1))
    with pytest.raises(ConsentError, match="ISO 8601"):
        Consent.attest("Ada", "contract", expires="soon")


def test_records_of_the_first_format_are_read_and_keep_their_digest() -> None:
    old = {**EVIDENCE_FREE, "created": "2025-05-02T10:00:00+00:00", "voxclone_version": "0.1.0"}
    consent = Consent.from_dict(old)
    assert consent.to_dict() == old
    assert consent.digest == "43314df061e72d2a8b3e36c784ff7574441f454e22018f60fafe86589e7c3c60"


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "null", '{"format": "voxclone.revocations", "revoked": {"x": ""}}']
)
def test_a_damaged_list_stops_everything(listed: Path, content: str, tiny_model: VoxClone) -> None:
    listed.parent.mkdir(parents=True)
    listed.write_text(content)
    with pytest.raises(ConsentError, match="revocation"):
        tiny_model.generate("Hello.", tiny_model.voices["bob"])


def test_named_lists_are_honoured_and_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    revoke(["0" * 64], "first", one)
    revoke(["1" * 64], "second", two)
    revoke(["2" * 64], path=two)
    monkeypatch.setenv(VARIABLE, f"{one}{os.pathsep}{two}")
    assert revocations() == {"0" * 64: "first", "1" * 64: "second", "2" * 64: ""}
    assert json.loads(two.read_text())["format"] == validity.FORMAT
    one.unlink()
    with pytest.raises(ConsentError, match="is missing"):
        revocations()


def test_what_is_no_digest_is_not_revoked(listed: Path) -> None:
    with pytest.raises(ConsentError, match="64 hex digits"):
        revoke(["ada"])
    assert not listed.exists()


def test_a_voice_file_without_a_record_does_not_load(tiny_model: VoxClone, tmp_path: Path) -> None:
    path = tmp_path / "ada.voice"
    tiny_model.voices["ada"].save(path)
    tensors, metadata = hub.read_tensors(path)
    for consents in (None, "[]", "{}", "[{}]", "[1]", "[" * 5000):
        changed = {key: value for key, value in metadata.items() if key != "consents"}
        hub.write_tensors(path, tensors, changed if consents is None else changed | {"consents": consents})
        with pytest.raises(VoiceError, match=r"consent|nested too deep"):
            Voice.load(path)


def test_the_command_draws_shows_and_revokes(
    tiny_model: VoxClone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["consent", "challenge"]) == 0
    words = json.loads(Path("challenge.json").read_text())["words"]
    phrase = capsys.readouterr().out.lower()
    assert all(word in phrase for word in words)
    voice = tiny_model.voices["ada"]
    voice.save("ada.voice")
    assert main(["consent", "show", "ada.voice"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["sha256"], shown["speaker"]) == (voice.consent.digest, "ada")
    assert main(["consent", "revoke", "ada.voice", "--reason", "asked"]) == 0
    assert voice.consent.digest in capsys.readouterr().out
    with pytest.raises(ConsentError, match="asked"):
        Voice.load("ada.voice")
    assert main(["consent", "show", "ada.voice"]) == 0  # a revoked record can still be read
    assert main(["consent", "revoke", "nobody"]) == 2
    assert "there is no file 'nobody'" in capsys.readouterr().err
    Path("tuned").mkdir()
    voice.save("tuned/ada.voice")
    assert main(["consent", "show", "tuned"]) == 0  # as finetune leaves it
    assert main(["consent", "show", "."]) == 0


def test_the_command_writes_a_consent_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    attest = ["consent", "attest", "--speaker", "Ada", "--basis", "contract of 2 May"]
    assert main([*attest, "--by", "Bob", "--scope", "cloning", "commercial", "--days", "365"]) == 0
    record = Consent.from_dict(json.loads(Path("consent.json").read_text()))
    assert (record.level, record.speaker, record.by) == ("attested", "Ada", "Bob")
    assert record.scope == ("cloning", "commercial") and record.expires is not None
    assert f"consent.json: attested, cloning, commercial, {record.digest}" in capsys.readouterr().out
    for days in ("-1", "nan", "1e9"):
        assert main([*attest, "--days", days, "-o", "no.json"]) == 2
    with pytest.raises(SystemExit):
        main([*attest, "--scope", "clonning", "-o", "no.json"])
    assert "invalid choice: 'clonning'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["consent.json"]


def test_a_record_from_a_file_clones(
    tiny_folder: Path, recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import soundfile

    monkeypatch.chdir(tmp_path)
    soundfile.write("clip.wav", *recording)
    consent = Consent.attest("Ada", "contract", expires=timedelta(days=1))
    Path("consent.json").write_text(json.dumps(consent.to_dict()))
    clone = ["clone", "clip.wav", "--name", "Ada", "-o", "a.voice", "--model", str(tiny_folder), "--device", "cpu"]
    assert main([*clone, "--consent", "consent.json"]) == 0
    assert Voice.load("a.voice").consent == consent
    assert main([*clone, "--consent", "none.json"]) == 2


def test_a_marked_reference_is_refused(
    tiny_model: VoxClone, recording: Recording, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Everywhere:
        def find(self, blocks: object) -> Detection:
            return Detection("watermarked", 9.0, ())

    consent = Consent.attest("ada", "my own voice")
    monkeypatch.setattr(tiny_model, "_mark", Everywhere())
    with pytest.raises(ConsentError, match="carries the mark of speech that this model made"):
        tiny_model.clone(recording, name="Ada", consent=consent)
    with pytest.raises(ConsentError, match="only the speaker's own voice"):
        tiny_model.clone(recording, name="Ada", consent=consent, spoken_by=tiny_model.voices["bob"])
    ada = tiny_model.voices["ada"]
    again = tiny_model.clone(recording, name="Ada", consent=consent, spoken_by=ada)
    assert again.consents == (consent, *ada.consents)  # what ends the voice that spoke ends this one
    ada_clip, bob_clip = tmp_path / "ada.wav", tmp_path / "bob.wav"
    for voice, path in ((ada, ada_clip), (tiny_model.voices["bob"], bob_clip)):
        said = replace(tiny_model.generate("Hello there.", voice), samples=recording[0], sample_rate=recording[1])
        said.save(path)
    assert tiny_model.clone(ada_clip, name="Ada", consent=consent, spoken_by=ada).name == "Ada"
    for source in (bob_clip, bob_clip.read_bytes()):
        with pytest.raises(ConsentError, match=f"says that voice {tiny_model.voices['bob'].voice_id} spoke it"):
            tiny_model.clone(source, name="Ada", consent=consent, spoken_by=ada)


def test_the_command_takes_the_voice_that_spoke(
    tiny_folder: Path,
    tiny_model: VoxClone,
    recording: Recording,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import soundfile

    found = Detection("watermarked", 9.0, ())
    monkeypatch.setattr("voxclone.safety.detection.MarkFinder.find", lambda *_: found)
    clip, voice = str(tmp_path / "clip.wav"), str(tmp_path / "ada.voice")
    soundfile.write(clip, *recording)
    tiny_model.voices["ada"].save(voice)
    clone = ["clone", clip, "--consent", "my own voice", "-o", str(tmp_path / "new.voice")]
    clone += ["--model", str(tiny_folder), "--device", "cpu"]
    assert main([*clone, "--name", "ada"]) == 2
    assert "carries the mark" in capsys.readouterr().err
    assert main([*clone, "--name", "eve", "--spoken-by", voice]) == 2
    assert "only the speaker's own voice" in capsys.readouterr().err
    assert main([*clone, "--name", "ada", "--spoken-by", voice]) == 0
    assert Voice.load(tmp_path / "new.voice").name == "ada"
