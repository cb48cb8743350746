"""CLARANS: random candidates, until many in a row have improved nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.cluster import CLARANS, KMedoids
from tests.reference import kmedoids as naive


def points(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 2))


@given(st.integers(3, 30), st.integers(0, 1000))
def test_with_all_candidates_no_single_swap_improves(n, seed):
    rng = np.random.default_rng(seed)
    X, k, weights = rng.normal(size=(n, 2)), int(rng.integers(1, n + 1)), rng.integers(1, 4, n)
    model = CLARANS(k, random_state=seed, max_neighbors=n).fit(X, sample_weight=weights)
    diss = cdist(X, X)
    assert model.converged_
    assert model.inertia_ == pytest.approx(naive.loss(diss, model.medoid_indices_, weights))
    best = naive.best_single_swap(diss, model.medoid_indices_, weights)
    assert best >= model.inertia_ * (1 - 1e-9)


def test_a_few_neighbors_are_enough():
    X = points(3000)
    exact = KMedoids(10, random_state=0).fit(X).inertia_
    some = CLARANS(10, random_state=0).fit(X)
    fewer = CLARANS(10, random_state=0, max_neighbors=3, n_local=1).fit(X)
    assert exact * 0.99 < some.inertia_ < 1.03 * exact
    assert some.inertia_ < fewer.inertia_ < 1.3 * exact


def test_the_best_local_search_is_kept():
    X = points(400)
    losses = [
        CLARANS(9, random_state=1, max_neighbors=20, n_local=n).fit(X).inertia_ for n in (1, 2, 6)
    ]
    assert losses[0] >= losses[1] >= losses[2] < losses[0]


def test_blocks_of_candidates(monkeypatch):
    X = points(500)
    whole = CLARANS(6, random_state=0).fit(X)
    monkeypatch.setattr("lowrank_la.cluster._objects._COSTS", 500 * 8)
    parts = CLARANS(6, random_state=0).fit(X)
    np.testing.assert_array_equal(parts.medoid_indices_, whole.medoid_indices_)


def test_precomputed_asymmetric_costs():
    diss = np.random.default_rng(0).random((60, 60)) + 1
    np.fill_diagonal(diss, 0.0)
    model = CLARANS(5, metric="precomputed", max_neighbors=60, random_state=0).fit(diss)
    assert model.inertia_ == pytest.approx(naive.loss(diss, model.medoid_indices_))
    assert naive.best_single_swap(diss, model.medoid_indices_) >= model.inertia_ * (1 - 1e-12)


def test_fixed_medoids_and_given_starts():
    X = points(100)
    model = CLARANS(4, fixed_medoids=[7], random_state=0).fit(X)
    assert model.medoid_indices_[0] == 7
    start = KMedoids(4, random_state=0).fit(X)
    same = CLARANS(4, init=start.medoid_indices_, max_neighbors=100).fit(X)
    assert set(same.medoid_indices_) == set(start.medoid_indices_)
    with pytest.raises(ValueError, match="init has 3 medoids, but 4"):
        CLARANS(4, init=[1, 2, 3]).fit(X)


def test_rounds_and_time_may_run_out():
    X = points(2000)
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        CLARANS(50, max_iter=1, max_neighbors=2000, random_state=0).fit(X)
    with pytest.warns(ConvergenceWarning, match="max_time"):
        model = CLARANS(50, max_time=1e-9, random_state=0).fit(X)
    assert model.inertia_ == pytest.approx(cdist(X, model.cluster_centers_).min(axis=1).sum())


@pytest.mark.parametrize("name", ["n_local", "max_neighbors"])
@pytest.mark.parametrize("bad", [0, 1.5, "all"])
def test_bad_parameters(name, bad):
    with pytest.raises(ValueError, match=name):
        CLARANS(2, **{name: bad}).fit(points(30))


def test_digits():
    X = load_digits().data
    exact = KMedoids(10, random_state=0).fit(X).inertia_
    assert CLARANS(10, random_state=0).fit(X).inertia_ < 1.02 * exact


def test_no_more_candidates_are_looked_at_than_needed():
    X, calls = points(400), []

    def metric(a, b):
        calls.append(1)
        return abs(a - b).sum()

    CLARANS(5, metric=metric, n_local=1, max_neighbors=10, random_state=0).fit(X)
    assert len(calls) < 400**2 / 2
