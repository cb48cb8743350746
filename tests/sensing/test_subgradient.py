"""subgradient: the published iterations, and what they recover."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.sensing import subgradient
from tests.reference import sensing as reference
from tests.sensing.problems import error, gaussian, measure, orthonormal

ignore_ends = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def watched(A, y, k, **options):
    factors = []
    callback = lambda info: factors.append((info["left"].copy(), info["right"].copy()))  # noqa: E731
    return subgradient(A, y, k, callback=callback, **options), factors


def unit(A, y):
    """Slope along the leading direction of A*(y), which makes the step size a share."""
    u, _, v = np.linalg.svd(reference.adjoint(A, y))
    return u[:, 0] @ reference.adjoint(A, np.sign(y)) @ v[0]


def follows(factors, step, tol=1e-8):
    expected = factors[0]
    for n_iter, found in enumerate(factors[1:], 1):
        expected = step(n_iter, *expected)
        product, reached = expected[0] @ expected[1].T, found[0] @ found[1].T
        np.testing.assert_allclose(reached, product, rtol=0, atol=tol * np.abs(product).max())


@ignore_ends
@pytest.mark.parametrize("symmetric", [True, False])
def test_published_iterations_with_geometric_steps(symmetric):
    A, y, _ = orthonormal((5, 5), 2, 2.0, symmetric=symmetric)
    y[::6] += 3.0
    _, factors = watched(
        A, y, 3, symmetric=symmetric, step_size=0.2, decay=0.9, init_scale=0.1, max_iter=40, rng=0
    )
    assert len(factors) == 40
    size = _size_of(A, y, factors, 0.2 * 0.9, symmetric)

    def step(n_iter, L, R):
        eta = size * 0.9 ** (n_iter - 1)
        if symmetric:
            X = reference.subgradient_step(A, y, L, eta)
            return X, X
        return reference.subgradient_step_pair(A, y, L, R, eta)

    follows(factors, step)


def _size_of(A, y, factors, share, symmetric):
    """The second step, told from the first two factors; a share of a slope at zero."""
    (L, R), (moved, _) = factors[:2]
    G = reference.adjoint(A, np.sign(reference.measure(A, L @ R.T) - y))
    towards = (G + G.T) / 2 @ R if symmetric else G @ R
    eta = np.sum((L - moved) * towards) / np.sum(towards**2)
    norm = np.linalg.norm(reference.adjoint(A, np.sign(y)), 2)
    assert 0.3 * norm < share / eta <= 1.001 * norm
    return eta


@ignore_ends
def test_published_iterations_with_polyak_steps():
    A, y, _ = orthonormal((4, 5), 2, 2.0)
    _, factors = watched(A, y, 2, step="polyak", step_size=1e10, init_scale=1.0, max_iter=30, rng=0)
    assert len(factors) > 20
    follows(
        factors,
        lambda _, L, R: reference.subgradient_step_pair(
            A, y, L, R, reference.polyak_size(A, y, L, R)
        ),
        1e-6,
    )


@ignore_ends
def test_polyak_steps_of_symmetric_factors():
    A, y, _ = orthonormal((5, 5), 2, 2.0, symmetric=True)
    _, factors = watched(
        A, y, 2, symmetric=True, step="polyak", step_size=1e10, init_scale=1.0, max_iter=20, rng=0
    )

    def step(_, L, R):
        z = reference.measure(A, L @ L.T) - y
        G = reference.adjoint(A, np.sign(z))
        slope = (G + G.T) @ L  # of the absolute residuals
        X = L - np.abs(z).sum() / np.sum(slope**2) * slope
        return X, X

    follows(factors, step, 1e-6)


@pytest.mark.parametrize("symmetric", [True, False])
def test_recovery_despite_outliers(symmetric):
    A, y, M = gaussian((8, 8), 1, 200, symmetric=symmetric, outliers=0.2)
    found = subgradient(A, y, 1, symmetric=symmetric, decay=0.97, init_scale=0.1, rng=0)
    assert found.converged
    assert error(found, M) < 1e-8
    assert found.rank == 1
    assert found.history[-1] <= 1e-10 < found.history[-2]
    assert len(found.history) == len(found.singular_values_history) == found.n_iter
    residuals = np.abs(measure(A, found.matrix) - y)
    assert found.history[-1] == pytest.approx(
        np.sort(residuals)[99] / np.sort(np.abs(y))[99], rel=1e-2
    )


def test_polyak_steps_need_no_rate_where_no_measurement_is_wrong():
    A, y, M = gaussian((8, 8), 1, 200)
    found = subgradient(A, y, 1, step="polyak", init_scale=1.0, rng=0)
    assert error(found, M) < 1e-8
    assert found.n_iter < 200


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_the_intercept_is_found(unit):
    A, y, M = gaussian((6, 6), 1, 200, outliers=0.1)
    found = subgradient(
        A, unit * (y + 2.0), 1, fit_intercept=True, decay=0.97, init_scale=0.1, rng=0
    )
    assert error(found, unit * M) < 1e-7
    assert found.intercept == pytest.approx(2 * unit, rel=1e-8)


@ignore_ends
@pytest.mark.parametrize("b", [1e-12, 1e12])
@pytest.mark.parametrize("a", [1.0, 1e-9])
def test_no_result_depends_on_units(a, b):
    A, y, _ = gaussian((6, 6), 1, 100, outliers=0.1)
    plain, other = (
        subgradient(s * A, t * y, 1, max_iter=100, rng=0) for s, t in ((1.0, 1.0), (a, b))
    )
    np.testing.assert_allclose(other.history[:50], plain.history[:50], rtol=1e-6)


@ignore_ends
def test_weights_count_measurements():
    A, y, M = gaussian((6, 6), 1, 200)
    weights = np.arange(200) % 3
    y[::3] += 100.0  # their weights are zero
    more = {"decay": 0.96, "init_scale": 0.1, "max_iter": 1200, "rng": 0}
    found = subgradient(A, y, 1, sample_weight=weights, **more)
    assert error(found, M) < 1e-8
    repeated = subgradient(np.repeat(A, weights, axis=0), np.repeat(y, weights), 1, **more)
    assert error(repeated, found.matrix) < 1e-8


def test_zero_values():
    A, y, _ = gaussian((6, 5), 1, 60)
    for step in ("geometric", "polyak"):
        found = subgradient(A, 0 * y, 1, step=step, rng=0)
        assert not found.matrix.any()
        assert found.converged
        assert found.rank == 0


@pytest.mark.parametrize("step_size", [50.0, 1e6, 1e15])
def test_steps_that_are_too_long_end_with_a_warning(step_size):
    A, y, _ = gaussian((6, 5), 1, 60)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = subgradient(A, y, 1, step_size=step_size, rng=0)
    assert {warning.category for warning in caught} == {ConvergenceWarning}
    assert "step_size" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert np.isfinite(found.matrix).all()
    assert not found.converged
    assert found.rank == 0


def test_iterations_that_run_out():
    A, y, _ = gaussian((6, 5), 1, 60)
    with pytest.warns(ConvergenceWarning, match="subgradient .*max_iter=1 ") as caught:
        found = subgradient(A, y, 1, max_iter=1, rng=0)
    assert caught[0].filename == __file__
    assert found.n_iter == 1


@ignore_ends
def test_the_same_generator_gives_the_same_bits(global_random_seed):
    A, y, _ = gaussian((6, 5), 1, 60, outliers=0.1)
    results = [subgradient(A, y, 2, max_iter=50, rng=global_random_seed) for _ in range(2)]
    np.testing.assert_array_equal(results[0].left, results[1].left)
    np.testing.assert_array_equal(results[0].history, results[1].history)


def test_single_precision():
    A, y, M = gaussian((6, 5), 1, 100)
    found = subgradient(
        A.astype(np.float32), y.astype(np.float32), 1, decay=0.96, init_scale=0.1, rng=0
    )
    assert found.left.dtype == np.float32
    assert found.converged
    assert error(found, M) < 1e-5
