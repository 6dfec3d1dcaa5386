"""Listeners that others trained: speech recognisers, speaker verifiers, and predictors of naturalness.

Each is named in one word, most with what follows a colon: `faster-whisper:/models/large-v3`, `python:mine.py:embed`.
One that is not installed, or whose weights are not on this machine, is absent, with the reason; nothing is downloaded
unless a Hub name says so.
"""

from voxclone.evaluation.judges.naturalness import NATURALNESS, open_naturalness
from voxclone.evaluation.judges.opening import Absent
from voxclone.evaluation.judges.recognisers import RECOGNISERS, open_recogniser
from voxclone.evaluation.judges.verifiers import VERIFIERS, open_verifier

__all__ = [
    "NATURALNESS",
    "RECOGNISERS",
    "VERIFIERS",
    "Absent",
    "open_naturalness",
    "open_recogniser",
    "open_verifier",
]
