"""docs/api.py writes a page with every public name; docs/architecture.md names files that are there."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

import voxclone

ROOT = Path(__file__).resolve().parents[1]


def test_every_public_name_has_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pdoc")
    script = runpy.run_path(str(ROOT / "docs" / "api.py"))
    assert {"voxclone.audio.io", "voxclone.text.normalize", "voxclone.safety.consent"} <= set(script["modules"]())
    monkeypatch.setitem(script["main"].__globals__, "PACKAGES", ())
    monkeypatch.setattr(sys, "argv", ["api.py", str(tmp_path)])
    before = dict(vars(voxclone))
    try:
        script["main"]()
    finally:
        vars(voxclone).clear()
        vars(voxclone).update(before)
    page = (tmp_path / "voxclone.html").read_text(encoding="utf-8")
    for name in set(voxclone.__all__) - {"__version__"}:
        assert f'id="{name}"' in page, name
    for method in ("from_pretrained", "generate", "narrate", "align", "push_to_hub"):
        assert f'id="VoxClone.{method}"' in page, method


def test_the_files_of_the_architecture_are_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+/(?:[a-z_/]+)?(?:[a-z_]+\.(?:py|md))?)`", text))
    assert len(named) > 10
    roots = (ROOT, Path(voxclone.__file__).parent, ROOT / "pretrained" / "en-small")
    for name in named:
        assert any((root / name).exists() for root in roots), name
