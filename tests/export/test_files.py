from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from full_disk import full_after
from srnn.export.files import Appended, making_folders, replace_file, replace_files, replacing


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "file.bin"
    replace_file(target, b"one")
    assert target.read_bytes() == b"one"
    replace_file(str(target), b"two")
    assert target.read_bytes() == b"two"
    assert list(target.parent.iterdir()) == [target]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        replace_file(tmp_path / "file", b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_alone(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def fail() -> None:
        with replacing(target) as temporary:
            temporary.write_bytes(b"half")
            assert target.read_bytes() == b"old"
            assert temporary.parent == tmp_path
            raise error

    with pytest.raises(error):
        fail()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_kill_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    code = (
        "import os, signal, sys\n"
        "from srnn.export.files import replacing\n"
        "with replacing(sys.argv[1]) as temporary:\n"
        "    temporary.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    result = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert result.returncode == -9
    assert target.read_bytes() == b"old"


def test_a_folder_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as raised:
        replace_file(tmp_path, b"x")
    assert raised.value.filename == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_pipe_is_not_replaced(tmp_path: Path, through_a_link: bool) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    target = pipe
    if through_a_link:
        target = tmp_path / "link"
        target.symlink_to(pipe)
    with pytest.raises(OSError, match="is a device or a pipe"):
        replace_file(target, b"new")
    assert pipe.is_fifo()


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    replace_file(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_full_disk_is_told_with_the_name_and_the_size(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "file"
    with full_after(1000), pytest.raises(OSError, match="the file needs 2,345 bytes") as raised:
        replace_file(target, bytes(2345))
    assert raised.value.filename == str(target)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_in_a_block_is_told_with_the_name(tmp_path: Path) -> None:
    target = tmp_path / "file"

    def write() -> None:
        with replacing(target) as temporary:
            temporary.write_bytes(bytes(2000))

    with full_after(1000), pytest.raises(OSError, match="too large") as raised:
        write()
    assert raised.value.filename == str(target)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_another_file_keeps_its_name(tmp_path: Path) -> None:
    def read() -> None:
        with replacing(tmp_path / "file"):
            (tmp_path / "missing").read_bytes()

    with pytest.raises(FileNotFoundError) as raised:
        read()
    assert raised.value.filename == str(tmp_path / "missing")


def test_several_files_or_none(tmp_path: Path) -> None:
    """A disk that only says when it is asked to be done that it is full."""
    (tmp_path / "one").write_bytes(b"old")
    contents = {tmp_path / "one": b"new", tmp_path / "tables" / "two": b"new"}
    synced: list[int] = []

    def fsync(file: int) -> None:
        synced.append(file)
        if len(synced) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match="No space left") as raised:
            replace_files(contents)
    assert raised.value.filename == str(tmp_path / "tables" / "two")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert (tmp_path / "one").read_bytes() == b"old"
    replace_files(contents)
    assert {path: path.read_bytes() for path in contents} == contents


def test_folders_that_others_use_stay(tmp_path: Path) -> None:
    def fail() -> None:
        with making_folders(tmp_path / "a" / "b"):
            (tmp_path / "a" / "theirs").write_bytes(b"")
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fail()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["theirs"]


def test_the_content_is_on_the_disk_before_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda file: (done.append("sync"), fsync(file))[1])
    monkeypatch.setattr(
        Path, "replace", lambda path, target: (done.append("rename"), replace(path, target))[1]
    )
    replace_file(tmp_path / "file", b"content")
    assert done.index("sync") < done.index("rename")
    assert done[-1] == "sync"


def test_a_log_ends_with_its_last_whole_record(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with full_after(1000), Appended(path) as log:
        log.append(b"a" * 700)
        with pytest.raises(OSError, match="the file needs 1,400 bytes") as raised:
            log.append(b"b" * 700)
        assert raised.value.filename == str(path)
        log.append(b"c" * 100)
    assert path.read_bytes() == b"a" * 700 + b"c" * 100


def test_a_log_without_a_record_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    for name in ("new", "empty"):
        log = Appended(tmp_path / name)
        with full_after(10), pytest.raises(OSError, match="large"):
            log.append(bytes(20))
        log.close()
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
