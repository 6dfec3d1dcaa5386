"""Streaming, batches and books through the public API.

    python benchmarks/streaming.py --parts latency batch book

latency: a 20-word sentence after a warm-up: until the first chunk, and the whole; how far the chunks are from it.
batch: seconds of speech made in a second, by the number of texts in a call, and by Python threads.
book: resident memory and real-time factor while a book of --words is narrated; Ctrl-C ends it with what was measured.
seams: steps of level and f0 between sentences where a text was cut, in one pass, and in recordings.
memory: what is held while --sentences of different lengths are spoken.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import random
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

import voxclone
from environment import write_result
from rtf import peak_memory_mb
from seams import seams
from voxclone.synthesis.narration import give_back_memory

SENTENCE = "The old man walked slowly along the quiet river bank while his two small dogs ran ahead through the grass."
SHORT = ("Come in.", "The kettle is on the stove.", "She folded the map and put it away.", "Nobody had lit the lamp.")
PARAGRAPH = (
    "The ferry leaves the harbour at seven every morning. By noon the whole market is awake, and the boats are back. "
    "She folded the map and put it into her coat; nobody had asked her where she was going. We walked along the river "
    "until the path ended, then turned back before it grew dark.\n\n"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder or Hub repository; the bundled model if left out")
    parser.add_argument("--threads", type=int, default=2, help="PyTorch threads")
    parser.add_argument("--parts", nargs="+", default=["latency", "batch", "book", "seams"])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--words", type=int, default=5000, help="of the book")
    parser.add_argument("--sentences", type=int, default=400, help="for memory")
    parser.add_argument("--folder", type=Path, help="of the book, so that a run that was stopped goes on")
    parser.add_argument(
        "--manifest", type=Path, help="of recordings and texts (path, text), for seams beside real speech"
    )
    parser.add_argument("--dtype", choices=["default", "float32", "bfloat16"], default="default")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--name", default="streaming", help="of the file in benchmarks/results")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    model = voxclone.VoxClone.from_pretrained(args.model, device=args.device)
    if args.dtype != "default":  # of the vocoder's convolutions
        model._vocoder.precision = getattr(torch, args.dtype)
    numbers: dict[str, Any] = {"model": model.config.name, "threads": args.threads, "dtype": args.dtype}
    for part in args.parts:
        if part == "latency":
            numbers[part] = latency(model, args.repeats)
        elif part == "batch":
            numbers[part] = batch(model, max(2, args.repeats // 8), args.threads)
        elif part == "book":
            numbers[part] = book(model, args.words, args.folder)
        elif part == "memory":
            numbers[part] = memory(model, args.sentences)
        else:
            numbers[part] = seams(model, args.manifest)
    print(json.dumps(numbers, indent=2))
    print(write_result(args.name, numbers))


def latency(model: voxclone.VoxClone, repeats: int) -> dict[str, Any]:
    voice = next(iter(model.voices.values()))
    whole = model.generate(SENTENCE, voice)
    firsts, alls, chunks = [], [], []
    for _ in range(repeats + 2):  # the first two warm up
        start = time.perf_counter()
        stream = model.stream(SENTENCE, voice)
        chunks = [next(stream)]
        firsts.append(time.perf_counter() - start)
        chunks += list(stream)
        alls.append(time.perf_counter() - start)
    error = np.abs(np.concatenate([chunk.samples for chunk in chunks]) - whole.samples).max()
    long = model.generate(PARAGRAPH * 2, voice)
    long_error = np.abs(np.concatenate([c.samples for c in model.stream(PARAGRAPH * 2, voice)]) - long.samples).max()
    return {
        "words": len(SENTENCE.split()),
        "first_chunk_ms_median": round(1e3 * statistics.median(firsts[2:]), 1),
        "first_chunk_ms_best": round(1e3 * min(firsts[2:]), 1),
        "first_chunk_ms_worst": round(1e3 * max(firsts[2:]), 1),
        "first_chunk_seconds_of_speech": round(chunks[0].duration_seconds, 3),
        "chunks": len(chunks),
        "rtf": round(statistics.median(alls[2:]) / whole.duration_seconds, 4),
        "largest_difference_from_generate": float(error),
        "largest_difference_of_two_paragraphs": float(long_error),
    }


def batch(model: voxclone.VoxClone, repeats: int, threads: int) -> dict[str, Any]:
    """Lists of texts in one call; and 32 texts by as many Python threads as `threads`, each with one of PyTorch's."""
    voice = next(iter(model.voices.values()))
    curves: dict[str, Any] = {}
    for name, texts in {"short": list(SHORT), "twenty_words": [SENTENCE]}.items():
        calls = (texts * 32)[:32]  # the same work for each size, in calls of so many texts
        seconds = sum(speech.duration_seconds for speech in model.generate(calls, voice))
        curve, work = {}, {}
        for size in (1, 4, 16, 32):
            took, spent = [], []
            for _ in range(repeats):
                start, start_work = time.perf_counter(), time.process_time()
                for first in range(0, 32, size):
                    model.generate(calls[first : first + size], voice)
                took.append(time.perf_counter() - start)
                spent.append(time.process_time() - start_work)
            curve[size] = round(seconds / statistics.median(took), 1)
            work[size] = round(statistics.median(spent) / seconds, 4)
        torch.set_num_threads(1)
        with ThreadPoolExecutor(threads) as pool:
            start = time.perf_counter()
            speeches = list(pool.map(lambda text: model.generate(text, voice), calls))
            pooled = sum(speech.duration_seconds for speech in speeches) / (time.perf_counter() - start)
        torch.set_num_threads(threads)
        alone, together = model.generate(texts[-1], voice), model.generate((texts * 8)[:32], voice)[len(texts) - 1]
        curves[name] = {
            "speech_seconds_per_second": curve,
            "cpu_seconds_per_second": work,
            "32_against_1": round(curve[32] / curve[1], 2),
            "32_by_python_threads": round(pooled, 1),
            "python_threads_against_1": round(pooled / curve[1], 2),
            "largest_difference_from_alone": float(np.abs(alone.samples - together.samples).max()),
        }
    return curves


def book(model: voxclone.VoxClone, words: int, kept_folder: Path | None) -> dict[str, Any]:
    """Narrate a book of so many words; Ctrl-C stops it, and the figures are then of what was spoken by then."""
    voice = next(iter(model.voices.values()))
    text = book_text(words)
    memory: list[tuple[int, float]] = []
    speech_seconds, generate = 0.0, type(model).generate

    def watched(self: voxclone.VoxClone, part: str, *rest: Any, **options: Any) -> Any:
        nonlocal speech_seconds
        speech = generate(self, part, *rest, **options)
        speech_seconds += speech.duration_seconds
        memory.append(((memory[-1][0] if memory else 0) + len(speech.words), resident_mb()))
        return speech

    type(model).generate = watched  # type: ignore[method-assign, assignment]
    again = None
    with tempfile.TemporaryDirectory() as scratch:
        folder = kept_folder or Path(scratch)
        there = {path.name for path in folder.glob("*.flac")} if folder.exists() else set()
        start, start_work = time.perf_counter(), time.process_time()
        try:
            model.narrate(text, voice, folder)
            seconds, work = time.perf_counter() - start, time.process_time() - start_work
            start = time.perf_counter()
            model.narrate(text, voice, folder)
            again = round(time.perf_counter() - start, 2)
        except KeyboardInterrupt:
            seconds, work = time.perf_counter() - start, time.process_time() - start_work
        finally:
            type(model).generate = generate  # type: ignore[method-assign]
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        megabytes = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    half = len(memory) // 2
    return {
        "words_of_the_book": len(text.split()),
        "parts_found_there_and_kept": len(there),
        "words_spoken_now": memory[-1][0],
        "hours_spoken_now": round(speech_seconds / 3600, 2),
        "hours_in_the_folder": round(sum(part["duration_seconds"] for part in index["parts"]) / 3600, 2),
        "chapters": len(index["chapters"]),
        "files": len(index["parts"]),
        "rtf": round(seconds / speech_seconds, 4),
        "cpu_seconds_per_second": round(work / speech_seconds, 4),
        "seconds_when_all_is_there": again,
        "resident_mb_after_words": [[count, round(mb)] for count, mb in memory[:: max(1, len(memory) // 12)]],
        "resident_mb_highest_first_half": round(max(mb for _, mb in memory[:half] or memory)),
        "resident_mb_highest_second_half": round(max(mb for _, mb in memory[half:])),
        "peak_mb": round(peak_memory_mb()),
        "folder_mb": round(megabytes, 1),
    }


def book_text(words: int) -> str:
    """Paragraphs of one to seven sentences in random order, forty to a chapter: hardly two of a length are alike."""
    pool = [SENTENCE, *SHORT, *(sentence.strip() + "." for sentence in PARAGRAPH.rstrip(".\n ").split(". "))]
    draw, count = random.Random(0), 0
    lines: list[str] = []
    while count < words:
        if len(lines) % 41 == 0:
            lines.append(f"# Chapter {len(lines) // 41 + 1}")
        lines.append(" ".join(draw.choices(pool, k=draw.randint(1, 7))))
        count += len(lines[-1].split())
    return "\n\n".join(lines)


def memory(model: voxclone.VoxClone, sentences: int) -> dict[str, Any]:
    """What is held while sentences of three to 22 words are spoken, hardly two of a length: leaks grow, caches fill."""
    voice, draw = next(iter(model.voices.values())), random.Random(0)
    words = sorted({word.strip(".,;").lower() for word in PARAGRAPH.split()})
    rows = []
    for index in range(sentences + 1):
        if index % max(1, sentences // 8) == 0:
            gc.collect()
            give_back_memory()
            held = allocated_mb()
            rows.append(
                {
                    "sentences": index,
                    "allocated_mb": None if held is None else round(held),
                    "resident_mb": round(resident_mb()),
                    "python_objects": len(gc.get_objects()),
                }
            )
        if index < sentences:
            model.generate(" ".join(draw.choices(words, k=draw.randint(3, 22))) + ".", voice)
    return {"rows": rows}


def allocated_mb() -> float | None:
    """What malloc has given out and not taken back, in MB of 10^6 bytes; None where the C library does not tell."""
    names = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    told = type("Told", (ctypes.Structure,), {"_fields_": [(name, ctypes.c_size_t) for name in names]})
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):
        return None
    ask.restype = told
    found: Any = ask()
    return float(found.uordblks + found.hblkhd) / 1e6


def resident_mb() -> float:
    """Resident memory now, in MB of 10^6 bytes; the peak so far where the system does not tell it."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return peak_memory_mb()
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
