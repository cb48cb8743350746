import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowrank_la.transport import round_plan, solve
from tests.reference import transport as naive
from tests.strategies import integers, transports


@st.composite
def rough_plans(draw):
    """Any matrix that is not negative, zeros among its rows and columns, and masses."""
    M, a, b, _ = draw(transports())
    P = draw(integers(M.shape, 0, 4)) * draw(st.sampled_from([1e-12, 0.01, 1.0, 1e6]))
    return P, a, b


@given(rough_plans())
def test_masses_are_met(problem):
    P, a, b = problem
    kept = P.copy()
    rounded = round_plan(P, a, b)
    assert rounded.min() >= 0
    np.testing.assert_allclose(rounded.sum(axis=1), a, atol=1e-13)
    np.testing.assert_allclose(rounded.sum(axis=0), b, atol=1e-13)
    np.testing.assert_array_equal(P, kept)


@given(rough_plans())
def test_no_more_is_moved_than_promised(problem):
    P, a, b = problem
    if not P.sum() > 0:
        return
    P = P / P.sum()
    moved, errors = np.abs(round_plan(P, a, b) - P), sum(naive.marginal_errors(P, a, b))
    assert moved.sum() <= 2 * errors + 1e-12
    assert moved.max() <= errors + 1e-12


@given(transports())
def test_plans_with_their_masses_stay(problem):
    _, a, b, _ = problem
    P = np.outer(a, b)
    np.testing.assert_allclose(round_plan(P, a, b), P, atol=1e-15)


@given(transports())
def test_solutions_are_hardly_changed(problem):
    M, a, b, reg = problem
    P = solve(M, a, b, reg=reg).plan
    rounded = round_plan(P, a, b)
    np.testing.assert_allclose(rounded, P, atol=2e-8)
    np.testing.assert_allclose(rounded.sum(axis=1), a, atol=1e-15)


def test_equal_masses_by_default():
    P = np.random.default_rng(0).random((4, 5))
    np.testing.assert_allclose(round_plan(P), round_plan(P, [0.25] * 4, [0.2] * 5))
    np.testing.assert_allclose(round_plan(7 * P, [1] * 4, [0.8] * 5).sum(axis=1), 1)


def test_forbidden_arcs_stay_empty():
    """What is missing by rounding errors does not go where no arc leads."""
    M = np.where(np.eye(5), 0.0, np.inf)
    a = np.random.default_rng(0).dirichlet(np.ones(5))
    rounded = round_plan(solve(M, a, a, reg=1.0).plan, a, a)
    np.testing.assert_array_equal(rounded != 0, np.eye(5))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, int])
def test_any_numbers(dtype):
    P = np.arange(12).reshape(3, 4).astype(dtype)
    np.testing.assert_allclose(round_plan(P), round_plan(P.astype(float)), atol=1e-7)
