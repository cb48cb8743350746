"""CLARA: FasterPAM in samples."""

import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from lowrank_la._support.random import as_generator
from lowrank_la.cluster import CLARA, fasterpam, pairwise_distances
from lowrank_la.cluster._clara import clara
from tests.strategies import dissimilarities, integers

METRICS = ["euclidean", "cityblock", "cosine", "sqeuclidean", "minkowski"]


def seeded(seed=0):
    return np.random.default_rng(seed)


def blobs(n, k=6, d=2, dtype=np.float64, seed=0):
    rng = seeded(seed)
    return (20 * rng.normal(size=(k, d))[rng.integers(k, size=n)] + rng.normal(size=(n, d))).astype(
        dtype
    )


def assert_true_loss(result, costs, weights=1):
    """`costs` from every object to every other; labels of the nearest medoid."""
    to_medoids = costs[:, result.medoids]
    served = to_medoids[np.arange(len(costs)), result.labels]
    np.testing.assert_allclose(served, to_medoids.min(axis=1), rtol=3e-6, atol=1e-12)
    np.testing.assert_allclose(result.loss, (weights * served).sum(), rtol=1e-9, atol=1e-12)


def assert_same(one, other):
    assert one.loss == other.loss
    for name in ("medoids", "labels", "history"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_loss_is_that_of_all_objects(metric, dtype, global_random_seed):
    X = blobs(700, dtype=dtype)
    result = clara(X, 5, metric=metric, rng=seeded(global_random_seed))
    assert_true_loss(result, pairwise_distances(X.astype(float), metric=metric))
    assert len(set(result.medoids)) == 5
    assert set(result.labels) == set(range(5))
    assert result.n_iter == len(result.history) == 5
    assert result.history[-1] == result.loss
    assert (np.diff(result.history) <= 0).all()


@given(dissimilarities(min_n=2), st.integers(0, 5), st.data())
def test_one_sample_of_everything_is_fasterpam(diss, seed, data):
    k = data.draw(st.integers(1, len(diss)))
    init = data.draw(st.sampled_from(["random", "first", "build"]))
    found = clara(diss, k, metric="precomputed", init=init, rng=seeded(seed))
    expected = fasterpam(diss, k, init=init, random_state=seed)
    np.testing.assert_array_equal(found.medoids, expected.medoids)
    assert (found.loss, found.n_swap) == (expected.loss, expected.n_swap)
    served = diss[np.arange(len(diss)), found.medoids[found.labels]]
    np.testing.assert_array_equal(served, diss[:, found.medoids].min(axis=1))


@given(dissimilarities(min_n=6, max_n=12), st.integers(1, 3), st.integers(0, 99))
def test_true_loss_of_any_dissimilarities(diss, k, seed):
    """Asymmetric ones as well; medoids serve themselves, so that no cluster is empty."""
    options = {"n_sampling_iter": 3, "n_sampling": 4}
    result = clara(diss, k, metric="precomputed", rng=seeded(seed), **options)
    assert_true_loss(result, diss)
    np.testing.assert_array_equal(result.labels[result.medoids], np.arange(k))


@given(dissimilarities(min_n=4, max_n=12), st.data(), st.integers(0, 99))
def test_weights(diss, data, seed):
    """The loss is weighted, and what weighs nothing is no medoid."""
    weights = data.draw(integers(len(diss), 0, 3)).astype(float)
    weights[:2] += 1
    found = clara(diss, 2, metric="precomputed", weights=weights, n_sampling=3, rng=seeded(seed))
    assert_true_loss(found, diss, weights)
    assert (weights[found.medoids] > 0).all()


def test_weights_are_repetitions():
    X = blobs(60)
    weights = seeded().integers(0, 4, size=60)
    index = np.repeat(np.arange(60), weights)
    start = np.flatnonzero(weights)[:3]
    found = clara(X, 3, init=start, weights=weights.astype(float), rng=seeded())
    first = np.searchsorted(index, start)
    repeated = clara(X[index], 3, init=first, n_sampling=len(index), rng=seeded())
    np.testing.assert_allclose(found.loss, repeated.loss, rtol=1e-12)


@given(st.integers(0, 1000))
def test_more_samples_are_never_worse(seed):
    X = blobs(400, seed=seed % 7)
    for n_sampling_iter in (1, 2, 3):
        few = clara(X, 4, n_sampling_iter=n_sampling_iter, n_sampling=30, rng=seeded(seed))
        many = clara(X, 4, n_sampling_iter=5, n_sampling=30, rng=seeded(seed))
        assert many.loss <= few.history[0]
        assert many.history[0] == few.history[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_executor_gives_the_same_bits(dtype):
    X = blobs(2000, dtype=dtype)
    alone = clara(X, 6, rng=seeded(), n_sampling_iter=6)
    with ThreadPoolExecutor(3) as threads:
        assert_same(clara(X, 6, rng=seeded(), n_sampling_iter=6, executor=threads), alone)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert_same(clara(X, 6, rng=seeded(), n_sampling_iter=6, executor=processes), alone)


def test_the_generator_moves_on():
    """Two calls with one generator differ; NumPy's old generators, which cannot spawn, will do."""
    X, rng = blobs(500, k=30), as_generator(np.random.RandomState(0))
    one, other = (clara(X, 8, rng=rng, n_sampling=20) for _ in range(2))
    assert set(one.medoids) != set(other.medoids)


def test_given_medoids_are_where_the_first_sample_begins():
    X = blobs(500)
    init = np.array([499, 3, 77])
    result = clara(X, 3, init=init, max_iter=0, n_sampling_iter=3, n_sampling=20, rng=seeded())
    np.testing.assert_array_equal(result.medoids, init)
    assert not result.converged


def test_a_callback_stops():
    X, seen = blobs(500), []

    def after_two(info):
        seen.append(info)
        return len(seen) == 2

    result = clara(X, 5, rng=seeded(), callback=after_two, n_sampling_iter=9)
    assert [info["n_iter"] for info in seen] == [1, 2]
    assert seen[-1]["loss"] == result.loss
    assert result.n_iter == 2


def test_objects_of_any_kind():
    words = ["a", "bb", "cc", "dddddd", "eeeeee", "fffffffffff", "ggggggggggg"] * 30

    def lengths(one, other):
        return abs(len(one) - len(other))

    result = clara(words, 4, metric=lengths, n_sampling=60, rng=seeded())
    assert result.loss == 0
    assert sorted(len(words[i]) for i in result.medoids) == [1, 2, 6, 11]


def test_only_what_is_needed_of_a_matrix_is_read(tmp_path):
    X = blobs(600)
    diss = pairwise_distances(X)
    path = tmp_path / "diss"
    diss.tofile(path)
    mapped = np.memmap(path, diss.dtype, "r", shape=diss.shape)
    found = clara(mapped, 5, metric="precomputed", rng=seeded())
    assert_same(found, clara(diss, 5, metric="precomputed", rng=seeded()))
    assert_true_loss(found, diss)


def test_what_is_not_finite_is_refused():
    diss = pairwise_distances(blobs(300))
    diss[7] = np.nan
    with pytest.raises(ValueError, match="X has dissimilarities that are NaN"):
        clara(diss, 3, metric="precomputed", rng=seeded())


def test_too_many_medoids_for_the_weights():
    weights = np.zeros(50)
    weights[:3] = 1
    with pytest.raises(ValueError, match="sample_weight leaves 3 objects for 4"):
        clara(blobs(50), 4, weights=weights, rng=seeded())


def test_results_can_be_sent():
    result = clara(blobs(300), 3, rng=seeded())
    assert_same(pickle.loads(pickle.dumps(result)), result)


def test_it_is_close_to_fasterpam_on_all():
    X = blobs(1500, k=8)
    best = fasterpam(pairwise_distances(X), 8, random_state=0, n_init=3).loss
    losses = [clara(X, 8, rng=seeded(seed)).loss for seed in range(5)]
    assert np.mean(losses) < 1.1 * best


# The estimator


def test_estimator_is_the_function():
    X = np.random.default_rng(0).normal(size=(2000, 3))
    model = CLARA(6, random_state=3, n_sampling_iter=4, n_sampling=100).fit(X)
    result = clara(X, 6, n_sampling_iter=4, n_sampling=100, max_iter=300, rng=as_generator(3))
    np.testing.assert_array_equal(model.medoid_indices_, result.medoids)
    np.testing.assert_array_equal(model.labels_, model.predict(X))
    assert model.inertia_ == pytest.approx(cdist(X, model.cluster_centers_).min(axis=1).sum())
    assert model.n_iter_ == 4 == len(model.history_)
    assert model.converged_


def test_estimator_by_an_executor():
    X = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)
    model = CLARA(6, random_state=0)
    alone = clone(model).fit(X)
    with ThreadPoolExecutor(2) as executor:
        shared = clone(model).fit(X, executor=executor)
    np.testing.assert_array_equal(alone.medoid_indices_, shared.medoid_indices_)
    assert alone.inertia_ == shared.inertia_


def test_estimator_by_a_cluster():
    distributed = pytest.importorskip("distributed")
    X = np.random.default_rng(0).normal(size=(1000, 3))
    model = CLARA(4, random_state=0)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        shared = clone(model).fit(X, executor=client.get_executor())
    np.testing.assert_array_equal(shared.labels_, model.fit(X).labels_)


def test_estimator_warns_if_passes_were_too_few():
    X = np.random.default_rng(0).normal(size=(3000, 3))
    with pytest.warns(ConvergenceWarning, match="CLARA"):
        CLARA(30, max_iter=1, random_state=0).fit(X)


def test_estimator_takes_initial_medoids():
    X = np.random.default_rng(0).normal(size=(3000, 3))
    start = np.arange(5) * 100
    model = CLARA(5, init=start, random_state=0).fit(X)
    assert model.inertia_ < cdist(X, X[start]).min(axis=1).sum()
    with pytest.raises(ValueError, match="init has 5 medoids, but 4"):
        CLARA(4, init=start).fit(X)


def test_a_callback_stops_after_the_first_sample():
    X = np.random.default_rng(0).normal(size=(1000, 3))
    seen = []
    result = clara(X, 4, rng=seeded(), callback=lambda info: seen.append(info) or True)
    assert len(seen) == 1 == result.n_iter
