import numpy as np
import pytest

from voxclone.training.noises import KINDS, make_noise


@pytest.mark.parametrize("kind", KINDS)
def test_noises_are_sound_and_the_same_for_the_same_seed(kind):
    made = [make_noise(kind, 1.5, 16000, seed) for seed in (0, 0, 1)]
    assert all(each.shape == (24000,) and each.dtype == np.float32 and np.isfinite(each).all() for each in made)
    assert all(0.03 < np.abs(each).max() < 0.71 for each in made)  # -30 to -3 dB of full scale
    assert np.array_equal(made[0], made[1]) and not np.array_equal(made[0], made[2])


def test_noise_colours_differ_from_tones():
    def flatness(samples: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(samples)) ** 2 + 1e-12
        return float(np.exp(np.log(power).mean()) / power.mean())

    noise = [flatness(make_noise("coloured noise", 2, 16000, seed)) for seed in range(8)]
    hums = [flatness(make_noise("hum", 2, 16000, seed)) for seed in range(8)]
    assert np.median(noise) > 3 * np.median(hums)
