"""Positive semi-definite matrices from a few of their columns: randomly pivoted Cholesky."""

import math
import warnings
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from .._support.blas import single_threaded_blas
from .._support.cuda import is_device_array, resolve_device, to_host, twin
from .._support.random import as_generator
from .._support.result import Result
from .._support.validation import check_integer, check_threads, warn_convergence
from ._kernel_entries import checked_matrix, checked_points, entries_of, kernel_parameters

_FIRST = 16  # proposals in the first block
_WANTED = 160  # pivots in a block: with more, products of matrices are hardly faster
_LOOKED_AT = 64  # rows of a matrix whose diagonal is zero
_NOISE = 32  # roundings, times the root of the pivots' number, that the diagonal may be in error


@dataclass(frozen=True, eq=False)
class RPCholeskyResult(Result):
    """A positive semi-definite matrix, approximated by some of its columns.

    Attributes
    ----------
    factor : array of shape (n, rank)
        F, for which F F^T approximates the matrix: in its precision, on the GPU if it is there,
        and in Fortran's order.
    pivots : ndarray of shape (rank,)
        Rows and columns that were eliminated, in their order.
    residual_diagonal : ndarray of shape (n,)
        Of ``A - F @ F.T``, in float64: not negative, and zero at pivots.
    trace_error : float
        Sum of that, over the trace of the matrix.
    n_iter : int
        Blocks of pivots.
    converged : bool
        Whether the trace error is at most `tol`, or nothing is left but rounding.
    history : ndarray of shape (n_iter,)
        Trace errors after each block.
    """

    factor: np.ndarray
    pivots: np.ndarray
    residual_diagonal: np.ndarray
    trace_error: float


def rp_cholesky(
    A,
    k,
    *,
    kernel="precomputed",
    gamma=None,
    degree=None,
    coef0=None,
    kernel_params=None,
    tol=0.0,
    block_size=None,
    n_jobs=None,
    device=None,
    rng=None,
    callback=None,
):
    """Approximate a positive semi-definite matrix by some of its columns.

    Randomly pivoted Cholesky: pivots are drawn with probabilities in proportion to the diagonal
    of what those before them leave. Of the matrix only the diagonal, the rows of pivots, and where
    those that are proposed cross, are read; that of a kernel never exists as a whole.

    Parameters
    ----------
    A : array_like of shape (n, n), or of shape (n, d) with a `kernel`
        Symmetric and positive semi-definite: float32 and float64 are read as they are, memory
        maps too. What is read is checked, but not that the matrix is symmetric: its rows are taken
        for its columns, or the reverse, as they lie in memory. With a kernel, points in the rows:
        dense, or a sparse matrix.
    k : int
        Columns of the factor. If the matrix has a smaller rank, up to rounding, there are fewer,
        with a warning.
    kernel : str or callable, default="precomputed"
        "precomputed": A is the matrix. "rbf", or any other of
        :func:`sklearn.metrics.pairwise.pairwise_kernels`, or what this takes for a function: one
        of two rows that returns a number, or a kernel of a Gaussian process.
    gamma : float, default=None
        Parameter of "rbf", "laplacian", "polynomial", "sigmoid" and "chi2"; None leaves it to the
        kernel: one over the number of features, but 1 for "chi2".
    degree : float, default=None
        Of "polynomial": 3 if None.
    coef0 : float, default=None
        Of "polynomial" and "sigmoid": 1 if None.
    kernel_params : dict, default=None
        Further arguments of the kernel.
    tol : float, default=0.0
        Stop after the block that makes the relative trace error as small.
    block_size : int, default=None
        Rows that are proposed at a time. 1 is simple randomly pivoted Cholesky, whose pivots
        have the same distribution. None chooses by how many were accepted.
    n_jobs : int, default=None
        Threads; None takes what Numba and joblib allow. The result does not depend on it. A kernel
        that is a function is called by one thread.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where A lies. On a GPU there are the kernels "precomputed"
        and "rbf".
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None
    callback : callable, default=None
        Called after each block with a dict of the number of pivots and the trace error; if it
        returns True, no other block follows.

    Returns
    -------
    result : RPCholeskyResult
        With the `factor`, the `pivots` and the `trace_error`.

    Raises
    ------
    ValueError
        If A has other than finite entries where it is read, is not positive semi-definite there
        (beyond the rounding of its dtype: a pivot is named), or an argument is out of its range.
        A kernel that was computed in float32 has float32's rounding, and should stay in it.

    Warns
    -----
    UserWarning
        If k is more than the rank.
    ConvergenceWarning
        If k pivots do not reach a `tol` above zero.

    See Also
    --------
    RPCholeskyKernelMap : Features of points, old and new, from the same pivots.

    Notes
    -----
    The time is that of ``n k**2`` multiplications and of ``n k`` entries; the memory, beside what
    is given, that of the factor and of matrices of a few hundred rows and columns.

    For any rank r and every eps, ``k >= r / eps + r log(1 / (eps eta))`` pivots have a trace error
    of at most ``1 + eps`` times that of the best approximation of rank r, in expectation, if that
    has the relative trace error eta [1]_.

    Blocks are proposed from the same diagonal, and accepted with the odds of what is left to what
    was there: pivots have the distribution of those that are drawn one by one, but columns are
    made by products of matrices [2]_. Pivots, and sums over the diagonal, are in float64.

    The factor is a preconditioner of ``A + lam I``, as in kernel ridge regression: with
    ``F = result.factor`` and the Cholesky factor of ``F.T @ F + lam I``,
    ``z - F @ cho_solve(cho_factor(F.T @ F + lam * np.eye(F.shape[1])), F.T @ z)`` is lam times
    ``inv(F @ F.T + lam I) @ z`` (Woodbury), which is what :func:`scipy.sparse.linalg.cg` takes for
    `M`.

    References
    ----------
    .. [1] Y. Chen, E. N. Epperly, J. A. Tropp, R. J. Webber, "Randomly pivoted Cholesky: practical
       approximation of a kernel matrix with few entry evaluations", Communications on Pure and
       Applied Mathematics 78, 2025 (arXiv 2207.06503).
    .. [2] E. N. Epperly, J. A. Tropp, R. J. Webber, "Embrace rejection: kernel matrix approximation
       by accelerated randomly pivoted Cholesky", 2024 (arXiv 2410.03969).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.decomposition import rp_cholesky
    >>> X = np.random.default_rng(0).standard_normal((2000, 2))
    >>> found = rp_cholesky(X, 50, kernel="rbf", gamma=0.1, rng=0)
    >>> found.factor.shape, bool(found.trace_error < 1e-6)
    ((2000, 50), True)
    """
    device, on_gpu = resolve_device(device, A), is_device_array(A)
    params = kernel_parameters(kernel, gamma, degree, coef0, kernel_params)
    precomputed = isinstance(kernel, str) and kernel == "precomputed"
    checked = checked_matrix if precomputed else checked_points
    entries = entries_of(checked("A", A), kernel, params, device)
    k, rng = check_integer("k", k, 1), as_generator(rng, "rng")
    if not isinstance(tol, Real) or isinstance(tol, bool) or not 0 <= tol < np.inf:
        raise ValueError(f"tol={tol!r}: a finite number of at least 0 is needed")
    if block_size is not None:
        check_integer("block_size", block_size, 1)
    if n_jobs is not None:
        check_threads("n_jobs", n_jobs)
    options = {"tol": tol, "block_size": block_size, "callback": callback}
    found = factorise(entries, k, ("A", "k"), device, n_jobs, rng, **options)
    if tol > 0 and len(found.pivots) == k and not found.converged:
        message = f"{k} pivots leave a trace error of {found.trace_error:.2g}, more than tol={tol}"
        warn_convergence(f"{message}; increase k", 2)
    return found if on_gpu else replace(found, factor=to_host(found.factor))


def factorise(
    entries,
    k,
    names,
    device,
    n_threads,
    rng,
    stacklevel=3,
    *,
    tol=0.0,
    block_size=None,
    callback=None,
):
    """Approximate a matrix by at most k of its columns; the factor stays on the device.

    Parameters
    ----------
    entries : object
        Rows of the matrix: see `_kernel_entries`.
    names : tuple of str
        What the user calls the matrix, or the points, and k.
    k, tol, block_size, callback
        As for :func:`rp_cholesky`, which they come from.
    device : {"cpu", "cuda"}
    n_threads : int or None
    rng : Generator
    stacklevel : int, default=3
        Of the warning: whose call it is about.

    Returns
    -------
    result : RPCholeskyResult
    """
    known = _Elimination(names[0], entries, min(k, entries.n), device, n_threads)
    size, history, stopped = block_size or _FIRST, [], False
    while known.n_pivots < known.most and not known.exhausted and known.error > tol and not stopped:
        n_accepted = known.eliminate(size, rng)
        history.append(known.error)
        left = known.most - known.n_pivots
        size = block_size or _next_size(size, n_accepted, min(_WANTED, left), entries.n)
        info = {"n_pivots": known.n_pivots, "trace_error": known.error}
        stopped = bool(callback is not None and callback(info))
    if known.n_pivots < k and known.exhausted and (tol == 0.0 or known.error > tol):
        message = f"is more than the rank: up to rounding, {known.n_pivots} pivots are all"
        warnings.warn(f"{names[1]}={k} {message}", stacklevel=3)
    return RPCholeskyResult(
        n_iter=len(history),
        converged=known.exhausted or known.error <= tol,
        history=np.array(history),
        factor=known.rows[: known.n_pivots].T,
        pivots=known.pivots[: known.n_pivots].copy(),
        residual_diagonal=known.residual,
        trace_error=known.error,
    )


def features(name, entries, pivots, triangle, device, n_threads):
    """Solve triangular systems for the rows of pivots: what a factor would have in new rows.

    Parameters
    ----------
    name : str
        What the user calls the points, for errors.
    entries : object
        Rows of the kernel of any points: see `_kernel_entries`.
    pivots : array
        What `entries` needs to know of the pivots.
    triangle : ndarray of shape (k, k)
        Lower Cholesky factor of the pivots' kernel.
    device : {"cpu", "cuda"}
    n_threads : int or None

    Returns
    -------
    features : array of shape (entries.n, k)
        On the device.
    """
    kernels, k = twin(__package__, device, "_rp"), len(triangle)
    rows = kernels.empty((k, entries.n), entries.dtype)
    if not k:
        return rows.T
    left = kernels.empty((k, 0), entries.dtype)
    squares = kernels.contiguous(np.zeros(entries.n), np.float64)
    triangle = kernels.contiguous(triangle, entries.dtype)
    fill, n_threads = entries.rows(pivots), entries.n_threads or n_threads
    kernels.append(fill, left, triangle, rows, squares, n_threads)
    if not np.isfinite(to_host(squares)).all():
        raise ValueError(f"{name} has a kernel that is NaN, infinite or too large")
    return rows.T


def _next_size(size, n_accepted, wanted, n):
    """Return how many rows to propose for as many pivots as are wanted.

    The residual among s candidates takes a time of s² where that of a pivots takes n a: it is to
    be a fourth of that at most. That is known by counts, never by a clock: the same pivots always.
    """
    accepted = max(1, n_accepted)
    by_rate = -(-size * (wanted + math.isqrt(4 * wanted)) // accepted)
    by_cost = int(math.sqrt(accepted * n) / 2)
    return max(1, min(2 * size, by_rate, by_cost))


class _Elimination:
    """The factor so far, transposed, and the diagonal that is left.

    Attributes
    ----------
    rows : array of shape (most, n)
        Of the factor, transposed; on the device.
    pivots : ndarray of shape (most,)
    n_pivots : int
        Rows and pivots that are known.
    residual : ndarray of shape (n,)
        Of the diagonal, on the host; not negative.
    """

    def __init__(self, name, entries, most, device, n_threads):
        self._name, self._entries, self.most = name, entries, most
        self._kernels = twin(__package__, device, "_rp")
        self._n_threads = entries.n_threads or n_threads
        self._start = _checked_diagonal(name, entries)
        eps = np.finfo(entries.dtype).eps
        self._rounding = _NOISE * eps * self._start
        self._slack = np.sqrt(eps) * self._start + eps * self._start.max()
        self._diagonal = self._kernels.contiguous(self._start.copy(), np.float64)
        self.residual, self._trace = self._start, float(self._start.sum())
        self.rows = self._kernels.empty((most, entries.n), entries.dtype)
        self.pivots, self.n_pivots = np.empty(most, np.int64), 0

    @property
    def error(self):
        """What is left of the trace, relative to all of it."""
        return float(self.residual.sum()) / self._trace if self._trace else 0.0

    @property
    def _usable(self):
        """Rows of which more is left than rounding."""
        return self.residual > self._rounding * math.sqrt(1 + self.n_pivots)

    @property
    def exhausted(self):
        """Whether nothing but rounding is left."""
        return not self._usable.any()

    def eliminate(self, size, rng):
        """Propose rows, accept some of them as pivots, and return how many."""
        candidates, proposals = self._proposals(size, rng)
        left = self._known_of(candidates)
        with single_threaded_blas():
            residual = self._entries.among(candidates) - left.T @ left
        self._require_finite(residual, candidates)
        chosen, triangle = self._accepted(candidates, residual, proposals, rng.random(size))
        pivots, place = candidates[chosen], self._place
        fill = self._entries.rows(self._entries.take(pivots))
        left, triangle = place(left[:, chosen].T), place(triangle)
        self._kernels.append(fill, left, triangle, self.rows, self._diagonal, self._n_threads)
        self._note(pivots)
        return len(pivots)

    def _proposals(self, size, rng):
        """Draw rows in proportion to the diagonal: distinct ones, and which of them in turn."""
        weights = np.cumsum(np.where(self._usable, self.residual, 0.0))
        drawn = np.searchsorted(weights, rng.random(size) * weights[-1], side="right")
        return np.unique(drawn, return_inverse=True)

    def _known_of(self, candidates):
        """Return the factor of some rows, transposed, on the host and in float64."""
        columns = self._kernels.contiguous(candidates, np.int64)
        return to_host(self.rows[: self.n_pivots][:, columns]).astype(np.float64)

    def _accepted(self, candidates, residual, proposals, uniforms):
        """Return which candidates become pivots, and the Cholesky factor of their residual."""
        np.fill_diagonal(residual, self.residual[candidates])
        most = min(self.most - self.n_pivots, len(candidates))
        factor, chosen = np.empty((len(candidates), most)), np.empty(most, np.int64)
        odds = self._rounding[candidates], self.n_pivots, proposals, uniforms
        count = self._kernels.select(residual, *odds, factor, chosen)
        return chosen[:count], factor[chosen[:count], :count]

    def _place(self, array):
        return self._kernels.contiguous(array, self.rows.dtype)

    def _note(self, pivots):
        """Take over the diagonal that new pivots have left, if it is one that they can leave."""
        residual, first = to_host(self._diagonal), self.n_pivots
        self._require_finite(residual, pivots)
        excess = residual + self._slack
        if excess.min() < 0:
            row = int(excess.argmin())
            self._refuse(row, pivots, to_host(self.rows[first : first + len(pivots), row]))
        self.n_pivots += len(pivots)
        self.pivots[first : self.n_pivots] = pivots
        self.residual = np.maximum(residual, 0.0)
        self.residual[self.pivots[: self.n_pivots]] = 0.0

    def _require_finite(self, found, pivots):
        if not np.isfinite(found).all():
            raise ValueError(
                f"{self._name} has entries that are NaN, infinite, or too large for sums of "
                f"squares, in the rows of {_listed(pivots)}"
            )

    def _refuse(self, row, pivots, column):
        """Tell which of some pivots made an entry of the diagonal negative."""
        after = self.residual[row] - np.cumsum(column.astype(np.float64) ** 2)
        at = int(np.argmax(after < -self._slack[row]))
        raise ValueError(
            f"{self._name} is not positive semi-definite: with pivot {pivots[at]}, the diagonal "
            f"of its residual is {after[at]:.3g} in row {row}"
        )


def _listed(pivots):
    """Write down some indices, and that there are others."""
    shown = ", ".join(map(str, pivots[:5]))
    return shown + (", ..." if len(pivots) > 5 else "")


def _checked_diagonal(name, entries):
    """Return a diagonal that a positive semi-definite matrix may have, or raise a ValueError."""
    diagonal = entries.diagonal()
    with np.errstate(over="ignore"):
        if not np.isfinite(diagonal.sum()):
            raise ValueError(f"{name} has NaN, infinite or too large entries on its diagonal")
    row = int(diagonal.argmin())
    if diagonal[row] < 0:
        raise ValueError(
            f"{name} is not positive semi-definite: its diagonal is {diagonal[row]:.3g} in row "
            f"{row}, which cannot be a pivot"
        )
    if not diagonal.any() and entries.among(np.arange(min(len(diagonal), _LOOKED_AT))).any():
        raise ValueError(
            f"{name} is not positive semi-definite: its diagonal is zero, and it is not, so that "
            "there is no pivot"
        )
    return diagonal
