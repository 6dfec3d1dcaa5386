"""Model cards: what a page on the Hub says of a model or a voice, made from what is known, honest where nothing is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from voxclone.config import ModelConfig

NOT_STATED = "Not stated by who published this."


@dataclass(frozen=True)
class Source:
    """A corpus that was trained on: its name, its licence, and for which parts."""

    name: str
    licence: str
    used_for: str


@dataclass(frozen=True)
class Measured:
    """A number: what it is, by which judge, on what, with its interval if it has one."""

    metric: str
    value: float
    judge: str
    on: str
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Card:
    """What a model's publisher knows beyond its configuration.

    Attributes:
        licence: The Hub's id of it ("apache-2.0"); None where none is stated.
        data: What was trained on.
        metrics: What was measured; `Report.measured` of an evaluation gives them.
        limits: What it cannot do, a sentence each.
        description: What it is, for the first paragraph.
    """

    licence: str | None = None
    data: Sequence[Source] = ()
    metrics: Sequence[Measured] = ()
    limits: Sequence[str] = ()
    description: str = ""


def model_card(
    card: Card, config: ModelConfig, voices: Mapping[str, str], parameters: Mapping[str, int], source: str
) -> str:
    """A model's card in Markdown with the Hub's metadata.

    Args:
        card: What the publisher says.
        config: What the model is.
        voices: Example voice → the ground on which it may be used.
        parameters: Part → its number of weights.
        source: What `from_pretrained` is given to load it.
    """
    language = config.text.language.split("-")[0]
    sizes = ", ".join(f"{part.replace('_', ' ')} {count / 1e6:.1f} M" for part, count in parameters.items())
    rows = [f"| {s.name} | {s.licence} | {s.used_for} |" for s in card.data]
    data = "\n".join(["| corpus | licence | used for |", "|---|---|---|", *rows]) if rows else NOT_STATED
    limits = "\n".join(f"- {limit}" for limit in card.limits) or NOT_STATED
    examples = "\n".join(f"- `{name}`: {basis}" for name, basis in voices.items()) or "None."
    described = card.description or f"A voice-cloning model for {config.text.language}."
    front = _front_matter(card, config.name, language, {})
    return f"""{front}# {config.name}

{described} {config.audio.sample_rate} Hz, mono. Parameters: {sizes}.

```python
import voxclone

model = voxclone.VoxClone.from_pretrained("{source}")
voice = model.clone("me.wav", name="Me", consent=voxclone.Consent.attest("Me", basis="my own voice"))
model.generate("Hello.", voice).save("hello.wav")
```

## Data

{data}

## Licence

{card.licence or NOT_STATED}

## Measured

{_metrics_table(card.metrics)}

## Limits

{limits}

## Mark

{_mark(config)}

## Example voices

{examples}
"""


def voice_card(
    name: str,
    consents: Sequence[Mapping[str, Any]],
    base: tuple[str, str] | None,
    tuned: str | None,
    licence: str | None,
    source: str,
) -> str:
    """A voice's card.

    Args:
        name: The voice's.
        consents: Each speaker's record as `Consent.to_dict` gives it.
        base: Repository and commit of the model that it belongs to; None for the bundled model.
        tuned: How it was fine-tuned; None for a clone.
        licence: The Hub's id of it.
        source: What `for_voice` is given to load it.
    """
    extra: dict[str, Any] = {}
    if base is not None:
        extra = {"base_model": base[0]}
        if tuned is not None:
            extra["base_model_relation"] = "adapter"
    front = _front_matter(Card(licence=licence), name, None, extra)
    belongs = "the model that comes with voxclone" if base is None else f"[{base[0]}](https://huggingface.co/{base[0]})"
    at = "" if base is None else f" at commit `{base[1]}`"
    how = "Cloned from recordings, without training." if tuned is None else f"Fine-tuned ({tuned})."
    records = "\n".join(
        f"- **{record['speaker']}**: {record['basis']}; {record['level']}"
        f"{' by ' + record['by'] if record.get('by') else ''}, {record['created'][:10]}; "
        f"for {', '.join(record['scope'])}"
        for record in consents
    )
    return f"""{front}# {name}

A voice for {belongs}{at}. {how}

```python
import voxclone

model, voice = voxclone.VoxClone.for_voice("{source}")
model.generate("Hello.", voice).save("hello.wav")
```

## Consent

{records}

Use it for nothing else. Speech made with it carries its model's mark, where the model has one, and names this voice and
its consent records in its provenance.

## Licence

{licence or NOT_STATED}
"""


def _front_matter(card: Card, name: str, language: str | None, extra: Mapping[str, Any]) -> str:
    """The Hub's metadata; JSON values are YAML."""
    values: dict[str, Any] = {
        "license": card.licence,
        "language": language,
        "library_name": "voxclone",
        "pipeline_tag": "text-to-speech",
        "tags": ["voice-cloning", "text-to-speech"],
        **extra,
    }
    if card.metrics:
        results = [
            {
                "task": {"type": "text-to-speech"},
                "dataset": {"name": measured.on, "type": measured.on},
                "metrics": [{"type": measured.metric, "name": measured.judge, "value": round(measured.value, 4)}],
            }
            for measured in card.metrics
        ]
        values["model-index"] = [{"name": name, "results": results}]
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value is not None]
    return "---\n" + "\n".join(lines) + "\n---\n"


def _metrics_table(metrics: Sequence[Measured]) -> str:
    if not metrics:
        return NOT_STATED
    rows = []
    for measured in metrics:
        interval = "" if measured.interval is None else f" [{measured.interval[0]:#.3g}, {measured.interval[1]:#.3g}]"
        rows.append(f"| {measured.metric} | {measured.value:#.3g}{interval} | {measured.judge} | {measured.on} |")
    return "\n".join(["| what | value | by | on |", "|---|---|---|---|", *rows])


def _mark(config: ModelConfig) -> str:
    if config.watermark is None:
        return (
            "**The audio carries no watermark.** voxclone lets it out only where the model is loaded with "
            "`unmarked_for_research=True`. Say that it is synthetic where a listener could take it for real, and clone "
            "only speakers who agreed."
        )
    return (
        "The vocoder's weights mark all that they make; `voxclone detect` finds the mark. How far it carries, failures "
        "included, is in the voxclone repository. Say that speech is synthetic all the same where a listener could "
        "take it for real."
    )
