import gzip
import inspect
import warnings
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.cluster import KMedoidsResult, fasterpam, pam_build
from tests.reference import kmedoids as naive
from tests.strategies import dissimilarities, dtypes, integers, starts, weighted_starts

TINY = {"max_n": 8}


def points(n, seed, d=2):
    return np.random.default_rng(seed).normal(size=(n, d))


def distances(n, seed):
    return cdist(points(n, seed), points(n, seed))


def no_ties(n, seed):
    """Asymmetric costs, all different."""
    diss = np.random.default_rng(seed).permutation(n * n).reshape(n, n) + 1.0
    np.fill_diagonal(diss, 0)
    return diss


def assert_valid(result, diss, weights=None):
    """Whatever the problem: distinct medoids, labels of least cost, and the true loss."""
    assert isinstance(result, KMedoidsResult)
    n, k = len(diss), len(result.medoids)
    assert len(np.unique(result.medoids)) == k
    assert result.labels.shape == (n,)
    costs = np.asarray(diss, np.float64)[np.arange(n), result.medoids[result.labels]]
    np.testing.assert_array_equal(costs, np.asarray(diss)[:, result.medoids].min(axis=1))
    np.testing.assert_array_equal(result.labels[result.medoids], np.arange(k))
    assert result.loss == pytest.approx(naive.loss(diss, result.medoids, weights), rel=1e-12)
    assert len(result.history) == result.n_iter


# Against the definition


@given(starts(**TINY, min_n=3))
def test_same_swaps_as_the_definition(problem):
    diss, medoids = problem
    result = fasterpam(diss, medoids)
    assert_valid(result, diss)
    if len(medoids) > 1:
        expected, n_swap, history = naive.fasterpam(diss, medoids)
        np.testing.assert_array_equal(result.medoids, expected)
        assert (result.n_swap, result.n_iter) == (n_swap, len(history))
        np.testing.assert_array_equal(result.history, history)


@given(weighted_starts(**TINY, min_n=3))
def test_same_weighted_swaps_as_the_definition(problem):
    diss, medoids, weights = problem
    result = fasterpam(diss, medoids, sample_weight=weights)
    assert_valid(result, diss, weights)
    assert np.all(weights[result.medoids] > 0)
    if len(medoids) > 1:
        expected, n_swap, history = naive.fasterpam(diss, medoids, weights)
        np.testing.assert_array_equal(result.medoids, expected)
        assert result.n_swap == n_swap
        np.testing.assert_array_equal(result.history, history)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "k"), [(63, 4), (64, 2), (65, 6), (130, 3)])
def test_same_swaps_across_lane_boundaries(n, k, weighted, dtype, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    diss, start = no_ties(n, global_random_seed).astype(dtype), rng.choice(n, k, replace=False)
    weights = rng.integers(0, 4, n).astype(float) if weighted else None
    if weighted:
        weights[start] = 1
    result = fasterpam(diss, start, sample_weight=weights)
    expected, n_swap, _ = naive.fasterpam(diss, start, weights)
    np.testing.assert_array_equal(result.medoids, expected)
    np.testing.assert_array_equal(result.labels, naive.nearest(diss, expected))
    assert result.n_swap == n_swap > 0


@given(st.data(), st.integers(2, 7))
def test_costs_of_any_sign_and_diagonal(data, n):
    """Nothing is taken for granted: no object need be its own best medoid."""
    diss = data.draw(integers((n, n), -20, 20)).astype(data.draw(dtypes))
    medoids = data.draw(st.permutations(range(n)))[: data.draw(st.integers(2, n))]
    result = fasterpam(diss, medoids)
    expected, n_swap, _ = naive.fasterpam(diss, medoids)
    np.testing.assert_array_equal(result.medoids, expected)
    assert (result.n_swap, result.loss) == (n_swap, naive.loss(diss, expected))


@given(dissimilarities(), st.data())
def test_build_is_greedy(diss, data):
    k = data.draw(st.integers(1, len(diss)))
    result = pam_build(diss, k)
    np.testing.assert_array_equal(result.medoids, naive.build(diss, k))
    assert_valid(result, diss)
    assert (result.n_iter, result.n_swap) == (0, 0)


@given(weighted_starts(**TINY))
def test_weighted_build_is_greedy(problem):
    diss, medoids, weights = problem
    result = pam_build(diss, len(medoids), sample_weight=weights)
    np.testing.assert_array_equal(
        result.medoids, naive.build(diss, len(medoids), weights), strict=False
    )


# Optimality


@given(starts())
def test_no_single_swap_improves(problem):
    diss, medoids = problem
    result = fasterpam(diss, medoids)
    assert result.converged
    assert naive.best_single_swap(diss, result.medoids) >= result.loss * (1 - 1e-9)


@pytest.mark.parametrize("k", [1, 2])
def test_one_asymmetric_entry_counts(k):
    """A matrix that is symmetric but for one entry is not symmetric."""
    for i, j in product(range(12), repeat=2):
        diss = np.round(100 * distances(12, 0)) + 1
        np.fill_diagonal(diss, 0)
        diss[i, j] = 0
        result = fasterpam(diss, k, init="first")
        assert_valid(result, diss)
        assert naive.best_single_swap(diss, result.medoids) >= result.loss, (i, j)


def test_asymmetry_that_no_sample_shows_is_met_in_the_loss(global_random_seed):
    """In a large matrix, a few costs of the chosen medoids to their own objects."""
    diss = distances(1500, global_random_seed)
    start = fasterpam(diss, 10, random_state=0)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        objects = rng.choice(np.setdiff1d(np.arange(1500), start.medoids), 3, replace=False)
        changed = diss.copy()
        changed[objects, start.medoids[start.labels[objects]]] += 10
        assert_valid(fasterpam(changed, start.medoids), changed)


@given(dissimilarities(min_n=3, max_n=10), st.data())
def test_the_optimum_is_never_beaten_and_never_left(diss, data):
    k = data.draw(st.integers(1, 3))
    best = naive.best_subset(diss, k)
    optimum = naive.loss(diss, best)
    assert fasterpam(diss, k, init="first").loss >= optimum
    assert fasterpam(diss, np.array(best)).loss == optimum


@pytest.mark.parametrize("k", [2, 3, 5])
def test_best_of_many_starts_is_optimal(k, global_random_seed):
    diss = distances(10, global_random_seed)
    best = min(fasterpam(diss, k, random_state=seed).loss for seed in range(50))
    assert best == pytest.approx(naive.loss(diss, naive.best_subset(diss, k)), rel=1e-12)


@pytest.mark.parametrize("init", ["random", "first", "build"])
def test_loss_falls_with_each_pass(init, global_random_seed):
    diss = distances(300, global_random_seed)
    result = fasterpam(diss, 12, init=init, random_state=global_random_seed)
    assert np.all(np.diff(result.history) <= 1e-9)
    assert result.history[-1] == pytest.approx(result.loss, rel=1e-12)
    assert result.loss < naive.loss(diss, range(12))


# Invariances


@given(starts(min_n=2), st.integers(-8, 8))
def test_scaling_scales_the_loss_alone(problem, exponent):
    diss, medoids = problem
    scale = 2.0**exponent
    one, other = fasterpam(diss, medoids), fasterpam(diss * diss.dtype.type(scale), medoids)
    np.testing.assert_array_equal(one.medoids, other.medoids)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert other.loss == one.loss * scale


def test_slots_keep_the_order_of_the_start(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    diss, start, order = (
        no_ties(60, global_random_seed),
        rng.permutation(60)[:7],
        rng.permutation(7),
    )
    one, other = fasterpam(diss, start), fasterpam(diss, start[order])
    np.testing.assert_array_equal(one.medoids[order], other.medoids)
    np.testing.assert_array_equal(one.labels, order[other.labels])


def test_build_does_not_depend_on_the_order_of_objects(global_random_seed):
    diss = no_ties(40, global_random_seed)
    order = np.random.default_rng(global_random_seed).permutation(40)
    permuted = pam_build(diss[np.ix_(order, order)], 6)
    np.testing.assert_array_equal(order[permuted.medoids], pam_build(diss, 6).medoids)


@given(weighted_starts(**TINY))
def test_integer_weights_repeat_objects(problem):
    diss, medoids, weights = problem
    origin = np.repeat(np.arange(len(diss)), weights.astype(int))
    repeated = diss[np.ix_(origin, origin)]
    start = np.searchsorted(origin, medoids)
    weighted, copies = fasterpam(diss, medoids, sample_weight=weights), fasterpam(repeated, start)
    np.testing.assert_array_equal(weighted.medoids, origin[copies.medoids])
    assert weighted.loss == copies.loss


@given(starts())
def test_unit_weights_change_nothing(problem):
    diss, medoids = problem
    one = fasterpam(diss, medoids)
    other = fasterpam(diss, medoids, sample_weight=np.ones(len(diss), int))
    np.testing.assert_array_equal(one.labels, other.labels)
    assert one.loss == other.loss


# Edges


@pytest.mark.parametrize("init", ["random", "first", "build"])
@pytest.mark.parametrize("k", [1, 4, 20])
def test_equal_objects_still_give_k_medoids(init, k):
    diss = np.zeros((20, 20))
    result = fasterpam(diss, k, init=init, random_state=0)
    assert_valid(result, diss)
    assert len(result.medoids) == k
    assert result.loss == 0


@given(dissimilarities())
def test_one_medoid_is_the_best(diss):
    costs = diss.sum(axis=0, dtype=np.float64)
    assert fasterpam(diss, 1, random_state=0).loss == costs.min()
    assert fasterpam(diss, [len(diss) - 1]).loss == costs.min()


@given(dissimilarities())
def test_every_object_its_own_medoid(diss):
    result = fasterpam(diss, len(diss), random_state=0)
    assert_valid(result, diss)
    assert (result.loss, result.n_swap) == (0, 0)


@pytest.mark.parametrize("order", ["C", "F"])
def test_asymmetric_costs_are_read_as_object_by_medoid(order):
    # Object 2 serves all cheaply; all serve object 2 cheaply only from 0.
    diss = np.array([[0.0, 9, 1, 9], [9, 0, 1, 9], [3, 9, 0, 9], [9, 9, 1, 0]], order=order)
    result = fasterpam(diss, 1)
    assert result.medoids.tolist() == [2]
    assert result.loss == 3
    assert pam_build(diss, 1).medoids.tolist() == [2]
    assert fasterpam(diss.T, 1).loss == naive.loss(diss.T, naive.best_subset(diss.T, 1))


# What may be passed


def test_the_start_is_not_changed():
    start = np.array([3, 1, 4])
    result = fasterpam(distances(50, 0), start)
    assert result.n_swap > 0
    assert start.tolist() == [3, 1, 4]


@pytest.mark.parametrize("start", [[3, 1, 4], (3, 1, 4), np.array([3, 1, 4], np.uint8)])
def test_starts_of_any_integers(start):
    expected = fasterpam(distances(50, 0), np.array([3, 1, 4]))
    assert fasterpam(distances(50, 0), start).medoids.tolist() == expected.medoids.tolist()


@pytest.mark.parametrize(
    "dtype", ["float16", "int8", "uint8", "int32", "int64", "bool", "longdouble"]
)
def test_other_numbers_are_converted(dtype):
    diss = (np.random.default_rng(0).integers(0, 100, (30, 30))).astype(dtype)
    result, expected = (
        fasterpam(diss, 4, init="first"),
        fasterpam(diss.astype(float), 4, init="first"),
    )
    assert result.medoids.tolist() == expected.medoids.tolist()
    assert result.loss == expected.loss


def test_float32_and_float64_agree(global_random_seed):
    diss = distances(200, global_random_seed).astype(np.float32)
    one, other = (fasterpam(d, 9, random_state=0) for d in (diss, diss.astype(np.float64)))
    assert one.medoids.tolist() == other.medoids.tolist()
    assert one.loss == pytest.approx(other.loss, rel=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_seeds():
    diss = distances(50, 0)
    start = fasterpam(diss, 5, max_iter=0, random_state=7).medoids.tolist()
    assert fasterpam(diss, 5, 0, random_state=np.random.default_rng(7)).medoids.tolist() == start
    assert fasterpam(diss, 5, 0, random_state=8).medoids.tolist() != start
    state = np.random.RandomState(7)
    one, other = (fasterpam(diss, 5, 0, random_state=state).medoids.tolist() for _ in range(2))
    assert one != other
    assert fasterpam(diss, 5, 0, random_state=np.random.RandomState(7)).medoids.tolist() == one


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_random_starts_are_uniform():
    diss = np.zeros((6, 6))
    rng = np.random.default_rng(0)
    drawn = np.concatenate([fasterpam(diss, 2, 0, random_state=rng).medoids for _ in range(600)])
    assert np.all(np.abs(np.bincount(drawn, minlength=6) - 200) < 60)


# Stopping


def test_too_few_passes_warn_and_still_return(global_random_seed):
    diss = distances(200, global_random_seed)
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        result = fasterpam(diss, 10, max_iter=1, init="first")
    assert not result.converged
    assert result.n_iter == 1
    assert_valid(result, diss)


def test_enough_passes_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fasterpam(distances(50, 0), 3, random_state=0).converged


def test_callback_sees_each_pass_and_stops():
    seen = []
    diss = distances(300, 0)
    whole = fasterpam(diss, 20, init="first", callback=lambda info: seen.append(info))
    assert [info["loss"] for info in seen] == whole.history.tolist()
    assert [info["n_iter"] for info in seen] == list(range(1, whole.n_iter + 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # who stops on purpose needs no warning
        stopped = fasterpam(diss, 20, init="first", callback=lambda info: True)
    assert stopped.n_iter == 1 < whole.n_iter
    assert_valid(stopped, diss)


# Against others, and on real data


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "k"), [(100, 2), (500, 10), (500, 60)])
def test_same_result_as_the_kmedoids_package(n, k, dtype, global_random_seed):
    peer = pytest.importorskip("kmedoids")
    # Whole numbers: where it adds up with rounding, the package swaps for gains of nothing.
    diss = np.round(100 * distances(n, global_random_seed)).astype(dtype)
    start = np.random.default_rng(global_random_seed).choice(n, k, replace=False)
    ours, theirs = fasterpam(diss, start), peer.fasterpam(diss, start.astype(np.uint64), n_cpu=1)
    np.testing.assert_array_equal(ours.medoids, theirs.medoids)
    np.testing.assert_array_equal(ours.labels, theirs.labels)
    assert ours.n_swap == theirs.n_swap
    assert ours.loss == theirs.loss


def pmedian(folder, name):
    """An instance of OR-Library: dissimilarities, number of medoids, proven optimum."""
    lines = (folder / "pmedopt.txt").read_text().splitlines()
    optima = dict(line.split() for line in lines[1:] if line.strip())
    n, _, k, *edges = map(int, (folder / f"{name}.txt").read_text().split())
    lengths = {}
    for i, j, length in np.reshape(edges, (-1, 3)).tolist():
        lengths[min(i, j), max(i, j)] = length  # of repeated edges the last one counts
    i, j = np.array(list(lengths)).T - 1
    graph = coo_array((list(lengths.values()), (i, j)), shape=(n, n))
    return shortest_path(graph, directed=False), k, float(optima[name])


def test_called_like_the_kmedoids_package():
    """Who comes from there changes one import."""
    peer = pytest.importorskip("kmedoids")
    for ours, theirs in ((fasterpam, peer.fasterpam), (pam_build, peer.pam_build)):
        expected = list(inspect.signature(theirs).parameters)
        parameters = inspect.signature(ours).parameters
        assert [name for name in parameters if name in expected] == expected
    expected = [name for name in vars(peer.fasterpam(distances(9, 0), 2)) if name[0] != "_"]
    result = fasterpam(distances(9, 0), 2)
    assert not [name for name in expected if not hasattr(result, name)]


def test_same_build_as_the_kmedoids_package(global_random_seed):
    peer = pytest.importorskip("kmedoids")
    diss = np.round(100 * distances(200, global_random_seed))
    ours, theirs = pam_build(diss, 12), peer.pam_build(diss, 12)
    np.testing.assert_array_equal(ours.medoids, theirs.medoids)
    assert ours.loss == theirs.loss


@pytest.mark.parametrize("name", [f"pmed{i}" for i in range(1, 11)])
def test_close_to_proven_optima(name, data_dir):
    diss, k, optimum = pmedian(data_dir / "pmedian", name)
    best = min(fasterpam(diss, k, random_state=seed).loss for seed in range(10))
    assert optimum <= best <= 1.015 * optimum


def test_digit_images(data_dir):
    raw = gzip.decompress((data_dir / "images" / "mnist-t10k-images-idx3-ubyte.gz").read_bytes())
    images = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784)[:600].astype(float)
    diss = cdist(images, images, "cityblock")
    result = fasterpam(diss, 10, random_state=0)
    assert_valid(result, diss)
    for slot in range(10):  # no single swap of this medoid improves
        others = diss[:, np.delete(result.medoids, slot)].min(axis=1)
        losses = np.minimum(others[:, None], diss).sum(axis=0)
        assert losses.min() >= result.loss * (1 - 1e-12)


def test_a_condensed_vector_is_expanded():
    X = np.random.default_rng(0).normal(size=(30, 2))
    vector = pdist(X)
    kept = vector.copy()
    one, other = (fasterpam(diss, 4, random_state=0) for diss in (vector, squareform(vector)))
    assert one.loss == other.loss
    np.testing.assert_array_equal(one.medoids, other.medoids)
    np.testing.assert_array_equal(vector, kept)
    with pytest.raises(ValueError, match="diss has one dimension and length 434"):
        fasterpam(vector[1:], 4)
