"""Rows to be scored, and the inverse of their Gram matrix."""

from numbers import Real

import numpy as np
from scipy import linalg

from .._support.blas import single_threaded_blas
from .._support.cuda import resolve_device
from .._support.validation import (
    check_threads,
    check_weights,
    require_memory,
)
from ..linear_model._design import Design, column_sizes
from ..linear_model._factor import EPS, from_dependent, from_gram, from_sketch
from ..linear_model._lstsq import checked_design, power_of_two, require_finite, scaled, units
from ..linear_model._methods import Options, seed_of

_ERROR = 1e-8  # of scores, relative, with which one Gram matrix is good enough
_DISTORTION = 4  # rows of a sketch for each column, over the square of the error


def check_number(name, value, below=np.inf, zero=False):
    """Return a number above zero, or zero, and below a bound as a float, or raise a ValueError."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not (real and (0 < value < below or (zero and value == 0))):
        least = "of at least 0" if zero else "above 0"
        most = "finite" if below == np.inf else f"below {below}"
        raise ValueError(f"{name}={value!r}: a number {least}, and {most}, is needed")
    return float(value)


class ScoredRows:
    """Rows to be scored: checked, and scaled where squares of them would overflow or vanish.

    Parameters
    ----------
    name : str
        What the user calls them, for errors.
    A : array_like or sparse matrix of shape (n, d)
    sample_weight : array_like of shape (n,), or None
    n_jobs : int, or None
    device : {None, "cpu", "cuda"}
    rng : Generator
    ridge : float

    Attributes
    ----------
    A : array or CSR matrix
    weights : ndarray of shape (n,)
    scale : ndarray of shape (d,)
        What the columns were multiplied by.
    dtype : dtype
        Of scores.
    """

    def __init__(self, name, A, sample_weight=None, n_jobs=None, device=None, rng=None, ridge=0.0):
        if n_jobs is not None:
            check_threads("n_jobs", n_jobs)
        self._name, self._where = name, {"n_threads": n_jobs, "device": resolve_device(device, A)}
        self.A = checked_design(name, A, self._where["device"])
        self.n, self.d = self.A.shape
        what = f"A Gram matrix of the {self.d} columns of {name}"
        require_memory(what, 4 * 8 * self.d**2, "Sample or sketch the columns first.")
        self.scale, self._root = np.ones(self.d), np.sqrt(ridge)
        self.weighted = sample_weight is not None
        self.weights = check_weights(sample_weight, self.n)
        self.dtype = np.dtype(np.float32 if self.A.dtype == np.float32 else np.float64)
        self.options, self._factor = Options(seed=seed_of("rng", rng)), None

    @property
    def factor(self):
        """Inverse of the Gram matrix of the rows with their weights."""
        if self._factor is None:
            weights = self.weights if self.weighted else None
            self._factor = exact_factor(self.design(weights), self.options)
        return self._factor

    def design(self, weights=None):
        """Rows times the roots of weights: by default, of none."""
        targets = np.zeros((self.n, 1))  # designs have some; nothing is made of these
        alpha = (self._root * self.scale) ** 2
        return Design(self.A, targets, weights, alpha, **self._where)

    def guarded(self, compute, *args):
        """Compute from rows that may be scaled: what does not depend on the columns' units."""
        try:
            with np.errstate(all="ignore"):
                return compute(*args)
        except FloatingPointError:
            require_finite(self._name, self.A)
        level = 1 / power_of_two(self.weights.max())
        self.weights, self._root = self.weights * level, self._root * np.sqrt(level)
        sizes = np.maximum(column_sizes(self.A).astype(np.float64), self._root)
        self.scale, self._factor = units(sizes), None
        self.A = scaled(self.A, self.scale)
        try:
            with np.errstate(all="ignore"):
                return compute(*args)
        except FloatingPointError as error:
            raise ValueError(
                f"{self._name} has rows of too different sizes for the powers asked for"
            ) from error

    def leverage(self, method="exact", eps=0.25):
        """Leverage scores, in float64."""
        return self.guarded(self._leverage, method, eps)

    def _leverage(self, method, eps):
        design = self.design(self.weights if self.weighted else None)
        m = np.ceil(_DISTORTION * self.d / eps / eps)
        if method == "sketched" and m < self.n:
            return self._estimated(design, int(m), eps)
        factor = stable_factor if method == "stable" else exact_factor
        return design.row_squares(inverse_root(factor(design, self.options)))

    def _estimated(self, design, m, eps):
        rows, _ = design.sketched(self.options.made_sketch(design, m))
        root, k = inverse_root(from_sketch(rows)), int(np.ceil(2 / eps**2))
        if k < root.shape[1]:
            rng = np.random.default_rng(self.options.seed)
            root = root @ (rng.standard_normal((root.shape[1], k)) / np.sqrt(k))
        return design.row_squares(root)


@single_threaded_blas()
def inverse_root(factor):
    """Return M so that ``M @ M.T`` is the (pseudo-)inverse of a design's Gram matrix."""
    return linalg.solve_triangular(factor.core, factor.basis.T, trans=1).T


def exact_factor(design, options, error=_ERROR):
    """Inverse of the Gram matrix of a design of any conditioning.

    Parameters
    ----------
    design : Design
    options : Options
    error : float
        That scores may have, relative to themselves, if one Gram matrix is all it takes.

    Returns
    -------
    factor : Factor
    """
    gram, _ = design.gram()
    factor = from_gram(gram, options.negligible)
    if factor is not None and _rounding(gram, factor.basis) < error:
        return factor
    factor = factor or from_dependent(gram, design, options.negligible)
    return factor.recomputed(design)[0] if factor else stable_factor(design, options)


def _rounding(gram, basis):
    """Relative error that rounding of a Gram matrix may cause in its quadratic forms."""
    # Of columns scaled to norm one: each entry is off by EPS, or less, and the basis spreads it.
    scaled_basis = np.sqrt(np.diag(gram))[:, None] * basis
    return EPS * np.sqrt(len(gram)) * np.sum(scaled_basis**2)


def stable_factor(design, options):
    """Inverse of the Gram matrix of a design, in a basis that a sketch of it gives."""
    sketch = options.made_sketch(design, 4 * design.n_design + 64)
    rows, _ = design.sketched(sketch)
    return from_sketch(rows, options.negligible, design.constant).recomputed(design)[0]
