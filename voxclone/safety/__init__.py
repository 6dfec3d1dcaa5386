"""What ties a cloned voice to its speaker's consent."""

from voxclone.safety.consent import Consent

__all__ = ["Consent"]
