"""The whole way: recordings to a voice, text and a voice to speech."""

from voxclone.synthesis.model import VoxClone

__all__ = ["VoxClone"]
