"""Training the acoustic model: durations, prosody and mel of transcribed speech, in the voice of each utterance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from accelerate.utils import send_to_device
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from voxclone.audio.mel import voiced_spectrum
from voxclone.config import AcousticConfig
from voxclone.layers.masks import length_mask
from voxclone.models.acoustic import AcousticModel
from voxclone.models.acoustic.model import MEL_SPREAD
from voxclone.models.acoustic.pauses import with_heard_pauses
from voxclone.models.acoustic.variance import phoneme_prosody
from voxclone.training.calibration import VALUES, calibrate, spoken_values
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.manner import TYPICAL, Manner, mean_manner
from voxclone.training.plots import compare_mels
from voxclone.training.speech_data import fits_monotonic, pad_batch
from voxclone.training.trainer import Report, TrainingStep

LOSS_WEIGHTS = {
    "mel": 4.0, "duration": 0.5, "pitch": 0.3, "voiced_share": 0.5, "energy": 0.3, "f0": 1.0, "voicing": 0.3,
}  # fmt: skip
QUALITY_DIMS = 2
UNVOICED_F0_MEDIAN = 160.0  # Hz, for a speaker without any voiced frame


class VoicedSpeech(Dataset[dict[str, Any]]):
    """Aligned utterances with a voice: embedding and spectrum of the speaker's random recordings, median f0 over many.

    Args:
        store: Phonemes, mel, f0.
        durations: Durations of the aligner under the same keys.
        entries: Entries of `store` to use; those that were not aligned are left out.
        embeddings: Key to (D,) unit-length speaker embedding.
        manners: Key to how it is spoken, see `measure_manners`; what is not there is typical.
    """

    def __init__(
        self, store: FeatureStore, durations: FeatureStore, entries: Sequence[Entry],
        embeddings: dict[str, NDArray[np.float32]], manners: Mapping[str, Manner] | None = None,
    ) -> None:  # fmt: skip
        self.store, self.durations, self.embeddings = store, durations, embeddings
        self.manners = manners or {}
        self.aligned = {entry.key: entry for entry in durations.entries}
        self.entries = [e for e in entries if e.key in self.aligned and e.key in embeddings and fits_monotonic(e)]
        self.by_speaker: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            self.by_speaker[entry.about["speaker"]].append(entry)
        self.spectra = {e.key: self._spectrum(e) for e in self.entries}
        self.qualities = {e.key: recording_quality(store.read(e, "mel")) for e in self.entries}
        self.medians = {speaker: _median_f0(store, own) for speaker, own in self.by_speaker.items()}

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> dict[str, Any]:
        entry = self.entries[index]
        arrays = {kind: torch.from_numpy(self.store.read(entry, kind)) for kind in ("phoneme_ids", "mel", "f0")}
        durations = self.durations.read(self.aligned[entry.key], "durations")
        written = arrays["phoneme_ids"]
        arrays["phoneme_ids"] = torch.from_numpy(with_heard_pauses(written.numpy(), durations, arrays["mel"].numpy()))
        speaker = entry.about["speaker"]
        embedding, spectrum, manner = self._voice(self.by_speaker[speaker])
        return {
            "index": index,
            **arrays,
            "pauses": arrays["phoneme_ids"] != written,
            "durations": torch.from_numpy(durations),
            "speaker_embedding": torch.from_numpy(embedding),
            "spectrum": torch.from_numpy(spectrum),
            "manner": manner,
            "f0_median": self.medians[speaker],
            "quality": torch.from_numpy(self.qualities[entry.key]),
        }

    def mean_spectrum(self) -> Tensor:
        """(n_mels,) the mean over speakers of their mean spectrum."""
        speakers = [np.mean([self.spectra[e.key] for e in own], axis=0) for own in self.by_speaker.values()]
        return torch.from_numpy(np.mean(speakers, axis=0))

    def clean_quality(self) -> Tensor:
        """(QUALITY_DIMS,) the mean of recordings that are cleaner than 80 % and not cleaner than 97 % of all."""
        qualities = np.stack(list(self.qualities.values()))
        low, high = np.quantile(qualities.mean(1), [0.8, 0.97])
        chosen = (qualities.mean(1) >= low) & (qualities.mean(1) <= high)
        return torch.from_numpy(qualities[chosen].mean(0))

    def average_prosody(self, n_symbols: int, recordings: int = 1000) -> Tensor:
        """(n_symbols, 4) each symbol's mean pitch, voiced share, energy and log duration, over random recordings."""
        sums, counts = torch.zeros(n_symbols, 4), torch.zeros(n_symbols, 4)
        generator = torch.Generator().manual_seed(0)
        for index in torch.randperm(len(self), generator=generator)[:recordings].tolist():
            batch = voiced_batch([self[index]])
            values, weights = spoken_values(batch)
            sums.index_add_(0, batch["phoneme_ids"][0], (values * weights)[0])
            counts.index_add_(0, batch["phoneme_ids"][0], weights[0])
        return sums / counts.clamp(min=1)

    def _spectrum(self, entry: Entry) -> NDArray[np.float32]:
        return voiced_spectrum(self.store.read(entry, "mel").T, self.store.read(entry, "f0"))

    def _voice(self, recordings: list[Entry]) -> tuple[NDArray[np.float32], NDArray[np.float32], Tensor]:
        """Embedding, spectrum and manner: means over one to four of the speaker's recordings, as cloning gets."""
        count = min(len(recordings), int(torch.randint(1, 5, ()).item()))
        keys = [recordings[i].key for i in torch.randperm(len(recordings))[:count].tolist()]
        mean = np.mean([self.embeddings[key] for key in keys], axis=0)
        spectrum = np.mean([self.spectra[key] for key in keys], axis=0)
        manner = mean_manner([self.manners.get(key, TYPICAL) for key in keys])
        return np.asarray(mean / np.linalg.norm(mean), np.float32), np.asarray(spectrum, np.float32), manner


def _median_f0(store: FeatureStore, entries: Sequence[Entry]) -> float:
    values = np.concatenate([store.read(entry, "f0") for entry in entries[:30]])
    voiced = values[values > 0]
    return float(np.median(voiced)) if len(voiced) else UNVOICED_F0_MEDIAN


def recording_quality(mel: NDArray[Any]) -> NDArray[np.float32]:
    """How far the quietest frames lie below the loudest, in the lower and the upper half of the mel's bands.

    Args:
        mel: (T, n_mels) natural log.

    Returns:
        (QUALITY_DIMS,) of the order of 1, higher for a cleaner recording.
    """
    halves = np.asarray(mel, np.float32).reshape(len(mel), 2, -1).mean(2)
    quiet, loud = np.quantile(halves, [0.05, 0.95], axis=0)
    return np.asarray((loud - quiet - 5.0) / 2, np.float32)


def voiced_batch(items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """`pad_batch` with speaker_embedding (B, D), spectrum (B, n_mels), f0_median (B,), manner and quality (B, 2).

    Also pauses (B, N), where the items have them: commas that the text does not have.
    """
    heard = [item["pauses"] for item in items if "pauses" in item]
    return (
        pad_batch(items)
        | ({"pauses": nn.utils.rnn.pad_sequence(heard, batch_first=True)} if heard else {})
        | {
            "quality": torch.stack([item["quality"] for item in items]),
            "spectrum": torch.stack([item["spectrum"] for item in items]),
            "manner": torch.stack([item["manner"] for item in items]),
            "speaker_embedding": torch.stack([item["speaker_embedding"] for item in items]),
            "f0_median": torch.tensor([item["f0_median"] for item in items]),
        }
    )


class AcousticStep(TrainingStep):
    """Regression of FastSpeech 2 (arXiv:2006.04558): mel, durations in the log domain, prosody, frame-level f0.

    Args:
        config: The acoustic model.
        held_out: Batches to validate on.
        frozen: Parts of the model that stay as they are, such as a decoder that discriminators have sharpened.
    """

    def __init__(
        self, config: AcousticConfig, held_out: Sequence[dict[str, Tensor]], frozen: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.model = AcousticModel(config)
        self.held_out, self.frozen = held_out, frozen
        self._calibration: tuple[Tensor, Tensor] | None = None  # found by validate, which runs on averaged weights

    def parameters_of(self, phase: str) -> Iterable[nn.Parameter]:
        """Those of the parts that are not frozen."""
        return [value for name, value in self.model.named_parameters() if name.split(".")[0] not in self.frozen]

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch from `voiced_batch`."""
        model, durations = self.model, batch["durations"]
        self.store_calibration()
        mel, f0, median = batch["mel"], batch["f0"], batch["f0_median"]
        target = phoneme_prosody(mel, f0, durations, median)
        quality = batch["quality"] if model.config.quality_dims else None
        condition = model.condition(batch["speaker_embedding"], median, batch["spectrum"], quality, batch.get("manner"))
        encodings, mask = model.encode(batch["phoneme_ids"], batch["phoneme_lengths"], condition)
        prosody, log_durations = model.predict(encodings, mask, condition)
        frames, _ = model.expand(encodings, target, durations)
        frame_mask = length_mask(batch["mel_lengths"], frames.shape[1])
        made, relative_f0, voicing = model.decode(frames, frame_mask, condition, batch["spectrum"])
        weight = mask.float() / mask.sum()
        heard = (target[:, :, 1] > 0).float() * mask
        losses = {
            "mel": self._mel_loss(made, mel, frame_mask),
            "duration": ((log_durations.float() - torch.log(durations.clamp(min=1))).square() * weight).sum(),
            "pitch": ((prosody[:, :, 0] - target[:, :, 0]).float().square() * heard).sum() / heard.sum().clamp(min=1),
            "voiced_share": ((prosody[:, :, 1] - target[:, :, 1]).float().square() * weight).sum(),
            "energy": ((prosody[:, :, 2] - target[:, :, 2]).float().square() * weight).sum(),
        } | pitch_losses(relative_f0, voicing, f0, median, frame_mask)
        losses["total"] = torch.stack([LOSS_WEIGHTS[name] * value for name, value in losses.items()]).sum()
        return losses

    def _mel_loss(self, made: Tensor, natural: Tensor, frame_mask: Tensor) -> Tensor:
        return ((made - natural).abs().mean(1) * frame_mask).sum() / frame_mask.sum() / MEL_SPREAD

    @torch.no_grad()
    def store_calibration(self) -> None:
        """Put what validation measured into the model; not there and then, since it ran on averaged weights."""
        if self.training and self.model.spread is not None and self._calibration is not None:
            self.model.spread.stretch.copy_(self._calibration[0])
            self.model.spread.residual.copy_(self._calibration[1])
            self._calibration = None

    def _global_variance(self, held_out: Sequence[dict[str, Tensor]]) -> float:
        """Variance over time of made mels by that of natural ones, with natural durations and prosody; 1 is real."""
        ratios = []
        for batch in held_out:
            made, inside = teacher_forced(self.model, batch)
            for own, natural, frames in zip(made, batch["mel"], inside.sum(1).tolist(), strict=True):
                ratios.append((own[:, :frames].var(1) / natural[:, :frames].var(1).clamp(min=1e-3)).mean())
        return float(torch.stack(ratios).mean())

    def validate(self, report: Report, step: int) -> None:
        """Losses on held-out speakers with their own durations and prosody; predicted mels beside natural ones."""
        if not self.held_out:
            return
        held_out = send_to_device(list(self.held_out), self.model.embedding.weight.device)
        sums: dict[str, float] = defaultdict(float)
        for batch in held_out:
            for name, value in self(batch, "model").items():
                sums[name] += float(value) / len(held_out)
        for name, mean in sums.items():
            report.scalar(f"valid_{name}", mean)
        if self.model.spread is not None:
            self._calibration = calibrate(self.model, self.model.spread.average, held_out)
            for name, stretch, residual in zip(VALUES, *(each.tolist() for each in self._calibration), strict=True):
                report.scalar(f"valid_stretch_{name}", stretch)
                report.scalar(f"valid_residual_{name}", residual)
        report.scalar("valid_global_variance", self._global_variance(held_out))
        batch = {name: value[:4] for name, value in held_out[0].items()}
        made = self.model.infer(
            batch["phoneme_ids"],
            batch["phoneme_lengths"],
            batch["speaker_embedding"],
            batch["f0_median"],
            batch["spectrum"],
            batch.get("manner"),
        )
        length = max(made.mel.shape[2], batch["mel"].shape[2])
        padded = [F.pad(mel, (0, length - mel.shape[2]), value=-11.5) for mel in (batch["mel"], made.mel)]
        report.figure("mels", compare_mels(*padded))


def pitch_losses(
    relative_f0: Tensor, voicing: Tensor, f0: Tensor, f0_median: Tensor, frame_mask: Tensor
) -> dict[str, Tensor]:
    """How far the decoder's pitch is from the natural one: "f0" in octaves over voiced frames, and "voicing".

    Args:
        relative_f0: (B, T) octaves from the median, as `AcousticModel.decode` makes it.
        voicing: (B, T) logits.
        f0: (B, T) Hz, natural, 0 = unvoiced.
        f0_median: (B,) Hz.
        frame_mask: (B, T), True = real.
    """
    median = f0_median[:, None]
    voiced = (f0 > 0) & frame_mask
    octaves = torch.log2(torch.where(f0 > 0, f0, median) / median)
    return {
        "f0": ((relative_f0 - octaves).abs() * voiced).sum() / voiced.sum().clamp(min=1),
        "voicing": F.binary_cross_entropy_with_logits(voicing[frame_mask], voiced[frame_mask].float()),
    }


def teacher_forced(model: AcousticModel, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Mels (B, n_mels, T) for a batch of `voiced_batch`, spoken as it was, and the mask (B, T) of their frames.

    Durations, prosody, voice and the sound of the recording are the natural ones: frame t stands for the natural one.
    """
    durations, median = batch["durations"], batch["f0_median"]
    quality = batch["quality"] if model.config.quality_dims else None
    condition = model.condition(batch["speaker_embedding"], median, batch["spectrum"], quality, batch.get("manner"))
    encodings, _ = model.encode(batch["phoneme_ids"], batch["phoneme_lengths"], condition)
    target = phoneme_prosody(batch["mel"], batch["f0"], durations, median)
    frames, lengths = model.expand(encodings, target, durations)
    inside = length_mask(lengths, frames.shape[1])
    return model.decode(frames, inside, condition, batch["spectrum"])[0], inside
