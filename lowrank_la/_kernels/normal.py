"""Steps of conjugate gradients on the normal equations of a panel that lies in the cache.

A row of the panel is read once for its product with a vector, and again, from the registers' near
cache, for its part of the transposed product. Four rows are met at once: their sums over lanes
are taken together, and stay in a vector. Numba has no word for either, hence the LLVM code; its
definition is the loop below, which runs when the JIT is off.
"""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .._support.jit import kernel

_LINE = 64  # bytes of a vector; LLVM splits it where the host's are shorter
_FEW = 4  # rows met at once
_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_FUSED = ("contract",)  # one instruction multiplies and adds


def _shuffled(builder, a, b, lanes):
    kind = ir.VectorType(_I32, len(lanes))
    return builder.shuffle_vector(a, b, ir.Constant(kind, lanes))


def _sums_over_lanes(builder, vectors):
    """Sums of four vectors, as the lanes of one."""
    width, groups = vectors[0].type.count, 1
    while len(vectors) > 1:  # halves of two vectors side by side, in each of their groups
        half = width // groups // 2
        low = [g * 2 * half + s * width + i for g in range(groups) for s in (0, 1)
               for i in range(half)]  # fmt: skip
        high = [lane + half for lane in low]
        vectors = [
            builder.fadd(_shuffled(builder, a, b, low), _shuffled(builder, a, b, high))
            for a, b in zip(vectors[::2], vectors[1::2], strict=True)
        ]
        groups *= 2
    (total,) = vectors
    size = width // groups
    while size > 1:
        size //= 2
        lanes = [(i + size) % width for i in range(width)]
        total = builder.fadd(total, _shuffled(builder, total, total, lanes))
    step = width // groups
    order = [0, 2, 1, 3]  # the second pairing puts the first of each pair first
    return _shuffled(builder, total, total, [order[r] * step for r in range(_FEW)])


def _load(builder, pointer, offset, kind):
    place = builder.bitcast(builder.gep(pointer, [offset]), kind.as_pointer())
    value = builder.load(place)
    value.align = 8 if kind.element == ir.DoubleType() else 4
    return value


def _splat(builder, value, width):
    kind = ir.VectorType(value.type, width)
    single = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _I32(0))
    return _shuffled(builder, single, single, [0] * width)


def _fma(builder, a, b, c):
    return builder.fadd(builder.fmul(a, b, flags=_FUSED), c, flags=_FUSED)


class _Loop:
    """``for at in range(0, n, step)`` with values that are carried from turn to turn."""

    def __init__(self, builder, n, step, starts):
        self.builder, self.step = builder, step
        before = builder.block
        self.head, self.body, self.after = (builder.append_basic_block() for _ in range(3))
        builder.branch(self.head)
        builder.position_at_end(self.head)
        self.at = builder.phi(_I64)
        self.at.add_incoming(_I64(0), before)
        self.carried = [builder.phi(start.type) for start in starts]
        for phi, start in zip(self.carried, starts, strict=True):
            phi.add_incoming(start, before)
        builder.cbranch(builder.icmp_unsigned("<", self.at, n), self.body, self.after)
        builder.position_at_end(self.body)

    def end(self, values):
        """Go on with other values; what is carried afterwards is as it was at the head."""
        following = self.builder.add(self.at, _I64(self.step))
        self.at.add_incoming(following, self.builder.block)
        for phi, value in zip(self.carried, values, strict=True):
            phi.add_incoming(value, self.builder.block)
        self.builder.branch(self.head)
        self.builder.position_at_end(self.after)
        return self.carried


def _products(builder, rows, x, w, vector):
    """Products of four rows with a vector, as lanes."""
    loop = _Loop(builder, w, vector.count, [ir.Constant(vector, None)] * _FEW)
    part = _load(builder, x, loop.at, vector)
    sums = [
        _fma(builder, _load(builder, row, loop.at, vector), part, total)
        for row, total in zip(rows, loop.carried, strict=True)
    ]
    return _sums_over_lanes(builder, loop.end(sums))


def _add_multiples(builder, rows, factors, w, vector, out):
    loop = _Loop(builder, w, vector.count, [])
    total = _load(builder, out, loop.at, vector)
    for row, factor in zip(rows, factors, strict=True):
        total = _fma(builder, _load(builder, row, loop.at, vector), factor, total)
    place = builder.bitcast(builder.gep(out, [loop.at]), vector.as_pointer())
    builder.store(total, place).align = 8 if vector.element == ir.DoubleType() else 4
    loop.end([])


def _total(builder, lanes):
    parts = [builder.extract_element(lanes, _I32(i)) for i in range(_FEW)]
    return builder.fadd(builder.fadd(*parts[:2]), builder.fadd(*parts[2:]))


@intrinsic
def _add_residual_vectors(typing_context, panel, roots, target, n, x, x_bias, out):
    wanted = out.dtype
    result = types.Tuple((types.float64, types.float64))
    signature = result(panel, roots, target, types.uint64, x, wanted, out)

    def generate(context, builder, signature, args):
        kinds = signature.args
        panel, roots, target, x, out = (
            context.make_array(kinds[i])(context, builder, args[i]) for i in (0, 1, 2, 4, 6)
        )
        w, n, x_bias = x.nitems, args[3], args[5]
        number = x_bias.type
        width = _LINE // (wanted.bitwidth // 8)
        vector, few = ir.VectorType(number, width), ir.VectorType(number, _FEW)
        doubles = ir.VectorType(ir.DoubleType(), _FEW)
        x_bias = _splat(builder, x_bias, _FEW)
        loop = _Loop(builder, n, _FEW, [ir.Constant(doubles, None)] * 2)
        rows = [
            builder.gep(panel.data, [builder.mul(builder.add(loop.at, _I64(r)), w)])
            for r in range(_FEW)
        ]
        root = _load(builder, roots.data, loop.at, few)
        gap = builder.fsub(_load(builder, target.data, loop.at, few), builder.fmul(root, x_bias))
        gap = builder.fsub(gap, _products(builder, rows, x.data, w, vector))
        factors = [_shuffled(builder, gap, gap, [r] * width) for r in range(_FEW)]
        _add_multiples(builder, rows, factors, w, vector, out.data)
        if wanted.bitwidth == 32:
            root, gap = (builder.fpext(value, doubles) for value in (root, gap))
        bias, squares = loop.carried
        sums = loop.end([_fma(builder, gap, root, bias), _fma(builder, gap, gap, squares)])
        totals = [_total(builder, lanes) for lanes in sums]
        return context.make_tuple(builder, signature.return_type, totals)

    return signature, generate


@kernel
def _add_residual_loops(panel, roots, target, n, x, x_bias, out):
    bias, squares = 0.0, 0.0
    for r in range(n):
        row = panel[r]
        gap = target[r] - roots[r] * x_bias
        for c in range(np.uint64(len(x))):
            gap -= row[c] * x[c]
        for c in range(np.uint64(len(x))):
            out[c] += gap * row[c]
        bias += gap * roots[r]
        squares += gap * gap
    return bias, squares


# add_residual(panel, roots, target, n, x, x_bias, out): add A^T (b - A x - s x_bias) to out, where
#   A are the first n rows of a panel (m, w), s roots and b target (both m), x and out have length
#   w. Return s^T and the sum of squares of that residual. n is a multiple of 4, w one of the
#   numbers in a cache line; all arrays are contiguous and of one type, float32 or float64.
add_residual = _add_residual_loops if numba.config.DISABLE_JIT else _add_residual_vectors
