"""What sensing returns: factors of a matrix, and the curves of the way to them."""

from dataclasses import dataclass, field

import numpy as np

from .._support.result import Result


@dataclass(frozen=True, eq=False)
class SensingResult(Result):
    """Factors of a matrix that was measured.

    Attributes
    ----------
    left, right : ndarray of shape (n1, k), (n2, k)
        Their columns are orthogonal, of equal norms in both, and fall; the same array for
        symmetric matrices.
    matrix : ndarray of shape (n1, n2)
        ``left @ right.T``, made when it is asked for.
    rank : int
        Singular values that stand out from what the residuals could cause.
    intercept : float
        The constant; zero without one.
    n_iter : int
    converged : bool
        Whether the relative residual is at most `tol`, or a loss that never rises fell no more,
        or held-out measurements were met worse.
    history : ndarray of shape (n_iter,)
        Relative residual after each iteration: ``|A(X) - y| / |y|``, of medians for robust losses.
    singular_values_history : ndarray of shape (n_iter, k)
        Singular values of the matrix after each iteration.
    validation_history : ndarray
        Relative residual of the held-out measurements; empty without `early_stopping`.
    """

    left: np.ndarray
    right: np.ndarray
    rank: int
    intercept: float
    singular_values_history: np.ndarray = field(repr=False)
    validation_history: np.ndarray = field(repr=False)

    @property
    def matrix(self):
        """``left @ right.T``, of shape (n1, n2)."""
        return self.left @ self.right.T
