"""Alternating minimisation: a spectral start, and half-steps of least squares for each row."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .._support.blas import single_threaded_blas
from .._support.blocks import run_blocks
from . import _cpu
from ._factors import Model, factor_of

_OVERSAMPLING = 5  # columns of the start's subspace beyond the rank
_ITERATIONS = 8  # of the subspace of the start


@dataclass(frozen=True)
class HalfStep:
    """Least squares for every line of a factor, the other one fixed.

    Attributes
    ----------
    exponent : float
        The ridge of a line is multiplied by this power of the sum of its weights.
    fit_bias, nonnegative : bool
    exact : bool
        Solve by Cholesky's method, not by conjugate gradients.
    steps : int
        Conjugate gradient steps, at most.
    forcing : float
        Share of the residual with which they end.
    """

    exponent: float = 0.0
    fit_bias: bool = False
    nonnegative: bool = False
    exact: bool = True
    steps: int = 3
    forcing: float = 0.1

    def __call__(self, lines, other, mine, ridge):
        """Improve a factor.

        Parameters
        ----------
        lines : Lines
            The entries of each line of `mine`.
        other, mine : Factor
        ridge : float or ndarray of shape (rank + 1,)
            For each column, and the bias.

        Returns
        -------
        total : float
            Sum of squares, and of the ridge of `mine`.
        """
        ridge = np.full(mine.rank + 1, ridge, float)
        sums = np.zeros(-(-len(lines) // lines.block))
        common = *lines.arrays, other.rows, other.bias
        found = mine.rows, mine.bias, sums
        if self.exact or self.nonnegative:
            width = _cpu.padded(mine.rank + 2)
            how = ridge, self.exponent, width, self.fit_bias, self.nonnegative
            with _cpu.alone():
                run_blocks(_cpu.solve_rows, len(lines), lines.block, (*common, *how, *found))
        else:
            moment = np.mean(other.values**2, axis=0, dtype=float)
            how = moment, ridge, self.exponent, self.fit_bias, self.steps, self.forcing**2
            run_blocks(_cpu.improve_rows, len(lines), lines.block, (*common, *how, *found))
        return math.fsum(sums)


def residuals(lines, other, mine):
    """Values less predictions, in the order of the entries of these lines."""
    out = np.empty_like(lines.values)
    args = *lines.arrays[:3], other.rows, other.bias, mine.rows, mine.bias, out
    run_blocks(_cpu.residuals, len(lines), lines.block, args)
    return out


@single_threaded_blas()
def spectral_start(entries, rank, rng, iterations=_ITERATIONS):
    """Leading singular vectors of the entries, over the share observed; unlikely rows trimmed.

    A row or column whose vector is more than twice as long as if all were alike is cut to that:
    it has many entries, not a large share of the matrix. (Keshavan, Montanari and Oh 2010)
    """
    A = _matrix(entries)
    m, n = A.shape
    width = min(rank + _OVERSAMPLING, m, n)
    V = np.linalg.qr(rng.standard_normal((n, width), A.dtype))[0]
    for _ in range(iterations):
        U = np.linalg.qr(A @ V)[0]
        V = np.linalg.qr(A.T @ U)[0]
    U, sizes, Vt = np.linalg.svd(A @ V, full_matrices=False)
    roots = np.sqrt(sizes[:rank] * (m * n / max(1, len(entries))))
    left, right = _trimmed(U[:, :rank]), _trimmed((V @ Vt.T)[:, :rank])
    return Model(factor_of(left * roots), factor_of(right * roots))


def _matrix(entries):
    lines = entries.rows
    weights = lines.weights if len(lines.weights) else 1
    return sparse.csr_array((lines.values * weights, lines.others, lines.starts), entries.shape)


def _trimmed(vectors):
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    most = 2 * (vectors.shape[1] / len(vectors)) ** 0.5
    return vectors * np.minimum(1, most / np.maximum(lengths, most / 2))


def objective(entries, model, ridge, exponent, fit_bias):
    """Sum of squares and ridge, which alternating half-steps lower."""
    r = residuals(entries.rows, model.columns, model.rows)
    weights = entries.rows.weights if len(entries.rows.weights) else np.ones(1, r.dtype)
    total = np.sum(weights * r * r, dtype=np.float64)
    for lines, factor in ((entries.rows, model.rows), (entries.columns, model.columns)):
        squares = np.square(factor.rows, dtype=np.float64).sum(axis=1)
        squares += fit_bias * np.square(factor.bias, dtype=np.float64)
        total += ridge * np.sum(lines.amounts**exponent * squares)
    return float(total)
