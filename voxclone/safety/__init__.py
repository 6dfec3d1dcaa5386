"""What ties a cloned voice to its speaker's consent, and speech to its origin."""

from voxclone.safety.certificate import Signer
from voxclone.safety.consent import Consent
from voxclone.safety.provenance import Provenance

__all__ = ["Consent", "Provenance", "Signer"]
