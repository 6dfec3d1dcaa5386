"""Models on disk and on the Hugging Face Hub: find, check, load, save, push.

A model folder holds config.json, speaker_encoder.safetensors, acoustic.safetensors, vocoder.safetensors,
aligner.safetensors where config.json has an aligner, cohort.safetensors where it has a verification,
detector.safetensors where it has a watermark, card.md, voices/<name>.voice, and sha256.txt with a
"<sha256>  <relative path>" line for each of the others.
"""

from voxclone.hub.card import Card, Measured, Source, model_card, voice_card
from voxclone.hub.folder import check_integrity, read_config, save_detector, save_folder, save_part
from voxclone.hub.remote import is_repo_id, push_folder
from voxclone.hub.source import BUNDLED_NAME, resolve
from voxclone.hub.voices import Base, fetch_voice, pin_base, push_voice
from voxclone.hub.weights import build, load_weights, read_tensors, write_tensors

__all__ = [
    "BUNDLED_NAME",
    "Base",
    "Card",
    "Measured",
    "Source",
    "build",
    "check_integrity",
    "fetch_voice",
    "is_repo_id",
    "load_weights",
    "model_card",
    "pin_base",
    "push_folder",
    "push_voice",
    "read_config",
    "read_tensors",
    "resolve",
    "save_detector",
    "save_folder",
    "save_part",
    "voice_card",
    "write_tensors",
]
