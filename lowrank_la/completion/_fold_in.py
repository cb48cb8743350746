"""New rows of a completed matrix: each is fitted to the columns that stand, and filled in."""

from dataclasses import replace

import numpy as np

from .._support.blas import single_threaded_blas
from ._altmin import HalfStep
from ._entries import Lines
from ._factors import factor_of

_FILLED = 1 << 20  # entries at a time


def fold_in(result, A, *, alpha, ridge_exponent, fit_bias, nonnegative):
    """Least squares for rows, the columns of a result fixed.

    Parameters
    ----------
    result : CompletionResult
    A : csr_array of shape (m, n)
        Observed entries of the rows.
    alpha, ridge_exponent, fit_bias, nonnegative
        As of `complete`.

    Returns
    -------
    result : CompletionResult
        The same columns with these rows.
    """
    scale, dtype = result._scale, result.right.dtype
    root = scale**0.5
    lines = Lines(
        A.indptr.astype(np.int64),
        A.indices.astype(np.int32, copy=False),
        ((A.data - result.mean) / scale).astype(dtype, copy=False),
        np.empty(0, dtype),
    ).frozen()
    columns = factor_of(result.right / root, result.column_bias / scale)
    rows = factor_of(np.zeros((A.shape[0], columns.rank), dtype))
    HalfStep(ridge_exponent, fit_bias, nonnegative)(lines, columns, rows, alpha)
    return replace(result, left=rows.values * root, row_bias=rows.bias * scale)


@single_threaded_blas()
def filled(result, A):
    """Dense matrix of observed entries, as they are, and of predictions elsewhere.

    Parameters
    ----------
    result : CompletionResult
    A : csr_array of shape (m, n)
        Observed entries.

    Returns
    -------
    out : ndarray of shape (m, n)
        In the precision of A.
    """
    m, n = A.shape
    out = np.empty((m, n), A.dtype)
    right = result.right.astype(np.float64)
    level = result.column_bias + np.float64(result.mean)
    step = max(1, _FILLED // max(1, n))
    for begin in range(0, m, step):
        block = slice(begin, begin + step)
        found = result.left[block].astype(np.float64) @ right.T
        found += level
        found += result.row_bias[block, None]
        out[block] = found
    out[rows_of(A), A.indices] = A.data
    return out


def rows_of(A):
    """Row of each entry of a csr_array."""
    return np.repeat(np.arange(A.shape[0], dtype=np.int32), np.diff(A.indptr))
