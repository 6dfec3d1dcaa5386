"""Which result files are of a former bundle, of a commit that is not in the history, or of code that was not committed.

    python benchmarks/stale.py

A result is of the bundle that its commit holds; named are the parts of it that were replaced since. Whether one of them
bears on a result is for the reader to say: the speaker encoder's errors do not change with the vocoder.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from environment import RESULTS, ROOT

CHECKSUMS = Path("pretrained") / "en-small" / "sha256.txt"


def main() -> None:
    now = parts((ROOT / CHECKSUMS).read_text(encoding="utf-8"))
    for path in sorted(RESULTS.glob("*.json")):
        environment = json.loads(path.read_text(encoding="utf-8"))["environment"]
        date, commit = environment["date"][:16], environment["commit"]
        print(f"{path.name:28}{date}  {commit[:7]}  {state(commit, now)}")


def state(commit: str, now: dict[str, str]) -> str:
    """What there is to say of a result's commit."""
    commit, _, dirty = commit.partition("-")
    said = ["uncommitted code"] if dirty else []
    if git("merge-base", "--is-ancestor", commit, "HEAD") is None:
        return ", ".join([*said, "not in the history"])
    held = git("show", f"{commit}:{CHECKSUMS.as_posix()}")
    if held is None:
        return ", ".join([*said, "before the first bundle"])
    then = parts(held)
    replaced = [name for name in now if then.get(name) != now[name]]
    return ", ".join(said + ([f"replaced since: {' '.join(replaced)}"] if replaced else [])) or "of this bundle"


def parts(checksums: str) -> dict[str, str]:
    """Weights by name: each part's checksum."""
    lines = (line.split() for line in checksums.splitlines())
    return {Path(name).stem: digest for digest, name in lines if name.endswith(".safetensors")}


def git(*arguments: str) -> str | None:
    """What git prints; None where it fails."""
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    main()
