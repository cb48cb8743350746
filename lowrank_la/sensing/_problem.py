"""What is minimised over the factors of a matrix, at a point and along a line.

The matrix is ``left @ right.T``, or ``left @ left.T`` where it is symmetric. Along a direction
the prediction is a quadratic function of the step, known from two products: steps are chosen
without more of them.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

_ROUNDS, _PROBES = 3, 4  # of subspace iteration, to tell the scale of the matrix
_HALVINGS = 60
_ROUNDING = 1e-28  # of a sum of squares
_REFINEMENTS = 10  # of a step for losses that are no squares
_NEAR = 0.01  # of the step: more closely it is not told


class Factors(NamedTuple):
    """A matrix ``left @ right.T``; both are the same array where it is symmetric."""

    left: np.ndarray
    right: np.ndarray

    @property
    def symmetric(self):
        return self.left is self.right

    def plus(self, step, other):
        """Factors moved by a multiple of others."""
        left = self.left + step * other.left
        return Factors(left, left if self.symmetric else self.right + step * other.right)

    def dot(self, other):
        """Inner product, of both factors."""
        return np.vdot(self.left, other.left) + np.vdot(self.right, other.right)

    def singular_values(self):
        """Singular values of the matrix, falling."""
        left = np.linalg.qr(self.left, mode="r")
        right = left if self.symmetric else np.linalg.qr(self.right, mode="r")
        return np.linalg.svd(left @ right.T, compute_uv=False)

    def canonical(self):
        """Factors of the same matrix: orthogonal columns, of equal norms in both, that fall."""
        left, to_left = np.linalg.qr(self.left)
        if self.symmetric:
            u, values, _ = np.linalg.svd(to_left)
            left = left @ (u * values)
            return Factors(left, left)
        right, to_right = np.linalg.qr(self.right)
        u, values, v = np.linalg.svd(to_left @ to_right.T, full_matrices=False)
        root = np.sqrt(values)
        return Factors(left @ (u * root), right @ (v.T * root))


@dataclass(frozen=True, eq=False)
class Problem:
    """What is minimised: the loss of the predictions, and a multiple of the nuclear norm.

    The penalty of the factors, ``alpha / 2 * (|left|^2 + |right|^2)``, is the nuclear norm of
    the matrix where it is least.
    """

    A: object
    loss: object
    alpha: float
    constant: bool

    def value(self, prediction, factors):
        return self.loss.value(prediction) + 0.5 * self.alpha * factors.dot(factors)

    def gradient(self, point):
        """Gradient in each factor; half of it where they are the same."""
        factors = point.factors
        z, _ = self.loss.derivatives(point.prediction)
        left, right = self.A.adjoint_factors(z, *factors)
        if factors.symmetric:
            left = right = 0.5 * (left + right)
        return Factors(left, right).plus(self.alpha, factors)

    def curve(self, factors, direction):
        """First and second order of the measurements on the way ``factors + step * direction``."""
        (left, right), (to_left, to_right) = factors, direction
        both = np.hstack([left, to_left]), np.hstack([to_right, right])
        return self.A.apply_factors(*both), self.A.apply_factors(to_left, to_right)

    def settled(self, point):
        """Point with the constant that suits it best."""
        if not self.constant:
            return point
        _, prediction, constant = point
        for _ in range(_HALVINGS):
            shift = self.loss.shift(prediction)
            if abs(shift) <= 1e-14 * abs(prediction).max(initial=0.0):
                break
            prediction, constant = prediction - shift, constant - shift
            if self.loss.quadratic:
                break
        return Point(point.factors, prediction, constant)

    def measured(self, factors, constant=0.0):
        """Point of these factors, from new measurements of them."""
        return Point(factors, self.A.apply_factors(*factors) + constant, constant)


class Point(NamedTuple):
    """Factors, the constant, and the prediction of both."""

    factors: Factors
    prediction: np.ndarray
    constant: float


class Line:
    """The objective on the way ``point - step * direction``."""

    def __init__(self, problem, point, direction):
        self.problem, self.point, self.direction = problem, point, direction
        self.u, self.v = problem.curve(point.factors, direction)
        self.z, self.weights = problem.loss.derivatives(point.prediction)
        self.means = 0.0, 0.0
        if problem.constant:  # it follows, so that the prediction keeps its mean
            total = self.weights.sum() or 1.0
            self.means = self.weights @ self.u / total, self.weights @ self.v / total
            self.u, self.v = self.u - self.means[0], self.v - self.means[1]

    def at(self, step):
        """Point after a step."""
        (factors, prediction, constant), (mean_u, mean_v) = self.point, self.means
        return Point(
            factors.plus(-step, self.direction),
            prediction - step * self.u + step**2 * self.v,
            constant + step * mean_u - step**2 * mean_v,
        )

    def best(self):
        """Point where the objective is least, or nearly so; None where all are worse.

        It is where a quartic is least that majorises the objective, or touches it to second
        order; for squares the quartic is the objective.
        """
        u, v, weighted = self.u, self.v, self.weights * self.u
        alpha, factors, direction = self.problem.alpha, self.point.factors, self.direction
        step = _least(
            -self.z @ u - alpha * factors.dot(direction),
            0.5 * weighted @ u + self.z @ v + 0.5 * alpha * direction.dot(direction),
            -weighted @ v,
            0.5 * (self.weights * v) @ v,
        )
        if not self.problem.loss.quadratic:
            step = self._refined(step)
        before = self.problem.value(self.point.prediction, factors)
        for _ in range(_HALVINGS):
            point = self.at(step)
            if self.problem.value(point.prediction, point.factors) <= before:
                return point
            step /= 2
        return None

    def _refined(self, step):
        """Step nearer to the least one, by Newton's method between bounds."""
        low, high = 0.0, np.inf
        for _ in range(_REFINEMENTS):
            slope, curvature = self._slope(step)
            if abs(slope) <= _NEAR * step * curvature:
                break
            low, high = (step, high) if slope < 0 else (low, step)
            new = step - slope / curvature if curvature > 0 else np.inf
            if high == np.inf:
                new = 2 * step
            elif not low < new < high:
                new = (low + high) / 2
            step = new
        return step

    def _slope(self, step):
        """First and second derivative of the objective in the step, the latter majorised."""
        (factors, prediction, _), alpha = self.at(step), self.problem.alpha
        z, weights = self.problem.loss.derivatives(prediction)
        u = self.u - 2 * step * self.v
        slope = -z @ u - alpha * factors.dot(self.direction)
        square = alpha * self.direction.dot(self.direction)
        return slope, (weights * u) @ u + 2 * z @ self.v + square


def _least(*coefficients):
    """Positive step at which a polynomial without a constant term is least."""
    first, last = abs(coefficients[0]), abs(coefficients[-1])
    unit = (first / last) ** (1 / 3) if first and last else 1.0  # both ends count alike then
    scaled = np.array([0.0, *coefficients]) * unit ** np.arange(len(coefficients) + 1)
    polynomial = np.polynomial.Polynomial(scaled)
    roots = polynomial.deriv().roots()
    steps = roots.real[(np.abs(roots.imag) <= 1e-6 * np.abs(roots)) & (roots.real > 0)]
    return unit * (steps[np.argmin(polynomial(steps))] if len(steps) else 1.0)


class Scale(NamedTuple):
    """Sizes that make options free of units."""

    norm: float  # of the matrix: of the multiple of the leading direction that fits best
    curvature: float  # of the objective there; one where measurements keep norms
    slope: float  # of the loss there, at the constant alone


def leading(A, z, rng):
    """Leading singular value of the adjoint of z, about, and its vectors as columns."""
    k = min(*A.matrix_shape, _PROBES)
    left, right = (np.linalg.qr(rng.normal(size=(n, k)))[0] for n in A.matrix_shape)
    for _ in range(_ROUNDS):
        products = A.adjoint_factors(z, left, right)
        left, right = (np.linalg.qr(product)[0] for product in products)
    w, values, v = np.linalg.svd(left.T @ A.adjoint_times(z, right))
    return values[0], left @ w[:, :1], right @ v[:1].T


def scale_of(problem, rng):
    """Tell sizes from the leading direction of the adjoint of the measured values."""
    A, loss = problem.A, problem.loss.smooth()
    prediction = np.full(A.shape[0], loss.start)
    loss.adapt(prediction)
    z, weights = loss.derivatives(prediction)
    _, left, right = leading(A, z, rng)
    q = A.apply_factors(left, right)
    size = weights @ q**2
    if problem.constant:
        q = q - np.average(q, weights=weights)
    curvature = weights @ q**2
    if curvature <= _ROUNDING * size:  # the constant measures as much
        curvature = 0.0
    problem.loss.adapt(prediction)
    slope = abs(problem.loss.derivatives(prediction)[0] @ q)
    return Scale(abs(z @ q) / curvature if curvature else 0.0, curvature, slope)


def random_start(shape, rank, size, symmetric, rng):
    """Small factors, all directions alike: of about this norm."""
    n1, n2 = shape
    left = rng.normal(scale=np.sqrt(size / n1), size=(n1, rank))
    if symmetric:
        return Factors(left, left)
    return Factors(left, rng.normal(scale=np.sqrt(size / n2), size=(n2, rank)))
