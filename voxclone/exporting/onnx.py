"""A model as two ONNX files, acoustic model and vocoder, of any length, with what is needed to run them beside."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from voxclone import hub
from voxclone.config import ModelConfig
from voxclone.errors import ModelError
from voxclone.exporting.acoustic import ExportableAcoustic
from voxclone.exporting.vocoders import exportable
from voxclone.files import require_folder
from voxclone.models.acoustic import AcousticModel
from voxclone.models.acoustic.manner import MANNER_DIMS
from voxclone.models.vocoder import build_vocoder
from voxclone.synthesis.loading import read_fitting_config
from voxclone.text.symbols import SYMBOLS

OPSET = 17
ACOUSTIC_FILE, VOCODER_FILE, ABOUT_FILE = "acoustic.onnx", "vocoder.onnx", "voxclone.json"
ACOUSTIC_INPUTS = ("phoneme_ids", "speaker_embedding", "f0_median", "spectrum", "manner", "speed")
ACOUSTIC_OUTPUTS = ("mel", "f0", "durations")


def export_onnx(source: str | os.PathLike[str] | None, out: str | os.PathLike[str], **where: Any) -> ExportedModel:
    """Write acoustic.onnx, vocoder.onnx and voxclone.json (symbols, rates, sizes) to a folder.

    The vocoder's weights are the model's own, so that a mark which they make stays in what the exported one says; but
    nothing checks it there, and provenance, consent and text are left to whoever runs it. Fine-tuned voices are not
    spoken: their changes belong to the acoustic model that stays behind.

    Args:
        source: As for `VoxClone.from_pretrained`.
        out: The folder; it is made, and files of these names are replaced.
        where: revision, cache_dir, token, local_files_only, as for `VoxClone.from_pretrained`.

    Raises:
        ModelError: There is no such model, it is of other phoneme symbols than this voxclone's, its vocoder has no form
            that ONNX can hold, onnx is not installed, or `out` is a file or not writable.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise ModelError("export needs onnx: pip install 'voxclone[onnx]'") from error
    out = Path(out)
    require_folder(out, ModelError)
    folder = hub.resolve(source, **where)
    hub.check_integrity(folder)
    config = read_fitting_config(folder)
    acoustic = hub.build(lambda: AcousticModel(config.acoustic), folder / "acoustic.safetensors")
    vocoder = hub.build(lambda: build_vocoder(config.vocoder), folder / "vocoder.safetensors")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".export.") as scratch:
        staged = Path(scratch)
        _export_acoustic(acoustic.eval(), config, staged / ACOUSTIC_FILE)
        export_vocoder(vocoder.eval(), staged / VOCODER_FILE, config.audio.n_mels)
        (staged / ABOUT_FILE).write_text(json.dumps(_about(config), indent=2, ensure_ascii=False) + "\n", "utf-8")
        for name in (ACOUSTIC_FILE, VOCODER_FILE, ABOUT_FILE):
            os.replace(staged / name, out / name)
    return ExportedModel(out)


@dataclass(frozen=True)
class ExportedModel:
    """A folder that `export_onnx` wrote.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    def run(
        self,
        phoneme_ids: NDArray[np.int64],
        embedding: Any,
        f0_median: float,
        spectrum: Any,
        speed: float = 1.0,
        manner: Any = (0.0, 0.0),
    ) -> NDArray[np.float32]:
        """Speak with onnxruntime, as any program can: (N,) ids to (S,) samples.

        `manner` (2,) is pace and liveliness as `voxclone.models.acoustic.manner` has them; models that are not told of
        it have no such input.

        Raises:
            ModelError: onnxruntime is not installed.
        """
        session = _session(self.folder / ACOUSTIC_FILE)
        given = {
            "phoneme_ids": np.asarray(phoneme_ids, np.int64)[None],
            "speaker_embedding": np.asarray(embedding, np.float32)[None],
            "f0_median": np.array([f0_median], np.float32),
            "spectrum": np.asarray(spectrum, np.float32)[None],
            "manner": np.asarray(manner, np.float32)[None],
            "speed": np.array([speed], np.float32),
        }
        mel, f0, _ = session.run(list(ACOUSTIC_OUTPUTS), {each.name: given[each.name] for each in session.get_inputs()})
        return self.vocode(mel, f0)

    def vocode(self, mel: NDArray[np.float32], f0: NDArray[np.float32]) -> NDArray[np.float32]:
        """(1, n_mels, T) and (1, T) to (S,) samples."""
        session = _session(self.folder / VOCODER_FILE)
        given = {"mel": mel, "f0": f0}
        wanted = {entry.name: given[entry.name] for entry in session.get_inputs()}  # HiFi-GAN reads no f0
        samples: NDArray[np.float32] = session.run(["samples"], wanted)[0][0]
        return samples


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError("running ONNX files needs onnxruntime: pip install onnxruntime") from error
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def _export_acoustic(acoustic: AcousticModel, config: ModelConfig, path: Path) -> None:
    phonemes, size = 12, config.acoustic
    inputs = (
        torch.arange(1, phonemes + 1)[None] % size.n_symbols,
        torch.nn.functional.normalize(torch.ones(1, size.speaker_embedding_dim), dim=1),
        torch.tensor([150.0]),
        torch.full((1, size.n_mels), -5.0),
        torch.zeros(1, MANNER_DIMS),
        torch.tensor([1.0]),
    )
    axes = {
        "phoneme_ids": {1: "phonemes"},
        "mel": {2: "frames"},
        "f0": {1: "frames"},
        "durations": {1: "phonemes"},
    }
    _trace(ExportableAcoustic(acoustic), inputs, path, ACOUSTIC_INPUTS, ACOUSTIC_OUTPUTS, axes)


def export_vocoder(vocoder: nn.Module, path: Path, n_mels: int) -> None:
    """Write the vocoder alone: "mel" (1, n_mels, T) and "f0" (1, T), where it reads one, to "samples" (1, S)."""
    frames = 16
    f0 = torch.full((1, frames), 150.0)
    f0[:, :3] = 0
    inputs = (torch.full((1, n_mels, frames), -5.0), f0)
    axes = {"mel": {2: "frames"}, "f0": {1: "frames"}, "samples": {1: "samples"}}
    _trace(exportable(vocoder), inputs, path, ("mel", "f0"), ("samples",), axes)


def _trace(
    module: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    path: Path,
    names: tuple[str, ...],
    outputs: tuple[str, ...],
    axes: dict[str, dict[int, str]],
) -> None:
    """Export by tracing: the number of frames comes out of the durations, which torch.export would have to be told."""
    from torch.onnx import register_custom_op_symbolic, unregister_custom_op_symbolic  # type: ignore[attr-defined]

    register_custom_op_symbolic("aten::exp2", _exp2, OPSET)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of what a trace takes for constant; the parity test is over other lengths
            torch.onnx.export(
                module.eval(),
                inputs,
                str(path),
                input_names=list(names),
                output_names=list(outputs),
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
    finally:
        unregister_custom_op_symbolic("aten::exp2", OPSET)


def _exp2(graph: Any, x: Any) -> Any:
    """2 to the power of x, which ONNX has no operator for."""
    return graph.op("Pow", graph.op("Constant", value_t=torch.tensor(2.0)), x)


def _about(config: ModelConfig) -> dict[str, Any]:
    return {
        "model": config.name,
        "language": config.text.language,
        "sample_rate": config.audio.sample_rate,
        "hop_length": config.audio.hop_length,
        "n_mels": config.audio.n_mels,
        "speaker_embedding_dim": config.acoustic.speaker_embedding_dim,
        "marked": config.watermark is not None,
        "opset": OPSET,
        "symbols": list(SYMBOLS),
    }
