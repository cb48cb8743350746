"""The two factors of a matrix, with biases."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from .._support.blas import single_threaded_blas
from .._support.blocks import aligned
from .._support.cuda import to_device, to_host
from . import _cpu

_LINE = 64  # bytes of a cache line


@dataclass(eq=False)
class Factor:
    """Rows of one factor, each with a bias; they are changed in place.

    Attributes
    ----------
    rows : ndarray of shape (n, w)
        Whole cache lines to a row; the columns beyond the rank are zero.
    bias : ndarray of shape (n,)
    rank : int
    """

    rows: np.ndarray
    bias: np.ndarray
    rank: int

    def __len__(self):
        return len(self.rows)

    @property
    def values(self):
        """Columns within the rank: a view of shape (n, rank)."""
        return self.rows[:, : self.rank]

    def run(self, lo, hi):
        """Return the rows from lo to hi: views."""
        return Factor(self.rows[lo:hi], self.bias[lo:hi], self.rank)

    def copy(self):
        """Return another one with the same numbers."""
        return factor_of(self.values, self.bias)

    def on(self, device):
        """Return it where a device can change it; itself, where it is there."""
        move = to_device if device == "cuda" else to_host
        return Factor(move(self.rows), move(self.bias), self.rank)


def factor_of(values, bias=None):
    """Lay out a factor of shape (n, k), and biases (zero if None), in lines of the cache."""
    n, k = values.shape
    per_line = _LINE // values.dtype.itemsize
    rows = aligned((n, -(-max(k, 1) // per_line) * per_line), values.dtype)
    rows[:, :k], rows[:, k:] = values, 0
    bias = np.zeros(n, values.dtype) if bias is None else np.array(bias, values.dtype)
    return Factor(rows, bias, k)


@dataclass(eq=False)
class Model:
    """What stands for a matrix: ``rows.values @ columns.values.T`` and biases.

    It is of centred and scaled values.
    """

    rows: Factor
    columns: Factor

    @property
    def rank(self):
        """Columns of each factor."""
        return self.rows.rank

    def copy(self):
        """Return another one with the same numbers."""
        return Model(self.rows.copy(), self.columns.copy())

    def on(self, device):
        """Return it where a device can change it; itself, where it is there."""
        return Model(self.rows.on(device), self.columns.on(device))

    def rms(self):
        """Root mean square of all entries, biases apart."""
        U, V = self.rows.values, self.columns.values
        square = np.sum((U.T @ U / len(U)) * (V.T @ V / len(V)), dtype=np.float64)
        return float(abs(square)) ** 0.5

    def predict(self, rows, columns):
        """Entries at some places, in float64."""
        U, V = self.rows, self.columns
        return _cpu.predict(rows, columns, U.rows, U.bias, V.rows, V.bias)

    def balance(self):
        """Align both factors with the singular vectors of their product, and return its sizes.

        Each gets the root of a singular value: rows and columns have the same Gram matrix then, a
        diagonal one. The product stays as it is, and so does its ridge, or becomes less.
        """
        left, right, sizes = aligned_factors(self.rows.values, self.columns.values)
        self.rows.values[:], self.columns.values[:] = left, right
        return sizes


@single_threaded_blas()
def aligned_factors(left, right):
    """Factors of the same product whose columns are orthogonal, and as long as each other.

    Returns
    -------
    left, right : ndarray of shape (m, k), (n, k)
    sizes : ndarray of shape (k,)
        Singular values of the product, descending.
    """
    Q, upper = linalg.qr(left, mode="economic", check_finite=False)
    P, lower = linalg.qr(right, mode="economic", check_finite=False)
    U, sizes, Vt = linalg.svd(upper @ lower.T, full_matrices=False, check_finite=False)
    roots = np.sqrt(sizes)
    k = left.shape[1]
    left, right = np.zeros_like(left), np.zeros_like(right)
    left[:, : len(sizes)], right[:, : len(sizes)] = Q @ (U * roots), P @ (Vt.T * roots)
    return left, right, np.pad(sizes, (0, k - len(sizes)))
