"""Right texts are told from wrong ones by how much better they fit than texts that nobody said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import soundfile

from voxclone.config import AudioConfig
from voxclone.finetuning import decoys
from voxclone.finetuning.decoys import LEAST_MARGIN, scrambled, text_margins
from voxclone.models.aligner import Aligner
from voxclone.training.extraction import Recording, extract_speech_features
from voxclone.training.features import FeatureStore

TEXTS = (
    "The boat sailed slowly past the old red house this morning.",
    "Nine men drank tea in the garden, and nobody spoke a word.",
    "Please bring a warm coat and two books for the long journey.",
    "Rain fell on the distant hills for seven hours without a break.",
)


def spoken(folder: Path, espeak: Any, texts: tuple[str, ...], said: tuple[str, ...]) -> FeatureStore:
    """Recordings with texts, which need not be what is said in them."""
    store, audio = FeatureStore(folder), AudioConfig()
    about = {"speaker": "ada", "corpus": "c", "split": "train", "language": "en-us"}
    folder.mkdir()
    for number, (text, words) in enumerate(zip(texts, said, strict=True)):
        path = folder / f"{number}.wav"
        soundfile.write(path, espeak.speak(words, "en-us+f3", 60), espeak.sample_rate)
        arrays, _ = extract_speech_features(Recording(path, str(number), text, about), audio)
        store.append(str(number), {}, arrays)
    return store


def test_right_texts_fit_better_than_others_and_exchanged_ones_do_not(
    aligner: Aligner, espeak: Any, tmp_path: Path
) -> None:
    right = spoken(tmp_path / "right", espeak, TEXTS, TEXTS)
    wrong = spoken(tmp_path / "wrong", espeak, TEXTS, TEXTS[1:] + TEXTS[:1])
    assert min(text_margins(aligner, right, right.entries).values()) > 1.0
    assert max(text_margins(aligner, wrong, wrong.entries).values()) < -1.0 < LEAST_MARGIN


def test_a_wrong_text_is_found_where_there_is_no_other(aligner: Aligner, espeak: Any, tmp_path: Path) -> None:
    alone = spoken(tmp_path / "alone", espeak, TEXTS[:1], TEXTS[1:2])
    assert text_margins(aligner, alone, alone.entries)["0"] < LEAST_MARGIN


def test_short_texts_are_passed_over(
    aligner: Aligner, espeak: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ("Good morning.", TEXTS[0])
    store = spoken(tmp_path / "short", espeak, said, said)
    monkeypatch.setattr(decoys, "MIN_SYMBOLS", store.entries[0].rows["phoneme_ids"][1] + 1)
    assert set(text_margins(aligner, store, store.entries)) == {"1"}


def test_scrambled_texts_keep_their_symbols_and_ends() -> None:
    ids = (1, *range(10, 22), 2)
    for text in scrambled(ids):
        assert sorted(text) == sorted(ids) and text != ids and (text[0], text[-1]) == (1, 2)
