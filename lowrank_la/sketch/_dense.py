"""Sketches with an entry-wise guarantee: Gaussian, and the subsampled Hadamard transform."""

import math

import numpy as np

from .._support.blocks import thread_count
from .._support.cuda import resolve_device, twin
from .._support.random import as_generator
from .._support.validation import require_memory
from ._operators import Sketch


class _EntryWise(Sketch):
    """Sketches that keep every entry of a solution near its right place."""

    @staticmethod
    def _size(d, eps, delta):
        return d + (2 * d / eps**2 + 1) * math.log(2 * d / delta)


class Gaussian(_EntryWise):
    """Gaussian sketch: independent normal entries of variance 1 / m.

    The best of all sketches, and the most expensive: ``2 m n d`` operations beside the making of
    ``m n`` normal numbers, which are nowhere stored. The others are judged by it.

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
    *Entry-wise guarantee.* Let x minimise ``|A x - b|`` and x' minimise ``|S (A x - b)|``, and
    let r be the residual at x, and A^+ the pseudo-inverse. With m from :meth:`size`,
    ``d + (2 d / eps**2 + 1) log(2 d / delta)``, and a probability of at least
    ``1 - delta``, no entry of ``x' - x`` is larger than
    ``eps / sqrt(d) |r| |A^+|``: an entry is at most ``|r| |A^+| t / sqrt(m - d + 1)``, where t
    follows Student's law with ``m - d + 1`` degrees of freedom.

    The entry (s, i) depends on the seed, s and i alone (Philox, and Box and Muller's formula).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sketch import Gaussian
    >>> A = np.random.default_rng(0).normal(size=(2000, 3))
    >>> S = Gaussian(400, 2000, random_state=0)
    >>> SA = S @ A
    >>> SA.shape
    (400, 3)
    >>> ratios = np.linalg.norm(SA, axis=0) / np.linalg.norm(A, axis=0)
    >>> bool(np.abs(ratios - 1).max() < 0.1)
    True
    """

    _room = "_gaussian"

    def __init__(self, m, n=None, *, random_state=None):
        super().__init__(m, n, as_generator(random_state))

    def toarray(self, device=None):
        """Make all entries.

        Parameters
        ----------
        device : {None, "cpu", "cuda"}, default=None
            Where; None is the CPU.

        Returns
        -------
        S : ndarray of shape (m, n), or array on the GPU

        Raises
        ------
        ValueError
            If n is not given.
        MemoryError
            If they would take more than half of the memory.
        """
        m, n = self.shape
        if self._open:
            raise ValueError("n is not given: the sketch has no number of columns")
        require_memory("the entries", 8 * m * n, "Multiply by the sketch itself.")
        kernels = twin(__package__, resolve_device(device), self._room)
        return kernels.matrix(self._law(kernels), n, thread_count())

    def _law(self, kernels):
        return kernels.Law(self._key, self.shape[0])


class SRHT(_EntryWise):
    """Subsampled randomized Hadamard transform, exact and in one pass.

    ``S = P H D / sqrt(m)``: D holds random signs, H is the first n columns of a Hadamard matrix of
    ``2**72`` rows, and P takes m of its rows at random, with replacement. All rows of the data
    count in each row of the sketch, and so none can be lost; yet nothing is ever padded, and n
    need not be known. Takes ``n d (10 + m / 1024)`` additions.

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
    *Entry-wise guarantee.* As for :class:`Gaussian`: no entry of the solution of a sketched
    least-squares problem is further than ``eps / sqrt(d) |r| |A^+|`` from that of the whole one,
    with a probability of at least ``1 - delta``, for ``m = O(eps**-2 d log(n / delta)**3)`` [1]_.
    :meth:`size` returns what suffices for a Gaussian matrix; on problems made to break sketches
    the transform needs no more. Sparse sketches have no such guarantee.

    *How.* Write a row number as ``1024 b + j``. Row ``1024 u + v`` of H D A is the sum over b of
    ``(-1)**popcount(u & b)`` times row v of the transform of block b alone: blocks of 1024 rows
    are transformed in the cache, and m signed rows of each are added up.

    References
    ----------
    .. [1] Song, Ye, Yin, Zhang: A Nearly-Optimal Bound for Fast Regression with l-infinity
       Guarantee. ICML 2023.

    Examples
    --------
    A stream has the same bits in whatever blocks the rows come:

    >>> import numpy as np
    >>> from lowrank_la.sketch import SRHT
    >>> A = np.random.default_rng(0).normal(size=(5000, 3))
    >>> S = SRHT(200, random_state=0)
    >>> stream = S.stream()
    >>> for rows in (A[:7], A[7:3000], A[3000:]):
    ...     stream = stream.update(rows)
    >>> bool(np.array_equal(stream.result(), S @ A))
    True
    """

    _room = "_srht"

    def __init__(self, m, n=None, *, random_state=None):
        rng = as_generator(random_state)
        super().__init__(m, n, rng)
        self._blocks = rng.integers(2**62, size=m).astype(np.uint64)
        self._rows = rng.integers(1024, size=m)

    def _law(self, kernels):
        order = np.argsort(self._rows, kind="stable")
        arrays = self._blocks[order], self._rows[order], order
        return kernels.Law(self._key, *map(kernels.to_device, arrays))
