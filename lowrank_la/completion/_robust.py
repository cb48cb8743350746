"""Losses that forgive gross errors, by least squares whose weights come from the residuals.

Huber's function is square up to some multiple of the residuals' scale, and linear beyond; the
absolute value is its limit. A square that touches it from above has the weight
``min(1, delta / |r|)``, and half-steps of least squares with such weights never raise the sum
(iteratively reweighted least squares; Holland and Welsch 1977). The scale is a median of residuals
that may only fall, which lowers the sum as well. Where entries without errors are met exactly it
falls to zero, and gross errors lose all their weight.
"""

import numpy as np

from ._altmin import EXACT, HalfStep, size_of, spectral_start
from ._gross_errors import settle
from ._held_out import Watch
from ._losses import NORMAL, ROBUST, Weighted, clipped, median

_SHRINKAGE = 0.5  # of the largest singular value: the first ridge of a continuation
_FALL = 0.8  # of that ridge, with each sweep
_NEGLIGIBLE = 0.02  # of the least singular value: a ridge that matters no more
_CONTINUED = 40  # sweeps of a continuation, at most
_STEEPEST = 0.7  # of the scale of exact data is left after a sweep, at least
_MET = 1e2, 1.0, 1e-1  # scales within which entries are met: small errors may be among them
_ROUNDING = 100.0  # least scales that residuals without errors may have


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
    values, unit = clipped(entries)
    model = init or spectral_start(values, rank, rng)
    if nonnegative:
        for factor in (model.rows, model.columns):
            np.abs(factor.rows, out=factor.rows)
    exact = exact_data and ridge == 0
    half_step = HalfStep(0.0, fit_bias, nonnegative, rank <= EXACT)
    law = ROBUST[loss], ridge * unit, exponent if ridge else 0.0
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
            model, converged = settle(entries, model, levels, fit_bias, rng, tol * unit)
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
        self.rows, self.columns = (
            Weighted(entries.rows, exponent),
            Weighted(entries.columns, exponent),
        )
        self.model, self.half_step, self.loss, self.ridge = model, half_step, loss, ridge
        self.least = unit * float(np.finfo(entries.rows.values.dtype).eps)
        self.steepest, self.scale = steepest, unit if steepest else np.inf
        self._look()

    def _look(self):
        self.r = self.columns.residuals(self.model.rows, self.model.columns)
        spread = NORMAL * median(self.r, self.columns.lines.weights)
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
