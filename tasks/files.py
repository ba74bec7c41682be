"""Where a task's files are, how they are downloaded, and how they are verified."""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..export.reading.archives import gunzip
from .errors import DataError

TIMEOUT_SECONDS = 30.0
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    Parameters
    ----------
    folder
        Name of its folder under a data root or the cache.
    base_url
        URL that file names are appended to.
    sha256
        Checksum of each file's content, by file name. For gzipped files it is that of the
        uncompressed content, since the same content can be compressed in several ways.
    gzipped
        The server has the files as ``<name>.gz``; both forms are accepted on disk.
    licence
        Licence or origin, for the reader of an error message or a report.
    """

    folder: str
    base_url: str
    sha256: Mapping[str, str]
    gzipped: bool = False
    licence: str = ""

    def offered(self, name: str) -> str:
        """Return the file name on the server."""
        return f"{name}.gz" if self.gzipped else name


def cache_root() -> Path:
    """Return the cache folder: ``SRNN_CACHE``, else ``srnn`` in the XDG cache directory."""
    if chosen := os.environ.get("SRNN_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "srnn"


def search_folders(folder: str, data_dir: str | os.PathLike[str] | None = None) -> list[Path]:
    """Return the folders that may hold a task's files, in the order in which they are tried.

    ``data_dir`` itself and its sub-folder, then the sub-folder of ``SRNN_DATA``, then the cache's.

    Raises
    ------
    DataError
        ``data_dir`` is given and is not a folder.
    """
    tried = []
    if data_dir is not None:
        given = Path(data_dir)
        if not given.is_dir():
            raise DataError(f"--data {given}: no such folder; give one that holds {folder}")
        tried += [given, given / folder]
    if root := os.environ.get("SRNN_DATA"):
        tried.append(Path(root) / folder)
    return [*tried, cache_root() / folder]


def find_file(folder: str, name: str, data_dir: str | os.PathLike[str] | None, advice: str) -> Path:
    """Return the path of a file in one of ``search_folders``, which is read in place.

    Raises
    ------
    DataError
        It is in none of them; ``advice`` says how to get it, or to unpack its ``.gz`` form.
    """
    folders = search_folders(folder, data_dir)
    for one in folders:
        if (one / name).is_file():
            return one / name
        if (one / f"{name}.gz").is_file():
            raise DataError(f"{one / name}.gz: is compressed; unpack it with gunzip")
    looked = ", ".join(str(one) for one in folders)
    raise DataError(f"{folder}: {name} is in none of {looked}; {advice}")


def read_file(
    source: Source,
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
    base_url: str | None = None,
) -> bytes:
    """Return a file's content, uncompressed and with its checksum checked.

    Parameters
    ----------
    source, name
        Which file of which data set.
    data_dir
        Folder to search first: the data set's own, or a root above it.
    download
        Download the file into the cache if it is in no folder.
    base_url
        A server other than the source's.

    Raises
    ------
    DataError
        The file is missing, damaged or has other content, or cannot be downloaded.
    """
    folders = search_folders(source.folder, data_dir)
    names = (source.offered(name), name) if source.gzipped else (name,)
    for folder in folders:
        for candidate in names:
            path = folder / candidate
            if path.is_file():
                return _checked(_read(path), source.sha256[name], str(path), "replace the file")
    url = (base_url or source.base_url) + source.offered(name)
    if not download:
        looked = ", ".join(str(folder) for folder in folders)
        raise DataError(
            f"{source.folder}: {source.offered(name)} is in none of {looked}; get it from {url} "
            "with --download, or name its folder with --data DIR"
        )
    return _download(url, folders[-1] / source.offered(name), source.sha256[name])


def _read(path: Path) -> bytes:
    try:
        return _unpacked(path.read_bytes(), path.suffix == ".gz", str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _unpacked(content: bytes, gzipped: bool, where: str) -> bytes:
    if not gzipped:
        return content
    return gunzip(content, where, DataError)


def _checked(content: bytes, expected: str, where: str, fix: str) -> bytes:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise DataError(f"{where}: sha256 is {found}, expected {expected}; {fix}")
    return content


def _download(url: str, target: Path, expected: str) -> bytes:
    """Fetch ``url`` to a ``.part`` file, check it, rename it to ``target``; return its content."""
    with _part(target) as part:
        _fetch(url, part)
        content = _unpacked(part.read_bytes(), target.suffix == ".gz", url)
        _checked(
            content, expected, url, "the server has other content; give the file with --data DIR"
        )
        part.replace(target)
    return content


def fetch(url: str, target: Path, convert: Callable[[bytes], bytes]) -> None:
    """Fetch ``url``, and atomically write what ``convert`` makes of its content to ``target``.

    Raises
    ------
    DataError
        It cannot be downloaded or written, or ``convert`` refuses it.
    """
    with _part(target) as part:
        _fetch(url, part)
        part.write_bytes(convert(part.read_bytes()))
        part.replace(target)


@contextmanager
def _part(target: Path) -> Iterator[Path]:
    """Yield a file next to ``target`` to write to and rename; it is removed at the end."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.", suffix=".part")
        os.close(handle)
    except OSError as error:
        raise DataError(
            f"{target.parent}: cannot be written ({error.strerror}); set SRNN_CACHE to another "
            "folder"
        ) from error
    part = Path(name)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _fetch(url: str, part: Path) -> None:
    received, announced = 0, None
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response, part.open("wb") as f:
            length = response.headers.get("Content-Length")
            announced = int(length) if length is not None and length.isdigit() else None
            while chunk := response.read(CHUNK_BYTES):
                f.write(chunk)
                received += len(chunk)
    except urllib.error.HTTPError as error:
        error.close()
        raise DataError(
            f"{url}: the server answered {error.code} {error.reason}; give the file with --data DIR"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise DataError(
            f"{url}: download failed ({reason}); try again, or give the file with --data DIR"
        ) from error
    if announced is not None and received != announced:
        raise DataError(f"{url}: download stopped after {received} of {announced} bytes; try again")
