"""Walsh-Hadamard transforms of 1024 rows, in tiles of columns that stay in the cache.

The transform of 2^10 rows is two rounds of transforms of 32: within groups of 32
neighbours, then across the groups. 32 vectors fit into the registers of a processor
with AVX-512, so that a tile is read and written twice, not ten times. Numba has no
word for vectors that stay in registers, hence the LLVM code; its definition is the
scalar loop below, which runs when the JIT is off.
"""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .._support.blocks import aligned
from .._support.jit import kernel

ROWS = 1024  # of a tile
WIDTH = 32  # columns of a tile
GROUP = 32  # rows: the square root of ROWS
LANES = 8  # columns to a vector
# Groups are a cache line more than their size apart: at a power of two, rows of the same
# number in their groups would drive each other out of the cache.
STRIDE = GROUP * WIDTH + LANES  # from a group to the next
_GROUP, _WIDTH, _STRIDE = np.uint64(GROUP), np.uint64(WIDTH), np.uint64(STRIDE)
_VECTOR = np.uint64(LANES)
_I64 = ir.IntType(64)


def _butterfly(context, builder, signature, args):
    """Load 32 vectors, transform them, and store them."""
    tile, start, step = args
    data = context.make_array(signature.args[0])(context, builder, tile).data
    vector = ir.VectorType(ir.DoubleType(), LANES)
    places = [builder.add(start, builder.mul(_I64(k), step)) for k in range(GROUP)]
    pointers = [builder.bitcast(builder.gep(data, [at]), vector.as_pointer()) for at in places]
    rows = [builder.load(pointer, align=8) for pointer in pointers]
    for bit in (1, 2, 4, 8, 16):
        for k in range(GROUP):
            if not k & bit:
                one, other = rows[k], rows[k | bit]
                rows[k], rows[k | bit] = builder.fadd(one, other), builder.fsub(one, other)
    for row, pointer in zip(rows, pointers, strict=True):
        builder.store(row, pointer, align=8)
    return context.get_dummy_value()


@intrinsic
def _butterfly_vectors(typing_context, tile, start, step):
    return types.void(tile, types.uint64, types.uint64), _butterfly


def _butterfly_scalars(tile, start, step):
    """Define what the vector code does."""
    places = start + step * np.arange(GROUP, dtype=np.uint64)
    for lane in range(LANES):
        rows = tile[places + np.uint64(lane)]
        for bit in (1, 2, 4, 8, 16):
            pairs = rows.reshape(-1, 2, bit)
            rows = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], 1).ravel()
        tile[places + np.uint64(lane)] = rows


_transform_32 = _butterfly_scalars if numba.config.DISABLE_JIT else _butterfly_vectors


def places(rows):
    """Where rows of a tile begin, as uint64."""
    return (rows * WIDTH + rows // GROUP * LANES).astype(np.uint64)


def tiles(shape):
    """Return memory for tiles: an array of shape (*shape, length)."""
    return aligned((*shape, GROUP * STRIDE), np.float64)


@kernel(strict=True)
def within(tile, group, width):
    """Transform the rows of one group; first of two steps, the arguments are uint64.

    Columns up to the next multiple of eight must have been written.
    """
    start = group * _STRIDE
    stop = start + width
    while start < stop:
        _transform_32(tile, start, _WIDTH)
        start += _VECTOR


@kernel(strict=True)
def across(tile, width):
    """Transform over the groups, after `within` for each; the width is uint64."""
    for row in range(_GROUP):
        start = row * _WIDTH
        stop = start + width
        while start < stop:
            _transform_32(tile, start, _STRIDE)
            start += _VECTOR
