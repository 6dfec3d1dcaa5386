"""The quick-start notebook is what its script writes, and each of its cells runs; the gallery page plays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import voxclone
from voxclone import hub

ROOT = Path(__file__).resolve().parents[1]
BUNDLED = [folder / "pretrained" / hub.BUNDLED_NAME for folder in (Path(voxclone.__file__).parent, ROOT)]


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "recipes" / "gallery" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.skipif(not any((f / "config.json").is_file() for f in BUNDLED), reason="no model is bundled")
def test_every_cell_runs() -> None:
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    done = run("notebook.py", "--check", "--execute")
    assert done.returncode == 0, done.stderr


def test_the_gallery_holds_every_voice(tiny_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = run("build.py", "--model", str(tiny_folder), "--text", "Hello there.", "--out", str(tmp_path / "page.html"))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<audio") == page.count("<img") == 2 * 5 + 3
    assert "<h2>ada</h2>" in page
    assert "<h2>bob</h2>" in page
