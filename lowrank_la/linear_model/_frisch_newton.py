"""Quantile regression by the Frisch-Newton interior-point method (Portnoy and Koenker 1997)."""

from contextlib import nullcontext

import numpy as np
from scipy import linalg

from .._support.blas import single_threaded_blas
from .._support.blocks import run_blocks
from . import _lp_cpu as kernels
from ._rows import TILE, padded, part_of

SHORTENED = 0.99995  # steps end this fraction of the way to the next bound
_CENTRED = 0.3  # of the mean residual: products of complementary variables at first
_LEAST_CENTRED = 1e-6  # of what fixed rows add to the objective, where residuals are smaller
SLOW = 1e-6  # steps shorter than this lead nowhere
_RIDGES = 1e-16, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2
_GROSS = 10  # times the median: larger residuals do not count for accuracy
_SMALL = 64  # rows of matrices for which BLAS takes one thread


def solve(tiles, rank, b, quantile, tol, trace, n_threads=None, rows=None, fixed=None):
    """Minimise the sum of ``(quantile - (r < 0)) * r`` over residuals r.

    Parameters
    ----------
    tiles : ndarray of shape (n_tiles, columns, TILE)
        The rows; see `Rows.tiles`.
    rank : int
        Columns that are not padding.
    b : ndarray of shape (n,)
        Residuals of the coefficients zero.
    quantile : float
    tol : float
        Gap to reach, as a fraction of the objective.
    trace : Trace
    n_threads : int
    rows : Rows, optional
        In place of the tiles, which have no columns then.
    fixed : tuple of ndarray of shape (rank,) and float, optional
        A linear term: what rows with known scores add to the objective is the number
        less the products with the coefficients.

    Returns
    -------
    coef : ndarray of shape (rank,)
    scores : ndarray of shape (n,)
        Solution of the dual problem: 1 above the fit, 0 below it.
    """
    coef, (slope, offset) = np.zeros(rank), fixed or (np.zeros(rank), 0.0)
    size = np.abs(b).sum() + _LEAST_CENTRED * abs(offset) or 1.0
    state = _State(tiles, rank, b, quantile, n_threads, rows, slope, _CENTRED * size / len(b))
    trace.begin()
    while True:
        gap, objective = state.move()
        objective += offset - slope @ coef
        gap += objective * state.infeasible()
        if fixed is None and gap <= tol * objective:
            objective = min(objective, state.typical() or objective)
        if not trace.goes_on(gap, objective, tol) or state.stuck:
            return coef, state.x.ravel()[: len(b)]
        coef = coef + state.step()


class _State:
    """Scores, their multipliers, and the steps that they take."""

    def __init__(self, tiles, rank, b, quantile, n_threads, rows, excess, mu):
        self.tiles, self.rank, self.rows, self.n_threads = tiles, rank, rows, n_threads
        self.quantile, self.n = quantile, len(b)
        shape = len(tiles), TILE
        self.weights = padded(np.ones(len(b)), shape[0] * TILE).reshape(shape)
        r = padded(b, shape[0] * TILE).reshape(shape)
        self.x, self.s, self.z, self.w, self.q, self.r = np.empty((6, *shape))
        self.dx, self.dz, self.dw = np.zeros((3, *shape))
        self.barrier, self.second = np.empty((2, *shape))
        self.part = part_of(shape[0])
        self.n_parts = -(-shape[0] // self.part)
        self.excess = excess + self._begin(r, mu)  # of the scores' sums, which are to be zero
        self.steps, self.stuck = np.zeros(2), False

    def _begin(self, r, mu):
        """Choose scores that suit the residuals; return their sums less the mean's."""
        combined = np.zeros((self.n_parts, 2, self.tiles.shape[1]))
        args = self.tiles, r, mu, self.quantile, self.weights, *self.point, combined
        run_blocks(kernels.begin, len(r), self.part, args, self.n_threads)
        if self.rows is None:
            return combined.sum(axis=0)[0, : self.rank]
        scores = self.x.ravel()[: self.n] - (1 - self.quantile)
        return self.rows.combined(scores[None])[0]

    @property
    def point(self):
        return self.x, self.s, self.z, self.w

    def _run(self, kernel, n_sums, *args):
        sums = np.empty((self.n_parts, n_sums))
        run_blocks(kernel, len(self.x), self.part, (self.tiles, *args, sums), self.n_threads)
        return sums

    def move(self):
        """Take the step; return the gap that is left, and the objective."""
        d = self.tiles.shape[1]
        grams = np.zeros((self.n_parts, d, d + 1))
        sums = self._run(
            kernels.move, 3, *self.point, self.dx, self.dz, self.dw, self.steps, self.quantile,
            self.weights, self.q, self.r, grams,
        )  # fmt: skip
        self.gap, objective, self.mass = sums.sum(axis=0)
        self.gram = grams.sum(axis=0)[: self.rank]
        return self.gap, objective

    def typical(self):
        """Objective without gross errors, which would hide what the other rows still lack."""
        return _GROSS * np.median(np.abs(self.r.ravel()[: self.n])) * self.n

    def infeasible(self):
        """Share of the objective that may be lost when scores are made feasible."""
        # Columns times the roots of weights, at most 1, are orthonormal: no row is longer than 1.
        return np.linalg.norm(self.excess) / min(self.quantile, 1 - self.quantile)

    def _normal_equations(self):
        if self.rows is not None:
            return self.rows.gram(self.q.ravel()[: self.n], self.r.ravel()[: self.n])
        return self.gram[:, : self.rank], self.gram[:, -1]

    def _fitted(self, coef):
        """Return what kernels add the tiles' fit to, and coefficients for them."""
        fitted = np.zeros(self.x.shape)
        if self.rows is not None:
            fitted.ravel()[: self.n] = self.rows.fitted(coef)
            coef = coef[:0]
        return fitted, padded(coef, self.tiles.shape[1])

    def _combined(self, sums):
        if self.rows is None:
            return sums.sum(axis=0)[:, : self.rank]
        V = np.stack([self.barrier.ravel(), self.second.ravel()])
        return self.rows.combined(V[:, : self.n])

    def step(self):
        """Find the next step, and return that of the coefficients."""
        gram, products = self._normal_equations()
        factor = factorised(gram)
        affine, coef = self._fitted(solved(factor, products + self.excess))
        combined = np.zeros((self.n_parts, 2, self.tiles.shape[1]))
        sums = self._run(
            kernels.predict, 5, coef, *self.point, self.weights, affine,
            self.barrier, self.second, combined,
        )  # fmt: skip
        barrier, second = self._combined(combined)
        mu = self._target(sums)
        step = solved(factor, products + mu * barrier - second + self.excess)
        fitted, coef = self._fitted(step)
        moves = self.dx, self.dz, self.dw
        sums = self._run(kernels.correct, 2, coef, *self.point, affine, fitted, mu, *moves)
        self.steps = _lengths(sums)
        self.stuck = not self.steps.max() > SLOW
        if self.stuck:
            self.steps = np.zeros(2)
            return np.zeros(self.rank)
        self.excess = (1 - self.steps[0]) * self.excess
        return self.steps[1] * step

    def _target(self, sums):
        """Mehrotra's choice: the gap of the affine step tells how far to go."""
        first, second, third = sums[:, :3].sum(axis=0)
        primal, dual = _lengths(sums[:, 3:])
        after = self.gap + primal * first + dual * second + primal * dual * third
        return self.gap * (after / self.gap) ** 3 / (2 * self.mass)


def _lengths(reciprocals):
    """Return steps that end just before a bound."""
    return SHORTENED / np.maximum(reciprocals.max(axis=0), SHORTENED)


def factorised(gram):
    """Cholesky factor of a Gram matrix, with something on the diagonal where it needs it.

    Its upper triangle is read.
    """
    size = np.diag(gram).max(initial=0.0) or 1.0
    for ridge in (0.0, *_RIDGES):
        lifted = gram + ridge * size * np.eye(len(gram)) if ridge else gram
        with _reproducible(gram):
            factor, info = linalg.lapack.dpotrf(lifted)
        if info == 0:
            return factor
    raise FloatingPointError


def solved(factor, rhs):
    """Solve a system by its Cholesky factor."""
    with _reproducible(factor):
        return linalg.lapack.dpotrs(factor, rhs)[0]


def _reproducible(matrix):
    """Hold BLAS at one thread, if it would take more: small matrices are spared the time."""
    return single_threaded_blas() if len(matrix) > _SMALL else nullcontext()
