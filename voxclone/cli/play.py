"""Speech as it is made: to the loudspeaker, or as raw samples to standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any

from voxclone.cli import outputs
from voxclone.errors import AudioError

if TYPE_CHECKING:
    from voxclone.synthesis.stream import SpeechStream


def play(stream: SpeechStream, sample_rate: int, raw: bool) -> None:
    """Let a stream be heard, chunk by chunk.

    Args:
        stream: The speech.
        sample_rate: Hz.
        raw: Write 16-bit little-endian mono samples to standard output in place of playing them.

    Raises:
        AudioError: There is no device, or the extra that talks to it is not installed.
    """
    from voxclone.audio.samples import as_pcm16

    player: AbstractContextManager[Callable[[bytes], object]]
    player = nullcontext(_write_out) if raw else Player(sample_rate)
    with player as write, stream:
        for chunk in stream:
            try:
                write(as_pcm16(chunk.samples).astype("<i2").tobytes())
            except BrokenPipeError:  # whoever listened has left
                outputs.discard()
                return


def _write_out(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


class Player:
    """The default output device; writing waits until the device takes the samples.

    Args:
        sample_rate: Hz.

    Raises:
        AudioError: There is no device, or the extra that talks to it is not installed.
    """

    def __init__(self, sample_rate: int) -> None:
        advice = "write to a file with -o FILE, or raw 16-bit samples to a pipe with -o -"
        try:
            import sounddevice
        except (ImportError, OSError) as error:  # OSError: its wheel found no PortAudio library
            raise AudioError(f'playing needs: pip install "voxclone[play]" ({error}); or {advice}') from error
        try:
            self._stream: Any = sounddevice.RawOutputStream(samplerate=sample_rate, channels=1, dtype="int16")
        except sounddevice.PortAudioError as error:
            raise AudioError(f"no sound device can be played on ({error}); {advice}") from error

    def __enter__(self) -> Callable[[bytes], object]:
        self._stream.start()
        write: Callable[[bytes], object] = self._stream.write
        return write

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._stream.stop()  # after what was written has been heard
        self._stream.close()
