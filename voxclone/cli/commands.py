"""say, clone, voices. What they need is imported when they run, so that help is instant."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import warnings

from voxclone.cli import outputs, signing
from voxclone.cli.control import controls
from voxclone.cli.inputs import arriving_text, standard_input
from voxclone.cli.loading import choose_voice, load
from voxclone.errors import ConfigError


def say(options: argparse.Namespace) -> int:
    """Speak a text to a file, a loudspeaker or a pipe."""
    nowhere = options.text == "-" and options.output is None  # where to is told by what standard output is
    raw = options.output == "-" or (nowhere and not options.play and not sys.stdout.isatty())
    if raw or options.play or nowhere:
        return _say_aloud(options, raw)
    return _say_to_file(options, "speech.wav" if options.output is None else options.output)


def _say_aloud(options: argparse.Namespace, raw: bool) -> int:
    """Speak as the text comes, to a loudspeaker or as raw samples to standard output."""
    from voxclone.cli.play import play

    if options.times is not None or options.duration is not None:
        raise ConfigError("--times and --duration are for files: write one with -o FILE")
    if options.play and options.output is not None:
        raise ConfigError("--play and --output cannot go together; save first, or play first")
    if options.sign is not None:
        raise ConfigError("what is played or piped cannot be signed; write a file with -o FILE")
    asked = controls(options)
    model = load(options)
    voice = choose_voice(model, options.voice)
    text = arriving_text(standard_input()) if options.text == "-" else options.text
    play(model.stream(text, voice, **asked), model.sample_rate, raw)
    return 0


def _say_to_file(options: argparse.Namespace, output: str) -> int:
    signer = signing.signer(options)
    outputs.audio_file(output, signer is not None)
    outputs.times_file(options.times)
    asked = controls(options)
    model = load(options)
    voice = choose_voice(model, options.voice)
    text = "".join(arriving_text(standard_input())) if options.text == "-" else options.text
    start = time.perf_counter()
    speech = model.generate(text, voice, progress=True, duration_seconds=options.duration, **asked)
    seconds = time.perf_counter() - start
    speech.save(output, signer=signer)
    if options.times:
        speech.export(options.times)
    factor = seconds / speech.duration_seconds
    print(f"{output}: {speech.duration_seconds:.2f} s of {voice.name} in {seconds:.2f} s (RTF {factor:.3f})")
    return 0


def clone(options: argparse.Namespace) -> int:
    """Make a voice file."""
    from voxclone.audio.quality import advice_on
    from voxclone.cli.consent import given_consent
    from voxclone.voice import Voice

    output = options.output
    if output is None:
        output = (re.sub(r"[^\w-]+", "-", options.name.lower()).strip("-") or "my") + ".voice"
    outputs.voice_file(output)
    spoken_by = Voice.load(options.spoken_by) if options.spoken_by else None
    consent = given_consent(options.consent, options.name)
    model = load(options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        voice = model.clone(list(options.clips), name=options.name, consent=consent, spoken_by=spoken_by, progress=True)
    voice.save(output)
    told, advice = [str(each.message) for each in caught], advice_on(voice.recordings)
    if options.json:
        about = {
            "file": output,
            "name": voice.name,
            "f0_median": round(voice.f0_median, 2),
            "consent": consent.basis,
        }
        recordings = [each.to_dict() for each in voice.recordings]
        print(json.dumps({**about, "recordings": recordings, "warnings": told, "advice": advice}, ensure_ascii=False))
        return 0
    for line in told:
        print(f"voxclone: warning: {line}", file=sys.stderr)
    print(f"{output}: {voice.name}, median f0 {voice.f0_median:.0f} Hz, consent: {consent.basis}")
    for recording in voice.recordings:
        print(f"  {recording}")
    for sentence in advice:
        print(f"  better: {sentence}")
    return 0


def voices(options: argparse.Namespace) -> int:
    """List a model's example voices."""
    for name, voice in load(options).voices.items():
        if options.json:
            consents = [consent.basis for consent in voice.consents]
            print(json.dumps({"name": name, "f0_median": round(voice.f0_median, 2), "consents": consents}))
        else:
            print(f"{name}\tmedian f0 {voice.f0_median:.0f} Hz\t{'; '.join(c.basis for c in voice.consents)}")
    return 0
