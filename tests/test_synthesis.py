"""The whole way with a tiny random model: recordings to voices, text to speech, folders to models."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from voxclone import (
    AudioError,
    ConfigError,
    Consent,
    ConsentError,
    ModelError,
    Prosody,
    Speech,
    TextError,
    Voice,
    VoiceError,
    VoxClone,
    hub,
)
from voxclone.audio.quality import RecordingQuality
from voxclone.audio.reference import prepare_reference
from voxclone.config import AudioConfig, ModelConfig
from voxclone.models.acoustic import AcousticModel
from voxclone.synthesis.render import Utterance, join
from voxclone.text.phonemes import WordSpan

Recording = tuple[NDArray[np.float32], int]

CONSENT = Consent.attest("Ada", basis="my own voice")
LONG = "The first sentence has some words. " * 6 + "And this, the last one, has a few more of them: ten or so! " * 5


@pytest.fixture(scope="module")
def ada(tiny_model: VoxClone) -> Voice:
    return tiny_model.voices["ada"]


def same(left: Speech, right: Speech) -> bool:
    return np.array_equal(left.samples, right.samples) and left.phonemes == right.phonemes and left.words == right.words


def assert_times_are_exact(speech: Speech, hop_length: int = 256) -> None:
    assert speech.phonemes[-1].end_seconds == speech.duration_seconds
    assert len(speech.samples) == speech.mel.shape[1] * hop_length
    for before, after in itertools.pairwise(speech.phonemes):
        assert before.start_seconds <= before.end_seconds <= after.start_seconds
    edges = {p.start_seconds for p in speech.phonemes} | {p.end_seconds for p in speech.phonemes}
    for word in speech.words:
        assert {word.start_seconds, word.end_seconds} <= edges
        assert word.start_seconds < word.end_seconds
    for before, after in itertools.pairwise(speech.words):
        assert before.end_seconds <= after.start_seconds


# Loading and saving


def test_a_loaded_model_says_what_it_is(tiny_model: VoxClone, tiny_folder: Path) -> None:
    assert tiny_model.config == hub.read_config(tiny_folder)
    assert tiny_model.device == torch.device("cpu")
    assert tiny_model.sample_rate == 22050
    assert len(tiny_model.encoder_id) == 16
    assert list(tiny_model.voices) == ["ada", "bob"]
    assert tiny_model.card == (tiny_folder / "card.md").read_text()
    with pytest.raises(TypeError):
        tiny_model.voices["eve"] = tiny_model.voices["ada"]  # type: ignore[index]


def test_saved_and_loaded_again_it_is_the_same(tiny_model: VoxClone, ada: Voice, tmp_path: Path) -> None:
    tiny_model.save_pretrained(tmp_path / "copy")
    hub.check_integrity(tmp_path / "copy")
    copy = VoxClone.from_pretrained(tmp_path / "copy", device="cpu")
    assert copy.encoder_id == tiny_model.encoder_id
    assert copy.config == tiny_model.config
    assert copy.card == tiny_model.card
    assert dict(copy.voices) == dict(tiny_model.voices)
    assert same(copy.generate("Hello there.", ada), tiny_model.generate("Hello there.", ada))
    copy.save_pretrained(tmp_path / "copy")  # over itself
    hub.check_integrity(tmp_path / "copy")


def test_push_sends_a_whole_folder(tiny_model: VoxClone, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, Any] = {}

    def push(folder: Path, repo_id: str, **options: Any) -> str:
        hub.check_integrity(folder)
        sent.update(options, repo_id=repo_id, config=hub.read_config(folder))
        return "url"

    monkeypatch.setattr(hub, "push_folder", push)
    assert tiny_model.push_to_hub("org/name", token="t", private=True) == "url"
    assert sent == {
        "repo_id": "org/name", "token": "t", "private": True, "revision": None, "config": tiny_model.config,
    }  # fmt: skip


def test_a_damaged_example_voice_is_the_models_fault(tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "other")
    voice = folder / "voices" / "bob.voice"
    voice.write_bytes(voice.read_bytes()[:-8])
    write_sums(folder)
    with pytest.raises(ModelError, match=r"damaged voice: .*bob\.voice"):
        VoxClone.from_pretrained(folder, device="cpu")


def test_the_encoder_id_follows_the_weights(tiny_folder: Path, tmp_path: Path, tiny_model: VoxClone) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "other")
    path = folder / "speaker_encoder.safetensors"
    tensors, metadata = hub.read_tensors(path)
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    tensors[name].view(-1)[0] += 0.5
    hub.write_tensors(path, tensors, metadata)
    with pytest.raises(ModelError, match=r"speaker_encoder\.safetensors"):
        VoxClone.from_pretrained(folder)
    without_cohort(folder)
    write_sums(folder)
    other = VoxClone.from_pretrained(folder, device="cpu")
    assert other.encoder_id != tiny_model.encoder_id
    with pytest.raises(VoiceError, match=f"{tiny_model.encoder_id}.*{other.encoder_id}.*clone"):
        other.generate("Hello.", tiny_model.voices["ada"])


def test_voices_stay_valid_with_an_encoder_that_keeps_the_space(
    tiny_folder: Path, tmp_path: Path, tiny_model: VoxClone
) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "other")
    path = folder / "speaker_encoder.safetensors"
    tensors, metadata = hub.read_tensors(path)
    tensors["project.bias"] += 0.1
    hub.write_tensors(path, tensors, metadata)
    config = json.loads((folder / "config.json").read_text())
    config["speaker_encoder"]["space"] = tiny_model.encoder_id
    (folder / "config.json").write_text(json.dumps(config))
    without_cohort(folder)
    write_sums(folder)
    other = VoxClone.from_pretrained(folder, device="cpu")
    assert other.encoder_id == tiny_model.encoder_id
    assert same(*(model.generate("Hello.", tiny_model.voices["ada"]) for model in (other, tiny_model)))
    other.save_pretrained(tmp_path / "copy")
    assert VoxClone.from_pretrained(tmp_path / "copy", device="cpu").encoder_id == tiny_model.encoder_id


def without_cohort(folder: Path) -> None:
    """A cohort belongs to the weights of its encoder."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"verification": None}))


def write_sums(folder: Path) -> None:
    """Make sha256.txt fit what the folder holds now."""
    names = [line.split("  ", 1)[1] for line in (folder / "sha256.txt").read_text().splitlines()]
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "sha256.txt").write_text("".join(sums))


def test_a_model_of_other_symbols_is_refused(tiny_folder: Path, tmp_path: Path, tiny_model: VoxClone) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "other")
    values = tiny_model.config.to_dict()
    for part in ("acoustic", "aligner"):
        values[part]["n_symbols"] += 1
    (folder / "config.json").write_text(json.dumps(ModelConfig.from_dict(values).to_dict()))
    write_sums(folder)
    with pytest.raises(ModelError, match="phoneme symbols"):
        VoxClone.from_pretrained(folder)


@pytest.mark.parametrize("name", ["acoustic.safetensors", "vocoder.safetensors", "config.json", "voices/ada.voice"])
def test_a_truncated_file_is_named(tiny_folder: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "cut")
    (folder / name).write_bytes((folder / name).read_bytes()[:-20])
    with pytest.raises(ModelError, match=name):
        VoxClone.from_pretrained(folder)


@pytest.mark.parametrize("options", [{"device": "abacus"}, {"device": "cuda:99"}, {"dtype": torch.int8}])
def test_an_unusable_device_or_dtype_is_refused(tiny_folder: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        VoxClone.from_pretrained(tiny_folder, **options)


def test_half_precision_speaks_nearly_the_same(tiny_folder: Path, tiny_model: VoxClone, ada: Voice) -> None:
    half = VoxClone.from_pretrained(tiny_folder, device="cpu", dtype=torch.bfloat16)
    assert half.encoder_id == tiny_model.encoder_id
    speech = half.generate("Hello there.", ada)
    assert speech.samples.dtype == np.float32
    assert speech.duration_seconds == pytest.approx(tiny_model.generate("Hello there.", ada).duration_seconds, rel=0.1)


# Cloning


def test_clone_measures_the_speaker(tiny_model: VoxClone, recording: Recording) -> None:
    voice = tiny_model.clone(recording, name="Ada", consent=CONSENT)
    assert (voice.name, voice.consent, voice.encoder_id) == ("Ada", CONSENT, tiny_model.encoder_id)
    assert voice.f0_median == pytest.approx(120, rel=0.02)
    assert voice == tiny_model.clone(recording, name="Ada", consent=CONSENT)
    assert_times_are_exact(tiny_model.generate("Hello.", voice))


def test_every_kind_of_source_gives_the_same_voice(tiny_model: VoxClone, recording: Recording, tmp_path: Path) -> None:
    samples, rate = recording
    soundfile.write(tmp_path / "ada.wav", samples, rate, subtype="FLOAT")
    wav = io.BytesIO()
    soundfile.write(wav, samples, rate, format="WAV", subtype="FLOAT")
    voices = [
        tiny_model.clone(source, name="Ada", consent=CONSENT)
        for source in (recording, tmp_path / "ada.wav", str(tmp_path / "ada.wav"), wav.getvalue(), [recording])
    ]
    assert len(set(voices)) == 1


def test_several_recordings_count_by_their_weight(tiny_model: VoxClone, recording: Recording) -> None:
    samples, rate = recording
    higher = (np.interp(np.arange(0, len(samples) - 1, 1.5), np.arange(len(samples)), samples).astype(np.float32), rate)
    expected = np.zeros(16)
    for source in (recording, higher):
        weight = RecordingQuality.of(prepare_reference(source, 16000)).weight
        expected += weight * tiny_model.clone(source, name="Ada", consent=CONSENT).speaker_embedding
    both = tiny_model.clone([recording, higher], name="Ada", consent=CONSENT)
    np.testing.assert_allclose(both.speaker_embedding, expected / np.linalg.norm(expected), atol=1e-6)
    assert 119 < both.f0_median < 181


def test_there_is_no_cloning_without_consent(tiny_model: VoxClone, recording: Recording) -> None:
    for consent in (None, "yes"):
        with pytest.raises(ConsentError, match=r'consent=voxclone\.Consent\.attest\("Ada", basis='):
            tiny_model.clone(recording, name="Ada", consent=consent)  # type: ignore[arg-type]


def test_clone_refuses_recordings_without_a_voice(tiny_model: VoxClone, recording: Recording) -> None:
    samples, rate = recording
    whisper = (np.abs(samples) * np.random.default_rng(0).normal(size=len(samples))).astype(np.float32)
    for source in ([], (whisper, rate), (np.zeros(rate * 3, np.float32), rate), [(samples[:1000], rate)] * 2):
        with pytest.raises(AudioError):
            tiny_model.clone(source, name="Ada", consent=CONSENT)


# Speaking


def test_speech_is_whole(tiny_model: VoxClone, ada: Voice) -> None:
    speech = tiny_model.generate("Dr. Smith paid $3, twice.", ada)
    assert [word.text.lower() for word in speech.words] == "doctor smith paid three dollars twice".split()
    assert speech.samples.dtype == np.float32
    assert speech.samples.ndim == 1
    assert np.abs(speech.samples).max() <= 1.0
    assert speech.sample_rate == 22050
    assert speech.mel.shape[0] == 80
    assert_times_are_exact(speech)


def test_the_same_call_gives_the_same_samples(tiny_model: VoxClone, ada: Voice) -> None:
    state = torch.get_rng_state()
    first = tiny_model.generate("Hello there.", ada)
    assert same(first, tiny_model.generate("Hello there.", ada))
    seeded = tiny_model.generate("Hello there.", ada, seed=1)
    assert same(seeded, tiny_model.generate("Hello there.", ada, seed=1))
    assert not np.array_equal(seeded.samples, first.samples)
    assert not np.array_equal(seeded.samples, tiny_model.generate("Hello there.", ada, seed=2).samples)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("seed", [None, 3])
def test_a_list_is_spoken_as_its_texts_are_alone(tiny_model: VoxClone, ada: Voice, seed: int | None) -> None:
    texts = ["One.", "A much longer second text, of many words.", LONG, "Hello there.", *map(str, range(8))]
    together = tiny_model.generate(texts, ada, seed=seed)
    assert len(together) == len(texts)
    for text, speech in zip(texts, together, strict=True):
        alone = tiny_model.generate(text, ada, seed=seed)
        assert speech.phonemes == alone.phonemes
        assert speech.words == alone.words
        np.testing.assert_array_equal(speech.samples, alone.samples)
        np.testing.assert_array_equal(speech.mel, alone.mel)
    assert tiny_model.generate([], ada) == []


def test_long_text_is_spoken_whole_with_pauses(tiny_model: VoxClone, ada: Voice) -> None:
    speech = tiny_model.generate(LONG, ada)
    assert_times_are_exact(speech)
    assert [word.text.lower() for word in speech.words] == [word.strip(".,:!").lower() for word in LONG.split()]
    pauses = [
        (before.end_seconds, after.start_seconds)
        for before, after in itertools.pairwise(speech.phonemes)
        if after.start_seconds > before.end_seconds
    ]
    assert len(pauses) == 2
    for start, end in pauses:
        assert end - start == pytest.approx(0.25, abs=0.5 * 256 / 22050)
        assert not speech.samples[round(start * 22050) : round(end * 22050)].any()
        assert (speech.mel[:, round(start * 22050 / 256)] == np.float32(math.log(1e-5))).all()


def test_controls_do_what_they_say(tiny_model: VoxClone, ada: Voice) -> None:
    plain = tiny_model.generate("Hello there.", ada)
    assert tiny_model.generate("Hello there.", ada, speed=0.25).duration_seconds > 2 * plain.duration_seconds
    assert tiny_model.generate("Hello there.", ada, speed=4).duration_seconds < 0.6 * plain.duration_seconds
    for control in ({"pitch": -24.0}, {"pitch": 24}, {"energy": 0.25}, {"energy": 4.0}):
        changed = tiny_model.generate("Hello there.", ada, **control)  # type: ignore[arg-type]
        assert not np.array_equal(changed.mel, plain.mel), control
    assert same(plain, tiny_model.generate("Hello there.", ada, speed=1, pitch=0, energy=1))


@pytest.mark.parametrize(
    "control",
    [
        {"speed": 0.2},
        {"speed": 4.1},
        {"speed": math.nan},
        {"speed": "fast"},
        {"speed": True},
        {"pitch": -24.5},
        {"pitch": math.inf},
        {"energy": 0},
        {"energy": -1.0},
        {"energy": None},
        {"seed": -1},
        {"seed": 1.5},
        {"seed": 2**63},
    ],
)
def test_controls_out_of_range_are_refused(tiny_model: VoxClone, ada: Voice, control: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(control))):
        tiny_model.generate("Hello.", ada, **control)


def test_normalisation_can_be_switched_off_and_words_told(tiny_model: VoxClone, ada: Voice) -> None:
    assert [word.text for word in tiny_model.generate("Dr. Lee", ada, normalize=False).words] == ["Dr", "Lee"]
    told = tiny_model.generate("Hello there.", ada, lexicon={"hello": "bi"})
    assert "".join(p.text for p in told.phonemes[1:3]) == "bi"
    assert told.words[0].text.lower() == "hello"


@pytest.mark.parametrize("text", ["", " \n", "...", "?! -- .", '""'])
@pytest.mark.parametrize("normalize", [True, False])
def test_nothing_to_speak_is_an_error(tiny_model: VoxClone, ada: Voice, text: str, normalize: bool) -> None:
    for given in (text, ["Hello.", text]):
        with pytest.raises(TextError):
            tiny_model.generate(given, ada, normalize=normalize)  # type: ignore[call-overload]


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("text", ["Hello \u65e5 there", "He paid, then he left. " * 20 + "But \u65e5?", "\u65e5"])
def test_an_unspeakable_character_is_placed(tiny_model: VoxClone, ada: Voice, text: str, normalize: bool) -> None:
    with pytest.raises(TextError, match=f"position {text.index(chr(0x65E5))}:") as caught:
        tiny_model.generate(text, ada, normalize=normalize)
    assert caught.value.position == text.index("\u65e5")


def test_its_place_is_that_before_normalisation(tiny_model: VoxClone, ada: Voice) -> None:
    text = "Dr. Smith paid $3.50 \u65e5."
    with pytest.raises(TextError, match="position 21:") as caught:
        tiny_model.generate(text, ada)
    assert caught.value.position == 21


def test_threads_do_not_disturb_one_another(tiny_model: VoxClone) -> None:
    calls = [(text, voice) for text in ("Hello there.", "One two three four.") for voice in tiny_model.voices.values()]
    alone = [tiny_model.generate(text, voice) for text, voice in calls]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda call: tiny_model.generate(*call), calls * 4))
    for expected, speech in zip(alone * 4, together, strict=True):
        assert speech.phonemes == expected.phonemes
        np.testing.assert_allclose(speech.samples, expected.samples, atol=1e-5)


@pytest.mark.parametrize("energy", [0.25, 0.5, 2.0])
def test_energy_is_a_factor_on_the_amplitude(tiny_model: VoxClone, ada: Voice, energy: float) -> None:
    text = "Hello there you all"
    plain, changed = tiny_model.generate(text, ada), tiny_model.generate(text, ada, energy=energy)
    assert plain.words == changed.words
    assert 1e-3 < np.abs(plain.samples).max() < 0.5
    np.testing.assert_allclose(changed.samples, energy * plain.samples, atol=1e-6)
    np.testing.assert_allclose(changed.mel, plain.mel + np.log(energy), atol=1e-4)


def test_what_is_made_too_loud_is_cut_off(tiny_model: VoxClone, ada: Voice) -> None:
    plain = tiny_model.generate("Hello there.", ada)
    prosody = prosody_with_gain(plain, 80.0)
    assert np.abs(tiny_model.generate("Hello there.", ada, prosody=prosody).samples).max() == 1.0


def prosody_with_gain(speech: Speech, gain: float) -> Prosody:
    assert speech.prosody is not None
    prosody = speech.prosody.copy()
    prosody.gain[:] = gain
    return prosody


def test_voices_sound_different(tiny_model: VoxClone) -> None:
    ada, bob = (tiny_model.generate("Hello there.", voice) for voice in tiny_model.voices.values())
    assert not np.array_equal(ada.samples, bob.samples)


# Joining


def utterance(samples: NDArray[np.float32], pause: int = 0) -> Utterance:
    level = np.zeros(3, np.float32)
    durations, pauses = np.array([1, 2, 1]), np.array([0, 0, pause])
    prosody = Prosody(("^", "w", "$"), (WordSpan("a", 1, 2),), durations, *[level] * 5, pauses, 256 / 22050)
    return Utterance(prosody, np.zeros((80, 4), np.float32), np.zeros(4, np.float32), samples)


def test_times_are_durations_in_frames(tiny_model: VoxClone, ada: Voice) -> None:
    spoken = [utterance(np.zeros(1024, np.float32), pause) for pause in (22, 0)]
    speech = join(spoken, AudioConfig(), tiny_model._origin, ada)
    frame = 256 / 22050
    starts = [0, 1, 3, 26, 27, 29]
    assert [p.start_seconds for p in speech.phonemes] == pytest.approx([frame * n for n in starts])
    assert speech.words[1].start_seconds == 27 * 256 / 22050
    assert speech.words[1].end_seconds == 29 * 256 / 22050
    assert_times_are_exact(speech)


def test_samples_beyond_full_scale_are_turned_down_not_clipped(tiny_model: VoxClone, ada: Voice) -> None:
    samples = np.linspace(-1.0, 2.0, 1024, dtype=np.float32)
    speech = join([utterance(samples)], AudioConfig(), tiny_model._origin, ada)
    np.testing.assert_allclose(speech.samples, samples / 2, atol=1e-6)


def test_samples_that_are_not_finite_never_leave(tiny_model: VoxClone, ada: Voice) -> None:
    with pytest.raises(ModelError, match="not finite"):
        join([utterance(np.full(1024, np.nan, np.float32))], AudioConfig(), tiny_model._origin, ada)


def test_no_graph_is_kept(tiny_model: VoxClone, ada: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    for name in ("encode_with_pauses", "decode"):
        method = getattr(AcousticModel, name)

        def watched(*args: Any, method: Any = method) -> Any:
            modes.append(torch.is_inference_mode_enabled())
            return method(*args)

        monkeypatch.setattr(AcousticModel, name, watched)
    tiny_model.generate("Hello.", ada)
    assert modes == [True, True]
