"""Quantile regression by the Frisch-Newton interior-point method (Portnoy and Koenker 1997)."""

import numpy as np
from scipy import linalg

from .._support.blocks import run_blocks
from . import _lp_cpu as kernels
from ._rows import BLOCK

_SHORTENED = 0.99995  # steps end this fraction of the way to the next bound
_FLOOR = 1e-3  # of the mean residual: what multipliers begin with
_SLOW = 1e-6  # steps shorter than this lead nowhere


def solve(rows, b, quantile, weights, tol, trace, start=None):
    """Minimise the weighted sum of ``(quantile - (r < 0)) * r`` over residuals r.

    Parameters
    ----------
    rows : Rows
    b : ndarray of shape (n,)
    quantile : float
    weights : ndarray of shape (n,) or (0,)
    tol : float
        Gap to reach, as a fraction of the objective.
    trace : Trace
    start : ndarray of shape (rank,), optional

    Returns
    -------
    coef : ndarray of shape (rank,)
    scores : ndarray of shape (n,)
        Solution of the dual problem: 1 above the fit, 0 below it.
    """
    coef = np.zeros(rows.rank) if start is None else start
    state = _State(rows, b - rows.fitted(coef) if start is not None else b, quantile, weights)
    trace.begin()
    while True:
        gap, objective = state.move()
        if not trace.goes_on(gap, objective, tol) or state.stuck:
            return coef, state.x
        coef = coef + state.step()


class _State:
    """Scores, their multipliers, and the steps that they take."""

    def __init__(self, rows, residuals, quantile, weights):
        n = len(residuals)
        self.rows, self.quantile, self.weights = rows, quantile, weights
        self.x, self.s = np.full(n, 1 - quantile), np.full(n, quantile)
        floor = _FLOOR * np.abs(residuals).mean()
        self.z, self.w = np.maximum(-residuals, 0) + floor, np.maximum(residuals, 0) + floor
        self.dx, self.dz, self.dw, self.q, self.r = np.zeros((5, n))
        self.V, self.n_parts = np.empty((3, n)), -(-n // BLOCK)
        self.steps = np.zeros(2)
        self.stuck = False

    def _run(self, kernel, n_sums, *args):
        sums = np.empty((self.n_parts, n_sums))
        run_blocks(kernel, len(self.x), BLOCK, (*args, sums), self.rows.n_threads)
        return sums

    def move(self):
        """Take the step; return the gap that is left, and the objective."""
        point = self.x, self.s, self.z, self.w
        sums = self._run(
            kernels.move, 3, *point, self.dx, self.dz, self.dw, self.steps, self.quantile,
            self.weights, self.q, self.r,
        )  # fmt: skip
        self.gap, objective, self.mass = sums.sum(axis=0)
        return self.gap, objective

    def step(self):
        """Find the next step, and return that of the coefficients."""
        point = self.x, self.s, self.z, self.w
        gram, products = self.rows.gram(self.q, self.r)
        factor = factorised(gram)
        affine = self.rows.fitted(linalg.cho_solve(factor, products, check_finite=False))
        sums = self._run(kernels.predict, 5, *point, self.quantile, self.weights, affine, self.V)
        barrier, second, excess = self.rows.combined(self.V)
        mu = self._target(sums)
        rhs = products + mu * barrier - second + excess
        step = linalg.cho_solve(factor, rhs, check_finite=False)
        moves = self.dx, self.dz, self.dw
        fitted = self.rows.fitted(step)
        sums = self._run(kernels.correct, 2, *point, affine, fitted, mu, *moves)
        self.steps = np.minimum(1.0, _SHORTENED * sums.min(axis=0))
        self.stuck = not self.steps.max() > _SLOW
        if self.stuck:
            self.steps = np.zeros(2)
            return np.zeros(len(step))
        return self.steps[1] * step

    def _target(self, sums):
        """Mehrotra's choice: the gap of the affine step tells how far to go."""
        first, second, third = sums[:, :3].sum(axis=0)
        primal, dual = np.minimum(1.0, _SHORTENED * sums[:, 3:].min(axis=0))
        after = self.gap + primal * first + dual * second + primal * dual * third
        return self.gap * (after / self.gap) ** 3 / (2 * self.mass)


def factorised(gram):
    """Cholesky factor of a Gram matrix, with something on the diagonal where it needs it."""
    ridge, size = 0.0, np.diag(gram).max(initial=0.0) or 1.0
    while True:
        try:
            lifted = gram + ridge * size * np.eye(len(gram)) if ridge else gram
            return linalg.cho_factor(lifted, check_finite=False)
        except linalg.LinAlgError:
            ridge = 100 * ridge or 1e-16
