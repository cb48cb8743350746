"""New rows of a completed matrix: each is fitted to the columns that stand, and filled in."""

import math
from dataclasses import replace

import numpy as np

from .._support.blas import single_threaded_blas
from ._altmin import HalfStep
from ._entries import Entries, Lines
from ._factors import factor_of
from ._losses import NORMAL, ROBUST, Weighted, clipped, median

_FILLED = 1 << 20  # entries at a time
_FALL = 0.3  # of the scale of residuals that weigh in full, with each least squares
_SETTLED = 12  # least squares when it has come down to that of the fit


def fold_in(result, A, spread=None, *, alpha, ridge_exponent, fit_bias, nonnegative, loss):
    """Fit rows to the columns of a result.

    Parameters
    ----------
    result : CompletionResult
    A : csr_array of shape (m, n)
        Observed entries of the rows.
    spread : tuple of float
        What `spread_of` tells, for a loss that is not squared.
    alpha, ridge_exponent, fit_bias, nonnegative, loss
        As of `complete`.

    Returns
    -------
    result : CompletionResult
        The same columns with these rows.
    """
    scale, lines = result._scale, _lines(result, A)
    columns = factor_of(result.right / scale**0.5, result.column_bias / scale)
    rows = factor_of(np.zeros((len(lines), columns.rank), result.right.dtype))
    HalfStep(ridge_exponent, fit_bias, nonnegative)(lines, columns, rows, alpha)
    if loss != "squared":
        noise, unit = spread
        side, half_step = Weighted(lines, ridge_exponent), HalfStep(0.0, fit_bias, nonnegative)
        steps = math.ceil(math.log(min(1.0, noise / unit), _FALL))
        for step in range(steps + _SETTLED):  # the same for all rows, whichever come together
            weights = ROBUST[loss].weights(
                side.residuals(columns, rows), max(noise, unit * _FALL**step)
            )
            half_step(side.reweighted(weights), columns, rows, alpha * unit)
    return replace(result, left=rows.values * scale**0.5, row_bias=rows.bias * scale)


def spread_of(result, A):
    """Scales of the residuals of a fit, and of its values without gross errors, in its units."""
    lines = _lines(result, A)
    residuals = A.data - result.predict(rows_of(A), A.indices)
    noise = NORMAL * median(np.abs(residuals), ()) / result._scale
    unit = clipped(Entries(lines, lines, result.mean, result._scale))[1]
    return max(noise, np.finfo(A.dtype).eps * unit), unit


def _lines(result, A):
    """Entries in the units of a fit."""
    dtype = result.right.dtype
    return Lines(
        A.indptr.astype(np.int64),
        A.indices.astype(np.int32, copy=False),
        ((A.data - result.mean) / result._scale).astype(dtype, copy=False),
        np.empty(0, dtype),
    ).frozen()


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
