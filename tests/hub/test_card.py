"""Model cards: the Hub's metadata, and honest gaps."""

from __future__ import annotations

import dataclasses
import json

from voxclone.config import ModelConfig, WatermarkConfig
from voxclone.hub import Card, Measured, Source, model_card


def front(text: str) -> dict[str, object]:
    """The metadata, each line a key and a JSON value."""
    _, block, _ = text.split("---\n", 2)
    return {key: json.loads(value) for key, _, value in (line.partition(": ") for line in block.splitlines())}


def test_everything_that_is_known(config: ModelConfig) -> None:
    card = Card(
        licence="apache-2.0",
        data=[Source("LJ Speech", "public domain", "all parts")],
        metrics=[Measured("word error rate", 0.1234, "pocketsphinx", "my list", (0.1, 0.15))],
        limits=["English only."],
    )
    text = model_card(card, config, {"ada": "her own voice"}, {"vocoder": 1_500_000}, "org/name")
    metadata = front(text)
    assert metadata["license"] == "apache-2.0"
    assert (metadata["language"], metadata["library_name"]) == ("en", "voxclone")
    index = metadata["model-index"]
    assert isinstance(index, list)
    assert index[0]["name"] == "tiny"
    measured = {"type": "word error rate", "name": "pocketsphinx", "value": 0.1234}
    assert index[0]["results"][0]["metrics"] == [measured]
    for line in (
        "| LJ Speech | public domain | all parts |",
        "| word error rate | 0.123 [0.100, 0.150] | pocketsphinx | my list |",
        "- English only.",
        "- `ada`: her own voice",
        "**The audio carries no watermark.**",
        'from_pretrained("org/name")',
        "vocoder 1.5 M",
    ):
        assert line in text


def test_what_is_not_known_is_said_to_be_so(config: ModelConfig) -> None:
    text = model_card(Card(), config, {}, {"vocoder": 1}, "org/name")
    assert text.count("Not stated by who published this.") == 4  # data, licence, measured, limits
    assert "license" not in front(text)
    assert "model-index" not in front(text)


def test_a_mark_is_told(config: ModelConfig) -> None:
    marked = dataclasses.replace(config, watermark=WatermarkConfig())
    text = model_card(Card(), marked, {}, {"vocoder": 1}, "org/name")
    assert "mark all that they make; `voxclone detect` finds the mark" in text
    assert "no watermark" not in text
