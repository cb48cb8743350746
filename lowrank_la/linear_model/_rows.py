"""Rows of a design in coordinates in which its columns are orthonormal."""

from functools import cached_property

import numpy as np
from scipy import sparse

from .._support.blas import single_threaded_blas
from .._support.blocks import aligned, frozen, run_blocks
from . import _lp_cpu as kernels
from ._design import Design
from ._lp_cpu import TILE

_PARTS = 16  # of the tiles, at most, with sums each
_LEAST = 16  # tiles of a part
_FEW = 8  # columns that tell the norms of rows
_NUMBERS = 1 << 18  # in the rows for which kernels are called, about


def part_of(n_tiles):
    """Tiles of a part, whose sums are added in their order."""
    return max(_LEAST, -(-n_tiles // _PARTS))


def padded(array, n):
    """Array of one dimension with zeros up to a length, or itself."""
    if len(array) == n:
        return array
    out = np.zeros(n, array.dtype)
    out[: len(array)] = array
    return out


def to_fours(n):
    """Return the next multiple of four."""
    return -(-n // 4) * 4


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
        return self.fit(self.mapped(coef))

    def fit(self, coef):
        """Rows of the design itself times coefficients."""
        if self.sparse:
            p = self.X.shape[1]
            return self.X @ coef[:p] + (coef[p:].sum() - self.shift @ coef[:p])
        out = np.empty(self.n)
        coef = padded(coef, to_fours(self.d))
        self._run(lambda lo, hi, b, *rows: kernels.fit(*rows, coef, out[lo:hi]))
        return out

    @cached_property
    def _step(self):
        """Rows for which kernels are called: whole tiles of them."""
        return int(np.clip(_NUMBERS // self.d // TILE, 4, 64)) * TILE

    @cached_property
    def _n_parts(self):
        n_tiles = -(-self.n // TILE)
        return -(-n_tiles // part_of(n_tiles))

    def _dense(self, part):
        rows = self.X[part]
        return frozen(rows.toarray() if self.sparse else rows)

    def _run(self, work):
        """Call ``work(lo, hi, part, first tile, last tile, 0, *rows)`` for parts of the rows."""

        def run(lo, hi, b):
            for begin in range(lo, hi, self._step):
                end = min(hi, begin + self._step)
                rows = self._dense(slice(begin, end)), self.shift, self.constant
                work(begin, end, b, 0, -(-(end - begin) // TILE), 0, *rows)

        run_blocks(run, self.n, part_of(-(-self.n // TILE)) * TILE, (), self.n_threads)

    def combined(self, V):
        """Add up the rows times factors, (k, n)."""
        if self.sparse:
            sums = (self.X.T @ V.T).T - np.outer(V.sum(axis=1), self.shift)
            sums = np.c_[sums, V.sum(axis=1)] if self.constant else sums
        else:
            even = V if len(V) % 2 == 0 else np.vstack([V, np.zeros(self.n)])
            sums = np.zeros((self._n_parts, 1, len(even), to_fours(self.d)))
            self._run(lambda lo, hi, b, *rows: kernels.combine(*rows, even[:, lo:hi], sums[b]))
            sums = sums.sum(axis=(0, 1))[: len(V), : self.d]
        return sums if self.basis is None else _matmul(sums, self.basis)

    @cached_property
    def _padded_basis(self):
        """The basis, transposed and padded, and where its columns end."""
        basis = np.eye(self.d) if self.basis is None else self.basis
        out = np.zeros((to_fours(self.rank), to_fours(self.d)))
        out[: self.rank, : self.d] = basis.T
        ends = [np.max(np.flatnonzero(row) + 1, initial=0) for row in out]
        return frozen(out), to_fours(np.array(ends))

    def times(self, weights):
        """Return sparse rows times weights, (n,) or (0,), which have no shift."""
        if not len(weights):
            return self
        columns = [self.X, np.ones((self.n, 1))] if self.constant else [self.X]
        X = sparse.diags_array(weights) @ sparse.hstack(columns, format="csr")
        return Rows(X, self.basis, n_threads=self.n_threads)

    def taken(self, chosen):
        """Return some rows."""
        given = self.basis, self.shift, self.constant, self.n_threads
        some = Rows(self.X[chosen], *given)
        some._sketch = self._sketch
        return some

    def tiles(self):
        """Return the rows in tiles."""
        out = aligned((-(-self.n // TILE), to_fours(self.rank), TILE), np.float64)

        def work(lo, hi, b, *rows):
            kernels.form(*rows, *self._padded_basis, out[lo // TILE : -(-hi // TILE)])

        self._run(work)
        return out

    @cached_property
    def _sketch(self):
        """Few columns whose squares tell the norms of the rows, and the least such square.

        Random ones, for many columns: they tell a row that is many times larger than others, and
        the average square added to them hides that they may miss a small one.
        """
        basis, _ = self._padded_basis
        if self.rank <= _FEW:
            return basis, 0.0
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (_FEW, len(basis)))
        return frozen(_matmul(signs / np.sqrt(_FEW), basis)), self.rank / self.n

    def norms(self):
        """Rough norms of the rows: at least those of average ones."""
        sketch, floor = self._sketch
        return np.sqrt(floor + sum(self.fit(column[: self.d]) ** 2 for column in sketch))

    def survey(self, coef, targets, weights, quantile, scores, band, norms, sides):
        """Look at all rows with some coefficients of the design.

        Parameters
        ----------
        coef : ndarray of shape (d,)
        targets : ndarray of shape (n,)
        weights : ndarray of shape (n,) or (0,)
        quantile : float
        scores : ndarray of shape (n,)
            Of the dual problem: of rows on neither side.
        band : float
            Residuals larger than this multiple of the norms are clear.
        norms : ndarray of shape (n,)
            Rough norms of the rows; they are written if the first is NaN.
        sides : ndarray of shape (n,), int8
            1 for rows above, -1 below; overwritten by what residuals tell now.

        Returns
        -------
        r : ndarray of shape (n,)
        combined : ndarray of shape (4, rank)
            Weighted sums of the rows below, above, times scores less their mean, times residuals.
        sums : ndarray of shape (4,)
            Objective, complementarity gap, and weighted residuals below and above.
        """
        r = np.empty(self.n)
        combined = np.zeros((self._n_parts, 1, 4, to_fours(self.d)))
        sums, coef = np.zeros((self._n_parts, 1, 4)), padded(coef, to_fours(self.d))
        sketch, floor = self._sketch
        sketch = sketch if np.isnan(norms[0]) else sketch[:0]

        def work(lo, hi, b, *rows):
            known = targets[lo:hi], weights[lo:hi], quantile, scores[lo:hi], band
            found = norms[lo:hi], sides[lo:hi], r[lo:hi], combined[b], sums[b]
            kernels.survey(*rows, coef, sketch, floor, *known, *found)

        self._run(work)
        combined = combined.sum(axis=(0, 1))[:, : self.d]
        if self.basis is not None:
            combined = _matmul(combined, self.basis)
        return r, combined, sums.sum(axis=(0, 1))


_matmul = single_threaded_blas()(np.matmul)  # the same bits on any number of threads
