"""Draws from the posterior distribution of the factors, whose predictions are averaged.

Bayesian probabilistic matrix factorization (Salakhutdinov and Mnih, ICML 2008) with biases: given
one factor, the rows of the other are independent and normal. Means and precisions of rows, and the
variance of the noise, are drawn in their turn, so that there is no ridge to choose.
"""

from dataclasses import dataclass, field

import numpy as np

from .._support.blas import single_threaded_blas
from .._support.validation import require_memory
from . import _gibbs_cpu
from ._altmin import residuals
from ._factors import Model, factor_of

_KEPT = 192  # draws, at most: all of 200 sweeps; the error of a mean falls with their number
_SPREAD = 0.1  # of the prior of the rows' covariance
_NOISE = 1e-4  # square of the one residual that stands for the prior of the noise
_START = 0.3  # standard deviation of the factors that a chain begins with


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of a chain, and what they predict, in the units of centred and scaled values.

    Attributes
    ----------
    left, right : ndarray of shape (m, k + 1, s), (n, k + 1, s), float32
        Draws of the factors; the last of the k + 1 are the biases.
    noise : ndarray of shape (n_draws,)
        Standard deviation of the noise of an entry of weight one, in each draw. No draws beyond
        their number are defined in `left` and `right`.
    last : Model
        The end of the chain.
    history : ndarray of shape (n_iter,)
        Root mean square of the residuals after each sweep.
    n_iter : int
        Sweeps done.
    """

    left: np.ndarray = field(repr=False)
    right: np.ndarray = field(repr=False)
    noise: np.ndarray = field(repr=False)
    last: Model = field(repr=False)
    history: np.ndarray = field(repr=False)
    n_iter: int

    def predict(self, rows, columns, return_std=False):
        """Mean of the predictions of all draws.

        Parameters
        ----------
        rows, columns : ndarray of shape (nnz,), integers
        return_std : bool, default=False
            Also return the standard deviation of a new entry of weight one, with its noise.

        Returns
        -------
        mean : ndarray of shape (nnz,), float64
        std : ndarray of shape (nnz,), float64
            Only if asked for.
        """
        draws = self.left, self.right, len(self.noise)
        means, variances = _gibbs_cpu.predict(rows, columns, *draws)
        if not return_std:
            return means
        return means, np.sqrt(variances + np.mean(self.noise**2))


def sample(
    entries, rank, rng, *, n_sweeps=200, burn_in=20, fit_bias=True, callback=None, init=None
):
    """Draw from the posterior distribution of the factors.

    Parameters
    ----------
    entries : Entries
    rank : int
    rng : Generator
    n_sweeps : int, default=200
    burn_in : int, default=20
        Sweeps, at most half of all, of which no draw is kept.
    fit_bias : bool, default=True
    callback : callable, optional
        Called with a dict after each sweep; True ends the chain.
    init : Model, optional
        Where the chain begins; it is not changed.

    Returns
    -------
    posterior : Posterior

    Raises
    ------
    MemoryError
        If the draws would take more than half of the machine's memory.
    """
    burn_in = min(burn_in, n_sweeps // 2)
    every = -(-(n_sweeps - burn_in) // _KEPT)
    draws = _Draws(entries.shape, rank, -(-(n_sweeps - burn_in) // every))
    chain = _Chain(entries, rank, rng, fit_bias, init)
    history = []
    for sweep in range(n_sweeps):
        chain.sweep()
        history.append(chain.rms)
        info = {"n_iter": sweep + 1, "loss": chain.rms}
        stopped = bool(callback and callback(info))
        if (sweep >= burn_in and (sweep - burn_in) % every == 0) or (stopped and not draws.noise):
            draws.keep(chain)
        if stopped:
            break
    noise = np.array(draws.noise)
    return Posterior(draws.left, draws.right, noise, chain.model, np.array(history), len(history))


class _Draws:
    """Room for the draws to keep."""

    def __init__(self, shape, rank, n_draws):
        self.noise = []
        shapes = [(n, rank + 1, n_draws) for n in shape]
        advice = f"Lower max_iter below {n_draws}, or the rank."
        require_memory(f"{n_draws} draws of the factors", 4 * sum(map(np.prod, shapes)), advice)
        self.left, self.right = (np.empty(shape, np.float32) for shape in shapes)

    def keep(self, chain):
        s, model = len(self.noise), chain.model
        for kept, factor in ((self.left, model.rows), (self.right, model.columns)):
            kept[:, :-1, s], kept[:, -1, s] = factor.values, factor.bias
        self.noise.append(chain.noise**0.5)


class _Chain:
    """State of the sampler."""

    def __init__(self, entries, rank, rng, fit_bias, init):
        self.entries, self.rng, self.fit_bias, self.step = entries, rng, fit_bias, 0
        self.model = init.copy() if init else _random_model(entries, rank, rng)
        self.key = rng.integers(2**64, dtype=np.uint64)
        self.halves = [
            _Half(entries.rows, self.model.rows, self.model.columns, fit_bias),
            _Half(entries.columns, self.model.columns, self.model.rows, fit_bias),
        ]
        weights = entries.rows.weights
        gaps = np.square(residuals(entries.rows, self.model.columns, self.model.rows), dtype=float)
        self.squares = float(np.sum(gaps * weights if len(weights) else gaps))
        self.count = float(np.sum(weights, dtype=float)) if len(weights) else len(entries)
        self.amount = float(entries.rows.amounts.sum())

    @property
    def rms(self):
        """Root of the mean square of the residuals."""
        return (self.squares / self.amount) ** 0.5

    def sweep(self):
        """Draw the noise, the rows, and the columns."""
        self.noise = 0.5 * (_NOISE + self.squares) / self.rng.gamma(0.5 * (1 + self.count))
        for half in self.halves:
            self.squares = half.draw(self.noise, self.key, self.step, self.rng)
            self.step += 1


class _Half:
    """One of the factors, drawn while the other is fixed."""

    def __init__(self, lines, mine, other, fit_bias):
        self.lines, self.mine, self.other, self.fit_bias = lines, mine, other, fit_bias
        X = np.column_stack([mine.values, mine.bias][: 1 + fit_bias]).astype(np.float64)
        X = np.column_stack([X, np.ones(len(X))])
        with single_threaded_blas():
            self.moments = X.T @ X  # of the rows and a column of ones, which draws bring along

    def draw(self, noise, key, step, rng):
        """Draw the prior of the rows, then the rows; return the sum of squares of the residuals."""
        d = len(self.moments) - 1
        # Bartlett's decomposition of Wishart's distribution, and where the mean is
        normals = rng.standard_normal((d + 1, d))
        roots = np.sqrt(rng.chisquare(d + self.moments[-1, -1] - np.arange(d)))
        prior = noise * _gibbs_cpu.draw_prior(self.moments, _SPREAD, roots, normals)
        data = *self.lines.arrays, self.other.rows, self.other.bias
        how = prior, noise, key, step, self.fit_bias
        total, self.moments = _gibbs_cpu.draw(*data, *how, self.mine.rows, self.mine.bias)
        # Least squares plus squares of normal numbers is the sum of squares, with the prior's.
        centred = np.sum(prior[:, :d] * self.moments[:d, :d])
        return max(0.0, total - centred + 2 * prior[:, d] @ self.moments[:d, d])


def _random_model(entries, rank, rng):
    dtype = entries.rows.values.dtype
    return Model(
        *(factor_of(_START * rng.standard_normal((n, rank), dtype)) for n in entries.shape)
    )
