"""From a checked lp regression to its solution: units, coordinates, starts, certificates."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import linalg

from .._support.blas import single_threaded_blas
from . import _chebyshev, _duality, _lp_newton
from ._design import Design, column_sizes
from ._factor import EPS, Factor, from_dependent, from_gram, from_sketch, solve_sketch
from ._lstsq import power_of_two, require_finite, scaled, units
from ._methods import METHODS, Options
from ._preprocessed import preprocessed, whole
from ._rows import Rows
from ._trace import Trace

_ROUNDING = 100 * EPS  # residuals below this fraction of the targets are rounding
_SPARE_ROWS = 64  # of a sketch: few columns need more than a multiple of them
_ROOM = 0.5  # of the gap: what may be lost where a dual point is made feasible


@dataclass(frozen=True)
class Task:
    """What to minimise, and how far.

    Attributes
    ----------
    p : float
    quantiles : tuple of float
        One for other powers than 1.
    tol : float
    max_iter : int
    seed : int
    constant : bool
        Whether a constant follows the features.
    n_threads : int
    callback : callable
    """

    p: float
    quantiles: tuple = (0.5,)
    tol: float = 1e-8
    max_iter: int = 100
    seed: int = 0
    constant: bool = False
    n_threads: int | None = None
    callback: Callable | None = None


class Fit(NamedTuple):
    """What was found for each quantile.

    Attributes
    ----------
    coef : ndarray of shape (d, q)
        The constant last.
    objectives, gaps : ndarray of shape (q,)
        In units of the powers of sizes, which may overflow.
    sizes : ndarray of shape (q,)
    converged : bool
    stopped : bool
        By the callback.
    exhausted : bool
        By the number of iterations.
    history : list of float
    factor : Factor
    """

    coef: np.ndarray
    objectives: np.ndarray
    gaps: np.ndarray
    sizes: np.ndarray
    converged: bool
    stopped: bool
    exhausted: bool
    history: list
    factor: Factor


def solve(name, task, X, b, weights=None, x0=None):
    """Solve a checked problem.

    Parameters
    ----------
    name : str
        What the user calls X, for errors.
    task : Task
    X : ndarray or CSR matrix of shape (n, p)
    b : ndarray of shape (n,), float64
    weights : ndarray of shape (n,), optional
    x0 : ndarray of shape (d, q), optional

    Returns
    -------
    fit : Fit
    """
    level = 1.0
    if weights is not None:
        counted, level = weights > 0, 1 / power_of_two(weights.max())
        if not counted.all():
            require_finite(name, X)
            X, b, weights = X[counted], b[counted], weights[counted]
        weights = None if task.p == np.inf else level * weights
    level = 1.0 if task.p == np.inf else level
    unit = 1 / power_of_two(np.abs(b).max())
    with np.errstate(all="ignore"):
        fit = _in_units(name, task, X, unit * b, weights, None if x0 is None else unit * x0)
        sizes = fit.sizes / unit
        powers = (sizes if task.p == np.inf else sizes**task.p) / level
        fit = fit._replace(
            coef=fit.coef / unit,
            objectives=np.where(fit.objectives == 0, 0.0, powers * fit.objectives),
            gaps=np.where(fit.gaps == 0, 0.0, powers * fit.gaps),
            sizes=sizes,
        )
    if not np.isfinite(fit.coef).all():
        raise ValueError(f"{name} is too small beside the targets: the coefficients overflow")
    return fit


def _in_units(name, task, X, b, weights, x0):
    """Solve, with columns in units in which no square overflows or vanishes."""
    try:
        return _solve(task, X, b, weights, x0)
    except FloatingPointError:
        require_finite(name, X)
    scale = units(column_sizes(X).astype(np.float64))
    full = np.append(scale, np.ones(int(task.constant)))
    try:
        x0 = None if x0 is None else x0 / full[:, None]
        fit = _solve(task, scaled(X, scale), b, weights, x0)
    except FloatingPointError as error:
        raise ValueError(f"{name} has rows of too different sizes") from error
    factor, coef = fit.factor, full[:, None] * fit.coef
    if np.ptp(scale):
        factor = factor.rescaled(full)
        coef = factor.least_norm(coef)
    return fit._replace(coef=coef, factor=factor)


def _solve(task, X, b, weights, x0):
    given = {"fit_intercept": task.constant, "n_threads": task.n_threads}
    design = Design(X, b[:, None], weights, **given)
    factor, least_squares = _coordinates(design, task)
    with single_threaded_blas():  # the same bits on any number of threads
        basis = linalg.solve_triangular(factor.core, factor.basis.T, trans=1).T
    runs = _Runs(task, X, np.ascontiguousarray(basis), design.shift, b, weights)
    for k in sorted(range(len(task.quantiles)), key=lambda k: abs(task.quantiles[k] - 0.5)):
        start = runs.nearest(k, least_squares[:, 0])
        if x0 is not None and task.p != 2:
            start = runs.nearer(_shifted(x0[:, k], design.shift, 1.0), start)
        runs.add(k, start)
    coef, *measures = (np.array(values) for values in zip(*runs.in_order(), strict=True))
    coef = factor.least_norm(coef.T)
    coef = np.stack([_shifted(column, design.shift, -1.0) for column in coef.T], axis=1)
    told = runs.converged, runs.stopped, runs.exhausted, runs.history
    return Fit(coef, *measures, *told, factor)


def _coordinates(design, task):
    """Factor of a design, and the solution of least squares: accurate where that is the task."""
    if task.p == 2:
        solution = METHODS["auto"](design, Options(seed=task.seed))
        factor = solution.factor
        if solution.method in ("spir", "fossils"):  # their bases are a sketch's
            factor, _ = Factor.recomputed(factor, design)
        return factor, solution.coef
    if design.n < 4 * design.n_design:
        return solve_sketch(*design.all_rows(), constant=design.constant)
    gram, products = design.gram()
    factor = from_gram(gram) or from_dependent(gram, design)
    if factor is not None:
        return factor, factor.solve(products)
    sketch = Options(seed=task.seed).made_sketch(design, 4 * design.n_design + _SPARE_ROWS)
    rows, _ = design.sketched(sketch)
    return from_sketch(rows, constant=design.constant).recomputed(design)


def _shifted(coef, shift, sign):
    """Coefficients of features from which something is subtracted, or added back."""
    if len(coef) == len(shift):
        return coef
    return np.append(coef[:-1], coef[-1] + sign * shift @ coef[:-1])


class _Runs:
    """Solutions for several quantiles of the same rows."""

    def __init__(self, task, X, basis, shift, b, weights):
        self.task, self.b = task, b
        self.weights = np.empty(0) if weights is None else weights
        self.rows = Rows(X, basis, shift, task.constant, task.n_threads)
        self.converged, self.stopped, self.exhausted = True, False, False
        self.history, self._found = [], {}

    def nearest(self, k, otherwise):
        """Coefficients for the nearest quantile, of those that are done."""
        quantiles = self.task.quantiles
        if not self._found:
            return otherwise
        return self._found[min(self._found, key=lambda i: abs(quantiles[i] - quantiles[k]))][0]

    def nearer(self, start, other):
        """Of two starts, that with the smaller sum of residuals: a bad one would cost digits."""
        sums = [np.abs(self.b - self.rows.fit(coef)).sum() for coef in (start, other)]
        return start if sums[0] < sums[1] else other

    def in_order(self):
        return [self._found[k] for k in range(len(self.task.quantiles))]

    def add(self, k, start):
        """Solve for a quantile."""
        task, p, quantile = self.task, self.task.p, self.task.quantiles[k]
        weights = self.weights if len(self.weights) else 1.0
        trace = Trace(task.max_iter, task.callback)
        if p == 1 and not self.stopped and self._add_by_samples(k, start, trace):
            return
        r = self.b - self.rows.fit(start)
        unit = np.abs(r).max() or 1.0
        rounding, a = _ROUNDING * np.abs(self.b).max(), None
        measure = partial(_duality.objective, p=p, quantile=quantile, weights=weights)
        if np.abs(r).max() > rounding and self.rows.rank and not self.stopped:
            step, a = self._minimised(r / unit, quantile, trace)
            coef = start + unit * self.rows.mapped(step)
            moved = self.b - self.rows.fit(coef)
            if measure(moved / unit) < measure(r / unit):
                start, r = coef, moved
            unit = np.abs(r).max() or 1.0  # large powers of all residuals could be zero
        a = _duality.slopes(r / unit, p, quantile) if a is None else a
        value = measure(r / unit)
        gap = np.fmin(value, _duality.gap(self.rows, r / unit, a, p, quantile, weights))
        converged = gap <= task.tol * value or np.abs(r).max() <= rounding
        self._note(k, (start, value, gap, unit), converged, trace)

    def _add_by_samples(self, k, start, trace):
        """Solve for a quantile by way of few rows; tell whether that was possible."""
        task, rng = self.task, np.random.default_rng(self.task.seed)
        args = task.quantiles[k], self.weights, task.tol, trace, rng
        found = preprocessed(self.rows, start, self.b, *args)
        if found is None:
            self.history += trace.history
            trace.history.clear()
            return False
        coef, objective, gap = found
        self._note(k, (coef, 2 * objective, 2 * gap, 1.0), gap <= task.tol * objective, trace)
        return True

    def _note(self, k, found, converged, trace):
        self._found[k] = found
        self.converged &= bool(converged)
        self.exhausted |= trace.exhausted and not converged
        self.stopped |= trace.stopped
        self.history += trace.history

    def _minimised(self, r, quantile, trace):
        """Step of the coefficients of the rows, and multipliers."""
        p, tol = self.task.p, _ROOM * self.task.tol
        if p == 1:
            step, scores = whole(self.rows, r, quantile, self.weights, tol, trace)
            return step, 2 * (scores - (1 - quantile))
        if p == 2:
            return np.zeros(self.rows.rank), _duality.slopes(r, p, quantile)
        if p == np.inf:
            return _chebyshev.solve(self.rows, r, tol, trace)
        weights = self.weights if len(self.weights) else np.ones(len(r))
        return _lp_newton.solve(self.rows, r, p, weights, tol, trace)


def solve_dense(A, b, p=1.0, quantile=0.5, weights=None, tol=1e-8):
    """Solve a small problem without any check: for callers with many of them.

    Parameters
    ----------
    A : ndarray of shape (n, d), float64
        Of full rank, C-contiguous.
    b : ndarray of shape (n,), float64
    p, quantile : float
    weights : ndarray of shape (n,), optional
        Positive.
    tol : float

    Returns
    -------
    coef : ndarray of shape (d,)
    objective, gap : float
    """
    weights = None if p == np.inf else weights
    root = 1.0 if weights is None else np.sqrt(weights)[:, None]
    triangle = linalg.qr(root * A, mode="r", check_finite=False)[0][: A.shape[1]]
    rows = linalg.solve_triangular(triangle, A.T, trans=1, check_finite=False).T
    rows = np.ascontiguousarray(rows)
    runs = _Runs(Task(p, (quantile,), tol, n_threads=1), rows, None, None, b, weights)
    runs.add(0, rows.T @ (b if weights is None else weights * b))
    coef, objective, gap, unit = runs.in_order()[0]
    coef = linalg.solve_triangular(triangle, coef, check_finite=False)
    power = unit if p == np.inf else unit**p
    return coef, power * objective, power * gap
