"""Means, Gram matrices and products of tall arrays, by blocks of rows.

BLAS does the work, on one thread for each block; which blocks there are depends
on the number of rows alone, and partial sums are added in their order, so that
the bits are the same on any number of threads.
"""

import numpy as np

from .._support.blas import single_threaded_blas
from .._support.blocks import aligned, run_blocks

_PARTS = 16  # at most, with a Gram matrix each
_ROWS = 2048  # at a time
_PANEL = 64  # columns


def _chunks(lo, hi):
    return (slice(begin, min(hi, begin + _ROWS)) for begin in range(lo, hi, _ROWS))


def _add_up(lo, hi, b, X, sums):
    for rows in _chunks(lo, hi):
        sums[b] += X[rows].sum(axis=0, dtype=np.float64)


def _add_products(lo, hi, b, X, mean, grams):
    for rows in _chunks(lo, hi):
        centred = X[rows] - mean
        grams[b] += centred.T @ centred  # of one block, in the precision of the data


def _map(lo, hi, b, X, mean, matrix, out):
    for rows in _chunks(lo, hi):
        np.matmul(X[rows] - mean, matrix, out=out[rows])


def _map_triangular(lo, hi, b, mean, upper, X):
    # By panels of columns. BLAS has a call for it, but SciPy's holds the interpreter's lock.
    for rows in _chunks(lo, hi):
        centred = X[rows] - mean
        for begin in range(0, len(upper), _PANEL):
            end = min(len(upper), begin + _PANEL)
            np.matmul(centred[:, :end], upper[:end, begin:end], out=X[rows, begin:end])


def _parts(n):
    return max(_ROWS, -(-n // _PARTS))


def moments(X, n_threads):
    """Mean of the rows, and Gram matrix of their differences from it.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    n_threads : int

    Returns
    -------
    mean : ndarray of shape (d,)
        In the precision of X; what the Gram matrix is centred at.
    gram : ndarray of shape (d, d)
        In float64.
    """
    n, d = X.shape
    part = _parts(n)
    n_parts = -(-n // part)
    sums, grams = np.zeros((n_parts, d)), np.zeros((n_parts, d, d))
    run_blocks(_add_up, n, part, (X, sums), n_threads)
    mean = (sums.sum(axis=0) / n).astype(X.dtype)
    with single_threaded_blas():
        run_blocks(_add_products, n, part, (X, mean, grams), n_threads)
    return mean, grams.sum(axis=0)


def mapped(X, mean, matrix, n_threads):
    """Return ``(X - mean) @ matrix``, in the precision of X.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    mean : ndarray of shape (d,)
    matrix : ndarray of shape (d, k)
    n_threads : int
    """
    out = aligned((len(X), matrix.shape[1]), X.dtype)
    with single_threaded_blas():
        args = X, mean, np.ascontiguousarray(matrix, X.dtype), out
        run_blocks(_map, len(X), _parts(len(X)), args, n_threads)
    return out


def mapped_by_triangle(X, mean, lower, n_threads):
    """Replace X by ``(X - mean) @ lower.T``, in less time than :func:`mapped`.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Overwritten.
    mean : ndarray of shape (d,)
    lower : ndarray of shape (d, d)
        Lower triangular.
    n_threads : int

    Returns
    -------
    X : ndarray of shape (n, d)
    """
    with single_threaded_blas():
        args = mean, np.ascontiguousarray(lower.T, X.dtype), X
        run_blocks(_map_triangular, len(X), _parts(len(X)), args, n_threads)
    return X
