"""Training the vocoder: random segments, spectral losses at several resolutions, pitch from the mel."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from accelerate.utils import send_to_device
from torch import Tensor, nn
from torch.utils.data import IterableDataset

from voxclone.audio.mel import MelSpectrogram
from voxclone.config import AudioConfig, VocoderConfig
from voxclone.errors import VoxcloneError
from voxclone.models.vocoder import build_vocoder
from voxclone.models.vocoder.source_istft import SourceISTFT
from voxclone.training.features import KINDS, Entry, FeatureStore
from voxclone.training.gan_losses import mel_loss
from voxclone.training.plots import compare_mels
from voxclone.training.report import Report
from voxclone.training.spectral_losses import multi_resolution_stft_loss
from voxclone.training.step import TrainingStep, weighted

WEIGHTS = {"mel": 4.0, "stft": 1.0, "f0": 0.5, "voicing": 0.2}
MAX_BANDWIDTH = 11025.0  # Hz
BANDWIDTH_SHARE = 0.47  # of a recording's own rate: below Nyquist by a resampler's transition band


class VocoderSegments(IterableDataset[dict[str, Tensor]]):
    """Batches of segments: waveform (B, S), f0 (B, T), and the bandwidth (B,) in Hz that is to be learnt.

    Args:
        store: Natural waveforms and their f0.
        entries: Those of it that are drawn from.
        weights: How often a second of each is drawn.
        batch_size: Segments in a batch.
        frames: T of a segment.
        hop_length: Samples for each frame.
        batches_per_epoch: After how many batches an epoch ends.
        acoustic_mels: A store of mels under the same keys, as an acoustic model made them with natural timing and
            prosody. Batches then have `acoustic_mel` (B, n_mels, T), and `acoustic` (B,), True where it is to be heard.
        acoustic_share: How many of the segments that have such a mel are to be made of it.

    Raises:
        VoxcloneError: No entry is as long as a segment.
    """

    def __init__(
        self, store: FeatureStore, entries: Sequence[Entry], weights: Sequence[float], batch_size: int, frames: int,
        hop_length: int, batches_per_epoch: int = 1000, acoustic_mels: FeatureStore | None = None,
        acoustic_share: float = 0.5,
    ) -> None:  # fmt: skip
        long_enough = [(e, w) for e, w in zip(entries, weights, strict=True) if e.rows["f0"][1] >= frames]
        if not long_enough:
            raise VoxcloneError(f"{store.folder}: none of the {len(entries)} recordings given has {frames} frames")
        self.store, self.entries = store, [entry for entry, _ in long_enough]
        seconds = np.array([entry.rows["f0"][1] * weight for entry, weight in long_enough], float)
        self.probabilities = seconds / seconds.sum()
        self.batch_size, self.frames, self.hop_length = batch_size, frames, hop_length
        self.batches_per_epoch = batches_per_epoch
        self.acoustic_mels, self.acoustic_share = acoustic_mels, acoustic_share
        self._made = {entry.key: entry for entry in acoustic_mels.entries} if acoustic_mels else {}

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        rng = np.random.default_rng(int(torch.randint(2**31, ()).item()))
        for _ in range(self.batches_per_epoch):
            chosen = rng.choice(len(self.entries), self.batch_size, p=self.probabilities)
            yield self.batch([self.entries[index] for index in chosen], rng)

    def batch(self, entries: Sequence[Entry], rng: np.random.Generator) -> dict[str, Tensor]:
        """One random segment of each entry, at a random level."""
        waveforms, pitches, bandwidths, mels = [], [], [], []
        for entry in entries:
            start = int(rng.integers(entry.rows["f0"][1] - self.frames + 1))
            hop = self.hop_length
            samples = self.store.read(entry, "waveform", start * hop, self.frames * hop).astype(np.float32) / 32768
            gain = min(10 ** (rng.uniform(-8, 4) / 20), 0.98 / max(1e-3, float(np.abs(samples).max())))
            waveforms.append(torch.from_numpy(samples * np.float32(gain)))
            pitches.append(torch.from_numpy(self.store.read(entry, "f0", start, self.frames)))
            bandwidths.append(min(MAX_BANDWIDTH, BANDWIDTH_SHARE * float(entry.about["sample_rate"])))
            if self.acoustic_mels:
                mels.append(self._acoustic_mel(entry, start, gain) if rng.random() < self.acoustic_share else None)
        batch = {
            "waveform": torch.stack(waveforms),
            "f0": torch.stack(pitches),
            "bandwidth": torch.tensor(bandwidths),
        }
        if self.acoustic_mels:
            batch["acoustic"] = torch.tensor([mel is not None for mel in mels])
            silence = torch.zeros(KINDS["mel"].width, self.frames)
            batch["acoustic_mel"] = torch.stack([silence if mel is None else mel for mel in mels])
        return batch

    def _acoustic_mel(self, entry: Entry, start: int, gain: float) -> Tensor | None:
        """(n_mels, T) of a segment at its level; None where the store lacks the recording."""
        if self.acoustic_mels is None or entry.key not in self._made:
            return None
        mel = self.acoustic_mels.read(self._made[entry.key], "mel", start, self.frames).astype(np.float32)
        return torch.from_numpy(mel.T + np.float32(np.log(gain))).clamp(min=math.log(AudioConfig().mel_floor))


class SpectralStep(TrainingStep):
    """First stage: mel and multi-resolution STFT losses, and the pitch estimator's own."""

    def __init__(self, config: VocoderConfig, audio: AudioConfig, held_out: dict[str, Tensor] | None) -> None:
        super().__init__()
        self.vocoder = build_vocoder(config, weight_norm=True)
        self.mel_spectrogram = MelSpectrogram(audio)
        self.audio, self.held_out = audio, held_out

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch from `VocoderSegments`."""
        waveform, f0 = batch["waveform"], batch["f0"]
        with torch.no_grad():
            mel = self.mel_spectrogram(waveform)
        made = self.speak(batch, mel)
        losses = self._pitch_losses(mel, f0)
        with torch.autocast(made.device.type, enabled=False):
            losses |= self._compare(made, waveform, mel, batch["bandwidth"])
            losses["total"] = weighted(losses, WEIGHTS)
        return losses

    def speak(self, batch: dict[str, Tensor], mel: Tensor, vocoder: nn.Module | None = None) -> Tensor:
        """Waveforms (B, S) for a batch: of its natural mels, some disturbed, or of its acoustic ones.

        A source has random noise and phase. The vocoder is the one that is trained, unless another is given.
        """
        f0, vocoder = batch["f0"], self.vocoder if vocoder is None else vocoder
        start = 2 * math.pi * torch.rand(len(f0), 1, device=f0.device)
        heard = self.disturbed(mel)
        if "acoustic" in batch:
            heard = torch.where(batch["acoustic"][:, None, None], batch["acoustic_mel"], heard)
        if isinstance(vocoder, SourceISTFT):
            return vocoder.synthesize(heard, f0, torch.randn_like(batch["waveform"]), start).float()
        made: Tensor = vocoder(heard)
        return made.float()

    def disturbed(self, mel: Tensor) -> Tensor:
        """Some items of (B, n_mels, T) smoothed and roughened, as an acoustic model's mels are, so that both serve."""
        count = len(mel)
        strength = torch.rand(count, 1, 1, device=mel.device) * (torch.rand(count, 1, 1, device=mel.device) < 0.4)
        smooth = F.avg_pool2d(mel[:, None], 3, 1, 1, count_include_pad=False)[:, 0]
        return mel + strength * (smooth - mel + 0.1 * torch.randn_like(mel))

    def _compare(self, made: Tensor, natural: Tensor, mel: Tensor, bandwidth: Tensor) -> dict[str, Tensor]:
        stft = multi_resolution_stft_loss(made, natural, bandwidth, self.audio.sample_rate)
        return {"mel": mel_loss(mel, self.mel_spectrogram(made)), "stft": stft}

    def _pitch_losses(self, mel: Tensor, f0: Tensor) -> dict[str, Tensor]:
        """Those of the vocoder's pitch estimator, if it has one."""
        if not isinstance(self.vocoder, SourceISTFT):
            return {}
        octaves, voicing = self.vocoder.pitch(mel)
        voiced = f0 > 0
        target = torch.log2(f0.clamp(min=1) / 128)
        error = ((octaves - target).abs() * voiced).sum() / voiced.sum().clamp(min=1)
        return {"f0": error, "voicing": F.binary_cross_entropy_with_logits(voicing, voiced.float())}

    def validate(self, report: Report, step: int) -> None:
        """Copy-synthesis of held-out segments, with f0 given and with f0 estimated; spectrograms and samples."""
        if self.held_out is None:
            return
        held_out = send_to_device(self.held_out, self.mel_spectrogram.window.device)
        waveform, f0 = held_out["waveform"], held_out["f0"]
        mel = self.mel_spectrogram(waveform)
        with_source = isinstance(self.vocoder, SourceISTFT)
        for suffix, pitch in {"_f0_given": f0, "_f0_estimated": None}.items() if with_source else [("", None)]:
            made = self.vocoder(mel, pitch)
            for loss, value in self._compare(made, waveform, mel, held_out["bandwidth"]).items():
                report.scalar(f"valid_{loss}{suffix}", float(value))
        rate = self.audio.sample_rate
        report.audio("copy", made[:4].flatten().cpu().numpy(), rate)
        report.audio("natural", waveform[:4].flatten().cpu().numpy(), rate)
        report.figure("mels", compare_mels(mel[:4], self.mel_spectrogram(made)[:4]))
