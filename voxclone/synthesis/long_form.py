"""What a model says at length: subtitles at their times, and books into folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

from voxclone.errors import ConfigError, TextError
from voxclone.speech import Segment, Speech
from voxclone.subtitles import read_subtitles
from voxclone.synthesis.controls import Controls, check_number
from voxclone.synthesis.dubbing import Cue, Dubbing, check_times, cue_name
from voxclone.synthesis.narration import Narration, narrate
from voxclone.synthesis.reading import read
from voxclone.synthesis.talking import Options, Talking
from voxclone.text.lexicon import Lexicon
from voxclone.text.markup import Markup
from voxclone.voice import Voice

if TYPE_CHECKING:
    from voxclone.safety.certificate import Signer


class LongForm(Talking):
    """The part of `VoxClone` that speaks subtitles and books."""

    def dub(
        self,
        subtitles: str | os.PathLike[str] | Sequence[Segment],
        voice: Voice,
        *,
        slowest: float = 1.25,
        speed: float = 1.0,
        pitch: float = 0.0,
        pitch_range: float = 1.0,
        energy: float = 1.0,
        seed: int | None = None,
        markup: Markup = "auto",
        voices: Mapping[str, Voice] | None = None,
        lexicon: Lexicon | None = None,
        normalize: bool = True,
        progress: bool = False,
    ) -> Speech:
        """Speak subtitles at their times: each begins with its cue, and is as fast as it must be to end with it.

        Args:
            subtitles: An .srt or .vtt file, or texts with their times.
            voice: As for `generate`, and so are the arguments that are not named here.
            slowest: 1 to 4: how many times its own duration a text is stretched at most to fill its cue; what is left
                is silence.

        Raises:
            ConfigError: A cue is too short for its text, overlaps the one before, or a control is out of range.
            TextError: The file holds no subtitles, or as for `generate`; says of which cue.
            VoiceError: As for `generate`.
        """
        self._check_voice(voice)
        check_number("slowest", slowest, 1.0, 4.0)
        segments = read_subtitles(subtitles) if isinstance(subtitles, str | os.PathLike) else subtitles
        if not isinstance(segments, Sequence):
            raise ConfigError(
                f"subtitles are an .srt or .vtt file or a list of Segments, not {type(segments).__name__}"
            )
        check_times(segments)
        words, language = self._words(lexicon), self.config.text.language
        cues = []
        for each in segments:
            try:
                cues.append(Cue(each, read(each.text, language, words, normalize, markup)))
            except TextError as error:
                raise TextError(f"{cue_name(each)}: {error}", error.position) from error
        controls = Controls(speed, pitch, pitch_range, energy, seed)
        request = Dubbing([chunk for cue in cues for chunk in cue.chunks], controls, None, cues, slowest)
        return self._speak([request], voice, voices, progress)[0]

    def narrate(
        self,
        text: str | os.PathLike[str],
        voice: Voice,
        folder: str | os.PathLike[str],
        *,
        suffix: str = ".flac",
        part_minutes: float = 10.0,
        signer: Signer | None = None,
        **options: Unpack[Options],
    ) -> Narration:
        """Read a book aloud into a folder, one file for each chapter, or several where it is long.

        Memory does not grow with the book. Called again with the same arguments, after whatever stopped it, it makes
        only what is not there yet. `index.json` says which file holds what and when it begins; beside each file are the
        times of its words.

        Args:
            text: The text, or the path of a UTF-8 file (`pathlib.Path("book.txt")`; a str is the text itself, but one
                that is the name of a text file is refused). Chapters begin at headings: "# One", or "Chapter 1" between
                blank lines.
            voice: As for `generate`.
            folder: Made if it is not there.
            suffix: ".wav", ".flac", ".mp3", ".ogg", ".opus" or ".m4a".
            part_minutes: Longest file, about, 0.1 to 60.
            signer: Whose certificate signs each file, as for `Speech.save`; files that an earlier call left unsigned
                are made anew, and signed ones where none is given.
            options: As for `generate`, but neither duration_seconds nor prosody.

        Raises:
            TextError: The file is no text, there is nothing to speak, or a character that cannot be spoken; it has
                the place and line, and what was finished before it stays.
            ConfigError: An argument is out of range, or the folder is no path, is a file, not writable, or holds
                another program's index.json.
            VoiceError: As for `generate`.
            AudioError: The suffix is unknown, or its files cannot be signed.
            ProvenanceError: A file cannot be signed.
        """
        self._check_voice(voice)
        if {"duration_seconds", "prosody"} & set(options):
            raise ConfigError("a book takes neither duration_seconds nor prosody; they belong to single texts")
        check_number("part_minutes", part_minutes, 0.1, 60.0)
        progress = options.pop("progress", False)
        if words := self._words(options.pop("lexicon", None)):  # the model's own too: they tell what is made anew
            options["lexicon"] = dict(words)
        settings = (self._origin.model_sha256, str(self._dtype), voice.voice_id, sorted(map(repr, options.items())))
        return narrate(
            lambda part: self.generate(part, voice, **options),
            text,
            folder,
            suffix=suffix,
            part_minutes=part_minutes,
            signer=signer,
            identity=repr(settings) + " signed" * (signer is not None),
            markup=options.get("markup", "auto"),
            progress=progress,
        )
