"""Exit with an error unless each audio file named holds more than half a second of sound above -40 dBFS."""

import sys

import numpy as np
import soundfile

for path in sys.argv[1:]:
    samples, sample_rate = soundfile.read(path, dtype="float32")
    frame = sample_rate // 50
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    loud = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12) > -40
    seconds = float(loud.sum()) * frame / sample_rate
    if not np.isfinite(samples).all() or seconds <= 0.5:
        sys.exit(f"{path}: {seconds:.2f} s of sound in {len(samples) / sample_rate:.2f} s; more than 0.5 s is needed")
    print(f"{path}: {seconds:.2f} s of sound in {len(samples) / sample_rate:.2f} s")
