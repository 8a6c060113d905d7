"""Scores of 64 entries of a tile compared with their bounds at once: one bit for each.

Written as vectors of LLVM, which any processor gets in its own widest instructions: a loop
that looks for the few entries that pass cannot be vectorised, finding them from bits is.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WIDTH = 64
"""Entries per word of bits."""

_CONTRACT = ("contract",)


def _word(context: Any, builder: Any, array_type: Any, array: Any, start: Any) -> Any:
    """Return a vector of the entries of a contiguous array from `start` on."""
    fields = context.make_array(array_type)(context, builder, array)
    kind = context.get_data_type(array_type.dtype)
    first = builder.gep(fields.data, [start])
    whole = builder.bitcast(first, ir.VectorType(kind, WIDTH).as_pointer())
    return builder.load(whole, align=array_type.dtype.bitwidth // 8)


def _same(builder: Any, value: Any) -> Any:
    """Return a vector that holds a number everywhere."""
    many = ir.VectorType(value.type, WIDTH)
    one = builder.insert_element(ir.Constant(many, ir.Undefined), value, cgutils.int32_t(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(one, one, zeros)


def _below(builder: Any, value: Any, bound: Any) -> Any:
    return builder.fcmp_ordered("<", value, bound)


def _bits(builder: Any, flags: Any) -> Any:
    return builder.bitcast(flags, ir.IntType(WIDTH))


@intrinsic
def row_bits(typingctx: Any, line, start, add, lead, bound):  # type: ignore[no-untyped-def]
    """Return the bits of ``lead*line[j] + add[j] < bound``."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first, added = (_word(context, builder, sig.args[i], args[i], args[1]) for i in (0, 2))
        factor, most = (_same(builder, args[i]) for i in (3, 4))
        score = builder.fmul(factor, first, flags=_CONTRACT)
        score = builder.fadd(score, added, flags=_CONTRACT)
        return _bits(builder, _below(builder, score, most))

    return types.uint64(line, types.intp, add, lead, bound), code


@intrinsic
def column_bits(typingctx: Any, line, start, bounds, lead, add):  # type: ignore[no-untyped-def]
    """Return the bits of ``lead*line[j] + add < bounds[j]``."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first, most = (_word(context, builder, sig.args[i], args[i], args[1]) for i in (0, 2))
        factor, added = (_same(builder, args[i]) for i in (3, 4))
        score = builder.fmul(factor, first, flags=_CONTRACT)
        score = builder.fadd(score, added, flags=_CONTRACT)
        return _bits(builder, _below(builder, score, most))

    return types.uint64(line, types.intp, bounds, lead, add), code


@intrinsic
def either_bits(typingctx: Any, a, b, h, limit, start, own, bar):  # type: ignore[no-untyped-def]
    """Return the bits of ``v < bar or v < limit[j]`` with ``v = own + h[j] - (a[j] + b[j])``."""
    signature = types.uint64(a, b, h, limit, types.intp, own, bar)

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first, second, half, limits = (
            _word(context, builder, sig.args[i], args[i], args[4]) for i in range(4)
        )
        own_vector, bar_vector = (_same(builder, args[i]) for i in (5, 6))
        total = builder.fadd(own_vector, half)
        v = builder.fsub(total, builder.fadd(first, second))
        below = (_below(builder, v, bar_vector), _below(builder, v, limits))
        return _bits(builder, builder.or_(*below))

    return signature, code


@intrinsic
def lowest_bit(typingctx: Any, word):  # type: ignore[no-untyped-def]
    """Return the place of the lowest bit that is set in a word that is not zero."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.intp(types.uint64), code
