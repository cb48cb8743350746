"""The rows of a least-squares problem, and the passes over them that its solvers need.

The design matrix is ``sqrt(weights) * [X - shift, 1]``, the ones with an intercept only. It is
never formed: a panel of its rows at a time lies in the cache. Which panels there are, and in which
order their sums are added, depends on the shape alone.
"""

from contextlib import contextmanager
from functools import cached_property, partial

import numpy as np

from .._kernels.syrk import PAD
from .._support.blas import single_threaded_blas
from .._support.blocks import frozen, run_blocks
from .._support.cuda import to_host, twin

_TINY = 1e-200  # smaller sums of squares may have lost digits
_ALIGNED = 1024  # rows in the blocks of sketches
_AT_A_TIME = 1 << 18  # numbers given to a sketch, about: they stay in the cache


def _finite(sums):
    """Refuse sums that overflowed, or had an entry that is NaN or infinite."""
    if not np.isfinite(sums).all():
        raise FloatingPointError
    return sums


def column_sizes(X):
    """Largest absolute value in every column."""
    if hasattr(X, "indptr"):
        return abs(X).max(axis=0).toarray().ravel()
    return to_host(np.maximum(X.max(axis=0), -X.min(axis=0)))


def copied(rows, n_columns):
    """Copy of the first columns of rows, on the host."""
    return np.array(to_host(rows[:, :n_columns]))


@contextmanager
def finite_sums():
    """Sketches refuse sums that are not finite; solvers then look at what was added up."""
    try:
        yield
    except ValueError as error:
        raise FloatingPointError from error


class Design:
    """Weighted least squares of targets on features: what solvers see of the data.

    Parameters
    ----------
    X : array or CSR matrix of shape (n, p), float32 or float64
        On the device.
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
    device : {"cpu", "cuda"}

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
        device="cpu",
    ):
        weights = np.empty(0) if weights is None else weights
        self.X, self.Y, self.weights = X, frozen(Y), frozen(weights)
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
        shift = np.zeros(self.n_features) + shift
        self.shift = frozen(shift)
        self.device, self.kernels = device, twin(__package__, device)
        self._placed = tuple(map(self.kernels.to_device, (Y, shift, weights)))

    def _some_mean(self):
        """Mean of the features over a thousand rows; rows of weight zero do not count.

        That of a constant is exact, so that nothing is left of it.
        """
        rows = np.flatnonzero(self.weights) if len(self.weights) else range(self.n)
        rows = rows[:: max(1, len(rows) // 1000)]
        weights = self.weights[rows] if len(self.weights) else None
        sample = self._chosen(np.asarray(rows)).astype(np.float64)
        return sample[0] + np.average(sample - sample[0], axis=0, weights=weights)

    def _chosen(self, rows):
        """Return some rows of the features, on the host."""
        return self.X[rows] if self.sparse else to_host(self.X[rows])

    @property
    def n_columns(self):
        """Columns of the design and of the targets together."""
        return self.n_design + self.n_targets

    @cached_property
    def width(self):
        """Columns of panels: some more than of the design and of the targets."""
        return self.kernels.padded(self.n_columns)

    @cached_property
    def panel_rows(self):
        return self.kernels.panel_rows(self.width)

    @property
    def _part(self):
        """Rows of the parts that threads work on."""
        n_parts = int(np.clip(self.n // (40 * self.n_design), 1, self.kernels.PARTS))
        part = -(-self.n // n_parts)
        return part + -part % self.panel_rows

    def _run(self, work, *shapes):
        """Add up what ``work(lo, hi, b, *sums)`` writes to ``sums[b]`` for parts of the rows."""
        part = self._part
        sums = tuple(self.kernels.zeros((-(-self.n // part), *shape)) for shape in shapes)
        run_blocks(work, self.n, part, sums, self.n_threads)
        self.n_passes += 1
        return [_finite(to_host(total).sum(axis=0)) for total in sums]

    def pack(self, lo, hi, panel):
        """Write rows lo to hi of the design, and of the targets behind them, into a panel."""
        if self.sparse:
            sizes = self.n_features, self.n_design
            self.kernels.pack_sparse(lo, hi, *self.csr, self.Y, self.weights, *sizes, panel)
            if self.shift.any():
                ones = panel[: hi - lo, self.n_features, None]
                panel[: hi - lo, : self.n_features] -= ones * self.shift
        else:
            self.kernels.pack(0, hi - lo, *self._rows(lo, hi), self.n_design, panel)

    def _rows(self, lo, hi):
        """Rows as kernels take them; copied only if they do not lie row after row."""
        Y, shift, weights = self._placed
        return self.kernels.to_device(self.X[lo:hi]), Y[lo:hi], shift, weights[lo:hi]

    def panels(self, lo=0, hi=None, n_rows=None):
        """Yield panels and the rows used of each, from row lo to hi; the same memory every time."""
        hi = self.n if hi is None else hi
        n_rows = n_rows or self.panel_rows
        panel = self.kernels.empty_panel(min(n_rows, hi - lo), self.n_columns)
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
        with self.kernels.alone():
            (sums,) = self._run(work, (r + PAD, self.width))
        upper = np.triu(sums[:r, :r])
        if basis is None:
            self._require_squares(np.diag(upper), self.X)
        gram = upper + np.triu(upper, 1).T
        penalties = np.diag(self.penalties)
        with single_threaded_blas():
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
            self.kernels.add_gram_sparse(lo, hi, *self.csr, self.Y, self.weights, *sizes, grams[b])
            return
        for panel, _ in self.panels(lo, hi):
            self.kernels.add_gram(panel, self.n_design, grams[b])

    def _add_mapped(self, matrix, lo, hi, b, grams):
        mapped, r = None, len(grams[b]) - PAD
        for panel, _ in self.panels(lo, hi):
            mapped = np.empty_like(panel) if mapped is None else mapped
            self.kernels.times(panel, matrix, mapped)
            self.kernels.add_gram(mapped, r, grams[b])

    def _extended(self, basis, with_targets=True):
        """Matrix that maps a panel's design columns by a basis, and may keep its targets."""
        r, targets = basis.shape[1], range(self.n_targets if with_targets else 0)
        matrix = self.kernels.empty_panel(self.width, self.n_columns)
        matrix[: self.n_design, :r] = self.kernels.to_device(basis)
        for t in targets:
            matrix[self.n_design + t, r + t] = 1.0
        return matrix

    def row_squares(self, basis):
        """Add up the squares of each row of the design times a basis.

        Parameters
        ----------
        basis : ndarray of shape (n_design, r)
            With no more columns than rows.

        Returns
        -------
        squares : ndarray of shape (n,)
            On the host.
        """
        squares = self.kernels.zeros(self.n)
        matrix = self._extended(basis, with_targets=False)
        with self.kernels.alone():
            run_blocks(
                partial(self._set_row_squares, matrix), self.n, self._part, (squares,),
                self.n_threads,
            )  # fmt: skip
        self.n_passes += 1
        return to_host(squares)

    def _set_row_squares(self, matrix, lo, hi, b, squares):
        for panel, m in self.panels(lo, hi):
            self.kernels.row_squares(panel, matrix, squares[lo : lo + m])
            lo += m

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
        rows = self.kernels.to_device(np.ascontiguousarray(coef.T))
        work = partial(self._add_gradient, rows, float(with_targets))
        gradient, squares = self._run(work, rows.shape, rows.shape[:1])
        return gradient.T - self.penalties[:, None] * coef, squares

    def product(self, vector):
        """Return minus the design's Gram matrix times a vector, and the square of its image."""
        coef = np.repeat(vector[:, None], self.n_targets, axis=1)
        gradient, squares = self.gradient(coef, with_targets=False)
        return gradient[:, 0], squares[0]

    def _add_gradient(self, coef, with_targets, lo, hi, b, gradients, squares):
        sums = coef, with_targets, gradients[b], squares[b]
        if self.sparse:
            self.kernels.add_gradient_sparse(
                lo, hi, *self.csr, self.Y, self.weights, self.n_features, *sums
            )
            return
        step = hi - lo if self.X.flags.c_contiguous else self.panel_rows
        for begin in range(lo, hi, step):
            m = min(hi - begin, step)
            self.kernels.add_gradient(0, m, *self._rows(begin, begin + m), *sums)

    def rows(self):
        """Yield rows of the design, the targets and zeros behind them, on the device.

        They lie in the same memory every time, many at once: as sketches like them. Rows of
        weight zero are left out.
        """
        begin = 0
        n_blocks = max(1, _AT_A_TIME // (_ALIGNED * self.width))
        for panel, m in self.panels(n_rows=n_blocks * _ALIGNED):
            rows, weights = panel[:m], self.weights[begin : begin + m]
            if not weights.all():
                _finite(to_host(rows[weights == 0]))
                rows = rows[weights > 0]
            yield rows
            begin += m
        self.n_passes += 1

    def sketched(self, sketch):
        """Sketch of the design and of the targets, with the penalties as rows below.

        Where it would have more rows than they, it is the rows themselves.
        """
        if self.n <= sketch.shape[0]:
            return self.all_rows()
        stream = sketch.stream(device=self.device)
        with finite_sums():
            for rows in self.rows():
                stream.update(rows)
            return self._penalised(to_host(stream.result())[:, : self.n_columns])

    def all_rows(self):
        """Return the design and its targets, with the penalties as rows below."""
        rows = np.concatenate([copied(rows, self.n_columns) for rows in self.rows()])
        return self._penalised(_finite(rows))

    def some_rows(self, m):
        """About m rows of the design, evenly spaced."""
        counted = np.flatnonzero(self.weights) if len(self.weights) else np.arange(self.n)
        chosen = counted[np.unique(np.linspace(0, len(counted) - 1, m).astype(int))]
        weights = self.weights[chosen] if len(self.weights) else None
        args = self._chosen(chosen), self.Y[chosen], weights, self.penalties[: self.n_features]
        return Design(*args, fit_intercept=self.constant).all_rows()[0]

    def _penalised(self, rows):
        ridge = np.zeros((self.n_design, rows.shape[1]))
        ridge[:, : self.n_design] = np.diag(np.sqrt(self.penalties))
        rows = np.vstack([rows, ridge[self.penalties > 0]])
        return rows[:, : self.n_design], rows[:, self.n_design :]

    @cached_property
    def target_norms(self):
        """Norms of the targets, with the weights."""
        weights = (self.weights,) if len(self.weights) else ()
        letters = "it,it,i->t" if weights else "it,it->t"
        squares = _finite(np.einsum(letters, self.Y, self.Y, *weights))
        self._require_squares(squares, self.Y)
        return np.sqrt(squares)
