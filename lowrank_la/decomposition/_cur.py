"""CUR: a matrix as the product of some of its columns, a core, and some of its rows."""

import warnings
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import sparse

from .._support.blas import single_threaded_blas
from .._support.random import as_generator
from .._support.result import Result
from .._support.validation import check_choice, check_integer, check_positive, warn_convergence
from ..linear_model._methods import SKETCHES
from ._adaptive import eliminated, shortened
from ._core import CORES, cross
from ._matrix import Matrix
from ._subset import PIVOTS, SELECTIONS

_CHECKS = 64  # rows of the sketch that estimates an error


@dataclass(frozen=True, eq=False)
class CURResult(Result):
    """Rows and columns of a matrix, and what they make of it: ``A ~ C @ U @ R``.

    What takes passes over the matrix is computed when it is first asked for: do not change A
    before. A copy that is pickled has all of it, and no longer A.

    Attributes
    ----------
    row_indices, column_indices : ndarray of shape (k,)
        The most important ones first.
    columns, rows : array or sparse matrix of shape (m, k), (k, n)
        C and R, as they are in A.
    core : LinearOperator of shape (k, k)
        U, as factors: ``core @ x`` solves with them.
    coefficients : array of shape (k, n)
        ``U @ R``: what each column is made of, so that ``columns @ coefficients`` is the
        approximation.
    error : float
        Frobenius norm of ``A - C @ U @ R``.
    error_estimate : float
        The same for the core "cross", from a sketch of 64 rows: off by a tenth or two. Neither the
        core nor a matrix product with A is needed.
    n_iter : int
        Blocks of rows and columns that were chosen; some of the last one may have been dropped.
    converged : bool
        Whether the tolerance was met, by an estimate that is three standard errors above the
        likeliest; True if there was none.
    history : ndarray
        That estimate after each block, relative to the norm of A, for the core "cross", and of
        the result at last; empty if there was no tolerance.
    """

    row_indices: np.ndarray
    column_indices: np.ndarray
    _matrix: Matrix = field(repr=False)
    _core: str = field(repr=False)

    @cached_property
    def columns(self):
        """Columns chosen."""
        return self._matrix.home(self._matrix.values[:, self.column_indices])

    @cached_property
    def rows(self):
        """Rows chosen."""
        return self._matrix.home(self._matrix.values[self.row_indices])

    @cached_property
    @single_threaded_blas()
    def _solution(self):
        self._require_unchanged()
        return CORES[self._core](self._matrix, self.row_indices, self.column_indices)

    @property
    def core(self):
        """Core, as factors."""
        return self._solution[0]

    @cached_property
    def coefficients(self):
        """Core times the rows, in the precision of A."""
        return self._matrix.home(self._solution[1])

    @cached_property
    @single_threaded_blas()
    def error(self):
        """Frobenius norm of what is missing."""
        factors = self._solution[2]
        self._require_unchanged()
        return self._matrix.residual(*factors) * self._matrix.unit

    @cached_property
    @single_threaded_blas()
    def error_estimate(self):
        """Frobenius norm of what is missing with the core "cross", estimated."""
        self._require_unchanged()
        mixing = cross(self._matrix, self.row_indices, self.column_indices)[1]
        sketch = self._matrix.sketch(_CHECKS)
        left_over = sketch - sketch[:, self.column_indices] @ mixing
        return float(self._matrix.xp.linalg.norm(left_over)) * self._matrix.unit

    def _require_unchanged(self):
        """Refuse data other than those that rows were chosen from, as far as these tell."""
        if "rows" not in vars(self):
            return
        differ = self.rows != self._matrix.home(self._matrix.values[self.row_indices])
        if differ.nnz if sparse.issparse(differ) else bool(differ.any()):
            raise ValueError(
                f"{self._matrix.name} was changed after rows and columns were chosen: ask for the "
                "core and the errors before that"
            )

    def __getstate__(self):
        """All that may be asked for, and no matrix."""
        if self._matrix is None:
            return vars(self)
        names = "columns", "rows", "coefficients", "error", "error_estimate"
        found = {name: getattr(self, name) for name in names}
        return vars(self) | found | {"_matrix": None, "_solution": (self.core, None, None)}

    def without_data(self):
        """Return a copy that has neither the matrix nor its columns."""
        copy = object.__new__(CURResult)
        vars(copy).update(self.__getstate__())
        vars(copy).pop("columns", None)
        return copy


def cur(
    A,
    k=None,
    *,
    tol=None,
    selection="lupp",
    core="optimal",
    oversampling=None,
    sketch=None,
    device=None,
    rng=None,
):
    """CUR decomposition: some columns and rows of a matrix, from which it can be put together.

    Parameters
    ----------
    A : array_like or sparse matrix of shape (m, n)
        float32 and float64 are read as they are, memory maps too; other types are converted to
        float64, other sparse formats to CSR.
    k : int, default=None
        Rows and columns to choose; the most of them with a `tol`. More than the rank of A are cut
        to it, with a warning.
    tol : float, default=None
        Choose as many as leave a Frobenius norm of this fraction of A's; below 1. For
        the selections "lupp" and "cpqr".
    selection : {"lupp", "cpqr", "deim", "leverage", "uniform"}, default="lupp"
        "lupp": pivots of the elimination of a sketch, the fastest. "cpqr": pivots of a QR
        decomposition of it, a little better. "deim": pivots of the elimination of approximate
        singular vectors. "leverage": draws in proportion to the squared norms of their rows;
        "uniform": draws. These two leave out what depends on other rows or columns drawn.
    core : {"optimal", "cross"}, default="optimal"
        "optimal": ``pinv(C) @ A @ pinv(R)``, which makes the error least. "cross": inverse of
        the entries where C and R cross, for which A is not looked at again; a solution by least
        squares if draws have left more rows than columns, or fewer.
    oversampling : int, default=None
        Rows of the sketch beyond k; None takes a tenth of k, but 10 at least, and 32 rows in all.
    sketch : {"sparse_sign", "gaussian", "srht", "countsketch"}, default=None
        Law of the sketch; None takes a Gaussian one of few rows, else sparse signs.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where A lies. A sparse A is for the CPU only.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None
        Of the sketches and draws.

    Returns
    -------
    result : CURResult

    Raises
    ------
    ValueError
        If A is empty, has an entry that is NaN or infinite, an argument is out of its range, or
        neither k nor a tolerance is given.

    Warns
    -----
    UserWarning
        If fewer than k rows or columns were independent of each other.
    ConvergenceWarning
        If the tolerance is not met with k rows and columns, or cannot be for rounding.

    See Also
    --------
    CUR : The estimator.
    interpolative : Columns only.

    Notes
    -----
    For k given, A is read once, with 4 additions for each entry, 16 for small k; then come
    ``(m + n) k**2`` operations [1]_. With a tolerance, what is left of the sketch after some rows
    and columns is the sketch of what is left of A: A is read twice, whatever their number [2]_,
    and with the core "optimal" twice more and with ``2 m n k`` operations, for as few as meet the
    tolerance. That core takes ``2 m n k`` operations, as does the error, and both wait until they
    are asked for.

    The error is 1.3 to 5 times that of the singular value decomposition of rank k in practice.
    Pivots have bounds that are exponential in k, ``2**k`` times a power of k and n, which only
    matrices made for it come near to [1]_.

    References
    ----------
    .. [1] Y. Dong, P.-G. Martinsson, "Simpler is better: a comparative study of randomized
       pivoting algorithms for CUR and interpolative decompositions", Advances in Computational
       Mathematics 49, 2023.
    .. [2] N. Pritchard, T. Park, Y. Nakatsukasa, P.-G. Martinsson, "Fast rank adaptive CUR via a
       recycled small sketch", 2025, arXiv:2509.21963.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.decomposition import cur
    >>> A = 1 / (1 + np.add.outer(np.arange(300.0), np.arange(200.0)))
    >>> result = cur(A, tol=1e-8, rng=0)
    >>> result.columns.shape[1] < 15, bool(result.error < 1e-8 * np.linalg.norm(A))
    (True, True)
    >>> approximation = result.columns @ (result.core @ result.rows)
    >>> bool(np.allclose(approximation, result.columns @ result.coefficients))
    True
    """
    options = {"core": core, "oversampling": oversampling}
    return choose(A, k, tol, selection, sketch, device, rng, **options)[1]


def choose(A, k, tol, selection, sketch, device, rng, *, rows=False, **options):
    """Check what the functions take, and choose columns; or rows, as columns of the transpose.

    Returns
    -------
    matrix : Matrix
    result : CURResult
    """
    if k is None and tol is None:
        raise ValueError("k is None, and so is tol: one of them is needed")
    check_options("k", k, tol, selection, sketch=sketch, **options)
    matrix = Matrix("A", A, sketch, device, as_generator(rng, "rng"))
    matrix = matrix.transposed() if rows else matrix
    result = decompose(matrix, k, tol, selection, **options)
    warn_of(result, "k", k, tol, stacklevel=4)
    return matrix, result


def check_options(name, k, tol, selection, core="optimal", oversampling=None, sketch=None):
    """Refuse options out of their ranges."""
    if k is not None:
        if isinstance(k, float) and 0 < k < 1:
            raise ValueError(f"{name}={k!r}: an integer is needed; pass a tolerance as tol={k!r}")
        check_integer(name, k, 1)
    if tol is not None and not check_positive("tol", tol) < 1:
        raise ValueError(f"tol={tol!r}: a number below 1 is needed")
    check_choice("selection", selection, tuple(SELECTIONS))
    if tol is not None and selection not in PIVOTS:
        raise ValueError(
            f"selection={selection!r} takes {name}, and no tol; with a tol, use one of "
            f"{', '.join(map(repr, PIVOTS))}"
        )
    check_choice("core", core, tuple(CORES))
    if oversampling is not None:
        check_integer("oversampling", oversampling, 0)
    check_choice("sketch", sketch, (None, *SKETCHES))


@single_threaded_blas()
def decompose(matrix, k, tol, selection, core="columns", oversampling=None):
    """Choose rows and columns: k of each, or as many as a tolerance takes, k at most.

    The core "columns" is for who needs these alone.
    """
    most = min(matrix.shape) if k is None else min(k, *matrix.shape)
    if tol is None:
        n_rows = max(32, most + max(10, most // 10))
        if oversampling is not None:
            n_rows = most + oversampling
        n_rows = min(n_rows, matrix.shape[0] + 10)
        rows, columns = SELECTIONS[selection](matrix, most, n_rows)
        return CURResult(1, True, np.empty(0), rows, columns, matrix, core)
    rows, columns, history = eliminated(matrix, PIVOTS[selection], tol, most)
    if core != "cross" and history:
        k, error = shortened(matrix, rows, columns, tol, core)
        if k == len(rows):  # no worse than the core "cross", of which all of them were asked
            error = min(error, history[-1])
        rows, columns, history[-1] = rows[:k], columns[:k], error
    met = not history or history[-1] <= tol
    return CURResult(len(history), met, np.array(history), rows, columns, matrix, core)


def warn_of(result, name, k, tol, stacklevel):
    """Tell that the rank, or what was allowed, did not suffice."""
    found = min(len(result.row_indices), len(result.column_indices))
    if not result.converged:
        warn_convergence(
            f"tol={tol} is not met by {found} of them, whose relative error may be "
            f"{result.history[-1]:.2g}: increase {f'tol, or {name}' if k else 'tol'}",
            stacklevel=stacklevel,
        )
    elif tol is None and k is not None and found < k:
        warnings.warn(
            f"{name}={k}: only {found} are independent of each other, up to rounding, and kept; "
            f"choose a smaller {name}",
            stacklevel=stacklevel,
        )
