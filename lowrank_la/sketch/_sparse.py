"""Sparse sketches: random signs at a few places of each column."""

import math

from .._support.random import as_generator
from .._support.validation import check_integer
from ._operators import Sketch


class _Sparse(Sketch):
    """Sketches with some entries of one size in each column."""

    _room = "_sparse"

    def __init__(self, m, n, nnz, random_state):
        super().__init__(m, n, as_generator(random_state))
        self._nnz = check_integer("nnz", nnz, 1)
        if nnz > m:
            raise ValueError(f"nnz={nnz}: at most m={m} is possible")

    def _law(self, kernels):
        return kernels.Law(self._key, self.shape[0], self._nnz)


class SparseSign(_Sparse):
    """Sparse sign sketch: in each column, some entries of plus or minus ``1 / sqrt(nnz)``.

    The rows are divided into nnz stacks, and each column has one entry in each stack. Takes
    ``nnz`` additions for each number of the data, for each that is not zero if they are sparse.

    Parameters
    ----------
    m : int
        Rows of the sketch.
    n : int or None, default=None
        Rows of the data; None for any number, known or not.
    nnz : int, default=8
        Entries of a column that are not zero, at most m.
    random_state : None, int, Generator or RandomState, default=None
        Fixes the matrix, whatever n is.

    Attributes
    ----------
    shape : tuple of int
        (m, n), where n is 2**62 if it was not given.

    Raises
    ------
    ValueError
        If an argument is not of its kind. Products raise it for arrays of another number of rows,
        and for what is not finite and real.

    Notes
    -----
    *Guarantee.* A subspace embedding: with m from :meth:`size`, ``|S A x|`` is within
    ``(1 +- eps) |A x|`` for all x, so that preconditioners from S A are good ones, and the
    residual of the sketched problem is near the smallest one. ``m = O(d / eps**2)`` rows do with
    a number of entries that grows like a power of log d [1]_; :meth:`size` returns what a Gaussian
    matrix needs, ``(sqrt(d) + sqrt(2 log(2 / delta)))**2 / eps**2``.
    There is no entry-wise guarantee: a residual on a few rows ends in a few rows of the sketch.

    References
    ----------
    .. [1] Chenakkod, Derezinski, Dong, Rudelson: Optimal Embedding Dimension for Sparse Subspace
       Embeddings. STOC 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> from lowrank_la.sketch import SparseSign
    >>> A = sparse.random_array((3000, 5), density=0.1, random_state=0)
    >>> S = SparseSign(SparseSign.size(5), 3000, random_state=0)
    >>> distortion = np.linalg.svdvals(np.linalg.lstsq(A.toarray().T @ A, (S @ A).T @ (S @ A))[0])
    >>> bool(distortion.max() < 1.5**2)
    True
    """

    def __init__(self, m, n=None, *, nnz=8, random_state=None):
        super().__init__(m, n, nnz, random_state)

    @staticmethod
    def _size(d, eps, delta):
        return (math.sqrt(d) + math.sqrt(2 * math.log(2 / delta))) ** 2 / eps**2


class CountSketch(_Sparse):
    """CountSketch: in each column a single one, or minus one.

    The cheapest sketch: one addition for each number of the data. It is what SciPy's
    ``clarkson_woodruff_transform`` makes.

    Parameters
    ----------
    m : int
        Rows of the sketch.
    n : int or None, default=None
        Rows of the data; None for any number, known or not.
    random_state : None, int, Generator or RandomState, default=None
        Fixes the matrix, whatever n is.

    Attributes
    ----------
    shape : tuple of int
        (m, n), where n is 2**62 if it was not given.

    Raises
    ------
    ValueError
        If an argument is not of its kind. Products raise it for arrays of another number of rows,
        and for what is not finite and real.

    Notes
    -----
    *Guarantee.* A subspace embedding, ``|S A x|**2`` within ``(1 +- eps) |A x|**2`` for all x,
    takes ``m = (d**2 + d) / (eps**2 delta)`` rows [1]_, and quadratically many are needed: with
    fewer, two rows of high leverage meet in one row of the sketch. There is no entry-wise
    guarantee.

    References
    ----------
    .. [1] Nelson, Nguyen: OSNAP: Faster Numerical Linear Algebra Algorithms via Sparser Subspace
       Embeddings. FOCS 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sketch import CountSketch
    >>> S = CountSketch(3, 6, random_state=0)
    >>> E = S @ np.eye(6)
    >>> np.abs(E).sum(axis=0)
    array([1., 1., 1., 1., 1., 1.])
    >>> bool(np.array_equal(S.T @ np.eye(3), E.T))
    True
    """

    def __init__(self, m, n=None, *, random_state=None):
        super().__init__(m, n, 1, random_state)

    @staticmethod
    def _size(d, eps, delta):
        return (d**2 + d) / (eps**2 * delta)
