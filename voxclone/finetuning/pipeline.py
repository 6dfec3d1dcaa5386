"""The one command: recordings in, a fine-tuned voice and a report out. Killed at any point, it goes on."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Literal

from voxclone.errors import ConfigError, ConsentError, VoxcloneError
from voxclone.files import remove_leftovers, removed_where_refused, replace_file, require_folder
from voxclone.finetuning.adaptation import DEPTHS, Depth
from voxclone.finetuning.base import load_base
from voxclone.finetuning.clips import Decoded
from voxclone.finetuning.dataset import prepare
from voxclone.finetuning.learning import known, train
from voxclone.finetuning.likeness import Likeness, measure_likeness, speak_both
from voxclone.finetuning.material import Material
from voxclone.finetuning.measures import measure
from voxclone.finetuning.plans import AUTO, PLANS
from voxclone.finetuning.report import write_report
from voxclone.finetuning.segments import SpeechDetector
from voxclone.finetuning.selection import verified_speaker
from voxclone.finetuning.sources import read_sources
from voxclone.finetuning.transcribe import Transcriber
from voxclone.safety.consent import Consent
from voxclone.safety.validity import require_valid
from voxclone.synthesis import VoxClone
from voxclone.synthesis.listening import require_spoken_by
from voxclone.synthesis.progress import Stages
from voxclone.synthesis.reference import encoder_id
from voxclone.voice import Voice, with_records_of

ADAPTING = "adapting"  # the use that the speaker must have agreed to
CLAIM = "about.json"  # in the work folder: whose it is


@dataclass(frozen=True)
class FineTuned:
    """What fine-tuning made.

    Attributes:
        voice: The speaker's voice, with its adapter; also in `voice_path`.
        voice_path: The voice file.
        report_path: An HTML page; the same as numbers is in report.json beside it.
        depth: How deep it went.
        speech_minutes: Of the utterances that were learned from and held out.
        left_out: Reason → how many utterances were not used for it.
        likeness: Whether it helped.
    """

    voice: Voice
    voice_path: Path
    report_path: Path
    depth: Depth
    speech_minutes: float
    left_out: Mapping[str, int]
    likeness: Likeness


def finetune(
    recordings: str | os.PathLike[str],
    *,
    name: str,
    consent: Consent,
    out: str | os.PathLike[str],
    spoken_by: Voice | None = None,
    model: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    depth: Depth | Literal["auto"] = "auto",
    speaker: str | None = None,
    transcriber: str | os.PathLike[str] | None = None,
    minutes: float = 8.0,
    progress: bool = False,
) -> FineTuned:
    """Adapt a model to one speaker.

    Started again with the same arguments it goes on where it was killed, and takes in recordings that were added, or
    changed, or whose texts were; what is no longer there is no longer learned from. A warning says where it did not
    make the voice more like its speaker.

    Args:
        recordings: A folder of audio with or without texts, an LJSpeech, Kaldi or Hugging Face dataset folder, audio
            with subtitles, or one audio file.
        name: What to call the voice.
        consent: The speaker's consent, whose scope names "adapting". Where it was verified, recordings that it was
            verified with must be among these, and what sounds like somebody else is left out.
        out: Folder for `<name>.voice`, `report.html`, `report.json`, `prompts.txt`, and `work/`, which may be deleted
            afterwards.
        spoken_by: Where voxclone synthesised recordings: the voice that spoke them, of the same speaker. Without it,
            recordings that carry the model's mark are refused.
        model: The base model, as for `VoxClone.from_pretrained`.
        revision: Likewise.
        depth: "embedding" trains the voice's own numbers; "norms" the decoder's conditional layer norms, a file below
            100 kB; "lora" adds low-rank factors of its large weights; "full" trains all of the decoder. "auto" is
            "lora".
        speaker: Which one, where the recordings name several.
        transcriber: Folder of a faster-whisper model, for recordings without text.
        minutes: The most that training takes.
        progress: Tell on standard error what it is at: a line for each stage and, where that is no terminal, one every
            half minute. A terminal shows bars, told or not.

    Raises:
        ConsentError: There is no valid consent to adapting, or a recording carries the model's mark, so that no person
            spoke it, or `spoken_by` is of another speaker.
        ModelError: The model is missing, damaged, or has no aligner.
        ConfigError: `name`, `depth` or `minutes` cannot be, or `out` is a file, not writable, or in the recordings'
            folder.
        VoxcloneError: There is too little that can be used, it is of several speakers, an extra is not installed, or
            `out` holds another speaker's work.
    """
    require_adapting(consent, name)
    if depth not in ("auto", *DEPTHS):
        raise ConfigError(f"depth is {depth!r}; it must be one of auto, {', '.join(DEPTHS)}")
    if not name.strip():
        raise ConfigError(f"name is {name!r}; say whose voice it is")
    if not minutes > 0:
        raise ConfigError(f"minutes is {minutes!r}; it must be above 0")
    started = monotonic()
    folder, heard = Path(out).expanduser(), Path(recordings).expanduser()
    if folder.resolve().is_relative_to(heard.resolve()):  # a later run would hear what this one puts there
        raise ConfigError(
            f"{folder} is where the recordings are; name another folder for the voice, as {heard.name}-voice beside it"
        )
    require_folder(folder, ConfigError)
    for left in filter(Path.is_dir, (folder, folder / "work" / "utterances")):
        remove_leftovers(left)
    base = load_base(None if model is None else Path(model) if Path(model).exists() else str(model), revision)
    work = folder / "work"
    layout, clips = read_sources(heard, speaker)
    about = {"name": name, "acoustic_id": base.acoustic_id}
    _require_own(work, about)
    stages, detector = Stages(progress), SpeechDetector()
    scribe = Transcriber(Path(transcriber)) if transcriber else None
    speaking = VoxClone.from_pretrained(base.folder, device="cpu")
    records = with_records_of(consent, spoken_by)
    own = spoken_by is not None and consent in spoken_by.consents
    verified = None if own else verified_speaker(consent, clips, speaking)
    stages.begin(f"preparing {len(clips)} recording{'' if len(clips) == 1 else 's'}")
    with nullcontext() if scribe else removed_where_refused(work):  # what was transcribed is worth keeping
        material = Material(work / "utterances")
        material.add(
            clips,
            detector,
            scribe,
            base.config.text.language,
            lambda each: _require_natural(each, speaking, consent, spoken_by),
            stages,
        )
        replace_file(work / CLAIM, json.dumps(about).encode())
        data = prepare(material, work, base, name, verified, stages)
        measured = data.measured_voice(base)
    speech_minutes = data.minutes(base.config.audio)
    chosen = AUTO if depth == "auto" else depth
    run = work / f"{chosen}-{data.digest}"  # another one where recordings were added
    stages.begin(
        f"training on {len(data.train)} recordings, {len(data.held_out)} held back: {PLANS[chosen].max_steps} updates "
        f"or {minutes:g} minutes at the most"
    )
    step = train(data, base, measured, chosen, run, PLANS[chosen], minutes, stages)
    learned = step.learned_voice()
    voice = Voice(
        name,
        learned["speaker_embedding"].numpy(),
        learned["spectrum"].numpy(),
        float(measured["f0_median"]),
        records,
        encoder_id(base.speaker_encoder),
        step.adapter(base.acoustic_id, base.config.name),
        f0_spread=known(measured["f0_spread"]),
        phoneme_seconds=known(measured["phoneme_seconds"]),
    )
    stages.begin("measuring whether it helped")
    numbers = measure(data, base.config.text.language)
    spoken = speak_both(data, base, speaking, voice, numbers["record_next"], stages)
    likeness = measure_likeness(data, base, speaking, spoken)
    stages.begin("saving the voice and the report")
    stem = re.sub(r"[^\w-]+", "-", name.lower()).strip("-") or "voice"
    path = folder / f"{stem}.voice"
    voice.save(path)
    told = {
        "name": name, "layout": layout, "recordings": len(clips), "depth": chosen, "base": base.config.name,
        "adapter_numbers": 0 if voice.adapter is None else voice.adapter.size, "file_bytes": path.stat().st_size,
        "held_out_loss_before": float(step.best.first_loss), "held_out_loss_after": float(step.best.loss),
        "best_update": int(step.best.update),
        "seconds": round(monotonic() - started, 1),
    }  # fmt: skip
    report = write_report(folder, data, run, told | numbers, likeness, spoken)
    if likeness.warning:
        warnings.warn(likeness.warning, UserWarning, stacklevel=2)
    left_out = Counter(each.dropped for each in data.utterances if each.dropped)
    return FineTuned(voice, path, report, chosen, speech_minutes, left_out, likeness)


def _require_natural(clip: Decoded, model: VoxClone, consent: Consent, spoken_by: Voice | None) -> None:
    """Refuse what the model made, unless by the voice that is given."""
    model.require_natural([(clip.samples, clip.sample_rate)], consent, spoken_by)
    if spoken_by is not None:
        require_spoken_by(spoken_by, clip.label, "it")


def require_adapting(consent: object, name: str) -> None:
    """Refuse to go on without the speaker's consent to adapting.

    Raises:
        ConsentError: It is no consent record, has expired, was revoked, or its scope does not name adapting.
    """
    attest = f'voxclone.Consent.attest("{name}", basis="on what ground", scope=("cloning", "{ADAPTING}"))'
    if not isinstance(consent, Consent):
        raise ConsentError(f"fine-tuning needs the speaker's consent; add: consent={attest}")
    require_valid((consent,), "cloning", ADAPTING)


def _require_own(work: Path, about: dict[str, str]) -> None:
    """Refuse a folder that holds another's work, as it notes once recordings have been taken in.

    Raises:
        VoxcloneError: It does, or what it notes is damaged.
    """
    path = work / CLAIM
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else about
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise VoxcloneError(f"{work} is damaged: {CLAIM} cannot be read; delete {work} and run again")
    if found != about:
        differing = ", ".join(f"{key} {found.get(key)!r} instead of {about[key]!r}" for key in about)
        raise VoxcloneError(f"{work} holds the work of another fine-tuning ({differing}); take another folder")
