"""Inverses of the normal equations' matrix: approximate ones, from a Gram matrix or a sketch."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from .._support.blas import single_threaded_blas

EPS = np.finfo(np.float64).eps
# The least reciprocal condition of a scaled Cholesky factor with which correction converges.
SAFE = 3e-8
# Singular values below this fraction of the largest one are zero but for rounding.
NEGLIGIBLE = 30 * EPS
# Eigenvalues of a scaled Gram matrix above this fraction of the largest stand out from rounding.
_GAP = 1e-9
_DEPENDENCES = 8  # more take as many passes as another method
_TINY = 1e-150  # smaller numbers have squares that vanish


@dataclass(frozen=True)
class Factor:
    """The inverse of ``design.T @ design``, as ``basis @ inv(core.T @ core) @ basis.T``.

    Attributes
    ----------
    basis : ndarray of shape (d, r)
        The design times it has full rank, and is well conditioned.
    core : ndarray of shape (r, r)
        Upper triangular: ``core.T @ core`` is the Gram matrix of the design times the basis.
    rcond : float
        Reciprocal condition of the design with columns of norm one, an estimate.
    rows : ndarray of shape (d, r), optional
        Orthonormal columns that span the design's rows, where its columns are
        dependent.
    constant : bool
        Whether the last column is a constant, whose coefficient has no norm.
    """

    basis: np.ndarray
    core: np.ndarray
    rcond: float
    rows: np.ndarray | None = None
    constant: bool = False

    passes = False  # whether to solve takes passes over the rows

    @property
    def rank(self):
        return self.basis.shape[1]

    @single_threaded_blas()
    def solve(self, gradient):
        """Solve the normal equations, or an approximation of them."""
        return self.least_norm(
            self.basis @ linalg.cho_solve((self.core, False), self.basis.T @ gradient)
        )

    def least_norm(self, coef):
        """Take away from coefficients what the design maps to zero."""
        if self.rows is None or not self.constant:
            return coef if self.rows is None else self.rows @ (self.rows.T @ coef)
        *rows, last = self.rows
        rows = np.array(rows)
        # Rows of the design, combined so that the constant cancels: still orthonormal.
        combined = rows @ linalg.qr(last[:, None])[0][:, 1:]
        least = combined @ (combined.T @ coef[:-1])
        shifted = coef[-1] - last @ (rows.T @ (least - coef[:-1])) / (last @ last)
        return np.vstack([least, shifted])

    def rescaled(self, scale):
        """Factor of a design whose columns are the present ones divided by factors."""
        rows = self.rows
        if rows is not None:
            rows = linalg.qr(rows / scale[:, None], mode="economic")[0]
        return replace(self, basis=scale[:, None] * self.basis, rows=rows)

    def rank_of(self, n_features):
        """Rank of the features; of the centred ones if a constant follows them."""
        return self.rank - (len(self.basis) - n_features)

    @single_threaded_blas()
    def singular_values(self, n_features):
        """Singular values of the features, the largest one first.

        Of the centred features, if a constant follows them in the design.
        """
        inverse = linalg.solve_triangular(self.core, self.basis.T, trans=1).T
        values = linalg.svdvals(self.least_norm(inverse)[:n_features])[: self.rank_of(n_features)]
        with np.errstate(divide="ignore"):
            return 1 / values[::-1]

    def recomputed(self, design):
        """Return the factor with the design's own Gram matrix as its core, and its solution."""
        return self._with_core(*design.gram(self.basis))

    @single_threaded_blas()
    def _with_core(self, gram, products):
        factor = replace(self, core=linalg.cholesky(gram))
        coef = self.basis @ linalg.cho_solve((factor.core, False), products)
        return factor, factor.least_norm(coef)


@single_threaded_blas()
def from_gram(gram, negligible=NEGLIGIBLE):
    """Factor of the normal equations themselves, or None where they are too ill conditioned."""
    used, scale, scaled = _correlations(gram)
    try:
        triangle = linalg.cholesky(scaled)
    except linalg.LinAlgError:
        return None
    rcond = _rcond(triangle)
    safe = rcond > max(SAFE, 10 * len(scale) * negligible)
    return _factor(triangle, used, scale, len(gram), rcond) if safe else None


@single_threaded_blas()
def from_dependent(gram, design, negligible=NEGLIGIBLE):
    """Factor of normal equations whose columns depend on each other, else well conditioned.

    The columns of all levels of a category, for instance, add up to the constant. Two more passes
    for each dependence confirm it; where there are none or many, or one is not confirmed, the
    result is None.
    """
    used, scale, scaled = _correlations(gram)
    values, vectors = linalg.eigh(scaled)
    q = int((values < 4 * len(values) * EPS * values[-1]).sum())
    negligible_value = (10 * len(values) * negligible) ** 2
    if not 0 < q <= _DEPENDENCES or values[q] < max(_GAP, negligible_value) * values[-1]:
        return None
    vectors = scale[:, None] * vectors
    basis, null = np.zeros((len(gram), len(used) - q)), np.zeros((len(gram), q))
    basis[used], null[used] = vectors[:, q:] / np.sqrt(values[q:]), vectors[:, :q]
    for column in null.T:
        column += basis @ (basis.T @ design.product(column)[0])
        size = np.sqrt(values[-1]) * linalg.norm(column[used] / scale)
        if np.sqrt(design.product(column)[1]) > negligible * size:
            return None
    rows, rcond = linalg.qr(null)[0][:, q:], np.sqrt(values[q] / values[-1])
    return Factor(basis, np.eye(basis.shape[1]), rcond, rows, design.constant)


def from_sketch(sketch, negligible=NEGLIGIBLE, constant=False):
    """Factor of a sketch of the design; see :func:`solve_sketch`."""
    return solve_sketch(sketch, np.empty((len(sketch), 0)), negligible, constant)[0]


@single_threaded_blas()
def solve_sketch(sketch, targets, negligible=NEGLIGIBLE, constant=False):
    """Solve a sketched problem by Householder's QR factorisation, without what is negligible.

    Parameters
    ----------
    sketch : ndarray of shape (m, d)
        Of the design.
    targets : ndarray of shape (m, k)
    negligible : float
        Singular values below this fraction of the largest one count as zero;
        of the matrix with columns of norm one.
    constant : bool
        Whether the last column is one, whose coefficient has no norm.

    Returns
    -------
    factor : Factor
    coef : ndarray of shape (d, k)
    """
    used, scale = _scales(_norms(sketch))
    r, d = len(scale), sketch.shape[1]
    reduced = linalg.qr(np.hstack([sketch[:, used] * scale, targets]), mode="r")[0][:r]
    triangle, rotated = np.hsplit(reduced, [r])
    rcond = _rcond(triangle)
    if len(triangle) == r and rcond > 10 * r * negligible:
        factor = _factor(triangle, used, scale, d, rcond)
        return factor, factor.basis @ rotated
    factor, U = _truncated(triangle, used, scale, d, negligible)
    factor = replace(factor, constant=constant)
    return factor, factor.least_norm(factor.basis @ (U.T @ rotated))


def _norms(rows):
    """Norms of columns, unless squares overflow or vanish."""
    norms = linalg.norm(rows, axis=0)
    if not np.isfinite(norms).all() or rows[:, norms < _TINY].any():
        raise FloatingPointError
    return norms


def _scales(norms):
    """Return the columns that are not zero, and the factors that make their norms one."""
    used = np.flatnonzero(norms > 0)
    return used, 1 / norms[used]


def _correlations(gram):
    """Return the columns that are not zero, their scales, and their scaled Gram matrix."""
    used, scale = _scales(np.sqrt(np.diag(gram)))
    return used, scale, scale[:, None] * gram[np.ix_(used, used)] * scale


def _rcond(triangle):
    """Estimate of the reciprocal condition, in the 1-norm."""
    return linalg.lapack.dtrcon(triangle)[0] if triangle.shape[0] == triangle.shape[1] else 0.0


def _factor(triangle, used, scale, d, rcond):
    basis = np.zeros((d, len(used)))
    if not len(used):
        return Factor(basis, np.eye(0), 1.0)
    basis[used] = scale[:, None] * linalg.lapack.dtrtri(triangle)[0]
    return Factor(basis, np.eye(len(used)), rcond)


def _truncated(triangle, used, scale, d, negligible):
    U, s, Vt = linalg.svd(triangle, full_matrices=False)
    r = int((s > negligible * s[0]).sum()) if len(s) else 0
    basis, rows = np.zeros((2, d, r))
    basis[used] = scale[:, None] * Vt[:r].T / s[:r]
    if r == len(used):
        return Factor(basis, np.eye(r), s[-1] / s[0]), U
    rows[used] = linalg.qr(Vt[:r].T / scale[:, None], mode="economic")[0]
    return Factor(basis, np.eye(r), s[r - 1] / s[0] if r else 1.0, rows), U[:, :r]
