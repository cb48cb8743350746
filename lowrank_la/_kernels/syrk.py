"""Products of a panel of rows that lies in the cache: its Gram matrix, and itself times a matrix.

BLAS is made for matrices that are large both ways. A tall matrix is met here in panels of a few
hundred rows, and both products come from one micro-kernel that keeps a tile of the result in the
registers. On the host's widest vectors it comes close to the peak of one core, where BLAS in the
same panels stays at a half to three quarters of it. The products by BLAS stand below as the
definition, and run where nothing is compiled.
"""

from contextlib import nullcontext

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .._support.blas import single_threaded_blas
from .._support.blocks import aligned
from .._support.jit import kernel

_FEW = 4  # cache lines
PAD = 8  # widths of panels, and numbers of their rows, are multiples of it


def _host_shape():
    """Numbers in a vector, rows and vectors of a tile: what the host's registers hold."""
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 8, 8, 3  # 24 of 32 registers hold the tile
    if features.get("avx2"):
        return 4, 4, 3  # 12 of 16
    return 2, 4, 3  # 12 of 16, or of NEON's 32


_SHAPE = None if numba.config.DISABLE_JIT else _host_shape()
_LANES, _ROWS, _VECTORS = _SHAPE or (1, 1, 1)
_I32, _I64 = ir.IntType(32), ir.IntType(64)
_FUSED = ("contract",)  # one instruction multiplies and adds


def _load_vector(builder, data, offset):
    vector = ir.VectorType(ir.DoubleType(), _LANES)
    value = builder.load(builder.bitcast(builder.gep(data, [offset]), vector.as_pointer()))
    value.align = 8
    return value


def _splat(builder, data, offset):
    undefined = ir.Constant(ir.VectorType(ir.DoubleType(), _LANES), ir.Undefined)
    single = builder.insert_element(undefined, builder.load(builder.gep(data, [offset])), _I32(0))
    lanes = ir.Constant(ir.VectorType(_I32, _LANES), [0] * _LANES)
    return builder.shuffle_vector(single, undefined, lanes)


def _emit_sums(builder, n_vectors, left, right, n):
    """Write the loop of a tile; return its sums, row by row."""
    (left, left_at, left_row, left_step), (right, right_at, right_step) = left, right
    vector = ir.VectorType(ir.DoubleType(), _LANES)
    before = builder.block
    loop, after = (builder.append_basic_block() for _ in range(2))
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(_I64)
    sums = [builder.phi(vector) for _ in range(_ROWS * n_vectors)]
    begin = builder.add(right_at, builder.mul(k, right_step))
    row = [
        _load_vector(builder, right, builder.add(begin, _I64(v * _LANES))) for v in range(n_vectors)
    ]
    begin, added = builder.add(left_at, builder.mul(k, left_step)), []
    for r in range(_ROWS):
        factor = _splat(builder, left, builder.add(begin, builder.mul(_I64(r), left_row)))
        for v in range(n_vectors):
            product = builder.fmul(factor, row[v], flags=_FUSED)
            added.append(builder.fadd(sums[r * n_vectors + v], product, flags=_FUSED))
    next_k = builder.add(k, _I64(1))
    builder.cbranch(builder.icmp_unsigned("<", next_k, n), loop, after)
    zero = ir.Constant(vector, None)
    starts, nexts = [_I64(0)] + [zero] * len(sums), [next_k, *added]
    for phi, start, following in zip([k, *sums], starts, nexts, strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(following, loop)
    builder.position_at_end(after)
    return added


def _tile(n_vectors):
    """Micro-kernel: ``out[r, c] += sum_k left[r, k] * right[k, c]`` for a tile of r and c.

    The arrays are flat; an entry of `left` lies at ``left_at + r * left_row + k * left_step``, one
    of `right` at ``right_at + k * right_step + c``, one of `out` at ``out_at + r * out_row + c``.
    """

    @intrinsic
    def tile(
        context,
        left,
        left_at,
        left_row,
        left_step,
        right,
        right_at,
        right_step,
        n,
        out,
        out_at,
        out_row,
    ):
        numbers = (types.uint64,) * 3
        signature = types.void(left, *numbers, right, *numbers[:2], types.uint64, out, *numbers[:2])

        def generate(context, builder, signature, args):
            left, right, out = (
                context.make_array(signature.args[i])(context, builder, args[i]).data
                for i in (0, 4, 8)
            )
            sums = _emit_sums(builder, n_vectors, (left, *args[1:4]), (right, *args[5:7]), args[7])
            for i, total in enumerate(sums):
                r, v = divmod(i, n_vectors)
                offset = builder.add(args[9], builder.mul(_I64(r), args[10]))
                offset = builder.add(offset, _I64(v * _LANES))
                sum_ = builder.fadd(_load_vector(builder, out, offset), total)
                place = builder.bitcast(builder.gep(out, [offset]), sum_.type.as_pointer())
                builder.store(sum_, place).align = 8
            return context.get_dummy_value()

        return signature, generate

    return tile


_tile_1, _tile_2, _tile_3 = map(_tile, (1, 2, 3))
_U_LANES, _U_ROWS, _U_STEP = map(np.uint64, (_LANES, _ROWS, _LANES * _VECTORS))
_U_CHUNK = np.uint64(64)  # rows whose products are squared before the next ones are made


@kernel(forceinline=True)
def _tile_row(left, left_at, left_row, left_step, right, j, width, n, out, out_at):
    """Tile that begins at column j: as wide as the matrix still is."""
    if width - j >= _U_STEP:
        _tile_3(left, left_at, left_row, left_step, right, j, width, n, out, out_at, width)
    elif width - j > _U_LANES:
        _tile_2(left, left_at, left_row, left_step, right, j, width, n, out, out_at, width)
    else:
        _tile_1(left, left_at, left_row, left_step, right, j, width, n, out, out_at, width)


@kernel
def _add_gram_tiles(panel, n_left, gram):
    # (m, w) in; (>= n_left, w) in and out: its upper triangle
    m, width = np.uint64(panel.shape[0]), np.uint64(panel.shape[1])
    flat, out = panel.reshape(-1), gram.reshape(-1)
    one = np.uint64(1)
    i = np.uint64(0)
    while i < np.uint64(n_left):
        j = i - i % _U_LANES
        while j < width:
            _tile_row(flat, i, one, width, flat, j, width, m, out, i * width + j)
            j += _U_STEP
        i += _U_ROWS


@kernel(forceinline=True)
def _height(matrix, width, j):
    """Rows of a matrix, as an array of one dimension, until its columns j to j + step end."""
    n = width
    while n > np.uint64(1):
        for c in range(j, min(width, j + _U_STEP)):
            if matrix[(n - np.uint64(1)) * width + np.uint64(c)] != 0.0:
                return n
        n -= np.uint64(1)
    return n


@kernel(forceinline=True)
def _map_rows(left, lo, hi, width, right, heights, out):
    """Rows lo to hi times a matrix whose columns end at some heights, a step of them at a time."""
    for index in range(out.shape[0]):
        out[np.uint64(index)] = 0.0
    one, j = np.uint64(1), np.uint64(0)
    while j < width:
        n, i = heights[j // _U_STEP], lo
        while i < hi:
            at = (i - lo) * width + j
            _tile_row(left, i * width, width, one, right, j, width, n, out, at)
            i += _U_ROWS
        j += _U_STEP


@kernel(forceinline=True)
def _heights(matrix, width):
    heights = np.empty(np.int64(width // _U_STEP) + 1, np.uint64)
    for step in range(heights.shape[0]):
        heights[step] = _height(matrix, width, np.uint64(step) * _U_STEP)
    return heights


@kernel
def _times_tiles(panel, matrix, out):
    # (m, w), (w, w) in; (m, w) out. What lies below a triangular matrix is passed over.
    m, width = np.uint64(panel.shape[0]), np.uint64(panel.shape[1])
    right = matrix.reshape(-1)
    heights = _heights(right, width)
    _map_rows(panel.reshape(-1), np.uint64(0), m, width, right, heights, out.reshape(-1))


@kernel
def _row_squares_tiles(panel, matrix, squares):
    # (m, w), (w, w) in; (<= m,) out. Products stay in the cache.
    m, width = np.uint64(panel.shape[0]), np.uint64(panel.shape[1])
    left, right = panel.reshape(-1), matrix.reshape(-1)
    heights, mapped = _heights(right, width), np.empty(np.int64(_U_CHUNK * width))
    lo = np.uint64(0)
    while lo < np.uint64(squares.shape[0]):
        hi = min(m, lo + _U_CHUNK)
        _map_rows(left, lo, hi, width, right, heights, mapped)
        for i in range(lo, min(hi, np.uint64(squares.shape[0]))):
            total, begin = 0.0, (i - lo) * width
            for j in range(width):
                total += mapped[begin + j] * mapped[begin + j]
            squares[i] = total
        lo = hi


def _add_gram_blas(panel, n_left, gram):
    gram[:n_left] += panel[:, :n_left].T @ panel


def _times_blas(panel, matrix, out):
    np.matmul(panel, matrix, out=out)


def _row_squares_blas(panel, matrix, squares):
    mapped = panel[: len(squares)] @ matrix
    np.einsum("ij,ij->i", mapped, mapped, out=squares)


def padded(width):
    """Width of a panel for so many columns: an odd number of cache lines, if they are many.

    Rows an even number of lines apart would share few sets of the first cache.
    """
    lines = -(-width // PAD)
    return PAD * (lines + 1 - lines % 2 if lines > _FEW else lines)


def empty_panel(n_rows, width):
    """Room for the rows of a panel and some more, all zero."""
    panel = aligned((-(-n_rows // PAD) * PAD, padded(width)), np.float64)
    panel[:] = 0.0
    return panel


# add_gram(panel, n_left, gram): add the products of the first n_left columns of a panel (m, w)
#   with all of them to gram (>= n_left, padded, w); its lower triangle is left undefined.
# times(panel, matrix, out): the product of a panel (m, w) and a matrix (w, w); twice as fast when
#   the matrix is upper triangular.
# row_squares(panel, matrix, squares): of the first rows of that product.
# All are made of m and w that are multiples of PAD, in float64, and are called under alone().
if _SHAPE:
    add_gram, times, row_squares = _add_gram_tiles, _times_tiles, _row_squares_tiles
    alone = nullcontext
else:
    add_gram, times, row_squares = _add_gram_blas, _times_blas, _row_squares_blas
    alone = single_threaded_blas
