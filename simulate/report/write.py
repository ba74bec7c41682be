"""Writing a report: all of its files or none."""

from __future__ import annotations

import os
from pathlib import Path

from ...export.errors import InputError
from ...export.files import PathLike, replace_files
from .document import Report
from .html import to_html
from .records import read_report, to_csv, to_json

SUFFIXES = (".html", ".htm")


def companions(target: Path) -> tuple[Path, Path]:
    """Return where the JSON and the folder of CSV tables of ``report.html`` are: next to it."""
    return target.with_suffix(".json"), target.with_name(f"{target.stem}-tables")


def check_target(target: Path, overwrite: bool) -> None:
    """Check the target of a report, before a long run.

    Raises
    ------
    InputError
        A suffix other than .html, or existing files that may not be replaced.
    """
    if target.suffix.lower() not in SUFFIXES:
        raise InputError(f"--report: {target}: needs a name that ends in .html")
    for path in (target, *companions(target)):
        if path.exists() and not overwrite:
            raise InputError(f"--report: {path} exists; replace it with --overwrite")
    json, folder = companions(target)
    for path in (target, json):
        if path.is_dir():
            raise InputError(f"--report: {path} is a folder; name a file")
    for path in (folder, *target.parents):
        if path.exists():
            if not path.is_dir():
                raise InputError(f"--report: {path} is not a folder; name another file")
            if path != folder and not os.access(path, os.W_OK):
                raise InputError(f"--report: {path} cannot be written")
            if path != folder:
                break


def write_report(report: Report, target: Path, overwrite: bool = False) -> list[Path]:
    """Write ``report.html``, ``report.json`` and ``report-tables/<id>.csv``; return their paths.

    Everything is written under temporary names first; nothing is renamed if anything fails until
    then. Tables of a report that is overwritten, and that the new one does not have, are removed.

    Raises
    ------
    InputError
        As ``check_target``.
    OSError
        A folder that cannot be written.
    """
    check_target(target, overwrite)
    json, folder = companions(target)
    contents: dict[PathLike, bytes | str] = {target: to_html(report), json: to_json(report)}
    contents.update({folder / f"{table.id}.csv": to_csv(table) for table in report.tables()})
    stale = {folder / f"{name}.csv" for name in _tables(json)} - contents.keys()
    replace_files(contents)
    for path in stale:
        path.unlink(missing_ok=True)
    return [Path(path) for path in contents]


def _tables(json: Path) -> list[str]:
    try:
        return [table.id for table in read_report(json).tables()]
    except (InputError, OSError):
        return []
