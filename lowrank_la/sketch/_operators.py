"""What sketches have in common: random matrices of few rows, as linear operators of SciPy's."""

import math

import numpy as np
from scipy.sparse.linalg import LinearOperator

from .._support.blocks import thread_count
from .._support.cuda import resolve_device, twin
from .._support.validation import check_integer, check_positive
from ._streams import Stream, as_dense, as_matrix, as_real, precision, require_finite

_MOST = 1 << 62  # rows of data, if their number is not given
_MOST_OUT = (1 << 31) - 1  # rows of a sketch
_ROWS = 1 << 14  # of the transpose at a time


class _Operator(LinearOperator):
    """A linear operator that takes sparse matrices and arrays on a GPU, too."""

    _operand = "A"

    def dot(self, x):
        """Multiply an array, a sparse matrix or another operator.

        Parameters
        ----------
        x : array_like or sparse matrix of shape (columns,) or (columns, k), or LinearOperator

        Returns
        -------
        product : ndarray of shape (rows,) or (rows, k), or LinearOperator
        """
        if isinstance(x, LinearOperator) or np.isscalar(x):
            return super().dot(x)
        x = as_real(self._operand, x)
        return self._matmat(as_dense(x)[:, None])[:, 0] if x.ndim == 1 else self._matmat(x)


class _Adjoint(_Operator):
    """The transpose of a sketch."""

    _operand = "Y"

    def __init__(self, sketch):
        super().__init__(np.float64, sketch.shape[::-1])
        self._sketch = sketch

    def _matmat(self, X):
        return self._sketch._rmatmat(X)

    def _rmatmat(self, X):
        return self._sketch._matmat(X)

    def _adjoint(self):
        return self._sketch

    _transpose = _adjoint


class Sketch(_Operator):
    """What all sketches have in common.

    Parameters
    ----------
    m : int
        Rows of the sketch.
    n : int or None
        Rows of the data.
    rng : Generator
    """

    _room = ""

    def __init__(self, m, n, rng):
        m = check_integer("m", m, 1)
        if m > _MOST_OUT:
            raise ValueError(f"m={m}: at most {_MOST_OUT} is possible")
        self._open = n is None
        n = _MOST if self._open else check_integer("n", n, 1)
        if n > _MOST:
            raise ValueError(f"n={n}: at most 2**62 is possible")
        super().__init__(np.float64, (m, n))
        self._key = rng.integers(2**64, dtype=np.uint64)

    @classmethod
    def size(cls, d, eps=0.5, delta=0.01):
        """Rows that the guarantee takes, by the formula in the notes of the class.

        Parameters
        ----------
        d : int
            Columns of the data.
        eps : float, default=0.5
            Between 0 and 1.
        delta : float, default=0.01
            Probability of failure, between 0 and 1.

        Returns
        -------
        m : int

        Raises
        ------
        ValueError
            If an argument is outside of its range.
        """
        eps, delta = check_positive("eps", eps), check_positive("delta", delta)
        for name, value in (("eps", eps), ("delta", delta)):
            if value >= 1:
                raise ValueError(f"{name}={value!r}: a number below 1 is needed")
        return math.ceil(cls._size(check_integer("d", d, 1), eps, delta))

    def stream(self, first_row=0, device=None):
        """Begin a sketch of rows that come a block at a time.

        Parameters
        ----------
        first_row : int, default=0
            Number of the first row that will come. The sketches of parts of the rows add up to the
            sketch of all, but for rounding.
        device : {None, "cpu", "cuda"}, default=None
            Where to compute; None is where the first block lies.

        Returns
        -------
        stream : Stream
            ``update(block)`` takes rows, ``result()`` returns the sketch of those so far, and
            ``n_rows`` is their number. The bits do not depend on the blocks.
        """
        return Stream(self, first_row, device)

    def _matmat(self, A):
        A = as_matrix("A", A)
        if not self._open and A.shape[0] != self.shape[1]:
            raise ValueError(f"A has {A.shape[0]} rows: {self.shape[1]} are needed")
        return self.stream()._accept("A", A)._total("A")

    def _rmatmat(self, Y):
        Y = as_matrix("Y", Y)
        m, n = self.shape
        if self._open:
            raise ValueError("n is not given: the transpose of the sketch has no number of rows")
        if Y.shape[0] != m:
            raise ValueError(f"Y has {Y.shape[0]} rows: {m} are needed")
        kernels = twin(__package__, resolve_device(None, Y), self._room)
        law, n_threads = self._law(kernels), thread_count()
        values = kernels.to_device(as_dense(Y).astype(np.float64))
        require_finite("Y", values)
        out = kernels.zeros((n, Y.shape[1]), precision(Y))
        with np.errstate(all="ignore"):
            for lo in range(0, n, _ROWS):
                rows = kernels.zeros((min(n - lo, _ROWS), Y.shape[1]))
                kernels.adjoint(law, values, lo, rows, n_threads)
                out[lo : lo + _ROWS] = rows
        require_finite("Y", out)
        return out

    def _adjoint(self):
        return _Adjoint(self)

    _transpose = _adjoint
