"""Write something like three seconds of speech to clone from: a model refuses to clone what it spoke itself."""

import sys

import numpy as np
import soundfile

RATE = 16000
time = np.arange(3 * RATE) / RATE
voice = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
syllables = np.clip(np.sin(2 * np.pi * 2 * time) + 0.6, 0, 1)
noise = 1e-3 * np.random.default_rng(0).normal(size=len(time))
soundfile.write(sys.argv[1], (0.1 * voice * syllables + noise).astype(np.float32), RATE)
