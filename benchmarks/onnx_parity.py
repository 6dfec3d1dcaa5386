"""How far a model's ONNX export is from the model: samples of the same phonemes and voice, from text to waveform.

    python benchmarks/onnx_parity.py

The model computes in float32; onnxruntime runs the exported acoustic model and vocoder one after the other.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from typing import Any

import numpy as np
import torch

import voxclone
from environment import write_result
from voxclone.exporting import export_onnx
from voxclone.models.acoustic.manner import manner
from voxclone.text.phonemes import phonemize
from voxclone.text.symbols import symbol_ids

TEXTS = ("Yes.", "The kettle is on the stove.", "The birch canoe slid on the smooth planks, and nobody saw it.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder; the bundled one if left out")
    parser.add_argument("--name", default="onnx", help="of the result file")
    args = parser.parse_args()

    model = voxclone.VoxClone.from_pretrained(args.model, device="cpu", dtype=torch.float32)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        exported = export_onnx(args.model, folder)
        sizes = {name: os.path.getsize(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}
        for name, voice in model.voices.items():
            for text in TEXTS:
                symbols = phonemize(text, model.config.text.language).symbols
                expected = model.generate(text, voice).samples
                ids = np.array(symbol_ids(symbols))
                told = manner(voice.phoneme_seconds, voice.f0_spread).numpy()
                found = exported.run(ids, voice.speaker_embedding, voice.f0_median, voice.spectrum, manner=told)
                found = found / max(1.0, float(np.abs(found).max()))
                worst = float(np.abs(found - expected).max()) if len(found) == len(expected) else None
                rms = float(np.sqrt(np.mean(np.square(found - expected)))) if worst is not None else None
                level = float(np.sqrt(np.mean(np.square(expected))))
                about = {"voice": name, "text": text, "samples": len(expected), "exported_samples": len(found)}
                rows.append(about | {"worst_difference": worst, "rms_difference": rms, "rms_of_speech": level})
    print(write_result(args.name, {"model": model.config.name, "bytes": sizes, "utterances": rows}))


if __name__ == "__main__":
    main()
