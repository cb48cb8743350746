"""The state that the search keeps is what it would be if it were made from scratch."""

import numpy as np
import pytest
from hypothesis import assume, given

from lowrank_la.cluster import _cpu, _matrix_cpu
from tests.cluster.state import State
from tests.strategies import dissimilarities, starts, weighted_starts


@given(starts(min_n=2))
def test_assign(problem):
    diss, medoids = problem
    state = State(_cpu, diss.T, medoids)
    state.check()


@given(weighted_starts(min_n=3))
def test_swaps_keep_the_state(problem):
    diss, medoids, weights = problem
    assume(len(medoids) > 1)
    state = State(_cpu, diss.T, medoids, weights)
    sum(state.all_swaps())
    state.check()


@pytest.mark.parametrize("k", [2, 3, 4, 5, 7, 8, 9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_swaps_keep_the_state_across_lanes_and_tiles(k, dtype, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    for n in (63, 64, 66, 129):
        diss = rng.integers(0, 1000, (n, n)).astype(dtype)
        np.fill_diagonal(diss, 0)
        state = State(_cpu, diss, rng.choice(n, k, replace=False), rng.integers(1, 4, n) * 1.0)
        assert sum(state.all_swaps()) > 0
        state.check()


@given(weighted_starts())
def test_loss_with_one_more_medoid(problem):
    diss, medoids, weights = problem
    near = diss[:, medoids].min(axis=1)
    found = _matrix_cpu.loss_with(np.ascontiguousarray(diss.T), near, weights, 1)
    expected = [np.dot(weights, np.minimum(near, diss[:, j])) for j in range(len(diss))]
    np.testing.assert_array_equal(found, expected)


@given(dissimilarities(min_n=2))
def test_symmetric_matrices_are_seen(diss):
    assert _matrix_cpu.is_symmetric(np.ascontiguousarray(diss + diss.T), 0.0)


def test_asymmetric_matrices_are_seen(global_random_seed):
    diss = np.random.default_rng(global_random_seed).random((50, 50))
    assert not _matrix_cpu.is_symmetric(diss, 1e-5)


def test_the_order_of_candidates(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    diss, order = rng.integers(1, 10**6, (130, 130)) * 1.0, rng.permutation(130)
    np.fill_diagonal(diss, 0)
    one = State(_cpu, diss, order[:7], order=order)
    other = State(_cpu, diss[np.ix_(order, order)], np.arange(7))
    assert sum(one.all_swaps()) == sum(other.all_swaps()) > 0
    np.testing.assert_array_equal(one.medoids, order[other.medoids])
