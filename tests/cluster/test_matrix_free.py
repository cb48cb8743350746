import time
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.datasets import load_sample_images

from lowrank_la.cluster import KMedoidsResult, fasterpam
from lowrank_la.cluster._matrix_free import METRICS, matrix_free, spatial_order
from lowrank_la.cluster._objects import distinct_rows
from lowrank_la.cluster._search import Run
from tests.reference import kmedoids as naive
from tests.strategies import dtypes, integers

metrics = st.sampled_from(METRICS)


def search(X, medoids, weights=None, metric="cityblock", seed=0, n_fixed=0, **limits):
    weights = np.ones(len(X)) if weights is None else np.asarray(weights, float)
    rng, run = np.random.default_rng(seed), Run(**{"max_iter": 100, **limits})
    return matrix_free(X, np.asarray(medoids, np.int64), weights, metric, rng, run, n_fixed=n_fixed)


def candidates(X, seed=0):
    """Rows in the order in which the search tries them; no two rows are equal."""
    points = np.unique(X, axis=0)[:, :]
    order = distinct_rows(X)[0]
    ranked = order[spatial_order(X[order])]
    blocks = np.random.default_rng(seed).permutation(-(-len(points) // 64))
    return np.concatenate([ranked[64 * b : 64 * b + 64] for b in blocks])


def grid(n, d, seed, most=50):
    """Distinct points with integer coordinates, in no order."""
    rng = np.random.default_rng(seed)
    points = np.unique(rng.integers(0, most, (3 * n, d)), axis=0)
    return rng.permutation(points)[:n].astype(float)


def distances(X, metric):
    return cdist(X.astype(float), X.astype(float), metric)


def assert_valid(result, X, metric, weights=None):
    """Whatever the problem: distinct medoids, labels of least cost, and the true loss."""
    assert isinstance(result, KMedoidsResult)
    costs = cdist(X.astype(float), X[result.medoids].astype(float), metric)
    k = len(result.medoids)
    assert len(np.unique(result.medoids)) == k
    assert result.labels.dtype == np.int32
    served = costs[np.arange(len(X)), result.labels]
    slack = 1e-6 if X.dtype == np.float32 else 1e-14
    assert np.all(served <= costs.min(axis=1) * (1 + slack))
    np.testing.assert_array_equal(result.labels[result.medoids], np.arange(k))
    weights = np.ones(len(X)) if weights is None else weights
    assert result.loss == pytest.approx(weights @ served, rel=1e-12)
    assert np.all(weights[result.medoids] > 0)
    assert len(result.history) == result.n_iter
    assert np.all(np.diff(result.history) <= 1e-9 * result.history[:-1])


def assert_optimal(result, X, metric, weights=None, slack=1e-9):
    best = naive.best_single_swap(distances(X, metric), result.medoids, weights)
    assert result.converged
    assert best >= result.loss * (1 - slack)


def assert_same_search(X, start, metric, weights=None):
    """Swap for swap what FasterPAM does with the matrix."""
    order = candidates(X)
    shuffled = distances(X, metric)[np.ix_(order, order)].astype(X.dtype)
    place = np.argsort(order)
    ours = search(X, start, weights, metric)
    theirs = fasterpam(
        shuffled, place[start], sample_weight=None if weights is None else weights[order]
    )
    np.testing.assert_array_equal(ours.medoids, order[theirs.medoids])
    assert (ours.n_swap, ours.n_iter) == (theirs.n_swap, theirs.n_iter)
    np.testing.assert_allclose(ours.history, theirs.history, rtol=1e-7)
    assert_valid(ours, X, metric, weights)
    return ours


@st.composite
def problems(draw, max_n=40, unique=False, max_d=3):
    """Integer points, initial medoids, and weights."""
    n, d = draw(st.integers(1, max_n)), draw(st.integers(1, max_d))
    X = draw(integers((n, d), 0, draw(st.sampled_from([1, 5, 40]))))
    X = np.unique(X, axis=0) if unique else X
    X = X[draw(st.permutations(range(len(X))))].astype(draw(dtypes))
    k = draw(st.integers(1, len(X)))
    start = np.array(draw(st.permutations(range(len(X))))[:k])
    weights = draw(integers(len(X), 0, 3))
    weights[start] += weights[start] == 0
    return X, start, weights.astype(float)


# The same search as with a matrix


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "d", "k"), [(700, 2, 9), (500, 3, 40), (130, 1, 3), (64, 2, 2)])
def test_same_swaps_as_with_the_matrix(n, d, k, dtype, metric, global_random_seed):
    most = 5000 if d == 1 else 60
    X = grid(n, d, global_random_seed, most).astype(dtype)
    start = np.random.default_rng(global_random_seed).choice(n, k, replace=False)
    assert assert_same_search(X, start, metric).n_swap > 0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", range(1, 9))
def test_same_swaps_in_any_dimension(d, metric, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, weights = rng.normal(size=(400, d)), rng.integers(0, 4, 400).astype(float)
    start = rng.choice(np.flatnonzero(weights), 12, replace=False)
    assert_same_search(X, start, metric, weights)


@given(problems(unique=True))
def test_same_swaps_on_drawn_points(problem):
    X, start, weights = problem
    if len(start) > 1:
        assert_same_search(X, start, "cityblock", weights)


# Optimality and invariances


@given(problems(), metrics)
def test_no_single_swap_improves(problem, metric):
    X, start, weights = problem
    result = search(X, start, weights, metric)
    assert_valid(result, X, metric, weights)
    assert_optimal(result, X, metric, weights, 1e-6 if X.dtype == np.float32 else 1e-9)


@given(problems(max_n=25))
def test_weights_repeat_rows(problem):
    X, start, weights = problem
    origin = np.repeat(np.arange(len(X)), weights.astype(int))
    weighted = search(X, start, weights)
    repeated = search(X[origin], np.searchsorted(origin, start))
    assert_valid(repeated, X[origin], "cityblock")
    if not np.any(weights == 0):
        np.testing.assert_array_equal(X[weighted.medoids], X[origin][repeated.medoids])
        assert weighted.loss == repeated.loss


@given(problems(), st.integers(-100, 100), metrics)
def test_translation_changes_nothing(problem, shift, metric):
    X, start, weights = problem
    one, other = (search(Y, start, weights, metric) for Y in (X, X + X.dtype.type(shift)))
    np.testing.assert_array_equal(one.medoids, other.medoids)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert other.loss == pytest.approx(one.loss, rel=1e-12)


@given(problems(), st.integers(-300, 300), metrics)
def test_powers_of_two_scale_the_loss_alone(problem, exponent, metric):
    X, start, weights = problem
    X = X.astype(np.float64)
    one, other = (search(Y, start, weights, metric) for Y in (X, np.ldexp(X, exponent)))
    np.testing.assert_array_equal(one.medoids, other.medoids)
    power = 2 if metric == "sqeuclidean" else 1
    assert other.loss == np.ldexp(one.loss, power * exponent)


@given(problems())
def test_equal_columns_double_the_loss(problem):
    X, start, weights = problem
    one, other = (search(Y, start, weights) for Y in (X, np.repeat(X, 2, axis=1)))
    np.testing.assert_array_equal(one.medoids, other.medoids)
    assert other.loss == 2 * one.loss


@given(problems(), st.data())
def test_fixed_medoids_stay(problem, data):
    X, start, weights = problem
    fixed = data.draw(st.integers(0, len(start)))
    result = search(X, start, weights, n_fixed=fixed)
    assert_valid(result, X, "cityblock", weights)
    np.testing.assert_array_equal(result.medoids[:fixed], start[:fixed])
    diss = distances(X, "cityblock")
    for slot in range(fixed, len(start)):
        for candidate in np.flatnonzero(weights):
            swapped = naive.swapped(list(result.medoids), slot, candidate)
            assert naive.loss(diss, swapped, weights) >= result.loss


# One medoid


@given(problems(), metrics)
def test_one_medoid_is_the_best(problem, metric):
    X, start, weights = problem
    result = search(X, start[:1], weights, metric)
    assert_valid(result, X, metric, weights)
    costs = distances(X, metric) @ weights
    assert result.loss == pytest.approx(costs[weights > 0].min(), rel=1e-6)


def test_one_medoid_of_many_points_computes_few_distances(global_random_seed):
    X = np.random.default_rng(global_random_seed).normal(size=(5000, 2))
    result = search(X, [0], metric="euclidean")
    assert result.share < 0.5
    assert result.loss == pytest.approx(distances(X, "euclidean").sum(axis=0).min(), rel=1e-9)


# Edges


@pytest.mark.parametrize("k", [1, 4, 20])
@pytest.mark.parametrize("metric", METRICS)
def test_equal_rows_still_give_k_medoids(k, metric):
    X = np.full((20, 2), 0.3)
    result = search(X, np.arange(k), metric=metric)
    assert_valid(result, X, metric)
    assert (result.loss, result.n_distinct, result.n_swap) == (0, 1, 0)


def test_fewer_points_than_medoids():
    X = np.repeat(np.array([[0.0, 1], [5, 5], [9, 2]]), 5, axis=0)
    result = search(X, [0, 1, 2, 3, 4, 5])
    assert_valid(result, X, "cityblock")
    assert (result.loss, result.n_distinct, result.n_swap) == (0, 3, 1)


def test_zeros_of_both_signs_are_equal():
    X = np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, 1.0], [2.0, 3.0]])
    result = search(X, [3, 1])
    assert (result.n_distinct, result.loss) == (2, 0)
    assert result.medoids.tolist() == [3, 1]


def test_every_row_its_own_medoid():
    X = grid(70, 2, 0)
    result = search(X, np.random.default_rng(0).permutation(70))
    assert_valid(result, X, "cityblock")
    assert (result.loss, result.n_swap) == (0, 0)


def test_all_medoids_fixed():
    X = grid(70, 2, 0)
    result = search(X, [3, 5, 8], n_fixed=3)
    assert result.medoids.tolist() == [3, 5, 8]
    assert result.n_swap == 0
    assert_valid(result, X, "cityblock")


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("scale", [1e-150, 1e150, 1e-300, 1e300])
def test_sizes_near_the_ends_of_float64(scale, metric, global_random_seed):
    X = np.random.default_rng(global_random_seed).normal(size=(300, 2))
    expected = search(X, [1, 2, 3], metric=metric)
    if metric == "sqeuclidean" and scale == 1e300:
        with pytest.raises(ValueError, match="too large"):
            search(X * scale, [1, 2, 3], metric=metric)
        return
    result = search(X * scale, [1, 2, 3], metric=metric)
    np.testing.assert_array_equal(result.medoids, expected.medoids)
    factor = scale**2 if metric == "sqeuclidean" else scale
    assert result.loss == pytest.approx(expected.loss * factor, rel=1e-12)


def test_weights_near_the_ends_of_float64(global_random_seed):
    X = np.random.default_rng(global_random_seed).normal(size=(300, 2))
    expected = search(X, [1, 2, 3])
    for scale in (1e-290, 1e290):
        result = search(X, [1, 2, 3], np.full(300, scale))
        np.testing.assert_array_equal(result.medoids, expected.medoids)
        assert result.loss == pytest.approx(expected.loss * scale, rel=1e-12)


def test_rows_without_weight_are_served_but_never_chosen():
    X = np.array([[0.0], [1], [1], [2], [50], [50], [51]])
    weights = np.array([1.0, 0, 2, 1, 0, 3, 0])
    result = search(X, [0, 3], weights)
    assert_valid(result, X, "cityblock", weights)
    assert sorted(result.medoids.tolist()) == [2, 5]
    assert result.labels[6] == result.labels[5]


# Stopping


def test_callback_sees_each_pass_and_stops():
    X, seen = grid(500, 2, 0), []
    whole = search(X, np.arange(20), callback=seen.append)
    assert [info["loss"] for info in seen] == whole.history.tolist()
    assert [info["n_iter"] for info in seen] == list(range(1, whole.n_iter + 1))
    stopped = search(X, np.arange(20), callback=lambda info: True)
    assert stopped.n_iter == 1 < whole.n_iter
    assert not stopped.converged
    assert_valid(stopped, X, "cityblock")


@pytest.mark.parametrize("max_iter", [0, 1, 2])
def test_passes_are_limited(max_iter):
    X = grid(500, 2, 0)
    result = search(X, np.arange(20), max_iter=max_iter)
    assert result.n_iter == max_iter
    assert not result.converged
    assert_valid(result, X, "cityblock")


def test_time_is_limited():
    X = np.random.default_rng(0).normal(size=(6000, 2))
    result = search(X, np.arange(20), deadline=time.perf_counter())
    assert result.n_iter == 0
    assert not result.converged
    assert_valid(result, X, "cityblock")


def test_the_start_is_not_changed():
    start = np.array([3, 1, 4])
    assert search(grid(300, 2, 0), start).n_swap > 0
    assert start.tolist() == [3, 1, 4]


# How much is computed


def test_boxes_prune_in_few_dimensions_and_not_in_many():
    rng = np.random.default_rng(0)
    few, many = (search(rng.random((4000, d)), np.arange(50), metric="euclidean") for d in (2, 40))
    assert few.share < 0.2
    assert many.share > 0.5


@given(problems(max_n=200))
def test_order_is_a_permutation(problem):
    X, _, _ = problem
    assert sorted(spatial_order(X)) == list(range(len(X)))


# Real data


def pixels(n):
    images = np.concatenate([image.reshape(-1, 3) for image in load_sample_images().images])
    return np.random.default_rng(0).permutation(images)[:n].astype(np.float32)


def test_pixels_of_photos():
    X = pixels(3000)
    result = search(X, np.arange(30), metric="euclidean")
    assert result.n_distinct < len(X)
    assert_valid(result, X, "euclidean")
    diss = distances(X, "euclidean")
    for slot in range(30):
        others = diss[:, np.delete(result.medoids, slot)].min(axis=1)
        losses = np.minimum(others[:, None], diss).sum(axis=0)
        assert losses.min() >= result.loss * (1 - 1e-7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        matrix = fasterpam(diss, np.arange(30))
    assert result.loss == pytest.approx(matrix.loss, rel=0.03)
