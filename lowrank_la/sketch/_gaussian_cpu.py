"""Gaussian matrices on the CPU: made as they are needed, and multiplied by BLAS."""

from typing import NamedTuple

import numpy as np

from .._kernels.rng import _MASK, _SHIFT, gaussian_pair_cpu, philox_cpu
from .._support.blas import single_threaded_blas
from .._support.blocks import aligned, frozen, run_blocks
from .._support.jit import kernel
from ._rows_cpu import dense_rows, to_device, zeros

__all__ = ["to_device", "zeros"]

ALIGNED = 1024  # rows come in blocks of as many
TAKES_SPARSE = False
_PART = 256  # rows of the sketch, with a block of the matrix each
_TWO, _FOUR = np.uint64(2), np.uint64(4)


class Law(NamedTuple):
    """Independent normal entries of variance 1 / m."""

    key: np.uint64
    m: int


@kernel
def _fill(lo, hi, key, first, out):
    # Rows lo to hi of the matrix, columns `first` and following: (hi - lo, n) out
    for s in range(np.uint64(hi - lo)):
        row = np.uint64(lo) + s
        for i in range(np.uint64(0), np.uint64(out.shape[1]), _FOUR):
            column = (first + i) // _FOUR
            w0, w1, w2, w3 = philox_cpu(
                column & _MASK, column >> _SHIFT, row & _MASK, row >> _SHIFT, key & _MASK,
                key >> _SHIFT,
            )  # fmt: skip
            out[s, i], out[s, i + np.uint64(1)] = gaussian_pair_cpu(w0, w1, 1.0)
            out[s, i + _TWO], out[s, i + np.uint64(3)] = gaussian_pair_cpu(w2, w3, 1.0)


def _made(law, lo, hi, first):
    matrix = aligned((hi - lo, ALIGNED), np.float64)
    _fill(lo, hi, law.key, np.uint64(first), matrix)
    return matrix


def new_sums(m, d):
    """Return zeros for m rows of d columns."""
    return zeros((m, d))


def _add(lo, hi, b, law, data, first, sums):
    sums[lo:hi] += _made(law, lo, hi, first) @ data


def add(law, block, lo, hi, first, sums, n_threads):
    """Add a sketch of the rows `lo` to `hi` of a block.

    Parameters
    ----------
    law : Law
    block : array or CSR matrix of shape (n, d)
    lo, hi : int
        They differ by a multiple of `ALIGNED`.
    first : int
        Number of row `lo` in the whole of the data; a multiple of `ALIGNED`.
    sums : ndarray of shape (m, d)
    n_threads : int
    """
    data, begin = dense_rows(block, lo, hi)
    rows = zeros((ALIGNED, block.shape[1]))  # the same layout for BLAS always
    for done in range(0, hi - lo, ALIGNED):
        rows[...] = data[begin + done : begin + done + ALIGNED]
        with single_threaded_blas():
            run_blocks(_add, law.m, _PART, (law, rows, first + done, sums), n_threads)


def total(law, sums, d):
    """Return the sketch, an array of shape (m, d)."""
    return sums / np.sqrt(law.m)


def _multiply(lo, hi, b, law, values, first, out):
    for row in range(0, law.m, _PART):
        part = _made(law, row, min(law.m, row + _PART), first + lo)
        out[lo:hi] += part[:, : hi - lo].T @ values[row : row + _PART]


def adjoint(law, values, first, out, n_threads):
    """Fill rows `first` and following of the transpose, times an array.

    Parameters
    ----------
    law : Law
    values : ndarray of shape (m, k)
    first : int
        A multiple of `ALIGNED`.
    out : ndarray of shape (n, k)
    n_threads : int
    """
    out[...] = 0
    values = frozen(values / np.sqrt(law.m))
    with single_threaded_blas():
        run_blocks(_multiply, len(out), ALIGNED, (law, values, first, out), n_threads)


def _copy(lo, hi, b, law, first, out):
    out[lo:hi] = _made(law, lo, hi, first)[:, : out.shape[1]] / np.sqrt(law.m)


def matrix(law, n, n_threads):
    """Return all entries, an array of shape (m, n)."""
    out = np.empty((law.m, n))
    for first in range(0, n, ALIGNED):
        columns = out[:, first : first + ALIGNED]
        run_blocks(_copy, law.m, _PART, (law, first, columns), n_threads)
    return out
