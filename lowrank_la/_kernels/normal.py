"""Residuals of some rows of a matrix, and their part of the normal equations.

A row is read for its product with a vector, and again, from the first cache, for its part of the
transposed product. Four rows are met at once: their sums over lanes are taken together, and stay
in a vector. Numba has no word for either, hence the LLVM code; its definition is the loop below,
which runs when the JIT is off.
"""

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .csr import splat

_LINE = 64  # bytes of a vector; LLVM splits it where the host's are shorter
_FEW = 4  # rows met at once
_I32, _I64 = ir.IntType(32), ir.IntType(64)
_FUSED = ("contract",)  # one instruction multiplies and adds


def _shuffled(builder, a, b, lanes):
    kind = ir.VectorType(_I32, len(lanes))
    return builder.shuffle_vector(a, b, ir.Constant(kind, lanes))


def _sums_over_lanes(builder, vectors):
    """Add up the lanes of four vectors: the sums are lanes of one."""
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
def _add_residual_vectors(typing_context, matrix, at, weights, target, n, x, constant, out):
    number = out.dtype
    result = types.Tuple((types.float64, types.float64))
    signature = result(matrix, at, weights, target, types.uint64, x, number, out)

    def generate(context, builder, signature, args):
        kinds = signature.args
        matrix, at, weights, target, x, out = (
            context.make_array(kinds[i])(context, builder, args[i]) for i in (0, 1, 2, 3, 5, 7)
        )
        w, n = x.nitems, args[4]
        width = _LINE // (number.bitwidth // 8)
        kind = args[6].type
        vector, few = ir.VectorType(kind, width), ir.VectorType(kind, _FEW)
        doubles = ir.VectorType(ir.DoubleType(), _FEW)
        constant = splat(builder, args[6], _FEW)
        loop = _Loop(builder, n, _FEW, [ir.Constant(doubles, None)] * 2)
        places = [builder.gep(at.data, [builder.add(loop.at, _I64(r))]) for r in range(_FEW)]
        rows = [builder.gep(matrix.data, [builder.load(place)]) for place in places]
        gap = builder.fsub(_load(builder, target.data, loop.at, few), constant)
        gap = builder.fsub(gap, _products(builder, rows, x.data, w, vector))
        force = builder.fmul(gap, _load(builder, weights.data, loop.at, few))
        factors = [_shuffled(builder, force, force, [r] * width) for r in range(_FEW)]
        _add_multiples(builder, rows, factors, w, vector, out.data)
        if number.bitwidth == 32:
            gap, force = (builder.fpext(value, doubles) for value in (gap, force))
        total, squares = loop.carried
        sums = loop.end([builder.fadd(total, force), _fma(builder, gap, force, squares)])
        return context.make_tuple(
            builder, signature.return_type, [_total(builder, lanes) for lanes in sums]
        )

    return signature, generate


def _add_residual_loops(matrix, at, weights, target, n, x, constant, out):
    total, squares, flat = 0.0, 0.0, matrix.reshape(-1)
    for r in range(int(n)):
        row = flat[at[r] : at[r] + len(x)]
        gap = target[r] - constant - row @ x
        out += weights[r] * gap * row
        total += weights[r] * gap
        squares += weights[r] * gap * gap
    return total, squares


# add_residual(matrix, at, weights, target, n, x, constant, out): for n rows of a matrix of width w,
#   which begin at the numbers `at` (int64) of it, add W A to out, transposed, times the residual
#   target - A x - constant. Return the sum of that residual times weights, and that of its square.
#   n is a multiple of 4 (the rest has weight zero), w of the numbers in a cache line; all other
#   arrays are contiguous and of one type, float32 or float64.
add_residual = _add_residual_loops if numba.config.DISABLE_JIT else _add_residual_vectors
