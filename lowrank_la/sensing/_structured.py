"""Measurements whose structure makes products with factors cheap."""

import numpy as np

from .._support.blas import single_threaded_blas
from .._support.blocks import frozen
from .._support.cuda import to_host
from .._support.validation import as_floats
from ._operators import Measurements, checked_entries, placed


class RankOneMeasurements(Measurements):
    """Measurements by matrices of rank one, ``y_i = a_i' X b_i``.

    With one vector each, ``y_i = a_i' X a_i``, these are quadratic measurements, as of a
    covariance, or of the squares in phase retrieval: X is symmetric.

    Parameters
    ----------
    a : array_like or sparse matrix of shape (m, n1)
        Row i is a_i. float32 stays float32; other numbers become float64.
    b : array_like or sparse matrix of shape (m, n2), default=None
        Row i is b_i; None takes those of `a`.
    device : {None, "cpu", "cuda"}, default=None
        Where dense vectors are kept and multiplied; None is where they are. Products are arrays
        of NumPy in any case.

    Attributes
    ----------
    shape : tuple of int
        (m, n1 * n2)
    matrix_shape : tuple of int
        (n1, n2)
    fits_constant : bool
        True if b is None: ``E a_i a_i'`` then is a multiple of the identity, and tells the trace
        over and over. Solvers for symmetric matrices fit a constant to take it away.

    Raises
    ------
    ValueError
        If a or b is not of finite real numbers, if they have not as many rows, or if a sparse
        matrix is to lie on a GPU.

    Notes
    -----
    Products with factors of k columns take ``O(m (n1 + n2) k)`` operations and the memory of the
    vectors, O(number of nonzeros * k) for sparse ones; no matrix A_i is ever made. `matvec` and
    `rmatvec` take ``O(m n1 n2)``. Vectors are read once for each product, in parts that stay in
    the cache.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sensing import RankOneMeasurements, scaled_gd
    >>> rng = np.random.default_rng(0)
    >>> left = rng.normal(size=(30, 2))
    >>> A = RankOneMeasurements(rng.normal(size=(600, 30)))
    >>> y = A.apply_factors(left, left)
    >>> result = scaled_gd(A, y, 2, symmetric=True, rng=0)
    >>> bool(np.allclose(result.matrix, left @ left.T))
    True
    """

    def __init__(self, a, b=None, *, device=None):
        a = _vectors("a", a)
        others = a if b is None else _vectors("b", b)
        if others.shape[0] != a.shape[0]:
            raise ValueError(f"b has {others.shape[0]} rows, but a has {a.shape[0]}")
        dtype = np.result_type(a.dtype, others.dtype)
        super().__init__(a.shape[0], (a.shape[1], others.shape[1]), dtype)
        self.fits_constant = b is None
        given = [a] if b is None else [a, others]
        self._device, *given = placed(device, *(_as(rows, dtype) for rows in given))
        self._a, self._b = given[0], given[-1]  # the same object where b is None

    def _matvec(self, x):
        matrix = _as(np.reshape(x, self.matrix_shape), self.dtype)
        return self._kernels.rank_one(self._a, self._b, matrix, None)

    def _rmatvec(self, z):
        values = _as(np.ravel(z), self.dtype)
        return self._kernels.rank_one_adjoint(self._a, self._b, values, None, None)[0].ravel()

    def apply_factors(self, left, right):
        left, right = self._factors(left, right)
        return self._kernels.rank_one(self._a, self._b, left, right)

    def adjoint_times(self, z, right):
        z, right = _as(z, self.dtype), _as(right, self.dtype)
        return self._kernels.rank_one_adjoint(self._a, self._b, z, None, right)[0]

    def adjoint_factors(self, z, left, right):
        if left is right and self._a is self._b:
            product = self.adjoint_times(z, right)
            return product, product
        left, right = self._factors(left, right)
        return self._kernels.rank_one_adjoint(self._a, self._b, _as(z, self.dtype), left, right)

    def _factors(self, left, right):
        """Both in the precision of the vectors; still one array if they were."""
        converted = _as(left, self.dtype)
        return converted, converted if right is left else _as(right, self.dtype)


class EntryMeasurements(Measurements):
    """Measurements that are entries, ``y_i = X[rows[i], columns[i]]``: matrix completion.

    Parameters
    ----------
    rows, columns : array_like of shape (m,), integers
        Where the entries are. Entries may be measured more than once.
    shape : tuple of two int
        Of the measured matrix, (n1, n2).
    device : {None, "cpu", "cuda"}, default=None
        Where the places are kept, and the products with factors made; None is the CPU. Products
        are arrays of NumPy in any case.

    Attributes
    ----------
    shape : tuple of int
        (m, n1 * n2)
    matrix_shape : tuple of int
        (n1, n2)
    rows, columns : ndarray of shape (m,)
        int32, or int64 where that is too small.

    Raises
    ------
    ValueError
        If rows or columns are not integers within the shape, or one is longer than the other.
        Products with factors raise it for those that do not fit.

    Notes
    -----
    Products with factors of k columns take ``O(m k)`` operations, and 24 m bytes are kept. Factors
    of float32 give products of float32, summed in float64. Unlike
    :func:`lowrank_la.completion.complete`, which needs far fewer entries, solvers for
    measurements ask that the matrix is incoherent, and see each iteration all entries alike.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sensing import EntryMeasurements
    >>> A = EntryMeasurements([0, 0, 2], [1, 3, 0], (3, 4))
    >>> A @ np.arange(12.0)
    array([1., 3., 8.])
    >>> A.apply_factors(np.ones((3, 2)), np.arange(8.0).reshape(4, 2))
    array([ 5., 13.,  1.])
    """

    def __init__(self, rows, columns, shape, *, device=None):
        rows, columns = to_host(rows), to_host(columns)
        if rows.ndim != 1 or rows.shape != columns.shape:
            raise ValueError(
                f"rows has shape {rows.shape} and columns {columns.shape}: (m,) of both is needed"
            )
        super().__init__(len(rows), shape)
        n1, n2 = self.matrix_shape
        small = max(n1, n2, len(rows)) <= np.iinfo(np.int32).max
        dtype = np.int32 if small else np.int64
        self.rows = _indices("rows", rows, n1, dtype)
        self.columns = _indices("columns", columns, n2, dtype)
        self._device, *self._entries = placed(device, self.rows, self.columns)
        _, *self._by_row = placed(device, *_lines(self.rows, self.columns, n1))
        _, *self._by_column = placed(device, *_lines(self.columns, self.rows, n2))

    def _places(self):
        """Of the entries, in the matrix row by row."""
        return self.rows.astype(np.int64) * self.matrix_shape[1] + self.columns

    def _matvec(self, x):
        return np.ravel(x)[self._places()]

    def _rmatvec(self, z):
        z = np.ravel(z)
        sums = np.bincount(self._places(), z, self.shape[1])
        return sums.astype(np.float32, copy=False) if z.dtype == np.float32 else sums

    def apply_factors(self, left, right):
        left, right = self._factor("left", left), self._factor("right", right)
        if left.shape[1] != right.shape[1]:
            raise ValueError(f"left has {left.shape[1]} columns, but right has {right.shape[1]}")
        dtype = np.result_type(left, right)
        left, right = (frozen(factor.astype(dtype, copy=False)) for factor in (left, right))
        return self._kernels.entries(*self._entries, left, right)

    def adjoint_times(self, z, right):
        return self._sums(self._by_row, z, self._factor("right", right))

    def adjoint_factors(self, z, left, right):
        transposed = self._sums(self._by_column, z, self._factor("left", left))
        return self.adjoint_times(z, right), transposed

    def _factor(self, side, factor):
        """Check a factor for kernels, which trust its shape."""
        n = self.matrix_shape[side == "right"]
        factor = frozen(as_floats(side, factor))
        if factor.ndim != 2 or len(factor) != n:
            raise ValueError(f"{side} has shape {factor.shape}: ({n}, k) is needed")
        return factor

    def _sums(self, lines, z, factor):
        z = frozen(as_floats("z", z).astype(np.float64, copy=False))
        if z.shape != (self.shape[0],):
            raise ValueError(f"z has shape {z.shape}: ({self.shape[0]},) is needed")
        return self._kernels.sum_lines(*lines, z, factor)


class KroneckerMeasurements(Measurements):
    """Measurements by all pairs of two sets of vectors: ``left @ X @ right.T``, row by row.

    Their matrix is the Kronecker product of `left` and `right`, which is never made.

    Parameters
    ----------
    left, right : array_like or sparse matrix of shape (p, n1), (q, n2)
        Dense ones of float32 stay float32; other numbers become float64.

    Attributes
    ----------
    shape : tuple of int
        (p * q, n1 * n2)
    matrix_shape : tuple of int
        (n1, n2)

    Raises
    ------
    ValueError
        If left or right is not of finite real numbers.

    Notes
    -----
    Products with factors of k columns take ``O((p n1 + q n2 + p q) k)`` operations, and no more
    memory than (p, k), (q, k) and the measurements.

    What is measured is ``left X right.T`` alone: below n1 and n2 rows, parts of X are not seen.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sensing import KroneckerMeasurements
    >>> left, right = np.array([[1.0, 1.0]]), np.eye(3)
    >>> A = KroneckerMeasurements(left, right)
    >>> A @ np.arange(6.0)
    array([3., 5., 7.])
    >>> np.array_equal(A @ np.eye(6), np.kron(left, right))
    True
    """

    def __init__(self, left, right):
        left, right = _vectors("left", left), _vectors("right", right)
        dtype = np.result_type(left.dtype, right.dtype)
        shape = left.shape[1], right.shape[1]
        super().__init__(left.shape[0] * right.shape[0], shape, dtype)
        self._left, self._right = _as(left, dtype), _as(right, dtype)

    @single_threaded_blas()
    def _matvec(self, x):
        rows = self._left @ _as(np.reshape(x, self.matrix_shape), self.dtype)
        return (self._right @ rows.T).T.ravel()

    @single_threaded_blas()
    def _rmatvec(self, z):
        return (self._right.T @ (self._left.T @ self._square(z)).T).T.ravel()

    @single_threaded_blas()
    def apply_factors(self, left, right):
        left, right = _as(left, self.dtype), _as(right, self.dtype)
        return ((self._left @ left) @ (self._right @ right).T).ravel()

    @single_threaded_blas()
    def adjoint_times(self, z, right):
        return self._left.T @ (self._square(z) @ (self._right @ _as(right, self.dtype)))

    @single_threaded_blas()
    def adjoint_factors(self, z, left, right):
        transposed = self._square(z).T @ (self._left @ _as(left, self.dtype))
        return self.adjoint_times(z, right), self._right.T @ transposed

    def _square(self, z):
        """Measurements as the matrix that they are the rows of."""
        return _as(np.reshape(z, (self._left.shape[0], -1)), self.dtype)


def _vectors(name, rows):
    """Rows of finite numbers, dense or sparse, or a ValueError."""
    rows = checked_entries(name, rows)
    if rows.ndim != 2 or not min(rows.shape):
        raise ValueError(f"{name} has shape {rows.shape}: rows of at least one number are needed")
    return rows


def _as(array, dtype):
    """Convert to a precision, dense or sparse; copied only if it must be."""
    if not hasattr(array, "astype"):
        array = np.asarray(array)
    return array.astype(dtype, copy=False)


def _indices(name, indices, n, dtype):
    """Copy of indices of a line, or a ValueError."""
    if indices.dtype.kind not in "iu":
        raise ValueError(f"{name} has dtype {indices.dtype}: integers are needed")
    if indices.min() < 0 or indices.max() >= n:
        raise ValueError(
            f"{name} has indices from {indices.min()} to {indices.max()}: "
            f"from 0 to {n - 1} is needed"
        )
    return frozen(indices.astype(dtype))


def _lines(lines, others, n):
    """Where each line begins in the order of lines, that order, and the other index in it."""
    order = np.argsort(lines, kind="stable").astype(lines.dtype)
    starts = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(lines, minlength=n), out=starts[1:])
    return starts, order, others[order]
