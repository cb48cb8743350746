"""Rows of a design in coordinates in which its columns are orthonormal."""

from functools import partial

import numpy as np

from .._support.blas import single_threaded_blas
from .._support.blocks import aligned, frozen, run_blocks
from . import _lp_cpu as kernels
from ._design import Design

BLOCK = 1 << 12  # rows; sums of blocks are added in their order


class Rows:
    """Rows ``[X - shift, 1 with a constant] @ basis``, formed where they are needed.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, p)
    basis : ndarray of shape (d, r), optional
        None stands for the identity.
    shift : ndarray of shape (p,), optional
    constant : bool
    n_threads : int
    """

    def __init__(self, X, basis=None, shift=None, constant=False, n_threads=None):
        self.X, self.basis, self.constant, self.n_threads = X, basis, constant, n_threads
        self.sparse = hasattr(X, "indptr")
        self.n, p = X.shape
        self.d = p + constant
        self.shift = frozen(np.zeros(p) if shift is None else shift)
        self.rank = self.d if basis is None else basis.shape[1]

    def gram(self, weights, targets):
        """Products of the rows, weighted, with themselves and with targets, (n,)."""
        design = Design(
            self.X, targets[:, None], weights, fit_intercept=self.constant, shift=self.shift,
            n_threads=self.n_threads,
        )  # fmt: skip
        gram, products = design.gram(self.basis)
        return gram, products[:, 0]

    def mapped(self, coef):
        """Coefficients of the design, for those of the rows."""
        return coef if self.basis is None else _matmul(self.basis, coef)

    def fitted(self, coef):
        """Rows times coefficients."""
        coef = self.mapped(coef)
        if self.sparse:
            p = self.X.shape[1]
            return self.X @ coef[:p] + (coef[p:].sum() - self.shift @ coef[:p])
        out = np.empty(self.n)
        run_blocks(partial(self._add_fitted, coef), self.n, BLOCK, (out,), self.n_threads)
        return out

    def _add_fitted(self, coef, lo, hi, b, out):
        kernels.add_fitted(0, hi - lo, frozen(self.X[lo:hi]), self.shift, coef, out[lo:hi])

    def combined(self, V):
        """Sums of the rows times factors, (k, n)."""
        if self.sparse:
            sums = (self.X.T @ V.T).T - np.outer(V.sum(axis=1), self.shift)
            sums = np.c_[sums, V.sum(axis=1)] if self.constant else sums
        else:
            sums = np.zeros((-(-self.n // BLOCK), len(V), self.d))
            run_blocks(partial(self._add_combined, V), self.n, BLOCK, (sums,), self.n_threads)
            sums = sums.sum(axis=0)
        return sums if self.basis is None else _matmul(sums, self.basis)

    def _add_combined(self, V, lo, hi, b, sums):
        rows = frozen(self.X[lo:hi])
        kernels.add_combined(0, hi - lo, rows, self.shift, V[:, lo:hi], sums[b])

    def formed(self, chosen=None):
        """Return the rows, or some of them, in an array of their own."""
        n = self.n if chosen is None else len(chosen)
        out = aligned((n, self.rank), np.float64)
        with single_threaded_blas():
            run_blocks(partial(self._form, chosen), n, BLOCK, (out,), self.n_threads)
        return Rows(frozen(out), n_threads=self.n_threads)

    def _form(self, chosen, lo, hi, b, out):
        out[lo:hi] = self._some(slice(lo, hi) if chosen is None else chosen[lo:hi])

    def _some(self, part):
        p, rows = self.X.shape[1], self.X[part]
        if not self.sparse or self.shift.any():
            rows = (rows.toarray() if self.sparse else rows) - self.shift
        basis = np.eye(self.d) if self.basis is None else self.basis
        rows = rows @ basis[:p]
        return rows + basis[p] if self.constant else rows

    def norms(self):
        """Norms of the rows."""
        out = np.empty(self.n)
        with single_threaded_blas():
            run_blocks(self._add_norms, self.n, BLOCK, (out,), self.n_threads)
        return out

    def _add_norms(self, lo, hi, b, out):
        rows = self._some(slice(lo, hi))
        out[lo:hi] = np.sqrt(np.einsum("ij,ij->i", rows, rows))


_matmul = single_threaded_blas()(np.matmul)  # the same bits on any number of threads
