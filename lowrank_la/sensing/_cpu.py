"""Products of measurements with vectors and factors.

What is long is done in blocks of measurements, or of lines, whose sums are added up in their
order: the bits do not depend on the number of threads.
"""

import numpy as np

from .._support.blas import single_threaded_blas
from .._support.blocks import frozen, run_blocks
from .._support.jit import kernel

__all__ = ["to_device"]

_BLOCKS, _LEAST = 16, 256  # of measurements: at most as many blocks, of no fewer
_SMALL = 900_000  # multiplications: a product that BLAS makes without copies takes no more
_PANEL = 256  # measurements, where products are larger whatever is done
_SPARSE = 4096  # measurements by sparse rows whose products with a dense matrix are large
_ENTRIES = 32768  # of a block of lines, more or less

to_device = frozen


def _block_of(m):
    return max(_LEAST, -(-m // _BLOCKS))


def _times(lo, hi, b, matrix, x, out):
    out[lo:hi] = matrix[lo:hi] @ x


def _add_transposed(lo, hi, b, matrix, z, sums):
    sums[b] += matrix[lo:hi].T @ z[lo:hi]


def times(matrix, x):
    """Product of a matrix, or an operator, and a vector."""
    if not _are_dense(matrix):
        return np.array(matrix @ x)
    out = np.empty(len(matrix), matrix.dtype)
    with single_threaded_blas():
        run_blocks(_times, len(matrix), _block_of(len(matrix)), (matrix, x, out))
    return out


def transposed_times(matrix, z):
    """Product of its transpose and a vector."""
    if not _are_dense(matrix):  # copied: it may write all products to the same place
        return np.array(matrix.T @ z)
    m, n = matrix.shape
    sums = np.zeros((-(-m // _block_of(m)), n))
    with single_threaded_blas():
        run_blocks(_add_transposed, m, _block_of(m), (matrix, z, sums))
    return sums.sum(axis=0, dtype=np.float64).astype(matrix.dtype)


def _are_dense(*matrices):
    return all(isinstance(matrix, np.ndarray) for matrix in matrices)


def _panel_of(a, b, width):
    """Rows that stay in the cache between products, of which BLAS makes no copies.

    To copy them takes longer than to multiply them with a few columns.
    """
    if not _are_dense(a, b):
        return _SPARSE
    rows = _SMALL // (a.shape[1] * width) // 8 * 8
    return min(rows, _BLOCKS * _PANEL) or _PANEL


def _rows_times(rows, factor):
    """Product of rows, dense or sparse, and a factor; None is the identity."""
    if factor is not None:
        return rows @ factor
    return rows if _are_dense(rows) else rows.toarray()


def _measure(lo, hi, b, panel, a, other, left, right, out):
    for begin in range(lo, hi, panel):
        rows = slice(begin, min(hi, begin + panel))
        u = a[rows] @ left
        v = u if other is a and right is left else _rows_times(other[rows], right)
        out[rows] = np.einsum("ij,ij->i", u, v, dtype=np.float64)


def _add_adjoint(lo, hi, b, panel, a, other, z, left, right, to_left, to_right):
    for begin in range(lo, hi, panel):
        rows = slice(begin, min(hi, begin + panel))
        values = z[rows, None]
        to_left[b] += a[rows].T @ (values * _rows_times(other[rows], right))
        if left is not None:
            to_right[b] += other[rows].T @ (values * (a[rows] @ left))


@single_threaded_blas()
def rank_one(a, b, left, right):
    """``a_i' left right' b_i`` for all rows of a and b; None on the right is the identity."""
    m, panel = a.shape[0], _panel_of(a, b, left.shape[1])
    out = np.empty(m, a.dtype)
    run_blocks(_measure, m, _block_of(m), (panel, a, b, left, right, out))
    return out


@single_threaded_blas()
def rank_one_adjoint(a, b, z, left, right):
    """Sum of ``z_i a_i b_i'`` times a factor, and its transpose times another.

    None on the right is the identity. None on the left asks for the first product alone.
    """
    m, width = a.shape[0], b.shape[1] if right is None else right.shape[1]
    panel, block = _panel_of(a, b, width), _block_of(m)
    if right is None:  # large products, whose sums are kept once
        block = m
    elif not _are_dense(a, b):  # they read what is not zero, and write all
        panel = block = m
    n_blocks = -(-m // block)
    to_left = np.zeros((n_blocks, a.shape[1], width))
    to_right = None if left is None else np.zeros((n_blocks, b.shape[1], width))
    run_blocks(_add_adjoint, m, block, (panel, a, b, z, left, right, to_left, to_right))
    return tuple(
        None if sums is None else sums.sum(axis=0).astype(a.dtype) for sums in (to_left, to_right)
    )


@kernel
def _entries(lo, hi, b, rows, columns, left, right, out):
    # (m,) twice, (n1, k), (n2, k) in; (m,) out
    for e in range(np.uint64(lo), np.uint64(hi)):
        u, v = left[np.uint64(rows[e])], right[np.uint64(columns[e])]
        total = 0.0
        for c in range(np.uint64(len(u))):
            total += np.float64(u[c]) * np.float64(v[c])
        out[e] = total


@kernel
def _sum_lines(lo, hi, b, starts, order, others, z, factor, out):
    # (n + 1,) (m,) twice; (m,), (n', k) in; (n, k) out
    k, one = np.uint64(factor.shape[1]), np.uint64(1)
    totals, first = np.empty(k), np.uint64(starts[np.uint64(lo)])
    values = np.empty(np.uint64(starts[np.uint64(hi)]) - first)
    for at in range(np.uint64(len(values))):  # in a loop of its own, it waits for many at once
        values[at] = z[np.uint64(order[first + at])]
    for i in range(np.uint64(lo), np.uint64(hi)):
        for c in range(k):
            totals[c] = 0.0
        for at in range(np.uint64(starts[i]), np.uint64(starts[i + one])):
            value, row = values[at - first], factor[np.uint64(others[at])]
            for c in range(k):
                totals[c] += value * np.float64(row[c])
        line = out[i]
        for c in range(k):
            line[c] = totals[c]


def entries(rows, columns, left, right):
    """Entries of ``left @ right.T``."""
    out = np.empty(len(rows), left.dtype)
    run_blocks(_entries, len(rows), _ENTRIES, (rows, columns, left, right, out))
    return out


def sum_lines(starts, order, others, z, factor):
    """Sum, for each line, the rows of a factor that its entries name, times their values."""
    n = len(starts) - 1
    out = np.empty((n, factor.shape[1]), factor.dtype)
    block = max(1, n * _ENTRIES // len(order))
    run_blocks(_sum_lines, n, block, (starts, order, others, z, factor, out))
    return out
