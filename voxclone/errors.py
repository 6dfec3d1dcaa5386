"""Every error that voxclone raises on purpose: what was wrong, and what to do about it."""


class VoxcloneError(Exception):
    """Base of voxclone's own errors."""


class ConfigError(VoxcloneError, ValueError):
    """A configuration has an unknown key, a missing key, or a value that cannot work."""


class AudioError(VoxcloneError, ValueError):
    """Audio is unreadable or unfit: says what was found and what is needed."""


class TextError(VoxcloneError, ValueError):
    """Text cannot be spoken.

    Attributes:
        position: Index into the text of the first character that is at fault; None if it is the text as a whole.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class ModelError(VoxcloneError):
    """A model folder or Hub repository is missing, damaged, or does not fit its configuration."""


class VoiceError(VoxcloneError, ValueError):
    """A voice file is damaged, belongs to another model, or lacks what it must carry."""


class ConsentError(VoxcloneError, PermissionError):
    """There is no consent of the speaker for what was asked: no record, or an expired, revoked or narrower one."""


class ProvenanceError(VoxcloneError, ValueError):
    """What a file says of its origin is missing or damaged."""


class UnmarkedError(VoxcloneError):
    """Speech without the mark that its model promises; it is not let out."""


class KernelError(VoxcloneError, RuntimeError):
    """VOXCLONE_KERNELS asks for a fast form that cannot serve, or is none of its values."""


class EvaluationError(VoxcloneError, ValueError):
    """A list to evaluate on, or a judge, is not what it should be."""
