"""Alternating minimisation: a spectral start, and half-steps of least squares for each row."""

import math
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from .._kernels.csr import NARROW
from .._support.blas import single_threaded_blas
from .._support.cuda import to_host, twin
from .._support.executor import map_merge
from . import _cpu
from ._factors import Model, factor_of

EXACT = 12  # ranks up to this are solved by Cholesky's method
_ROUGH = 2  # iterations of the start's subspace where many sweeps follow
_RUN = 1 << 20  # entries that an executor is given at a time
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
    executor : concurrent.futures.Executor, optional
        Does blocks of lines.
    device : {"cpu", "cuda"}
        Where all arrays are.
    """

    exponent: float = 0.0
    fit_bias: bool = False
    nonnegative: bool = False
    exact: bool = True
    steps: int = 3
    forcing: float = 0.1
    executor: Executor | None = None
    device: str = "cpu"

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
        if self.executor is not None:
            return self._spread(lines, other, mine, ridge)
        ridge = np.full(mine.rank + 1, ridge, float)
        kernels = twin(__package__, self.device)
        data = *lines.arrays, other.rows, other.bias
        if self.exact or self.nonnegative:
            how = ridge, self.exponent, self.fit_bias, self.nonnegative
            return kernels.solve(*data, *how, mine.rows, mine.bias)
        how = ridge, self.exponent, self.fit_bias, self.steps, self.forcing**2
        return kernels.improve(*data, *how, mine.rows, mine.bias)

    def _spread(self, lines, other, mine, ridge):
        """Let an executor do the lines, in runs that hold about as many entries."""
        alone = replace(self, executor=None)
        ends = np.searchsorted(lines.starts, np.arange(0, len(lines.others), _RUN), "right") - 1
        bounds = np.unique([0, *ends, len(lines)])
        tasks = (
            (alone, lines.run(*bound), other, mine.run(*bound), ridge) for bound in pairwise(bounds)
        )
        runs = map_merge(self.executor, _half_step_of, tasks, lambda done, run: [*done, run], [])
        mine.rows[:] = np.concatenate([factor.rows for factor, _ in runs])
        mine.bias[:] = np.concatenate([factor.bias for factor, _ in runs])
        return math.fsum(total for _, total in runs)


def _half_step_of(task):
    """One run of lines, in a worker."""
    half_step, lines, other, mine, ridge = task
    mine = mine.copy()
    return mine, half_step(lines.frozen(), other, mine, ridge)


def residuals(lines, other, mine, device="cpu"):
    """Values less predictions, in the order of the entries of these lines."""
    data = *lines.arrays[:3], other.rows, other.bias, mine.rows, mine.bias
    return twin(__package__, device).residuals(*data)


def left_over(entries, model):
    """Return the same entries with residuals for values."""
    rows, columns = model.rows, model.columns
    return replace(
        entries,
        rows=entries.rows.valued(residuals(entries.rows, columns, rows)),
        columns=entries.columns.valued(residuals(entries.columns, rows, columns)),
    )


@single_threaded_blas()
def spectral_start(entries, rank, rng, iterations=_ITERATIONS):
    """Leading singular vectors of the entries, over the share observed; unlikely rows trimmed.

    A row or column whose vector is more than twice as long as if all were alike is cut to that:
    it has many entries, not a large share of the matrix. (Keshavan, Montanari and Oh 2010)
    """
    rows, columns = entries.rows, entries.columns
    m, n = entries.shape
    width = min(-(-(rank + _OVERSAMPLING) // NARROW) * NARROW, m, n)
    V = rng.standard_normal((n, width), rows.values.dtype)
    for _ in range(iterations):
        U, _, _ = _principal(_cpu.products(*rows.arrays, V))
        V, sizes, turn = _principal(_cpu.products(*columns.arrays, U))
    roots = np.sqrt(sizes[:rank] * (m * n / float(rows.amounts.sum())))
    left, right = _trimmed((U @ turn)[:, :rank]), _trimmed(V[:, :rank])
    return Model(factor_of(left * roots), factor_of(right * roots))


def _principal(X):
    """Left singular vectors, singular values and right ones of a tall matrix, by its Gram matrix.

    What is small beside the largest one is lost to rounding, and left zero: a start needs no more.
    """
    squares, turn = np.linalg.eigh(X.T @ X)
    squares, turn = squares[::-1], turn[:, ::-1]
    kept = squares > len(squares) * np.finfo(X.dtype).eps * squares[0]
    sizes = np.sqrt(np.where(kept, squares, 0))
    return X @ (turn * (kept / np.where(kept, sizes, 1)).astype(X.dtype)), sizes, turn


def _trimmed(vectors):
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    most = 2 * (vectors.shape[1] / len(vectors)) ** 0.5
    return vectors * np.minimum(1, most / np.maximum(lengths, most / 2))


def alternate(
    entries,
    rank,
    rng,
    *,
    ridge,
    exponent,
    fit_bias,
    nonnegative=False,
    tol=0.0,
    max_iter,
    watch,
    init=None,
    executor=None,
    device="cpu",
):
    """Alternate half-steps until the objective falls by less than a share.

    Rows come last, so that they are what new rows with the same entries would get.

    Parameters
    ----------
    entries : Entries
    rank : int
    rng : Generator
        Of the start.
    ridge, exponent, fit_bias, nonnegative
        As of a `HalfStep`.
    tol : float
    max_iter : int
        Sweeps.
    watch : callable
        ``watch(model, objective)`` after each sweep; True ends them.
    init : Model, optional
        Goes on from there, and changes it.
    executor : Executor, optional
    device : {"cpu", "cuda"}

    Returns
    -------
    model : Model
    converged : bool
    history : list of float
        The objective.
    """
    model = init or spectral_start(entries, rank, rng, _ROUGH)
    if nonnegative:
        for factor in (model.rows, model.columns):
            np.abs(factor.rows, out=factor.rows)
    half_step = HalfStep(
        exponent, fit_bias, nonnegative, rank <= EXACT, executor=executor, device=device
    )
    counts, history = entries.columns.amounts**exponent, []
    entries, model = entries.on(device), model.on(device)
    for _ in range(max_iter):
        for lines, other, mine in (
            (entries.columns, model.rows, model.columns),
            (entries.rows, model.columns, model.rows),
        ):
            if not (half_step.exact or nonnegative):
                _make_orthogonal(other, mine)
            total = half_step(lines, other, mine, ridge)
        history.append(max(0.0, total) + ridge * size_of(counts, model.columns))
        if watch(model, history[-1]):
            return model.on("cpu"), True, history
        if len(history) > 1 and history[-2] - history[-1] <= tol * history[-2]:
            return model.on("cpu"), True, history
    return model.on("cpu"), False, history


@single_threaded_blas()
def _make_orthogonal(factor, partner):
    """Turn both factors, so that the columns of one are orthogonal and the product stays.

    The Gram matrix of each line is nearly diagonal then, as its preconditioner is.
    """
    _, turn = np.linalg.eigh(factor.values.T @ factor.values)
    for each in (factor, partner):
        each.values[:] = each.values @ turn


def size_of(counts, factor):
    """Sum of the squares of a factor, as the ridge counts them."""
    squares = (factor.rows**2).sum(axis=1, dtype=np.float64) + factor.bias**2
    return float(np.einsum("i,i->", counts, to_host(squares)))
