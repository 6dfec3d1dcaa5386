"""Links in the repository's documents lead to what is there, and files of code that they name are there."""

import re
from pathlib import Path

import voxclone

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "RESPONSIBLE_USE.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "recipes").glob("*/*.md")),
    ROOT / "benchmarks" / "README.md",
]
PRESENT = [  # the documents that describe the code as it is, and name no file of a reader's own
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmarks" / "README.md",
    *(ROOT / "docs" / name for name in ("architecture.md", "kernels.md", "watermark.md")),
]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def prose(path: Path) -> str:
    """A document without its code, in which brackets are not links."""
    return re.sub(r"^ *```.*?^ *```$|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """What a page's headings are called in a link, as GitHub makes it of them; repeated ones are counted."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} (.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        count = 0
        while (anchor := f"{name}-{count}" if count else name) in found:
            count += 1
        found.add(anchor)
    return found


def test_links_lead_somewhere() -> None:
    links = [(path, link) for path in DOCUMENTS for link in LINK.findall(prose(path)) if "://" not in link]
    assert len(links) >= 40
    lost = []
    for path, link in links:
        file, _, anchor = link.partition("#")
        target = (path.parent / file) if file else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(f"{path.relative_to(ROOT)}: {link}")
    assert not lost


def test_code_files_that_are_named_are_there() -> None:
    package = Path(voxclone.__file__).parent  # elsewhere where the wheel is installed
    folders = [package, *(ROOT / name for name in ("recipes", "benchmarks", "tests", "docs"))]
    files = {"/" + path.relative_to(folder.parent).as_posix() for folder in folders for path in folder.rglob("*.*")}
    named = [
        (path.name, name)
        for path in PRESENT
        for name in re.findall(r"[\w/]+\.(?:py|cu)\b", path.read_text(encoding="utf-8"))
    ]
    assert len(named) >= 60
    assert not [each for each in named if not any(file.endswith("/" + each[1]) for file in files)]
