"""Losses: derivatives, majorants, weights, units."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from lowrank_la.sensing._losses import (
    Absolute,
    Dropped,
    Huber,
    Logistic,
    SharplyAbsolute,
    Squared,
    weighted_quantile,
)
from tests.sensing.problems import ALL_LOSSES, LOSSES
from tests.strategies import integers

RNG = np.random.default_rng(0)
UNITS = [name for name in ALL_LOSSES if name != "Logistic"]


def adapted(name, seed=0, m=30, unit=1.0):
    """A loss with random weights, adapted to a prediction, and both."""
    rng = np.random.default_rng(seed)
    y, prediction = rng.standard_normal((2, m))
    weights = rng.integers(0, 4, m).astype(float)
    weights[0] += 1.0
    if name == "Logistic":
        y = np.arange(m) % 2.0
        weights[:2] += 1.0
    loss = ALL_LOSSES[name](unit * y, weights)
    loss.adapt(unit * prediction)
    return loss, unit * prediction


@pytest.mark.parametrize("name", ALL_LOSSES)
@pytest.mark.parametrize("seed", range(3))
def test_gradient_is_that_of_the_value(name, seed):
    loss, prediction = adapted(name, seed)
    gradient, _ = loss.derivatives(prediction)
    h = 1e-6
    for i, slope in enumerate(gradient):
        step = h * (np.arange(len(gradient)) == i)
        change = loss.value(prediction + step) - loss.value(prediction - step)
        assert change / (2 * h) == pytest.approx(slope, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [1e-3, 0.3, 3.0, 100.0])
@pytest.mark.parametrize("name", ["Squared", "Dropped", "Huber", "Absolute", "Logistic"])
def test_quadratics_with_the_curvatures_majorise(name, size, seed):
    loss, prediction = adapted(name, seed)
    gradient, curvature = loss.derivatives(prediction)
    move = size * np.random.default_rng(seed + 100).standard_normal(len(gradient))
    bound = loss.value(prediction) + gradient @ move + 0.5 * curvature @ move**2
    assert loss.value(prediction + move) <= bound * (1 + 1e-12)


@pytest.mark.parametrize("name", ALL_LOSSES)
def test_a_weight_of_two_counts_as_twice_the_same(name):
    rng = np.random.default_rng(1)
    y, prediction = np.round(rng.standard_normal((2, 12)))
    if name == "Logistic":
        y = np.arange(12) % 2.0
    weights = np.r_[1, 1, rng.integers(0, 4, 10)].astype(float)
    times = weights.astype(int)
    found = []
    for target, weight, guess in (
        (y, weights, prediction),
        (np.repeat(y, times), np.ones(times.sum()), np.repeat(prediction, times)),
    ):
        loss = ALL_LOSSES[name](target, weight, constant=True)
        loss.adapt(guess)
        gradient, curvature = loss.derivatives(guess)
        found.append(
            [loss.value(guess), gradient.sum(), curvature.sum(), loss.relative(guess), loss.start]
        )
    np.testing.assert_allclose(*found, rtol=1e-12)


@given(integers(9, -3, 3), integers(9, 0, 3))
def test_median_of_weighted_values_is_the_lower_one_of_repeated_values(values, weights):
    weights[4] += 1
    repeated = np.sort(np.repeat(values, weights))
    expected = repeated[(len(repeated) - 1) // 2]
    assert weighted_quantile(values.astype(float), weights.astype(float)) == expected


@pytest.mark.parametrize("unit", [1e-100, 1e-8, 1e8, 1e100])
@pytest.mark.parametrize("name", UNITS)
def test_relative_residuals_have_no_unit(name, unit):
    (loss, prediction), (other, same) = adapted(name), adapted(name, unit=unit)
    assert other.relative(same) == pytest.approx(loss.relative(prediction), rel=1e-12)


@pytest.mark.parametrize("unit", [1e-100, 1e-8, 1e8, 1e100])
@pytest.mark.parametrize("name", ["Dropped", "Huber", "Absolute"])
def test_who_is_an_outlier_depends_on_no_unit(name, unit):
    (loss, prediction), (other, same) = adapted(name), adapted(name, unit=unit)
    np.testing.assert_allclose(
        other.derivatives(same)[1], loss.derivatives(prediction)[1], rtol=1e-12
    )


def test_relative_residuals_are_one_without_a_matrix():
    y = RNG.standard_normal(9)
    for loss in (Squared, Huber, Absolute, Dropped):
        assert loss(y, np.ones(9)).relative(y) == 0
    assert Logistic(np.arange(4) % 2, np.ones(4)).relative(np.zeros(4)) == pytest.approx(1)


def test_residuals_beyond_four_medians_are_dropped():
    residuals = np.r_[-1.0, 1.0, -1.0, 3.999, -4.0, 4.001, 100.0, 0.5, 0.5]
    loss = Dropped(np.zeros(9), np.ones(9))
    loss.adapt(residuals)
    kept = np.abs(residuals) <= 4
    np.testing.assert_array_equal(loss.derivatives(residuals)[0], residuals * kept)
    np.testing.assert_array_equal(loss.derivatives(residuals)[1], kept)
    assert loss.value(residuals) == pytest.approx(0.5 * np.sum(residuals[kept] ** 2))


@pytest.mark.parametrize(
    ("loss", "medians"), [(Huber, 1.345 * 1.4826), (Absolute, 0.1), (SharplyAbsolute, 0.01)]
)
def test_huber_losses_are_scipys(loss, medians):
    residuals = np.r_[RNG.standard_normal(20), 0.0, 50.0]
    loss = loss(np.zeros(22), np.ones(22))
    loss.adapt(residuals)
    threshold = medians * np.sort(np.abs(residuals))[10]
    assert loss.value(residuals) == pytest.approx(special.huber(threshold, residuals).sum())


@pytest.mark.parametrize("name", ["Huber", "Absolute", "Dropped"])
def test_a_fit_that_is_exact_for_half_of_the_measurements(name):
    """The scale is zero then."""
    residuals = np.r_[np.zeros(6), [1e-300, -1.0, 1.5]]
    loss = ALL_LOSSES[name](np.ones(9), np.ones(9))
    loss.adapt(1 + residuals)
    gradient, curvature = loss.derivatives(1 + residuals)
    assert np.isfinite(gradient).all()
    assert np.isfinite(curvature).all()
    assert not gradient[:6].any()
    assert np.isfinite(loss.value(1 + residuals))
    assert loss.relative(1 + residuals) == 0


def test_classes_that_are_beyond_doubt():
    loss = Logistic(np.array([0.0, 1.0]), np.ones(2))
    for prediction, value in (([-1e4, 1e4], 0.0), ([1e4, -1e4], 2e4)):
        gradient, curvature = loss.derivatives(np.array(prediction))
        assert loss.value(np.array(prediction)) == pytest.approx(value)
        np.testing.assert_array_equal(np.abs(gradient), value / 2e4)
        assert (curvature > 0).all()


@given(st.sampled_from(["Squared", "Logistic"]), st.integers(0, 99), st.floats(-1, 1))
def test_no_constant_predicts_better_than_that_to_start_with(name, seed, shift):
    loss, prediction = adapted(name, seed)
    assert loss.start == 0
    start = type(loss)(loss.y, loss.weights, constant=True).start
    best = loss.value(np.full_like(prediction, start))
    assert best <= loss.value(np.full_like(prediction, start + shift)) * (1 + 1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_smooth_losses_have_gradients_that_vanish_with_the_residuals(name):
    loss, _ = adapted(name)
    smooth = loss.smooth()
    assert type(smooth) is (type(loss) if name in ("Squared", "Logistic") else Dropped)
    if name != "Logistic":
        smooth.adapt(smooth.y)
        assert not smooth.derivatives(smooth.y)[0].any()
