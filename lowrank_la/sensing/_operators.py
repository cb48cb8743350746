"""Linear measurements of a matrix: what solvers ask of them, and those that are matrices."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from .._support.blas import single_threaded_blas
from .._support.cuda import is_device_array, resolve_device, twin
from .._support.validation import as_floats, check_integer, checked_sparse

_MATCH = 1e-3  # how far from its adjoint an operator may be, in the precision of float32


class Measurements(LinearOperator):
    """Linear measurements ``y_i = <A_i, X>`` of a matrix X, as a linear operator of SciPy's.

    The operator takes X row by row, ``A @ X.ravel()``. A subclass defines ``_matvec`` and
    ``_rmatvec``, or, where these would be too large, the three products with factors; the others
    follow.

    Parameters
    ----------
    m : int
        Measurements.
    shape : tuple of two int
        Of X.
    dtype : data-type, default=None
        Of the products, float32 or float64; None is float64.

    Attributes
    ----------
    shape : tuple of int
        (m, n1 * n2)
    matrix_shape : tuple of int
        (n1, n2)
    fits_constant : bool
        Whether the mean of the A_i would outweigh what tells symmetric matrices apart, so that
        solvers for these fit a constant; False unless a subclass says so.

    Notes
    -----
    Products with factors make the matrix here, of n1 * n2 numbers, and the products with a matrix
    take it for a factor.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sensing import Measurements
    >>> class Diagonal(Measurements):
    ...     def _matvec(self, x):
    ...         return np.diag(x.reshape(self.matrix_shape))
    ...
    ...     def _rmatvec(self, z):
    ...         return np.diag(z).ravel()
    >>> Diagonal(3, (3, 3)).apply_factors(np.ones((3, 1)), np.arange(3.0)[:, None])
    array([0., 1., 2.])
    """

    _device = "cpu"  # where the arrays lie
    fits_constant = False

    def __init__(self, m, shape, dtype=None):
        self.matrix_shape = checked_shape(shape)
        n1, n2 = self.matrix_shape
        super().__init__(np.dtype(dtype), (check_integer("m", m, 1), n1 * n2))

    @property
    def _kernels(self):
        """Not an attribute, since modules cannot be pickled."""
        return twin(__package__, self._device)

    def _matvec(self, x):
        return self.apply_factors(np.reshape(x, self.matrix_shape), np.eye(self.matrix_shape[1]))

    def _rmatvec(self, z):
        return self.adjoint_times(np.ravel(z), np.eye(self.matrix_shape[1])).ravel()

    def apply_factors(self, left, right):
        """Measurements of ``left @ right.T``.

        Parameters
        ----------
        left, right : ndarray of shape (n1, k), (n2, k)

        Returns
        -------
        y : ndarray of shape (m,)
        """
        return self.matvec(_product(left, right.T).ravel())

    def adjoint_times(self, z, right):
        """Product of the adjoint of z, ``sum_i z_i A_i``, and a matrix.

        Parameters
        ----------
        z : ndarray of shape (m,)
        right : ndarray of shape (n2, k)

        Returns
        -------
        product : ndarray of shape (n1, k)
        """
        return _product(self.rmatvec(z).reshape(self.matrix_shape), right)

    def adjoint_factors(self, z, left, right):
        """Products of the adjoint of z, and of its transpose, with a factor each.

        Parameters
        ----------
        z : ndarray of shape (m,)
        left, right : ndarray of shape (n1, k), (n2, k)

        Returns
        -------
        products : tuple of ndarray, shapes (n1, k) and (n2, k)
            The adjoint times `right`, and its transpose times `left`.
        """
        adjoint = self.rmatvec(z).reshape(self.matrix_shape)
        return _product(adjoint, right), _product(adjoint.T, left)


_product = single_threaded_blas()(np.matmul)  # the same bits for any number of threads


class MatrixMeasurements(Measurements):
    """Measurements that are the rows of a matrix: dense, sparse, or any linear operator.

    Parameters
    ----------
    A : array_like of shape (m, n1 * n2) or (m, n1, n2), sparse matrix or LinearOperator
        Row i is A_i, row by row. float32 stays float32; other numbers become float64.
    shape : tuple of two int, default=None
        Of the measured matrix, (n1, n2). None for an array of three dimensions.
    device : {None, "cpu", "cuda"}, default=None
        Where a dense A is kept and multiplied; None is where it is. Products are arrays of NumPy
        in any case.

    Attributes
    ----------
    shape : tuple of int
        (m, n1 * n2)
    matrix_shape : tuple of int
        (n1, n2)

    Raises
    ------
    ValueError
        If A is not of real numbers, not finite, its columns are not as many as the matrix has
        entries, or it is to lie on a GPU and is not dense.

    Notes
    -----
    A product takes ``O(m n1 n2)`` operations, or one for each entry of a sparse matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sensing import MatrixMeasurements
    >>> A = MatrixMeasurements(np.eye(6), (2, 3))
    >>> A.apply_factors(np.array([[1.0], [2.0]]), np.array([[1.0], [2.0], [3.0]]))
    array([1., 2., 3., 2., 4., 6.])
    """

    def __init__(self, A, shape=None, *, device=None):
        A, shape = _matrix_of(A, shape)
        n1, n2 = shape
        if A.shape[1] != n1 * n2:
            raise ValueError(
                f"A has {A.shape[1]} columns: a matrix of shape {shape} has {n1 * n2} entries"
            )
        dtype = A.dtype if A.dtype in (np.float32, np.float64) else np.float64
        super().__init__(A.shape[0], shape, dtype)
        self._device, self._matrix = placed(device, A)

    def _matvec(self, x):
        return self._kernels.times(self._matrix, np.ravel(x).astype(self.dtype, copy=False))

    def _rmatvec(self, z):
        values = np.ravel(z).astype(self.dtype, copy=False)
        return self._kernels.transposed_times(self._matrix, values)


def _matrix_of(A, shape):
    """Matrix or operator of two dimensions, and the shape of what it measures."""
    if not isinstance(A, LinearOperator):
        A = checked_entries("A", A)
        if A.ndim == 3:
            shape = A.shape[1:] if shape is None else checked_shape(shape)
            A = A.reshape(len(A), -1)
        if A.ndim != 2 or not A.shape[0]:
            raise ValueError(f"A has shape {A.shape}: (m, n1 * n2) or (m, n1, n2) is needed")
    if shape is None:
        raise ValueError("shape=None: the shape of the measured matrix, (n1, n2), is needed")
    return A, checked_shape(shape)


def checked_entries(name, A):
    """Array of floats, or sparse matrix of them by rows, that is finite, or a ValueError."""
    if sparse.issparse(A):
        A = checked_sparse(name, A).tocsr()
        if A.dtype.kind not in "fiub":
            raise ValueError(f"{name} has dtype {A.dtype}: real numbers are needed")
        A = A if A.dtype in (np.float32, np.float64) else A.astype(np.float64)
        values = A.data
    else:
        A = values = as_floats(name, A)
    if not bool(np.isfinite(values).all()):
        raise ValueError(
            f"{name} has entries that are NaN or infinite; only finite ones are allowed"
        )
    return A


def placed(device, *matrices):
    """Device, and matrices where it can read them; sparse ones and operators are the CPU's."""
    device = resolve_device(device, *matrices)
    to_device = twin(__package__, device).to_device
    dense = [isinstance(A, np.ndarray) or is_device_array(A) for A in matrices]
    if device == "cuda" and not all(dense):
        raise ValueError("device='cuda' is for dense arrays: sparse matrices stay on the CPU")
    pairs = zip(matrices, dense, strict=True)
    return device, *(to_device(A) if is_dense else A for A, is_dense in pairs)


def checked_shape(shape):
    """Shape of a matrix as a tuple of two positive integers, or a ValueError."""
    try:
        n1, n2 = shape
    except (TypeError, ValueError):
        raise ValueError(f"shape={shape!r}: two positive integers are needed") from None
    return check_integer("shape[0]", n1, 1), check_integer("shape[1]", n2, 1)


def as_measurements(A, shape=None, m=None):
    """Measurements from whatever describes them.

    Parameters
    ----------
    A : Measurements, array_like, sparse matrix, LinearOperator, or tuple of two callables
        Arrays and operators are those of :class:`MatrixMeasurements`. Of two callables the first
        takes a matrix of shape (n1, n2) to its m measurements, the second, its adjoint, takes
        m numbers to a matrix.
    shape : tuple of two int, default=None
        Of the measured matrix; not needed where A tells it.
    m : int, default=None
        Measurements; for callables.

    Returns
    -------
    A : Measurements

    Raises
    ------
    ValueError
        If the parts do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sensing import as_measurements
    >>> A = as_measurements((np.diag, np.diag), (3, 3), 3)
    >>> A @ np.arange(9)
    array([0., 4., 8.])
    """
    if isinstance(A, Measurements):
        if shape is not None and checked_shape(shape) != A.matrix_shape:
            raise ValueError(f"shape={shape!r}, but A measures matrices of shape {A.matrix_shape}")
        return A
    if isinstance(A, tuple | list) and len(A) == 2 and all(map(callable, A)):
        shape, m = checked_shape(shape), check_integer("m", m, 1)
        forward, adjoint = A
        A = LinearOperator(
            (m, shape[0] * shape[1]),
            matvec=lambda x: np.asarray(forward(np.reshape(x, shape))).ravel(),
            rmatvec=lambda z: np.asarray(adjoint(np.ravel(z))).ravel(),
            dtype=np.float64,
        )
    elif callable(A) and not hasattr(A, "matvec"):
        raise ValueError(f"A={A!r} is one callable: a pair, (forward, adjoint), is needed")
    elif hasattr(A, "matvec") and not isinstance(A, LinearOperator):
        A = aslinearoperator(A)
    return MatrixMeasurements(A, shape)


def check_adjoint(A, rng):
    """Refuse measurements whose adjoint is not theirs: ``<A(X), z> = <X, A*(z)>``.

    Returns measurements of a random matrix.
    """
    (n1, n2), m = A.matrix_shape, A.shape[0]
    left, right, z = (rng.normal(size=(n, 1)) for n in (n1, n2, m))
    try:
        y = np.asarray(A.apply_factors(left, right))
        products = A.adjoint_factors(z[:, 0], left, right)
        products = [A.adjoint_times(z[:, 0], right), *products]
    except Exception as error:
        raise ValueError(f"A cannot be applied, or its adjoint cannot: {error!r}") from error
    if y.shape != (m,) or [np.shape(part) for part in products] != [(n1, 1), (n1, 1), (n2, 1)]:
        raise ValueError(f"A gives {y.shape} for measurements: ({m},) is needed")
    if not all(map(np.isrealobj, [y, *products])):
        raise ValueError("A gives complex measurements: real numbers are needed")
    y = y.astype(np.float64)
    for factor, product in zip((left, left, right), products, strict=True):
        _check_match(y, z, factor, np.asarray(product, np.float64))
    return y


def _check_match(y, z, factor, product):
    """Compare ``<A(X), z>`` and ``<X, A*(z)>`` for X of rank one."""
    # a wrong adjoint misses by about the size of what is added up
    size = np.linalg.norm(y) * np.linalg.norm(z) + np.linalg.norm(factor) * np.linalg.norm(product)
    if not np.isfinite(size):
        raise ValueError("A gives measurements that are NaN or infinite")
    missed = abs(y @ z[:, 0] - np.vdot(factor, product))
    if missed > _MATCH * size / min(len(z), len(factor)) ** 0.5:
        raise ValueError("A and its adjoint do not match: <A(X), z> is not <X, A*(z)>")
