"""Effects of categories against dense least squares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowrank_la.completion._context import Context, fit_effects
from tests.strategies import integers


def context(codes, weights=(), alpha=1.0, exponent=0.5, loss="squared", centred=False):
    return Context(
        list(codes.T), [3] * codes.shape[1], np.asarray(weights), alpha, exponent, loss, centred
    )


def every_category(codes):
    codes[:3] = np.arange(3)[:, None]
    return codes


def dense(codes, y, weights, alpha, exponent, centred):
    """Ridge regression on indicators, and on a constant without a ridge if `centred`."""
    design = (codes[:, :, None] == np.arange(3)).reshape(len(y), -1).astype(float)
    ridge = alpha * (weights @ design) ** exponent
    if centred:
        design, ridge = np.column_stack([design, np.ones(len(y))]), np.append(ridge, 0)
    gram = design.T * weights @ design + np.diag(ridge)
    return np.linalg.solve(gram, design.T * weights @ y)[: 3 * codes.shape[1]].reshape(-1, 3)


@given(
    integers((10, 2), 0, 2).map(every_category), integers(10, -3, 3), integers(10, 1, 3),
    st.sampled_from([0.0, 0.5, 1.0]), st.booleans(),
)  # fmt: skip
def test_effects_are_those_of_ridge_regression(codes, y, weights, exponent, centred):
    data = context(codes, weights.astype(float), exponent=exponent, centred=centred)
    effects, mean = [np.zeros(3), np.zeros(3)], 0.0
    for _ in range(200):
        left = data.left(y - mean, effects)
        mean += np.average(left, weights=weights) if centred else 0.0
        effects = data.improved(effects, data.left(y - mean, effects))
    expected = dense(codes, y, weights, 1.0, exponent, centred)
    np.testing.assert_allclose(effects, expected, atol=1e-6)


@given(integers((10, 2), 0, 2).map(every_category), integers(10, -3, 3))
def test_weights_are_repetitions(codes, y):
    weights = 1 + np.arange(10) % 3
    for loss in ("squared", "huber", "l1"):
        zeros = [np.zeros(3), np.zeros(3)]
        weighted = context(codes, weights.astype(float), loss=loss).improved(zeros, y.astype(float))
        repeated = context(codes.repeat(weights, axis=0), loss=loss)
        found = repeated.improved(zeros, y.repeat(weights).astype(float))
        np.testing.assert_allclose(weighted, found, atol=1e-10)


def without_factors(stopped=False):
    """Solver that fits nothing, and notes that it was called."""
    calls = []

    def solve(values, before):
        calls.append(before)
        return "result", values, stopped

    return solve, calls


@pytest.mark.parametrize("loss", ["huber", "l1"])
def test_outliers_weigh_less(loss):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, (300, 1))
    y = np.array([-1.0, 0.0, 1.0])[codes[:, 0]] + 0.01 * rng.standard_normal(300)
    y[:30] += 100
    (effects,) = fit_effects(
        without_factors()[0], y, context(codes, alpha=0.0, loss=loss), [np.zeros(3)]
    )[1]
    np.testing.assert_allclose(effects, [-1, 0, 1], atol=0.05)


def test_rounds_end_where_nothing_is_gained():
    codes = np.arange(12).reshape(-1, 1) % 3
    solve, calls = without_factors()
    result, effects = fit_effects(solve, np.arange(12.0) % 3, context(codes), [np.zeros(3)])
    assert (result, len(calls)) == ("result", 2)
    solve, calls = without_factors(stopped=True)
    fit_effects(solve, np.arange(12.0) % 3, context(codes), effects)
    assert calls == [None]


def test_rounds_that_do_not_end_are_told():
    codes = np.arange(12).reshape(-1, 1) % 3
    scale = [1.0]

    def solve(values, before):
        scale[0] *= 0.5
        return "result", scale[0] * np.ones(12), False

    with pytest.warns(UserWarning, match="effects of the context columns still change"):
        fit_effects(solve, np.arange(12.0), context(codes), [np.zeros(3)])
