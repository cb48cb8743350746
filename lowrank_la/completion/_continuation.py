"""Recovery near the information limit: a reweighted ridge that vanishes, then Gauss-Newton steps.

A direction whose singular value is s gets the ridge ``eps * eps / (s + eps)``: its penalty is a
logarithm of ``s + eps``, closer to the rank than a sum of singular values. As eps falls slowly, the
factors follow it to a matrix that fits (Kummerle and Mayrink Verdun 2021, in factors). A fast
path is tried first, and slower ones where it leads nowhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ._altmin import HalfStep, left_over, residuals, spectral_start
from ._entries import Entries
from ._factors import Model, factor_of
from ._gauss_newton import gauss_newton

# from cheap to dear: factor of eps from one to the next, sweeps of least squares for each of them,
# and whether lines with few entries are left out at first, if there are some
_PATHS = (
    (0.5, 2, False),
    (0.8, 4, False),
    (0.9, 4, True),
    (0.95, 4, True),
    (0.975, 4, True),
)
_START = 3  # iterations of the start's subspace
_BEGIN, _END = 0.5, 1e-7  # eps at first and at last, of the largest singular value
_FIRST_TRY = 0.1  # the same: Gauss-Newton steps are tried from here on
_NEXT_TRY = 0.3  # factor of eps from one try to the next
_LEFT = 0.7  # share of the residual that a step of such a try leaves, at most
_STALLED = 0.5  # share of the residual that is left when eps is a tenth, at least
_ALIKE = 0.01  # relative difference of residuals
_SPARE = 2  # entries of a line beyond its unknowns, if they are not few
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
        Gauss-Newton steps begin there, and no path is followed. Columns of zeros are taken from
        what the others leave.

    Returns
    -------
    model : Model
    n_iter : int
    converged : bool
    history : list of float
        Root mean square residuals; the last one is the model's.
    """
    watch = _Watch(callback, max_iter)
    problem = _Problem(_doubled(entries), ridge, exponent, fit_bias, tol, watch)
    if init is not None:
        best = _as(init, np.float64)
        _fill(problem.entries, best, rng)
        rms, converged = problem.newton(best)
    else:
        rms, converged, best = _search(problem, rank, rng)
    watch.history[-1:] = [rms]
    dtype = entries.rows.values.dtype
    return _as(best, dtype), len(watch.history), converged or watch.asked, watch.history


def _search(problem, rank, rng):
    """Follow one path after another until one leads to a model that fits, or cannot fit better.

    Return residual, convergence, and model.
    """
    start = _start(problem.entries, rank, rng, problem.fit_bias)
    best = np.inf, False, start
    core = _core(problem.entries, rank + problem.fit_bias + _SPARE)
    for shrink, sweeps, without_poor in _PATHS:
        path = _Path(problem, start.copy(), sweeps, core if without_poor else None)
        found = path.follow(shrink)
        alike = abs(found[0] - best[0]) < _ALIKE * found[0]  # what is left is noise
        best = min(best, found, key=lambda end: end[0])
        if best[1] or alike or problem.watch.stopped or problem.ridge:
            break
    return best


@dataclass(frozen=True)
class _Problem:
    """What is to be solved at the end of a path."""

    entries: Entries
    ridge: float
    exponent: float
    fit_bias: bool
    tol: float
    watch: Callable

    def newton(self, model, entries=None, **options):
        """Gauss-Newton steps, in place; return residual and convergence."""
        return gauss_newton(
            entries or self.entries, model, ridge=self.ridge, exponent=self.exponent,
            fit_bias=self.fit_bias, tol=self.tol, watch=self.watch, **options,
        )  # fmt: skip


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
        lines.valued(lines.values.astype(float, copy=False)).weighted(
            lines.weights.astype(float, copy=False)
        )
        for lines in (entries.rows, entries.columns)
    )
    return replace(entries, rows=rows, columns=columns)


def _start(entries, rank, rng, fit_bias):
    """Leading singular vectors of what biases leave."""
    if not fit_bias:
        return spectral_start(entries, rank, rng, _START)
    bare = Model(*(factor_of(np.zeros((n, 1))) for n in entries.shape))
    half_step = HalfStep(fit_bias=True)
    for _ in range(_BIAS_SWEEPS):
        half_step(entries.columns, bare.rows, bare.columns, 0.0)
        half_step(entries.rows, bare.columns, bare.rows, 0.0)
    model = spectral_start(left_over(entries, bare), rank, rng, _START)
    model.rows.bias[:], model.columns.bias[:] = bare.rows.bias, bare.columns.bias
    return model


@dataclass(frozen=True)
class _Core:
    """Entries of which those of poor lines have no weight, and who is not poor."""

    entries: Entries
    rich_columns: np.ndarray


def _core(entries, least):
    """Leave out lines with fewer entries; None if there are none."""
    sides = entries.rows, entries.columns
    rich = [_counts(lines) >= least for lines in sides]
    if all(np.all(mine) for mine in rich):
        return None
    rows, columns = (
        lines.weighted(_weights(lines) * (np.repeat(mine, np.diff(lines.starts)) & others))
        for lines, mine, others in (
            (sides[0], rich[0], rich[1][sides[0].others]),
            (sides[1], rich[1], rich[0][sides[1].others]),
        )
    )
    return _Core(replace(entries, rows=rows, columns=columns), rich[1])


def _weights(lines):
    return lines.weights if len(lines.weights) else np.ones(len(lines.others))


def _counts(lines):
    """Entries of each line that have a weight."""
    ends = np.concatenate([[0], np.cumsum(_weights(lines) > 0)])
    return np.diff(ends[lines.starts])


def _fill(entries, model, rng):
    """Put leading singular vectors of the residuals where factors have columns of zeros."""
    rows, columns = model.rows.values, model.columns.values
    empty = ~(np.any(rows, axis=0) & np.any(columns, axis=0))
    if empty.any():
        more = spectral_start(left_over(entries, model), int(empty.sum()), rng, _START)
        rows[:, empty], columns[:, empty] = more.rows.values, more.columns.values


class _Path:
    """Models for falling eps, of all entries or of a core.

    Attributes
    ----------
    model : Model
        Changed in place.
    sizes : ndarray of shape (rank,)
        Its singular values.
    """

    def __init__(self, problem, model, sweeps, core):
        self.problem, self.model, self.sweeps, self.core = problem, model, sweeps, core
        self.entries = core.entries if core else problem.entries
        self.half_step = HalfStep(fit_bias=problem.fit_bias)
        self.share = self.entries.rows.amounts.mean() / self.entries.shape[1]
        self.sizes = model.balance()

    def follow(self, shrink):
        """Return residual, convergence and model of the end, or of what a try has found."""
        problem, largest = self.problem, self.sizes[0]
        trial, mark, past = _FIRST_TRY * largest, 0.1 * _BEGIN * largest, np.inf
        eps, end, rms, alive = _BEGIN * largest, self._end(), self._rms(), 0
        while eps > end:
            rms = self._improve(eps)
            if problem.watch(rms):
                return rms, False, self.model
            before, alive = alive, int(np.count_nonzero(self.sizes > eps))
            if eps <= trial and not problem.ridge and alive in (before, self.model.rank):
                found = self._tried(alive)
                if found is not None:
                    return found
                trial *= _NEXT_TRY
            if eps <= mark:
                if self.sizes[-1] > eps and rms > _STALLED * past:
                    break  # no direction is to come that would meet more
                mark, past = 0.1 * mark, rms
            eps *= shrink
        return self._finished(self.model.copy()) or (rms, False, self.model)

    def _end(self):
        """Return the last eps; no less than a ridge that stays."""
        problem = self.problem
        stays = problem.ridge * np.mean(self.entries.rows.amounts**problem.exponent)
        return max(_END * self.sizes[0], stays / self.share)

    def _improve(self, eps):
        """Sweeps with the ridge that belongs to eps; return the root mean square residual."""
        rows, columns, model = self.entries.rows, self.entries.columns, self.model
        ridge = np.append(self.share * eps * eps / (self.sizes + eps), 0.0)
        for _ in range(self.sweeps):
            self.half_step(columns, model.rows, model.columns, ridge)
            self.half_step(rows, model.columns, model.rows, ridge)
        self.sizes = model.balance()
        return self._rms()

    def _rms(self):
        rows = self.entries.rows
        gaps = residuals(rows, self.model.columns, self.model.rows)
        return float(np.average(gaps * gaps, weights=_weights(rows))) ** 0.5

    def _tried(self, alive):
        """Gauss-Newton steps from here, in so many directions.

        Return residual, True and model; or None if the steps lead nowhere.
        """
        rank = self.model.rank
        if not alive:
            return None
        model = _resized(self.model, alive)
        rms, converged = self.problem.newton(model, self.entries, left=_LEFT)
        if not converged or (alive < rank and rms > self.problem.tol):
            return None
        model = _resized(model, rank)
        return self._finished(model) if self.core else (rms, True, model)

    def _finished(self, model):
        """Gauss-Newton steps with all entries; residual, True and model, or None."""
        if self.core is not None:  # the rest is least squares
            rows, columns = self.problem.entries.rows, self.problem.entries.columns
            known = rows.weighted(_weights(rows) * self.core.rich_columns[rows.others])
            self.half_step(known, model.columns, model.rows, 0.0)
            self.half_step(columns, model.rows, model.columns, 0.0)
        rms, converged = self.problem.newton(model)
        return (rms, True, model) if converged else None


def _resized(model, rank):
    """Return a copy of another rank: with fewer columns, or with some of zeros."""
    sides = model.rows, model.columns
    more = max(0, rank - model.rank)
    return Model(
        *(
            factor_of(np.pad(side.values[:, :rank], ((0, 0), (0, more))), side.bias)
            for side in sides
        )
    )
