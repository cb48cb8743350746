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

from .._support.blas import single_threaded_blas
from .._support.blocks import frozen
from ._altmin import EXACT, HalfStep, residuals, size_of, spectral_start
from ._continuation import recover
from ._entries import Entries, Lines, moments
from ._held_out import Watch

_NORMAL = 1.4826  # standard deviations in a median of absolute normal deviates
_CLIP = 3.0  # standard deviations beyond which values do not count at the start
_SHRINKAGE = 0.5  # of the largest singular value: the first ridge of a continuation
_FALL = 0.8  # of that ridge, with each sweep
_NEGLIGIBLE = 0.02  # of the least singular value: a ridge that matters no more
_CONTINUED = 40  # sweeps of a continuation, at most
_STEEPEST = 0.7  # of the scale of exact data is left after a sweep, at least
_TRIALS = 1000  # of a line's entries that may be without errors
_MET = 1e2, 1.0, 1e-1  # scales within which entries are met: small errors may be among them
_ROUNDING = 100.0  # least scales that residuals without errors may have
_FEW = 0.5  # of the share of entries that all lines meet


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


# as good as least squares with 5 % fewer entries where errors are normal; about 2 scale |r|
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
    init=None,
):
    """Alternate half-steps whose weights come from the residuals.

    Parameters
    ----------
    entries : Entries
    rank : int
    rng : Generator
    loss : {"huber", "l1"}
    ridge, exponent, fit_bias, nonnegative
        As of a `HalfStep`, the ridge for values whose spread is one without gross errors.
    exact_data : bool
        Expect that, without a ridge, all entries but gross errors are met exactly: begin with a
        ridge that falls, and leave out in the end what is not met.
    tol : float
        Share of the objective that a sweep must gain; for exact data, root mean square residual
        that is zero, too.
    max_iter : int
        Sweeps.
    callback : callable, optional
        Called with a dict after each sweep; True ends them.
    init : Model, optional
        Goes on from there, and changes it.

    Returns
    -------
    model : Model
    n_iter : int
    converged : bool
    history : list of float
        The objective after each sweep, with the scale that residuals have then. It falls, once the
        falling ridge has ended.
    """
    clipped, unit = _clipped(entries)
    model = init or spectral_start(clipped, rank, rng)
    if nonnegative:
        for factor in (model.rows, model.columns):
            np.abs(factor.rows, out=factor.rows)
    exact = exact_data and ridge == 0
    half_step = HalfStep(0.0, fit_bias, nonnegative, rank <= EXACT)
    law = LOSSES[loss], ridge * unit, exponent if ridge else 0.0
    fit = _Reweighted(entries, model, half_step, *law, unit, _STEEPEST if exact else 0.0)
    path = _falling_ridge(entries, model) if exact and init is None else iter(())
    watch, history = Watch(callback), []
    while len(history) < max_iter:
        extra = next(path, None)
        fit.sweep(0.0 if extra is None else extra)
        history.append(fit.objective())
        if watch(model, history[-1]):
            return model, len(history), True, history
        if extra is not None:
            continue
        if exact and fit.scale <= (fit.least * unit) ** 0.5:
            levels = [max(share * fit.scale, _ROUNDING * fit.least) for share in _MET]
            model, converged = _settle(entries, model, levels, fit_bias, rng, tol * unit)
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
    least : float
        Scale of what is no more than rounding.
    """

    def __init__(self, entries, model, half_step, loss, ridge, exponent, unit, steepest):
        self.rows, self.columns = _Side(entries.rows, exponent), _Side(entries.columns, exponent)
        self.model, self.half_step, self.loss, self.ridge = model, half_step, loss, ridge
        self.least = unit * float(np.finfo(entries.rows.values.dtype).eps)
        self.steepest, self.scale = steepest, unit if steepest else np.inf
        self._look()

    def _look(self):
        self.r = self.columns.residuals(self.model.rows, self.model.columns)
        spread = _NORMAL * _median(self.r, self.columns.lines.weights)
        slowest = self.steepest * self.scale if self.steepest else 0.0
        self.scale = max(self.least, slowest, min(self.scale, spread))

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
            total += self.ridge * size_of(side.counts, factor)
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


@single_threaded_blas()
def _settle(entries, model, levels, fit_bias, rng, tol):
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
            met.append(lines.weighted(frozen(weights.astype(lines.values.dtype))))
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
