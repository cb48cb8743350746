"""Gaussian matrices on a GPU: made as they are needed, and multiplied by its BLAS."""

import numpy as np

from .._kernels.rng import _MASK, _SHIFT, gaussian_pair, philox
from .._support.cuda import THREADS, cuda, cuda_kernel, device_function, to_device, xp, zeros
from ._gaussian_cpu import ALIGNED, Law

__all__ = ["Law", "to_device", "zeros"]

TAKES_SPARSE = False
_philox, _gaussian_pair = device_function(philox), device_function(gaussian_pair)


@cuda_kernel("uint64, uint64, float64[:, ::1]")
def _fill(key, first, out):
    # Four entries of a row to a thread: (m, n) out
    groups = out.shape[1] // 4
    for at in range(cuda.grid(1), out.shape[0] * groups, cuda.gridsize(1)):
        row, i = at // groups, at % groups * 4
        column, s = (first + np.uint64(i)) >> np.uint64(2), np.uint64(row)
        w0, w1, w2, w3 = _philox(
            column & _MASK, column >> _SHIFT, s & _MASK, s >> _SHIFT, key & _MASK, key >> _SHIFT
        )
        out[row, i], out[row, i + 1] = _gaussian_pair(w0, w1, 1.0)
        out[row, i + 2], out[row, i + 3] = _gaussian_pair(w2, w3, 1.0)


def _made(law, first):
    matrix = xp.empty((law.m, ALIGNED))
    _fill(-(-matrix.size // (4 * THREADS)), law.key, np.uint64(first), matrix)
    return matrix


def new_sums(m, d):
    """Return zeros for m rows of d columns."""
    return zeros((m, d))


def add(law, block, lo, hi, first, sums, n_threads):
    """Add a sketch of whole blocks of rows; see the twin in `_gaussian_cpu`."""
    for done in range(0, hi - lo, ALIGNED):
        rows = block[lo + done : lo + done + ALIGNED].astype(np.float64)
        sums += _made(law, first + done) @ rows


def total(law, sums, d):
    """Return the sketch, an array of shape (m, d)."""
    return sums / np.sqrt(law.m)


def adjoint(law, values, first, out, n_threads):
    """Fill rows of the transpose, times an array; see the twin in `_gaussian_cpu`."""
    for lo in range(0, len(out), ALIGNED):
        rows = out[lo : lo + ALIGNED]
        rows[...] = _made(law, first + lo)[:, : len(rows)].T @ values / np.sqrt(law.m)


def matrix(law, n, n_threads):
    """Return all entries, an array of shape (m, n)."""
    out = xp.empty((law.m, n))
    for first in range(0, n, ALIGNED):
        columns = out[:, first : first + ALIGNED]
        columns[...] = _made(law, first)[:, : columns.shape[1]] / np.sqrt(law.m)
    return out
