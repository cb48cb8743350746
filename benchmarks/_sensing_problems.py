"""Matrices of low rank and their measurements, some of which are wrong or noisy; a picture."""

from typing import NamedTuple

import numpy as np
from scipy import linalg

from ._completion_problems import product_norm

OUTLYING = 10  # standard deviations of the values
_SIDE, _SAMPLES, _NOISE = 64, 2000, 3.0  # of the image regression


class Sensing(NamedTuple):
    """Measurements ``y = A(M)``, and the matrix."""

    A: object
    y: np.ndarray
    matrix: np.ndarray

    @property
    def symmetric(self):
        return np.array_equal(self.matrix, self.matrix.T)

    def error(self, left, right):
        """Relative error of a product, in the Frobenius norm."""
        return relative(left @ right.T, self.matrix)


def relative(found, matrix):
    if not np.isfinite(found).all():
        return float("inf")
    return float(linalg.norm(found - matrix) / linalg.norm(matrix))


def relative_of_factors(given, found):
    """Return the relative error of a product of factors, without the matrix of all entries."""
    parts = [np.hstack([given[0], found[0]]), np.hstack([given[1], -found[1]])]
    return product_norm(*parts) / product_norm(*given)


def low_rank(shape, r, kappa, seed, symmetric=True):
    """Return a matrix with singular values from 1 to 1 / kappa, evenly spaced.

    A symmetric one is positive semidefinite.
    """
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((n, r)))[0] for n in shape)
    right = left if symmetric else right
    found = left * np.linspace(1, 1 / kappa, r) @ right.T
    return (found + found.T) / 2 if symmetric else found


def gaussian(shape, m, seed, symmetric=True):
    """Return normal A_i, as rows, that keep norms on average."""
    A = np.random.default_rng([seed, 1]).standard_normal((m, *shape))
    if symmetric:
        A += A.transpose(0, 2, 1).copy()
        A /= 2
    return A.reshape(m, -1) / np.sqrt(m)


def sensing(n, r, kappa, A, seed):
    """Measure a symmetric matrix."""
    M = low_rank((n, n), r, kappa, seed)
    return Sensing(A, A @ M.ravel(), M)


def with_outliers(problem, share, seed):
    """Add normal numbers, of ten standard deviations, to a share of the values."""
    rng, y = np.random.default_rng([seed, 2]), problem.y
    wrong = rng.random(len(y)) < share
    return problem._replace(y=y + wrong * OUTLYING * y.std() * rng.standard_normal(len(y)))


def with_noise(problem, deviation, seed):
    """Add normal noise."""
    noise = np.random.default_rng([seed, 3]).standard_normal(len(problem.y))
    return problem._replace(y=problem.y + deviation * noise)


def image_regression(quick, seed=0):
    """Return pictures, as rows, and noisy values; the coefficient is one on a rectangle."""
    side, samples = (_SIDE // 4, _SAMPLES // 8) if quick else (_SIDE, _SAMPLES)
    rng, coefficient = np.random.default_rng(seed), np.zeros((side, side))
    coefficient[side // 4 : 3 * side // 4, 5 * side // 16 : 11 * side // 16] = 1
    X = rng.standard_normal((samples, side**2))
    y = X @ coefficient.ravel() + _NOISE * rng.standard_normal(samples)
    return Sensing(X, y, coefficient)
