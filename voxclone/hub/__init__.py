"""Models on disk and on the Hugging Face Hub: find, check, load, save, push.

A model folder holds config.json, speaker_encoder.safetensors, acoustic.safetensors, vocoder.safetensors,
aligner.safetensors where config.json has an aligner, detector.safetensors where it has a watermark, card.md,
voices/<name>.voice, and sha256.txt with a "<sha256>  <relative path>" line for each of the others.
"""

from voxclone.hub.folder import check_integrity, read_config, save_folder
from voxclone.hub.remote import push_folder
from voxclone.hub.source import BUNDLED_NAME, resolve
from voxclone.hub.weights import load_weights, read_tensors, write_tensors

__all__ = [
    "BUNDLED_NAME",
    "check_integrity",
    "load_weights",
    "push_folder",
    "read_config",
    "read_tensors",
    "resolve",
    "save_folder",
    "write_tensors",
]
