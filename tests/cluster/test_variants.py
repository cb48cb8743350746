"""Every way to search: PAM's swaps, alternation, fixed medoids, starts, perturbations, time."""

import inspect
import time
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.cluster import (
    KMedoids,
    alternating,
    fasterpam,
    fastpam1,
    fastpam2,
    pam,
    pam_build,
)
from lowrank_la.cluster._init import INITS
from tests.reference import kmedoids as naive
from tests.strategies import starts, weighted_starts

LOCAL_OPTIMA = [fasterpam, fastpam1, fastpam2, pam]
VARIANTS = [*LOCAL_OPTIMA, alternating]
TINY = {"max_n": 8}


def distances(n, seed, d=2):
    X = np.random.default_rng(seed).normal(size=(n, d))
    return cdist(X, X)


def name_of(value):
    return value.__name__


@pytest.mark.parametrize("n_cpu", [1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_fastpam1_makes_the_swaps_of_pam(seed, n_cpu):
    diss = distances(70, seed)
    medoids, history = naive.pam(diss, range(6))
    result = fastpam1(diss, np.arange(6), n_cpu=n_cpu)
    np.testing.assert_array_equal(result.medoids, medoids)
    np.testing.assert_allclose(result.history[:-1], history[1:])
    assert result.n_swap == len(history) - 1 == result.n_iter - 1


@given(weighted_starts(max_n=9))
def test_fastpam1_reaches_the_loss_of_pam(problem):
    diss, medoids, weights = problem
    result = fastpam1(diss, medoids, sample_weight=weights)
    _, history = naive.pam(diss, medoids, weights)
    # Where several swaps are the best, the two may take different ones.
    np.testing.assert_allclose(result.history[:1], history[:2][-1:], rtol=1e-9)


def test_pam_is_build_and_the_swaps():
    diss = distances(60, 3)
    result = pam(diss, 5)
    medoids, _ = naive.pam(diss, naive.build(diss, 5))
    np.testing.assert_array_equal(result.medoids, medoids)
    start = pam_build(diss, 5).medoids
    np.testing.assert_array_equal(pam(diss, start).medoids, result.medoids)


@pytest.mark.parametrize("solve", LOCAL_OPTIMA, ids=name_of)
@given(problem=weighted_starts(max_n=10))
def test_no_single_swap_improves(solve, problem):
    diss, medoids, weights = problem
    result = solve(diss, medoids, sample_weight=weights)
    assert result.converged
    best = naive.best_single_swap(diss, result.medoids, weights)
    assert best >= result.loss - 1e-9 * abs(result.loss) - 1e-12


@pytest.mark.parametrize("solve", VARIANTS, ids=name_of)
@given(problem=starts(max_n=10))
def test_the_loss_never_rises(solve, problem):
    diss, medoids = problem
    result = solve(diss, medoids)
    history = [naive.loss(diss, medoids), *result.history]
    assert np.all(np.diff(history) <= 1e-9 * np.abs(history[:-1]))
    assert result.loss == pytest.approx(history[-1])
    assert result.loss == pytest.approx(naive.loss(diss, result.medoids))


@pytest.mark.parametrize("solve", VARIANTS, ids=name_of)
@pytest.mark.parametrize("seed", range(3))
def test_weights_are_repetitions(solve, seed):
    diss = distances(30, seed)
    weights = np.random.default_rng(seed).integers(1, 4, 30)
    rows = np.repeat(np.arange(30), weights)
    start = np.array([3, 11, 25])
    repeated = solve(diss[np.ix_(rows, rows)], np.searchsorted(rows, start))
    weighted = solve(diss, start, sample_weight=weights)
    np.testing.assert_array_equal(rows[repeated.medoids], weighted.medoids)
    assert repeated.loss == pytest.approx(weighted.loss)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(5))
def test_alternating(seed, dtype):
    diss = distances(80, seed).astype(dtype)
    result = alternating(diss, np.arange(7))
    np.testing.assert_array_equal(result.medoids, naive.alternating(diss.astype(float), range(7)))
    assert result.converged
    np.testing.assert_array_equal(result.labels, naive.nearest(diss, result.medoids))


def test_alternating_without_a_cluster_of_its_own():
    diss = np.full((4, 4), 5.0)  # serving itself costs as much as being served
    diss[:, 0] = 1.0
    result = alternating(diss, [0, 2])
    assert result.converged
    assert result.loss == 4.0


@pytest.mark.parametrize("solve", VARIANTS, ids=name_of)
def test_asymmetric_costs(solve):
    diss = np.random.default_rng(0).random((40, 40))
    result = solve(diss, 5, init="first")
    assert result.loss == pytest.approx(naive.loss(diss, result.medoids))
    if solve in LOCAL_OPTIMA:
        assert naive.best_single_swap(diss, result.medoids) >= result.loss * (1 - 1e-12)


@pytest.mark.parametrize("kmedoids_name", ["fastpam1", "pam", "alternating"])
@pytest.mark.parametrize("seed", range(4))
def test_the_results_of_kmedoids(kmedoids_name, seed):
    kmedoids = pytest.importorskip("kmedoids")
    diss, start = distances(300, seed, d=5), np.arange(12)
    ours = globals()[kmedoids_name](diss, start)
    theirs = getattr(kmedoids, kmedoids_name)(diss, start.copy())
    assert ours.loss == pytest.approx(theirs.loss)
    np.testing.assert_array_equal(np.sort(ours.medoids), np.sort(theirs.medoids))


def test_the_arguments_of_kmedoids():
    kmedoids = pytest.importorskip("kmedoids")
    for ours in (fasterpam, fastpam1, pam, alternating, pam_build):
        theirs = inspect.signature(getattr(kmedoids, ours.__name__)).parameters
        mine = inspect.signature(ours).parameters
        assert list(mine)[: len(theirs)] == list(theirs)
        assert all(mine[name].default == theirs[name].default for name in theirs)


# Initial medoids


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_initial_medoids(init, dtype):
    diss = distances(50, 0).astype(dtype)
    weights = np.random.default_rng(1).integers(0, 2, 50)
    for k in (1, 5, int(weights.sum())):
        with pytest.warns(ConvergenceWarning):
            start = fasterpam(
                diss, k, 0, init=init, random_state=0, sample_weight=weights, fixed_medoids=None
            )
        assert len(set(start.medoids.tolist())) == k
        assert (weights[start.medoids] > 0).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_better_starts_than_random():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 2))[rng.integers(20, size=500)] * 50 + rng.normal(size=(500, 2))
    diss = cdist(X, X)

    def mean_loss(init):
        return np.mean([
            fasterpam(diss, 20, 0, init=init, random_state=seed).loss for seed in range(10)
        ])  # fmt: skip

    random = mean_loss("random")
    assert mean_loss("k-medoids++") < 0.7 * random
    assert mean_loss("lab") < 0.7 * random


@pytest.mark.parametrize("init", INITS)
def test_starts_on_equal_objects(init):
    result = fasterpam(np.zeros((30, 30)), 30, init=init, random_state=0)
    np.testing.assert_array_equal(np.sort(result.medoids), np.arange(30))


@pytest.mark.parametrize("init", ["build", "lab", "k-medoids++"])
def test_starts_meet_entries_that_are_not_finite(init):
    diss = distances(12, 0)
    diss[:, 7] = diss[7] = np.nan
    with pytest.raises(ValueError, match="diss"):
        fasterpam(diss, 11, init=init, random_state=0)


# Fixed medoids


@pytest.mark.parametrize("solve", VARIANTS, ids=name_of)
@pytest.mark.parametrize("init", INITS)
def test_fixed_medoids_stay(solve, init):
    diss = distances(40, 2)
    result = solve(diss, 5, init=init, random_state=0, fixed_medoids=[7, 31])
    assert result.medoids[:2].tolist() == [7, 31]
    assert len(set(result.medoids.tolist())) == 5
    if solve in LOCAL_OPTIMA:
        free = [
            naive.loss(diss, naive.swapped(result.medoids.tolist(), slot, j))
            for slot in (2, 3, 4) for j in range(40)
        ]  # fmt: skip
        assert min(free) >= result.loss * (1 - 1e-12)


@pytest.mark.parametrize("solve", VARIANTS, ids=name_of)
def test_all_medoids_fixed(solve):
    diss = distances(20, 2)
    for fixed in ([4], [4, 9, 0]):
        result = solve(diss, len(fixed), fixed_medoids=fixed)
        assert result.medoids.tolist() == fixed
        assert result.loss == pytest.approx(naive.loss(diss, fixed))
        assert result.converged


def test_fixed_among_given_medoids():
    diss = distances(20, 2)
    result = fasterpam(diss, [3, 8, 12], fixed_medoids=12)
    assert result.medoids[0] == 12
    with pytest.raises(ValueError, match="fixed_medoids"):
        fasterpam(diss, [3, 8, 12], fixed_medoids=[4])
    with pytest.raises(ValueError, match="fixed_medoids"):
        fasterpam(diss, 2, fixed_medoids=[4, 5, 6])
    with pytest.raises(ValueError, match="fixed_medoids"):
        fasterpam(diss, 2, fixed_medoids=[20])
    with pytest.raises(ValueError, match="sample_weight"):
        fasterpam(diss, [0, 1], sample_weight=np.arange(20))
    idle = fasterpam(diss, [0, 1], fixed_medoids=[0], sample_weight=np.arange(20))
    assert idle.medoids[0] == 0  # serves others, though it needs nothing itself
    assert idle.loss == pytest.approx(naive.loss(diss, idle.medoids, np.arange(20)))
    model = KMedoids(3, fixed_medoids=[5], random_state=0, metric="precomputed").fit(diss)
    assert model.medoid_indices_[0] == 5


# Several starts, perturbations, time


def test_several_starts():
    diss = distances(150, 1)
    losses = [fasterpam(diss, 12, random_state=0, n_init=n).loss for n in (1, 2, 6, 12)]
    assert np.all(np.diff(losses) <= 0)
    assert losses[-1] < losses[0]
    one = fasterpam(diss, np.arange(12), n_init=6)
    assert one.loss == fasterpam(diss, np.arange(12)).loss


@pytest.mark.parametrize("n_cpu", [1, 2])
def test_perturbations_only_improve(n_cpu):
    diss = distances(150, 1)
    plain = fasterpam(diss, 12, random_state=0)
    better = fasterpam(diss, 12, random_state=0, n_perturbations=40, n_cpu=n_cpu)
    assert better.loss < plain.loss
    assert better.converged
    assert better.n_iter == len(better.history) == plain.n_iter + 40
    assert np.all(np.diff(better.history) <= 0)
    assert naive.best_single_swap(diss, better.medoids) >= better.loss * (1 - 1e-12)
    assert better.loss == pytest.approx(naive.loss(diss, better.medoids))


@given(problem=weighted_starts(**TINY), seed=st.integers(0, 100))
def test_perturbations_find_the_best_of_all(problem, seed):
    diss, medoids, weights = problem
    k = len(medoids)
    result = fasterpam(diss, medoids, sample_weight=weights, n_perturbations=300, random_state=seed)
    best = naive.loss(diss, naive.best_subset(diss, k, weights), weights)
    assert result.loss <= best + 1e-9 * abs(best)


def test_perturbations_leave_fixed_medoids():
    diss = distances(60, 1)
    result = fasterpam(diss, 5, random_state=0, fixed_medoids=[3, 4], n_perturbations=50)
    assert result.medoids[:2].tolist() == [3, 4]
    every = fasterpam(diss[:3, :3], 3, n_perturbations=5)
    assert every.loss == 0.0


@pytest.mark.parametrize("solve", VARIANTS, ids=name_of)
def test_time_limit(solve):
    diss = distances(300, 0)
    with pytest.warns(ConvergenceWarning, match="max_time"):
        result = solve(diss, np.arange(30), max_time=1e-9)
    assert not result.converged
    assert result.loss == pytest.approx(naive.loss(diss, result.medoids))
    assert solve(diss, np.arange(30), max_time=1e9).converged


def test_time_limit_ends_perturbations():
    diss = distances(200, 0)
    fasterpam(diss, 20, n_perturbations=1)
    start = time.perf_counter()
    fasterpam(diss, 20, n_perturbations=10**6, max_time=0.2)
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("bad", [0, -1.0, np.nan, -np.inf, "1", True])
def test_bad_time_limits(bad):
    with pytest.raises(ValueError, match="max_time"):
        fasterpam(distances(9, 0), 2, max_time=bad)


@pytest.mark.parametrize("method", ["fasterpam", "fastpam1", "fastpam2", "pam", "alternate"])
def test_estimator_methods(method):
    diss = distances(100, 0)
    model = KMedoids(6, metric="precomputed", method=method, init="build").fit(diss)
    solve = {"alternate": alternating}.get(method) or globals()[method]
    assert model.inertia_ == pytest.approx(solve(diss, 6, init="build").loss)


@pytest.mark.parametrize("solve", VARIANTS, ids=name_of)
def test_callbacks_stop(solve):
    seen = []
    result = solve(
        distances(200, 0), np.arange(20), callback=lambda info: seen.append(info) or True
    )
    assert len(seen) == 1 and not result.converged
    assert seen[0] == {"n_iter": 1, "loss": result.history[0]}


# What a review found


def test_perturbations_prove_nothing_by_themselves():
    diss = distances(50, 0)
    for seed in range(8):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = fasterpam(diss, 5, max_iter=0, n_perturbations=1, random_state=seed)
        assert not result.converged or fasterpam(diss, result.medoids).n_swap == 0


@given(starts(min_n=3), st.integers(0, 100))
def test_no_cluster_is_empty_where_objects_cost_themselves_nothing(problem, seed):
    diss, medoids = problem
    diss = np.where(np.eye(len(diss)) > 0, 0, abs(diss))
    result = fasterpam(diss, medoids, n_perturbations=3, random_state=seed)
    np.testing.assert_array_equal(result.labels[result.medoids], np.arange(len(medoids)))


def test_a_callback_stops_perturbations_at_once():
    seen = []
    fasterpam(
        distances(100, 0), 6, n_perturbations=50, random_state=0,
        callback=lambda info: seen.append(info) or len(seen) >= 4,
    )  # fmt: skip
    assert len(seen) == 4


def test_a_callback_stops_though_asymmetry_shows_late():
    n = 2000  # sampled for symmetry
    x = np.random.default_rng(0).random((n, 2))
    diss = cdist(x, x)
    diss[:5, 700:] = 0.0  # costs of serving objects 0 to 4, seen by the columns only
    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = fasterpam(
            diss, 5, n_init=4, random_state=0, callback=lambda info: seen.append(info) or True
        )
    assert len(seen) <= 2
    assert result.loss == pytest.approx(naive.loss(diss, result.medoids))


def test_no_fixed_medoids_at_all():
    diss = distances(30, 0)
    plain = fasterpam(diss, 3, random_state=0)
    assert fasterpam(diss, 3, random_state=0, fixed_medoids=[]).loss == plain.loss


def test_no_limit_of_time():
    assert fasterpam(distances(30, 0), 3, random_state=0, max_time=np.inf).converged


def test_warnings_bear_the_name_of_the_function():
    with pytest.warns(ConvergenceWarning, match="alternating"):
        alternating(distances(100, 0), 9, max_iter=1, random_state=0)
