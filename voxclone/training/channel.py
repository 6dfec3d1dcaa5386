"""What happens to speech between the vocoder and the detector: effects drawn at random for each item of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from voxclone.training import distortions
from voxclone.training.codecs import Codec, through_codec

BIT_RATES = {
    "mp3": (16000, 24000, 32000, 48000, 64000, 96000, 128000),
    "aac": (24000, 32000, 48000, 64000, 96000),
    "opus": (12000, 16000, 24000, 32000, 48000, 64000),
}
LEVEL_DB = (-15.0, 3.0)  # how much louder an item is made, at least and at most
SAMPLE_RATES = (8000, 11025, 12000, 16000, 24000, 32000, 48000)  # Hz, to which and back
RESIDUAL_SPEED = 0.015  # speed and pitch are searched for when a file is judged; what is left of them, at most
WEIGHTS = {
    "codec": 5.0,
    "rate": 1.5,
    "noise": 5.0,
    "reverb": 3.0,  # natural speech in a room is what looks marked most easily
    "equaliser": 0.7,
    "band": 0.7,
    "speed": 1.0,
    "tempo": 1.0,  # a change of pitch, its speed undone, is a change of tempo
    "clipping": 0.4,
    "phase": 0.4,
    "quantisation": 1.0,
}


@dataclass(frozen=True)
class Channel:
    """Draws effects for each waveform of a batch; a level is drawn for all.

    Attributes:
        sample_rate: Hz of what comes and goes.
        rooms: Room impulse responses (R,) at that rate, see `voxclone.training.augmentation.simulate_rooms`.
        weights: Effect to how often it is drawn, in any proportion.
        counts: With which probability an item gets no effect, one, two, and so on.
        searched_speed: Up to how much faster or slower half of the items are heard, as the search for a mark's speed
            hears all speech. What carries a mark is first played faster by as much as it is heard slower, so that what
            is left of its speed is what a search leaves; band limits and noise in between are moved for both alike.
        threads: How many items are worked on at once: on a GPU, codecs would be most of a training step.
    """

    sample_rate: int
    rooms: Sequence[Tensor] = ()
    weights: dict[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    counts: tuple[float, ...] = (0.15, 0.55, 0.3)
    searched_speed: float = 0.0
    threads: int = 1

    def __call__(self, waveform: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Send each item through effects of its own.

        Args:
            waveform: (B, S) in [-1, 1].
            labels: (B, S), one value for each sample, such as whether it is marked. They are moved with the samples.
            rng: Draws all that is random here.

        Returns:
            Both, (B, S), in float32.
        """
        items = list(zip(waveform.float(), labels.float(), rng.spawn(len(waveform)), strict=True))
        if self.threads == 1:
            sent = [self._send(*item) for item in items]
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                sent = list(pool.map(lambda item: self._send(*item), items))
        received, moved = zip(*sent, strict=True)
        return torch.stack(received), torch.stack(moved)

    def _send(self, x: Tensor, label: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """One item (S,) and its labels through effects of its own."""
        names = [name for name in self.weights if name != "reverb" or self.rooms]
        odds = np.array([self.weights[name] for name in names])
        odds /= odds.sum()
        count = min(len(names), int(rng.choice(len(self.counts), p=self.counts)))
        chosen = rng.choice(names, count, replace=False, p=odds)
        speed = 1.0
        with torch.autocast(x.device.type, enabled=False):
            x = x * 10 ** (rng.uniform(*LEVEL_DB) / 20)
            if self.searched_speed and rng.random() < 0.5:
                speed = 1 + float(rng.uniform(-self.searched_speed, self.searched_speed))
                x, label = _stretched(distortions.change_speed, speed, x, label) if label.any() else (x, label)
            for name in sorted(chosen, key=names.index, reverse=True):  # codecs come last
                x, label = self._apply(name, x, label, rng)
            if speed != 1:
                x, label = _stretched(distortions.change_speed, 1 / speed, x, label)
        return x, label

    def _apply(self, name: str, x: Tensor, label: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        if name in _STRETCHING:
            stretch, most = _STRETCHING[name]
            factor = 1 + float(rng.uniform(-most, most))
            return _stretched(stretch, factor, x, label)
        if name == "reverb":
            room = self.rooms[int(rng.integers(len(self.rooms)))]
            return distortions.reverberate(x, room, rng.uniform(0.3, 1.0)), label
        return _KEEPING[name](x, self.sample_rate, rng), label


@dataclass(frozen=True)
class WhiteNoise:
    """A channel of a level and white noise for each item, drawn where the waveform is: a graph can replay it.

    Attributes:
        sample_rate: Hz of what comes and goes.
        snr_db: The least and the greatest ratio of an item's mean power to the noise's.
    """

    sample_rate: int
    snr_db: tuple[float, float] = (12.0, 40.0)

    def __call__(self, waveform: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """As `Channel`, but that torch's generator draws."""
        x = waveform.float()
        level, ratio = (
            least + (most - least) * torch.rand(len(x), 1, device=x.device) for least, most in (LEVEL_DB, self.snr_db)
        )
        x = x * 10 ** (level / 20)
        power = x.detach().square().mean(1, keepdim=True) * 10 ** (-ratio / 10)
        return x + torch.randn_like(x) * power.sqrt(), labels.float()


def _stretched(
    stretch: Callable[[Tensor, float], Tensor], factor: float, x: Tensor, label: Tensor
) -> tuple[Tensor, Tensor]:
    """What is played `factor` times as fast, in the length that it had, and the labels where their samples went."""
    places = (torch.arange(len(x), device=x.device) * factor).long() % len(x)
    return distortions.fit_length(stretch(x, factor), len(x)), label[places]


def draw_codec(rng: np.random.Generator) -> Codec:
    """A codec at a bit rate of `BIT_RATES`, in haste."""
    name = str(rng.choice(list(BIT_RATES)))
    return codec_at(name, int(rng.choice(BIT_RATES[name])), hasty=True)


def codec_at(name: str, bit_rate: int, hasty: bool = False) -> Codec:
    """The codec at a bit rate, fed at a sample rate that suits it."""
    if name == "opus":
        sample_rate = 16000 if bit_rate < 20000 else 24000 if bit_rate < 48000 else 48000
    else:
        sample_rate = 22050 if bit_rate < 80000 else 44100
    return Codec(name, bit_rate, sample_rate, hasty)  # type: ignore[arg-type]  # checked by the codec itself


def _codec(x: Tensor, sample_rate: int, rng: np.random.Generator) -> Tensor:
    return through_codec(x, draw_codec(rng), sample_rate)


def _rate(x: Tensor, sample_rate: int, rng: np.random.Generator) -> Tensor:
    return distortions.through_rate(x, sample_rate, int(rng.choice(SAMPLE_RATES)))


def _noise(x: Tensor, sample_rate: int, rng: np.random.Generator) -> Tensor:
    return distortions.add_noise(x, rng.uniform(10, 40), rng, pink=bool(rng.random() < 0.5))


def _equaliser(x: Tensor, sample_rate: int, rng: np.random.Generator) -> Tensor:
    knots = torch.from_numpy(rng.uniform(-6, 6, int(rng.integers(4, 13))).astype(np.float32))
    return distortions.equalise(x, knots)


def _band(x: Tensor, sample_rate: int, rng: np.random.Generator) -> Tensor:
    low = rng.uniform(80, 400) if rng.random() < 0.5 else 0.0
    high = rng.uniform(3000, 8000) if low == 0 or rng.random() < 0.5 else sample_rate / 2
    return distortions.pass_band(x, sample_rate, low, high)


def _clipping(x: Tensor, sample_rate: int, rng: np.random.Generator) -> Tensor:
    return distortions.clip_peaks(x, rng.uniform(0.3, 0.9))


def _phase(x: Tensor, sample_rate: int, rng: np.random.Generator) -> Tensor:
    return -x if rng.random() < 0.5 else distortions.shift_phase(x, rng.uniform(-np.pi, np.pi))


def _quantisation(x: Tensor, sample_rate: int, rng: np.random.Generator) -> Tensor:
    return distortions.quantise(x, int(rng.integers(8, 13)), companded=bool(rng.random() < 0.5))


_STRETCHING: dict[str, tuple[Callable[[Tensor, float], Tensor], float]] = {
    "speed": (distortions.change_speed, RESIDUAL_SPEED),
    "tempo": (distortions.change_tempo, 0.1),
}
_KEEPING: dict[str, Callable[[Tensor, int, np.random.Generator], Tensor]] = {
    "codec": _codec,
    "rate": _rate,
    "noise": _noise,
    "equaliser": _equaliser,
    "band": _band,
    "clipping": _clipping,
    "phase": _phase,
    "quantisation": _quantisation,
}
