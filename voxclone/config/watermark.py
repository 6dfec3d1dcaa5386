"""What the mark's detector is, and where its bars lie."""

from __future__ import annotations

from dataclasses import dataclass

from voxclone.config.reading import Config, at_least, odd
from voxclone.errors import ConfigError

MAX_SPEEDS = 32  # at which a mark is listened for
MAX_CONTEXT = 1 << 20  # samples on either side of a frame: tables and memory grow with it, and no weights do


@dataclass(frozen=True)
class WatermarkConfig(Config):
    """Sizes of the watermark detector, and the thresholds that calibration on natural speech found."""

    sample_rate: int = 16000  # Hz
    n_fft: int = 512  # samples of the long window
    hop_length: int = 128  # samples
    short_n_fft: int = 128  # samples of the short window
    short_hop_length: int = 32  # samples
    smooth_bins: int = 33  # of the long window's spectrum, whose mean is taken away
    entry_stride: int = 2  # hops for each frame that is judged
    channels: int = 112
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16)  # one block each
    pilot_hertz: float = 22050 / 256  # of the pilot in the vocoder's speech: its mel frames in a second
    pilot_bands: int = 10  # of 500 Hz from 0 on, up to which the pilot is there
    pilot_first_band: int = 2  # from which on: below 1 kHz it is heard, as roughness
    pilot_hops: int = 1000  # short hops over which the pilot is summed up
    pilot_local_hops: int = 250  # short hops over which level is taken to be steady
    threshold: float = 2.0  # on the score of two seconds: one natural window in a thousand passes it
    doubt: float = 0.0  # on the same: one natural window in a hundred passes it
    output_threshold: float | None = None  # on the score of an output, at its own speed; None: `doubt`
    threshold_short: float = 1.0  # added to both for windows of one second
    threshold_tail: float = 1.0  # added to both each time that the audio is e times as long
    long_windows: tuple[float, ...] = ()  # seconds of longer windows, which take less evidence
    long_thresholds: tuple[float, ...] = ()  # for each of them, as `threshold`
    long_tails: tuple[float, ...] = ()  # for each of them, as `threshold_tail`
    speeds: tuple[float, ...] = ()  # besides 1, how many times as fast as it was made speech is listened for
    speed_cost: float = 0.0  # taken from the score at those speeds: each is a chance to be wrong

    def __post_init__(self) -> None:
        at_least(self, 1, "sample_rate", "short_hop_length", "entry_stride", "channels")
        at_least(self, 1, "pilot_bands", "pilot_hops", "pilot_local_hops")
        odd(self, "smooth_bins")
        if not 0 <= self.pilot_first_band < self.pilot_bands:
            raise ConfigError("WatermarkConfig needs a pilot_first_band from 0 to below pilot_bands")
        for length, hop in ((self.n_fft, self.hop_length), (self.short_n_fft, self.short_hop_length)):
            if not 0 < hop <= length or length % 2:
                raise ConfigError("WatermarkConfig needs even windows, each at least as long as its hop")
        if self.hop_length % self.short_hop_length:
            raise ConfigError("WatermarkConfig.hop_length must be a multiple of short_hop_length")
        if self.doubt > self.threshold or min(self.threshold_short, self.threshold_tail) < 0:
            raise ConfigError("WatermarkConfig needs doubt <= threshold, and additions that are not negative")
        if not len(self.long_windows) == len(self.long_thresholds) == len(self.long_tails):
            raise ConfigError("WatermarkConfig needs as many long_thresholds and long_tails as long_windows")
        if len(self.speeds) > MAX_SPEEDS or not all(0.5 <= speed <= 2 for speed in self.speeds) or self.speed_cost < 0:
            raise ConfigError(
                f"WatermarkConfig.speeds is {self.speeds}; at most {MAX_SPEEDS} can be tried, each from 0.5 to 2, at a "
                "cost that is not negative"
            )
        if not self.dilations or min(self.dilations) < 1:
            raise ConfigError(f"WatermarkConfig.dilations is {self.dilations}; it needs one or more, each 1 or more")
        if self.context > MAX_CONTEXT:
            raise ConfigError(
                f"WatermarkConfig lets a frame depend on {self.context} samples on either side (dilations, pilot_hops, "
                f"pilot_local_hops); at most {MAX_CONTEXT} are heard"
            )

    @property
    def frame_length(self) -> int:
        """Samples for each frame that is judged."""
        return self.hop_length * self.entry_stride

    @property
    def context(self) -> int:
        """Samples on either side of a frame that bear on it, at most."""
        pilot = self.short_n_fft + self.short_hop_length * (self.pilot_hops // 2 + 2 * (self.pilot_local_hops // 2) + 1)
        return max(self.n_fft + self.hop_length, pilot) + self.frame_length * (1 + sum(self.dilations))
