"""Files of ``torch.save`` from outside: plain values and dense tensors.

The pickle is carried out by ``plain_pickle.py``, and each tensor is made on the bytes that are
there: torch itself makes tensors of any size on any storage, and hashes whatever is a key.
"""

from __future__ import annotations

import io
import math
import os
from collections import OrderedDict
from typing import IO, TYPE_CHECKING, Any

from ..errors import InputError
from .archives import is_zip, member_bytes, zip_members
from .files import existing, refusing
from .limits import DEPTH_MAX, TEXT_BYTES_MAX, VALUES_MAX, check_bytes
from .plain_pickle import NotPlainError, read_pickle

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch  # takes long, so that it is imported where a file is read

_STORAGES = {
    "Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16",
    "Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8",
    "Bool": "bool", "ComplexFloat": "complex64", "ComplexDouble": "complex128",
}  # fmt: skip
_MORE_TYPES = ("uint16", "uint32", "uint64")
"""Types of tensors on storages without a type."""
_MAGIC = 0x1950A86A20F9469CFC6C
"""What a file of torch before 1.6 begins with."""
_VERSION = 1001


def read_torch(path: str | os.PathLike[str], error: type[InputError] = InputError) -> Any:
    """Return what a file holds: tables, lists, numbers, texts and dense tensors without gradients.

    Raises
    ------
    InputError
        There is no such file, it is damaged, holds Python objects, tensors larger than their data,
        lists that hold themselves or are shared until they are too many, or too much of anything.
    """
    file = existing(path, error)
    with (
        refusing(path, "a complete file of plain values and tensors", error),
        file.open("rb") as opened,
    ):
        size = file.stat().st_size
        content = _read_zip(opened, size) if is_zip(opened) else _read_sequence(opened, size)
        _check_values(content, size)
        return content


def _read_zip(file: IO[bytes], size: int) -> Any:
    """Read a zip of ``NAME/data.pkl`` and the storages ``NAME/data/KEY``."""
    import torch

    with zip_members(file, "its archive") as (archive, members):
        check_bytes(sum(one.file_size for one in members.values()), size, "its archive")
        pickles = [name for name in members if name.endswith("data.pkl")]
        if len(pickles) != 1:
            raise InputError("not a file of torch: holds no data.pkl, or several")
        if members[pickles[0]].file_size > TEXT_BYTES_MAX:
            raise InputError(f"data.pkl is larger than {TEXT_BYTES_MAX:,} bytes")
        folder = pickles[0].removesuffix("data.pkl")
        order = members.get(f"{folder}byteorder")
        if order is not None and member_bytes(archive, order) != b"little":
            raise InputError("its numbers are not little-endian; save it on such a machine")

        def load(key: str, dtype: torch.dtype, count: int) -> torch.Tensor:
            member = members[f"{folder}data/{key}"]
            if member.file_size != count * dtype.itemsize:
                raise InputError(
                    f"storage {key!r} holds {member.file_size:,} bytes, its pickle says "
                    f"{count * dtype.itemsize:,}"
                )
            raw = member_bytes(archive, member)
            return torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)

        return _unpickle(io.BytesIO(member_bytes(archive, members[pickles[0]])), load)


def _read_sequence(file: IO[bytes], size: int) -> Any:
    """Read pickles one after the other, then the storages, as torch wrote them before 1.6."""
    import torch

    storages: dict[str, torch.Tensor] = {}
    declared = 0

    def load(key: str, dtype: torch.dtype, count: int) -> torch.Tensor:
        nonlocal declared
        declared += count * dtype.itemsize
        if declared > size:
            raise InputError(f"its storages take more than the {size:,} bytes of the file")
        storages[key] = torch.empty(count, dtype=dtype)
        return storages[key]

    if read_pickle(file) != _MAGIC:
        raise NotPlainError
    version, machine = read_pickle(file), read_pickle(file)
    if version != _VERSION or not isinstance(machine, dict) or not machine.get("little_endian"):
        raise InputError("not a file of torch, or of another version or byte order")
    content = _unpickle(file, load)
    keys = read_pickle(file)
    if not isinstance(keys, list) or sorted(keys) != sorted(storages):
        raise InputError("not the storages that its pickle names")
    for key in keys:
        target = storages[key].view(torch.uint8)
        count = int.from_bytes(file.read(8), "little")
        raw = bytearray(file.read(len(target)))
        if count != len(storages[key]) or len(raw) != len(target):
            raise InputError(f"storage {key!r} is cut off")
        if raw:
            target.copy_(torch.frombuffer(raw, dtype=torch.uint8))
    return content


def _unpickle(stream: IO[bytes], load: Callable[[str, torch.dtype, int], torch.Tensor]) -> Any:
    """Carry out the pickle of an object; ``load`` returns a storage by key, type and length."""
    import torch

    loaded: dict[str, torch.Tensor] = {}

    def storage(found: Any) -> torch.Tensor:
        # A file of before torch 1.6 has a sixth entry, the view of a storage; None since 0.4.
        kind, dtype, key, _, count, *view = found
        of_types = isinstance(dtype, torch.dtype) and isinstance(key, str) and type(count) is int
        if kind != "storage" or not of_types or count < 0 or view not in ([], [None]):
            raise NotPlainError
        if key not in loaded:
            loaded[key] = load(key, dtype, count)
        if loaded[key].dtype != dtype or len(loaded[key]) != count:
            raise InputError(f"storage {key!r} has two types or lengths")
        return loaded[key]

    def tensor(of: Any, offset: Any, size: Any, stride: Any, *_: Any) -> torch.Tensor:
        if not isinstance(of, torch.Tensor):
            raise NotPlainError
        return _tensor(of, offset, size, stride)

    def tensor_of_type(
        of: Any, offset: Any, size: Any, stride: Any, _grad: Any, _hooks: Any, dtype: Any, *_: Any
    ) -> torch.Tensor:
        if not isinstance(of, torch.Tensor) or not isinstance(dtype, torch.dtype):
            raise NotPlainError
        return _tensor(of.view(dtype), offset, size, stride)

    types = {name: getattr(torch, name) for name in (*_STORAGES.values(), *_MORE_TYPES)}
    known = {
        **{f"torch {name}": dtype for name, dtype in types.items()},
        **{f"torch {name}Storage": types[of] for name, of in _STORAGES.items()},
        # Without a type: of bytes.
        "torch.storage UntypedStorage": torch.uint8,
        "collections OrderedDict": _ordered,
        "torch._utils _rebuild_tensor_v2": tensor,
        "torch._utils _rebuild_tensor_v3": tensor_of_type,
        "torch._utils _rebuild_parameter": lambda tensor, *_: tensor,
        "torch._utils _rebuild_sparse_tensor": None,
        "torch.serialization _get_layout": _refuse_sparse,
    }
    return read_pickle(stream, known, storage)


def _ordered() -> OrderedDict[Any, Any]:
    return OrderedDict()


def _refuse_sparse(layout: Any) -> None:
    raise InputError(f"{str(layout)[:40]} is not a dense tensor")


def _tensor(storage: torch.Tensor, offset: Any, size: Any, stride: Any) -> torch.Tensor:
    """Return a tensor on a storage, which must hold every element of it."""
    numbers = (offset, *size, *stride)
    if not all(type(n) is int and n >= 0 for n in numbers) or len(size) != len(stride):
        raise NotPlainError
    count, width = math.prod(size), storage.element_size()
    end = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1
    if count and (count > len(storage) or end > len(storage)):
        raise InputError(
            f"a tensor {tuple(size)[:8]} of {count * width:,} bytes on {len(storage) * width:,} "
            "bytes of data; save it with .contiguous()"
        )
    return storage.as_strided(size, stride, offset)


def _check_values(content: Any, size: int) -> None:
    """Walk what was read as one who prints or copies it would: what is shared counts again."""
    import torch

    count, total, stack = 0, 0, [(content, 0)]
    while stack:
        value, depth = stack.pop()
        count += 1
        if count + len(stack) > VALUES_MAX or depth > DEPTH_MAX:
            raise InputError(
                f"more than {VALUES_MAX:,} values or {DEPTH_MAX} levels, or a list that holds "
                "itself"
            )
        if isinstance(value, torch.Tensor):
            total += value.numel() * value.element_size()
            check_bytes(total, size, "its tensors")
        elif isinstance(value, dict):
            stack += [(one, depth + 1) for pair in value.items() for one in pair]
        elif isinstance(value, (list, tuple)):
            stack += [(one, depth + 1) for one in value]
        elif not isinstance(value, (str, int, float, type(None))):
            raise NotPlainError
