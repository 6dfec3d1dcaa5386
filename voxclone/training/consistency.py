"""Whether made speech has the voice that it was asked for, as the speaker encoder hears it in the mel."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from voxclone.audio.mel import MelShape, band_centres
from voxclone.models.speaker_encoder import SpeakerEncoder


class VoiceBank:
    """Voices of many speakers to speak training texts in, two of them mixed half of the time.

    Args:
        speaker_embedding: (N, D) unit length.
        spectrum: (N, n_mels), see `voiced_spectrum`.
        f0_median: (N,) Hz.
        manner: (N, MANNER_DIMS), see `manner`.
    """

    def __init__(self, speaker_embedding: Tensor, spectrum: Tensor, f0_median: Tensor, manner: Tensor) -> None:
        self.voices = {
            "speaker_embedding": speaker_embedding,
            "spectrum": spectrum,
            "f0_median": f0_median.log(),
            "manner": manner,
        }

    def draw(self, count: int, device: torch.device) -> dict[str, Tensor]:
        """As `voiced_batch` has voices, (count, ...) each."""
        share = (2 * torch.rand(count) - 0.5).clamp(0, 1)  # 0 or 1 half of the time
        one, other = torch.randint(len(self.voices["f0_median"]), (2, count))
        drawn = {}
        for name, values in self.voices.items():
            weight = share.view(-1, *[1] * (values.dim() - 1))
            drawn[name] = (weight * values[one] + (1 - weight) * values[other]).to(device)
        drawn["f0_median"] = drawn["f0_median"].exp()
        drawn["speaker_embedding"] = functional.normalize(drawn["speaker_embedding"], dim=1)
        return drawn


class SpeakerConsistency:
    """Speaker-consistency loss through a frozen encoder (YourTTS, arXiv:2112.02418, section 2.2), without a vocoder.

    The encoder's own mel is interpolated from the acoustic model's, band by band and frame by frame. It differs in its
    window, which the encoder hardly minds: of whole recordings the cosine to the embedding of the samples is 0.94.

    Args:
        encoder: Stays as it is.
        mel: Of the mels that are heard.
        voices: To speak in.
    """

    def __init__(self, encoder: SpeakerEncoder, mel: MelShape, voices: VoiceBank) -> None:
        self.encoder, self.voices = encoder.eval().requires_grad_(False), voices
        heard = encoder.mel_shape
        self.pace = mel.hop_length / mel.sample_rate * heard.sample_rate / heard.hop_length
        self.bands = _interpolation(mel, heard)

    def embed(self, mel: Tensor, mel_lengths: Tensor) -> Tensor:
        """(B, n_mels, T) natural-log mel and (B,) frames that are real to (B, D) of unit length."""
        bands = (self.bands.to(mel) @ mel).float()
        length = round(mel.shape[2] * self.pace)
        heard = functional.interpolate(bands, length, mode="linear", align_corners=False)
        embedding: Tensor = self.encoder.to(mel.device)(heard, (mel_lengths * self.pace).long().clamp(1, length))
        return embedding

    def __call__(self, mel: Tensor, mel_lengths: Tensor, speaker_embedding: Tensor) -> Tensor:
        """One minus the mean cosine of voices (B, D) to those of the mels that `embed` takes, 0-dim."""
        return 1 - (self.embed(mel, mel_lengths) * speaker_embedding).sum(1).mean()


def _interpolation(mel: MelShape, heard: MelShape) -> Tensor:
    """(heard.n_mels, mel.n_mels) that reads one mel's bands at the centres of the other's."""
    own, wanted = torch.from_numpy(band_centres(mel)), torch.from_numpy(band_centres(heard))
    places = ((wanted - own[0]) / (own[1] - own[0])).clamp(0, mel.n_mels - 1)
    distances = (places[:, None] - torch.arange(mel.n_mels)).abs()
    return (1 - distances).clamp(min=0).float()
