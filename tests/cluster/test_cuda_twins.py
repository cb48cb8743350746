"""The CUDA twins do what the CPU's kernels do, one by one and in whole fits."""

import numpy as np
import pytest

from lowrank_la.cluster import (
    KMedoids,
    _cpu,
    _cuda,
    _matrix_cpu,
    _matrix_cuda,
    alternating,
    fasterpam,
    fastpam1,
    fastpam2,
    pam,
    pam_build,
)
from lowrank_la.cluster._search import Run
from tests.cluster.state import State

pytestmark = pytest.mark.usefixtures("launches")


def problem(n, k, dtype, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, 1000, (n, n)).astype(dtype)
    np.fill_diagonal(rows, 0)
    return rows, rng.choice(n, k, replace=False), rng.integers(1, 4, n).astype(float)


def assert_same(one, other):
    for name, value in one.host().items():
        found = other.host()[name]
        if name == "table":
            value, found = (a.transpose(0, 2, 1).reshape(-1, a.shape[1])[: len(one.near)]
                            for a in (value, found))  # fmt: skip
        np.testing.assert_allclose(found, value, rtol=1e-8, err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "k"), [(13, 2), (18, 5), (9, 9)])
def test_assign_and_removal_loss(n, k, dtype):
    arguments = problem(n, k, dtype)
    one, other = State(_cpu, *arguments), State(_cuda, *arguments)
    other.check()
    assert_same(one, other)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "k"), [(13, 2), (18, 5)])
def test_eager_swaps(n, k, dtype, launches):
    arguments = problem(n, k, dtype)
    one, other = State(_cpu, *arguments), State(_cuda, *arguments)
    assert sum(one.all_swaps()) == sum(other.all_swaps()) > 0
    other.check()
    assert_same(one, other)
    assert {"_assign", "_removal_loss", "_tally", "_swap"} <= launches


def test_state_after_each_swap():
    rows, medoids, weights = problem(15, 4, np.float64)
    state = State(_cuda, rows, medoids, weights)
    for _ in state.all_swaps():
        state.check()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loss_with(dtype):
    rows, medoids, weights = problem(30, 3, dtype)
    near = rows[medoids].min(axis=0)
    found = _cuda.to_host(_matrix_cuda.loss_with(*map(_cuda.to_device, (rows, near, weights)), 1))
    np.testing.assert_allclose(found, _matrix_cpu.loss_with(rows, near, weights, 1), rtol=1e-8)


@pytest.mark.filterwarnings("ignore:.*invalid value:RuntimeWarning")  # the simulator's NumPy
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_found(value):
    rows, _, _ = problem(12, 3, np.float64)
    rows[7, 5] = value
    for solve in (fasterpam, pam_build):
        with pytest.raises(ValueError, match="diss"):
            solve(rows, 3, device="cuda")


def test_is_symmetric():
    rows, _, _ = problem(12, 3, np.float64)
    symmetric = _cuda.to_device(rows + rows.T)
    assert _matrix_cuda.is_symmetric(symmetric, 1e-10)
    assert not _matrix_cuda.is_symmetric(_cuda.to_device(rows), 1e-10)


@pytest.mark.parametrize(
    ("k", "dtype", "weighted"),
    [(1, np.float64, True), (3, np.float32, False), (3, np.float64, True), (14, np.float32, True)],
)
def test_whole_searches(k, dtype, weighted):
    rows, _, weights = problem(14, k, dtype)
    weights = weights if weighted else None
    for solve, options in ((fasterpam, {"init": "first"}), (pam_build, {})):
        one, other = (
            solve(rows, k, sample_weight=weights, device=device, **options)
            for device in ("cpu", "cuda")
        )
        assert other.loss == pytest.approx(one.loss, rel=1e-8)
        assert (other.n_swap, other.n_iter) == (one.n_swap, one.n_iter)
        np.testing.assert_array_equal(other.medoids, one.medoids)
        np.testing.assert_array_equal(other.labels, one.labels)
        np.testing.assert_allclose(other.history, one.history, rtol=1e-8)


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "cosine"])
def test_whole_fits(metric):
    X = np.random.default_rng(0).normal(size=(14, 3))
    one, other = (
        KMedoids(3, metric=metric, random_state=0, device=device).fit(X)
        for device in ("cpu", "cuda")
    )
    np.testing.assert_array_equal(other.medoid_indices_, one.medoid_indices_)
    np.testing.assert_array_equal(other.labels_, one.labels_)
    assert isinstance(other.labels_, np.ndarray)
    assert other.inertia_ == pytest.approx(one.inertia_, rel=1e-8)
    np.testing.assert_allclose(other.transform(X[:4]), one.transform(X[:4]), rtol=1e-8, atol=1e-12)
    np.testing.assert_array_equal(other.predict(X), one.labels_)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_best_swaps(dtype, launches):
    arguments = problem(19, 4, dtype)
    arguments[2][[2, 3]] = 0.0  # never medoids
    states = State(_cpu, *arguments), State(_cuda, *arguments)
    for state in states:
        state.removal[0] = np.inf
    expected, found = (state.best_swaps(state.rows, state.ids) for state in states)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one[1:], other[1:], rtol=1e-8)
    assert expected[0][0] == found[0][0] == np.inf
    assert "_tally" in launches


def test_best_swaps_show_what_is_not_finite():
    rows, medoids, weights = problem(12, 3, np.float64)
    state = State(_cuda, rows, medoids, weights)
    state.rows[7, 5] = np.nan
    assert np.isnan(state.best_swaps(state.rows, state.ids)[0]).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cluster_losses(dtype, launches):
    rows, medoids, weights = problem(20, 4, dtype)
    labels = State(_cpu, rows, medoids, weights).nearest
    found = _matrix_cuda.cluster_losses(*map(_cuda.to_device, (rows, labels)), 4, weights, 1)
    expected = _matrix_cpu.cluster_losses(rows, labels, 4, weights, 1)
    np.testing.assert_allclose(_cuda.to_host(found), expected, rtol=1e-8)
    assert "_cluster_losses" in launches


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_perturb(dtype):
    arguments = problem(14, 4, dtype)
    rng = np.random.default_rng(1)
    slots, draws = rng.integers(4, size=(5, 3)), rng.integers(14, size=(5, 3))
    states = State(_cpu, *arguments), State(_cuda, *arguments)
    results = [
        state.perturb(slots, draws, Run(max_iter=100), state.rows, state.order, state.ids)
        for state in states
    ]
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8)
    assert_same(*states)
    for state in states:
        state.check()


@pytest.mark.parametrize("solve", [fastpam1, fastpam2, pam, alternating])
def test_variants(solve):
    rows, medoids, weights = problem(16, 4, np.float64)
    rows = rows + rows.T
    one, other = (
        solve(rows, medoids, sample_weight=weights, fixed_medoids=medoids[1], device=device)
        for device in ("cpu", "cuda")
    )
    np.testing.assert_array_equal(one.medoids, other.medoids)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert (one.n_swap, one.n_iter, one.converged) == (other.n_swap, other.n_iter, other.converged)
    assert one.loss == pytest.approx(other.loss)


@pytest.mark.parametrize("init", ["lab", "k-medoids++", "build"])
def test_starts(init):
    rows = problem(16, 4, np.float64)[0]
    one, other = (
        fasterpam(rows, 4, init=init, random_state=0, device=device, n_perturbations=3)
        for device in ("cpu", "cuda")
    )
    np.testing.assert_array_equal(one.medoids, other.medoids)
    np.testing.assert_allclose(one.history, other.history)


def test_the_order_of_candidates():
    rows, medoids, weights = problem(17, 4, np.float64)
    order = np.random.default_rng(3).permutation(17)
    one, other = (State(kernels, rows, medoids, weights, order) for kernels in (_cpu, _cuda))
    assert sum(one.all_swaps()) == sum(other.all_swaps()) > 0
    assert_same(one, other)
