"""A download is resumed, checked and unpacked once."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from voxclone import VoxcloneError
from voxclone.training.downloads import download, unpack

CONTENT = bytes(range(256)) * 40
SUM = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Sends CONTENT; `ranges` are those that it was asked for, `cut` bytes are the most that it sends."""

    ranges: list[str | None]
    cut: int | None = None


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if self.path == "/gone":
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.path != "/no-ranges" else 0
        if start == len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : None if self.server.cut is None else start + self.server.cut])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server(("127.0.0.1", 0), Handler)
    found.ranges = []
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()


def url(server: Server, path: str = "/file") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


def test_a_file_comes_once(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        assert download(url(server), tmp_path / "file", SUM).read_bytes() == CONTENT
    assert server.ranges == [None]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_was_cut_goes_on(server: Server, tmp_path: Path) -> None:
    server.cut = 3000
    with pytest.raises(VoxcloneError, match=r"3000 of 10240 bytes came; the same command goes on"):
        download(url(server), tmp_path / "file", SUM)
    assert not (tmp_path / "file").exists()
    server.cut = None
    assert download(url(server), tmp_path / "file", SUM).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=3000-"]


@pytest.mark.parametrize(("path", "have"), [("/no-ranges", 100), ("/file", len(CONTENT))])
def test_servers_that_start_anew_and_nothing_left_to_send(server: Server, tmp_path: Path, path: str, have: int) -> None:
    (tmp_path / "file.partial").write_bytes(CONTENT[:have])
    assert download(url(server, path), tmp_path / "file", SUM).read_bytes() == CONTENT


def test_another_file_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(VoxcloneError, match="what came has sha256"):
        download(url(server), tmp_path / "file", "0" * 64)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(VoxcloneError, match="not the file that is expected"):
        download(url(server), tmp_path / "file", SUM)
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_refusals_and_silence_are_errors(server: Server, tmp_path: Path) -> None:
    with pytest.raises(VoxcloneError, match="404"):
        download(url(server, "/gone"), tmp_path / "file", SUM)
    with pytest.raises(VoxcloneError, match="cannot be fetched"):
        download("http://127.0.0.1:9/file", tmp_path / "file", SUM)


def test_archives_are_unpacked_once_and_stay_inside(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("deep/x.txt")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"hi"))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("y.txt", "ho")
    out = tmp_path / "out"
    out.mkdir()
    for name in ("a.tar.gz", "b.zip"):
        unpack(tmp_path / name, out)
    assert (out / "deep/x.txt").read_text() == "hi" and (out / "y.txt").read_text() == "ho"
    (out / "deep/x.txt").unlink()
    unpack(tmp_path / "a.tar.gz", out)
    assert not (out / "deep/x.txt").exists()

    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        info = tarfile.TarInfo("../outside.txt")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"no"))
    (tmp_path / "no.zip").write_bytes(b"nothing")
    for name, said in (("evil.tar", "cannot be unpacked"), ("no.zip", "neither a tar nor a zip")):
        with pytest.raises(VoxcloneError, match=said):
            unpack(tmp_path / name, out)
    assert not (tmp_path / "outside.txt").exists()
