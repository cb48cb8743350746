"""Methods of least squares, from one pass over the rows to thirty, and the choice among them.

Each takes a design and options, and returns a solution. All but one correct it: what sets them
apart is how they come by an approximate inverse of ``design.T @ design``.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from .._support.blas import single_threaded_blas
from .._support.random import as_generator
from ..sketch import SRHT, CountSketch, Gaussian, SparseSign
from ._design import Design
from ._factor import EPS, NEGLIGIBLE, Factor, from_dependent, from_gram, from_sketch, solve_sketch
from ._refine import corrected
from ._streaming import SketchedRows

SKETCHES = {
    "srht": SRHT,
    "gaussian": Gaussian,
    "sparse_sign": SparseSign,
    "countsketch": CountSketch,
}
_TOLERATED = 10 * EPS  # the backward error that a backward stable method may have
_SPARE = 64  # rows of sketches beyond a multiple of the columns: few columns need more
_WIDE = 200  # columns from which iterations cost less than a second Gram matrix


_matmul = single_threaded_blas()(np.matmul)  # the same bits on any number of threads


@dataclass(frozen=True)
class Options:
    """What the methods may be told.

    Attributes
    ----------
    sketch : str or None
        A key of `SKETCHES`; None leaves it to the method, as does a size of None.
    sketch_size : int or None
    eps, delta : float
        Error and failure probability of "sketch", where no size is given.
    negligible : float
        Singular values of the scaled design below this fraction of the largest
        are taken as zero.
    seed : int
        Key of the sketch.
    """

    sketch: str | None = None
    sketch_size: int | None = None
    eps: float = 0.5
    delta: float = 0.01
    negligible: float = NEGLIGIBLE
    seed: int = 0

    def approximation(self, d):
        """Sketch that stands for the rows: of any number of them, with d columns."""
        law = self.sketch or "srht"
        m = max(self.sketch_size or SKETCHES[law].size(d, self.eps, self.delta), d)
        return self._sketch(law, m)

    def made_sketch(self, design, m, least=1):
        """Sketch of a design with m rows, or the size that is told; sparse rows stay sparse.

        They are at least some times as many as the columns.
        """
        default = "sparse_sign" if design.sparse else "srht"
        m = max(self.sketch_size or m, least * design.n_design)
        return self._sketch(self.sketch or default, m)

    def _sketch(self, law, m):
        few = {"nnz": min(8, m)} if law == "sparse_sign" else {}
        return SKETCHES[law](m, random_state=self.seed, **few)


@dataclass(frozen=True)
class Solution:
    """What a method finds: coefficients of the design, its constant last.

    Attributes
    ----------
    coef : ndarray of shape (d, k)
    norms : ndarray of shape (k,)
        Of the residuals; of the sketched ones for "sketch".
    factor : Factor
    errors : list of float
        Backward errors; that of the coefficients is the least one, or less; none for "sketch".
    method : str
    """

    coef: np.ndarray
    norms: np.ndarray
    factor: Factor
    errors: list
    method: str

    @property
    def converged(self):
        return not self.errors or bool(min(self.errors) <= _TOLERATED)


def _corrected(method, design, factor, coef, norms):
    coef, squares, errors = corrected(design, factor, coef, norms)
    return Solution(coef, np.sqrt(squares), factor, errors, method)


def csne(design, options):
    """Correct scaled normal equations; None where they are too ill conditioned."""
    gram, products = design.gram()
    factor = from_gram(gram, options.negligible)
    factor = factor or from_dependent(gram, design, options.negligible)
    if factor is None:
        return None
    return _corrected("csne", design, factor, factor.solve(products), np.sqrt(np.diag(gram)))


def presketch(design, options):
    """Solve the normal equations in a basis that a sketch of the design gives."""
    rows, _ = design.sketched(options.made_sketch(design, 4 * design.n_design + _SPARE))
    factor, coef = from_sketch(rows, options.negligible, design.constant).recomputed(design)
    return _corrected("presketch", design, factor, coef, linalg.norm(rows, axis=0))


def spir(design, options):
    """Iterate by conjugate gradients, and refine (Epperly, Meier, Nakatsukasa 2024)."""
    return _iterated("spir", design, options, 12, _ConjugateGradients)


def fossils(design, options):
    """Iterate with momentum, and refine (Epperly, Meier, Nakatsukasa 2024)."""
    return _iterated("fossils", design, options, 12, _HeavyBall)


def _iterated(method, design, options, oversampling, solver):
    sketch = options.made_sketch(design, oversampling * design.n_design, least=2)
    rows, targets = design.sketched(sketch)
    factor, start = solve_sketch(rows, targets, options.negligible, design.constant)
    ratio = factor.rank / sketch.shape[0]
    factor = solver(**vars(factor), design=design, ratio=ratio)
    return _corrected(method, design, factor, start, linalg.norm(rows, axis=0))


@dataclass(frozen=True)
class _Iterated(Factor):
    """A factor that solves the normal equations by iterations, each one pass over the rows."""

    passes = True

    design: Design = None
    ratio: float = 0.0  # of the rank to the rows of the sketch: their distance from the identity

    @property
    def tol(self):
        """Of one solve: two of them reach the unit of rounding, or what rounding allows."""
        return min(0.1, max(1e-8, EPS / self.rcond))

    @property
    def max_iter(self):
        """Twice the iterations that the sketch's distortion accounts for."""
        return int(4 * np.log(self.tol) / np.log(self.ratio)) + 2

    def solve(self, gradient):
        y = self._whitened_solve(_matmul(self.basis.T, gradient))
        return self.least_norm(_matmul(self.basis, y))

    def _product(self, y):
        """Multiply by the Gram matrix of the design times the basis."""
        gradient, _ = self.design.gradient(_matmul(self.basis, y), with_targets=False)
        return _matmul(self.basis.T, -gradient)


class _ConjugateGradients(_Iterated):
    def _whitened_solve(self, rhs):
        y, r, p = np.zeros_like(rhs), rhs, rhs
        squares = np.sum(r * r, axis=0)
        enough = self.tol**2 * squares
        for _ in range(self.max_iter):
            if np.all(squares <= enough):
                break
            product = self._product(p)
            step = squares / np.where(squares > 0, np.sum(p * product, axis=0), 1.0)
            y, r = y + step * p, r - step * product
            last, squares = squares, np.sum(r * r, axis=0)
            p = r + squares / np.where(last > 0, last, 1.0) * p
        return y


class _HeavyBall(_Iterated):
    def _whitened_solve(self, rhs):
        momentum = self.ratio
        step = (1 - momentum) ** 2
        y = last = np.zeros_like(rhs)
        enough = self.tol * linalg.norm(rhs, axis=0)
        for _ in range(self.max_iter):
            r = rhs - self._product(y)
            if np.all(linalg.norm(r, axis=0) <= enough):
                break
            y, last = y + step * r + momentum * (y - last), y
        return y


def sketch_and_solve(design, options):
    """Least squares of the sketched rows: one pass."""
    sketch = options.approximation(design.n_design)
    kept = SketchedRows(sketch, design.device)
    kept.update(design)
    X, Y = np.hsplit(kept.rows(), [design.n_design])
    given = {"fit_intercept": design.constant, "constant_given": design.constant}
    solution = qr(Design(X, Y, alpha=design.penalties, **given), options)
    return replace(solution, errors=[], method="sketch")


def qr(design, options):
    """LAPACK's QR factorisation of the design: for few rows."""
    rows, targets = design.all_rows()
    factor, coef = solve_sketch(rows, targets, options.negligible, design.constant)
    return _corrected("qr", design, factor, coef, linalg.norm(rows, axis=0))


def auto(design, options):
    """Choose the fastest method that is backward stable for this design."""
    if design.n < 4 * design.n_design:
        return qr(design, options)
    if design.sparse or not _looks_ill_conditioned(design):
        solution = csne(design, options)
        if solution is not None and solution.converged:
            return solution
    return (presketch if design.n_design < _WIDE else spir)(design, options)


def _looks_ill_conditioned(design):
    """Whether some rows are too ill conditioned for the normal equations, though independent."""
    rows = design.some_rows(4 * design.n_design)
    rcond = from_sketch(rows).rcond
    return NEGLIGIBLE < rcond < 1e-9


METHODS = {
    "auto": auto,
    "csne": csne,
    "presketch": presketch,
    "spir": spir,
    "fossils": fossils,
    "qr": qr,
    "sketch": sketch_and_solve,
}


def seed_of(name, rng):
    """Key for a sketch, from any of NumPy's seeds, which the user passed by a name."""
    return int(as_generator(rng, name).integers(2**63))
