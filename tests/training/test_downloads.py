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

import numpy as np
import pytest

from voxclone import VoxcloneError
from voxclone.files import file_sha256
from voxclone.training.downloads import download, unfinished, unpack

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
        download("http://127.0.0.1:9/file", tmp_path / "new" / "file", SUM)
    assert not (tmp_path / "new").exists()


def pack(path: Path, members: dict[str, bytes]) -> str:
    """Make the archive that the suffix names, and give its SHA-256."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA if path.stem == "lzma" else zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(path, "w" if path.suffix == ".tar" else f"w:{path.suffix[1:]}") as tar:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return file_sha256(path)


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_archives_are_unpacked_once_and_stay_inside(tmp_path: Path) -> None:
    sums = {
        "a.tar.gz": pack(tmp_path / "a.tar.gz", {"deep/x.txt": b"hi"}),
        "b.zip": pack(tmp_path / "b.zip", {"y.txt": b"ho"}),
    }
    out = tmp_path / "new/out"
    for name, sha256 in sums.items():
        unpack(tmp_path / name, out, sha256)
    assert (out / "deep/x.txt").read_text() == "hi" and (out / "y.txt").read_text() == "ho"
    (out / "deep/x.txt").unlink()
    unpack(tmp_path / "a.tar.gz", out, sums["a.tar.gz"])
    assert not (out / "deep/x.txt").exists()

    evil = pack(tmp_path / "evil.tar", {"../outside.txt": b"no"})
    (tmp_path / "no.zip").write_bytes(b"nothing")
    for name, said in (("evil.tar", "cannot be unpacked"), ("no.zip", "neither a tar nor a zip")):
        with pytest.raises(VoxcloneError, match=said):
            unpack(tmp_path / name, out, evil)
    assert not list(tmp_path.rglob("outside.txt"))


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar.bz2", "a.tar.xz", "a.zip", "lzma.zip"])
def test_of_a_damaged_archive_nothing_is_kept_and_a_whole_one_mends_it(tmp_path: Path, name: str) -> None:
    random = np.random.default_rng(0)
    members = {f"{number:02d}/x.wav": random.bytes(30_000) for number in range(40)}
    sha256, out = pack(tmp_path / name, members), tmp_path / "out"
    whole = (tmp_path / name).read_bytes()
    faults = [whole[: len(whole) // 2]]
    for place in (0.3, 0.5, 0.7):
        damaged = bytearray(whole)
        start = int(place * len(whole))
        damaged[start : start + 64] = bytes(byte ^ 0xFF for byte in damaged[start : start + 64])
        faults.append(bytes(damaged))
    for fault in faults:
        (tmp_path / name).write_bytes(fault)
        with pytest.raises(VoxcloneError, match=r"cannot be unpacked|neither a tar nor a zip"):
            unpack(tmp_path / name, out, sha256)
        assert not out.exists() or not list(out.iterdir())
    (tmp_path / name).write_bytes(whole)
    unpack(tmp_path / name, out, sha256)
    assert {each: (out / each).read_bytes() for each in members} == members


def test_a_header_that_is_damaged_or_cut_off_is_not_the_end_of_a_plain_tar(tmp_path: Path) -> None:
    sha256 = pack(tmp_path / "a.tar", {"x.txt": b"one", "y.txt": b"two"})
    whole = (tmp_path / "a.tar").read_bytes()
    for fault in (whole[:1024] + b"\xff" * 8 + whole[1032:], whole[:1024], whole[:1324]):
        (tmp_path / "a.tar").write_bytes(fault)
        with pytest.raises(VoxcloneError, match=r"cannot be unpacked: (bad checksum|empty header|truncated header)"):
            unpack(tmp_path / "a.tar", tmp_path / "out", sha256)
        assert not names_in(tmp_path / "out")


def test_another_archive_of_the_same_name_is_unpacked(tmp_path: Path) -> None:
    archive, out = tmp_path / "a.tar.gz", tmp_path / "out"
    unpack(archive, out, pack(archive, {"deep/x.txt": b"old", "deep/y.txt": b"old"}))
    sha256 = pack(archive, {"deep/x.txt": b"new", "z.txt": b"new"})
    with pytest.warns(UserWarning, match="holds what another a.tar.gz held"):
        unpack(archive, out, sha256)
    contents = {path: (out / path).read_text() for path in names_in(out) - {".a.tar.gz.unpacked"}}
    assert contents == {"deep/x.txt": "new", "deep/y.txt": "old", "z.txt": "new"}


def test_what_was_cut_off_while_it_was_unpacked_is_known_and_done_again(tmp_path: Path) -> None:
    archive, out = tmp_path / "a.tar.gz", tmp_path / "out"
    sha256 = pack(archive, {"deep/x.txt": b"hi"})
    (out / ".a.tar.gz.unpacking/deep").mkdir(parents=True)
    (out / ".a.tar.gz.unpacking/deep/half.txt").write_text("h")
    assert unfinished(out) == ["a.tar.gz"]
    unpack(archive, out, sha256)
    assert unfinished(out) == [] and names_in(out) == {"deep/x.txt", ".a.tar.gz.unpacked"}
