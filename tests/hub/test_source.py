"""What resolve finds: bundled models, folders, a cache laid out by hand; and what it makes of a Hub's answers."""

import errno
import hashlib
import importlib
import importlib.resources
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants, errors

from voxclone import hub
from voxclone.errors import ModelError
from voxclone.hub import source

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Fill = Callable[[Path], Path]


def test_import_is_light() -> None:
    code = "import sys, voxclone.hub; sys.exit('huggingface_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("place", ["site-packages/voxclone/pretrained", "site-packages/pretrained"])
def test_bundled_model(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    package = tmp_path / "site-packages" / "voxclone"
    package.mkdir(parents=True)
    monkeypatch.setattr(importlib.resources, "files", lambda name: package)
    with pytest.raises(ModelError, match="bundled model 'en-small' is not installed: looked in "):
        hub.resolve(None)
    target = tmp_path / place / hub.BUNDLED_NAME
    target.parent.mkdir()
    folder.rename(target)
    assert hub.resolve(None) == target


def test_bundled_model_is_sought_in_this_checkout() -> None:
    package = Path(str(importlib.resources.files("voxclone")))
    assert package == Path(source.__file__).parent.parent


def test_local_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub.resolve(folder) == hub.resolve(str(folder)) == folder
    monkeypatch.setenv("HOME", str(folder.parent))
    assert hub.resolve("~/tiny") == folder
    monkeypatch.chdir(folder.parent.parent)
    assert hub.resolve("models/tiny") == Path("models/tiny")  # also has the form of a name on the Hub: the folder wins


def test_missing_folder_is_hinted_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = folder.parent
    with pytest.raises(ModelError, match=rf"no local folder '{parent}/tinny' \(did you mean '{folder}'\?\)"):
        hub.resolve(parent / "tinny")
    with pytest.raises(ModelError, match=rf"did you mean '{parent}'"):
        hub.resolve(str(parent.parent / "model" / "tiny"))
    monkeypatch.chdir(parent)
    with pytest.raises(ModelError, match=r"did you mean 'tiny'\?\)\. A model on the Hub is named 'org/name'"):
        hub.resolve("tin")
    with pytest.raises(ModelError, match=r"no local folder 'xyz'\. A model"):
        hub.resolve("xyz")


def test_wrong_places(folder: Path) -> None:
    with pytest.raises(ModelError, match=rf"config\.json is a file; .* may be {folder}"):
        hub.resolve(folder / "config.json")
    with pytest.raises(ModelError, match=r"models is not a voxclone model: .* holds no config\.json"):
        hub.resolve(folder.parent)
    with pytest.raises(ModelError, match=f"revision 'v1' was given, but the local folder {folder}"):
        hub.resolve(folder, revision="v1")
    with pytest.raises(ModelError, match="revision 'v1' was given, but the bundled model"):
        hub.resolve(None, revision="v1")
    for nowhere in ("", "https://huggingface.co/org/name"):
        with pytest.raises(ModelError, match=f"^'{nowhere}' is no model: give a folder, a name on the Hub, 'org/name'"):
            hub.resolve(nowhere)


@pytest.mark.parametrize("revision", [None, "main", "v1", COMMIT])
def test_cached_model(folder: Path, cache: Fill, revision: str | None) -> None:
    """Its files are symbolic links to blobs, and every part of the library follows them."""
    found = hub.resolve("org/name", revision=revision, cache_dir=cache(folder), local_files_only=True)
    assert found.name == COMMIT
    assert (found / "config.json").is_symlink()
    hub.check_integrity(found)
    assert hub.read_config(found) == hub.read_config(folder)
    assert hub.read_tensors(found / "vocoder.safetensors")[0].keys() == {"weight"}


def test_offline_by_environment(folder: Path, cache: Fill) -> None:
    """HF_HUB_OFFLINE is read when huggingface_hub is imported: only a process of its own shows it."""
    code = (
        "import sys\nfrom voxclone import errors, hub\n"
        "print(hub.resolve('org/name', cache_dir=sys.argv[1]).name)\n"
        "try: hub.resolve('org/other', cache_dir=sys.argv[1])\n"
        "except errors.ModelError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(cache(folder))]
    environment = {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(Path(source.__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found, error = run.stdout.splitlines()
    assert found == COMMIT
    assert error.startswith("org/other (revision main) is not, or not completely, in the local cache, and HF_HUB_OFFL")


@pytest.mark.parametrize(("name", "revision"), [("org/other", None), ("org/name", "v2"), ("org/name", "0" * 40)])
def test_not_in_the_cache(folder: Path, cache: Fill, name: str, revision: str | None) -> None:
    missing = rf"{name} \(revision {revision or 'main'}\) .*, and local_files_only=True; pass False once to download it"
    with pytest.raises(ModelError, match=missing):
        hub.resolve(name, revision=revision, cache_dir=cache(folder), local_files_only=True)


def test_cached_model_that_is_not_ours_or_not_whole(folder: Path, cache: Fill) -> None:
    root = cache(folder)
    snapshot = root / "models--org--name" / "snapshots" / COMMIT
    (snapshot / "vocoder.safetensors").unlink()
    with pytest.raises(ModelError, match=r"lacks vocoder\.safetensors"):
        hub.check_integrity(hub.resolve("org/name", cache_dir=root, local_files_only=True))
    (snapshot / "config.json").resolve().unlink()  # the link now leads nowhere
    with pytest.raises(ModelError, match=r"org/name is not a voxclone model: .* holds no config\.json"):
        hub.resolve("org/name", cache_dir=root, local_files_only=True)


def test_name_that_the_hub_does_not_allow(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"Cannot have -- or \.\. in repo_id"):
        hub.resolve("org/a--b", cache_dir=tmp_path)


class FakeHub:
    """Answers huggingface_hub's requests as the Hub's API does, from a folder; remembers what it was asked."""

    def __init__(self, folder: Path) -> None:
        # httpx2, httpx, by huggingface_hub's version: the client whose transport is replaced
        self.http = importlib.import_module(errors.HTTPError.__module__.partition(".")[0])
        self.folder = folder
        self.fetched: list[str] = []
        self.failure: tuple[int, str] | Exception | None = None  # to every request
        self.file_failure: tuple[int, str] | Exception | None = None  # to requests for files

    def client(self) -> Any:
        return self.http.Client(transport=self.http.MockTransport(self.answer), follow_redirects=True)

    def answer(self, request: Any) -> Any:
        path = request.url.path
        failure = self.failure or ("/resolve/" in path and self.file_failure)
        if isinstance(failure, Exception):
            raise failure
        if failure:
            return self.http.Response(failure[0], headers={"X-Error-Code": failure[1]}, request=request)
        if "/tree/" in path:
            names = [file.relative_to(self.folder).as_posix() for file in self.folder.rglob("*") if file.is_file()]
            listing = [{"type": "file", "path": name, "size": 1, "oid": self.etag(name)} for name in names]
            return self.http.Response(200, json=listing, request=request)
        if "/resolve/" in path:
            name = path.partition(f"/resolve/{COMMIT}/")[2]
            content = (self.folder / name).read_bytes()
            headers = {"ETag": f'"{self.etag(name)}"', "X-Repo-Commit": COMMIT, "Content-Length": str(len(content))}
            if request.method == "HEAD":
                return self.http.Response(200, headers=headers, request=request)
            self.fetched.append(name)
            return self.http.Response(200, headers=headers, content=content, request=request)
        return self.http.Response(200, json={"id": "org/name", "sha": COMMIT, "siblings": []}, request=request)

    def etag(self, name: str) -> str:
        return hashlib.sha1((self.folder / name).read_bytes()).hexdigest()


@pytest.fixture
def fake_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    fake = FakeHub(folder)
    huggingface_hub.set_client_factory(fake.client)
    yield fake
    huggingface_hub.close_session()
    huggingface_hub.set_client_factory(huggingface_hub.utils._http.default_client_factory)


def test_download_takes_the_layout_and_nothing_else(fake_hub: FakeHub, folder: Path, tmp_path: Path) -> None:
    wanted = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    for name in ("README.md", "optimizer.pt", "extra.safetensors", "checkpoints/acoustic.safetensors"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("not for download")
    found = hub.resolve("org/name", cache_dir=tmp_path / "cache")
    assert sorted(fake_hub.fetched) == wanted
    hub.check_integrity(found)
    fake_hub.failure = fake_hub.http.ConnectError("no route")
    assert hub.resolve("org/name", cache_dir=tmp_path / "cache") == found


def test_a_damaged_download_says_what_to_delete_and_that_mends_it(
    fake_hub: FakeHub, folder: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "cache" / "models--org--name"
    found = hub.resolve("org/name", cache_dir=tmp_path / "cache")
    weights = (found / "vocoder.safetensors").resolve()
    weights.write_bytes(weights.read_bytes()[:100])
    again = hub.resolve("org/name", cache_dir=tmp_path / "cache")  # the cache keeps what it has
    advice = f"delete {repository} and load the model again, which downloads it anew"
    with pytest.raises(ModelError, match=rf"vocoder\.safetensors is damaged .*; {advice}"):
        hub.check_integrity(again)
    shutil.rmtree(repository)
    hub.check_integrity(hub.resolve("org/name", cache_dir=tmp_path / "cache"))


def test_weights_that_git_did_not_fetch(folder: Path) -> None:
    (folder / "vocoder.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(ModelError, match=r"vocoder\.safetensors is a Git LFS pointer \(`git lfs pull` fetches"):
        hub.check_integrity(folder)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (
            404,
            "RepoNotFound",
            r"the Hub shows no model 'org/name': check the name; if .* `hf auth login`, or pass token",
        ),
        (401, "RepoNotFound", "the Hub shows no model 'org/name'"),
        (403, "GatedRepo", r"org/name is gated: ask for access at https://huggingface\.co/org/name, then log in"),
        (404, "RevisionNotFound", r"org/name has no revision 'v9'; .*/org/name/commits/main"),
        (503, "", r"and the Hub cannot be reached; check the network \(.*503"),
    ],
)
def test_refusals(fake_hub: FakeHub, tmp_path: Path, status: int, code: str, message: str) -> None:
    fake_hub.failure = (status, code)
    with pytest.raises(ModelError, match=message):
        hub.resolve("org/name", revision="v9", cache_dir=tmp_path)


def test_gated_files_of_a_listed_repository(fake_hub: FakeHub, tmp_path: Path) -> None:
    fake_hub.file_failure = (403, "GatedRepo")
    with pytest.raises(ModelError, match="org/name is gated"):
        hub.resolve("org/name", cache_dir=tmp_path)


def test_no_network(fake_hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_hub.failure = fake_hub.http.ConnectError("name resolution failed")
    with pytest.raises(ModelError, match=r"the Hub cannot be reached; check the network \(.*name resolution failed"):
        hub.resolve("org/name", cache_dir=tmp_path)
    fake_hub.failure = fake_hub.http.ProxyError("proxy says no")
    with pytest.raises(ModelError, match="org/name: ProxyError: proxy says no"):
        hub.resolve("org/name", cache_dir=tmp_path)
    (tmp_path / "org" / "nam").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"There is no local folder 'org/name' \(did you mean 'org/nam'\?\)\.$"):
        hub.resolve("org/name", cache_dir=tmp_path)


def test_a_cache_that_cannot_be_written(fake_hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    advice = "name a folder that can be written and has room, by cache_dir= or HF_HOME"
    with pytest.raises(ModelError, match=rf"cannot be kept in the cache \(.*Not a directory.*\): {advice}"):
        hub.resolve("org/name", cache_dir=tmp_path / "cache")
    fake_hub.file_failure = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(ModelError, match=r"org/name cannot be kept in the cache \(.*No space left on device\)"):
        hub.resolve("org/name", cache_dir=tmp_path / "other")


def test_repository_of_something_else(fake_hub: FakeHub, tmp_path: Path) -> None:
    fake_hub.folder = tmp_path / "other"
    fake_hub.folder.mkdir()
    (fake_hub.folder / "model.bin").write_text(json.dumps({}))
    with pytest.raises(ModelError, match=r"org/name is not a voxclone model: .* holds no config\.json"):
        hub.resolve("org/name", cache_dir=tmp_path / "cache")
