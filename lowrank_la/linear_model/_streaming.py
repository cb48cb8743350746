"""What least squares keeps of rows that come a block at a time: a triangle, or a sketch."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

_STACKED = 4  # times as many rows as columns are factorised at once


@dataclass(frozen=True)
class Triangle:
    """Triangular factor of centred rows: their least-squares problem in a few rows.

    Attributes
    ----------
    n_features : int
        The first columns; the others are targets.
    weight : float
        Sum of the weights of the rows; zero without a constant.
    mean : ndarray of shape (p + k,)
        Weighted means of the features and targets; zeros without a constant.
    rows : ndarray of shape (r, p + k)
        Upper triangular, with the Gram matrix that the rows less `mean` have.
    """

    n_features: int
    weight: float
    mean: np.ndarray
    rows: np.ndarray

    @classmethod
    def of_rows(cls, rows, n_features, constant, shift=0.0):
        """Factor of rows of a design and its targets, less a shift of the features."""
        rows = _triangular(rows[:, _order(rows.shape[1], n_features, constant)])
        weight, mean = 0.0, np.zeros(rows.shape[1] - constant)
        if constant:
            weight, mean = rows[0, 0] ** 2, rows[0, 1:] / rows[0, 0]
            mean[:n_features] += shift
        return cls(n_features, weight, mean, rows[constant:, constant:])

    @classmethod
    def of(cls, design):
        """Factor of the rows of a design and its targets, panel by panel."""
        stacked = []
        for rows in design.rows():
            stacked.append(rows.copy())
            if sum(map(len, stacked)) > _STACKED * rows.shape[1]:
                stacked = [_triangular(np.concatenate(stacked))]
        args = design.n_features, design.constant, design.shift
        return cls.of_rows(np.concatenate(stacked), *args)

    def merged(self, other):
        """Factor of the rows of both."""
        weight, apart = self.weight + other.weight, other.mean - self.mean
        share = other.weight / weight if weight else 0.0
        between = np.sqrt(share * self.weight) * apart
        rows = _triangular(np.vstack([self.rows, other.rows, between]))
        return Triangle(self.n_features, weight, self.mean + share * apart, rows)

    def problem(self):
        """Rows of the features and of the targets, without a constant."""
        return self.rows[:, : self.n_features], self.rows[:, self.n_features :]

    def with_constant(self, coef):
        """Append the constant to coefficients of the features, if there is one."""
        if not self.weight:
            return coef
        p = self.n_features
        return np.vstack([coef, self.mean[p:] - self.mean[:p] @ coef])


class FactoredRows:
    """The triangular factor of the rows.

    Parameters
    ----------
    constant : bool
        Whether a column of ones follows the features.
    """

    centred = True

    def __init__(self, constant):
        self.constant, self._total = constant, None

    def update(self, design):
        """Take the rows of a design, and its targets."""
        new = Triangle.of(design)
        self._total = self._total.merged(new) if self._total else new

    def triangle(self):
        """Factor of all rows."""
        return self._total


class SketchedRows:
    """A sketch of the rows, or the rows themselves where they are no more than its own.

    Parameters
    ----------
    sketch : Sketch
        Of any number of rows.
    n_features : int
    constant : bool
        Whether a column of ones follows the features.
    """

    centred = False

    def __init__(self, sketch, n_features, constant):
        self._size, self._stream, self._kept = sketch.shape[0], sketch.stream(), []
        self._n_features, self.constant = n_features, constant

    def update(self, design):
        """Take the rows of a design that is not shifted, and its targets."""
        for rows in design.rows():
            take(self._stream, rows)
            few = self._stream.n_rows <= self._size
            self._kept = [*self._kept, rows.copy()] if few else []

    def triangle(self):
        """Factor of what was kept."""
        rows = np.concatenate(self._kept) if self._kept else self._stream.result()
        return Triangle.of_rows(rows, self._n_features, self.constant)


def take(stream, rows):
    """Give rows to the stream of a sketch, which refuses what is not finite."""
    try:
        stream.update(rows)
    except ValueError as error:
        raise FloatingPointError from error


def _order(width, n_features, constant):
    """Columns, the constant first."""
    return np.r_[n_features : n_features + constant, :n_features, n_features + constant : width]


def _triangular(rows):
    """Triangular factor of rows, with their Gram matrix."""
    factor = linalg.qr(rows, mode="r", check_finite=False)[0][: rows.shape[1]]
    if not np.isfinite(factor).all():
        raise FloatingPointError
    return factor
