"""Files of ``torch.save`` from outside: plain values and tensors, no code, no bombs."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import warnings
import zipfile
from typing import Any

from ..errors import InputError
from .archives import zip_members
from .files import existing, refusing
from .limits import DEPTH_MAX, VALUES_MAX, check_bytes


def read_torch(path: str | os.PathLike[str], error: type[InputError] = InputError) -> Any:
    """Return what a file holds: tables, lists, numbers, texts and dense tensors.

    Raises
    ------
    InputError
        There is no such file, it is damaged, holds Python objects, tensors larger than their data,
        lists that hold themselves or are shared until they are too many, or too much of anything.
    """
    file = existing(path, error)
    what = "a complete file of plain values and tensors"
    with refusing(path, what, error):
        # Read first: torch raises OSError both for a damaged file and for an error of the disk.
        raw = file.read_bytes()
        if zipfile.is_zipfile(io.BytesIO(raw)):
            _check_zip(raw, str(path), error)
        import torch

        with warnings.catch_warnings():
            # torch's messages about other formats are replaced by the error below.
            warnings.simplefilter("ignore")
            try:
                content = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
            except pickle.UnpicklingError:
                raise error(
                    f"{path}: damaged, or holds Python objects instead of plain values and tensors"
                ) from None
            _check_values(content, len(raw), str(path), error)
    return content


def _check_zip(raw: bytes, where: str, error: type[InputError]) -> None:
    with zip_members(io.BytesIO(raw), where, error) as (archive, members):
        total = sum(one.file_size for one in members.values())
        check_bytes(total, len(raw), where, error)
        for name, one in members.items():
            if name.endswith("data.pkl"):
                for count, _ in enumerate(pickletools.genops(archive.read(one))):
                    if count > VALUES_MAX:
                        raise error(f"{where}: more than {VALUES_MAX:,} values")


def _check_values(content: Any, file_bytes: int, where: str, error: type[InputError]) -> None:
    """Walk what was loaded as one who prints or copies it would: what is shared counts again."""
    import torch

    count, total, stack = 0, 0, [(content, 0)]
    while stack:
        value, depth = stack.pop()
        count += 1
        if count > VALUES_MAX or depth > DEPTH_MAX:
            raise error(
                f"{where}: more than {VALUES_MAX:,} values or {DEPTH_MAX} levels, or a list that "
                "holds itself"
            )
        if isinstance(value, torch.Tensor):
            if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
                raise error(f"{where}: {value.layout} is not a dense tensor")
            size = value.numel() * value.element_size()
            held = value.untyped_storage().nbytes()
            if size > held:
                raise error(
                    f"{where}: a tensor {tuple(value.shape)} of {size:,} bytes on {held:,} bytes "
                    "of data; save it with .contiguous()"
                )
            total += size
            check_bytes(total, file_bytes, where, error)
        elif isinstance(value, dict):
            stack += [(one, depth + 1) for pair in value.items() for one in pair]
        elif isinstance(value, (list, tuple, set, frozenset)):
            stack += [(one, depth + 1) for one in value]
