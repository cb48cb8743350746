"""What a completion is: factors, biases, and predictions from them."""

from dataclasses import dataclass, field

import numpy as np

from .._support.blocks import frozen
from .._support.result import Result
from . import _cpu
from ._factors import Model, factor_of
from ._problem import checked_pairs


@dataclass(frozen=True, eq=False)
class CompletionResult(Result):
    """Factors and biases that stand for a matrix.

    Attributes
    ----------
    left, right : ndarray of shape (m, k), (n, k)
        ``left @ right.T + row_bias[:, None] + column_bias + mean`` is the completed matrix. With
        the solver "gibbs" they are the last draw, and `predict` averages over all.
    row_bias, column_bias : ndarray of shape (m,), (n,)
        Zero without `fit_bias`.
    mean : float
        Of the values; zero without `fit_bias`.
    n_iter : int
        Sweeps: half-steps of all columns and all rows; steps of the other solvers.
    converged : bool
    history : ndarray
        After each of them, for values divided by their spread: the objective of "als", the root
        mean square residual of the others.
    validation_history : ndarray
        Root mean square error of the held-out entries after each sweep, in units of the values;
        empty without `early_stopping`.
    """

    left: np.ndarray
    right: np.ndarray
    row_bias: np.ndarray
    column_bias: np.ndarray
    mean: float
    validation_history: np.ndarray = field(repr=False)
    _scale: float = field(repr=False)
    _posterior: object = field(repr=False)

    def predict(self, rows, columns, return_std=False):
        """Entries of the completed matrix.

        Parameters
        ----------
        rows, columns : array_like of int, shape (n_pairs,)
        return_std : bool, default=False
            Tell standard deviations, noise included, too; for the solver "gibbs".

        Returns
        -------
        values : ndarray of shape (n_pairs,)
            In float64.
        std : ndarray of shape (n_pairs,)
            If `return_std`.

        Raises
        ------
        ValueError
            If there is no such row or column, or no draws to tell a deviation from.
        """
        rows, columns = checked_pairs(rows, columns, (len(self.left), len(self.right)))
        if self._posterior is None:
            if return_std:
                raise ValueError("return_std=True needs the draws of solver='gibbs'")
            factors = self.left, self.row_bias, self.right, self.column_bias
            return _cpu.predict(rows, columns, *map(frozen, factors)) + self.mean
        found = self._posterior.predict(rows, columns, return_std)
        if return_std:
            return found[0] * self._scale + self.mean, found[1] * self._scale
        return found * self._scale + self.mean


def model_of(result, scale, rank, shape):
    """Model of an earlier result in units of a scale; new rows, columns and factors are zero."""
    (m, n), root = shape, scale**0.5
    return Model(
        _grown(result.left / root, result.row_bias / scale, m, rank),
        _grown(result.right / root, result.column_bias / scale, n, rank),
    )


def _grown(values, bias, n, rank):
    more = n - len(values)
    values = np.pad(values, ((0, more), (0, rank - values.shape[1])))
    return factor_of(values, np.pad(bias, (0, more)))
