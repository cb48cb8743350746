"""Objectives of lp regression, and upper bounds of what they are above the optimum.

A dual point has a multiplier for each row; it is feasible where their sums over every column are
zero, and in a box or in a ball for p = 1 and p = inf.
"""

import numpy as np

from .._support.blas import single_threaded_blas


def objective(r, p, quantile, weights):
    """Sum of weighted powers of residuals; twice the pinball loss for p = 1."""
    if p == np.inf:
        return np.abs(r).max(initial=0.0)
    if p == 1:
        return np.sum(weights * r * (2 * quantile - 2 * (r < 0)))
    return np.sum(weights * np.abs(r) ** p)


def slopes(r, p, quantile):
    """Return derivatives of the powers of residuals; of the largest one for p = inf."""
    if p == np.inf:
        return np.sign(r) * (np.abs(r) == np.abs(r).max(initial=0.0))
    if p == 1:
        return 2 * quantile - 2.0 * (r < 0)
    return p * np.abs(r) ** (p - 1) * np.sign(r)


@single_threaded_blas()
def gap(rows, r, a, p, quantile, weights):
    """Upper bound of the objective less its least value.

    Parameters
    ----------
    rows : Rows
        ``rows.T @ (weights * rows)`` is the identity.
    r : ndarray of shape (n,)
        Residuals.
    a : ndarray of shape (n,)
        Multipliers, feasible or nearly so.
    p, quantile : float
    weights : ndarray of shape (n,), or 1.0

    Returns
    -------
    gap : float
    """
    if p == np.inf:
        a = _balanced(rows, a)
    for _ in range(2):
        a = a - rows.fitted(rows.combined((weights * a)[None])[0])
    if p == np.inf:
        size = np.abs(a).sum()
        return np.maximum(np.abs(r).max() - np.sum(a * r) / size, 0.0) if size else np.abs(r).max()
    if p == 1:
        return _pinball_gap(r, a, quantile, weights)
    return _power_gap(r, a, p, weights)


def _balanced(rows, a):
    """Multipliers nearly the same, whose sums over columns are zero but for rounding."""
    # In proportion to their size: few of many rows have any, and others must not get some.
    for _ in range(2):
        size = np.abs(a)
        gram, _ = rows.gram(size, np.zeros_like(size))
        sums = rows.combined(a[None])[0]
        a = a - size * rows.fitted(np.linalg.lstsq(gram, sums, rcond=1e-14)[0])
    return a


def _pinball_gap(r, a, quantile, weights):
    low, high = 2 * quantile - 2, 2 * quantile
    a = a / max(1.0, np.max(a, initial=0.0) / high, np.min(a, initial=0.0) / low)
    return np.sum(weights * r * (np.where(r < 0, low, high) - a))


def _power_gap(r, a, p, weights):
    """Gap of Fenchel and Young, of the best multiple of the multipliers."""
    q = p / (p - 1)
    conjugate, product = np.sum(weights * (p - 1) * np.abs(a / p) ** q), np.sum(weights * a * r)
    if not (conjugate > 0 and product > 0):
        return objective(r, p, 0.5, weights)
    a = a * (product / (q * conjugate)) ** (p - 1)
    return np.sum(weights * power_terms(r, a, p))


def power_terms(r, a, p):
    """Gaps of the rows: zero where a is the derivative of the power of r."""
    terms = np.abs(r) ** p + (p - 1) * np.abs(a / p) ** (p / (p - 1)) - a * r
    return np.maximum(terms, 0.0)
