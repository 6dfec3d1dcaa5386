"""What a speech recogniser hears of a challenge, where one is installed: PocketSphinx, extra "asr"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voxclone.audio.resample import resample
from voxclone.safety.challenge import STATEMENT

RATE = 16000  # Hz


def transcribe(samples: NDArray[np.float32], sample_rate: int, words: Sequence[str]) -> str | None:
    """What PocketSphinx hears; None where it is not installed.

    Its grammar is the statement and then any of the words in any number.

    Args:
        samples: (S,) in [-1, 1].
        sample_rate: Hz.
        words: What may follow the statement: those drawn, among others.
    """
    try:
        import pocketsphinx
    except ImportError:
        return None
    statement = STATEMENT.lower().rstrip(".")
    grammar = f"#JSGF V1.0; grammar phrase; public <phrase> = [{statement}] (<word>)+; <word> = {' | '.join(words)};"
    decoder = pocketsphinx.Decoder(
        samprate=RATE, lm=None, loglevel="FATAL", beam=1e-40, wbeam=1e-25, pbeam=1e-40, maxhmmpf=2000
    )
    decoder.add_jsgf_string("phrase", grammar)
    decoder.activate_search("phrase")
    narrow = resample(samples, sample_rate, RATE)
    pcm = (np.clip(narrow / max(1e-3, float(np.abs(narrow).max())), -1, 1) * 30000).astype(np.int16)
    decoder.start_utt()
    decoder.process_raw(pcm.tobytes(), full_utt=True)
    decoder.end_utt()
    heard = decoder.hyp()
    return heard.hypstr if heard is not None else ""
