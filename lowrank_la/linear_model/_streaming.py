"""What least squares keeps of rows that come a block at a time: a triangle, or a sketch."""

import numpy as np
from scipy import linalg

from .._support.blas import single_threaded_blas
from .._support.cuda import to_host
from ._design import copied, finite_sums

_STACKED = 4  # times as many rows as columns are factorised at once


class FactoredRows:
    """The triangular factor of the rows of designs and their targets.

    Attributes
    ----------
    shift : ndarray or None
        Of the first design; the others must have the same.
    """

    def __init__(self):
        self.shift, self._rows = None, []

    def update(self, design):
        """Take the rows of a design, and its targets."""
        self.shift = design.shift
        stacked = [*self._rows]
        for rows in design.rows():
            stacked.append(copied(rows, design.n_columns))
            if sum(map(len, stacked)) > _STACKED * design.n_columns:
                stacked = [_triangular(stacked)]
        self._rows = [_triangular(stacked)]

    def merge(self, other):
        """Take the rows of another factor, whose shift may be another."""
        rows, p = other.rows().copy(), len(self.shift)
        apart = other.shift - self.shift
        if apart.any():  # then a constant follows the features
            rows[:, :p] += rows[:, p, None] * apart
        self._rows = [_triangular([*self._rows, rows])]

    def rows(self):
        """Return no more rows than columns, with the same Gram matrix."""
        return self._rows[0]


class SketchedRows:
    """A sketch of the rows, or the rows themselves where they are no more than its own.

    Parameters
    ----------
    sketch : Sketch
        Of any number of rows.
    device : {None, "cpu", "cuda"}
        Where to sketch; None is where the first rows lie.

    Attributes
    ----------
    shift : float
        Zero, since what the mean will be is not known.
    """

    shift = 0.0

    def __init__(self, sketch, device=None):
        self._size, self._stream, self._kept = sketch.shape[0], sketch.stream(device=device), []

    def update(self, design):
        """Take the rows of a design, and its targets."""
        self._n_columns = design.n_columns
        for rows in design.rows():
            with finite_sums():
                self._stream.update(rows)
            few = self._stream.n_rows <= self._size
            self._kept = [*self._kept, copied(rows, design.n_columns)] if few else []

    def rows(self):
        """Return what was kept."""
        if self._kept:
            return np.concatenate(self._kept)
        with finite_sums():
            return to_host(self._stream.result())[:, : self._n_columns]


@single_threaded_blas()
def _triangular(stacked):
    """Triangular factor of rows, one upon the other."""
    rows = np.concatenate(stacked)
    factor = linalg.qr(rows, mode="r", check_finite=False)[0][: rows.shape[1]]
    if not np.isfinite(factor).all():
        raise FloatingPointError
    return factor
