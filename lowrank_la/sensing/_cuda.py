"""Products of measurements with vectors and factors on a GPU: the twins of `_cpu`.

Arrays of the measurements lie on the GPU; what they are multiplied with goes there, and products
come back. Who adds up reads its terms in their order: the bits are the same every time.
"""

import numpy as np

from .._support.cuda import THREADS, cuda, cuda_kernel, to_device, to_host, xp

__all__ = ["to_device"]


def times(matrix, x):
    """Product of a matrix, or an operator, and a vector."""
    return to_host(matrix @ to_device(x))


def transposed_times(matrix, z):
    """Product of its transpose and a vector."""
    return to_host(matrix.T @ to_device(z))


def _rows_times(rows, factor):
    return rows if factor is None else rows @ to_device(factor)


def rank_one(a, b, left, right):
    """Products with all rows of a and b; see the twin in `_cpu`."""
    u = a @ to_device(left)
    v = u if b is a and right is left else _rows_times(b, right)
    return to_host((u * v).sum(axis=1, dtype=np.float64).astype(a.dtype))


def rank_one_adjoint(a, b, z, left, right):
    """Products of the adjoint with factors; see the twin in `_cpu`."""
    values = to_device(z)[:, None]
    to_left = to_host(a.T @ (values * _rows_times(b, right)))
    if left is None:
        return to_left, None
    return to_left, to_host(b.T @ (values * (a @ to_device(left))))


@cuda_kernel("int32[::1], int32[::1], T[:, ::1], T[:, ::1], T[::1]")
def _entries(rows, columns, left, right, out):
    for e in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        i, j, total = rows[e], columns[e], 0.0
        for c in range(left.shape[1]):
            total += np.float64(left[i, c]) * np.float64(right[j, c])
        out[e] = total


@cuda_kernel("int64[::1], int32[::1], int32[::1], float64[::1], T[:, ::1], T[:, ::1]")
def _sum_lines(starts, order, others, z, factor, out):
    # A number of a line to a thread
    k = out.shape[1]
    for p in range(cuda.grid(1), out.shape[0] * k, cuda.gridsize(1)):
        i, c, total = p // k, p % k, 0.0
        for at in range(starts[i], starts[i + 1]):
            total += z[order[at]] * np.float64(factor[others[at], c])
        out[i, c] = total


def entries(rows, columns, left, right):
    """Entries of ``left @ right.T``."""
    left, right = to_device(left), to_device(right)
    out = xp.empty(len(rows), left.dtype)
    _entries(-(-len(rows) // THREADS), rows, columns, left, right, out)
    return to_host(out)


def sum_lines(starts, order, others, z, factor):
    """Sum the rows that each line names; see the twin in `_cpu`."""
    factor = to_device(factor)
    out = xp.empty((len(starts) - 1, factor.shape[1]), factor.dtype)
    _sum_lines(-(-out.size // THREADS), starts, order, others, to_device(z), factor, out)
    return to_host(out)
