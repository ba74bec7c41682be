"""Vectors of integers inside numba kernels: ``LANES`` neurons at a time.

The simulator's arithmetic comes in two widths. ``NARROW`` vectors hold int32: enough for nearly
every network, and twice as fast or more. ``WIDE`` vectors hold int64: exact for every network. A
neuron's kernel is written once for both; the width follows from a ``kind``, an int32 or an int64
whose value is not used. States and parameters are int32 in memory for both.

Arrays come as the integer address of their first element, and an index counts elements: numba
counts references to arrays that are passed on, which costs more than the row of a small layer. The
caller keeps the array whose address it passes. A mask of lanes is an integer: bit i belongs to lane
i.
"""

# An intrinsic's first argument is numba's typing context, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic, models, overload, register_model

from ..export.grid import DECAY_BITS, DECAY_ONE, STATE_BITS, STATE_MAX


def _lanes() -> int:
    features = config.CPU_FEATURES  # pyright: ignore[reportAttributeAccessIssue]
    if features is None:
        features = get_host_cpu_features()
    return 16 if "+avx512bw" in features.split(",") else 8


LANES = _lanes()
"""Neurons in a vector: as many int32 as fill a register of the target processor."""

INT8, INT16, INT32, INT64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_HALF, _FULL = 1 << (STATE_BITS - 1), 1 << STATE_BITS


def int_vector(bits: int, lanes: int = LANES) -> ir.VectorType:
    """Return LLVM's type of a vector of integers."""
    return ir.VectorType(ir.IntType(bits), lanes)


_BOOLS = int_vector(1)


class Vector(types.Type):
    """numba's type of ``LANES`` integers."""

    def __init__(self, bits: int) -> None:
        super().__init__(name=f"int{bits}x{LANES}")
        self.bits = bits


NARROW, WIDE = Vector(32), Vector(64)
_OF_KIND = {types.int32: NARROW, types.int64: WIDE}


def kind_bits(kind: Any) -> int:
    """Return the bits of an element of the vectors of a kind."""
    return _OF_KIND[kind].bits


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, int_vector(fe_type.bits))


def element(builder: Any, address: Any, index: Any, kind: Any) -> Any:
    """Emit the pointer to element ``index`` of the elements of LLVM type ``kind`` at an address."""
    base = builder.inttoptr(address, kind.as_pointer())
    return builder.gep(base, [index], source_etype=kind)


def load_at(builder: Any, where: Any, kind: Any, align: int = 1) -> Any:
    """Emit the load of a vector of LLVM type ``kind`` from a pointer of any type."""
    return builder.load(builder.bitcast(where, kind.as_pointer()), align=align)


def store_at(builder: Any, value: Any, where: Any, align: int = 1) -> None:
    """Emit the store of a vector to a pointer of any type."""
    builder.store(value, builder.bitcast(where, value.type.as_pointer()), align=align)


def splat(builder: Any, scalar: Any, lanes: int = LANES) -> Any:
    """Emit a vector whose elements are all the scalar."""
    kind = ir.VectorType(scalar.type, lanes)
    single = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, INT32(0))
    zeros = ir.Constant(int_vector(32, lanes), [0] * lanes)
    return builder.shuffle_vector(single, ir.Constant(kind, ir.Undefined), zeros)


def constant(kind: Any, value: int) -> Any:
    """Return the constant of a vector type whose elements are all ``value``."""
    return ir.Constant(kind, [value] * kind.count)


def call(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """Emit the call of one of LLVM's own functions."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def bits_of(builder: Any, flags: Any) -> Any:
    """Emit the int64 whose bit i is flag i."""
    packed = builder.bitcast(flags, ir.IntType(flags.type.count))
    return packed if flags.type.count == 64 else builder.zext(packed, INT64)


def _flags(builder: Any, bits: Any) -> Any:
    return builder.bitcast(builder.trunc(bits, ir.IntType(LANES)), _BOOLS)


def _suffix(kind: Any) -> str:
    return f"v{LANES}i{kind.element.width}"


def emit_magnitude(builder: Any, x: Any) -> Any:
    """Emit |x|; the magnitude of the lowest number has the same bits."""
    return call(builder, f"llvm.abs.{_suffix(x.type)}", x.type, [x, ir.IntType(1)(0)])


def _limit(builder: Any, name: str, x: Any, value: int) -> Any:
    return call(builder, f"llvm.{name}.{_suffix(x.type)}", x.type, [x, constant(x.type, value)])


def _emit_decayed_magnitude(builder: Any, x: Any, keep: Any) -> Any:
    shift = constant(x.type, DECAY_BITS)
    if x.type.element.width == 64:
        return builder.lshr(builder.mul(x, keep), shift)
    # |x| keep needs more than 32 bits. In two digits it does not: |x| = 4096 h + l.
    high = builder.mul(builder.lshr(x, shift), keep)
    low = builder.mul(builder.and_(x, constant(x.type, DECAY_ONE - 1)), keep)
    return builder.add(high, builder.lshr(low, shift))


def _emit_decayed(builder: Any, x: Any, keep: Any) -> Any:
    if x.type.element.width == 64:
        # A shift rounds down; adding 4095 to a negative product first makes it truncate.
        product = builder.mul(x, keep)
        sign = builder.ashr(product, constant(x.type, 63))
        rest = builder.and_(sign, constant(x.type, DECAY_ONE - 1))
        return builder.ashr(builder.add(product, rest), constant(x.type, DECAY_BITS))
    decayed = _emit_decayed_magnitude(builder, emit_magnitude(builder, x), keep)
    negative = builder.icmp_signed("<", x, constant(x.type, 0))
    return builder.select(negative, builder.neg(decayed), decayed)


def _emit_truncated(builder: Any, x: Any, bits: Any) -> Any:
    # A shift rounds down; adding 2^bits - 1 to a negative number first makes it truncate.
    one = constant(x.type, 1)
    sign = builder.ashr(x, constant(x.type, x.type.element.width - 1))
    rest = builder.and_(sign, builder.sub(builder.shl(one, bits), one))
    return builder.ashr(builder.add(x, rest), bits)


def _emit_scaled(builder: Any, x: Any, factor: Any, bits: Any) -> Any:
    wide = int_vector(64)
    if x.type.element.width == 64:
        return _emit_truncated(builder, builder.mul(x, factor), bits)
    x, factor, bits = (builder.sext(value, wide) for value in (x, factor, bits))
    return builder.trunc(_emit_truncated(builder, builder.mul(x, factor), bits), int_vector(32))


def _emit_wrapped(builder: Any, x: Any) -> Any:
    above = builder.icmp_signed(">", x, constant(x.type, _HALF))
    below = builder.icmp_signed("<=", x, constant(x.type, -_HALF))
    high = builder.select(above, builder.sub(x, constant(x.type, _FULL)), x)
    return builder.select(below, builder.add(x, constant(x.type, _FULL)), high)


def _emit_saturated(builder: Any, x: Any) -> Any:
    return _limit(builder, "smax", _limit(builder, "smin", x, STATE_MAX), -STATE_MAX)


def _one(emit: Callable[..., Any]) -> Any:
    """Make an intrinsic of one vector."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit(builder, *args)

    @intrinsic
    def function(typing, x):
        return (x(x), codegen) if isinstance(x, Vector) else None

    return function


def _two(emit: Callable[..., Any], result: Any = None) -> Any:
    """Make an intrinsic of two vectors of one type."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit(builder, *args)

    @intrinsic
    def function(typing, a, b):
        return ((result or a)(a, b), codegen) if isinstance(a, Vector) and a == b else None

    return function


magnitude = _one(emit_magnitude)
saturated = _one(_emit_saturated)
"""Every lane limited to the saturating states, -(2^23 - 1) to 2^23 - 1."""
capped = _one(lambda builder, x: _limit(builder, "smin", x, STATE_MAX))
"""``saturated`` of numbers that are not negative."""
wrapped = _one(_emit_wrapped)
"""Every lane wrapped once at 24 bits, as ``grid.wrap24``."""
decayed = _two(_emit_decayed)
"""``rtz(x keep, 12)``. Narrow: |x| below 2^31 and keep 0 to 4096."""
decayed_magnitude = _two(_emit_decayed_magnitude)
"""``decayed`` of numbers that are not negative."""
shifted_right = _two(lambda builder, a, b: builder.ashr(a, b))
shifted_left = _two(lambda builder, a, b: builder.shl(a, b))
above_bits = _two(
    lambda builder, a, b: bits_of(builder, builder.icmp_signed(">", a, b)), types.int64
)
"""The lanes where a > b."""
reach_bits = _two(
    lambda builder, a, b: bits_of(builder, builder.icmp_signed(">=", a, b)), types.int64
)
"""The lanes where a >= b."""
unequal_bits = _two(
    lambda builder, a, b: bits_of(builder, builder.icmp_signed("!=", a, b)), types.int64
)
"""The lanes where a and b differ."""

_add = _two(lambda builder, a, b: builder.add(a, b))
_subtract = _two(lambda builder, a, b: builder.sub(a, b))
_either = _two(lambda builder, a, b: builder.or_(a, b))


_multiply = _two(lambda builder, a, b: builder.mul(a, b))
truncated = _two(_emit_truncated)
"""``rtz(x, bits)``."""


@overload(operator.add)
def _overload_add(a, b):
    return (lambda a, b: _add(a, b)) if isinstance(a, Vector) else None  # noqa: PLW0108


@overload(operator.sub)
def _overload_subtract(a, b):
    return (lambda a, b: _subtract(a, b)) if isinstance(a, Vector) else None  # noqa: PLW0108


@overload(operator.mul)
def _overload_multiply(a, b):
    return (lambda a, b: _multiply(a, b)) if isinstance(a, Vector) else None  # noqa: PLW0108


@overload(operator.or_)
def _overload_or(a, b):
    return (lambda a, b: _either(a, b)) if isinstance(a, Vector) else None  # noqa: PLW0108


@intrinsic
def kept_where(typing, bits, x):
    """Return ``x`` in the lanes of a mask, 0 elsewhere."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits, x = args
        return builder.select(_flags(builder, bits), x, constant(x.type, 0))

    return (x(types.int64, x), codegen) if isinstance(x, Vector) else None


@intrinsic
def chosen(typing, bits, x, y):
    """Return ``x`` in the lanes of a mask, ``y`` elsewhere."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits, x, y = args
        return builder.select(_flags(builder, bits), x, y)

    return (x(types.int64, x, y), codegen) if isinstance(x, Vector) and x == y else None


@intrinsic
def scaled(typing, x, factor, bits):
    """Return ``rtz(x factor, bits)``, with a product of 64 bits for both widths."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _emit_scaled(builder, *args)

    same = isinstance(x, Vector) and x == factor == bits
    return (x(x, factor, bits), codegen) if same else None


@intrinsic
def spread(typing, kind, value):
    """Return a vector whose elements are all ``value``."""
    vector = _OF_KIND[kind]

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = args[1]
        if vector.bits == 32:
            number = builder.trunc(number, INT32)
        return splat(builder, number)

    return vector(kind, types.int64), codegen


@intrinsic
def zeros(typing, kind):
    """Return a vector of zeros."""
    vector = _OF_KIND[kind]

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return constant(int_vector(vector.bits), 0)

    return vector(kind), codegen


@intrinsic
def load(typing, kind, address, index):
    """Return the vector of int32 in memory from element ``index`` on."""
    vector = _OF_KIND[kind]

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = element(builder, args[1], args[2], INT32)
        value = load_at(builder, where, int_vector(32), 4)
        return value if vector is NARROW else builder.sext(value, int_vector(64))

    return vector(kind, types.int64, types.int64), codegen


@intrinsic
def load_drive(typing, kind, address, index):
    """Return the vector from element ``index`` on, of as many bits in memory as ``kind``."""
    vector = _OF_KIND[kind]

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = element(builder, args[1], args[2], ir.IntType(vector.bits))
        return load_at(builder, where, int_vector(vector.bits), 4)

    return vector(kind, types.int64, types.int64), codegen


@intrinsic
def store_drive(typing, address, index, x):
    """Write a vector from element ``index`` on, of as many bits in memory as it has."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        store_at(builder, args[2], element(builder, args[0], args[1], args[2].type.element), 4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, x), codegen


@intrinsic
def store(typing, address, index, x):
    """Write a vector as int32 from element ``index`` on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x = args[2]
        if x.type.element.width == 64:
            x = builder.trunc(x, int_vector(32))
        store_at(builder, x, element(builder, args[0], args[1], INT32), 4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, x), codegen


@intrinsic
def beyond(typing, kind, address, index, limit):
    """Return whether a lane of the vector, as ``load_drive`` reads it, is above ``limit``.

    Lanes are read without a sign.
    """
    vector = _OF_KIND[kind]

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element_kind = ir.IntType(vector.bits)
        where = element(builder, args[1], args[2], element_kind)
        x = load_at(builder, where, int_vector(vector.bits), 4)
        limit = args[3] if vector is WIDE else builder.trunc(args[3], INT32)
        above = builder.icmp_unsigned(">", x, splat(builder, limit))
        return builder.icmp_unsigned("!=", bits_of(builder, above), INT64(0))

    return types.boolean(kind, types.int64, types.int64, types.int64), codegen


def part_flags(builder: Any, count: Any, lanes: int = LANES) -> Any:
    """Emit which lanes lie below ``count``."""
    kind = ir.VectorType(count.type, lanes)
    return builder.icmp_signed(
        "<", ir.Constant(kind, list(range(lanes))), splat(builder, count, lanes)
    )


@intrinsic
def store_part(typing, address, index, x, count):
    """Write the first ``count`` lanes as int32 from element ``index`` on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address, index, x, count = args
        where = builder.bitcast(element(builder, address, index, INT32), x.type.as_pointer())
        arguments = [x, where, INT32(4), part_flags(builder, count)]
        call(builder, f"llvm.masked.store.v{LANES}i32.p0", ir.VoidType(), arguments)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, NARROW, types.int64), codegen


@intrinsic
def lowest_bit(typing, bits):
    """Return the place of the lowest bit that is set, 64 where none is."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.IntType(1)(0))

    return types.int64(types.int64), codegen


@intrinsic
def count_bits(typing, bits):
    """Return how many bits are set."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.int64), codegen


@intrinsic
def fetch_add(typing, address, amount):
    """Add to the int64 at an address atomically, and return what was there."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = builder.inttoptr(args[0], INT64.as_pointer())
        return builder.atomic_rmw("add", where, args[1], "monotonic")

    return types.int64(types.int64, types.int64), codegen


def _make_get(kind: Any) -> Any:
    @intrinsic
    def get(typing, address, index):
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = builder.load(element(builder, args[0], args[1], kind))
            if kind.width == 64:
                return value
            return (builder.zext if kind.width == 8 else builder.sext)(value, INT64)

        return types.int64(types.int64, types.int64), codegen

    return get


def _make_put(kind: Any) -> Any:
    @intrinsic
    def put(typing, address, index, value):
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = args[2] if kind.width == 64 else builder.trunc(args[2], kind)
            builder.store(value, element(builder, args[0], args[1], kind))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), codegen

    return put


get_uint8, get_int16, get_int32, get_int64 = (_make_get(k) for k in (INT8, INT16, INT32, INT64))
put_uint8, put_int32, put_int64 = (_make_put(k) for k in (INT8, INT32, INT64))
"""Single elements at an address, as int64."""


@intrinsic
def get_drive(typing, kind, address, index):
    """Return element ``index``, of as many bits in memory as ``kind``, as int64."""
    bits = kind_bits(kind)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = builder.load(element(builder, args[1], args[2], ir.IntType(bits)))
        return value if bits == 64 else builder.sext(value, INT64)

    return types.int64(kind, types.int64, types.int64), codegen


@intrinsic
def put_drive(typing, kind, address, index, value):
    """Write element ``index``, of as many bits in memory as ``kind``."""
    bits = kind_bits(kind)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = args[3] if bits == 64 else builder.trunc(args[3], INT32)
        builder.store(value, element(builder, args[1], args[2], ir.IntType(bits)))
        return context.get_dummy_value()

    return types.void(kind, types.int64, types.int64, types.int64), codegen
