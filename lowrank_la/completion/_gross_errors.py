"""Gross errors in entries that are exact otherwise: found, and left out."""

import numpy as np

from .._support.blas import single_threaded_blas
from ._altmin import residuals
from ._continuation import recover
from ._entries import Entries

_TRIALS = 1000  # of a line's entries that may be without errors
_FEW = 0.5  # of the share of entries that all lines meet


@single_threaded_blas()
def settle(entries, model, levels, fit_bias, rng, tol):
    """Meet the entries that are about met exactly, the others left out."""
    for level in levels:
        met = []
        U, V = model.rows, model.columns
        for lines, other, mine in ((entries.columns, U, V), (entries.rows, V, U)):
            _free(lines, other, mine, level, fit_bias, rng)
        for lines, other, mine in ((entries.rows, V, U), (entries.columns, U, V)):
            weights = np.abs(residuals(lines, other, mine)) <= level
            if len(lines.weights):
                weights = weights * lines.weights
            met.append(lines.weighted(weights.astype(lines.values.dtype)))
        rest = Entries(*met, entries.mean, entries.scale)
        model, _, converged, history = recover(
            rest, model.rank, rng, fit_bias=fit_bias, tol=tol, init=model
        )
        if history[-1] <= tol:
            break
    return model, converged


def _free(lines, other, mine, level, fit_bias, rng):
    """Fit anew the lines that gross errors hold: those that meet much fewer entries than others.

    Absolute values are least where as many entries are met as there are unknowns; more can be
    met only if they have no errors.
    """
    unknowns, n = mine.rank + fit_bias, np.diff(lines.starts)
    met = np.abs(residuals(lines, other, mine)) <= level
    counts = lines.weighted(met.astype(float)).amounts
    expected = np.maximum(unknowns, _FEW * met.mean() * n)
    for i in np.flatnonzero((counts <= expected) & (n > unknowns)):
        part = slice(lines.starts[i], lines.starts[i + 1])
        others, ones = lines.others[part], np.ones((n[i], int(fit_bias)), mine.rows.dtype)
        A, b = np.hstack([other.values[others], ones]), lines.values[part] - other.bias[others]
        x = _consensus(A, b, level, rng)
        if (np.abs(A @ x - b) <= level).sum() > max(unknowns, counts[i]):
            mine.values[i], mine.bias[i] = x[: mine.rank], x[mine.rank :].sum()


def _consensus(A, b, level, rng):
    """Solution of a few equations at random that most of the others agree with.

    Random sample consensus (Fischler and Bolles 1981).
    """
    picks = rng.integers(0, len(A), (_TRIALS, A.shape[1]))
    voters = rng.permutation(len(A))[:_TRIALS]
    solutions = np.einsum("tij,tj->ti", np.linalg.pinv(A[picks]), b[picks])
    votes = (np.abs(solutions @ A[voters].T - b[voters]) <= level).sum(axis=1)
    return solutions[votes.argmax()]
