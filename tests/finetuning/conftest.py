"""What a speaker recorded: eight sentences that espeak-ng speaks, with their texts."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

for name in ("accelerate", "numba", "tensorboard", "matplotlib", "silero_vad", "pyarrow"):
    pytest.importorskip(name, reason="the finetune extra is not installed")

BUNDLED = Path(__file__).parents[2] / "pretrained" / "en-small"
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


@pytest.fixture(scope="session")
def aligner() -> Any:
    """The bundled model's, which can tell right texts from wrong ones."""
    from voxclone import hub
    from voxclone.models.aligner import Aligner

    if not BUNDLED.is_dir():
        pytest.skip("no model is bundled")
    sizes = hub.read_config(BUNDLED).aligner
    assert sizes is not None
    return hub.build(lambda: Aligner(sizes), BUNDLED / "aligner.safetensors").eval()


@pytest.fixture(scope="session")
def tiny_folder(tiny_folder: Path, aligner: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with an aligner that was trained: of texts that fit at random nothing would be learned."""
    from voxclone import hub

    folder = tmp_path_factory.mktemp("aligning") / "tiny"
    shutil.copytree(tiny_folder, folder)
    sizes = hub.read_config(BUNDLED).aligner
    hub.save_part(folder, "aligner", aligner, dataclasses.replace(hub.read_config(folder), aligner=sizes))
    return folder
