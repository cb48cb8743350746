"""OneBatchKMedoids: all objects as candidates, a batch to judge them by."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits, load_sample_image
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.cluster import KMedoids, OneBatchKMedoids, fasterpam
from lowrank_la.cluster import _onebatch as onebatch
from lowrank_la.cluster._objects import Objects, distinct_rows
from lowrank_la.cluster._search import Run
from tests.reference import kmedoids as naive


def blobs(n, seed=0, d=2):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(8, d))[rng.integers(8, size=n)] * 20 + rng.normal(size=(n, d))


def true_loss(X, model, metric="euclidean"):
    return cdist(X, X[model.medoid_indices_], metric).min(axis=1).sum()


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inertia_and_labels_are_those_of_all_samples(metric, dtype):
    X = blobs(3000).astype(dtype)
    model = OneBatchKMedoids(8, metric=metric, batch_size=200, random_state=0).fit(X)
    assert model.inertia_ == pytest.approx(true_loss(X.astype(float), model, metric), rel=1e-9)
    np.testing.assert_array_equal(model.labels_, model.predict(X))
    assert model.labels_.shape == (3000,)
    np.testing.assert_array_equal(model.labels_[model.medoid_indices_], np.arange(8))
    np.testing.assert_array_equal(model.cluster_centers_, X[model.medoid_indices_])
    assert model.converged_


def test_nearly_as_good_as_the_exact_search():
    X = blobs(2500, d=4)
    exact = KMedoids(12, random_state=0, n_init=3).fit(X).inertia_
    losses = [OneBatchKMedoids(12, random_state=seed).fit(X).inertia_ for seed in range(5)]
    assert np.mean(losses) < 1.03 * exact
    assert min(losses) > 0.98 * exact


@given(
    st.integers(2, 30).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))),
    st.integers(0, 1000),
)
def test_with_all_objects_in_the_batch_it_is_fasterpam(size, seed):
    n, k = size
    rng = np.random.default_rng(seed)
    X, weights = rng.choice(1000, (n, 1), replace=False) * 1.0, rng.integers(1, 4, n).astype(float)
    start = rng.choice(n, k, replace=False)
    run = Run(max_iter=100)
    found = onebatch.one_batch(Objects(X), start, weights, n, rng, run)
    if k == 1:
        best = min(naive.loss(cdist(X, X), [j], weights) for j in range(n))
        assert found.loss == pytest.approx(best)
        return
    expected = fasterpam(cdist(X, X), start, sample_weight=weights)
    np.testing.assert_array_equal(found.medoids, expected.medoids)
    assert found.loss == pytest.approx(expected.loss)
    assert found.n_swap == expected.n_swap
    np.testing.assert_allclose(found.history, expected.history)


@given(st.integers(0, 1000))
def test_a_local_optimum_for_the_batch(seed):
    rng = np.random.default_rng(seed)
    X, weights = rng.normal(size=(60, 2)), rng.integers(0, 3, 60).astype(float)
    objects, batch = Objects(X), None
    start = rng.choice(np.flatnonzero(weights), 4, replace=False)
    state = rng.bit_generator.state
    found = onebatch.one_batch(objects, start, weights, 15, rng, Run(100))
    rng.bit_generator.state = state
    batch = onebatch.draw_batch(weights, 4, 15, rng)
    shares = np.bincount(cdist(X, X[batch]).argmin(axis=1), weights, len(batch))
    diss = cdist(X[batch], X)
    estimate = naive.loss(diss, found.medoids, shares)
    assert estimate == pytest.approx(found.history[-1])
    assert (weights[found.medoids] > 0).all()
    for slot in range(4):
        for candidate in np.flatnonzero(weights):
            other = naive.swapped(found.medoids.tolist(), slot, candidate)
            assert naive.loss(diss, other, shares) >= estimate * (1 - 1e-9)


def test_blocks_that_do_not_fit_are_made_again(monkeypatch):
    X = blobs(700)
    whole = OneBatchKMedoids(5, batch_size=40, random_state=0).fit(X)
    monkeypatch.setattr("lowrank_la.cluster._objects._COSTS", 40 * 64)
    for kept in (0, 3 * 64 * 40 * 8, 1 << 30):
        monkeypatch.setattr(onebatch, "_KEPT", kept)
        parts = OneBatchKMedoids(5, batch_size=40, random_state=0).fit(X)
        np.testing.assert_array_equal(parts.medoid_indices_, whole.medoid_indices_)
        assert parts.inertia_ == whole.inertia_


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_rows_are_tried_once(dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (200, 3)).astype(dtype)
    X[::7] *= -0.0
    first, kind = distinct_rows(X)
    np.testing.assert_array_equal(X[first][kind], X)
    assert len(first) == len(np.unique(X + 0.0, axis=0))
    assert all((X[: first[i]] != X[first[i]]).any(axis=1).all() for i in range(len(first)))


def test_rows_whose_hashes_collide_are_told_apart(monkeypatch):
    monkeypatch.setattr("lowrank_la.cluster._objects._ODD", np.uint64(0))
    X = np.arange(20.0)[:, None] // 2
    first, kind = distinct_rows(X)
    np.testing.assert_array_equal(X[first][kind], X)
    assert len(first) == 10


def test_precomputed_asymmetric_costs():
    diss = np.random.default_rng(0).random((50, 50)) + 1
    np.fill_diagonal(diss, 0.0)
    model = OneBatchKMedoids(4, metric="precomputed", batch_size=50, random_state=0).fit(diss)
    assert model.inertia_ == pytest.approx(naive.loss(diss, model.medoid_indices_))
    assert naive.best_single_swap(diss, model.medoid_indices_) >= model.inertia_ * (1 - 1e-12)


def test_objects_of_any_kind():
    words = ["a", "bb", "abc", "x" * 8, "x" * 9, "x" * 7] * 3
    model = OneBatchKMedoids(2, metric=lambda a, b: abs(len(a) - len(b)), random_state=0).fit(words)
    assert model.inertia_ == 12
    assert sorted(map(len, model.cluster_centers_)) == [2, 8]


def test_fixed_medoids_stay():
    X = blobs(500)
    model = OneBatchKMedoids(6, fixed_medoids=[9, 400], random_state=0).fit(X)
    assert model.medoid_indices_[:2].tolist() == [9, 400]
    assert len(set(model.medoid_indices_.tolist())) == 6


def test_time_and_passes_may_run_out():
    X = blobs(3000)
    with pytest.warns(ConvergenceWarning, match="max_time"):
        OneBatchKMedoids(8, max_time=1e-9, random_state=0).fit(X)
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        model = OneBatchKMedoids(8, max_iter=1, random_state=0).fit(X)
    assert not model.converged_


@pytest.mark.parametrize("bad", [0, 1.5, "all"])
def test_bad_batch_sizes(bad):
    with pytest.raises(ValueError, match="batch_size"):
        OneBatchKMedoids(2, batch_size=bad).fit(blobs(30))


def test_digits():
    X = load_digits().data
    exact = KMedoids(10, metric="cityblock", random_state=0).fit(X).inertia_
    model = OneBatchKMedoids(10, metric="cityblock", random_state=0).fit(X)
    assert model.inertia_ < 1.02 * exact


def test_pixels_of_a_photo():
    X = load_sample_image("china.jpg").reshape(-1, 3)[::7].astype(np.float32)
    model = OneBatchKMedoids(16, random_state=0).fit(X)
    assert model.inertia_ == pytest.approx(true_loss(X.astype(float), model), rel=1e-9)
    again = OneBatchKMedoids(16, random_state=0).fit(X)
    np.testing.assert_array_equal(again.medoid_indices_, model.medoid_indices_)


# What a review found


def test_a_mapped_matrix_is_not_copied(tmp_path):
    X = blobs(1500)
    np.save(tmp_path / "diss.npy", cdist(X, X))
    diss = np.load(tmp_path / "diss.npy", mmap_mode="r")
    model = OneBatchKMedoids(4, metric="precomputed", batch_size=30, random_state=0)
    model.fit(diss)
    tracemalloc.start()
    model.fit(diss)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < diss.nbytes / 3


def test_heavy_objects_come_into_the_batch():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(5000, 2)), [[1000.0, 0], [1000, 1], [1001, 0]]])
    weights = np.r_[np.ones(5000), np.full(3, 1e4)]
    for seed in range(5):
        model = OneBatchKMedoids(3, batch_size=100, random_state=seed)
        model.fit(X, sample_weight=weights)
        assert model.inertia_ < 1e6


def test_one_medoid_of_negative_costs():
    diss = cdist(blobs(60), blobs(60)) - 50
    model = OneBatchKMedoids(1, metric="precomputed", random_state=0).fit(diss)
    assert model.converged_
    assert model.inertia_ == pytest.approx(diss.sum(axis=0).min())
