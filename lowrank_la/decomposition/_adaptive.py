"""Rows and columns up to a tolerance: elimination of a sketch, a block of columns at a time.

What is left of the sketch after a block is a sketch of what is left of the matrix, so that no
pass over the matrix is made but the first one (IterativeCUR, Pritchard et al. 2025).
"""

from bisect import bisect_left

import numpy as np
from scipy import linalg

from .._support.cuda import to_host
from ._core import optimal, spanned
from ._subset import in_step

BLOCK = 32  # columns at a time
ROWS = 128  # of the sketch
_DOUBT = 3 / (2 * ROWS) ** 0.5  # three standard errors of the norm of a sketch, at most


class Elimination:
    """A matrix less its approximation by the rows and columns so far, known by a sketch.

    Parameters
    ----------
    matrix : Matrix
    of_sketch, pick : callable
        Of `_subset`: pivots of a sketch, and of an array.
    """

    def __init__(self, matrix, of_sketch, pick):
        self._matrix, self._of_sketch, self._pick = matrix, of_sketch, pick
        self._left_over = matrix.sketch(ROWS)
        self._largest = float(abs(self._left_over).max())
        self.rows, self.columns = np.arange(0), np.arange(0)
        self._terms = []  # (m, b) and (b, n): their products add up to the approximation

    @property
    def error(self):
        """Upper estimate of what is left, relative to the matrix: by Frobenius norms."""
        return self._relative(self._left_over)

    def _relative(self, left_over):
        norm = float(self._matrix.xp.linalg.norm(left_over)) * (1 + _DOUBT)
        return norm / self._matrix.norm if self._matrix.norm else 0.0

    def extend(self, tol, most):
        """Add rows and columns: a block, at most `most`, or as few as meet the tolerance.

        Returns
        -------
        extended : bool
            False if nothing but rounding is left.
        """
        most = min(BLOCK, most)
        columns = self._of_sketch(self._matrix, self._left_over, most, self._largest)
        left = self._rest(self._matrix.columns(columns), columns=columns)
        rows = self._pick(self._matrix, left.T, most)
        if not len(rows):
            return False
        rows = rows[in_step(self._matrix, left[rows])]
        columns, left = columns[: len(rows)], left[:, : len(rows)]
        right = self._rest(self._matrix.rows(rows), rows=rows)
        b = self._fewest(left[rows], right, columns, tol)
        part = left[rows[:b], :b], right[:b], columns[:b]
        self._left_over, right = self._without(*part)
        self._terms.append((left[:, :b], right))
        self.rows = np.append(self.rows, rows[:b])
        self.columns = np.append(self.columns, columns[:b])
        return True

    def _rest(self, part, rows=slice(None), columns=slice(None)):
        """Less the approximation, some rows or columns of the matrix."""
        for left, right in self._terms:
            part = part - left[rows] @ right[:, columns]
        return part

    def _without(self, crossing, right, columns):
        """Take more rows and columns out of the sketch: what would be left, and their term."""
        right = linalg.solve(to_host(crossing), to_host(right), check_finite=False)
        right = self._matrix.xp.asarray(right)
        return self._left_over - self._left_over[:, columns] @ right, right

    def _fewest(self, crossing, right, columns, tol):
        """How many of a block meet the tolerance; all of them, if they do not."""

        def met(b):
            left_over = self._without(crossing[:b, :b], right[:b], columns[:b])[0]
            return self._relative(left_over) <= tol

        return 1 + bisect_left(range(1, len(columns)), True, key=met)


def eliminated(matrix, picks, tol, most):
    """Rows and columns up to a tolerance, for the core "cross".

    Parameters
    ----------
    matrix : Matrix
    picks : tuple of callables
        Of `_subset`: pivots of a sketch, and of an array.
    tol : float
        Frobenius norm of what is left, relative to that of the matrix.
    most : int
        Rows and columns.

    Returns
    -------
    rows, columns : ndarray of shape (k,)
    history : list of float
        Upper estimates of the error after each block.
    """
    state, history = Elimination(matrix, *picks), []
    while state.error > tol and len(state.rows) < most:
        if not state.extend(tol, most - len(state.rows)):
            break
        history.append(state.error)
    return state.rows, state.columns, history


def shortened(matrix, rows, columns, tol, core):
    """How many of rows and columns meet a tolerance with a core; and the error then.

    Bases of the first columns, and rows, are parts of those of all: one product with the matrix
    tells the errors of all numbers of them but for that of all, which a sketch does.
    """
    shells, mixing = _SHELLS[core](matrix, rows, columns)
    sketch = matrix.sketch(ROWS)
    rest = float(matrix.xp.linalg.norm(sketch - sketch[:, columns] @ mixing)) * (1 + _DOUBT)
    squares = np.append((rest / matrix.norm) ** 2, shells[::-1] / matrix.norm**2)
    errors = np.sqrt(np.cumsum(squares))
    k = len(columns) - max(0, np.searchsorted(errors, tol, side="right") - 1)
    return k, float(errors[len(columns) - k])


def _shells_of_both(matrix, rows, columns):
    """Squares that each row and column together add to the approximation, and its mixing."""
    core, mixing, _ = optimal(matrix, rows, columns)
    squares = core.middle**2
    return np.tril(squares).sum(axis=1) + np.triu(squares, 1).sum(axis=0), mixing


def _shells_of_columns(matrix, rows, columns):
    """Squares that each column adds to the projection on them, and its mixing."""
    projection, mixing = spanned(matrix, columns)
    return to_host((projection**2).sum(axis=1)), mixing


_SHELLS = {"optimal": _shells_of_both, "columns": _shells_of_columns}
