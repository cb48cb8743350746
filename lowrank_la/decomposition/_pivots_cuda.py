"""Pivots of an elimination, on a GPU: the twin of `_pivots_cpu`."""

import numpy as np

from .._support.cuda import THREADS, cuda, cuda_kernel, xp

__all__ = ["xp"]


@cuda_kernel("float64[:, ::1], float64[::1], int64, float64[:, ::1]")
def _update(pivot_row, factors, first, Y):
    # (1, n) (l - first,) in; rows from the first on of (l, n) in and out: a thread to a number
    n = Y.shape[1]
    for at in range(cuda.grid(1), factors.size * n, cuda.gridsize(1)):
        i, j = at // n, at % n
        Y[first + i, j] -= factors[i] * pivot_row[0, j]


def eliminate(Y):
    """Gaussian elimination with pivots anywhere in a row; see the twin in `_pivots_cpu`."""
    Y = xp.array(Y, order="C")
    n_rows, n = Y.shape
    order, pivots = np.arange(n), np.zeros(min(n_rows, n))
    for i in range(len(pivots)):
        at = i + int(xp.argmax(xp.abs(Y[i, order[i:]])))
        order[i], order[at] = order[at], order[i]
        j = order[i]
        pivots[i] = abs(float(Y[i, j]))
        if pivots[i] and i + 1 < n_rows:
            factors = xp.ascontiguousarray(Y[i + 1 :, j] / Y[i, j])
            _update(-(-factors.size * n // THREADS), Y[i : i + 1], factors, i + 1, Y)
    return order, pivots
