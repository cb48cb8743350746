"""Quantile regression of many rows by way of few (Portnoy and Koenker 1997, section 5).

A sample tells the sign of most residuals. Rows of a known sign add a linear term to the objective;
with it, the few that are left open have the same solution as all rows. A look at all of them
certifies it, or leaves open other rows, closer to the better fit.
"""

import numpy as np

from . import _frisch_newton
from ._rows import TILE, padded

_MANY = 10_000  # rows from which samples save time
_KEPT = 2.0  # of a sample's size: rows whose sign is left open at first
_NARROWER = 0.125  # times as many, after each look
_ROUGH = 0.1  # relative gap of a solution that is not the last, in units of rank / sample size
_LOOKS = 6  # at all rows, until another sample is taken
_LEAST_RATIO = 4  # of all rows to the sample
_TINY = 1e-300
_DENSE = 4  # times the entries of sparse rows: more are not formed in tiles


def sample_size(n, d):
    """Rows that tell the signs of most of n residuals."""
    return int(0.7 * np.sqrt(d) * n ** (2 / 3))


def whole(rows, b, quantile, weights, tol, trace):
    """Solve without a sample; see :func:`_frisch_newton.solve`."""
    given = quantile, tol, trace, rows.n_threads
    start = _shift(rows, b, quantile, weights)
    b = b - rows.fitted(start)
    if rows.sparse and rows.n * rows.rank > _DENSE * rows.X.nnz:
        tiles = np.empty((-(-rows.n // TILE), 0, TILE))
        rows, b = rows.times(weights), b * weights if len(weights) else b
        coef, scores = _frisch_newton.solve(tiles, rows.rank, b, *given, rows)
    else:
        coef, scores = _frisch_newton.solve(*_weighted(rows, b, weights), *given)
    return start + coef, scores


def _weighted(rows, r, weights):
    """Tiles of the rows, their rank and residuals, all times weights.

    With weights in the objective itself, steps would be many where weights are far apart.
    """
    tiles = rows.tiles()
    if len(weights):
        tiles *= padded(weights, len(tiles) * TILE).reshape(-1, 1, TILE)
        r = weights * r
    return tiles, rows.rank, r


def _shift(rows, r, quantile, weights):
    """Coefficients that shift residuals by their quantile, if the rows can do it at all."""
    ones = weights if len(weights) else np.ones(rows.n)
    coef = rows.combined(ones[None])[0]
    fitted = rows.fitted(coef)
    coef = np.quantile(r, quantile) * coef / (fitted.mean() or 1.0)
    moved = r - rows.fitted(coef)
    better = np.sum(ones * (moved * (quantile - (moved < 0)) - r * (quantile - (r < 0)))) < 0
    return coef if better else np.zeros(rows.rank)


def preprocessed(rows, start, b, quantile, weights, tol, trace, rng):
    """Solve by way of samples.

    Parameters
    ----------
    rows : Rows
    start : ndarray of shape (d,)
        Coefficients of the design.
    b : ndarray of shape (n,)
    quantile : float
    weights : ndarray of shape (n,) or (0,)
    tol : float
        Gap to reach, as a fraction of the objective.
    trace : Trace
    rng : Generator

    Returns
    -------
    found : tuple of coef, objective and gap, or None
        Coefficients of the design; of the sum of ``(quantile - (r < 0)) * r``. None
        where the rows are too few, or too unlike each other.
    """
    m = sample_size(rows.n, rows.rank)
    while rows.n > _MANY and _LEAST_RATIO * m < rows.n and not trace.stopped:
        search = _Search(rows, b, quantile, weights, trace, m)
        found = search.run(start, tol, rng)
        if found is not None or search.crowded:
            return found
        m *= 2
    return None


class _Search:
    """The fit of all rows by way of one sample."""

    def __init__(self, rows, b, quantile, weights, trace, m):
        self.rows, self.b, self.quantile, self.weights = rows, b, quantile, weights
        self.trace, self.m = trace, m
        self.norms = np.full(rows.n, np.nan)
        self.rough = _ROUGH * rows.rank / m
        self.crowded = False  # whether most rows lie near the fit, as larger samples would find
        self.scores = np.full(rows.n, 1 - quantile)
        self.sides = np.zeros(rows.n, np.int8)

    def run(self, start, tol, rng):
        """Return coefficients, objective and gap, or None if the sample told too little."""
        n, kept = self.rows.n, _KEPT * self.m
        chosen = ((np.arange(self.m) + rng.random(self.m)) * (n / self.m)).astype(np.int64)
        sample = self.rows.taken(chosen)
        r = self.b[chosen] - sample.fit(start)
        shift = _shift(sample, r, self.quantile, self._some(chosen))
        r = r - sample.fitted(shift)
        step, _ = self._solve(sample, r, chosen, self.rough)
        coef = start + self.rows.mapped(shift + step)
        band = _band(self.b[chosen] - sample.fit(coef), sample.norms(), kept / n)
        last = np.inf
        for look in range(_LOOKS):
            r, combined, sums = self.rows.survey(
                coef, self.b, self.weights, self.quantile, self.scores, band, self.norms, self.sides
            )
            gap = self._gap(combined, sums)
            if look and (gap <= tol * sums[0] or self.trace.stopped):
                return coef, sums[0], gap
            chosen = np.flatnonzero(self.sides == 0)
            self.crowded = 2 * len(chosen) > n
            if self.crowded or len(chosen) < self.rows.rank or not gap < last:
                return None
            last = gap if look else np.inf
            open_ = self.rows.taken(chosen)
            fixed = self._fixed(combined, sums)
            step, self.scores[chosen] = self._solve(open_, r[chosen], chosen, tol / 2, fixed)
            coef, kept = coef + self.rows.mapped(step), _NARROWER * kept
            r = self.b[chosen] - open_.fit(coef)
            band = _band(r, self.norms[chosen], kept / len(chosen))
        return None

    def _some(self, chosen):
        return self.weights[chosen] if len(self.weights) else self.weights

    def _solve(self, some, r, chosen, tol, fixed=None):
        given = self.quantile, tol, self.trace, self.rows.n_threads
        return _frisch_newton.solve(*_weighted(some, r, self._some(chosen)), *given, fixed=fixed)

    def _fixed(self, combined, sums):
        """Linear term of the rows below and above the fit."""
        slopes = np.array([self.quantile - 1, self.quantile])
        return slopes @ combined[:2], slopes @ sums[2:4]

    def _gap(self, combined, sums):
        """Upper bound of the objective less its least value, from scores made feasible."""
        lack = combined[2]  # scores that are changed by -rows @ lack satisfy the constraints
        norm = 1 / np.sqrt(self.weights.min(initial=1.0))  # no row has a larger one
        excess = norm * np.linalg.norm(lack) / min(self.quantile, 1 - self.quantile)
        share = 1 / (1 + excess)
        return np.maximum((1 - share) * sums[0] + share * (sums[1] + lack @ combined[3]), 0.0)


def _band(r, norms, share):
    """Multiple of the norms that a share of some residuals does not exceed."""
    return np.quantile(np.abs(r) / np.maximum(norms, _TINY), min(share, 1.0))
