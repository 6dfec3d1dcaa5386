"""The valid files that benchmarks/fuzz.py damages, of random numbers: a small model, voices, audio, texts, records."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

import voxclone
from fuzz_readers import BOOK, READING
from voxclone import hub
from voxclone.config import ModelConfig, VerificationConfig
from voxclone.hub.voices import FORMAT_VERSION, KIND
from voxclone.models.acoustic import AcousticModel
from voxclone.models.adapter import Adapter
from voxclone.models.aligner import Aligner
from voxclone.models.cohort import Cohort
from voxclone.models.identity import weights_id
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.models.vocoder import build_vocoder
from voxclone.models.vocoder.convert import read_public_checkpoint, read_public_config
from voxclone.models.watermark import WatermarkDetector
from voxclone.safety.certificate import Signer
from voxclone.safety.labels import sidecar_path
from voxclone.safety.validity import revoke
from voxclone.synthesis.narration import INDEX, narrate
from voxclone.synthesis.reference import encoder_id

TEXTS = Path(__file__).with_name("fuzz_texts.txt")  # which every rule of reading has something to do in
PARTED = "\n%%\n"
TINY = Path(__file__).resolve().parents[1] / "tests" / "golden" / "tiny.json"  # the model that the tests use


def prepare(seeds: Path, names: Iterable[str]) -> Path:
    """Write the valid inputs, a folder for each target, unless these very ones are there."""
    names = list(names)
    complete = seeds / "complete"
    made_by = hashlib.sha256(b"".join(path.read_bytes() for path in (Path(__file__), TEXTS, TINY))).hexdigest()
    state = f"{made_by} {' '.join(names)}"
    if complete.exists() and complete.read_text() == state:
        return seeds
    shutil.rmtree(seeds, ignore_errors=True)
    for name in names:
        (seeds / name).mkdir(parents=True)
    model = _write_model(seeds)
    _write_sounds(seeds, model)
    _write_texts(seeds)
    _write_records(seeds)
    _write_lists(seeds)
    _write_speech(seeds, model)
    _write_vocoder(seeds)
    complete.write_text(state)
    return seeds


def _write_model(seeds: Path) -> voxclone.VoxClone:
    """A small model with random weights, its parts, and two voices."""
    torch.manual_seed(0)
    config = ModelConfig.from_dict(json.loads(TINY.read_text(encoding="utf-8")))
    assert config.aligner is not None and config.watermark is not None
    encoder = SpeakerEncoder(config.speaker_encoder)
    parts: dict[str, Any] = {
        "speaker_encoder": encoder,
        "acoustic": AcousticModel(config.acoustic),
        "vocoder": build_vocoder(config.vocoder),
        "aligner": Aligner(config.aligner),
        "detector": WatermarkDetector(config.watermark),
    }
    verification = VerificationConfig(8, weights_id(encoder), nearest=4, threshold=1.0)
    config = dataclasses.replace(config, verification=verification)
    parts["cohort"] = Cohort(verification, config.speaker_encoder.embedding_dim)
    parts["cohort"].embeddings.copy_(torch.eye(config.speaker_encoder.embedding_dim)[:8])
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
    sidecar_path(seeds / "audio" / "speech.m4a").unlink()
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
    (texts / "b.ssml").write_text(
        "<?xml version='1.0'?><speak version='1.1' xml:lang='en-US'><voice name='Ada'>One<mark name='here'/></voice>"
        "<emphasis level='strong'>two</emphasis> <prosody range='50%' volume='-3dB' duration='2s'>three</prosody>"
        "<say-as interpret-as='date' format='mdy'>12/5/2021</say-as> <say-as interpret-as='telephone'>+1 555</say-as>"
        "<say-as interpret-as='characters'>a-1</say-as><break strength='strong'/></speak>"
    )
    written = TEXTS.read_text(encoding="utf-8").split(PARTED)
    for number, each in enumerate(written):
        (texts / f"{number}.plain").write_text(each, encoding="utf-8")
        (texts / f"{number}.pieces").write_text(each, encoding="utf-8")
    shutil.copy(texts / "a.inline", texts / "a.pieces")
    shutil.copy(texts / "a.ssml", texts / "b.pieces")
    (texts / "a.book").write_text("# One\n\nIt was a night\nof rain.\n\nCHAPTER II\n\nAnd then\n\nthe end.\n")
    words = {"voxclone": "vˈɒkskləʊn", "tomato": "təmˈɑːtəʊ"}
    (seeds / "lexicon" / "a.json").write_text(json.dumps(words))
    (seeds / "lexicon" / "a.tsv").write_text("".join(f"{word}\t{ipa}\n" for word, ipa in words.items()))
    lexemes = "".join(f"<lexeme><grapheme>{w}</grapheme><phoneme>{ipa}</phoneme></lexeme>" for w, ipa in words.items())
    (seeds / "lexicon" / "a.pls").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><lexicon version="1.0" '
        f'xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa" xml:lang="en">{lexemes}</lexicon>'
    )


def _write_records(seeds: Path) -> None:
    consent = voxclone.Consent.attest("Ada", basis="a contract", by="Bob", scope=("cloning", "sharing"))
    (seeds / "records" / "ada.json").write_text(json.dumps(consent.to_dict()))
    voxclone.Consent.challenge().save(seeds / "records" / "a.challenge")
    revoke([consent.digest], "withdrawn", seeds / "records" / "a.revocations")
    about = {"kind": KIND, "format_version": FORMAT_VERSION, "name": "Ada"}
    base = {"repo_id": "org/model", "revision": "0" * 40}
    (seeds / "records" / "a.published").write_text(json.dumps(about | {"base": base}))
    with tempfile.TemporaryDirectory() as folder:
        model = voxclone.VoxClone.from_pretrained(seeds / "whole-model", device="cpu")
        narrate(lambda text: model.generate(text, model.voices["Ada"]), BOOK, folder, **READING)
        shutil.copy(Path(folder) / INDEX, seeds / "records" / "a.index")


def _write_lists(seeds: Path) -> None:
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
        "a.trans": "a HELLO\nb YOU\n",
        "a.said": "a Hello.\nb You.\n",
        "a.utt2spk": "a ada\nb ada\n",
        "a.segments": "one a 0.0 0.2\ntwo a 0.2 0.4\n",
    }
    for name, content in lists.items():
        (seeds / "lists" / name).write_text(content)


def _write_speech(seeds: Path, model: voxclone.VoxClone) -> None:
    """What is spoken to the end, and something like speech to clone from."""
    for path in (seeds / "text").iterdir():
        if path.suffix in (".inline", ".ssml") or path.name == "a.plain":
            shutil.copy(path, seeds / "speech" / path.name)
    shutil.copy(seeds / "lists" / "a.srt", seeds / "speech" / "a.srt")
    prosody = model.generate("One two three.", model.voices["Ada"]).prosody
    assert prosody is not None
    prosody.save(seeds / "speech" / "a.prosody")
    rate = 16000
    time = np.arange(2 * rate) / rate
    voice = np.sum([np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20)], axis=0)
    syllables = np.clip(np.sin(2 * np.pi * 2 * time) + 0.6, 0, 1)
    noise = 1e-3 * np.random.default_rng(0).normal(size=len(time))
    spoken = (0.1 * voice * syllables + noise).astype(np.float32)
    for name, kind in (("a.wav", "PCM_16"), ("b.wav", "FLOAT"), ("a.flac", "PCM_16"), ("a.ogg", "VORBIS")):
        soundfile.write(seeds / "references" / name, spoken, rate, kind)


def _write_vocoder(seeds: Path) -> None:
    """A small HiFi-GAN as its authors publish it."""
    public = {
        "resblock": "1", "upsample_rates": [4, 4], "upsample_kernel_sizes": [8, 8], "upsample_initial_channel": 16,
        "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3, 5]], "num_mels": 8, "hop_size": 16,
        "sampling_rate": 22050,
    }  # fmt: skip
    folder = seeds / "vocoder"
    (folder / "config.json").write_text(json.dumps(public))
    state = build_vocoder(read_public_config(folder / "config.json")).state_dict()
    renamed = {re.sub(r"fusions\.(\d+)\.resblocks\.0\.", r"resblocks.\1.", name): each for name, each in state.items()}
    torch.save({"generator": renamed}, folder / "a.pth")
    torch.save(renamed, folder / "old.pth", _use_new_zipfile_serialization=False)
    read_public_checkpoint(folder / "a.pth", read_public_config(folder / "config.json"))
