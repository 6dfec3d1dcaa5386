from __future__ import annotations

import io
import os
import shutil
import signal
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from voxclone.audio.io import BLOCK_FRAMES, audio_files, read_audio, stream_audio, write_audio
from voxclone.audio.samples import as_pcm16
from voxclone.errors import AudioError

LOSSLESS = (".wav", ".flac")
SUFFIXES = (*LOSSLESS, ".mp3", ".ogg", ".opus")
CLIPS = sorted((Path(__file__).parents[3] / "shared" / "data" / "clips").glob("*.[wfm][alp][v3a]*"))


def sweep(sample_rate: int, seconds: float = 1.0) -> np.ndarray:
    """(S,) float32 from 200 to 1500 Hz, which every codec keeps."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * (200 + 650 * time / seconds) * time)).astype(np.float32)


def encoded(samples: np.ndarray, sample_rate: int = 16000, form: str = "WAV", subtype: str | None = None) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, samples, sample_rate, format=form, subtype=subtype)
    return stream.getvalue()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("sample_rate", [4000, 16000, 22050, 48000, 96000, 384000])
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str, sample_rate: int) -> None:
    path = tmp_path / f"sweep{suffix}"
    write_audio(path, sweep(sample_rate), sample_rate)
    samples, rate = read_audio(path)
    assert rate == sample_rate or (suffix not in LOSSLESS and rate == 48000)
    assert samples.dtype == np.float32
    assert abs(len(samples) - rate) <= 1
    expected = sweep(rate)[: len(samples)]
    inner = slice(rate // 10, rate * 9 // 10)
    error = np.sqrt(np.mean((samples - expected)[inner] ** 2))
    assert error < (2e-5 if suffix in LOSSLESS else 0.05)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_two_channels_are_averaged(tmp_path: Path, suffix: str) -> None:
    left = sweep(48000)
    write_audio(tmp_path / f"stereo{suffix}", np.stack([left, 0.5 * left], axis=1), 48000)
    samples, _ = read_audio(tmp_path / f"stereo{suffix}")
    assert np.sqrt(np.mean((samples - 0.75 * left)[4800:-4800] ** 2)) < 0.03


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_channels_that_cancel_each_other_are_heard(tmp_path: Path, suffix: str) -> None:
    """As a wrongly wired cable leaves them; and digital silence stays that."""
    left = sweep(150_000)
    write_audio(tmp_path / f"stereo{suffix}", np.stack([left, -left], axis=1), 48000)
    samples, _ = read_audio(tmp_path / f"stereo{suffix}")
    assert np.sqrt(np.mean((samples - left)[4800:-4800] ** 2)) < 0.05
    for array in (np.stack([left, -left]), (np.stack([left, -left], axis=1) * 32767).astype(np.int16)):
        np.testing.assert_allclose(read_audio((array, 48000))[0], left, atol=1e-4)
    assert not read_audio((np.zeros((2, 100), np.float32), 48000))[0].any()


@pytest.mark.parametrize("channels", [1, 2])
def test_an_mp3_is_read_in_blocks_as_at_once(tmp_path: Path, channels: int) -> None:
    """Its frames need those before them: a decoder that is sent to a block's start begins with other samples."""
    path = tmp_path / "long.mp3"
    write_audio(path, np.stack([sweep(200_000)] * channels, axis=1), 48000)
    at_once = soundfile.read(path, dtype="float32", always_2d=True)[0].mean(axis=1)
    for samples in (read_audio(path)[0], read_audio(path.read_bytes())[0]):
        np.testing.assert_allclose(samples, at_once[: len(samples)], atol=1e-6)
        assert len(samples) == 200_000
    np.testing.assert_allclose(np.concatenate([block for block, _ in stream_audio(path)]), samples, atol=1e-6)


def test_channels_of_an_m4a_that_cancel_each_other_are_heard(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="the m4a extra is not installed")
    left = sweep(48000)
    for name, right in (("apart", -left), ("alike", left)):
        with av.open(str(tmp_path / f"{name}.m4a"), "w", format="ipod") as file:
            stream = file.add_stream("aac", rate=48000, layout="stereo")
            frame = av.AudioFrame.from_ndarray(np.stack([left, right]), format="fltp", layout="stereo")
            frame.sample_rate = 48000
            file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
        samples, _ = read_audio(tmp_path / f"{name}.m4a")
        power = np.mean(samples[4800:-4800] ** 2) / np.mean(left[4800:-4800] ** 2)
        assert 0.8 < power < 1.2, name


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_longer_than_a_block_is_whole(tmp_path: Path, suffix: str) -> None:
    length = 3 * BLOCK_FRAMES + 1
    write_audio(tmp_path / f"long{suffix}", sweep(16000, length / 16000), 16000)
    assert abs(len(read_audio(tmp_path / f"long{suffix}")[0]) - length) <= 1


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_every_16_bit_value_comes_back_bit_for_bit(tmp_path: Path, suffix: str) -> None:
    values = np.arange(-32768, 32768).astype(np.int16)
    np.testing.assert_array_equal(as_pcm16(values / np.float32(32768)), values)
    np.testing.assert_array_equal(as_pcm16(np.array([-1.5, 1.0, 1.5])), [-32768, 32767, 32767])
    write_audio(tmp_path / f"all{suffix}", read_audio((values, 16000))[0], 16000)
    read, _ = soundfile.read(tmp_path / f"all{suffix}", dtype="int16")
    np.testing.assert_array_equal(read, values)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_passes_full_scale_is_limited_and_never_wraps(tmp_path: Path, suffix: str) -> None:
    loud = 3 * sweep(48000)
    write_audio(tmp_path / f"loud{suffix}", loud, 48000)
    samples, _ = read_audio(tmp_path / f"loud{suffix}")
    inner = slice(4800, -4800)
    assert samples[inner][loud[inner] > 1.2].min() > 0.5
    assert samples[inner][loud[inner] < -1.2].max() < -0.5


@pytest.mark.parametrize("form", ["WAV", "WAVEX", "FLAC", "AIFF", "AU", "CAF", "W64", "RF64"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_other_containers_are_read(form: str, subtype: str) -> None:
    samples, rate = read_audio(encoded(sweep(16000), form=form, subtype=subtype))
    assert rate == 16000
    np.testing.assert_allclose(samples, sweep(16000), atol=5e-5)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM"])
def test_other_wav_encodings_are_read(subtype: str) -> None:
    samples, _ = read_audio(encoded(sweep(16000), subtype=subtype))
    np.testing.assert_allclose(samples[1600:16000], sweep(16000)[1600:], atol=0.05)  # ADPCM starts from small steps


@pytest.mark.parametrize("path_type", [str, Path])
def test_paths_of_both_kinds_and_any_name(tmp_path: Path, path_type: type) -> None:
    path = path_type(tmp_path / "a näme, with spaces.txt")
    Path(path).write_bytes(encoded(sweep(16000)))
    assert len(read_audio(path)[0]) == 16000


@pytest.mark.skipif(not CLIPS, reason="the clips are not here")
@pytest.mark.parametrize("clip", CLIPS, ids=lambda path: path.name)
def test_real_clips(clip: Path) -> None:
    samples, rate = read_audio(clip)
    expected, expected_rate = soundfile.read(clip, dtype="float32", always_2d=True)
    assert rate == expected_rate
    np.testing.assert_allclose(samples, expected.mean(axis=1), atol=1e-6)


MONO = sweep(16000)
STEREO = np.stack([MONO, 0.5 * MONO], axis=1)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (MONO, MONO),
        (MONO.astype(np.float64), MONO),
        (STEREO, 0.75 * MONO),
        (STEREO.T, 0.75 * MONO),
        (MONO[:, None], MONO),
        (MONO[None], MONO),
        (np.rint(MONO * 32768).astype(np.int16), MONO),
        (np.rint(STEREO * 2.0**31).astype(np.int32), 0.75 * MONO),
        (torch.from_numpy(MONO), MONO),
        (torch.from_numpy(STEREO.T.copy()).requires_grad_(), 0.75 * MONO),
        (torch.from_numpy(np.rint(MONO * 32768).astype(np.int16)), MONO),
        (torch.from_numpy(MONO).to(torch.bfloat16), MONO),
    ],
)
def test_arrays_and_tensors(samples: Any, expected: np.ndarray) -> None:
    read, rate = read_audio((samples, np.int64(16000)))
    assert rate == 16000
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, expected, atol=2e-3 if getattr(samples, "dtype", None) == torch.bfloat16 else 2e-5)


def test_the_callers_array_is_left_alone() -> None:
    samples = MONO.copy()
    read_audio((samples, 16000))[0][:] = 0
    np.testing.assert_array_equal(samples, MONO)


def with_value(value: float) -> np.ndarray:
    samples = MONO.copy()
    samples[123] = value
    return samples


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "empty .* audio file is needed"),
        (b"hello, this is text " * 100, "not audio .*WAV, FLAC, MP3"),
        (np.random.default_rng(0).bytes(9000), "not audio"),
        (bytes(9000), "not audio"),
        (encoded(MONO, 1000), "sample rate 1000; .*4000 to 384000"),
        (encoded(MONO[:0]), "no samples"),
        (encoded(with_value(np.nan), subtype="FLOAT"), "1 samples that are NaN .*index 123"),
        (encoded(with_value(np.inf), subtype="DOUBLE"), "infinite, the first at index 123"),
        (encoded(np.stack([with_value(np.inf), with_value(-np.inf)], 1), subtype="FLOAT"), "NaN .*index 123"),
        (encoded(32768 * MONO, subtype="FLOAT"), r"scaled to \[-1, 1\]"),
        ((with_value(np.nan), 16000), "index 123"),
        ((with_value(-np.inf), 16000), "index 123"),
        ((with_value(32768.0), 16000), r"reaches 32768; .*scaled to \[-1, 1\]"),
        ((MONO[:0], 16000), "length zero"),
        ((np.zeros((0, 2)), 16000), "length zero"),
        ((MONO, 3999), "3999"),
        ((MONO, 384001), "384001"),
        ((MONO, 22050.5), "22050.5"),
        ((MONO, "16000"), "'16000'"),
        ((MONO, True), "True"),
        ((16000, MONO), "array of samples is needed"),
        ((MONO,), "tuple of 1"),
        ((np.zeros((9, 100)), 16000), r"\(9, 100\) is not audio"),
        ((np.zeros((2, 3, 4)), 16000), r"\(2, 3, 4\)"),
        ((np.zeros(100, dtype=np.int64), 16000), "int64; .*int16 or int32"),
        ((np.zeros(100, dtype=np.complex64), 16000), "complex64"),
        ((["a"], 16000), "type list"),
        (12, "from int"),
        (("a.wav", Path("b.wav")), "give several files as a list"),
        (io.BytesIO(b"RIFF"), "from BytesIO.*give its bytes"),
        ("https://example.com/a.wav", "https://example.com/a.wav is an address: download it"),
    ],
)
def test_what_is_not_audio_is_refused(source: Any, words: str) -> None:
    with pytest.raises(AudioError, match=words):
        read_audio(source)


def test_paths_without_audio_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"absent\.wav: no such file"):
        read_audio(tmp_path / "absent.wav")
    with pytest.raises(AudioError, match="is a folder"):
        read_audio(str(tmp_path))
    (tmp_path / "empty.wav").touch()
    with pytest.raises(AudioError, match=r"empty\.wav is empty"):
        read_audio(tmp_path / "empty.wav")
    (tmp_path / "pcm.raw").write_bytes(bytes(1000))
    with pytest.raises(AudioError, match="no header"):
        read_audio(tmp_path / "pcm.raw")


@pytest.mark.parametrize(
    ("form", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "IMA_ADPCM"), ("WAVEX", "PCM_24"), ("AIFF", "PCM_16"),
     ("FLAC", "PCM_16"), ("MP3", None), ("OGG", "VORBIS"), ("OGG", "OPUS")],
)  # fmt: skip
@pytest.mark.parametrize("kept", [0.9, 0.5, 0.1, 0.01])
def test_a_file_cut_short_is_refused(tmp_path: Path, form: str, subtype: str | None, kept: float) -> None:
    whole = encoded(sweep(16000, 3.0), form=form, subtype=subtype)
    assert len(read_audio(whole)[0]) >= 3 * 16000
    cut = whole[: int(kept * len(whole))]
    (tmp_path / "cut").write_bytes(cut)
    for source in (cut, tmp_path / "cut"):
        with pytest.raises(AudioError, match="cut short"):
            read_audio(source)


@pytest.mark.parametrize(("more", "refused"), [(2, False), (10, True)])
def test_an_mp3_may_count_some_frames_too_many(more: int, refused: bool, tmp_path: Path) -> None:
    # As some of Common Voice's clips do; a file that lacks more is another thing.
    path = tmp_path / "clip.mp3"
    write_audio(path, MONO, 16000)
    data = bytearray(path.read_bytes())
    at = max(data.find(b"Xing"), data.find(b"Info"))
    assert at > 0
    assert data[at + 7] & 1  # the count is there
    data[at + 8 : at + 12] = (int.from_bytes(data[at + 8 : at + 12]) + more).to_bytes(4)
    path.write_bytes(data)
    if refused:
        with pytest.raises(AudioError, match="cut short"):
            read_audio(path)
    else:
        assert len(read_audio(path)[0]) >= len(MONO) - 1152


def test_a_wav_without_its_last_byte_is_refused() -> None:
    with pytest.raises(AudioError, match=r"promises 16000 samples \(1.00 s\) and 15999 "):
        read_audio(encoded(MONO)[:-1])


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF - 36])
def test_a_wav_recorded_into_a_pipe_is_read(size: int) -> None:
    wav = bytearray(encoded(MONO))
    at = wav.index(b"data") + 4
    wav[at : at + 4] = wav[4:8] = struct.pack("<I", size)
    assert len(read_audio(bytes(wav))[0]) == 16000


def test_a_flac_without_its_length_says_so() -> None:
    flac = bytearray(encoded(MONO, form="FLAC"))
    flac[21] &= 0xF0  # the 36 bits of STREAMINFO that count the samples
    flac[22:26] = bytes(4)
    with pytest.raises(AudioError, match="does not tell its length"):
        read_audio(bytes(flac))


@pytest.mark.parametrize(
    ("name", "samples", "sample_rate", "words"),
    [
        ("a.aac", MONO, 16000, r"unknown suffix '.aac'; one of .wav, .flac, .mp3, .ogg, .opus, .m4a"),
        ("a", MONO, 16000, "unknown suffix ''"),
        ("absent/a.wav", MONO, 16000, "does not exist"),
        ("folder.wav", MONO, 16000, "is a folder"),
        ("a.wav", with_value(np.nan), 16000, "NaN"),
        ("a.wav", MONO[:0], 16000, "length zero"),
        ("a.wav", MONO, 100, "sample rate 100"),
        ("a.wav", np.zeros(100, dtype=np.int16), 16000, "int16"),
        ("a.wav", STEREO.T, 16000, r"\(S, C\) is needed"),
        ("a.mp3", np.zeros((1000, 6), dtype=np.float32), 16000, "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(
    tmp_path: Path, name: str, samples: np.ndarray, sample_rate: int, words: str
) -> None:
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(AudioError, match=words):
        write_audio(tmp_path / name, samples, sample_rate)
    assert [path.name for path in tmp_path.rglob("*")] == ["folder.wav"]


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_halfway_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    write_audio(tmp_path / "a.wav", MONO, 16000)
    before = (tmp_path / "a.wav").read_bytes()

    def fail(self: soundfile.SoundFile, data: np.ndarray) -> None:
        raise failure

    monkeypatch.setattr(soundfile.SoundFile, "write", fail)
    with pytest.raises(AudioError if isinstance(failure, OSError) else KeyboardInterrupt):
        write_audio(tmp_path / "a.wav", 0.5 * MONO, 16000)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    assert (tmp_path / "a.wav").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(9000),
            r"is MP4/M4A .*WAV, FLAC, MP3.*voxclone\[m4a\].* ffmpeg",
        ),
        (b"\xff\xf1\x50\x80" + bytes(9000), "is AAC.* ffmpeg"),
    ],
)
def test_without_the_extra_other_formats_are_named(content: bytes, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxclone.audio.io.can_read", lambda: False)
    with pytest.raises(AudioError, match=words):
        read_audio(content)


def test_with_the_extra_an_m4a_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="the m4a extra is not installed")
    written = sweep(16000, 2.0)
    write_audio(tmp_path / "memo.m4a", written, 16000)
    (tmp_path / "memo.wav").write_bytes((tmp_path / "memo.m4a").read_bytes())
    for source in (tmp_path / "memo.m4a", tmp_path / "memo.wav", (tmp_path / "memo.m4a").read_bytes()):
        samples, rate = read_audio(source)
        assert rate == 16000 and abs(len(samples) - len(written)) <= 4096
        assert 0.9 < np.std(samples) / np.std(written) < 1.1
    with pytest.raises(AudioError, match=r"cannot be decoded \(.*\); a complete file is needed"):
        read_audio(b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(9000))


def write_film(path: Path, codec: str | None, seconds: float = 3.0) -> bytes:
    """Grey pictures, and beside them a sweep as an audio codec has it; without one, no sound."""
    av = pytest.importorskip("av", reason="the m4a extra is not installed")
    with av.open(str(path), "w") as film:
        pictures = film.add_stream("mpeg4", rate=10, width=64, height=48, pix_fmt="yuv420p")
        sound = film.add_stream(codec, rate=48000, layout="mono") if codec else None
        for number in range(round(10 * seconds)):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 128, np.uint8), format="rgb24")
            picture.pts = number
            film.mux(pictures.encode(picture))
        film.mux(pictures.encode(None))
        if sound is not None:
            form = sound.codec_context.format.name
            samples = av.AudioFrame.from_ndarray(sweep(48000, seconds)[None], format="fltp", layout="mono")
            samples.sample_rate, samples.pts = 48000, 0
            size = sound.codec_context.frame_size or 960
            resampler = av.AudioResampler(format=form, layout="mono", rate=48000, frame_size=size)
            for part in (*resampler.resample(samples), *resampler.resample(None)):
                film.mux(sound.encode(part))
            film.mux(sound.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.mov", "a.avi"])
def test_the_sound_of_a_film_is_read(name: str, tmp_path: Path) -> None:
    write_film(tmp_path / name, "libopus" if name == "a.mkv" else "aac")
    samples, rate = read_audio(tmp_path / name)
    assert rate == 48000 and abs(len(samples) / rate - 3.0) < 0.1
    assert 0.9 < np.std(samples) / np.std(sweep(48000, 3.0)) < 1.1


@pytest.mark.parametrize(
    ("name", "form", "codec"), [("a.flv", "flv", "aac"), ("a.mpg", "mpeg", "mp2"), ("a.wv", "wv", "wavpack")]
)
def test_rarer_containers_are_known_by_their_first_bytes(name: str, form: str, codec: str, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="the m4a extra is not installed")
    with av.open(str(tmp_path / name), "w", format=form) as file:
        stream = file.add_stream(codec, rate=44100, layout="mono")
        sound = av.AudioFrame.from_ndarray(sweep(44100, 3.0)[None], format="fltp", layout="mono")
        sound.sample_rate, sound.pts = 44100, 0
        to_codec = av.AudioResampler(stream.codec_context.format.name, "mono", 44100, stream.codec_context.frame_size)
        for part in (*to_codec.resample(sound), *to_codec.resample(None)):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    assert audio_files(tmp_path) == [tmp_path / name]
    samples, rate = read_audio((tmp_path / name).read_bytes())
    assert rate == 44100 and abs(len(samples) / rate - 3.0) < 0.1
    assert 0.9 < np.std(samples) / np.std(sweep(44100, 3.0)) < 1.1


def test_a_film_that_is_cut_short_or_silent_is_refused(tmp_path: Path) -> None:
    whole = write_film(tmp_path / "a.mkv", "libopus")
    for cut in (whole[: len(whole) // 2], whole[: len(whole) // 2] + bytes(len(whole) // 2)):
        (tmp_path / "cut.mkv").write_bytes(cut)
        with pytest.raises(AudioError, match=r"cut\.mkv is cut short: its header promises 3\.\d+ s and \d\.\d+ s are"):
            read_audio(tmp_path / "cut.mkv")
    write_film(tmp_path / "silent.mp4", None)
    with pytest.raises(AudioError, match=r"silent\.mp4 has no sound: it is .* with no audio track"):
        read_audio(tmp_path / "silent.mp4")


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".m4a"])
def test_a_full_disk_is_told_and_leaves_what_was_there(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource", reason="not on Windows")
    if suffix == ".m4a":
        pytest.importorskip("av", reason="the m4a extra is not installed")
    target = tmp_path / f"a{suffix}"
    write_audio(target, MONO, 16000)
    before = target.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    noise = np.random.default_rng(0).normal(0, 0.1, 160_000).astype(np.float32)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit[1]))
        with pytest.raises(AudioError, match="cannot be written: the disk is full"):
            write_audio(target, noise, 16000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert [(path, path.read_bytes()) for path in tmp_path.iterdir()] == [(target, before)]


def test_the_audio_of_a_folder_is_found_by_its_names(tmp_path: Path) -> None:
    folder = tmp_path / ".recordings"  # only what is hidden within the folder is left out
    found = ["ada/a.M4A", "ada/more/b.aiff", "ada/z.mov", "b.wav", "c.opus"]
    for name in (*found, "._b.wav", ".trash/d.wav", "notes.txt", "ada/a.lab", "c.raw"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "takes.wav").mkdir()
    assert audio_files(folder) == [folder / name for name in found]
    with pytest.raises(AudioError, match=r"gone: no such folder"):
        audio_files(tmp_path / "gone")
    with pytest.raises(AudioError, match=r"b\.wav is a file; a folder is needed"):
        audio_files(folder / "b.wav")


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".m4a"])
def test_every_written_format_is_found_in_a_folder(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"a{suffix}").touch()
    assert len(audio_files(tmp_path)) == 1


def test_an_m4a_is_read_in_blocks_as_at_once(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="the m4a extra is not installed")
    path = tmp_path / "a.m4a"
    write_audio(path, sweep(44100, 6.0), 44100)
    blocks, rates = zip(*stream_audio(path), strict=True)
    assert set(rates) == {44100} and len(blocks) == 5
    assert all(BLOCK_FRAMES <= len(block) < BLOCK_FRAMES + 4096 for block in blocks[:-1])
    assert np.array_equal(np.concatenate(blocks), read_audio(path)[0])
    assert all(block.dtype == np.float32 for block in blocks)


def test_a_film_whose_first_bytes_do_not_tell_is_known_by_its_name(tmp_path: Path) -> None:
    content = write_film(tmp_path / "a.mov", "aac").replace(b"ftyp", b"free", 1)  # as older QuickTime begins
    (tmp_path / "a.mov").write_bytes(content)
    assert read_audio(tmp_path / "a.mov")[1] == 48000
    with pytest.raises(AudioError, match="is not audio that this machine reads"):
        read_audio(content)


@pytest.mark.parametrize("read", [read_audio, lambda path: list(stream_audio(path))])
@pytest.mark.parametrize("address", ["https://example.org/a.wav", "HTTP://example.org/a.wav", "s3://bucket/a.wav"])
def test_an_address_is_no_path(read: Callable[[str], object], address: str) -> None:
    with pytest.raises(AudioError, match=f"{address} is an address: download it first, and give the file's path"):
        read(address)


@pytest.mark.parametrize("name", ["", "a\0b.wav"])
def test_what_is_no_path_is_told(name: str) -> None:
    with pytest.raises(AudioError, match="is no path; an audio file's is needed"):
        read_audio(name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_streamed_and_not_read_at_once(tmp_path: Path) -> None:
    pipe, written = tmp_path / "pipe", sweep(16000)
    os.mkfifo(pipe)

    def put() -> None:
        threading.Thread(target=pipe.write_bytes, args=(encoded(written),)).start()

    put()
    ((samples, rate),) = stream_audio(pipe)
    assert rate == 16000 and np.allclose(samples, written, atol=1e-4)
    put()
    with pytest.raises(AudioError, match="pipe is a pipe, which can be read once; a file is needed, or its bytes"):
        read_audio(pipe)
