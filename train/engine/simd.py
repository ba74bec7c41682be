"""Vectors of float32 inside numba kernels: loads, stores, arithmetic and an exponential.

Loops over many arrays do not become vector code by themselves: the compiler cannot know that the
arrays do not overlap, and tests for it cost more than the short rows of a layer. A kernel written
with these vectors is vector code on every machine; ``LANES`` depends on the processor.

Arrays are C-contiguous float32; an index counts elements from the start of the whole array. Every
function also accepts the integer address of an array's first element: numba counts references to
arrays that are passed on, which costs more than a short row. The caller keeps the array alive.
"""

# An intrinsic's first argument is numba's typing context, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

_FEATURES = config.CPU_FEATURES or llvm.get_host_cpu_features().flatten()  # pyright: ignore[reportAttributeAccessIssue]
LANES = 16 if "+avx512f" in _FEATURES.split(",") else 8
"""Floats in a vector: the width of the registers, and what rows are padded to. It depends on
the processor, or on ``NUMBA_CPU_FEATURES``, for which numba then compiles."""
LINE = 16
"""Floats in a cache line of 64 bytes."""

_FLOAT = ir.FloatType()
VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INTEGERS = ir.VectorType(ir.IntType(32), LANES)


class Vector(types.Type):
    """numba's type of ``LANES`` floats."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


VECTOR_TYPE = Vector()


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, VECTOR)


def pointer(  # noqa: PLR0917
    context: Any, builder: Any, kind: Any, array: Any, index: Any, element: Any = _FLOAT
) -> Any:
    """Emit the address of element ``index`` of an array, or at the address of one."""
    if isinstance(kind, types.Integer):
        data = builder.inttoptr(array, element.as_pointer())
    else:
        data = context.make_array(kind)(context, builder, array).data
    return builder.gep(data, [index], source_etype=element)


def load_vector(builder: Any, address: Any) -> Any:
    """Emit the load of a vector from the address of its first element."""
    return builder.load(builder.bitcast(address, VECTOR.as_pointer()), align=4)


def store_vector(builder: Any, value: Any, address: Any) -> None:
    """Emit the store of a vector to the address of its first element."""
    builder.store(value, builder.bitcast(address, VECTOR.as_pointer()), align=4)


def emit_fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Emit ``a * b + c`` with one rounding."""
    kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
    return builder.call(function, [a, b, c])


def splat_vector(builder: Any, scalar: Any) -> Any:
    """Emit a vector whose elements are all the scalar."""
    kind = ir.VectorType(scalar.type, LANES)
    single = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(single, ir.Constant(kind, ir.Undefined), zeros)


def _constant(value: float) -> Any:
    return ir.Constant(VECTOR, [value] * LANES)


def _pure(emit: Callable[..., Any], arguments: int, result: Any = VECTOR_TYPE) -> Any:
    """Make an intrinsic of ``arguments`` vectors from a function that emits its value."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit(builder, *args)

    if arguments == 1:

        @intrinsic
        def one(typing, a):
            return (result(VECTOR_TYPE), codegen) if a == VECTOR_TYPE else None

        return one
    if arguments == 2:

        @intrinsic
        def two(typing, a, b):
            both = a == VECTOR_TYPE and b == VECTOR_TYPE
            return (result(VECTOR_TYPE, VECTOR_TYPE), codegen) if both else None

        return two

    @intrinsic
    def three(typing, a, b, c):
        return result(VECTOR_TYPE, VECTOR_TYPE, VECTOR_TYPE), codegen

    return three


def _emit_exp(builder: Any, x: Any) -> Any:
    """Emit exp(x) by 2^k times a polynomial; relative error below 2e-7, x limited to -87 .. 88."""
    low, high = _constant(-87.0), _constant(88.0)
    x = builder.select(builder.fcmp_ordered(">", x, low), x, low)
    x = builder.select(builder.fcmp_ordered("<", x, high), x, high)
    # Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    magic = _constant(12582912.0)
    shifted = emit_fma(builder, x, _constant(1.4426950408889634), magic)
    k = builder.fsub(shifted, magic)
    r = emit_fma(builder, k, _constant(-0.693359375), x)
    r = emit_fma(builder, k, _constant(2.12194440e-4), r)
    y = _constant(1.9875691500e-4)
    for c in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        y = emit_fma(builder, y, r, _constant(c))
    y = builder.fadd(emit_fma(builder, builder.fmul(r, r), y, r), _constant(1.0))
    bits = builder.shl(builder.bitcast(shifted, _INTEGERS), ir.Constant(_INTEGERS, [23] * LANES))
    one = ir.Constant(_INTEGERS, [0x3F800000] * LANES)
    return builder.fmul(y, builder.bitcast(builder.add(bits, one), VECTOR))


def _emit_exp2(builder: Any, k: Any, y: Any) -> Any:
    """Emit 2^(k y) for k y < 128, as 2^n times a polynomial in the rest; relative error 1e-7."""
    x, low = builder.fmul(k, y), _constant(-126.0)
    x = builder.select(builder.fcmp_ordered(">", x, low), x, low)
    magic = _constant(12582912.0)
    shifted = builder.fadd(x, magic)
    r = builder.fsub(x, builder.fsub(shifted, magic))
    p = _constant(1.3276471781e-3)
    for c in (9.6755413328e-3, 5.5507132742e-2, 2.4022119724e-1, 6.9314696706e-1, 1.0000000717):
        p = emit_fma(builder, p, r, _constant(c))
    # The polynomial lies in 0.7 to 1.42, so that n can be added to its exponent.
    bits = builder.shl(builder.bitcast(shifted, _INTEGERS), ir.Constant(_INTEGERS, [23] * LANES))
    return builder.bitcast(builder.add(builder.bitcast(p, _INTEGERS), bits), VECTOR)


def _emit_abs(builder: Any, x: Any) -> Any:
    mask = ir.Constant(_INTEGERS, [0x7FFFFFFF] * LANES)
    return builder.bitcast(builder.and_(builder.bitcast(x, _INTEGERS), mask), VECTOR)


def _emit_floor(builder: Any, x: Any) -> Any:
    kind = ir.FunctionType(VECTOR, [VECTOR])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.floor.v{LANES}f32")
    return builder.call(function, [x])


def _emit_choice(builder: Any, v: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", v, _constant(0.0)), a, b)


def _emit_bits(comparison: str) -> Callable[..., Any]:
    def emit(builder: Any, v: Any) -> Any:
        flags = builder.fcmp_unordered(comparison, v, _constant(0.0))
        return builder.zext(builder.bitcast(flags, ir.IntType(LANES)), ir.IntType(64))

    return emit


fma = _pure(emit_fma, 3)
"""``a * b + c`` with one rounding."""
where_positive = _pure(_emit_choice, 3)
"""Elements of ``a`` where ``v > 0``, else of ``b``."""
exp = _pure(_emit_exp, 1)
exp2 = _pure(_emit_exp2, 2)
"""``2^(k y)`` of two vectors; what is below 2^-126 becomes 2^-126."""
absolute = _pure(_emit_abs, 1)
minimum = _pure(
    lambda builder, a, b: builder.select(builder.fcmp_ordered("<", a, b), a, b),
    2,
)
positive_bits = _pure(
    lambda builder, v: builder.zext(
        builder.bitcast(builder.fcmp_ordered(">", v, _constant(0.0)), ir.IntType(LANES)),
        ir.IntType(64),
    ),
    1,
    types.int64,
)
"""An integer whose bit i says whether element i is above 0."""
nonzero_bits = _pure(_emit_bits("!="), 1, types.int64)
"""An integer whose bit i says whether element i is not 0; NaN is not 0."""

from_int32 = _pure(
    lambda builder, a: builder.sitofp(builder.bitcast(a, _INTEGERS), VECTOR),
    1,
)
"""The floats nearest to the integers whose bits a vector holds, as ``load`` of int32 gives them."""
floor = _pure(_emit_floor, 1)
_add = _pure(lambda builder, a, b: builder.fadd(a, b), 2)
_subtract = _pure(lambda builder, a, b: builder.fsub(a, b), 2)
_multiply = _pure(lambda builder, a, b: builder.fmul(a, b), 2)
_divide = _pure(lambda builder, a, b: builder.fdiv(a, b), 2)


@overload(operator.add)
def _overload_add(a, b):
    if a == VECTOR_TYPE and b == VECTOR_TYPE:
        return lambda a, b: _add(a, b)  # noqa: PLW0108
    return None


@overload(operator.sub)
def _overload_subtract(a, b):
    if a == VECTOR_TYPE and b == VECTOR_TYPE:
        return lambda a, b: _subtract(a, b)  # noqa: PLW0108
    return None


@overload(operator.mul)
def _overload_multiply(a, b):
    if a == VECTOR_TYPE and b == VECTOR_TYPE:
        return lambda a, b: _multiply(a, b)  # noqa: PLW0108
    return None


@overload(operator.truediv)
def _overload_divide(a, b):
    if a == VECTOR_TYPE and b == VECTOR_TYPE:
        return lambda a, b: _divide(a, b)  # noqa: PLW0108
    return None


@intrinsic
def splat(typing, scalar):
    """Return a vector whose elements are all ``scalar``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return splat_vector(builder, args[0])

    return VECTOR_TYPE(types.float32), codegen


@intrinsic
def load(typing, array, index):
    """Return the vector that starts at element ``index``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return load_vector(builder, pointer(context, builder, signature.args[0], *args))

    return VECTOR_TYPE(array, types.intp), codegen


@intrinsic
def stream(typing, array, index, value):
    """Write a vector past the caches where a vector is a cache line; ``index`` is on such a line.

    For values that are not read again soon: an ordinary store would first load the cache line.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = pointer(context, builder, signature.args[0], args[0], args[1])
        address = builder.bitcast(address, VECTOR.as_pointer())
        stored = builder.store(args[2], address, align=4 * LANES)
        if LANES == LINE:
            flag = builder.module.add_metadata([ir.IntType(32)(1)])
            stored.set_metadata("nontemporal", flag)
        return context.get_dummy_value()

    return types.void(array, types.intp, VECTOR_TYPE), codegen


@intrinsic
def prefetch(typing, array, index):
    """Prefetch the cache line of an element; no other effect."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = pointer(context, builder, signature.args[0], args[0], args[1])
        address = builder.bitcast(address, ir.IntType(8).as_pointer())
        integer = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, integer, integer, integer])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        # For reading, into the L2 cache, data.
        builder.call(function, [address, integer(0), integer(2), integer(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), codegen


@intrinsic
def store(typing, array, index, value):
    """Write a vector from element ``index`` on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = pointer(context, builder, signature.args[0], args[0], args[1])
        store_vector(builder, args[2], address)
        return context.get_dummy_value()

    return types.void(array, types.intp, VECTOR_TYPE), codegen


def _mask(builder: Any, count: Any) -> Any:
    """Emit which of the elements lie below ``count``."""
    kind = ir.VectorType(count.type, LANES)
    places = ir.Constant(kind, list(range(LANES)))
    return builder.icmp_signed("<", places, splat_vector(builder, count))


def _masked(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    full = f"llvm.masked.{name}.v{LANES}f32.p0"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, full), arguments)


@intrinsic
def load_part(typing, array, index, count):
    """Return ``count`` elements from ``index`` on, then zeros; nothing beyond is read."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = pointer(context, builder, signature.args[0], args[0], args[1])
        address = builder.bitcast(address, VECTOR.as_pointer())
        mask = _mask(builder, args[2])
        return _masked(builder, "load", VECTOR, [address, ir.IntType(32)(4), mask, _constant(0.0)])

    return VECTOR_TYPE(array, types.intp, types.intp), codegen


@intrinsic
def store_part(typing, array, index, value, count):
    """Write the first ``count`` elements of a vector from ``index`` on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = pointer(context, builder, signature.args[0], args[0], args[1])
        address = builder.bitcast(address, VECTOR.as_pointer())
        mask = _mask(builder, args[3])
        _masked(builder, "store", ir.VoidType(), [args[2], address, ir.IntType(32)(4), mask])
        return context.get_dummy_value()

    return types.void(array, types.intp, VECTOR_TYPE, types.intp), codegen


@intrinsic
def lowest_bit(typing, bits):
    """Return the place of the lowest bit that is set; ``bits`` is not 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.IntType(1)(1))

    return types.int64(types.int64), codegen


@intrinsic
def count_bits(typing, bits):
    """Return how many bits are set."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.int64), codegen


def _make_get(kind: Any, element: Any) -> Any:
    @intrinsic
    def get(typing, array, index):
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            where = pointer(context, builder, signature.args[0], args[0], args[1], element)
            return builder.load(where)

        return kind(array, types.intp), codegen

    return get


def _make_put(kind: Any, element: Any) -> Any:
    @intrinsic
    def put(typing, array, index, value):
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            where = pointer(context, builder, signature.args[0], args[0], args[1], element)
            builder.store(args[2], where)
            return context.get_dummy_value()

        return types.void(array, types.intp, kind), codegen

    return put


@intrinsic
def put_bits(typing, array, index, bits):
    """Write the low ``LANES`` bits of an integer as element ``index`` of an array of such."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.IntType(LANES)
        where = pointer(context, builder, signature.args[0], args[0], args[1], kind)
        builder.store(builder.trunc(args[2], kind), where)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), codegen


INT32, INT64 = ir.IntType(32), ir.IntType(64)
get_float, put_float = _make_get(types.float32, _FLOAT), _make_put(types.float32, _FLOAT)
get_int32, put_int32 = _make_get(types.int32, INT32), _make_put(types.int32, INT32)
get_uint8 = _make_get(types.uint8, ir.IntType(8))
get_int64, put_int64 = _make_get(types.int64, INT64), _make_put(types.int64, INT64)
"""Single elements of arrays, or at addresses."""
