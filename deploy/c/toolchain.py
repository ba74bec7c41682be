"""Compilers and emulators: which there are, what they are called with, what is missing."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ..errors import RunError

HOST_COMPILERS = ("cc", "gcc", "clang")
"""Looked for where ``CC`` is not set."""
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
_LINES = 12


def host_compiler() -> list[str] | None:
    """Return the command of the host's compiler: ``$CC``, else the first of ``HOST_COMPILERS``."""
    named = shlex.split(os.environ.get("CC", ""))
    for command in [named] if named else [[name] for name in HOST_COMPILERS]:
        if shutil.which(command[0]):
            return command
    return None


def missing_compiler() -> str:
    """Return one line on a host without a compiler."""
    named = os.environ.get("CC")
    if named:
        return f"CC names {named}, which is not there; unset it or install it"
    return f"no compiler ({', '.join(HOST_COMPILERS)}) on the PATH; apt install gcc"


def missing_programs(programs: Sequence[tuple[str, str]]) -> str:
    """Return one line on those of (program, package) that are not there, empty if all are."""
    missing = [(name, package) for name, package in programs if shutil.which(name) is None]
    if not missing:
        return ""
    packages = dict.fromkeys(package for _, package in missing)
    names = ", ".join(name for name, _ in missing)
    return f"no {names} on the PATH; apt install {' '.join(packages)}"


def call(command: Sequence[str], folder: Path, what: str, timeout: float) -> str:
    """Run a program in a folder and return what it printed.

    Raises
    ------
    RunError
        It fails or does not end in ``timeout`` seconds; with its last lines.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace",
            timeout=timeout, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise RunError(f"{what}: did not end within {timeout:g} s (--timeout)") from None
    except OSError as error:
        raise RunError(f"{what}: {command[0]}: {error.strerror}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-_LINES:]
        ended = (
            f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        )
        raise RunError("\n".join([f"{what}: {command[0]} ended with {ended}", *said]))
    # Semihosting writes the program's output to either.
    return done.stdout + done.stderr
