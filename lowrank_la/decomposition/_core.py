"""The core of a CUR decomposition, kept as factors."""

import numpy as np
from scipy import linalg
from scipy.sparse.linalg import LinearOperator

from .._support.cuda import to_host


class Core(LinearOperator):
    """The product of an inverse triangle, a matrix and another inverse triangle.

    ``core @ x`` solves with the triangles: their inverses, and the core itself, would have lost
    the digits that the chosen rows and columns have in common. It is on the CPU, in float64.

    Parameters
    ----------
    left : ndarray of shape (r, r)
        Upper triangle.
    middle : ndarray of shape (r, s)
    right : ndarray of shape (s, s), optional
        Upper triangle, whose transpose is solved with; none is the identity.
    order : ndarray of shape (k,), optional
        Where results go; those beyond the first r are zero.
    """

    def __init__(self, left, middle, right=None, order=None):
        self._left, self.middle, self._right = left, middle, right
        self._order = np.arange(len(left)) if order is None else order
        super().__init__(np.float64, (len(self._order), middle.shape[1]))

    def _matmat(self, X):
        if self._right is not None:
            X = linalg.solve_triangular(self._right, X, trans="T")
        out = np.zeros((self.shape[0], X.shape[1]))
        solved = linalg.solve_triangular(self._left, self.middle @ X)
        out[self._order[: len(solved)]] = solved
        return out

    def _rmatmat(self, Y):
        Y = linalg.solve_triangular(self._left, Y[self._order[: len(self._left)]], trans="T")
        Y = self.middle.T @ Y
        return Y if self._right is None else linalg.solve_triangular(self._right, Y)

    def _rmatvec(self, y):  # before 1.16, SciPy does not make it of the one above
        return self._rmatmat(y.reshape(-1, 1))


def optimal(matrix, rows, columns):
    """Core that makes the error least, pinv(C) A pinv(R), and its product with the rows.

    And two factors of the approximation, of which none is large where columns nearly depend on
    each other.
    """
    xp = matrix.xp
    basis, left = xp.linalg.qr(matrix.columns(columns))
    row_basis, right = xp.linalg.qr(matrix.rows(rows).T)
    middle = to_host(matrix.products(basis) @ row_basis)
    left, right = to_host(left), to_host(right)
    # pinv(C) A, projected on the rows: entries of moderate size where the core's are huge
    mixing = xp.asarray(linalg.solve_triangular(left, middle)) @ row_basis.T
    approximation = basis, xp.asarray(middle) @ row_basis.T
    return Core(left * matrix.unit, middle, right), mixing, approximation


def cross(matrix, rows, columns):
    """Inverse of the crossing of rows and columns, by pivoted QR, and its product with the rows."""
    R = to_host(matrix.rows(rows))
    basis, triangle, order = linalg.qr(R[:, columns], mode="economic", pivoting=True)
    sizes = np.abs(np.diag(triangle))
    rank = int(np.sum(sizes > np.finfo(float).eps * np.max(sizes, initial=0.0)))
    core = Core(triangle[:rank, :rank], basis[:, :rank].T, order=order)
    mixing = matrix.xp.asarray(core @ R)
    core = Core(triangle[:rank, :rank] * matrix.unit, basis[:, :rank].T, order=order)
    return core, mixing, (matrix.columns(columns), mixing)


def spanned(matrix, columns):
    """Projection on some columns, in a basis of theirs, and what all are made of."""
    basis, triangle = matrix.xp.linalg.qr(matrix.columns(columns))
    projection = matrix.products(basis)
    mixing = linalg.solve_triangular(to_host(triangle), to_host(projection))
    return projection, matrix.xp.asarray(mixing)


CORES = {"optimal": optimal, "cross": cross}
