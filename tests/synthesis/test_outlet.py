"""Nothing leaves but through the outlet, and nothing leaves it unchecked."""

from __future__ import annotations

import ast
import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import voxclone
from voxclone import ConsentError, ModelError, Speech, UnmarkedError, VoxClone
from voxclone.safety.provenance import DIGITAL_SOURCE_TYPE
from voxclone.synthesis.outlet import Origin, release

PACKAGE = Path(voxclone.__file__).parent


class SignMark:
    """Stands for a detector: marked is what is positive on the average, and 1000 samples are needed to tell."""

    mark_id = "sign"

    def check_marked(self, samples: NDArray[np.float32], sample_rate: int) -> bool | None:
        return None if len(samples) < 1000 else bool(samples.mean() > 0)


def let_out(
    model: VoxClone, samples: NDArray[np.float32], origin: Origin, earlier: NDArray[np.float32] | None = None
) -> Speech:
    mel = np.zeros((80, 4), np.float32)
    return release(samples, origin, model.voices["ada"], words=(), phonemes=(), mel=mel, earlier=earlier)


def test_provenance_says_what_made_it_and_not_what_it_says(tiny_model: VoxClone) -> None:
    ada = tiny_model.voices["ada"]
    told = tiny_model.generate("Xylophone.", ada).provenance
    assert told.generator == f"voxclone {voxclone.__version__}"
    assert (told.model, told.voice_id, told.consent_level) == ("tiny", ada.voice_id, "attested")
    assert told.consent_sha256 == ada.consent.digest
    assert told.watermark_id == "tiny, one bit"
    assert told.digital_source_type == DIGITAL_SOURCE_TYPE
    assert abs(datetime.fromisoformat(told.created) - datetime.now(UTC)) < timedelta(minutes=1)
    assert "ylophone" not in told.to_json()


def test_the_model_hash_is_of_every_part(tiny_folder: Path) -> None:
    again = VoxClone.from_pretrained(tiny_folder, device="cpu")
    changed = VoxClone.from_pretrained(tiny_folder, device="cpu")
    next(changed._vocoder.parameters()).data[0] += 1.0
    rebuilt = VoxClone(
        changed.config,
        changed._speaker_encoder,
        changed._acoustic,
        changed._vocoder,
        cohort=changed._cohort,
        dtype=changed._dtype,
        voices=changed.voices,
        card="",
    )
    assert again._origin.model_sha256 == changed._origin.model_sha256 != rebuilt._origin.model_sha256


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.zeros(0, np.float32), "shape"),
        (np.zeros((2, 9), np.float32), "shape"),
        (np.array([0.0, np.nan], np.float32), "not finite"),
        (np.array([0.0, np.inf], np.float32), "not finite"),
        (np.array([0.0, 1.01], np.float32), "full scale"),
    ],
)
def test_what_is_no_audio_does_not_leave(tiny_model: VoxClone, samples: NDArray[np.float32], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        let_out(tiny_model, samples, tiny_model._origin)


def test_a_marked_models_speech_leaves_with_its_mark(tiny_model: VoxClone) -> None:
    origin = dataclasses.replace(tiny_model._origin, mark=SignMark())
    assert let_out(tiny_model, np.full(2000, 0.1, np.float32), origin).provenance.watermark_id == "sign"
    with pytest.raises(UnmarkedError, match="does not carry its mark 'sign'"):
        let_out(tiny_model, np.full(2000, -0.1, np.float32), origin)


def test_a_streams_chunk_is_checked_together_with_what_went_before(tiny_model: VoxClone) -> None:
    origin = dataclasses.replace(tiny_model._origin, mark=SignMark())
    chunk = np.full(500, -0.1, np.float32)
    assert let_out(tiny_model, chunk, origin).provenance.watermark_id == "sign"  # too short to tell
    with pytest.raises(UnmarkedError):
        let_out(tiny_model, chunk, origin, earlier=chunk)


def test_a_model_without_a_detector_is_mute_but_for_research(tiny_model: VoxClone) -> None:
    origin = dataclasses.replace(tiny_model._origin, mark=None)
    samples = np.full(2000, 0.1, np.float32)
    with pytest.raises(UnmarkedError, match=r"has no watermark detector.*unmarked_for_research=True"):
        let_out(tiny_model, samples, origin)
    research = dataclasses.replace(origin, unmarked_for_research=True)
    assert let_out(tiny_model, samples, research).provenance.watermark_id is None


def test_commercial_speech_asks_for_a_consent_to_it(tiny_model: VoxClone) -> None:
    origin = dataclasses.replace(tiny_model._origin, uses=("commercial",))
    with pytest.raises(ConsentError, match=r"not to commercial \(use the speech for commercial ends\)"):
        let_out(tiny_model, np.full(2000, 0.1, np.float32), origin)


def test_speech_is_made_in_the_outlet_alone() -> None:
    makers = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Speech":
                makers.add(path.relative_to(PACKAGE).as_posix())
    assert makers == {"synthesis/outlet.py"}
