"""A voice as a value: what a speaker sounds like, and the consent to sound so."""

from voxclone.voice.file import stored_consents
from voxclone.voice.value import Voice, with_records_of

__all__ = ["Voice", "stored_consents", "with_records_of"]
