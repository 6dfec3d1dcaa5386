"""The consent record says who, on what ground, since when; and it cannot be empty."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from voxclone import Consent, ConsentError, __version__
from voxclone.safety.evidence import Evidence


def test_attest_records_who_why_when_and_by_which_version() -> None:
    consent = Consent.attest("Ada", basis="my own voice")
    assert (consent.speaker, consent.basis, consent.by, consent.level) == ("Ada", "my own voice", None, "attested")
    assert consent.scope == ("cloning",)
    assert consent.voxclone_version == __version__
    created = datetime.fromisoformat(consent.created)
    assert created.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "fault",
    [
        {"speaker": ""},
        {"speaker": " \n"},
        {"speaker": None},
        {"basis": ""},
        {"basis": "\t"},
        {"by": ""},
        {"scope": ()},
        {"scope": ("cloning", "")},
        {"scope": "cloning"},
        {"expires": timedelta(days=10**7)},
    ],
)
def test_attest_refuses_what_says_nothing(fault: dict[str, Any]) -> None:
    with pytest.raises(ConsentError, match=next(iter(fault))):
        Consent.attest(**({"speaker": "Ada", "basis": "my own voice"} | fault))


def test_json_and_back() -> None:
    consent = Consent.attest("Ada", basis="contract", by="Bob", scope=("cloning", "publication"))
    assert Consent.from_dict(json.loads(json.dumps(consent.to_dict()))) == consent


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"level": "certain"}, "level"),
        ({"created": "yesterday"}, "created"),
        ({"created": "2025-05-02T10:00:00"}, "time zone"),
        ({"scope": []}, "scope"),
        ({"scope": 3}, "scope"),
        ({"basis": 7}, "basis"),
        ({"witness": "Eve"}, "unknown 'witness'"),
    ],
)
def test_from_dict_refuses(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConsentError, match=said):
        Consent.from_dict(Consent.attest("Ada", basis="my own voice").to_dict() | change)


def test_from_dict_names_the_missing_key() -> None:
    values = Consent.attest("Ada", basis="my own voice").to_dict()
    del values["basis"]
    with pytest.raises(ConsentError, match="lacks 'basis'"):
        Consent.from_dict(values)


@pytest.mark.parametrize("values", [[], "consent", None, 1])
def test_from_dict_refuses_what_is_no_object(values: Any) -> None:
    with pytest.raises(ConsentError, match="JSON object"):
        Consent.from_dict(values)


def test_digest_is_of_the_content() -> None:
    consent = Consent("Ada", "my own voice", None, "attested", ("cloning",), "2025-05-02T10:00:00+00:00", "0.1.0")
    assert consent.digest == "43314df061e72d2a8b3e36c784ff7574441f454e22018f60fafe86589e7c3c60"
    assert Consent.from_dict(consent.to_dict()).digest == consent.digest
    for name, value in consent.to_dict().items():
        if name not in ("by", "level", "scope", "created"):
            assert dataclasses.replace(consent, **{name: value + "x"}).digest != consent.digest
    assert dataclasses.replace(consent, by="Bob").digest != consent.digest
    assert dataclasses.replace(consent, scope=("cloning", "x")).digest != consent.digest


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Consent.attest("Ada", basis="my own voice").basis = "hearsay"  # type: ignore[misc]


@pytest.mark.parametrize("digest", ["0" * 63, "g" * 64, "A" * 64, 7])
def test_evidence_is_of_sha256_digests(digest: Any) -> None:
    whole = {"phrase_sha256": "0" * 64, "recording_sha256": "1" * 64, "reference_sha256": ("2" * 64,)}
    for name in whole:
        changed: Any = whole | {name: (digest,) if name == "reference_sha256" else digest}
        with pytest.raises(ConsentError, match=f"{name} is .* 64 hex digits"):
            Evidence(**changed, similarity=0.9, phrase_margin=5.0, words_heard=None, mark_checked=True)
