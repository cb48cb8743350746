"""Quantile regression of many rows by way of few (Portnoy and Koenker 1997, section 5)."""

import numpy as np

from . import _frisch_newton
from ._rows import Rows

_KEPT = 0.8  # of a sample's size: rows whose sign is left open
_WRONG = 0.1  # of a sample's size: more wrong signs make another sample
_MANY = 10_000  # rows from which samples save time
_REPAIRS = 5  # of the signs that one sample gives


def sample_size(n, d):
    """Rows that tell the signs of most of n residuals."""
    return int(np.sqrt(d) * n ** (2 / 3))


def preprocessed(rows, b, quantile, weights, tol, trace, rng):
    """Solve as :func:`_frisch_newton.solve` does, in less time for many rows."""
    m = sample_size(rows.n, rows.rank)
    while rows.n > _MANY and 3 * m < rows.n and not trace.stopped:
        found = _by_sample(rows, b, quantile, weights, tol, trace, rng, m)
        if found is not None:
            return found
        m *= 2
    formed = rows if rows.sparse else rows.formed()
    return _frisch_newton.solve(formed, b, quantile, weights, tol, trace)


def _by_sample(rows, b, quantile, weights, tol, trace, rng, m):
    """Coefficients and scores; None where a sample tells too little."""
    chosen = np.sort(rng.choice(rows.n, m, replace=False))
    some = weights[chosen] if len(weights) else weights
    coef, _ = _frisch_newton.solve(rows.formed(chosen), b[chosen], quantile, some, tol, trace)
    r = b - rows.fitted(coef)
    band = rows.norms()
    ratios, width = r / np.where(band > 0, band, 1.0), _KEPT * m / rows.n / 2
    levels = [max(quantile - width, 0.0), min(quantile + width, 1.0)]
    low, high = np.quantile(ratios, levels)
    below, above = ratios < low, ratios > high
    for _ in range(_REPAIRS):
        r = b - rows.fitted(coef)
        step, scores = _without(rows, r, quantile, weights, tol, trace, below, above)
        coef = coef + step
        r = b - rows.fitted(coef)
        wrong_below, wrong_above = below & (r > 0), above & (r < 0)
        n_wrong = wrong_below.sum() + wrong_above.sum()
        if not n_wrong or trace.stopped:
            return coef, scores
        if n_wrong > _WRONG * m:
            return None
        below, above = below & ~wrong_below, above & ~wrong_above
    return None


def _without(rows, r, quantile, weights, tol, trace, below, above):
    """Solve with the rows below and above the fit added up to one each."""
    sides = [side for side in (below, above) if side.any()]
    open_ = np.flatnonzero(~(below | above))
    all_weights = weights if len(weights) else np.ones(rows.n)
    mass = np.array([all_weights[side].sum() for side in sides])
    V = np.array([side * all_weights for side in sides]) / mass[:, None]
    globs = rows.combined(V)
    formed = Rows(np.vstack([rows.formed(open_).X, globs]), n_threads=rows.n_threads)
    targets = np.append(r[open_], V @ r)
    step, found = _frisch_newton.solve(
        formed, targets, quantile, np.append(all_weights[open_], mass), tol, trace
    )
    scores = np.empty(rows.n)
    scores[open_] = found[: len(open_)]
    for side, score in zip(sides, found[len(open_) :], strict=True):
        scores[side] = score
    return step, scores
