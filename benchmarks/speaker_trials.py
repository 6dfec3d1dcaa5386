"""Trials of a speaker encoder that stay the same: which stretches of which recordings, through which channels.

`benchmarks/trials/` holds the lists. Run as a script, this writes them anew from all whole speakers of the manifest's
split `valid`; results before and after that are not to be compared.
"""

from __future__ import annotations

import argparse
import csv
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from manifest import manifest_rows
from voxclone.audio.io import read_audio
from voxclone.audio.loudness import level, sound_bounds
from voxclone.audio.resample import resample
from voxclone.training import distortions
from voxclone.training.augmentation import simulate_rooms
from voxclone.training.channel import codec_at

Waveform = NDArray[np.float32]
Row = dict[str, str]

FOLDER = Path(__file__).with_name("trials")
SAMPLE_RATE = 16000  # Hz
SEGMENT_SECONDS = 10.0
WHOLE_SECONDS = 5.0  # of a segment that come from one recording, where the speaker has one so long
SEGMENTS = 12  # of each speaker at most
CHANNELS, STEP = 12, 4  # a segment goes through every STEP-th channel: three of them
ROOMS = 8
NOISES = (
    "esc10/002 - Rain/5-181766-A.ogg",
    "esc10/003 - Sea waves/5-200461-A.ogg",
    "esc10/007 - Helicopter/5-177957-A.ogg",
    "esc10/010 - Fire crackling/5-189212-A.ogg",
    "puri/bgnoise/doing_the_dishes.wav",
    "puri/bgnoise/pink_noise.wav",
)  # and two babbles of training speakers
SNRS = (20, 10, 5)  # dB


class Side(NamedTuple):
    """One side of a trial: the first seconds of segments, through a channel; several segments are averaged."""

    segments: tuple[str, ...]
    seconds: float = WHOLE_SECONDS
    channel: str = "clean"


class Pair(NamedTuple):
    """Two sides to be compared, by the numbers of their segments and channels."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    channels: tuple[int, int]


def read_rows(name: str) -> list[Row]:
    with (FOLDER / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def read_pairs() -> dict[str, list[Pair]]:
    """The pairs by the name of their list."""
    lists: dict[str, list[Pair]] = defaultdict(list)
    for row in read_rows("pairs"):
        left, right = (tuple(row[side].split("+")) for side in ("left", "right"))
        lists[row["list"]].append(Pair(left, right, (int(row["left_channel"]), int(row["right_channel"]))))
    return lists


class Renderer:
    """Makes what an encoder is to hear, at `SAMPLE_RATE` and -23 LUFS."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.segments = {row["segment"]: row for row in read_rows("segments")}
        self.channels = {row["channel"]: row for row in read_rows("channels")}
        self.rooms = simulate_rooms(ROOMS, SAMPLE_RATE, seed=20)
        self.noise = lru_cache(maxsize=None)(self._noise)

    def __call__(self, segment: str, seconds: float, channel: str) -> Waveform:
        """(S,) of a segment's first seconds."""
        parts = [part.rpartition("@") for part in self.segments[segment]["parts"].split("|")]
        joined = np.concatenate([self._stretch(path, span) for path, _, span in parts])[: round(seconds * SAMPLE_RATE)]
        return level(self._through(torch.from_numpy(joined), self.channels[channel]).numpy(), SAMPLE_RATE)

    def _stretch(self, path: str, span: str) -> Waveform:
        start, seconds = map(float, span.split("+"))
        return self._recording(path)[round(start * SAMPLE_RATE) :][: round(seconds * SAMPLE_RATE)]

    @lru_cache(maxsize=64)  # noqa: B019  # of a process that measures and ends
    def _recording(self, path: str) -> Waveform:
        samples, rate = read_audio(self.data / path)
        return level(resample(samples, rate, SAMPLE_RATE), SAMPLE_RATE)

    def _noise(self, paths: str) -> torch.Tensor:
        """Recordings, repeated to 20 s and equally strong, on top of each other."""
        sources = [torch.from_numpy(self._recording(path)) for path in paths.split("|")]
        longest = [distortions.fit_length(source, 20 * SAMPLE_RATE) for source in sources]
        return torch.stack(longest).sum(0)

    def _through(self, x: torch.Tensor, channel: Row) -> torch.Tensor:
        if channel["room"]:
            x = distortions.reverberate(x, self.rooms[int(channel["room"])], float(channel["wet"]))
        if channel["noise"]:
            start = round(float(channel["noise_start"]) * SAMPLE_RATE)
            noise = self.noise(channel["noise"])[start : start + len(x)]
            power = x.square().mean() / noise.square().mean()
            x = x + noise * (power * 10 ** (-float(channel["snr_db"]) / 10)).sqrt()
        if channel["gains_db"]:
            x = distortions.equalise(x, torch.tensor([float(gain) for gain in channel["gains_db"].split()]))
        if channel["high_hz"]:
            x = distortions.pass_band(x, SAMPLE_RATE, float(channel["low_hz"]), float(channel["high_hz"]))
        if channel["codec"]:
            codec = codec_at(channel["codec"], int(channel["bit_rate"]))
            x = torch.from_numpy(codec((0.5 / x.abs().max().clamp(min=1e-6) * x).numpy(), SAMPLE_RATE))
        return x


def make_segments(data: Path, rows: Sequence[Row]) -> Iterator[Row]:
    """Stretches of ten seconds; no recording is in two of them."""
    by_speaker: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_speaker[row["speaker"]].append(row)
    number = itertools.count()
    for speaker, own in sorted(by_speaker.items()):
        left = []
        for row in own:
            samples, rate = read_audio(data / row["path"])
            start, end = sound_bounds(samples, rate)
            left.append(((end - start) / rate - 0.01, start / rate, row["path"]))
        left.sort()
        gender = next((row["gender"][0] for row in own if row["gender"][:1] in ("m", "f")), "")
        for _ in range(SEGMENTS):
            if sum(seconds for seconds, *_ in left) < SEGMENT_SECONDS:
                break
            least = SEGMENT_SECONDS if left[-1][0] >= SEGMENT_SECONDS else WHOLE_SECONDS
            long = [each for each in left if each[0] >= least] or left[-1:]
            parts = [long[0]]
            left.remove(long[0])
            while sum(seconds for seconds, *_ in parts) < SEGMENT_SECONDS:
                parts.append(left.pop(0))
            shown = [f"{path}@{start:.2f}+{min(seconds, SEGMENT_SECONDS):.2f}" for seconds, start, path in parts]
            about = {"speaker": speaker, "gender": gender, "corpus": own[0]["corpus"], "parts": "|".join(shown)}
            yield {"segment": f"{next(number):03d}", **about}


def make_channels(rng: np.random.Generator, babble: Sequence[str]) -> Iterator[Row]:
    """None; twelve of room, noise, equaliser, band and codec; and noise alone at each level."""
    blank = dict.fromkeys("room wet gains_db low_hz high_hz codec bit_rate noise noise_start snr_db".split(), "")
    noises = [*NOISES, "|".join(babble[:4]), "|".join(babble[4:8])]
    yield {"channel": "clean", **blank}
    for number in range(CHANNELS):
        row = blank.copy()
        if number % 3 != 1:
            row |= {"room": str(number % ROOMS), "wet": f"{rng.uniform(0.4, 1):.2f}"}
        if number % 2:
            start, snr = f"{rng.uniform(0, 9):.2f}", f"{rng.uniform(12, 25):.1f}"
            row |= {"noise": noises[number % len(noises)], "noise_start": start, "snr_db": snr}
        if number % 4 != 3:
            row["gains_db"] = " ".join(f"{gain:.1f}" for gain in rng.uniform(-8, 8, 8))
        if number % 3 == 1:
            low, high = (300.0, 3400.0) if number % 2 else (rng.uniform(50, 200), rng.uniform(3500, 6500))
            row |= {"low_hz": f"{low:.0f}", "high_hz": f"{high:.0f}"}
        if number % 3 != 2:
            name, rates = (("mp3", (24000, 32000, 64000)), ("opus", (12000, 16000, 32000)))[number // 2 % 2]
            row |= {"codec": name, "bit_rate": str(rng.choice(rates))}
        yield {"channel": str(number), **row}
    for decibels, (number, noise) in itertools.product(SNRS, enumerate(noises)):
        about = {"noise": noise, "noise_start": f"{rng.uniform(0, 9):.2f}", "snr_db": str(decibels)}
        yield {"channel": f"snr{decibels}-{number}", **blank, **about}


def make_pairs(segments: Sequence[Row], rng: np.random.Generator) -> Iterator[Row]:
    """All pairs of one speaker, and as many of each two speakers; the right one's channel is another or the same."""
    own: dict[str, list[Row]] = defaultdict(list)
    for row in segments:
        own[row["speaker"]].append(row)
    options = {row["segment"]: {(n + k) % CHANNELS for k in range(0, CHANNELS, STEP)}
               for rows in own.values() for n, row in enumerate(rows)}  # fmt: skip

    def drawn(name: str, two: Sequence[tuple[Row, Row]], most: int, same: bool = False) -> Iterator[Row]:
        """So many of the pairs, in random order, that have channels as wanted."""
        found = 0
        for left, right in (two[n] for n in rng.permutation(len(two))):
            mine, theirs = options[left["segment"]], options[right["segment"]]
            choices = [(a, b) for a, b in itertools.product(sorted(mine), sorted(theirs)) if (a == b) == same]
            if choices and found < most:
                a, b = choices[rng.integers(len(choices))]
                yield dict(zip(COLUMNS, (name, left["segment"], right["segment"], str(a), str(b)), strict=True))
                found += 1

    for rows in own.values():
        yield from drawn("all", list(itertools.combinations(rows, 2)), len(rows) ** 2)
    for mine, theirs in itertools.combinations(own.values(), 2):
        yield from drawn("all", list(itertools.product(mine, theirs)), 60)
        if mine[0]["corpus"] == theirs[0]["corpus"]:
            yield from drawn("one channel", list(itertools.product(mine, theirs)), 36, same=True)

    def several(rows: Sequence[Row], count: int) -> list[Row]:
        return [rows[n] for n in rng.permutation(len(rows))[:count]]

    for speaker, rows in own.items():
        for _ in range(6):
            three = several(rows, 3)
            others = [row for row in rows if row not in three]
            others += [row for name in own if name != speaker for row in several(own[name], 4)]
            left = "+".join(row["segment"] for row in three)
            yield from (dict(zip(COLUMNS, ("enrolled", left, row["segment"], "0", "0"), strict=True)) for row in others)


COLUMNS = ("list", "left", "right", "left_channel", "right_channel")


def write_rows(name: str, rows: Sequence[Row]) -> None:
    with (FOLDER / f"{name}.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of manifest.tsv and its clips")
    args = parser.parse_args()
    rows = manifest_rows(args.data / "manifest.tsv")
    rng = np.random.default_rng(20)
    readers = {row["speaker"]: row["path"] for row in rows if row["corpus"] == "librispeech" and row["split"] == "train"
               and float(row["seconds"]) > 10}  # fmt: skip
    babble = [readers[name] for name in rng.permutation(sorted(readers))[:8]]
    segments = list(make_segments(args.data, [row for row in rows if row["split"] == "valid"]))
    FOLDER.mkdir(exist_ok=True)
    write_rows("segments", segments)
    write_rows("channels", list(make_channels(rng, babble)))
    write_rows("pairs", list(make_pairs(segments, rng)))


if __name__ == "__main__":
    main()
