"""The choice of a rank: the true one, for noise, outliers, none, weights, few samples."""

import numpy as np
import pytest

from lowrank_la.sensing._checks import checked_task, degrees_of_freedom
from lowrank_la.sensing._rank import solve_best_rank
from lowrank_la.sensing._scaled_gd import scaled_method
from tests.sensing.problems import error, gaussian


def chosen(A, y, loss="squared", symmetric=False, weights=None):
    task, _ = checked_task(
        A, y, 1, None, symmetric=symmetric, loss=loss, alpha=0.0, fit_intercept=True,
        sample_weight=weights, early_stopping=False, validation_fraction=0.1, tol=1e-10,
        max_iter=500, callback=None, rng=0, losses=(loss,),
    )  # fmt: skip
    total = len(y) if weights is None else weights.sum()
    return solve_best_rank(task, total, scaled_method(), 0)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("r", [1, 3])
def test_true_rank(r, noise, symmetric, global_random_seed):
    """Noise of standard deviation one is as large as what is measured."""
    shape, m = ((12, 12), 900 * r) if symmetric else ((14, 10), 900 * r)
    A, y, M = gaussian(shape, r, m, symmetric=symmetric, seed=global_random_seed)
    y = y + noise * y.std() * np.random.default_rng(global_random_seed).standard_normal(m)
    result, criteria = chosen(A, y, symmetric=symmetric)
    assert result.left.shape[1] == r
    assert np.argmin(criteria) == r
    assert error(result, M) < 1e-8 + 2 * noise * np.sqrt(degrees_of_freedom(shape, r, False) / m)


@pytest.mark.parametrize("loss", ["absolute", "huber"])
@pytest.mark.parametrize("outliers", [0.1, 0.3])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_true_rank_beside_gross_errors(noise, outliers, loss, global_random_seed):
    A, y, _ = gaussian((14, 10), 2, 1500, outliers=outliers, seed=global_random_seed)
    noise = noise * np.median(np.abs(y))
    y = y + noise * np.random.default_rng(global_random_seed).standard_normal(len(y))
    assert chosen(A, y, loss)[0].left.shape[1] == 2


def test_true_rank_of_odds(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    A, y, _ = gaussian((8, 6), 2, 2000, seed=global_random_seed)
    y = rng.random(len(y)) < 1 / (1 + np.exp(-4 * y / y.std()))
    assert chosen(A, y.astype(float), "logistic")[0].left.shape[1] == 2


def test_weights_are_numbers_of_rows(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    A, y, _ = gaussian((8, 6), 2, 200, noise=0.02, seed=global_random_seed)
    weights = rng.integers(0, 4, 200)
    _, weighted = chosen(A, y, weights=weights)
    _, repeated = chosen(A.repeat(weights, axis=0), y.repeat(weights))
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6)


def test_the_search_ends():
    A, y, _ = gaussian((14, 10), 1, 1000, noise=0.02)
    assert len(chosen(A, y)[1]) == 4, "after two rises"
    A, y, _ = gaussian((14, 10), 2, 1000)
    assert len(chosen(A, y)[1]) == 3, "where measurements are met exactly"


@pytest.mark.parametrize("noise", [0.0, 0.003])
def test_equal_singular_values_do_not_end_it(noise):
    A, y, M = gaussian((14, 14), 8, 420, noise=noise)  # one alone gains less than it costs
    result, criteria = chosen(A, y)
    assert criteria[1] < criteria[2] < criteria[3]
    assert np.argmin(criteria) == 8
    assert np.linalg.norm(result.matrix - M) < 0.1 * np.linalg.norm(M)


@pytest.mark.parametrize("seed", [0, 1])
def test_values_that_a_fit_can_meet_tell_no_scale(seed):
    """Half of the absolute residuals would vanish in the end."""
    A, y, _ = gaussian((20, 20), 1, 300, seed=seed, noise=0.01, outliers=0.2)
    assert np.argmin(chosen(A, y, loss="absolute")[1]) == 1


@pytest.mark.parametrize("loss", ["squared", "absolute", "huber"])
def test_where_there_is_nothing_to_find(loss):
    A, _, _ = gaussian((8, 6), 1, 300)
    y = np.random.default_rng(0).normal(size=300)
    result, criteria = chosen(A, y, loss=loss)
    assert np.argmin(criteria) == 0
    assert not result.matrix.any()
    if loss == "squared":  # the constant alone has one degree of freedom
        assert criteria[0] == pytest.approx(np.log(300))


@pytest.mark.filterwarnings("ignore:.*cannot determine a matrix")
def test_few_measurements():
    A, y, _ = gaussian((14, 10), 2, 60, noise=0.5)
    for m in (1, 2, 10, 40):
        result, criteria = chosen(A[:m], y[:m])
        assert result.left.shape[1] == 1
        assert np.isfinite(criteria).all()
        assert np.isfinite(result.matrix).all()


def test_whatever_the_units():
    A, y, _ = gaussian((8, 6), 2, 200, noise=0.02)
    assert chosen(1e6 * A, 1e-9 * y)[0].left.shape[1] == chosen(A, y)[0].left.shape[1] == 2
