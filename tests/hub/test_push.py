import importlib
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import errors

from voxclone import hub
from voxclone.errors import ModelError


class FakeApi:
    """HfApi's methods that push_folder needs; keeps their calls, and the folder as it was when uploaded."""

    calls: list[tuple[str, dict[str, Any]]]
    uploaded: dict[str, bytes]
    failure: Exception | None

    def __init__(self, token: str | None = None, **_: object) -> None:
        self.calls.append(("token", {"token": token}))

    def create_repo(self, repo_id: str, **options: object) -> huggingface_hub.RepoUrl:
        if self.failure:
            raise self.failure
        self.calls.append(("create_repo", {"repo_id": repo_id, **options}))
        return huggingface_hub.RepoUrl(f"https://huggingface.co/{repo_id}")

    def create_branch(self, repo_id: str, **options: object) -> None:
        self.calls.append(("create_branch", {"repo_id": repo_id, **options}))

    def upload_folder(self, *, folder_path: str, **options: object) -> None:
        root = Path(folder_path)
        files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        self.uploaded.update(files)
        self.calls.append(("upload_folder", options))


@pytest.fixture(autouse=True)
def api(monkeypatch: pytest.MonkeyPatch) -> type[FakeApi]:
    class Api(FakeApi):
        calls: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012
        uploaded: dict[str, bytes] = {}  # noqa: RUF012
        failure = None

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    return Api


def test_push(folder: Path, api: type[FakeApi]) -> None:
    expected = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    expected["README.md"] = expected["card.md"]
    (folder / "private notes.txt").write_text("not for the Hub")
    (folder / ".git").mkdir()
    assert hub.push_folder(folder, "org/name", token="secret", private=True) == "https://huggingface.co/org/name"
    assert api.uploaded == expected
    upload = {
        "repo_id": "org/name",
        "revision": None,
        "commit_message": "Upload tiny",
        "delete_patterns": ["voices/*.voice"],
    }
    assert api.calls == [
        ("token", {"token": "secret"}),
        ("create_repo", {"repo_id": "org/name", "private": True, "exist_ok": True}),
        ("upload_folder", upload),
    ]


def test_push_to_a_branch(folder: Path, api: type[FakeApi]) -> None:
    assert hub.push_folder(folder, "org/name", revision="v2") == "https://huggingface.co/org/name/tree/v2"
    assert ("create_branch", {"repo_id": "org/name", "branch": "v2", "exist_ok": True}) in api.calls
    assert api.calls[-1][1]["revision"] == "v2"


def test_pushed_files_are_a_whole_model(folder: Path, api: type[FakeApi], tmp_path: Path) -> None:
    hub.push_folder(folder, "org/name")
    copy = tmp_path / "copy"
    for name, content in api.uploaded.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(content)
    hub.check_integrity(copy)


def test_what_is_not_whole_is_not_pushed(folder: Path, api: type[FakeApi], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is not a voxclone model"):
        hub.push_folder(tmp_path / "gone", "org/name")
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    (damaged / "acoustic.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"acoustic\.safetensors is damaged"):
        hub.push_folder(damaged, "org/name")
    for name in ("name", "a/b/c", "./name", "https://huggingface.co/org/name"):
        with pytest.raises(ModelError, match=r"is not a name on the Hub; needed is 'org/name'"):
            hub.push_folder(folder, name)
    assert api.calls == []


def test_push_offline(folder: Path, api: type[FakeApi]) -> None:
    api.failure = errors.OfflineModeIsEnabled("offline")
    with pytest.raises(ModelError, match="cannot push to org/name: HF_HUB_OFFLINE is set"):
        hub.push_folder(folder, "org/name")
    api.failure = ConnectionError("no route")
    with pytest.raises(ModelError, match="cannot push to org/name: org/name: ConnectionError: no route"):
        hub.push_folder(folder, "org/name")


@pytest.mark.parametrize("status", [401, 403])
def test_push_without_rights(folder: Path, api: type[FakeApi], status: int) -> None:
    http = importlib.import_module(errors.HTTPError.__module__.partition(".")[0])
    response = http.Response(status, request=http.Request("POST", "https://huggingface.co/api/repos/create"))
    api.failure = errors.HfHubHTTPError(f"{status} no rights", response=response)
    with pytest.raises(ModelError, match=rf"the Hub refuses this access to org/name: log in .*{status} no rights"):
        hub.push_folder(folder, "org/name")
