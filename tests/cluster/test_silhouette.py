import inspect
import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, squareform
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import silhouette_samples, silhouette_score

from lowrank_la.cluster import (
    DynMSCResult,
    KMedoidsResult,
    _msc_cpu,
    _silhouette_cpu,
    dynmsc,
    fastermsc,
    fastmsc,
    medoid_silhouette,
    pam_build,
    pammedsil,
    pamsil,
    silhouette,
)
from lowrank_la.cluster._dissimilarities import Dissimilarities
from tests.reference import silhouette as naive
from tests.reference.kmedoids import nearest
from tests.strategies import dissimilarities, dtypes, integers, starts, weighted_starts

SOLVERS = [fastermsc, fastmsc, pammedsil, pamsil, dynmsc]
BY_MEDOIDS = [fastermsc, fastmsc, pammedsil, dynmsc]
TINY = {"max_n": 7}
each = partial(pytest.mark.parametrize, "solve")


def distances(n, seed, d=2):
    points = np.random.default_rng(seed).normal(size=(n, d))
    return cdist(points, points)


def generic(n, seed, dtype=np.float64):
    """Asymmetric costs without ties: no two sums are the same but by chance."""
    diss = np.random.default_rng(seed).uniform(0.1, 1, (n, n)).astype(dtype)
    np.fill_diagonal(diss, 0)
    return diss


@st.composite
def generic_starts(draw, min_n=4, max_n=10, weighted=False):
    n, seed = draw(st.integers(min_n, max_n)), draw(st.integers(0, 2**32 - 1))
    diss = generic(n, seed, draw(dtypes))
    medoids = np.array(draw(st.permutations(range(n)))[: draw(st.integers(2, n - 1))])
    if not weighted:
        return diss, medoids
    weights = draw(integers(n, 0, 3))
    weights[medoids] += weights[medoids] == 0
    return diss, medoids, weights.astype(float)


def score_of(solve, diss, weights=None):
    """What a solver raises, as a function of medoids."""
    if solve is not pamsil:
        return lambda medoids: naive.medoid_silhouette(diss, medoids, weights)
    counts = np.ones(len(diss), int) if weights is None else weights.astype(int)
    origin = np.repeat(np.arange(len(diss)), counts)
    repeated = diss[np.ix_(origin, origin)]

    def average(medoids):
        return float(naive.silhouettes(repeated, nearest(diss, medoids)[origin]).mean())

    return average


def assert_valid(result, diss, score):
    """Whatever the problem: distinct medoids, labels of least cost, and the true score."""
    assert isinstance(result, KMedoidsResult)
    n, k = len(diss), len(result.medoids)
    assert len(np.unique(result.medoids)) == k
    assert result.medoids.dtype == np.int64
    assert (result.labels.shape, result.labels.dtype) == ((n,), np.int32)
    costs = np.asarray(diss)[np.arange(n), result.medoids[result.labels]]
    np.testing.assert_array_equal(costs, np.asarray(diss)[:, result.medoids].min(axis=1))
    np.testing.assert_array_equal(result.labels[result.medoids], np.arange(k))
    assert result.loss == pytest.approx(score(list(result.medoids)), abs=1e-12)
    assert len(result.history) == result.n_iter


# Against the definitions


@given(generic_starts())
def test_fastermsc_swaps_as_the_definition_says(problem):
    diss, medoids = problem
    result, score = fastermsc(diss, medoids), score_of(fastermsc, diss)
    assert_valid(result, diss, score)
    expected, n_swap, history = naive.eager(score, medoids, range(len(diss)), len(diss))
    np.testing.assert_array_equal(result.medoids, expected)
    assert result.n_swap == n_swap
    np.testing.assert_allclose(result.history, history, rtol=0, atol=1e-12)


@given(generic_starts(weighted=True))
def test_weighted_fastermsc_swaps_as_the_definition_says(problem):
    diss, medoids, weights = problem
    result = fastermsc(diss, medoids, sample_weight=weights)
    score = score_of(fastermsc, diss, weights)
    expected, n_swap, _ = naive.eager(score, medoids, np.flatnonzero(weights), len(diss))
    np.testing.assert_array_equal(result.medoids, expected)
    assert result.n_swap == n_swap
    assert_valid(result, diss, score)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "k"), [(63, 4), (64, 2), (66, 6), (80, 3)])
def test_same_swaps_across_lane_boundaries(n, k, dtype, global_random_seed):
    diss = generic(n, global_random_seed, dtype)
    start = np.random.default_rng(global_random_seed).choice(n, k, replace=False)
    score = score_of(fastermsc, diss)
    expected, n_swap, _ = naive.eager(score, start, range(n), n)
    result = fastermsc(diss, start)
    np.testing.assert_array_equal(result.medoids, expected)
    assert result.n_swap == n_swap > 0


@each([fastmsc, pammedsil])
@given(problem=generic_starts(max_n=8))
def test_the_best_swap_of_all_each_time(solve, problem):
    diss, medoids = problem
    result, score = solve(diss, medoids), score_of(solve, diss)
    expected, history = naive.steepest(score, medoids, range(len(diss)))
    np.testing.assert_array_equal(result.medoids, expected)
    np.testing.assert_allclose(result.history, history, rtol=0, atol=1e-12)
    assert result.n_swap == len(history) - 1
    assert_valid(result, diss, score)


@settings(max_examples=15)
@given(generic_starts(max_n=7))
def test_pamsil_makes_a_best_swap_each_time(problem):
    """Not a certain one: after different swaps, the clusters may be the same."""
    diss, medoids = problem
    score = score_of(pamsil, diss)
    before = score(medoids.tolist())
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            result = pamsil(diss, medoids, max_iter=1)
        assert_valid(result, diss, score)
        after = max(before, naive.best_swap(score, medoids.tolist(), range(len(diss)))[0])
        assert result.loss == pytest.approx(after, abs=1e-12)
        if result.converged:
            break
        medoids, before = result.medoids, after


@given(generic_starts(min_n=5))
def test_dynmsc_is_fastermsc_and_then_without_the_dearest(problem):
    diss, start = problem
    score, medoids, losses, n_swap, n_iter = score_of(dynmsc, diss), start, [], 0, 0
    while True:
        found = fastermsc(diss, medoids)
        losses, n_swap, n_iter = [found.loss, *losses], n_swap + found.n_swap, n_iter + found.n_iter
        if len(medoids) == 2:
            break
        medoids = naive.without_the_dearest(score, found.medoids.tolist())
    result = dynmsc(diss, start)
    assert isinstance(result, DynMSCResult)
    assert_valid(result, diss, score)
    np.testing.assert_allclose(result.losses, losses, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(result.rangek, np.arange(2, len(start) + 1))
    assert (result.n_swap, result.n_iter) == (n_swap, n_iter)
    assert result.bestk == len(result.medoids)
    assert result.loss == result.losses.max() == result.losses[result.bestk - 2]


@given(starts(min_n=2, max_n=9))
def test_medoid_silhouette_is_the_definition(problem):
    diss, medoids = problem
    average, values = medoid_silhouette(diss, medoids, samples=True)
    np.testing.assert_allclose(values, naive.medoid_silhouettes(diss, medoids), atol=1e-15)
    assert average == pytest.approx(values.mean(), abs=1e-15)
    assert medoid_silhouette(diss, medoids)[1].shape == (0,)


@given(dissimilarities(min_n=2, max_n=9), st.data())
def test_silhouette_is_the_definition(diss, data):
    labels = data.draw(integers(len(diss), 0, 4))
    for form in (diss, np.asfortranarray(diss), np.repeat(diss, 2, axis=1)[:, ::2]):
        average, values = silhouette(form, labels, samples=True)
        np.testing.assert_allclose(values, naive.silhouettes(diss, labels), atol=1e-12)
        assert average == pytest.approx(values.mean(), abs=1e-14)
    assert silhouette(diss, labels)[1].shape == (0,)
    if 2 <= len(set(labels)) < len(diss):
        expected = silhouette_samples(diss.astype(float), labels, metric="precomputed")
        np.testing.assert_allclose(values, expected, atol=1e-12)


# Optimality


@each(SOLVERS)
@given(problem=starts(**TINY, min_n=3))
def test_no_single_swap_improves(solve, problem):
    """On integers with ties and duplicates, too."""
    diss, medoids = problem
    if solve is dynmsc:
        solve = partial(dynmsc, minimum_k=1)
    result = solve(diss, medoids)
    assert result.converged
    score = score_of(solve, diss)
    k = len(result.medoids)
    if solve is not pamsil:  # who serves an object that two medoids are equally near is open
        assert_valid(result, diss, score)
        best = naive.best_swap(score, list(result.medoids), range(len(diss)))[0]
        assert k == 1 or best <= result.loss + 1e-9
    else:
        expected = 0 if k == 1 else naive.silhouettes(diss, result.labels).mean()
        assert result.loss == pytest.approx(expected, abs=1e-12)


@each(SOLVERS)
@given(problem=weighted_starts(**TINY, min_n=3))
def test_weightless_objects_never_become_medoids(solve, problem):
    diss, medoids, weights = problem
    options = {"minimum_k": 1} if solve is dynmsc else {}
    result = solve(diss, medoids, sample_weight=weights, **options)
    assert np.all(weights[result.medoids] > 0)
    if solve is not pamsil:
        assert result.loss == pytest.approx(
            naive.medoid_silhouette(diss, result.medoids, weights), abs=1e-12
        )


@each(SOLVERS)
def test_the_score_rises_with_each_pass(solve, global_random_seed):
    diss = distances(80, global_random_seed)
    start = np.random.default_rng(global_random_seed).choice(80, 6, replace=False)
    if solve is dynmsc:
        solve = partial(dynmsc, minimum_k=6)
    result = solve(diss, start)
    assert np.all(np.diff(result.history) >= -1e-12)
    assert result.history[-1] == pytest.approx(result.loss, abs=1e-12)
    assert result.loss >= score_of(pamsil if solve is pamsil else fastmsc, diss)(start)


@each(SOLVERS)
def test_one_asymmetric_entry_counts(solve):
    diss = np.round(100 * distances(9, 0)) + 1
    np.fill_diagonal(diss, 0)
    for i, j in [(0, 1), (5, 2), (8, 0), (3, 7)]:
        changed = diss.copy()
        changed[i, j] = 0.5
        assert_valid(solve(changed, [0, 1, 2]), changed, score_of(solve, changed))


@each(BY_MEDOIDS)
def test_asymmetry_that_no_sample_shows_is_met_in_the_end(solve, global_random_seed):
    diss = distances(1100, global_random_seed)
    start = fastermsc(diss, 4, random_state=0)
    rng = np.random.default_rng(global_random_seed)
    objects = rng.choice(np.setdiff1d(np.arange(1100), start.medoids), 3, replace=False)
    changed = diss.copy()
    changed[objects, start.medoids[start.labels[objects]]] += 10
    options = {"minimum_k": 4} if solve is dynmsc else {}
    result = solve(changed, start.medoids, **options)
    assert_valid(result, changed, score_of(solve, changed))


# Duplicates


@st.composite
def with_duplicates(draw):
    """Distances of points on a small grid, and medoids."""
    n = draw(st.integers(4, 10))
    points = draw(integers((n, 2), 0, 2))
    medoids = np.array(draw(st.permutations(range(n)))[: draw(st.integers(2, n - 1))])
    return cdist(points, points, "cityblock"), medoids


def test_pamsil_does_not_go_in_circles():
    """Medoids that their duplicates served emptied the clusters that the sums had foretold."""
    points = [[0, 0], [0, 2], [2, 0], [2, 1], [0, 0], [2, 1], [2, 2], [1, 1], [2, 1], [2, 1]]
    result = pamsil(cdist(points, points, "cityblock"), [9, 4, 1, 8, 6, 5], max_iter=6)
    assert result.converged
    assert np.all(np.diff(result.history) >= 0)
    assert result.loss == result.history.max()


@each(SOLVERS)
@given(problem=with_duplicates())
def test_among_duplicates_a_medoid_serves_itself(solve, problem):
    diss, medoids = problem
    result = solve(diss, medoids)
    np.testing.assert_array_equal(result.labels[result.medoids], np.arange(len(result.medoids)))


@each(SOLVERS)
def test_no_cluster_is_empty_of_repeated_rows(solve, global_random_seed):
    """On both sides of a border of lanes."""
    rng = np.random.default_rng(global_random_seed)
    points = rng.integers(0, 3, (70, 2))
    result = solve(cdist(points, points), rng.choice(70, 12, replace=False))
    np.testing.assert_array_equal(np.unique(result.labels), np.arange(len(result.medoids)))
    np.testing.assert_array_equal(result.labels[result.medoids], np.arange(len(result.medoids)))


@each(SOLVERS)
def test_a_newcomer_that_three_medoids_serve_for_nothing_serves_itself(solve):
    """Costs that are no distances: what serves one object as well serves others worse."""
    options = {"minimum_k": 5} if solve is dynmsc else {}
    for seed in (19, 88, 132, 210):
        rng = np.random.default_rng(seed)
        free = rng.random((12, 12)) < 0.5
        diss = np.where(free, 0, rng.integers(0, 9, (12, 12))).astype(float)
        np.fill_diagonal(diss, 0)
        result = solve(diss, rng.choice(12, 5, replace=False), **options)
        np.testing.assert_array_equal(result.labels[result.medoids], np.arange(5))


@settings(max_examples=50)
@given(with_duplicates())
def test_pamsil_rises_until_it_ends(problem):
    diss, medoids = problem
    result = pamsil(diss, medoids)
    assert result.converged
    assert np.all(np.diff(result.history) >= 0)
    expected = naive.silhouettes(diss, result.labels).mean()
    assert result.loss == pytest.approx(expected, abs=1e-12)


@each([fastmsc, pamsil])
def test_a_swap_that_fails_is_taken_back(solve, monkeypatch):
    """Whatever was foretold: it counts what the sums say afterwards."""
    diss = distances(20, 0)
    best = solve(diss, 4)
    everything = np.full(20, 99.0)
    places = np.zeros(20, np.int32)
    monkeypatch.setattr(_msc_cpu, "best_swaps", lambda *args: (-everything, places))
    monkeypatch.setattr(_silhouette_cpu, "try_swaps", lambda *args: (everything.copy(), places))
    result = solve(diss, best.medoids)
    assert (result.n_swap, result.n_iter, result.converged) == (0, 1, True)
    assert result.medoids.tolist() == best.medoids.tolist()
    assert result.loss == pytest.approx(best.loss, abs=1e-15)
    np.testing.assert_array_equal(result.labels, best.labels)


# Invariances


@each(SOLVERS)
@given(problem=starts(**TINY, min_n=3), exponent=st.integers(-8, 8))
def test_scale_does_not_matter(solve, problem, exponent):
    diss, medoids = problem
    options = {"minimum_k": 1} if solve is dynmsc else {}
    one = solve(diss, medoids, **options)
    other = solve(diss * diss.dtype.type(2.0**exponent), medoids, **options)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert one.medoids.tolist() == other.medoids.tolist()
    assert other.loss == one.loss


@each(BY_MEDOIDS)
@given(problem=generic_starts())
def test_slots_keep_the_order_of_the_start(solve, problem):
    diss, start = problem
    order = np.arange(len(start))[::-1]
    if solve is dynmsc:
        solve = partial(dynmsc, minimum_k=len(start))
    one, other = solve(diss, start), solve(diss, start[order])
    np.testing.assert_array_equal(one.medoids[order], other.medoids)
    assert other.loss == pytest.approx(one.loss, abs=1e-12)


@each([fastmsc, pammedsil])
@given(problem=generic_starts(), data=st.data())
def test_the_order_of_objects_does_not_matter(solve, problem, data):
    diss, start = problem
    order = np.array(data.draw(st.permutations(range(len(diss)))))
    permuted = solve(diss[np.ix_(order, order)], np.argsort(order)[start])
    np.testing.assert_array_equal(order[permuted.medoids], solve(diss, start).medoids)


@each(SOLVERS)
@given(problem=generic_starts(max_n=7, weighted=True))
def test_integer_weights_repeat_objects(solve, problem):
    """Of copies, more than one could become medoids; but weighted, no swap for others improves."""
    diss, medoids, weights = problem
    origin = np.repeat(np.arange(len(diss)), weights.astype(int))
    repeated = diss[np.ix_(origin, origin)]
    result = solve(diss, medoids, sample_weight=weights)
    score = score_of(solve, diss, weights)
    swaps = naive.best_swap(score, result.medoids.tolist(), np.flatnonzero(weights))
    assert swaps[0] <= result.loss + 1e-12
    if solve is pamsil:
        copies = silhouette(repeated, result.labels[origin])
    else:
        copies = medoid_silhouette(repeated, np.searchsorted(origin, result.medoids))
    assert result.loss == pytest.approx(copies[0], abs=1e-12)


@given(dissimilarities(min_n=2, max_n=7), st.data())
def test_integer_weights_repeat_objects_in_scores(diss, data):
    labels, weights = data.draw(integers(len(diss), 0, 3)), data.draw(integers(len(diss), 0, 3))
    weights[0] = 1
    origin = np.repeat(np.arange(len(diss)), weights)
    repeated = diss[np.ix_(origin, origin)]
    average, values = silhouette(diss, labels, samples=True, sample_weight=weights)
    expected, copies = silhouette(repeated, labels[origin], samples=True)
    assert average == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(values[origin], copies, atol=1e-12)
    medoids = np.arange(min(3, len(diss)))
    average, _ = medoid_silhouette(diss, medoids, sample_weight=weights)
    assert average == pytest.approx(naive.medoid_silhouette(diss, medoids, weights), abs=1e-12)


@each([fastmsc, pammedsil, pamsil, fastermsc, dynmsc])
def test_same_bits_on_any_number_of_threads(solve, global_random_seed):
    diss = distances(150, global_random_seed).astype(np.float32)
    one, *others = (solve(diss, [3, 1, 4, 5], n_cpu=n_cpu) for n_cpu in (1, 2, 3))
    for other in others:
        np.testing.assert_array_equal(one.medoids, other.medoids)
        np.testing.assert_array_equal(one.history, other.history)


def test_scores_are_the_same_bits_on_any_number_of_threads():
    diss = distances(1300, 0)
    labels = np.arange(1300) % 7
    for form in (diss, np.asfortranarray(diss + np.triu(diss))):
        one, other = (silhouette(form, labels, True, n_cpu=n_cpu) for n_cpu in (1, 3))
        assert one[0] == other[0]
        np.testing.assert_array_equal(one[1], other[1])


# Edges


@each(SOLVERS)
@pytest.mark.parametrize("k", [2, 4, 12])
def test_equal_objects_still_give_k_medoids(solve, k):
    result = solve(np.zeros((12, 12)), k, init="first")
    assert sorted(result.medoids) == list(range(k))
    assert result.loss == (0 if solve is pamsil else 1)
    assert result.converged


@each(SOLVERS)
def test_one_medoid_is_that_of_least_cost(solve):
    diss = generic(12, 0)
    options = {"minimum_k": 1} if solve is dynmsc else {}
    result = solve(diss, 1, **options)
    assert result.medoids.tolist() == [diss.sum(axis=0).argmin()]
    assert (result.loss, result.converged, result.labels.tolist()) == (0, True, [0] * 12)


@each(SOLVERS)
def test_one_medoid_is_searched_as_others_are(solve):
    diss, seen = generic(12, 0), []
    weights = np.arange(12.0)
    options = {"minimum_k": 1} if solve is dynmsc else {}
    result = solve(diss, 1, sample_weight=weights, callback=seen.append, **options)
    assert result.medoids.tolist() == [1 + (weights @ diss)[1:].argmin()]
    assert seen == [{"n_iter": 1, "loss": 0.0, "k": 1}]
    with pytest.warns(ConvergenceWarning, match=solve.__name__):
        result = solve(diss, [4], max_iter=0, **options)
    assert (result.medoids.tolist(), result.n_iter, result.converged) == ([4], 0, False)


@each(SOLVERS)
def test_messages_have_the_name_of_the_matrix(solve):
    for value in (np.nan, np.inf, -1.0):
        diss = generic(6, 0)
        diss[2, 1] = value
        for k in (1, 2, 6):
            options = {"minimum_k": 1} if solve is dynmsc else {}
            with pytest.raises(ValueError, match="^the costs has"):
                solve(Dissimilarities(diss, name="the costs"), k, **options)


@each(SOLVERS)
def test_every_object_its_own_medoid(solve):
    diss = distances(6, 0)
    options = {"minimum_k": 6} if solve is dynmsc else {}
    result = solve(diss, [5, 3, 1, 0, 2, 4], **options)
    assert result.medoids.tolist() == [5, 3, 1, 0, 2, 4]
    assert (result.loss, result.n_swap) == (0 if solve is pamsil else 1, 0)


def test_dynmsc_down_to_one_medoid():
    result = dynmsc(distances(30, 0), 5, minimum_k=1, random_state=0)
    assert result.rangek.tolist() == [1, 2, 3, 4, 5]
    assert result.losses[0] == 0
    assert result.bestk > 1


def test_dynmsc_needs_as_many_medoids():
    with pytest.raises(ValueError, match="minimum_k"):
        dynmsc(distances(9, 0), 3, minimum_k=4)
    for bad in (0, -1, 2.5, "two", True):
        with pytest.raises(ValueError, match="minimum_k"):
            dynmsc(distances(9, 0), 3, minimum_k=bad)


def test_one_cluster_has_no_silhouette():
    diss = distances(9, 0)
    assert silhouette(diss, [7] * 9)[0] == 0
    assert silhouette(diss, range(9))[0] == 0
    assert medoid_silhouette(diss, [4])[0] == 0


@each(SOLVERS)
@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e-320])
def test_extreme_scales(solve, scale):
    diss = np.round(distances(20, 0) * 9) * scale
    result = solve(diss, [0, 1, 2])
    assert 0 < result.loss < 1


# What may be passed


@each(SOLVERS)
def test_dtypes_layouts_and_condensed_vectors(solve):
    diss = np.round(100 * distances(24, 0))
    expected = solve(diss, [1, 2, 3])
    frozen = diss.copy()
    frozen.flags.writeable = False
    for form in (diss.astype(np.float32), diss.astype(int), np.asfortranarray(diss), frozen,
                 squareform(diss), diss.tolist(), diss[:, ::-1][:, ::-1]):  # fmt: skip
        found = solve(form, [1, 2, 3])
        np.testing.assert_array_equal(found.medoids, expected.medoids)
        assert found.loss == pytest.approx(expected.loss, abs=1e-12)


@pytest.mark.parametrize("labels", [list("abcabcabc"), np.arange(9) % 3 + 0.5, (-1, 0, 1) * 3])
def test_labels_of_any_kind(labels):
    diss = distances(9, 0)
    assert silhouette(diss, labels)[0] == silhouette(diss, np.arange(9) % 3)[0]


@pytest.mark.parametrize("labels", [[0, 1], np.zeros((9, 1)), [None] * 9, [1j] * 9, 3])
def test_labels_that_are_none(labels):
    with pytest.raises(ValueError, match="labels"):
        silhouette(distances(9, 0), labels)


@pytest.mark.parametrize("meds", [[], [0, 0], [-1], [9], [0.5], 3, None, [[0]]])
def test_medoids_that_are_none(meds):
    with pytest.raises(ValueError, match="meds"):
        medoid_silhouette(distances(9, 0), meds)


@pytest.mark.filterwarnings("ignore:.*invalid value:RuntimeWarning")  # where nothing is compiled
@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, -np.inf])
def test_what_has_no_ratio_is_refused(value):
    for solve in SOLVERS:
        for i, j, k in [(0, 5, 2), (5, 0, 2), (4, 4, 3), (2, 1, 6), (3, 4, 6), (3, 4, 1)]:
            diss = generic(6, 0)
            diss[i, j] = value
            options = {"minimum_k": 1} if solve is dynmsc else {}
            with pytest.raises(ValueError, match="diss"):
                solve(diss, k, **options)
    diss = generic(6, 0)
    diss[2, 1] = value
    with pytest.raises(ValueError, match="diss"):
        silhouette(diss, [0, 0, 0, 1, 1, 1])
    with pytest.raises(ValueError, match="diss"):
        medoid_silhouette(diss, [1, 2])


# Stopping


@each(SOLVERS)
def test_too_few_passes_warn_and_still_return(solve):
    diss = distances(60, 0)
    with pytest.warns(ConvergenceWarning, match=solve.__name__):
        result = solve(diss, [0, 1, 2, 3, 4], max_iter=1)
    assert not result.converged
    with pytest.warns(ConvergenceWarning):
        assert solve(diss, [0, 1, 2], max_iter=0).n_iter == 0


@each(SOLVERS)
def test_who_stops_in_the_last_pass_needs_no_warning_either(solve):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = solve(distances(60, 0), [0, 1, 2, 3, 4], max_iter=1, callback=lambda info: True)
    assert (result.n_iter, result.converged) == (1, False)


@each(SOLVERS)
def test_warnings_are_the_estimators_own(solve):
    """It passes checked costs, and tells about the best of its starts."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = solve(Dissimilarities(distances(60, 0)), [0, 1, 2, 3, 4], max_iter=1)
    assert not result.converged


@each(SOLVERS)
def test_warnings_point_to_the_caller(solve):
    with pytest.warns(ConvergenceWarning) as caught:
        solve(distances(60, 0), [0, 1, 2, 3, 4], max_iter=1)
    assert [warning.filename for warning in caught] == [__file__]


@each(SOLVERS)
def test_callback_sees_each_pass_and_stops(solve):
    diss, seen = distances(60, 0), []
    whole = solve(diss, [0, 1, 2, 3], callback=seen.append)
    assert [info["loss"] for info in seen] == whole.history.tolist()
    assert [info["n_iter"] for info in seen] == list(range(1, whole.n_iter + 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # who stops on purpose needs no warning
        stopped = solve(diss, [0, 1, 2, 3], callback=lambda info: True)
    assert stopped.n_iter == 1
    assert not stopped.converged
    if solve is dynmsc:
        assert np.isnan(stopped.losses[:-1]).all()


@each(SOLVERS)
def test_starts(solve):
    diss = distances(40, 0)
    build = pam_build(diss, 3).medoids
    one, other = solve(diss, 3, init="build"), solve(diss, build)
    assert one.medoids.tolist() == other.medoids.tolist()
    one, other = (solve(diss, 3, init="random", random_state=5) for _ in range(2))
    assert one.medoids.tolist() == other.medoids.tolist()


# Against others, and on real data


def problems(seed):
    for n, k in ((30, 2), (60, 7), (150, 4)):
        for dtype in (np.float32, np.float64):
            start = np.random.default_rng(seed).choice(n, k, replace=False)
            yield distances(n, seed, 3).astype(dtype), start


@each(SOLVERS)
def test_same_result_as_the_kmedoids_package(solve, global_random_seed):
    peer = getattr(pytest.importorskip("kmedoids"), solve.__name__)
    for diss, start in problems(global_random_seed):
        if solve is pamsil and len(diss) < 150:
            continue  # where different swaps often lead to the same clusters
        ours, theirs = solve(diss, start), peer(diss, start.astype(np.uint64))
        assert ours.loss == pytest.approx(theirs.loss, abs=1e-6)
        if solve is dynmsc:  # it loses its way between the best numbers, and some swaps with it
            assert ours.bestk == theirs.bestk
            assert set(ours.medoids) == set(theirs.medoids)
            np.testing.assert_array_equal(ours.rangek, theirs.rangek)
            continue
        np.testing.assert_array_equal(ours.medoids, theirs.medoids)
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        assert (ours.n_swap, ours.n_iter) == (theirs.n_swap, theirs.n_iter)


def test_same_scores_as_the_kmedoids_package(global_random_seed):
    peer = pytest.importorskip("kmedoids")
    for diss, meds in problems(global_random_seed):
        labels = diss[:, meds].argmin(axis=1)
        for ours, theirs in (
            (medoid_silhouette(diss, meds, True), peer.medoid_silhouette(diss, meds, True)),
            (silhouette(diss, labels, True), peer.silhouette(diss, labels, True)),
        ):
            assert ours[0] == pytest.approx(theirs[0], abs=1e-6)
            np.testing.assert_allclose(ours[1], theirs[1], atol=1e-5)


@each([*SOLVERS, silhouette, medoid_silhouette])
def test_arguments_of_the_kmedoids_package(solve):
    peer = pytest.importorskip("kmedoids")
    theirs = inspect.signature(getattr(peer, solve.__name__)).parameters
    ours = inspect.signature(solve).parameters
    positional = [name for name, p in ours.items() if p.kind is not p.KEYWORD_ONLY]
    assert positional == list(theirs)
    assert all(ours[name].default == theirs[name].default for name in theirs)


def test_digits():
    """Ten clusters of digits: better by the medoid silhouette than those of the least cost."""
    data = load_digits().data[:600]
    diss = cdist(data, data)
    found = fastermsc(diss, 10, random_state=0)
    assert found.loss > medoid_silhouette(diss, pam_build(diss, 10).medoids)[0]
    labels = load_digits().target[:600]
    expected = silhouette_score(diss, labels, metric="precomputed")
    assert silhouette(diss, labels)[0] == pytest.approx(expected, abs=1e-12)
    curve = dynmsc(diss, 14, random_state=0)
    assert curve.loss >= curve.losses[10 - 2]
    assert curve.losses[-1] == pytest.approx(fastermsc(diss, 14, random_state=0).loss, abs=1e-12)
