"""Comparisons of 64 array entries at a time, as the bits of one integer.

A loop that has something to do for one entry in a hundred spends its time on
finding that entry. LLVM turns these comparisons of 64 lanes into the machine's
own vector instructions. It does well with the scalar loop that stands below as
the definition (and runs when the JIT is off), too, but not as well amid the
sweeps of FasterPAM, where the masks are what keeps up with the memory.
"""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .._support.jit import kernel

WIDTH = 64
_ONE = np.uint64(1)
_WIDTH = np.uint64(WIDTH)
_I32 = ir.IntType(32)


def _load(context, builder, array_type, array, start):
    """64 entries of an array as one LLVM vector."""
    dtype = array_type.dtype
    vector = ir.VectorType(context.get_value_type(dtype), WIDTH)
    data = context.make_array(array_type)(context, builder, array).data
    pointer = builder.bitcast(builder.gep(data, [start]), vector.as_pointer())
    value = builder.load(pointer)
    value.align = dtype.bitwidth // 8
    return value


def _splat(builder, vector, value):
    """One value in all 64 lanes."""
    undefined = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(undefined, value, ir.Constant(_I32, 0))
    lanes = ir.Constant(ir.VectorType(_I32, WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(single, undefined, lanes)


@intrinsic
def _below_64(typing_context, values, bounds, start):
    signature = types.uint64(values, bounds, types.uint64)

    def generate(context, builder, signature, args):
        value, bound = (
            _load(context, builder, kind, array, args[2])
            for kind, array in zip(signature.args[:2], args[:2], strict=True)
        )
        infinity = _splat(builder, value.type, ir.Constant(value.type.element, float("inf")))
        below = builder.fcmp_unordered("<", value, bound)
        return builder.bitcast(
            builder.or_(below, builder.fcmp_ordered("==", value, infinity)), ir.IntType(64)
        )

    return signature, generate


@intrinsic
def _equal_64(typing_context, values, value, start):
    signature = types.uint64(values, values.dtype, types.uint64)

    def generate(context, builder, signature, args):
        lanes = _load(context, builder, signature.args[0], args[0], args[2])
        same = builder.icmp_signed("==", lanes, _splat(builder, lanes.type, args[1]))
        return builder.bitcast(same, ir.IntType(64))

    return signature, generate


@intrinsic
def _above_64(typing_context, values, bound, start):
    signature = types.uint64(values, values.dtype, types.uint64)

    def generate(context, builder, signature, args):
        lanes = _load(context, builder, signature.args[0], args[0], args[2])
        more = builder.fcmp_ordered(">", lanes, _splat(builder, lanes.type, args[1]))
        return builder.bitcast(more, ir.IntType(64))

    return signature, generate


@intrinsic
def _trailing_zeros(typing_context, mask):
    signature = types.uint64(types.uint64)

    def generate(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return signature, generate


@kernel(strict=True)
def _below_scalar(values, bounds, start, stop):
    mask = np.uint64(0)
    for lane in range(stop - start):
        value = values[start + np.uint64(lane)]
        if not value >= bounds[start + np.uint64(lane)] or value == np.inf:
            mask |= _ONE << np.uint64(lane)
    return mask


@kernel
def _equal_scalar(values, value, start, stop):
    mask = np.uint64(0)
    for lane in range(stop - start):
        if values[start + np.uint64(lane)] == value:
            mask |= _ONE << np.uint64(lane)
    return mask


@kernel(strict=True)
def _above_scalar(values, bound, start, stop):
    mask = np.uint64(0)
    for lane in range(stop - start):
        if values[start + np.uint64(lane)] > bound:
            mask |= _ONE << np.uint64(lane)
    return mask


def _lowest_scalar(mask):
    position = np.uint64(0)
    while not (mask >> position) & _ONE:
        position += _ONE
    return position


@kernel(forceinline=True)
def _below(values, bounds, start, n):
    if n < _WIDTH:
        return _below_scalar(values, bounds, start, n)
    last = n - _WIDTH  # the last lanes are read again, and shifted out
    begin = start if start < last else last
    return _below_64(values, bounds, begin) >> (start - begin)


@kernel(forceinline=True)
def _equal(values, value, start, n):
    if n < _WIDTH:
        return _equal_scalar(values, value, start, n)
    last = n - _WIDTH
    begin = start if start < last else last
    return _equal_64(values, value, begin) >> (start - begin)


@kernel(forceinline=True)
def _above(values, bound, start, n):
    if n < _WIDTH:
        return _above_scalar(values, bound, start, n)
    last = n - _WIDTH
    begin = start if start < last else last
    return _above_64(values, bound, begin) >> (start - begin)


def _interpreted(scalar):
    """Let the definition stand in for the vector code where nothing is compiled."""

    def lanes(values, other, start, n):
        return scalar(values, other, start, min(n, start + np.uint64(WIDTH)))

    return lanes


# below(values, bounds, start, n): the lanes of values[start : start + 64] (as far
#   as n) that are less than their bound, or NaN, or infinite: what is no number
#   must reach the caller's sums, where it shows.
# equal(values, value, start, n): the lanes that equal the value.
# above(values, bound, start, n): the lanes of more than the bound.
# lowest(mask): position of the lowest set bit of a mask that is not zero.
if numba.config.DISABLE_JIT:
    below, equal, above = map(_interpreted, (_below_scalar, _equal_scalar, _above_scalar))
    lowest = _lowest_scalar
else:
    below, equal, above, lowest = _below, _equal, _above, _trailing_zeros
