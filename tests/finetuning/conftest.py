"""What a speaker recorded: eight sentences that espeak-ng speaks, with their texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

for name in ("accelerate", "numba", "tensorboard", "matplotlib", "silero_vad", "pyarrow"):
    pytest.importorskip(name, reason="the finetune extra is not installed")

SENTENCES = (
    "The boat sailed slowly past the old red house this morning.",
    "Nine men drank tea in the garden, and nobody spoke a word.",
    "Please bring a warm coat and two books for the long journey.",
    "Rain fell on the distant hills for seven hours without a break.",
    "A yellow lamp stood by the window until the storm was over.",
    "Would you rather walk to the station or wait for the bus?",
    "My uncle measures the leisure of others with great pleasure.",
    "Thirty thousand people watched the ship leave the harbour.",
)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory, espeak: Any) -> Path:
    """A folder of wav files with a text beside each."""
    import soundfile

    folder = tmp_path_factory.mktemp("speaker") / "recordings"
    folder.mkdir()
    for number, sentence in enumerate(SENTENCES):
        samples = espeak.speak(sentence, "en-us+f3", 60)
        soundfile.write(folder / f"{number}.wav", samples, espeak.sample_rate)
        (folder / f"{number}.txt").write_text(sentence + "\n", encoding="utf-8")
    return folder
