"""The sketches: random matrices of few rows, as linear operators of SciPy's."""

import math

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator

from .._support.cuda import is_device_array, resolve_device, twin
from .._support.random import as_generator
from .._support.validation import check_integer, check_positive
from ._streams import Stream, as_matrix, precision, require_finite

_MOST = 1 << 62  # rows of data, if their number is not given
_ROWS = 1 << 14  # of the transpose at a time


class _Operator(LinearOperator):
    """A linear operator that takes sparse matrices and arrays on a GPU, too."""

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
        if not (is_device_array(x) or sparse.issparse(x)):
            x = np.asarray(x)
        if x.ndim == 1:
            return self._matmat(x[:, None])[:, 0]
        return self._matmat(x)


class _Adjoint(_Operator):
    """The transpose of a sketch."""

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
    random_state : None, int, Generator or RandomState
    """

    _room = ""

    def __init__(self, m, n, random_state):
        m = check_integer("m", m, 1)
        self._open = n is None
        n = _MOST if self._open else check_integer("n", n, 1)
        if n > _MOST:
            raise ValueError(f"n={n}: at most 2**62 is possible")
        super().__init__(np.float64, (m, n))
        self._rng = as_generator(random_state)
        self._key = self._rng.integers(2**64, dtype=np.uint64)

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
        law, dtype = self._law(kernels), precision(Y)
        values = kernels.to_device((Y.toarray() if sparse.issparse(Y) else Y).astype(np.float64))
        require_finite("Y", values)
        out = kernels.new_buffer(n, Y.shape[1]).astype(dtype, copy=False)
        for lo in range(0, n, _ROWS):
            rows = kernels.new_buffer(min(n - lo, _ROWS), Y.shape[1])
            kernels.adjoint(law, values, lo, rows)
            out[lo : lo + _ROWS] = rows
        require_finite("Y", out)
        return out

    def _adjoint(self):
        return _Adjoint(self)

    _transpose = _adjoint


def _uniform_size(d, eps, delta):
    """Rows for the entry-wise guarantee."""
    d, eps, delta = _check_size(d, eps, delta)
    return math.ceil(2 * d * math.log(2 * d / delta) / eps**2)


def _check_size(d, eps, delta):
    eps, delta = check_positive("eps", eps), check_positive("delta", delta)
    for name, value in (("eps", eps), ("delta", delta)):
        if value >= 1:
            raise ValueError(f"{name}={value!r}: a number below 1 is needed")
    return check_integer("d", d, 1), eps, delta


class Gaussian(Sketch):
    def __init__(self, m, n=None, *, random_state=None):
        super().__init__(m, n, random_state)

    _room = "_gaussian"

    def _law(self, kernels):
        return kernels.Law(self._key, self.shape[0])


class SRHT(Sketch):
    _room = "_srht"

    def __init__(self, m, n=None, *, random_state=None):
        super().__init__(m, n, random_state)
        self._blocks = self._rng.integers(2**62, size=m).astype(np.uint64)
        self._rows = self._rng.integers(1024, size=m)

    def _law(self, kernels):
        blocks, rows = kernels.to_device(self._blocks), kernels.to_device(self._rows)
        return kernels.Law(self._key, blocks, rows)


class SparseSign(Sketch):
    _room = "_sparse"

    def __init__(self, m, n=None, *, nnz=8, random_state=None):
        super().__init__(m, n, random_state)
        self._nnz = check_integer("nnz", nnz, 1)
        if nnz > m:
            raise ValueError(f"nnz={nnz}: at most m={m} is possible")

    def _law(self, kernels):
        return kernels.Law(self._key, self.shape[0], self._nnz)


class CountSketch(SparseSign):
    def __init__(self, m, n=None, *, random_state=None):
        super().__init__(m, n, nnz=1, random_state=random_state)
