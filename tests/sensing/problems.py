"""Matrices of low rank, what measures them, and what is minimised to find them."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from lowrank_la.sensing._losses import (
    Absolute,
    Dropped,
    Huber,
    Logistic,
    SharplyAbsolute,
    Sign,
    Squared,
)
from lowrank_la.sensing._operators import MatrixMeasurements
from lowrank_la.sensing._problem import Factors, Point, Problem

LOSSES = {
    loss.__name__: loss for loss in (Squared, Dropped, Huber, Absolute, SharplyAbsolute, Logistic)
}  # those that have a gradient
ALL_LOSSES = LOSSES | {"Sign": Sign}


class Measured(NamedTuple):
    """A_i as an array of shape (m, n1, n2), their values, the matrix."""

    A: np.ndarray
    y: np.ndarray
    M: np.ndarray


def low_rank(shape, r, kappa=1.0, symmetric=False, seed=0):
    """Singular values from 1 to 1 / kappa."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((n, r)))[0] for n in shape)
    return left * np.linspace(1, 1 / kappa, r) @ (left if symmetric else right).T


def gaussian(shape, r, m, kappa=1.0, symmetric=False, seed=0, noise=0.0, outliers=0.0):
    """Normal A_i that keep norms on average; outliers have ten standard deviations."""
    rng = np.random.default_rng(seed + 1000)
    M = low_rank(shape, r, kappa, symmetric, seed)
    A = rng.standard_normal((m, *shape)) / np.sqrt(m)
    y = measure(A, M)
    bad = rng.random(m) < outliers
    y = y + noise * rng.standard_normal(m) + bad * 10 * y.std() * rng.standard_normal(m)
    return Measured(A, y, M)


def orthonormal(shape, r, kappa=1.0, symmetric=False, seed=0):
    """A_i that are an orthonormal basis of all matrices."""
    rng = np.random.default_rng(seed)
    size = shape[0] * shape[1]
    A = np.linalg.qr(rng.standard_normal((size, size)))[0].reshape(size, *shape)
    M = low_rank(shape, r, kappa, symmetric, seed)
    return Measured(A, measure(A, M), M)


def measure(A, X):
    return np.tensordot(A, X, 2)


def error(found, M):
    """Relative error of a result, or of a matrix."""
    return np.linalg.norm(getattr(found, "matrix", found) - M) / np.linalg.norm(M)


@st.composite
def points(draw, losses=tuple(LOSSES), penalties=(0.0, 0.3)):
    """A problem, a point of it whose constant is settled, and a generator."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    symmetric, constant = draw(st.booleans()), draw(st.booleans())
    n1 = draw(st.integers(1, 5))
    n2 = n1 if symmetric else draw(st.integers(1, 5))
    k = draw(st.integers(1, min(n1, n2)))
    m = draw(st.integers(2, 20))
    A = rng.standard_normal((m, n1, n2))
    loss = LOSSES[draw(st.sampled_from(losses))]
    y = 3 * rng.standard_normal(m)
    if loss is Logistic:
        y = np.arange(m) % 2.0
    weights = np.ones(m)
    if draw(st.booleans()):
        weights = rng.integers(0, 4, m).astype(float)
        weights[:2] += 1.0  # both classes have some
    problem = Problem(
        MatrixMeasurements(A), loss(y, weights), draw(st.sampled_from(penalties)), constant
    )
    point = problem.measured(random_factors((n1, n2), k, symmetric, rng))
    problem.loss.adapt(point.prediction)
    return problem, problem.settled(point), rng


def random_factors(shape, k, symmetric, rng):
    left = rng.standard_normal((shape[0], k))
    return Factors(left, left if symmetric else rng.standard_normal((shape[1], k)))


def like(factors, rng):
    """Random factors of the same form."""
    (n1, k), (n2, _) = factors.left.shape, factors.right.shape
    return random_factors((n1, n2), k, factors.symmetric, rng)


def objective(problem, factors, constant):
    """By its definition."""
    left, right = factors
    prediction = problem.A @ (left @ right.T).ravel() + constant
    squares = np.sum(left**2) + np.sum(right**2)
    return problem.loss.value(prediction) + problem.alpha * squares / 2


def rotated(factors, rng):
    """Other factors of the same matrix."""
    k = factors.left.shape[1]
    Q = np.linalg.qr(rng.standard_normal((k, k)))[0]
    left = factors.left @ Q
    return Factors(left, left if factors.symmetric else factors.right @ Q)


def point_at(problem, factors, constant=0.0):
    return Point(factors, problem.A.apply_factors(*factors) + constant, constant)
