"""Recovery near the information limit: a reweighted ridge that vanishes, then Gauss-Newton steps.

A direction whose singular value is s gets the ridge ``eps * eps / (s + eps)``: its penalty is a
logarithm of ``s + eps``, closer to the rank than a sum of singular values. As eps falls slowly, the
factors follow it to a matrix that fits (Kummerle and Mayrink Verdun 2021, in factors). A fast
path is tried first, and slower ones where it leads nowhere.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from ._altmin import HalfStep, residuals, spectral_start
from ._factors import Model, factor_of
from ._gauss_newton import gauss_newton

_PATHS = 0.5, 0.8, 0.9, 0.95, 0.975, 0.9875  # factors of eps, from cheap to dear
_SWEEPS = 4  # of least squares for each eps
_BEGIN, _END = 0.5, 1e-7  # eps at first and at last, of the largest singular value
_FIRST_TRY = 0.1  # the same: Gauss-Newton steps are tried from here on
_NEXT_TRY = 0.3  # factor of eps from one try to the next
_LEFT = 0.7  # share of the residual that a step of such a try leaves, at most
_STALLED = 0.5  # share of the residual that is left when eps is a tenth, at least
_BIAS_SWEEPS = 5  # before the start


def recover(
    entries,
    rank,
    rng,
    *,
    ridge=0.0,
    exponent=0.0,
    fit_bias=False,
    tol=1e-10,
    max_iter=None,
    callback=None,
    init=None,
):
    """Find the model of a rank that meets the entries, or comes closest.

    Parameters
    ----------
    entries : Entries
    rank : int
    rng : Generator
        Of the start.
    ridge, exponent : float
        As of a `HalfStep`, at the end of the path.
    fit_bias : bool
    tol : float
        Root mean square residual that is zero, in units of the entries' scale.
    max_iter : int, optional
        Values of eps and Gauss-Newton steps, in all.
    callback : callable, optional
        Called with a dict of ``n_iter`` and ``loss`` after each; True asks to stop.
    init : Model, optional
        Gauss-Newton steps begin there, and no path is followed.

    Returns
    -------
    model : Model
    n_iter : int
    converged : bool
    history : list of float
        Root mean square residuals; the last one is the model's.
    """
    exact, dtype = _doubled(entries), entries.rows.values.dtype
    watch = _Watch(callback, max_iter)
    newton = partial(
        gauss_newton, exact, ridge=ridge, exponent=exponent, fit_bias=fit_bias, tol=tol, watch=watch
    )
    if init is not None:
        best = _as(init, float)
        rms, converged = newton(best)
    else:
        start = _start(exact, rank, rng, fit_bias)
        rms, converged, best = np.inf, False, start
        for shrink in (0.8,) if ridge else _PATHS:
            path = _Path(exact, start.copy(), fit_bias, newton, watch)
            found = path.follow(shrink, tol, ridge)
            if found[0] < rms:
                rms, converged, best = found
            if converged or watch.stopped:
                break
    watch.history.append(rms)
    return _as(best, dtype), len(watch.history), converged or watch.asked, watch.history


class _Watch:
    """Tells the user, and counts."""

    def __init__(self, callback, max_iter):
        self.callback, self.max_iter = callback, max_iter or np.inf
        self.history, self.asked = [], False

    def __call__(self, rms):
        self.history.append(rms)
        info = {"n_iter": len(self.history), "loss": rms}
        self.asked = self.asked or (self.callback is not None and bool(self.callback(info)))
        return self.stopped

    @property
    def stopped(self):
        return self.asked or len(self.history) >= self.max_iter


def _as(model, dtype):
    """Return the same model in another precision."""
    return Model(
        *(
            factor_of(factor.values.astype(dtype), factor.bias)
            for factor in (model.rows, model.columns)
        )
    )


def _doubled(entries):
    """Return the same entries in float64."""
    rows, columns = (
        replace(lines, values=lines.values.astype(float), weights=lines.weights.astype(float))
        for lines in (entries.rows, entries.columns)
    )
    return replace(entries, rows=rows, columns=columns)


def _start(entries, rank, rng, fit_bias):
    """Leading singular vectors of what biases leave."""
    if not fit_bias:
        return spectral_start(entries, rank, rng)
    bare = Model(*(factor_of(np.zeros((n, 1))) for n in entries.shape))
    half_step = HalfStep(fit_bias=True)
    for _ in range(_BIAS_SWEEPS):
        half_step(entries.columns, bare.rows, bare.columns, 0.0)
        half_step(entries.rows, bare.columns, bare.rows, 0.0)
    left = replace(
        entries,
        rows=entries.rows.valued(residuals(entries.rows, bare.columns, bare.rows)),
        columns=entries.columns.valued(residuals(entries.columns, bare.rows, bare.columns)),
    )
    model = spectral_start(left, rank, rng)
    model.rows.bias[:], model.columns.bias[:] = bare.rows.bias, bare.columns.bias
    return model


class _Path:
    """Models for falling eps."""

    def __init__(self, entries, model, fit_bias, newton, watch):
        self.entries, self.model, self.newton, self.watch = entries, model, newton, watch
        self.half_step = HalfStep(fit_bias=fit_bias)
        self.share = float(np.sum(entries.rows.amounts)) / (entries.shape[0] * entries.shape[1])
        self.sizes = model.balance()

    def follow(self, shrink, tol, ridge):
        """Return residual, convergence and model of the end, or of what a try has found."""
        largest = self.sizes[0]
        eps, trial, mark, past = _BEGIN * largest, _FIRST_TRY * largest, 0.0, np.inf
        rms = np.inf
        mark = eps / 10
        while eps > _END * largest:
            rms = self._improve(eps)
            if self.watch(rms) or rms <= tol:
                return rms, rms <= tol, self.model
            if eps <= trial and not ridge:
                found = self._tried(eps)
                if found is not None:
                    return found
                trial *= _NEXT_TRY
            if eps <= mark:
                if self.sizes[-1] > eps and rms > _STALLED * past:
                    break
                mark, past = eps / 10, rms
            eps *= shrink
        model = self.model.copy()
        found = self.newton(model)
        if found[1]:
            return *found, model
        return rms, False, self.model

    def _improve(self, eps):
        """Sweeps with the ridge that belongs to eps; return the root mean square residual."""
        rows, columns = self.entries.rows, self.entries.columns
        model = self.model
        ridge = np.append(self.share * eps * eps / (self.sizes + eps), 0.0)
        for _ in range(_SWEEPS):
            self.half_step(columns, model.rows, model.columns, ridge)
            self.half_step(rows, model.columns, model.rows, ridge)
        gaps = residuals(rows, model.columns, model.rows)
        self.sizes = model.balance()
        weights = rows.weights if len(rows.weights) else None
        return float(np.average(gaps * gaps, weights=weights)) ** 0.5

    def _tried(self, eps):
        """Gauss-Newton steps from here, in the directions that eps leaves alive."""
        alive = int(np.count_nonzero(self.sizes > eps))
        if not alive:
            return None
        rank = self.model.rank
        pair = self.model.rows, self.model.columns
        model = Model(*(factor_of(factor.values[:, :alive], factor.bias) for factor in pair))
        rms, converged = self.newton(model, left=_LEFT)
        if not converged or (alive < rank and rms > 1e-10):
            return None
        padded = (
            factor_of(np.pad(factor.values, ((0, 0), (0, rank - alive))), factor.bias)
            for factor in (model.rows, model.columns)
        )
        return rms, True, Model(*padded)
