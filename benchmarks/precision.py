"""What the vocoder's bfloat16 does to the sound: copies of recordings in bfloat16 beside the same in float32.

    python benchmarks/precision.py --clips FOLDER

PESQ (wide band, 1 to 4.64) of bfloat16 against float32, and of both against the recording; the log-spectral distance
(RMS over frequency of the dB difference, mean over frames, bins down to 60 dB below the loudest); the f0 of both.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pesq import pesq

from environment import write_result
from voxclone import hub
from voxclone.audio.io import audio_files, read_audio
from voxclone.audio.mel import MelSpectrogram
from voxclone.audio.pitch import f0
from voxclone.audio.resample import resample
from voxclone.models.vocoder import build_vocoder

Samples = NDArray[np.float32]
PESQ_RATE = 16000  # Hz
FLOOR_DB = 60.0  # below the loudest bin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="folder of recordings")
    parser.add_argument("--limit", type=int, default=12, help="recordings, spread evenly over the folder")
    parser.add_argument("--model", help="folder; the bundled model if left out")
    args = parser.parse_args()
    paths = audio_files(args.clips)
    rows = compare(hub.resolve(args.model), paths[:: max(1, len(paths) // args.limit)][: args.limit])
    summary: dict[str, Any] = {name: round(mean(row[name] for row in rows), 4) for name in rows[0]}
    summary["pesq_bfloat16_to_float32_worst"] = round(min(row["pesq_bfloat16_to_float32"] for row in rows), 4)
    summary["f0_cents_worst"] = round(max(row["f0_cents"] for row in rows), 4)
    for name, value in summary.items():
        print(f"{name:40s} {value}")
    print(write_result("precision", {"clips": len(rows), **summary}))


@torch.inference_mode()
def compare(folder: Path, paths: list[Path]) -> list[dict[str, float]]:
    """One row of measures for each recording."""
    config = hub.read_config(folder)
    rate, hop = config.audio.sample_rate, config.audio.hop_length
    vocoder = build_vocoder(config.vocoder).eval()
    hub.load_weights(vocoder, folder / "vocoder.safetensors")
    mel_spectrogram = MelSpectrogram(config.audio)
    rows = []
    for path in paths:
        natural = resample(*_read(path), rate)[: 8 * rate]
        natural = natural[: len(natural) // hop * hop]
        mel, pitch = mel_spectrogram(torch.from_numpy(natural)[None]), torch.from_numpy(f0(natural, rate, hop))[None]
        made = {}
        for precision in (torch.float32, torch.bfloat16):
            vocoder.precision = precision  # type: ignore[assignment]
            made[precision] = vocoder(mel, pitch)[0].float().numpy()
        plain, short = made[torch.float32], made[torch.bfloat16]
        tracks = f0(plain, rate, hop), f0(short, rate, hop)
        voiced = (tracks[0] > 0) & (tracks[1] > 0)
        rows.append(
            {
                "pesq_bfloat16_to_float32": _pesq(plain, short, rate),
                "pesq_float32_to_recording": _pesq(natural, plain, rate),
                "pesq_bfloat16_to_recording": _pesq(natural, short, rate),
                "log_spectral_distance_db": _log_spectral_distance(plain, short),
                "log_spectral_distance_float32_to_recording_db": _log_spectral_distance(natural, plain),
                "f0_cents": float(np.abs(1200 * np.log2(tracks[0][voiced] / tracks[1][voiced])).mean()),
                "voicing_changed": float(((tracks[0] > 0) != (tracks[1] > 0)).mean()),
                "snr_db": float(10 * np.log10(np.square(plain).sum() / np.square(plain - short).sum())),
            }
        )
    return rows


def _read(path: Path) -> tuple[Samples, int]:
    samples, rate = read_audio(path)
    return np.asarray(samples.mean(1) if samples.ndim == 2 else samples, np.float32), rate


def _pesq(reference: Samples, other: Samples, rate: int) -> float:
    return float(pesq(PESQ_RATE, resample(reference, rate, PESQ_RATE), resample(other, rate, PESQ_RATE), "wb"))


def _log_spectral_distance(one: Samples, other: Samples) -> float:
    window = torch.hann_window(1024)
    power = [
        torch.stft(torch.from_numpy(each), 1024, 256, window=window, return_complex=True).abs().square()
        for each in (one, other)
    ]
    decibels = [10 * torch.log10(each.clamp(min=float(power[0].max()) * 10 ** (-FLOOR_DB / 10))) for each in power]
    return float((decibels[0] - decibels[1]).square().mean(0).sqrt().mean())


if __name__ == "__main__":
    main()
