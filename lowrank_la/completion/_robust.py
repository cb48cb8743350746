"""Losses that forgive gross errors, by least squares whose weights come from the residuals.

Huber's function is square up to some multiple of the residuals' scale, and linear beyond; the
absolute value is its limit. A square that touches it from above has the weight
``min(1, delta / |r|)``, and half-steps of least squares with such weights never raise the sum
(iteratively reweighted least squares; Holland and Welsch 1977). The scale is a median of residuals
that may only fall, which lowers the sum as well. Where entries without errors are met exactly it
falls to zero, and gross errors lose all their weight.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._support.blocks import frozen
from ._altmin import _EXACT, HalfStep, _size, residuals, spectral_start
from ._continuation import recover
from ._entries import Entries, Lines, moments
from ._held_out import Watch

_NORMAL = 1.4826  # standard deviations in a median of absolute normal deviates
_CLIP = 3.0  # standard deviations beyond which values do not count at the start
_SHRINKAGE = 0.5  # of the largest singular value: the first ridge of a continuation
_FALL = 0.8  # of that ridge, with each sweep
_NEGLIGIBLE = 0.02  # of the least singular value: a ridge that matters no more
_CONTINUED = 40  # sweeps of a continuation, at most
_TRIALS = 1000  # of a line's entries that may be without errors
_MET = 1e2, 1.0, 1e-2  # scales within which entries are met: small errors may be among them
_HELD = 0.1  # of the lines, at most, are tried


@dataclass(frozen=True)
class Loss:
    """Huber's function, linear beyond ``bend`` standard deviations, times a factor."""

    bend: float
    factor: float = 1.0

    def values(self, r, scale):
        """Losses of absolute residuals."""
        inner = np.minimum(r, self.bend * scale)
        return self.factor * inner * (2 * r - inner)

    def weights(self, r, scale):
        """Weights of the squares that touch the loss at these residuals."""
        delta = self.bend * scale
        return self.factor * delta / np.maximum(r, delta)


# 95 % of the efficiency of least squares where errors are normal; about 2 scale |r|
LOSSES = {"huber": Loss(1.345), "l1": Loss(0.5, 2.0)}


@dataclass(frozen=True, eq=False)
class _Side:
    """One order of the entries, as weighted half-steps see it."""

    lines: Lines
    exponent: float

    @cached_property
    def counts(self):
        """What the ridge of each line is multiplied by."""
        return self.lines.amounts**self.exponent

    @cached_property
    def shares(self):
        """Weights of the entries over `counts`, by which the ridge is not multiplied then."""
        lines = self.lines
        each = np.repeat(np.maximum(self.counts, np.finfo(float).tiny), np.diff(lines.starts))
        return ((lines.weights if len(lines.weights) else 1.0) / each).astype(lines.values.dtype)

    def reweighted(self, weights):
        """Entries whose squares have weights beyond their own."""
        return self.lines.weighted(frozen(self.shares * weights))

    def residuals(self, other, mine):
        """Absolute residuals."""
        return np.abs(residuals(self.lines, other, mine))


def fit_robust(
    entries,
    rank,
    rng,
    *,
    loss,
    ridge,
    exponent,
    fit_bias,
    nonnegative=False,
    exact_data=False,
    tol,
    max_iter,
    callback=None,
):
    """Alternate half-steps whose weights come from the residuals.

    Parameters
    ----------
    entries : Entries
    rank : int
    rng : Generator
    loss : {"huber", "l1"}
    ridge, exponent, fit_bias, nonnegative
        As of a `HalfStep`; the ridge for values whose spread without gross errors is one.
    exact_data : bool
        Without a ridge: expect that all entries but gross errors are met exactly.
    tol : float
        Share of the objective that a sweep must gain.
    max_iter : int
        Sweeps.
    callback : callable, optional
        Called with a dict after each sweep; True ends them.

    Returns
    -------
    model : Model
    n_iter : int
    converged : bool
    history : list of float
        The objective after each sweep, with the scale that residuals have then.
    """
    clipped, unit = _clipped(entries)
    model = spectral_start(clipped, rank, rng)
    if nonnegative:
        for factor in (model.rows, model.columns):
            np.abs(factor.rows, out=factor.rows)
    exact = exact_data and ridge == 0
    precision = float(np.finfo(entries.rows.values.dtype).eps)
    half_step = HalfStep(0.0, fit_bias, nonnegative, rank <= _EXACT)
    fit = _Reweighted(
        entries, model, LOSSES[loss], half_step, ridge * unit, exponent if ridge else 0.0,
        precision * unit,
    )  # fmt: skip
    path = _falling_ridge(entries, model) if exact else iter(())
    watch, history = Watch(callback), []
    while len(history) < max_iter:
        extra = next(path, None)
        fit.sweep(0.0 if extra is None else extra)
        history.append(fit.objective())
        if watch(model, history[-1]):
            return model, len(history), True, history
        if extra is not None:
            continue
        if exact and fit.scale <= precision**0.5 * unit:
            model, converged = _settle(entries, model, fit.scale, fit_bias, rng, tol)
            return model, len(history), converged, history
        if len(history) > 1 and history[-2] - history[-1] <= tol * history[-2]:
            return model, len(history), True, history
    return model, len(history), False, history


class _Reweighted:
    """Weighted half-steps, and the scale of the residuals that they leave.

    Attributes
    ----------
    scale : float
        Of the residuals; it never rises.
    """

    def __init__(self, entries, model, loss, half_step, ridge, exponent, least):
        self.rows, self.columns = _Side(entries.rows, exponent), _Side(entries.columns, exponent)
        self.model, self.loss, self.half_step, self.ridge = model, loss, half_step, ridge
        self.least, self.scale = least, np.inf
        self._look()

    def _look(self):
        self.r = self.columns.residuals(self.model.rows, self.model.columns)
        scale = _NORMAL * _median(self.r, self.columns.lines.weights)
        self.scale = max(self.least, min(self.scale, scale))

    def sweep(self, extra):
        """Improve the columns and the rows, with some ridge beyond that of the objective."""
        U, V, ridge = self.model.rows, self.model.columns, self.ridge + extra
        weights = self.loss.weights(self.r, self.scale)
        self.half_step(self.columns.reweighted(weights), U, V, ridge)
        weights = self.loss.weights(self.rows.residuals(V, U), self.scale)
        self.half_step(self.rows.reweighted(weights), V, U, ridge)
        self._look()

    def objective(self):
        """Losses and ridge: what `sweep` lowers if there is no extra ridge."""
        losses = self.loss.values(self.r, self.scale)
        weights = self.columns.lines.weights if len(self.columns.lines.weights) else 1.0
        total = float(np.sum(weights * losses, dtype=np.float64))
        for side, factor in ((self.rows, self.model.rows), (self.columns, self.model.columns)):
            total += self.ridge * _size(side.counts, factor)
        return total


def _median(values, weights):
    """Least value that half of the weight does not exceed."""
    weights = weights if len(weights) else None
    return float(np.quantile(values, 0.5, weights=weights, method="inverted_cdf"))


def _clipped(entries):
    """Entries without values far off, and the spread of these."""
    values, weights = entries.rows.values, entries.rows.weights
    middle = _median(values, weights)
    spread = _NORMAL * _median(np.abs(values - middle), weights)
    cut = _CLIP * (spread or 1.0)  # half of all may be equal
    bounds = middle - cut, middle + cut
    lines = (side.valued(np.clip(side.values, *bounds)) for side in (entries.rows, entries.columns))
    clipped = Entries(*lines, entries.mean, entries.scale)
    return clipped, moments(clipped.rows.values, weights if len(weights) else None, False)[1]


def _falling_ridge(entries, model):
    """Ridges that spare large singular values, from about all to none; the model is balanced.

    Each direction's is ``e^2 / (s + e)``, where s is its singular value and e falls: weak ones
    appear one after the other, each as what is left by those before it.
    """
    share, observed = _SHRINKAGE, entries.rows.amounts.sum() / np.prod(entries.shape)
    for _ in range(_CONTINUED):
        sizes = model.balance()
        level = share * sizes[0]
        if level <= _NEGLIGIBLE * sizes[-1]:
            return
        yield np.append(observed * level**2 / (sizes + level), 0.0)
        share *= _FALL


def _settle(entries, model, scale, fit_bias, rng, tol):
    """Meet the entries that are about met exactly, the others left out."""
    for share in _MET:
        level, met = share * scale, []
        U, V = model.rows, model.columns
        for lines, other, mine in ((entries.columns, U, V), (entries.rows, V, U)):
            _free(lines, other, mine, level, fit_bias, rng)
        for lines, other, mine in ((entries.rows, V, U), (entries.columns, U, V)):
            weights = np.abs(residuals(lines, other, mine)) <= level
            if len(lines.weights):
                weights = weights * lines.weights
            met.append(lines.weighted(frozen(weights.astype(lines.values.dtype))))
        rest = Entries(*met, entries.mean, entries.scale)
        model, _, converged, _ = recover(
            rest, model.rank, rng, fit_bias=fit_bias, tol=tol, init=model
        )
        if converged:
            break
    return model, converged


def _free(lines, other, mine, level, fit_bias, rng):
    """Fit anew the lines that gross errors hold: no more entries are met than there are unknowns.

    The absolute value is least there where others are met; yet only without errors can many be.
    """
    unknowns = mine.rank + fit_bias
    met = np.abs(residuals(lines, other, mine)) <= level
    counts = lines.weighted(met.astype(float)).amounts
    n = np.diff(lines.starts)
    held = np.flatnonzero((counts <= np.maximum(unknowns, 0.5 * met.mean() * n)) & (n > unknowns))
    for i in held if len(held) <= _HELD * len(lines) else ():
        part = slice(lines.starts[i], lines.starts[i + 1])
        design = other.values[lines.others[part]]
        if fit_bias:
            design = np.column_stack([design, np.ones(len(design), design.dtype)])
        x, votes = _consensus(
            design, lines.values[part] - other.bias[lines.others[part]], level, rng
        )
        if votes > max(unknowns, counts[i]):
            mine.values[i] = x[: mine.rank]
            mine.bias[i] = x[mine.rank] if fit_bias else 0


def _consensus(A, b, level, rng):
    """Solution of a few equations that most of the others agree with, and how many.

    Random sample consensus (Fischler and Bolles 1981).
    """
    picks = np.argsort(rng.random((_TRIALS, len(A))), axis=1)[:, : A.shape[1]]
    solutions = np.einsum("tij,tj->ti", np.linalg.pinv(A[picks]), b[picks])
    votes = (np.abs(solutions @ A.T - b) <= level).sum(axis=1)
    best = votes.argmax()
    return solutions[best], votes[best]
