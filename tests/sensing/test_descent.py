"""What is minimised, lines through it, steps, and starts."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lowrank_la.sensing._descent import Trace, _conjugate, descend, exact_step, fixed_step
from lowrank_la.sensing._losses import Squared
from lowrank_la.sensing._operators import MatrixMeasurements
from lowrank_la.sensing._problem import (
    Factors,
    Line,
    Problem,
    _least,
    leading,
    random_start,
    scale_of,
)
from lowrank_la.sensing._scaled_gd import plain_method, scaled_method
from tests.sensing.problems import (
    gaussian,
    like,
    low_rank,
    objective,
    orthonormal,
    point_at,
    points,
    random_factors,
    rotated,
)

SQUARES = ("Squared",)  # where the quartic is the objective
METHODS = {
    "exact": scaled_method(),
    "fixed": scaled_method(damping="constant", step_size=0.5),
    "plain": plain_method(0.5),
}


def close(found, expected, tol=1e-9):
    size = max(np.abs(expected).max(initial=0.0), 1e-300)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tol * size)


# The objective


@given(points())
def test_gradient_is_that_of_the_objective(drawn):
    """Half of it, for symmetric matrices."""
    problem, point, rng = drawn
    factors, constant = point.factors, point.constant
    gradient, towards, h = problem.gradient(point), like(factors, rng), 1e-6
    assert gradient.symmetric == factors.symmetric
    after, before = (objective(problem, factors.plus(s, towards), constant) for s in (h, -h))
    value = objective(problem, factors, constant)
    slope = gradient.dot(towards)
    assert (after - before) / (2 * h) == pytest.approx(slope, rel=1e-4, abs=1e-5 * (1 + value))


@given(points())
def test_value_is_that_of_the_definition(drawn):
    problem, (factors, prediction, constant), _ = drawn
    value = problem.value(prediction, factors)
    assert value == pytest.approx(objective(problem, factors, constant), rel=1e-9)


@given(points(), st.floats(-3, 3))
def test_a_settled_constant_is_the_best(drawn, shift):
    problem, point, _ = drawn
    value = problem.value(point.prediction, point.factors)
    if problem.constant:
        for move in (shift, 1e-3 * shift):
            other = problem.value(point.prediction + move, point.factors)
            assert value <= other * (1 + 1e-6) + 1e-12  # in steps that are majorised
    else:
        assert point.constant == 0
    product = problem.A @ (point.factors.left @ point.factors.right.T).ravel()
    close(point.prediction, product + point.constant)


# Lines


@given(points(), st.floats(-2, 2))
def test_predictions_along_a_line_are_those_of_measurements(drawn, step):
    problem, point, rng = drawn
    direction = like(point.factors, rng)
    moved = Line(problem, point, direction).at(step)
    for found, factor, towards in zip(moved.factors, point.factors, direction, strict=True):
        np.testing.assert_allclose(found, factor - step * towards, rtol=0, atol=1e-14)
    assert moved.factors.symmetric == point.factors.symmetric
    fresh = problem.measured(moved.factors, moved.constant)
    size = np.abs(point.prediction).max() + np.abs(fresh.prediction).max()
    np.testing.assert_allclose(moved.prediction, fresh.prediction, rtol=0, atol=1e-11 * size)
    assert bool(moved.constant != point.constant) <= problem.constant


@given(points())
def test_the_objective_along_a_line_is_a_quartic_with_this_start(drawn):
    problem, point, rng = drawn
    line = Line(problem, point, like(point.factors, rng))
    h = 1e-6
    after, before = (problem.value(p.prediction, p.factors) for p in (line.at(h), line.at(-h)))
    slope = problem.gradient(point).dot(line.direction)
    value = problem.value(point.prediction, point.factors)
    assert (before - after) / (2 * h) == pytest.approx(slope, rel=1e-4, abs=1e-5 * (1 + value))


@given(points(losses=SQUARES))
def test_no_point_of_a_line_is_better_than_the_best(drawn):
    problem, point, _ = drawn
    gradient = problem.gradient(point)
    assume(gradient.dot(gradient) > 1e-12)
    line = Line(problem, point, gradient)
    best = line.best()
    assert best is not None
    value = problem.value(best.prediction, best.factors)
    before = problem.value(point.prediction, point.factors)
    assert value < before
    ends = _steps_of(line)
    steps = np.unique(np.r_[np.linspace(0, 3, 301) * max(ends), np.outer(ends, 1 + _NEAR).ravel()])
    others = [line.at(step) for step in steps]
    least = min(problem.value(other.prediction, other.factors) for other in others)
    assert value <= least + 1e-8 * before


_NEAR = np.r_[-np.logspace(-1, -6, 6), 0, np.logspace(-6, -1, 6)]


def _steps_of(line):
    """Positive steps at which the objective, fitted from five of its points, has no slope."""
    at = np.linspace(0.0, 1.0, 5)
    unit = 1.0
    for _ in range(8):  # until the least is among the points
        there = [line.at(step) for step in unit * at]
        values = [line.problem.value(p.prediction, p.factors) for p in there]
        if values[1] > values[0]:
            unit /= 4
        elif values[-1] < values[-2]:
            unit *= 4
    roots = np.polynomial.Polynomial.fit(at, values, 4, domain=[-1, 1]).deriv().roots()
    real = roots.real[(abs(roots.imag) < 1e-6) & (roots.real > 0)]
    return unit * real if len(real) else np.array([unit])


@given(points())
def test_exact_steps_never_raise_the_objective(drawn):
    problem, point, rng = drawn
    before = problem.value(point.prediction, point.factors)
    for direction in (problem.gradient(point), like(point.factors, rng)):
        new = exact_step(problem, point, direction, 0)
        if new is not None:
            assert problem.value(new.prediction, new.factors) <= before


@given(points(), st.sampled_from([1e-3, 0.3, 50.0, 1e8]))
def test_fixed_steps_never_raise_the_objective(drawn, size):
    problem, point, _ = drawn
    gradient = problem.gradient(point)
    new = fixed_step(size)(problem, point, gradient, 0)
    before = problem.value(point.prediction, point.factors)
    if gradient.dot(gradient) > 1e-6 * before:
        assert new is not None
    if new is not None:
        assert problem.value(new.prediction, new.factors) <= before
        moved = new.factors.left - point.factors.left
        if np.linalg.norm(moved) > 1e-9 * np.linalg.norm(point.factors.left):
            halvings = np.log2(size * np.linalg.norm(gradient.left) / np.linalg.norm(moved))
            assert halvings == pytest.approx(round(halvings), abs=1e-5)


def test_a_fixed_step_that_is_good_is_taken_as_it_is():
    A, y, M = orthonormal((3, 4), 2)
    problem = Problem(MatrixMeasurements(A), Squared(y, np.ones(12)), 0.0, False)
    point = problem.measured(random_factors((3, 4), 2, False, np.random.default_rng(0)))
    gradient = problem.gradient(point)
    new = fixed_step(1e-2)(problem, point, gradient, 0)
    np.testing.assert_array_equal(new.factors.left, point.factors.left - 1e-2 * gradient.left)
    np.testing.assert_array_equal(new.factors.right, point.factors.right - 1e-2 * gradient.right)


@pytest.mark.parametrize("unit", [1e-60, 1e-6, 1.0, 1e6, 1e60])
def test_least_of_a_quartic(unit):
    # (s - 1)^2 (s - 3)^2 - s: two valleys, of which the second is deeper
    polynomial = np.polynomial.Polynomial.fromroots([1, 1, 3, 3]) - np.polynomial.Polynomial([0, 1])
    coefficients = polynomial.coef[1:] / unit ** np.arange(1, 5)
    step = _least(*coefficients) / unit
    assert polynomial.deriv()(step) == pytest.approx(0, abs=1e-9)
    assert 3 < step < 3.5


def test_the_first_valley_may_be_the_deeper_one():
    polynomial = np.polynomial.Polynomial.fromroots([1, 1, 3, 3]) + np.polynomial.Polynomial([0, 1])
    assert 0.5 < _least(*polynomial.coef[1:]) < 1


def test_least_of_polynomials_of_lower_degree():
    assert _least(-2.0, 1.0, 0.0, 0.0) == pytest.approx(1)
    assert _least(-2.0, 0.5, 0.0, 0.0) == pytest.approx(2)
    assert np.isfinite(_least(0.0, 0.0, 0.0, 0.0))


# Directions


@given(points())
def test_conjugate_directions_lead_down(drawn):
    problem, point, rng = drawn
    gradient = problem.gradient(point)
    memory = tuple(like(point.factors, rng) for _ in range(3))
    direction = _conjugate(memory, gradient, gradient)
    slope = gradient.dot(gradient)
    assert gradient.dot(direction) >= 0.1 * slope
    assert _conjugate(None, gradient, gradient) is gradient


@pytest.mark.parametrize("symmetric", [True, False])
def test_polak_and_ribiere(symmetric):
    rng = np.random.default_rng(3)
    gradient = random_factors((3, 4 if not symmetric else 3), 2, symmetric, rng)
    last = gradient.plus(0.5, like(gradient, rng))
    last_direction = gradient.plus(0.3, like(gradient, rng))
    direction = _conjugate((last, last, last_direction), gradient, gradient)
    g, before = (np.r_[f.left.ravel(), f.right.ravel()] for f in (gradient, last))
    beta = g @ (g - before) / (before @ before)
    assert beta > 0
    np.testing.assert_allclose(direction.left, gradient.left + beta * last_direction.left)
    np.testing.assert_allclose(direction.right, gradient.right + beta * last_direction.right)


# Descents


def noisy_problem(symmetric=False, loss=Squared, alpha=0.0, seed=0):
    A, y, _ = gaussian((6, 6), 2, 100, 10, symmetric, seed, noise=0.01)
    return Problem(MatrixMeasurements(A), loss(y, np.ones(100)), alpha, False)


def way(problem, factors, method_of, n_iter):
    """Factors after each iteration."""
    method, passed = method_of(scale_of(problem, np.random.default_rng(0))), []

    def callback(info):
        left, right = info["left"], info["right"]
        passed.append(Factors(left, left if factors.symmetric else right))

    descend(problem, factors, method, n_iter, Trace(1e-12, callback))
    return passed


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_other_factors_of_the_same_matrix_go_the_same_way(method, symmetric):
    problem, rng = noisy_problem(symmetric), np.random.default_rng(0)
    factors = random_factors((6, 6), 3, symmetric, rng)
    first, second = (
        way(problem, start, METHODS[method], 12) for start in (factors, rotated(factors, rng))
    )
    assert len(first) == len(second) == 12
    for one, other in zip(first, second, strict=True):
        close(one.left @ one.right.T, other.left @ other.right.T, 1e-7)


@pytest.mark.parametrize("method", METHODS)
@given(points(losses=("Squared",)))
def test_objectives_of_squares_fall(method, drawn):
    problem, point, _ = drawn
    passed = [point.factors, *way(problem, point.factors, METHODS[method], 15)]
    values = []
    for factors in passed:
        best = problem.settled(problem.measured(factors))
        values.append(problem.value(best.prediction, factors))
    assert (np.diff(values) <= 1e-12 * values[0]).all()


def test_the_best_point_for_what_is_held_out_is_kept():
    A, y, _ = gaussian((8, 8), 1, 120, noise=0.1, seed=3)
    fitted = (np.arange(120) % 4 != 0).astype(float)
    problem = Problem(MatrixMeasurements(A), Squared(y, fitted), 0.0, False)
    held_out = Squared(y, 1 - fitted)
    rng = np.random.default_rng(0)
    scale = scale_of(problem, rng)
    trace = Trace(1e-10, held_out=held_out)
    factors = random_start((8, 8), 6, 1e-6, False, rng)
    point, converged = descend(problem, factors, scaled_method(step_size=0.3)(scale), 300, trace)
    assert converged
    assert held_out.relative(point.prediction) == min(trace.validation) < trace.validation[-1]
    assert np.argmin(trace.validation) == len(trace.validation) - 21


# Factors


@given(points())
def test_canonical_factors(drawn):
    _, point, _ = drawn
    factors = point.factors
    canonical = factors.canonical()
    product = factors.left @ factors.right.T
    close(canonical.left @ canonical.right.T, product)
    assert canonical.symmetric == factors.symmetric
    values = np.linalg.svd(product, compute_uv=False)[: factors.left.shape[1]]
    for factor in canonical:
        close(factor.T @ factor, np.diag(values), 1e-9)
    close(factors.singular_values(), values, 1e-9)


def test_dot_counts_both_factors():
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((3, 2)), rng.standard_normal((4, 2))
    factors = Factors(left, right)
    assert factors.dot(factors) == pytest.approx(np.sum(left**2) + np.sum(right**2))
    same = Factors(left, left)
    assert same.dot(same) == pytest.approx(2 * np.sum(left**2))
    assert not factors.symmetric
    assert same.plus(2.0, same).symmetric


# Units and starts


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (6, 2), (7, 9)])
def test_scale_of_an_orthonormal_basis_is_the_norm_of_the_matrix(shape):
    A, y, M = orthonormal(shape, min(shape[0], shape[1], 2), 5.0)
    problem = Problem(MatrixMeasurements(A), Squared(y, np.ones(len(y))), 0.0, False)
    scale = scale_of(problem, np.random.default_rng(0))
    assert scale.norm == pytest.approx(1, rel=1e-9)
    assert scale.curvature == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("constant", [True, False])
def test_scale_grows_with_the_matrix_and_the_weights(constant):
    A, y, _ = gaussian((5, 4), 2, 200)
    scales = [
        scale_of(
            Problem(MatrixMeasurements(a * A), Squared(b * y, np.full(200, w)), 0.0, constant),
            np.random.default_rng(0),
        )
        for a, b, w in ((1, 1, 1), (1e3, 1e5, 7))
    ]
    assert scales[1].norm == pytest.approx(1e2 * scales[0].norm, rel=1e-9)
    assert scales[1].curvature == pytest.approx(7e6 * scales[0].curvature, rel=1e-9)


def test_leading_singular_value_and_vectors():
    M = low_rank((9, 7), 3, 4.0)
    A = MatrixMeasurements(np.eye(63), (9, 7))
    value, left, right = leading(A, 5 * M.ravel(), np.random.default_rng(0))
    assert value == pytest.approx(5)
    assert left.shape, right.shape == ((9, 1), (7, 1))
    assert (left.T @ M @ right).item() == pytest.approx(1)
    assert np.linalg.norm(left) == pytest.approx(1)


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_start_has_the_size_asked_for_in_all_directions(symmetric):
    rng = np.random.default_rng(0)
    shape = (400, 400 if symmetric else 900)
    left, right = random_start(shape, 3, 1e-4, symmetric, rng)
    assert (left is right) == symmetric
    values = np.linalg.svd(left @ right.T, compute_uv=False)[:3]
    np.testing.assert_allclose(values, 1e-4, rtol=0.3)


def test_a_start_elsewhere_changes_nothing_but_the_start():
    """Predictions are measured, not carried along, where a descent begins."""
    problem = noisy_problem()
    factors = random_factors((6, 6), 2, False, np.random.default_rng(1))
    point = point_at(problem, factors)
    np.testing.assert_allclose(problem.measured(factors).prediction, point.prediction)
