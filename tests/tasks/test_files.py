from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from srnn.tasks import DataError
from srnn.tasks.files import Source, fetch, read_file

CONTENT = bytes(range(256)) * 40
SHA = hashlib.sha256(CONTENT).hexdigest()
PLAIN = Source("things", "https://example.org/things/", {"one.bin": SHA})
GZIPPED = Source("things", "https://example.org/things/", {"one.bin": SHA}, gzipped=True)


@dataclass
class Server:
    url: str
    answers: dict[str, tuple[int, bytes, int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def offer(self, name: str, content: bytes, announced: int | None = None) -> None:
        size = len(content) if announced is None else announced
        self.answers[f"/data/{name}"] = (200, content, size)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            code, content, announced = state.answers.get(self.path, (404, b"", 0))
            self.send_response(code)
            self.send_header("Content-Length", str(announced))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(f"http://127.0.0.1:{http.server_port}/data/")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SRNN_DATA", raising=False)
    return tmp_path / "cache" / "things"


def put(folder: Path, name: str = "one.bin", content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def test_downloads_once_into_the_cache(server: Server, cache: Path) -> None:
    server.offer("one.bin", CONTENT)
    assert read_file(PLAIN, "one.bin", download=True, base_url=server.url) == CONTENT
    assert [p.name for p in cache.iterdir()] == ["one.bin"]
    assert read_file(PLAIN, "one.bin", download=True, base_url=server.url) == CONTENT
    assert server.asked == ["/data/one.bin"]


def test_downloads_gzipped_files_and_checks_what_is_inside(server: Server, cache: Path) -> None:
    server.offer("one.bin.gz", gzip.compress(CONTENT, 1))
    assert read_file(GZIPPED, "one.bin", download=True, base_url=server.url) == CONTENT
    assert (cache / "one.bin.gz").is_file()


def test_wrong_content_is_not_kept(server: Server, cache: Path) -> None:
    other = CONTENT[:-1] + b"x"
    server.offer("one.bin", other)
    with pytest.raises(DataError) as raised:
        read_file(PLAIN, "one.bin", download=True, base_url=server.url)
    assert SHA in str(raised.value)
    assert hashlib.sha256(other).hexdigest() in str(raised.value)
    assert list(cache.iterdir()) == []


def test_interrupted_download_leaves_nothing_and_can_be_repeated(
    server: Server, cache: Path
) -> None:
    server.offer("one.bin", CONTENT[:5000], announced=len(CONTENT))
    with pytest.raises(DataError, match=r"one\.bin: download (stopped|failed)"):
        read_file(PLAIN, "one.bin", download=True, base_url=server.url)
    assert list(cache.iterdir()) == []
    server.offer("one.bin", CONTENT)
    assert read_file(PLAIN, "one.bin", download=True, base_url=server.url) == CONTENT


def test_a_server_that_lacks_the_file_or_is_down(server: Server, cache: Path) -> None:
    with pytest.raises(DataError, match="answered 404"):
        read_file(PLAIN, "one.bin", download=True, base_url=server.url)
    with pytest.raises(DataError, match="download failed"):
        read_file(PLAIN, "one.bin", download=True, base_url="http://127.0.0.1:9/")
    assert list(cache.iterdir()) == []


def test_without_download_nothing_is_asked_and_one_line_says_what_to_do(
    server: Server, tmp_path: Path, cache: Path
) -> None:
    with pytest.raises(DataError) as raised:
        read_file(PLAIN, "one.bin", tmp_path)
    line = str(raised.value)
    assert "\n" not in line
    for part in ("one.bin", str(tmp_path), str(cache), "https://example.org/things/one.bin"):
        assert part in line
    assert "--download" in line
    assert "--data DIR" in line
    assert server.asked == []
    assert not cache.exists()


def test_folders_are_tried_in_order(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRNN_DATA", str(tmp_path / "env"))
    places = [tmp_path / "given", tmp_path / "given" / "things", tmp_path / "env" / "things", cache]
    for place in places:
        put(place)
    for place in places:
        assert read_file(PLAIN, "one.bin", tmp_path / "given") == CONTENT
        wrong = put(place, content=b"damaged")
        with pytest.raises(DataError, match="sha256 is") as raised:
            read_file(PLAIN, "one.bin", tmp_path / "given")
        assert str(wrong) in str(raised.value)
        wrong.unlink()
    with pytest.raises(DataError, match="is in none of"):
        read_file(PLAIN, "one.bin", tmp_path / "given")


def test_gzipped_and_plain_files_serve_alike(tmp_path: Path) -> None:
    put(tmp_path / "a", "one.bin.gz", gzip.compress(CONTENT, 9))
    put(tmp_path / "b", "one.bin")
    assert read_file(GZIPPED, "one.bin", tmp_path / "a") == CONTENT
    assert read_file(GZIPPED, "one.bin", tmp_path / "b") == CONTENT
    put(tmp_path / "c", "one.bin.gz", gzip.compress(CONTENT)[:-50])
    with pytest.raises(DataError, match="not a complete gzip file"):
        read_file(GZIPPED, "one.bin", tmp_path / "c")


def test_a_data_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        read_file(PLAIN, "one.bin", tmp_path / "nowhere")


def test_a_cache_that_cannot_be_written(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRNN_CACHE", str(put(tmp_path, "file")))
    with pytest.raises(DataError, match="set SRNN_CACHE"):
        read_file(PLAIN, "one.bin", download=True, base_url=server.url)


def test_fetch_writes_what_was_made_of_a_file_or_nothing(server: Server, tmp_path: Path) -> None:
    server.offer("one.bin", CONTENT)
    target = tmp_path / "cache" / "made"
    fetch(server.url + "one.bin", target, lambda content: content[::-1])
    assert target.read_bytes() == CONTENT[::-1]

    def refuse(content: bytes) -> bytes:
        raise DataError(f"{len(content)} bytes of nothing")

    with pytest.raises(DataError, match="10240 bytes of nothing"):
        fetch(server.url + "one.bin", target, refuse)
    assert target.read_bytes() == CONTENT[::-1]
    with pytest.raises(DataError, match="answered 404"):
        fetch(server.url + "two.bin", tmp_path / "cache" / "two", bytes)
    assert [path.name for path in target.parent.iterdir()] == ["made"]
