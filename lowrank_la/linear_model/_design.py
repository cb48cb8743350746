"""The rows of a least-squares problem, and the passes over them that its solvers need.

The design matrix is ``sqrt(weights) * [X - shift, 1]``, the ones with an intercept only. It is
never formed: a panel of its rows at a time lies in the cache. Which panels there are, and in which
order their sums are added, depends on the shape alone.
"""

from functools import cached_property, partial

import numpy as np

from .._kernels import syrk
from .._support.blocks import aligned, frozen, run_blocks
from . import _cpu

_PARTS = 16  # at most, with a Gram matrix each
_PANEL = 65536  # numbers in a panel: half of a second-level cache
_SKETCHED_ROWS = 8192  # at a time: a sketch goes over its own rows for every such panel
_TINY = 1e-200  # smaller sums of squares may have lost digits


def _finite(sums):
    """Refuse sums that overflowed, or had an entry that is NaN or infinite."""
    if not np.isfinite(sums).all():
        raise FloatingPointError
    return sums


def column_sizes(X):
    """Largest absolute value in every column."""
    if hasattr(X, "indptr"):
        return abs(X).max(axis=0).toarray().ravel()
    return np.maximum(X.max(axis=0), -X.min(axis=0))


def take(stream, rows):
    """Give rows to the stream of a sketch, which refuses what is not finite."""
    try:
        stream.update(rows)
    except ValueError as error:
        raise FloatingPointError from error


class Design:
    """Weighted least squares of targets on features: what solvers see of the data.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, p), float32 or float64
    Y : ndarray of shape (n, k), float64
    weights : ndarray of shape (n,), or None
    alpha : float or ndarray of shape (p,)
        What the squares of the coefficients but the constant cost.
    fit_intercept : bool
        Whether a constant is the design's last column.
    constant_given : bool
        Whether X has it already.
    shift : None, float or ndarray of shape (p,)
        What to subtract from the features where a constant makes up for it: that
        does not change the fit, but the rounding. None is the mean of some rows if
        they are dense, else zero.
    n_threads : int

    Attributes
    ----------
    n_passes : int
        How often all rows were read so far.
    """

    def __init__(
        self,
        X,
        Y,
        weights=None,
        alpha=0.0,
        *,
        fit_intercept=False,
        constant_given=False,
        shift=None,
        n_threads=None,
    ):
        self.X, self.Y = X, frozen(Y)
        self.weights = frozen(np.empty(0) if weights is None else weights)
        self.sparse = hasattr(X, "indptr")
        self.csr = tuple(map(frozen, (X.data, X.indices, X.indptr))) if self.sparse else ()
        self.n, self.n_features = X.shape
        self.n_targets = Y.shape[1]
        self.constant = bool(fit_intercept)
        self.n_design = self.n_features + (self.constant and not constant_given)
        self.n_threads, self.n_passes = n_threads, 0
        self.penalties = np.zeros(self.n_design)
        self.penalties[: self.n_features] = alpha
        self.penalties[self.n_design - self.constant :] = 0.0
        if shift is None:
            centred = self.n_design > self.n_features and not self.sparse
            shift = self._some_mean() if centred else 0.0
        self.shift = frozen(np.broadcast_to(np.float64(shift), self.n_features))

    def _some_mean(self):
        """Mean of the features over a thousand rows; rows of weight zero do not count.

        That of a constant is exact, so that nothing is left of it.
        """
        rows = np.flatnonzero(self.weights) if len(self.weights) else range(self.n)
        rows = rows[:: max(1, len(rows) // 1000)]
        weights = self.weights[rows] if len(self.weights) else None
        sample = self.X[rows].astype(np.float64)
        return sample[0] + np.average(sample - sample[0], axis=0, weights=weights)

    @cached_property
    def width(self):
        """Columns of the design and of the targets together, as panels have them."""
        return syrk.padded(self.n_design + self.n_targets)

    @cached_property
    def panel_rows(self):
        return int(np.clip(_PANEL // self.width // 8 * 8, 64, 1024))

    def _run(self, work, *shapes):
        """Add up what ``work(lo, hi, b, *sums)`` writes to ``sums[b]`` for parts of the rows."""
        n_parts = int(np.clip(self.n // (40 * self.n_design), 1, _PARTS))
        part = -(-self.n // n_parts)
        part += -part % self.panel_rows
        sums = tuple(np.zeros((-(-self.n // part), *shape)) for shape in shapes)
        run_blocks(work, self.n, part, sums, self.n_threads)
        self.n_passes += 1
        return [_finite(total.sum(axis=0)) for total in sums]

    def pack(self, lo, hi, panel):
        """Write rows lo to hi of the design, and of the targets behind them, into a panel."""
        if self.sparse:
            sizes = self.n_features, self.n_design
            _cpu.pack_sparse(lo, hi, *self.csr, self.Y, self.weights, *sizes, panel)
            if self.shift.any():
                ones = panel[: hi - lo, self.n_features, None]
                panel[: hi - lo, : self.n_features] -= ones * self.shift
        else:
            rows, Y, weights = self._rows(lo, hi)
            _cpu.pack(0, hi - lo, rows, Y, self.shift, weights, self.n_design, panel)

    def _rows(self, lo, hi):
        """Rows as kernels take them; copied only if they do not lie row after row."""
        return frozen(self.X[lo:hi]), self.Y[lo:hi], self.weights[lo:hi]

    def panels(self, lo=0, hi=None, n_rows=None):
        """Yield panels and the rows used of each, from row lo to hi; the same memory every time."""
        hi, n_rows = hi or self.n, n_rows or self.panel_rows
        panel = syrk.empty_panel(min(n_rows, hi - lo), self.n_design + self.n_targets)
        for begin in range(lo, hi, n_rows):
            m = min(hi - begin, n_rows)
            panel[m:] = 0.0
            self.pack(begin, begin + m, panel)
            yield panel, m

    def gram(self, basis=None):
        """Products of the design, or of the design times a basis, with itself and the targets.

        Parameters
        ----------
        basis : ndarray of shape (n_design, r), optional

        Returns
        -------
        gram : ndarray of shape (r, r)
            With the penalties.
        products : ndarray of shape (r, k)
        """
        r = self.n_design if basis is None else basis.shape[1]
        work = self._add_gram if basis is None else partial(self._add_mapped, self._extended(basis))
        with syrk.alone():
            (sums,) = self._run(work, (r + syrk.PAD, self.width))
        upper = np.triu(sums[:r, :r])
        if basis is None:
            self._require_squares(np.diag(upper), self.X)
        gram = upper + np.triu(upper, 1).T
        penalties = np.diag(self.penalties)
        gram += penalties if basis is None else basis.T @ penalties @ basis
        return gram, sums[:r, r : r + self.n_targets]

    def _require_squares(self, squares, columns):
        """Refuse columns that are not zero though their sums of squares are, or nearly."""
        if squares.min() < _TINY:
            sizes = column_sizes(columns) * np.sqrt(self.weights.max(initial=0.0) or 1.0)
            if np.any((sizes > 0) & (sizes < np.sqrt(_TINY))):
                raise FloatingPointError

    def _add_gram(self, lo, hi, b, grams):
        if self.sparse:
            sizes = self.n_features, self.n_design
            _cpu.add_gram_sparse(lo, hi, *self.csr, self.Y, self.weights, *sizes, grams[b])
            return
        for panel, _ in self.panels(lo, hi):
            syrk.add_gram(panel, self.n_design, grams[b])

    def _add_mapped(self, matrix, lo, hi, b, grams):
        mapped, r = None, len(grams[b]) - syrk.PAD
        for panel, _ in self.panels(lo, hi):
            mapped = np.empty_like(panel) if mapped is None else mapped
            syrk.times(panel, matrix, mapped)
            syrk.add_gram(mapped, r, grams[b])

    def _extended(self, basis):
        """Matrix that maps a panel's design columns by a basis, and keeps its targets."""
        r, targets = basis.shape[1], range(self.n_targets)
        matrix = aligned((self.width, self.width), np.float64)
        matrix[:] = 0.0
        matrix[: self.n_design, :r] = basis
        for t in targets:
            matrix[self.n_design + t, r + t] = 1.0
        return matrix

    def gradient(self, coef, with_targets=True):
        """Half the negative gradient of the loss, and the squares of the residuals.

        Parameters
        ----------
        coef : ndarray of shape (n_design, k)
        with_targets : bool, default=True
            Otherwise the targets are taken as zero, and the gradient is the
            negative product of the design, transposed, the design, and `coef`.

        Returns
        -------
        gradient : ndarray of shape (n_design, k)
            ``design.T @ (targets - design @ coef) - penalties * coef``.
        squares : ndarray of shape (k,)
            Sums of the squares of ``targets - design @ coef``.
        """
        rows = np.ascontiguousarray(coef.T)
        work = partial(self._add_gradient, rows, float(with_targets))
        gradient, squares = self._run(work, rows.shape, rows.shape[:1])
        return gradient.T - self.penalties[:, None] * coef, squares

    def _add_gradient(self, coef, with_targets, lo, hi, b, gradients, squares):
        sums = coef, with_targets, gradients[b], squares[b]
        if self.sparse:
            _cpu.add_gradient_sparse(
                lo, hi, *self.csr, self.Y, self.weights, self.n_features, *sums
            )
            return
        step = hi - lo if self.X.flags.c_contiguous else self.panel_rows
        for begin in range(lo, hi, step):
            m = min(hi - begin, step)
            rows, Y, weights = self._rows(begin, begin + m)
            _cpu.add_gradient(0, m, rows, Y, self.shift, weights, *sums)

    def rows(self):
        """Yield rows of the design, the targets behind them, in the same memory every time.

        Rows of weight zero are left out.
        """
        begin, width = 0, self.n_design + self.n_targets
        for panel, m in self.panels():
            rows, weights = panel[:m, :width], self.weights[begin : begin + m]
            yield rows if weights.all() else rows[weights > 0]
            begin += m
        self.n_passes += 1

    def sketched(self, sketch):
        """Sketch of the design and of the targets, with the penalties as rows below."""
        stream = sketch.stream()
        for rows in self.rows():
            take(stream, rows)
        return self._penalised(_finite(stream.result()))

    def all_rows(self):
        """Return the design and its targets, with the penalties as rows below."""
        return self._penalised(_finite(np.concatenate([rows.copy() for rows in self.rows()])))

    def some_rows(self, m):
        """About m rows of the design, evenly spaced."""
        chosen = np.unique(np.linspace(0, self.n - 1, m).astype(int))
        weights = self.weights[chosen] if len(self.weights) else None
        constant = self.constant
        return Design(self.X[chosen], self.Y[chosen], weights, fit_intercept=constant).all_rows()[0]

    def _penalised(self, rows):
        ridge = np.zeros((self.n_design, rows.shape[1]))
        ridge[:, : self.n_design] = np.diag(np.sqrt(self.penalties))
        rows = np.vstack([rows, ridge[self.penalties > 0]])
        return rows[:, : self.n_design], rows[:, self.n_design :]

    @cached_property
    def target_norms(self):
        """Norms of the targets, with the weights."""
        weights = self.weights if len(self.weights) else 1.0
        squares = _finite(np.sum(np.square(self.Y.T) * weights, axis=1))
        self._require_squares(squares, self.Y)
        return np.sqrt(squares)
