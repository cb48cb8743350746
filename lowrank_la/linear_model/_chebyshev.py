"""The least largest residual, by Mehrotra's interior-point method."""

import numpy as np

from ._frisch_newton import SHORTENED, SLOW, factorised, solved

_EXACT = 1e-14  # of the first bound: nothing is left of it


def solve(rows, b, tol, trace):
    """Minimise the largest absolute value of residuals.

    The bound t of the residuals r has slacks t - r and t + r, whose multipliers add up to one.

    Parameters
    ----------
    rows : Rows
    b : ndarray of shape (n,)
    tol : float
        Gap to reach, as a fraction of the objective.
    trace : Trace

    Returns
    -------
    coef : ndarray of shape (rank,)
    multipliers : ndarray of shape (n,)
        Solution of the dual problem.
    """
    coef, t = np.zeros(rows.rank), 1.1 * np.abs(b).max()
    slacks = np.stack([t - b, t + b])
    multipliers = 1 / slacks
    multipliers /= multipliers.sum()
    trace.begin()
    while True:
        gap = np.sum(slacks * multipliers)
        if not trace.goes_on(gap, t, tol):
            return coef, multipliers[0] - multipliers[1]
        move, d_slacks, d_multipliers = _step(rows, slacks, multipliers, gap)
        primal, dual = _length(slacks, d_slacks), _length(multipliers, d_multipliers)
        if not max(primal, dual) > SLOW or t < _EXACT:
            return coef, multipliers[0] - multipliers[1]
        coef, t = coef + primal * move[:-1], t + primal * move[-1]
        slacks, multipliers = slacks + primal * d_slacks, multipliers + dual * d_multipliers


def _length(values, changes):
    """Longest step, up to one, that keeps values positive."""
    falling = changes < 0
    longest = np.min(-values[falling] / changes[falling], initial=np.inf)
    return min(1.0, SHORTENED * longest)


def _step(rows, slacks, multipliers, gap):
    """Step of the coefficients and the bound, the slacks and the multipliers."""
    ratios = multipliers / slacks
    both, difference = ratios.sum(axis=0), ratios[0] - ratios[1]
    gram, products = rows.gram(both, difference / both)
    bordered = np.block([[gram, products[:, None]], [products, both.sum()]])
    factor = factorised(bordered)

    def towards(wanted):
        """Step after which multipliers are wanted + ratios * (what the slacks lose)."""
        move, new = 0.0, wanted
        for _ in range(2):  # the second time for what rounding left of their sums
            sums = rows.combined((new[0] - new[1])[None])[0]
            move = move + solved(factor, np.append(sums, new.sum() - 1.0))
            fitted = rows.fitted(move[:-1])
            d_slacks = np.stack([move[-1] + fitted, move[-1] - fitted])
            new = wanted - ratios * d_slacks
        return move, d_slacks, new - multipliers

    _, d_slacks, d_multipliers = towards(np.zeros_like(slacks))
    primal, dual = _length(slacks, d_slacks), _length(multipliers, d_multipliers)
    after = np.sum((slacks + primal * d_slacks) * (multipliers + dual * d_multipliers))
    mu = gap * (after / gap) ** 3 / slacks.size
    return towards((mu - d_slacks * d_multipliers) / slacks)
