"""Sums of powers of residuals, 1 < p < inf, by Newton's method.

Powers below two have an infinite second derivative at zero: ``(r**2 + eps**2)**(p / 2)`` stands
for them, with less and less smoothing. Powers far above two are reached through smaller ones.
"""

import numpy as np

from ._duality import power_terms
from ._frisch_newton import factorised, solved

_GROWTH = 2.0  # of the power, from stage to stage
_SMOOTH = 0.1  # smoothing at first, in units of the mean residual
_SMOOTHER = 0.1  # factor from one smoothing to the next
_ROUGH = 1e-3  # relative gap with which a stage may end that is not the last
_ARMIJO = 1e-4
_LEAST_STEP = 1e-10
_EXACT = 1e-15  # of the first residuals: nothing is left of them


def solve(rows, b, p, weights, tol, trace):
    """Minimise the weighted sum of ``abs(r)**p`` over residuals r.

    Parameters
    ----------
    rows : Rows
    b : ndarray of shape (n,)
    p : float
    weights : ndarray of shape (n,)
    tol : float
        Gap to reach, as a fraction of the objective.
    trace : Trace

    Returns
    -------
    coef : ndarray of shape (rank,)
    multipliers : ndarray of shape (n,)
        Solution of the dual problem, for residuals of which the largest is one.
    """
    coef, r = np.zeros(rows.rank), b
    powers = [p]
    while powers[0] > 2 * _GROWTH:
        powers.insert(0, powers[0] / _GROWTH)
    for power in powers:
        last = power == p
        step, r, a = _stage(rows, r, power, weights, tol if last else _ROUGH, trace)
        coef = coef + step
        if trace.stopped:
            break
    return coef, a


def _stage(rows, r, p, weights, tol, trace):
    """Solve for one power, from the residuals of the last one."""
    size, coef = 1.0, np.zeros(rows.rank)
    smoothing = _SMOOTH * np.mean(np.abs(r)) if p < 2 else 0.0
    trace.begin()
    while True:
        unit = np.abs(r).max()
        if size * unit < _EXACT:
            return size * coef, size * r, np.zeros_like(r)
        # In units of the largest residual, powers of all of them do not underflow.
        size, r, coef, smoothing = size * unit, r / unit, coef / unit, smoothing / unit
        slopes, curvatures = _derivatives(r, p, smoothing)
        curvatures = weights * curvatures
        gram, products = rows.gram(curvatures, slopes / _nonzero(curvatures / weights))
        step = solved(factorised(gram), products)
        fitted = rows.fitted(step)
        a = slopes - curvatures / weights * fitted  # feasible: step solves the normal equations
        total = np.sum(weights * np.abs(r) ** p)
        gap = np.sum(weights * power_terms(r, a, p))
        if not trace.goes_on(gap, total, tol):
            return size * coef, size * r, a
        decrease = products @ step
        length = _line_search(r, fitted, p, smoothing, weights, decrease)
        if length == 0.0 and smoothing == 0.0:
            return size * coef, size * r, slopes
        coef, r = coef + length * step, r - length * fitted
        excess = np.sum(weights * (_smooth(r, p, smoothing) - np.abs(r) ** p))
        if length == 0.0 or decrease < excess:
            smoothing *= _SMOOTHER


def _nonzero(array):
    return np.where(array > 0, array, 1.0)


def _smooth(r, p, smoothing):
    return (r * r + smoothing**2) ** (p / 2) if smoothing else np.abs(r) ** p


def _derivatives(r, p, smoothing):
    """First and second derivatives."""
    if not smoothing:
        powers = np.abs(r) ** (p - 2)
        return p * powers * r, p * (p - 1) * powers
    squares = r * r + smoothing**2
    powers = squares ** (p / 2 - 1)
    return p * powers * r, p * powers * ((p - 1) * r * r + smoothing**2) / squares


def _line_search(r, fitted, p, smoothing, weights, decrease):
    """Longest of the halved steps along which the sum falls as it should."""
    before, length = np.sum(weights * _smooth(r, p, smoothing)), 1.0
    while length > _LEAST_STEP:
        after = np.sum(weights * _smooth(r - length * fitted, p, smoothing))
        if after <= before - _ARMIJO * length * decrease:
            return length
        length /= 2
    return 0.0
