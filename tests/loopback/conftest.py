"""A real HTTP server on loopback that speaks the Hub's API for what voxclone asks of it, and fails as the Hub does."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import re
import socket
import threading
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

TOKEN = "hf_secret"
LFS = re.compile(r"\.(safetensors|voice)$")

# What the Hub answers, as recorded: status, X-Error-Code, message, further headers.
REFUSALS: dict[str, tuple[int, str, str, dict[str, str]]] = {
    "no repository, not logged in": (401, "RepoNotFound", "Invalid username or password.", {}),
    "no repository": (404, "RepoNotFound", "Repository not found", {}),
    "wrong token": (401, "", "Invalid credentials in Authorization header", {}),
    "gated": (403, "GatedRepo", "Access to model org/name is restricted and you are not in the authorized list.", {}),
    "no revision": (404, "RevisionNotFound", "Invalid rev id: v9", {}),
    "forbidden": (403, "", 'You don\'t have the rights to create a model under the namespace "org".', {}),
    "rate limit": (429, "", "We had to rate limit your IP.", {"RateLimit": '"api";r=0;t=120', "Retry-After": "0"}),
    "out of order": (503, "", "Service Unavailable", {}),
}


@dataclass
class Repository:
    """Commits and branches of one repository."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        digest = hashlib.sha1(repr(sorted(files.items())).encode() + str(len(self.commits)).encode()).hexdigest()
        self.commits[digest] = files
        self.branches[branch] = digest
        return digest

    def files(self, revision: str) -> dict[str, bytes]:
        return self.commits[self.branches.get(revision, revision)]


@dataclass
class Fault:
    """What goes wrong with requests whose "METHOD path" matches; `times` of them, or all where it is None."""

    where: re.Pattern[str]
    do: Callable[[Handler], None]
    times: int | None = None


class Hub:
    """The server's state; `requests` are those that it was sent, as "METHOD path"."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.ranges: list[str] = []
        self.tokens: list[str | None] = []
        self.faults: list[Fault] = []
        self.xet = False  # whether files are said to be in Xet storage
        self.lock = threading.Lock()
        self.url = ""

    def add(self, name: str) -> Repository:
        made = self.repositories[name] = Repository()
        return made

    def fail(self, where: str, do: Callable[[Handler], None], times: int | None = None) -> None:
        self.faults.append(Fault(re.compile(where), do, times))

    def refuse(self, kind: str, where: str = "", times: int | None = None) -> None:
        status, code, message, headers = REFUSALS[kind]

        def answer(handler: Handler) -> None:
            coded = {"X-Error-Code": code, "X-Error-Message": message} if code else {"X-Error-Message": message}
            handler.reply(status, {"error": message}, coded | headers)

        self.fail(where, answer, times)

    def truncate(self, where: str, share: float = 0.5, times: int | None = None) -> None:
        """Break the connection within the body."""
        self.fail(where, lambda handler: handler.serve(share=share), times)

    def hang_up(self, where: str, times: int | None = None) -> None:
        """Break the connection instead of an answer."""
        self.fail(where, Handler.disconnect, times)

    def asked(self, pattern: str) -> list[str]:
        return [request for request in self.requests if re.search(pattern, request)]


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def handle_any(self) -> None:
        hub = self.server.hub
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length) if length else self._chunked()
        parts = urlsplit(self.path)
        self.route, self.query = unquote(parts.path), parse_qs(parts.query)
        request = f"{self.command} {self.route}"
        with hub.lock:
            hub.requests.append(request)
            hub.tokens.append(self.headers.get("Authorization"))
            fault = next((f for f in hub.faults if f.where.search(request) and f.times != 0), None)
            if fault is not None and fault.times is not None:
                fault.times -= 1
        if fault is not None:
            fault.do(self)
        else:
            self.serve()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any

    def _chunked(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return b""
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def disconnect(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def reply(self, status: int, content: Any, headers: dict[str, str] | None = None, share: float = 1.0) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: int(share * len(body))])
        if share < 1:
            self.wfile.flush()
            self.disconnect()

    def serve(self, share: float = 1.0) -> None:
        hub = self.server.hub
        for pattern, answer in ROUTES:
            if match := re.fullmatch(pattern, f"{self.command} {self.route}"):
                found = match.groupdict()
                if "repo" in found:
                    repository = hub.repositories.get(found["repo"])
                    authorised = self.headers.get("Authorization") == f"Bearer {TOKEN}"
                    if repository is None or (repository.private and not authorised):
                        self._not_found("RepoNotFound", "Repository not found", 401)
                        return
                    known = repository.branches.keys() | repository.commits.keys()
                    if "revision" in found and found["revision"] not in known and self.command in ("GET", "HEAD"):
                        self._not_found("RevisionNotFound", f"Invalid rev id: {found['revision']}", 404)
                        return
                answer(self, hub, share=share, **found)
                return
        self.reply(404, {"error": f"the loopback hub has no {self.command} {self.route}"})

    def _not_found(self, code: str, message: str, status: int) -> None:
        self.reply(status, {"error": message}, {"X-Error-Code": code, "X-Error-Message": message})


def oid(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def info(handler: Handler, hub: Hub, repo: str, revision: str = "main", **_: Any) -> None:
    repository = hub.repositories[repo]
    files = repository.files(revision)
    siblings = [{"rfilename": name} for name in files]
    sha = repository.branches.get(revision, revision)
    handler.reply(200, {"id": repo, "sha": sha, "private": repository.private, "siblings": siblings})


def tree(handler: Handler, hub: Hub, repo: str, revision: str, **_: Any) -> None:
    listing = []
    for name, content in hub.repositories[repo].files(revision).items():
        entry: dict[str, Any] = {"type": "file", "path": name, "size": len(content)}
        entry["oid"] = hashlib.sha1(content).hexdigest()
        if LFS.search(name):
            entry["lfs"] = {"oid": oid(content), "size": len(content), "pointerSize": 130}
        listing.append(entry)
    handler.reply(200, listing)


def resolve(handler: Handler, hub: Hub, repo: str, revision: str, path: str, share: float = 1.0) -> None:
    """Files in git come at once; large ones by a redirect to where they are stored, with their size and sum."""
    repository = hub.repositories[repo]
    content = repository.files(revision).get(path)
    if content is None:
        handler._not_found("EntryNotFound", "Entry not found", 404)
        return
    headers = {"X-Repo-Commit": repository.branches.get(revision, revision), "Accept-Ranges": "bytes"}
    if not LFS.search(path):
        handler.reply(200, content, headers | {"ETag": f'"{hashlib.sha1(content).hexdigest()}"'}, share)
        return
    hub.objects[oid(content)] = content
    headers |= {"X-Linked-ETag": f'"{oid(content)}"', "X-Linked-Size": str(len(content)), "ETag": '"of the redirect"'}
    headers["Location"] = f"{hub.url.replace('127.0.0.1', 'localhost')}/storage/{oid(content)}"  # another host
    if hub.xet:
        token = f'<{hub.url}/api/models/{repo}/xet-read-token/{headers["X-Repo-Commit"]}>; rel="xet-auth"'
        headers |= {"X-Xet-Hash": oid(content), "Link": token}
    handler.reply(302, b"", headers)


def storage(handler: Handler, hub: Hub, key: str, share: float = 1.0) -> None:
    content = hub.objects[key]
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    if asked is None:
        handler.reply(200, content, {"Accept-Ranges": "bytes"}, share)
        return
    start = int(asked[1])
    hub.ranges.append(asked[0])
    span = f"bytes {start}-{len(content) - 1}/{len(content)}"
    handler.reply(206, content[start:], {"Content-Range": span}, share)


def store(handler: Handler, hub: Hub, key: str, **_: Any) -> None:
    assert oid(handler.body) == key
    hub.objects[key] = handler.body
    handler.reply(200, b"", {"ETag": key})


def create(handler: Handler, hub: Hub, **_: Any) -> None:
    wanted = json.loads(handler.body)
    repo = f"{wanted['organization']}/{wanted['name']}"
    answer = {"url": f"{hub.url}/{repo}", "id": repo, "name": repo}
    if handler.headers.get("Authorization") != f"Bearer {TOKEN}":
        handler.reply(401, {"error": "Invalid username or password."})
    elif repo in hub.repositories:
        handler.reply(409, answer | {"error": "You already created this model repo"})
    else:
        made = hub.repositories[repo] = Repository(private=wanted.get("private", wanted.get("visibility") == "private"))
        made.commit({".gitattributes": b"*.safetensors filter=lfs\n"})
        handler.reply(200, answer)


def branch(handler: Handler, hub: Hub, repo: str, name: str, **_: Any) -> None:
    branches = hub.repositories[repo].branches
    if name in branches:
        handler.reply(409, {"error": "Reference already exists"})
    else:
        branches[name] = branches["main"]
        handler.reply(200, {})


def preupload(handler: Handler, hub: Hub, **_: Any) -> None:
    files = [
        {"path": file["path"], "uploadMode": "lfs" if LFS.search(file["path"]) else "regular", "shouldIgnore": False}
        for file in json.loads(handler.body)["files"]
    ]
    handler.reply(200, {"files": files})


def batch(handler: Handler, hub: Hub, **_: Any) -> None:
    objects = []
    for wanted in json.loads(handler.body)["objects"]:
        entry: dict[str, Any] = {"oid": wanted["oid"], "size": wanted["size"], "authenticated": True}
        if wanted["oid"] not in hub.objects:
            entry["actions"] = {"upload": {"href": f"{hub.url}/storage/{wanted['oid']}", "header": {}}}
        objects.append(entry)
    handler.reply(200, {"transfer": "basic", "objects": objects})


def commit(handler: Handler, hub: Hub, repo: str, revision: str, **_: Any) -> None:
    repository = hub.repositories[repo]
    files = dict(repository.files(revision))
    for line in handler.body.splitlines():
        operation = json.loads(line)
        value = operation["value"]
        if operation["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif operation["key"] == "lfsFile":
            files[value["path"]] = hub.objects[value["oid"]]
        elif operation["key"] == "deletedFile":
            del files[value["path"]]
    made = repository.commit(files, revision)
    url = f"{hub.url}/{repo}/commit/{made}"
    handler.reply(200, {"success": True, "commitOid": made, "commitUrl": url, "hookOutput": ""})


def validate_yaml(handler: Handler, hub: Hub, **_: Any) -> None:
    handler.reply(200, {"errors": [], "warnings": []})


REPO = r"(?P<repo>[\w.-]+/[\w.-]+)"
ROUTES: list[tuple[str, Callable[..., None]]] = [
    (rf"GET /api/models/{REPO}", info),
    (rf"GET /api/models/{REPO}/revision/(?P<revision>[^/]+)", info),
    (rf"GET /api/models/{REPO}/tree/(?P<revision>[^/]+)", tree),
    (rf"(?:GET|HEAD) /{REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", resolve),
    (r"GET /storage/(?P<key>\w+)", storage),
    (r"PUT /storage/(?P<key>\w+)", store),
    (r"POST /api/repos/create", create),
    (rf"POST /api/models/{REPO}/branch/(?P<name>.+)", branch),
    (rf"POST /api/models/{REPO}/preupload/(?P<revision>[^/]+)", preupload),
    (rf"POST /{REPO}\.git/info/lfs/objects/batch", batch),
    (rf"POST /api/models/{REPO}/commit/(?P<revision>[^/]+)", commit),
    (r"POST /api/validate-yaml", validate_yaml),
]


class Server(ThreadingHTTPServer):
    """The server, with its state."""

    daemon_threads = True

    def __init__(self, hub: Hub) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hub = hub
        hub.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is killed in the middle is part of the tests."""


@pytest.fixture
def hub_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Hub]:
    """The Hub, empty; huggingface_hub in this process talks to it, and does not wait between its attempts."""
    import huggingface_hub
    from huggingface_hub import constants

    hub = Hub()
    server = Server(hub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    impatient = types.SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None})
    for name in ("utils._http", "file_download"):
        monkeypatch.setattr(importlib.import_module(f"huggingface_hub.{name}"), "time", impatient)
    yield hub
    huggingface_hub.close_session()
    server.shutdown()
    server.server_close()
