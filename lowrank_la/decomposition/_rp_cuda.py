"""Loops of randomly pivoted Cholesky on a GPU: the twins of `_rp_cpu`.

A thread to a column: threads beside one another read and write memory beside one another. Products
of matrices are CuPy's.
"""

import math

import numpy as np

from .._support.cuda import THREADS, cuda, cuda_kernel, to_device, xp
from ._rp_cpu import _LARGEST, select

__all__ = ["append", "contiguous", "empty", "features_first", "gaussian", "select"]


def contiguous(array, dtype):
    """Return an array as the loops take it, where they are."""
    return to_device(array).astype(dtype, copy=False)


def features_first(points):
    """Return points transposed: a row to a feature."""
    return to_device(to_device(points).T)


def empty(shape, dtype):
    """Return memory for rows."""
    return xp.empty(shape, dtype)


def _blocks(n):
    return -(-n // THREADS)


@cuda_kernel("T[:, ::1], T[:, ::1], float64, int64, T[:, ::1]")
def _gaussian(points, pivots, gamma, lo, out):
    # (d, n) (a, d) in; (a, width) in and out
    width = out.shape[1]
    for at in range(cuda.grid(1), out.shape[0] * width, cuda.gridsize(1)):
        r, j, total = at // width, at % width, 0.0
        for f in range(pivots.shape[1]):
            gap = np.float64(points[f, lo + j]) - np.float64(pivots[r, f])
            total += gap * gap
        out[r, j] = math.exp(-gamma * min(total, _LARGEST)) - out[r, j]


def gaussian(points, pivots, gamma, lo, hi, out):
    """Subtract an array from exp(-gamma |p - x|²), points p to its rows, x to columns lo to hi."""
    _gaussian(_blocks(out.size), points, pivots, gamma, lo, out)


@cuda_kernel("T[:, ::1], T[:, ::1], float64[::1]")
def _eliminate(triangle, rows, diagonal):
    # (a, a) in; (a, n) and (n,) in and out
    for j in range(cuda.grid(1), rows.shape[1], cuda.gridsize(1)):
        squares = 0.0
        for r in range(rows.shape[0]):
            total = np.float64(rows[r, j])
            for s in range(r):
                total -= np.float64(triangle[r, s]) * np.float64(rows[s, j])
            rows[r, j] = total / np.float64(triangle[r, r])
            squares += np.float64(rows[r, j]) * np.float64(rows[r, j])
        diagonal[j] -= squares


def append(fill, left, triangle, rows, diagonal, n_threads):
    """Add the rows of new pivots to a factor; see the twin in `_rp_cpu`."""
    n_new, first = left.shape
    n, new = rows.shape[1], rows[first : first + n_new]
    if first:
        xp.matmul(left, rows[:first], out=new)
    else:
        new.fill(0.0)
    fill(0, n, new)
    _eliminate(_blocks(n), triangle, new, diagonal)
