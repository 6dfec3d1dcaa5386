"""The valid files that benchmarks/fuzz.py damages, of random numbers: a small model, voices, audio, texts, records."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
import torch

import voxclone
from voxclone import hub
from voxclone.config import ModelConfig
from voxclone.models.acoustic import AcousticModel
from voxclone.models.adapter import Adapter
from voxclone.models.aligner import Aligner
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.models.vocoder import build_vocoder
from voxclone.models.watermark import WatermarkDetector
from voxclone.safety.certificate import Signer
from voxclone.safety.labels import sidecar_path
from voxclone.safety.validity import revoke
from voxclone.synthesis.reference import encoder_id

TINY = Path(__file__).resolve().parents[1] / "tests" / "golden" / "tiny.json"  # the model that the tests use


def prepare(seeds: Path, names: Iterable[str]) -> Path:
    """Write the valid inputs, a folder for each target, unless they are there."""
    if (seeds / "complete").exists():
        return seeds
    shutil.rmtree(seeds, ignore_errors=True)
    for name in names:
        (seeds / name).mkdir(parents=True)
    model = _write_model(seeds)
    _write_sounds(seeds, model)
    _write_texts(seeds)
    (seeds / "complete").touch()
    return seeds


def _write_model(seeds: Path) -> voxclone.VoxClone:
    """A small model with random weights, its parts, and two voices."""
    torch.manual_seed(0)
    config = ModelConfig.from_dict(json.loads(TINY.read_text(encoding="utf-8")))
    assert config.aligner is not None and config.watermark is not None
    encoder = SpeakerEncoder(config.speaker_encoder)
    parts = {
        "speaker_encoder": encoder,
        "acoustic": AcousticModel(config.acoustic),
        "vocoder": build_vocoder(config.vocoder),
        "aligner": Aligner(config.aligner),
        "detector": WatermarkDetector(config.watermark),
    }
    embedding = np.eye(config.acoustic.speaker_embedding_dim)[0]
    consents = (voxclone.Consent.attest("Ada", basis="random numbers", scope=("cloning", "sharing", "commercial")),)
    voice = voxclone.Voice("Ada", embedding, np.full(80, -5.0), 200.0, consents, encoder_id(encoder))
    voice.save(seeds / "voice" / "ada.voice")
    adapter = Adapter({"a.weight": torch.randn(4, 4)}, "0" * 16, config.name, "light")
    with_adapter = dataclasses.replace(voice, adapter=adapter)
    with_adapter.save(seeds / "voice" / "adapted.voice")
    folder = seeds / "whole-model"
    hub.save_folder(folder, config, parts, card="# small\n", voices={"Ada": seeds / "voice" / "ada.voice"})
    for name in ("config.json", "sha256.txt"):
        shutil.copy(folder / name, seeds / "config" / f"part.{name.replace('.', '-')}")
    for path in folder.glob("*.safetensors"):
        shutil.copy(path, seeds / "weights" / f"part.{path.name.replace('.', '-')}")
    return voxclone.VoxClone.from_pretrained(folder, device="cpu")


def _write_sounds(seeds: Path, model: voxclone.VoxClone) -> None:
    time = np.arange(8000) / 16000
    tone = (0.3 * np.sin(2 * np.pi * 220 * time)).astype(np.float32)
    stereo = np.stack([tone, -tone], 1)
    for suffix, kind, rate in (
        (".wav", "PCM_16", 16000), (".wav", "FLOAT", 16000), (".wav", "IMA_ADPCM", 16000), (".flac", "PCM_16", 16000),
        (".mp3", "MPEG_LAYER_III", 16000), (".ogg", "VORBIS", 16000), (".opus", "OPUS", 16000),
        (".aiff", "PCM_16", 8000),
    ):  # fmt: skip
        form = {".opus": "OGG"}.get(suffix)
        soundfile.write(seeds / "audio" / f"{kind}{suffix}", tone, rate, kind, format=form)
    soundfile.write(seeds / "audio" / "two.flac", stereo, 44100, "PCM_24")
    soundfile.write(seeds / "audio" / "silence.flac", np.zeros(1_000_000, np.int16), 44100)
    soundfile.write(seeds / "audio" / "silence.ogg", np.zeros(300_000, np.float32), 44100)
    speech = model.generate("One two three.", model.voices["Ada"])
    speech.save(seeds / "audio" / "speech.m4a")
    signer = Signer.development()
    for suffix in (".wav", ".flac", ".mp3", ".ogg", ".m4a"):
        path = seeds / "labels" / f"given{suffix}"
        speech.save(path, signer=signer if suffix != ".ogg" else None)
        beside = sidecar_path(path)
        if suffix == ".wav":
            beside.rename(seeds / "labels" / "sidecar.json")
        else:
            beside.unlink(missing_ok=True)


def _write_texts(seeds: Path) -> None:
    texts = seeds / "text"
    (texts / "a.plain").write_text(
        "Dr. Smith paid $3.50 on 12/05/2021 at 10:45, see https://example.org. NASA's 3rd try!\n\nHe left."
    )
    (texts / "a.inline").write_text("Hello [pause 300ms] [tomato](/təmˈɑːtəʊ/) [very slow](speed=0.8 pitch=+2) *now*.")
    (texts / "a.ssml").write_text(
        "<speak>One <break time='300ms'/> <prosody rate='slow' pitch='+2st'>two</prosody> "
        "<say-as interpret-as='cardinal'>3</say-as> <phoneme alphabet='ipa' ph='fɔː'>four</phoneme> "
        "<sub alias='World Wide Web'>WWW</sub> <p><s>Five &amp; six.</s></p></speak>"
    )
    (texts / "a.book").write_text("# One\n\nIt was a night\nof rain.\n\nCHAPTER II\n\nAnd then\n\nthe end.\n")
    words = {"voxclone": "vˈɒkskləʊn", "tomato": "təmˈɑːtəʊ"}
    (seeds / "lexicon" / "a.json").write_text(json.dumps(words))
    (seeds / "lexicon" / "a.tsv").write_text("".join(f"{word}\t{ipa}\n" for word, ipa in words.items()))
    lexemes = "".join(f"<lexeme><grapheme>{w}</grapheme><phoneme>{ipa}</phoneme></lexeme>" for w, ipa in words.items())
    (seeds / "lexicon" / "a.pls").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><lexicon version="1.0" '
        f'xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa" xml:lang="en">{lexemes}</lexicon>'
    )
    consent = voxclone.Consent.attest("Ada", basis="a contract", by="Bob", scope=("cloning", "sharing"))
    (seeds / "records" / "ada.json").write_text(json.dumps(consent.to_dict()))
    voxclone.Consent.challenge().save(seeds / "records" / "a.challenge")
    revoke([consent.digest], "withdrawn", seeds / "records" / "a.revocations")
    cues = [("00:00:00{}000", "00:00:00{}200", "Hello."), ("00:00:00{}250", "00:00:00{}400", "<i>You</i> &amp; I.")]
    for suffix, point, head in ((".srt", ",", ""), (".vtt", ".", "WEBVTT\n\n")):
        body = [
            f"{n}\n{start.format(point)} --> {end.format(point)}\n{text}\n"
            for n, (start, end, text) in enumerate(cues, 1)
        ]
        (seeds / "lists" / f"a{suffix}").write_text(head + "\n".join(body))
    lists = {
        "a.tsv": "reference\ttext\tname\tspeaker\na.wav\tHello.\tone\tada\nb.wav\tYou.\ttwo\tbob\n",
        "a.lst": "one|Hello.|a.wav|You.\ntwo|You.|b.wav|Hello.\n",
        "a.csv": "a|Hello.|Hello.\nb|You.|You.\n",
        "a.jsonl": '{"file_name": "a.wav", "text": "Hello."}\n{"file_name": "b.wav", "text": "You."}\n',
        "a.scp": "a a.wav\nb b.wav\n",
        "a.segments": "one a 0.0 0.2\ntwo a 0.2 0.4\n",
    }
    for name, content in lists.items():
        (seeds / "lists" / name).write_text(content)
