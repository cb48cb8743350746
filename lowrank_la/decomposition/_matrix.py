"""A matrix of which some rows, some columns and a sketch are asked for."""

from functools import cached_property

import numpy as np
from scipy import linalg, sparse

from .._support.blocks import run_blocks, thread_count
from .._support.cuda import is_device_array, resolve_device, to_device, to_host, twin
from .._support.validation import as_floats, checked_sparse
from ..linear_model._methods import SKETCHES

_SIGNS = 4  # entries of a column of a sparse sketch: as good as 8 for pivots, and twice as fast
_SAFE = 64  # rows of a sketch among which few signs do not often meet
_ENTRIES = 1 << 21  # at a time
_CANCELLED = 1e-8  # of the terms of a difference
_LEAST = 1e-60  # numbers below have units of their own


class Matrix:
    """Checked data, dense or CSR, where they are computed with.

    Who asks it for products holds BLAS at one thread: blocks take as many as there are.

    Parameters
    ----------
    name : str
        What the user calls them.
    A : array_like or sparse matrix of shape (m, n)
    sketch : str or None
        A key of `SKETCHES`; None for what is fastest.
    device : {None, "cpu", "cuda"}
    rng : Generator

    Raises
    ------
    ValueError
        If A is not a matrix of real numbers, or empty. What is not finite is found in sketches.
    """

    def __init__(self, name, A, sketch, device, rng):
        self.name, self.law, self.unit = name, sketch, None
        self.rng = np.random.default_rng(rng.integers(2**63))  # for sketches that are made later
        self.device, self.on_gpu = resolve_device(device, A), is_device_array(A)
        self.kernels = twin(__package__, self.device, "_pivots")
        self.xp = self.kernels.xp
        self.n_threads = 1 if self.device == "cuda" else thread_count()
        self.values = self._checked(A)
        self.shape = self.values.shape
        self.dtype = np.dtype(self.values.dtype.char)

    def _checked(self, A):
        if sparse.issparse(A):
            if self.device == "cuda":
                raise ValueError(f"{self.name} is sparse: device='cuda' takes dense arrays only")
            A = checked_sparse(self.name, A)
            self._require_matrix(A)
            A = A.tocsr()
            if A.dtype.kind not in "fiub":
                raise ValueError(f"{self.name} has dtype {A.dtype}: real numbers are needed")
            return A if A.dtype in (np.float32, np.float64) else A.astype(np.float64)
        A = as_floats(self.name, A)
        self._require_matrix(A)
        return to_device(A) if self.device == "cuda" else to_host(A)

    def _require_matrix(self, A):
        if A.ndim != 2:
            raise ValueError(f"{self.name} has {A.ndim} dimensions: 2 are needed")
        if 0 in A.shape:
            raise ValueError(f"{self.name} has shape {A.shape}: a row and a column are needed")

    def transposed(self):
        """Return the transpose, with the same options."""
        other = object.__new__(Matrix)
        vars(other).update(vars(self))
        other.values, other.shape = self.values.T, self.shape[::-1]
        if sparse.issparse(self.values):
            other.values = other.values.tocsr()
        return other

    def sketch(self, n_rows):
        """Random combinations of the rows, in units and float64: an array of shape (n_rows, n)."""
        few = self.shape[0] <= 2 * n_rows  # then a dense sketch costs nothing, and misses nothing
        law = self.law or ("gaussian" if few else "sparse_sign")
        n_signs = min(_SIGNS if n_rows >= _SAFE else 4 * _SIGNS, n_rows)
        signs = {"nnz": n_signs} if law == "sparse_sign" else {}
        S = SKETCHES[law](n_rows, random_state=self.rng, **signs)
        sketch = (S @ self.values).astype(np.float64, copy=False)
        self.unit = self.unit or _unit(self._largest(sketch) or self._largest(self.values))
        return sketch / self.unit if self.unit != 1.0 else sketch

    def _largest(self, part):
        """Size of the largest entry: of a sketch, or of all where they cancel each other in it."""
        entries = part.data if sparse.issparse(part) else part
        return max(float(entries.max()), -float(entries.min())) if entries.size else 0.0

    def columns(self, indices):
        """Return columns in units and float64, dense: an array of shape (m, k)."""
        return self._dense(self.values[:, indices])

    def rows(self, indices):
        """Return rows in units and float64, dense: an array of shape (k, n)."""
        return self._dense(self.values[indices])

    def _dense(self, part):
        part = (part.toarray() if sparse.issparse(part) else part).astype(np.float64)
        if self.unit is None:
            self.sketch(1)
        if self.unit != 1.0:
            part /= self.unit
        return part

    def home(self, part):
        """Return an array, or a sparse part, where the data were given, in their precision."""
        part = part.astype(self.dtype, copy=False)
        if self.on_gpu:
            return to_device(part)
        return part if sparse.issparse(part) else to_host(part)

    def times(self, right):
        """Matrix in units, times an array of shape (n, k)."""
        return self.transposed().products(right).T

    def products(self, left):
        """Transpose of an array of shape (m, k), times the matrix in units."""
        left = left / self.unit
        if sparse.issparse(self.values):
            return (self.values.T @ left).T
        out = self.xp.empty((left.shape[1], self.shape[1]))

        def block(lo, hi, b):
            out[:, lo:hi] = left.T @ self.values[:, lo:hi]

        run_blocks(block, self.shape[1], _lines(self.shape[0]), (), self.n_threads)
        return out

    @cached_property
    def norm(self):
        """Frobenius norm, in units."""
        return self._by_blocks(lambda lo, hi, rows: rows)

    def residual(self, left, right):
        """Frobenius norm of the matrix in units less a product of arrays, (m, k) and (k, n)."""
        if sparse.issparse(self.values):
            square = linalg.norm(self.values.data.astype(np.float64) / self.unit) ** 2
            mixed = 2 * np.vdot(self.products(left), right)
            own = np.vdot(left.T @ left @ right, right)
            if square - mixed + own > _CANCELLED * max(square, abs(mixed), own):
                return float(np.sqrt(square - mixed + own))
            # Else few digits are left of the difference.
        return self._by_blocks(lambda lo, hi, rows: rows - left[lo:hi] @ right)

    def _by_blocks(self, rest):
        """Norm of what is left of the rows, some of them at a time."""
        n_rows = _lines(self.shape[1])
        norms = np.empty(-(-self.shape[0] // n_rows))

        def block(lo, hi, b):
            norms[b] = float(self.xp.linalg.norm(rest(lo, hi, self.rows(slice(lo, hi)))))

        run_blocks(block, self.shape[0], n_rows, (), self.n_threads)
        return float(np.linalg.norm(norms))


def _lines(length):
    """Rows, or columns, of a length that are looked at together: some megabytes."""
    return max(1, min(1024, _ENTRIES // length))


def _unit(largest):
    """Power of two to divide by, so that squares neither overflow nor vanish; mostly one."""
    if not largest or _LEAST < largest < 1 / _LEAST:
        return 1.0
    return float(2.0 ** np.clip(np.frexp(largest)[1], -1000, 1000))
