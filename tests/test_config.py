import dataclasses
import json
from typing import Any

import pytest

from voxclone.config import AcousticConfig, AudioConfig, ModelConfig, SpeakerEncoderConfig, TextConfig, VocoderConfig
from voxclone.errors import ConfigError


def model(**changes: Any) -> ModelConfig:
    return ModelConfig(**{"acoustic": AcousticConfig(n_symbols=7), **changes})


def as_json(config: ModelConfig) -> dict[str, Any]:
    values = json.loads(json.dumps(config.to_dict(), allow_nan=False))
    assert isinstance(values, dict)
    return values


def test_json_round_trip() -> None:
    config = model(
        name="small",
        speaker_encoder=SpeakerEncoderConfig(embedding_dim=64),
        acoustic=AcousticConfig(n_symbols=9, speaker_embedding_dim=64),
        vocoder=VocoderConfig(resblock="2", resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1, 2),)),
    )
    again = ModelConfig.from_dict(as_json(config))
    assert again == config
    assert hash(again) == hash(config)  # lists became tuples, all the way down
    assert again.vocoder.resblock_dilation_sizes == ((1, 2),)


def test_defaults_fill_what_json_leaves_out() -> None:
    assert ModelConfig.from_dict({"acoustic": {"n_symbols": 7}}) == model()


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        AudioConfig().n_mels = 40  # type: ignore[misc]


def test_numbers_that_every_part_shares() -> None:
    audio = AudioConfig()
    assert (audio.sample_rate, audio.n_fft, audio.win_length, audio.hop_length) == (22050, 1024, 1024, 256)
    assert (audio.n_mels, audio.f_min, audio.f_max, audio.mel_floor) == (80, 0.0, 8000.0, 1e-5)
    assert SpeakerEncoderConfig().sample_rate == 16000


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hop_size": 300}, r"AudioConfig: unknown key 'hop_size' \(did you mean 'hop_length'\?\); known are 'sample"),
        ({"zzz": 1}, "unknown key 'zzz'; known are"),
        ({"n_mels": "80"}, "AudioConfig.n_mels must be int, got '80'"),
        ({"n_mels": 80.0}, "AudioConfig.n_mels must be int, got 80.0"),
        ({"n_mels": True}, "AudioConfig.n_mels must be int, got True"),
        ({"n_mels": None}, "AudioConfig.n_mels must be int, got None"),
        ({"f_max": "8000"}, "AudioConfig.f_max must be float"),
        ({"f_max": True}, "AudioConfig.f_max must be float, got True"),
        ({"f_max": json.loads("NaN")}, "AudioConfig.f_max must be finite, got nan"),
        ({"f_max": json.loads("-Infinity")}, "AudioConfig.f_max must be finite, got -inf"),
        ([], "AudioConfig needs a JSON object, got list"),
        (None, "AudioConfig needs a JSON object, got NoneType"),
    ],
)
def test_wrong_values(values: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AudioConfig.from_dict(values)


def test_integer_where_a_float_belongs() -> None:
    f_max = AudioConfig.from_dict({"f_max": 7600}).f_max
    assert f_max == 7600.0
    assert isinstance(f_max, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"resblock": "3"}, r"VocoderConfig.resblock is '3'; it must be one of \('1', '2'\)"),
        ({"resblock": ["1"]}, "VocoderConfig.resblock is"),
        ({"upsample_rates": 8}, "VocoderConfig.upsample_rates must be a list of at most 64, got 8"),
        ({"upsample_rates": "88"}, "VocoderConfig.upsample_rates must be a list"),
        ({"upsample_rates": [8, "8"]}, "VocoderConfig.upsample_rates must be int, got '8'"),
        (
            {"resblock_dilation_sizes": [1, 3]},
            "VocoderConfig.resblock_dilation_sizes must be a list of at most 64, got 1",
        ),
    ],
)
def test_wrong_vocoder_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        VocoderConfig.from_dict(values)


@pytest.mark.parametrize("space", ["", "0123456789ABCDEF", "0123456789abcde"])
def test_space_is_an_encoder_id(space: str) -> None:
    with pytest.raises(ConfigError, match=r"SpeakerEncoderConfig\.space.*16 hex digits"):
        SpeakerEncoderConfig(space=space)
    assert SpeakerEncoderConfig(space="0123456789abcdef").space == "0123456789abcdef"


def test_missing_key_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^AcousticConfig: key 'n_symbols' is missing$"):
        AcousticConfig.from_dict({})
    with pytest.raises(ConfigError, match=r"^ModelConfig: key 'acoustic' is missing$"):
        ModelConfig.from_dict({})


def test_nested_config_refuses_too() -> None:
    values = as_json(model())
    values["text"]["lang"] = "de"
    with pytest.raises(ConfigError, match=r"TextConfig: unknown key 'lang'.*'language'"):
        ModelConfig.from_dict(values)
    with pytest.raises(ConfigError, match="TextConfig needs a JSON object, got str"):
        ModelConfig.from_dict(as_json(model()) | {"text": "en-us"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "hifigan", "n": 1}, "^kind is 'hifigan'; this voxclone knows 'voxclone'$"),
        ({"kind": None}, "kind is None"),
        ({"format_version": 2, "novel": {}}, "format_version is 2; this voxclone reads 1. Upgrade voxclone"),
        ({"format_version": "1"}, "format_version is '1'"),
        ({"format_version": True}, "ModelConfig.format_version must be int, got True"),
    ],
)
def test_kind_and_format_come_before_keys(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelConfig.from_dict(as_json(model()) | values)


def test_format_is_checked_without_json() -> None:
    with pytest.raises(ConfigError, match="format_version is 2"):
        model(format_version=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"acoustic": AcousticConfig(n_symbols=7, n_mels=40)}, "n_mels: 80 in audio, 40 in acoustic, 80 in vocoder"),
        ({"vocoder": VocoderConfig(n_mels=40)}, "n_mels: 80 in audio, 80 in acoustic, 40 in vocoder"),
        ({"speaker_encoder": SpeakerEncoderConfig(embedding_dim=64)}, "embedding_dim: 64 in speaker_encoder, 192 in"),
        ({"vocoder": VocoderConfig(sample_rate=16000)}, "sample_rate: 22050 in audio, 16000 in vocoder"),
        ({"audio": AudioConfig(hop_length=128)}, "hop_length: 128 in audio, 256 in vocoder"),
    ],
)
def test_parts_must_fit_together(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        model(**changes)


@pytest.mark.parametrize("config", [AudioConfig, SpeakerEncoderConfig])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hop_length": 0}, "0 < hop_length <= win_length <= n_fft"),
        ({"win_length": 4096}, "0 < hop_length <= win_length <= n_fft"),
        ({"f_max": 20000.0}, "f_max <= sample_rate / 2"),
        ({"f_min": -1.0}, "0 <= f_min"),
        ({"f_min": 7900.0, "f_max": 7600.0}, "f_min < f_max"),
        ({"n_mels": 0}, "n_mels is 0; it must be at least 1"),
    ],
)
def test_mel_that_cannot_work(config: type[AudioConfig], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"{config.__name__}.*{message}"):
        config(**changes)


def test_head_hop_length() -> None:
    assert VocoderConfig().head_hop_length == 1
    assert VocoderConfig(upsample_rates=(8, 8), upsample_kernel_sizes=(16, 16)).head_hop_length == 4


def test_text_names_its_symbols() -> None:
    assert TextConfig().symbols_version == 1
