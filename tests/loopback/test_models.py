"""Models: published to the loopback Hub and loaded from it, with what goes wrong on the way."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import constants

import voxclone
from voxclone import ModelError, VoxClone, hub

if TYPE_CHECKING:
    from conftest import Hub

TOKEN = "hf_secret"


@pytest.fixture
def published(hub_server: Hub, tiny_folder: Path) -> str:
    """The tiny model as org/name, with a second branch; its commit."""
    files = {p.relative_to(tiny_folder).as_posix(): p.read_bytes() for p in tiny_folder.rglob("*") if p.is_file()}
    repository = hub_server.add("org/name")
    commit: str = repository.commit(files | {"optimizer.pt": b"not for download"})
    old, new = (hashlib.sha256(card).hexdigest().encode() for card in (files["card.md"], b"another card"))
    repository.commit(files | {"card.md": b"another card", "sha256.txt": files["sha256.txt"].replace(old, new)}, "v2")
    return commit


def test_round_trip(hub_server: Hub, tiny_model: VoxClone, tmp_path: Path) -> None:
    """What is pushed is what is loaded, to the sample; the page is the card."""
    url = tiny_model.push_to_hub("org/mine", token=TOKEN, private=True, card=hub.Card(licence="cc0-1.0"))
    assert url == f"{hub_server.url}/org/mine"
    repository = hub_server.repositories["org/mine"]
    assert repository.private
    files = repository.files("main")
    assert files["README.md"] == files["card.md"]
    assert b'license: "cc0-1.0"' in files["README.md"]
    assert b'from_pretrained("org/mine")' in files["README.md"]
    sums = dict(line.split("  ")[::-1] for line in files["sha256.txt"].decode().splitlines())
    assert {name: hashlib.sha256(files[name]).hexdigest() for name in sums} == sums
    loaded = VoxClone.from_pretrained("org/mine", token=TOKEN, cache_dir=tmp_path, device="cpu")
    spoken = loaded.generate("Hello there.", loaded.voices["ada"]).samples
    assert (spoken == tiny_model.generate("Hello there.", tiny_model.voices["ada"]).samples).all()
    with pytest.raises(ModelError, match="the Hub shows no model 'org/mine': check the name; if the model is private"):
        VoxClone.from_pretrained("org/mine", cache_dir=tmp_path / "other", device="cpu")


def test_second_push_takes_up_what_is_there(hub_server: Hub, tiny_model: VoxClone) -> None:
    """Large files that the Hub has are not sent again; a branch is made; voices that are gone are deleted there."""
    tiny_model.push_to_hub("org/mine", token=TOKEN)
    hub_server.repositories["org/mine"].files("main")["voices/old.voice"] = b"gone"
    url = tiny_model.push_to_hub("org/mine", token=TOKEN, revision="next")
    assert url == f"{hub_server.url}/org/mine/tree/next"
    files = hub_server.repositories["org/mine"].files("next")
    weights = [hashlib.sha256(content).hexdigest() for name, content in files.items() if name.endswith("safetensors")]
    assert [len(hub_server.asked(f"^PUT /storage/{key}")) for key in weights] == [1] * len(weights)
    assert "voices/old.voice" not in hub_server.repositories["org/mine"].files("next")


def test_revisions_and_cache(hub_server: Hub, published: str, tmp_path: Path) -> None:
    where: dict[str, Any] = {"cache_dir": tmp_path, "device": "cpu"}
    assert VoxClone.from_pretrained("org/name", revision="v2", **where).card == "another card"
    pinned = VoxClone.from_pretrained("org/name", revision=published, **where)
    assert pinned.card != "another card"
    assert not hub_server.asked("optimizer")
    asked = len(hub_server.requests)
    VoxClone.from_pretrained("org/name", revision=published, local_files_only=True, **where)
    assert len(hub_server.requests) == asked
    with pytest.raises(ModelError, match="not completely, in the local cache, and local_files_only=True"):
        VoxClone.from_pretrained("org/name", revision="v3", local_files_only=True, **where)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no repository, not logged in", r"the Hub shows no model 'org/name': .*`hf auth login`, or pass token="),
        ("no repository", "the Hub shows no model 'org/name'"),
        ("wrong token", r"the Hub refuses this access to org/name: log in .*Invalid credentials in Authorization"),
        ("gated", r"org/name is gated: ask for access at http://127\.0\.0\.1:\d+/org/name, then log in"),
        ("no revision", r"org/name has no revision 'v9'; those that it has are listed at http.*/org/name/commits/main"),
        ("rate limit", r"the Hub limits how often it may be asked: wait \d+ s, or log in"),
        ("out of order", r"the Hub cannot be reached; check the network \(.*503"),
    ],
)
def test_refusals(hub_server: Hub, published: str, tmp_path: Path, kind: str, message: str) -> None:
    hub_server.refuse(kind)
    with pytest.raises(ModelError, match=message):
        hub.resolve("org/name", revision="v9", cache_dir=tmp_path)


def test_gated_files_of_a_model_that_is_shown(hub_server: Hub, published: str, tmp_path: Path) -> None:
    hub_server.refuse("gated", where="/resolve/")
    with pytest.raises(ModelError, match="org/name is gated"):
        hub.resolve("org/name", cache_dir=tmp_path)


def test_a_refusal_that_passes_is_waited_for(hub_server: Hub, published: str, tmp_path: Path) -> None:
    hub_server.refuse("rate limit", where="/storage/", times=1)
    hub.check_integrity(hub.resolve("org/name", cache_dir=tmp_path))
    asked = hub_server.asked("GET /storage/")
    assert len(asked) == len(set(asked)) + 1


def test_truncated_body_is_taken_up_where_it_broke(
    hub_server: Hub, published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # bytes; what is below it is not kept
    hub_server.truncate("GET /storage/", times=2)
    hub.check_integrity(hub.resolve("org/name", cache_dir=tmp_path))
    assert hub_server.ranges
    assert all(int(span.removeprefix("bytes=").removesuffix("-")) > 0 for span in hub_server.ranges)


def test_disconnect(hub_server: Hub, published: str, tmp_path: Path) -> None:
    """Once is survived; for ever is an error that says so, after which what did arrive is not fetched again."""
    hub_server.hang_up("GET /storage/", times=1)
    hub.check_integrity(hub.resolve("org/name", cache_dir=tmp_path / "a"))
    sum_of_vocoder = hashlib.sha256(
        hub_server.repositories["org/name"].files("main")["vocoder.safetensors"]
    ).hexdigest()
    hub_server.hang_up(f"GET /storage/{sum_of_vocoder}")
    with pytest.raises(ModelError, match=r"org/name: \w+: "):
        hub.resolve("org/name", cache_dir=tmp_path / "b")
    hub_server.faults.clear()
    hub_server.requests.clear()
    hub.check_integrity(hub.resolve("org/name", cache_dir=tmp_path / "b"))
    assert hub_server.asked("GET /storage/") == [f"GET /storage/{sum_of_vocoder}"]


def test_body_that_is_not_what_was_published(hub_server: Hub, published: str, tmp_path: Path) -> None:
    """A mirror that serves another file of the same length: sha256.txt tells."""
    files = hub_server.repositories["org/name"].files("main")
    damaged = bytearray(files["acoustic.safetensors"])
    damaged[-1] ^= 1
    files["acoustic.safetensors"] = bytes(damaged)
    with pytest.raises(ModelError, match=r"acoustic\.safetensors is damaged or was changed .* sha256 is"):
        VoxClone.from_pretrained("org/name", cache_dir=tmp_path, device="cpu")


def test_push_refused(hub_server: Hub, tiny_model: VoxClone) -> None:
    hub_server.refuse("forbidden", where="/api/repos/create")
    with pytest.raises(
        ModelError, match=r"cannot push to org/mine: the Hub refuses this access .*don't have the rights"
    ):
        tiny_model.push_to_hub("org/mine", token=TOKEN)
    hub_server.faults.clear()
    hub_server.refuse("rate limit", where="/commit/")
    with pytest.raises(ModelError, match=r"cannot push to org/mine: the Hub limits how often it may be asked: wait"):
        tiny_model.push_to_hub("org/mine", token=TOKEN)
    assert list(hub_server.repositories["org/mine"].files("main")) == [".gitattributes"]  # all or nothing
    hub_server.faults.clear()
    hub_server.hang_up("/storage/")
    with pytest.raises(ModelError, match="cannot push to org/mine: org/mine: "):
        tiny_model.push_to_hub("org/mine", token=TOKEN)


def test_xet_storage_is_asked_for(
    hub_server: Hub, published: str, tiny_model: VoxClone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the Hub says that a file is in Xet storage, hf-xet is sent for it, and its failure is one of ours."""
    pytest.importorskip("hf_xet")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    hub_server.xet = True
    hub_server.refuse("forbidden", where="xet-(read|write)-token")
    with pytest.raises(ModelError, match="org/name"):
        hub.resolve("org/name", cache_dir=tmp_path)
    assert hub_server.asked(rf"^GET /api/models/org/name/xet-read-token/{published}")
    with pytest.raises(ModelError, match="cannot push to org/mine: "):
        tiny_model.push_to_hub("org/mine", token=TOKEN)
    assert hub_server.asked("^GET /api/models/org/mine/xet-write-token/main")


DOWNLOAD = """
import sys
from voxclone import hub
print(hub.resolve("org/name", cache_dir=sys.argv[1]))
"""


def test_mirror_by_environment_and_a_killed_download(hub_server: Hub, published: str, tmp_path: Path) -> None:
    """HF_ENDPOINT names the mirror; a process killed in the middle leaves what it has for the next one."""
    held = hub_server.repositories["org/name"].files("main")["acoustic.safetensors"]
    key = hashlib.sha256(held).hexdigest()
    hub_server.fail(f"GET /storage/{key}", lambda handler: time.sleep(20), times=1)
    source = str(Path(voxclone.__file__).parents[1])
    environment = {**os.environ, "HF_ENDPOINT": hub_server.url, "PYTHONPATH": source, "HF_HOME": str(tmp_path / "home")}
    environment.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-c", DOWNLOAD, str(tmp_path / "cache")]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not hub_server.asked(f"GET /storage/{key}") and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
    finished = {request for request in hub_server.requests if request.startswith("GET ") and "/resolve/" in request}
    hub_server.requests.clear()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    folder = Path(done.stdout.strip())
    assert folder.name == published
    hub.check_integrity(folder)
    again = {request for request in hub_server.requests if request.startswith("GET ") and "/resolve/" in request}
    assert finished
    assert not (again & {request for request in finished if "/sha256.txt" in request or "/config.json" in request})
    assert json.loads((folder / "config.json").read_text())["name"] == "tiny"
