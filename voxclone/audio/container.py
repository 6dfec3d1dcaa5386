"""What an audio file's own bytes tell: its container, and whether all of it is there."""

from __future__ import annotations

import math
import os
import struct
from typing import BinaryIO

import soundfile

from voxclone.errors import AudioError

# What libsndfile does not read, by the bytes at an offset.
_FOREIGN = (
    (4, b"ftyp", "MP4/M4A (AAC)"),
    (0, b"\xff\xf1", "AAC"),
    (0, b"\xff\xf9", "AAC"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska/WebM"),
    (0, b"\x30\x26\xb2\x75", "WMA"),
    (0, b"#!AMR", "AMR"),
    (8, b"AVI ", "AVI"),  # a RIFF file as WAV is
    (0, b"FLV\x01", "Flash video"),
    (0, b"\x00\x00\x01\xba", "MPEG"),
    (0, b"wvpk", "WavPack"),
    (0, b"MAC ", "Monkey's Audio"),
)
_READABLE = {
    b"RIFF": "WAV",
    b"FORM": "AIFF",
    b"fLaC": "FLAC",
    b"OggS": "OGG",
    b"ID3": "MP3",
    b"\xff\xfb": "MP3",
    b"\xff\xf3": "MP3",
    b"\xff\xf2": "MP3",
}
BOMB_FRAMES = 1 << 24  # that any file may decode to: six minutes at 44.1 kHz
BOMB_RATIO = 100  # frames that each of its bytes may add: Opus at 6 kbit/s makes 64; long digital silence makes more
UNKNOWN_FRAMES = 1 << 62  # samples; libsndfile's count for a FLAC whose header holds none is just under twice that
_UNKNOWN_LENGTH = 0x7FFF0000  # bytes; what recorders into a pipe write as a size that they cannot know
_OGG_PAGE_MAX = 27 + 255 + 255 * 255  # bytes
_MP3_SLACK_SECONDS = 0.072  # that real files count without sound in them: frames of the header, delay and padding


def read_head(stream: BinaryIO) -> bytes:
    """The first 16 bytes."""
    stream.seek(0)
    return stream.read(16)


def readable_formats() -> str:
    """The formats that this machine's libsndfile reads, of those in use, as text."""
    formats = soundfile.available_formats()
    names = [name for name in ("WAV", "FLAC", "MP3", "AIFF", "AU", "CAF", "W64") if name in formats]
    if "OGG" in formats:
        ogg = soundfile.available_subtypes("OGG")
        names[3:3] = [f"OGG {codec.title()}" for codec in ("VORBIS", "OPUS") if codec in ogg]
    return ", ".join(names)


def foreign_format(head: bytes) -> str | None:
    """The format of a file that PyAV reads and libsndfile does not, by its first bytes."""
    return next((name for offset, magic, name in _FOREIGN if head[offset:].startswith(magic)), None)


def why_unreadable(head: bytes, reason: str) -> str:
    """The end of the sentence "<file> ...", for a file that libsndfile refused with `reason`."""
    if name := foreign_format(head):
        return (
            f"is {name}, which libsndfile {soundfile.__libsndfile_version__} on this machine does not read; it "
            f'reads {readable_formats()}. Install the extra that does, pip install "voxclone[m4a]", or convert the '
            "file first, for example: ffmpeg -i INPUT output.wav"
        )
    for magic, name in _READABLE.items():
        if head.startswith(magic):
            return f"begins as {name} but is damaged or cut short ({reason}); a complete file is needed"
    return f"is not audio that this machine reads ({reason}); {readable_formats()} are readable"


def check_complete(stream: BinaryIO, encoding: str, promised: int, found: int, sample_rate: int, name: str) -> None:
    """Refuse a file that was cut short, as far as a WAV, AIFF, FLAC, MP3 or Ogg file tells.

    Args:
        stream: The file, seekable.
        encoding: libsndfile's container and encoding, such as "WAV PCM_16".
        promised: Samples per channel that libsndfile takes from the header.
        found: Samples per channel that could be decoded.
        sample_rate: In Hz.
        name: The file, for the message.

    Raises:
        AudioError: Fewer samples are there than the header promises, or the last page of an Ogg file is not whole.
    """
    if encoding.startswith(("WAV ", "WAVEX ", "AIFF ")):
        declared, present = _data_chunk(stream)
        if 0 < present < declared < _UNKNOWN_LENGTH:
            promised = math.ceil(found * declared / present)
    elif encoding.startswith("OGG ") and not _last_page_whole(stream):
        raise AudioError(
            f"{name} is cut short: {found / sample_rate:.2f} s can be read and its last Ogg page is not whole; "
            "a complete file is needed"
        )
    tolerance = round(_MP3_SLACK_SECONDS * sample_rate) if encoding.startswith("MP3 ") else 0
    if found + tolerance < promised:
        raise AudioError(
            f"{name} is cut short: its header promises {promised} samples ({promised / sample_rate:.2f} s) and {found} "
            f"({found / sample_rate:.2f} s) are there; a complete file is needed"
        )


def _data_chunk(stream: BinaryIO) -> tuple[int, int]:
    """Bytes that a RIFF or AIFF file's sample chunk declares, and bytes that are there."""
    size = stream.seek(0, os.SEEK_END)
    order = ">" if read_head(stream)[:4] == b"FORM" else "<"
    at = 12
    while at + 8 <= size:
        stream.seek(at)
        name, length = struct.unpack(f"{order}4sI", stream.read(8))
        if name in (b"data", b"SSND"):
            return length, size - at - 8
        at += 8 + length + length % 2
    return 0, 0


def _last_page_whole(stream: BinaryIO) -> bool:
    """Whether the last Ogg page (RFC 3533, section 6) has all of its bytes."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _OGG_PAGE_MAX))
    tail = stream.read()
    at = tail.rfind(b"OggS")
    if at < 0 or at + 27 > len(tail):
        return False
    lengths = tail[at + 27 : at + 27 + tail[at + 26]]
    return len(lengths) == tail[at + 26] and at + 27 + len(lengths) + sum(lengths) <= len(tail)
