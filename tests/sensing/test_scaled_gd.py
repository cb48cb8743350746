"""scaled_gd and gradient_descent: published iterations, what is recovered, what changes nothing."""

import warnings

import numpy as np
import pytest
from scipy import sparse, special
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from lowrank_la.sensing import (
    EntryMeasurements,
    RankOneMeasurements,
    as_measurements,
    gradient_descent,
    scaled_gd,
)
from lowrank_la.sensing._scaled_gd import scaled_method
from lowrank_la.sensing._solve import Task, solve
from tests.reference import sensing as reference
from tests.sensing.problems import error, gaussian, low_rank, measure, orthonormal

SHAPE = 12, 10
SOLVERS = [scaled_gd, gradient_descent]


def name_of(value):
    return getattr(value, "__name__", None)


def watched(function, *args, **options):
    """Result, and the factors after each iteration."""
    factors = []
    callback = lambda info: factors.append((info["left"].copy(), info["right"].copy()))  # noqa: E731
    return function(*args, callback=callback, **options), factors


def follows(factors, step, tol=1e-9):
    """Products after each iteration are those that steps make of the first factors."""
    expected = factors[0]
    for found in factors[1:]:
        expected = step(*expected)
        product, reached = expected[0] @ expected[1].T, found[0] @ found[1].T
        np.testing.assert_allclose(reached, product, rtol=0, atol=tol * np.abs(product).max())


# The iterations of the papers


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("damping_size", [0.5, 0.02])
def test_published_iterations_symmetric(damping_size, k):
    """The A_i are an orthonormal basis: the norm is that of the matrix, and one of the A*A."""
    A, y, M = orthonormal((5, 5), 2, 2.0, symmetric=True)
    _, factors = watched(
        scaled_gd, A, y, k, symmetric=True, damping="constant", damping_size=damping_size,
        step_size=0.3, max_iter=30, rng=0,
    )  # fmt: skip
    assert len(factors) == 30
    damping = damping_size * np.linalg.norm(M, 2)

    def step(X, _):
        X = reference.scaled_step(A, y, X, 0.3, damping)
        return X, X

    follows(factors, step)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("init_scale", [1e-6, 1.0])  # from small starts factors are balanced
@pytest.mark.parametrize("k", [2, 4])
def test_published_iterations(k, init_scale):
    A, y, M = orthonormal((4, 6), 2, 2.0)
    _, factors = watched(
        scaled_gd,
        A,
        y,
        k,
        damping="constant",
        damping_size=0.5,
        step_size=0.3,
        max_iter=30,
        init_scale=init_scale,
        rng=0,
    )
    assert len(factors) == 30
    damping = 0.5 * np.linalg.norm(M, 2)
    follows(factors, lambda L, R: reference.scaled_step_pair(A, y, L, R, 0.3, damping))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_adaptive_damping_is_the_relative_residual_in_the_end():
    A, y, M = orthonormal((4, 6), 2, 2.0)
    _, factors = watched(scaled_gd, A, y, 2, damping_size=0.1, step_size=0.3, max_iter=60, rng=0)

    def step(L, R):
        share = np.linalg.norm(measure(A, L @ R.T) - y) / np.linalg.norm(y)
        damping = min(0.1, share) * np.linalg.norm(M, 2)
        return reference.scaled_step_pair(A, y, L, R, 0.3, damping)

    assert np.linalg.norm(factors[-1][0] @ factors[-1][1].T - M) < 1e-6
    follows(factors, step)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("symmetric", [True, False])
def test_gradient_descent_is_that_of_the_books(symmetric):
    A, y, M = orthonormal((5, 5), 2, 2.0, symmetric=symmetric)
    _, factors = watched(
        gradient_descent, A, y, 3, symmetric=symmetric, step_size=0.3, max_iter=80, rng=0
    )
    eta = 0.3 / np.linalg.norm(M, 2)
    assert len(factors) == 80

    def step(L, R):
        if symmetric:
            X = reference.gradient_step(A, y, L, eta)
            return X, X
        return reference.gradient_step_pair(A, y, L, R, eta)

    follows(factors, step, 1e-7)


def test_published_iterations_depend_on_the_condition_by_its_logarithm():
    """Xu, Shen, Chi, Ma: figure 1, with the factor rank that is the rank."""
    counts = []
    for kappa in (1, 10, 100, 1000):
        A, y, M = gaussian((10, 10), 2, 250, kappa, symmetric=True)
        found = scaled_gd(
            A, y, 2, symmetric=True, damping="constant", damping_size=0.05 / kappa, step_size=0.3,
            rng=0,
        )  # fmt: skip
        assert error(found, M) < 1e-9 * kappa**0.5
        counts.append(found.n_iter)
    assert max(counts) < 2 * min(counts)
    plain = [
        gradient_descent(*gaussian((10, 10), 2, 250, kappa, True)[:2], 2, symmetric=True, rng=0)
        for kappa in (1, 6)
    ]
    assert plain[1].n_iter > 2 * plain[0].n_iter


@pytest.mark.parametrize(("symmetric", "k"), [(True, 2), (False, 4)])
def test_a_constant_stalls_where_the_rank_is_too_large_and_adaptive_damping_does_not(symmetric, k):
    A, y, M = gaussian((20, 20), 2, 1200, 10, symmetric=symmetric)
    options = {"symmetric": symmetric, "step_size": 0.3, "rng": 0, "max_iter": 300}
    if k > 2:
        with pytest.warns(ConvergenceWarning):
            stalled = scaled_gd(
                A, y, k, damping="constant", damping_size=0.005, **options, tol=1e-12
            )
        assert error(stalled, M) > 1e-8
    assert error(scaled_gd(A, y, k, **options), M) < 1e-9


def test_an_imbalanced_start_converges_linearly():
    """Xiong, Ding, Du: symmetric factors with more columns than the rank do not."""
    A, y, M = gaussian((10, 10), 1, 200, symmetric=True)
    options = {"init_scale": 1.0, "step_size": 0.5, "max_iter": 600, "rng": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = gradient_descent(A, y, 2, imbalance=3.0, **options)
        slow = gradient_descent(A, y, 2, symmetric=True, **options)
    assert found.n_iter < 300
    assert error(found, M) < 1e-9 < 1e-4 < error(slow, M)


def test_the_imbalance_is_that_of_the_start():
    A, y, _ = gaussian(SHAPE, 2, 300)
    first = []
    for imbalance in (1.0, 100.0):
        with pytest.warns(ConvergenceWarning):
            _, factors = watched(
                gradient_descent, A, y, 2, imbalance=imbalance, step_size=1e-9, max_iter=1, rng=0
            )
        first.append(factors[0])
    np.testing.assert_allclose(first[1][0], first[0][0], rtol=1e-4)
    np.testing.assert_allclose(100 * first[1][1], first[0][1], rtol=1e-4)


@pytest.mark.parametrize("solver", SOLVERS, ids=name_of)
def test_ranks_are_learned_one_after_the_other(solver):
    """Jin, Li, Lyu, Du, Lee, for gradient descent; not in the metric of the factors."""
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((10, 3)))[0]
    M = Q * [1.0, 0.3, 0.1] @ Q.T
    A = rng.standard_normal((400, 10, 10)) / 20
    found = solver(
        A, measure(A, M), 3, symmetric=True, init_scale=1e-4, step_size=0.3, tol=1e-3, rng=0
    )
    values = found.singular_values_history
    learned = [int(np.argmax(values[:, i] > size / 2)) for i, size in enumerate([1.0, 0.3, 0.1])]
    if solver is gradient_descent:
        assert learned[0] + 30 < learned[1]
        assert learned[1] + 30 < learned[2]
        assert values[learned[0] + 15, 1] < 0.01
    else:
        assert learned[2] < learned[0] + 30


# Recovery


BARS = {1: 120, 2: 150, 5: 250}  # iterations, by the ratio of the columns to the rank


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("kappa", [1, 30, 1000])
@pytest.mark.parametrize("times", BARS)
def test_recovery_whatever_the_condition_and_the_columns(times, kappa, symmetric):
    A, y, M = gaussian((30, 30), 3, 900, kappa, symmetric, seed=kappa)
    found = scaled_gd(A, y, 3 * times, symmetric=symmetric, rng=0)
    assert error(found, M) < 1e-10
    assert found.n_iter <= BARS[times]
    assert found.rank == 3
    assert found.converged
    assert found.history[-1] <= 1e-10


@pytest.mark.parametrize(
    ("share", "kappas"), [(0.1, (1, 1000)), (0.3, (1, 1000)), (0.45, (1, 100))]
)
@pytest.mark.parametrize("times", [1, 2])
def test_recovery_despite_outliers(share, kappas, times):
    for seed, kappa in enumerate(kappas):
        m = 900 if share < 0.4 else 1800
        A, y, M = gaussian((30, 30), 3, m, kappa, True, seed, outliers=share)
        found = scaled_gd(A, y, 3 * times, symmetric=True, loss="absolute", rng=seed)
        assert error(found, M) < 1e-8
        assert found.n_iter <= 250
        assert found.rank == 3


def test_outliers_mislead_squares_more_than_huber_and_absolute_residuals():
    A, y, M = gaussian(SHAPE, 2, 400, outliers=0.2, noise=0.01)
    errors = {
        loss: error(scaled_gd(A, y, 2, loss=loss, rng=0), M)
        for loss in ("squared", "huber", "absolute")
    }
    assert errors["absolute"] < 0.1
    assert errors["huber"] < 0.1
    assert errors["squared"] > 0.5


def test_gross_errors_may_be_gross():
    A, y, M = gaussian(SHAPE, 2, 400)
    y[::7] = 1e80
    assert error(scaled_gd(A, y, 2, loss="absolute", rng=0), M) < 1e-8


@pytest.mark.parametrize("k", [2, 4, 10])
def test_early_stopping_reaches_the_noise_floor(k):
    """Within a factor two of sigma sqrt(n r / m), for whatever number of columns."""
    n, r, m, sigma = 24, 2, 960, 0.01
    floor = sigma * np.sqrt(n * r)  # the A_i have variance 1 / m
    errors = []
    for seed in range(3):
        A, y, M = gaussian((n, n), r, m, 2, True, seed, noise=sigma)
        found = scaled_gd(A, y, k, symmetric=True, early_stopping=True, rng=seed)
        errors.append(np.linalg.norm(found.matrix - M))
        assert found.rank == r
        assert found.converged
        assert len(found.validation_history) == found.n_iter
    assert np.median(errors) <= 2 * floor


def test_without_early_stopping_a_rank_that_is_too_large_fits_the_noise():
    A, y, M = gaussian((24, 24), 2, 960, 5, True, noise=0.01)
    stopped, not_stopped = (
        error(scaled_gd(A, y, 10, symmetric=True, early_stopping=early, rng=0), M)
        for early in (True, False)
    )
    assert stopped < 0.7 * not_stopped


def test_gradient_descent_stops_early_but_not_at_the_start():
    A, y, M = gaussian(SHAPE, 2, 400, 3, noise=0.01)
    found = gradient_descent(A, y, 6, early_stopping=True, rng=0)
    assert found.converged
    assert error(found, M) < 2 * 0.01 * np.sqrt(22 * 2)
    assert found.rank == 2


@pytest.mark.parametrize("loss", ["squared", "huber", "absolute"])
@pytest.mark.parametrize("solver", SOLVERS, ids=name_of)
def test_the_intercept_is_found(solver, loss):
    A, y, M = gaussian((6, 7), 1, 100)
    found = solver(A + 0.05, measure(A + 0.05, M) - 7.0, 1, loss=loss, fit_intercept=True, rng=0)
    assert error(found, M) < 1e-7
    assert found.intercept == pytest.approx(-7, abs=1e-8)
    assert solver(A, y, 1, loss=loss, rng=0).intercept == 0


def test_an_intercept_despite_outliers():
    A, y, M = gaussian(SHAPE, 2, 500, 2, outliers=0.2)
    found = scaled_gd(A, y + 3.0, 2, loss="absolute", fit_intercept=True, rng=0)
    assert error(found, M) < 1e-8
    assert found.intercept == pytest.approx(3, abs=1e-8)


def test_positive_semidefinite_results():
    A, y, M = gaussian((10, 10), 2, 400, 3, True, noise=0.01)
    found = scaled_gd(A, y, 4, symmetric=True, rng=0)
    assert found.left is found.right
    np.testing.assert_array_equal(found.matrix, found.matrix.T)
    assert np.linalg.eigvalsh(found.matrix).min() > -1e-12
    nothing = scaled_gd(np.eye(9), -np.eye(3).ravel(), 2, (3, 3), symmetric=True, rng=0)
    assert error(nothing, np.eye(3)) == pytest.approx(1, abs=1e-3)  # nothing above zero is nearer
    assert nothing.rank == 0


@pytest.mark.parametrize("symmetric", [True, False])
def test_results_are_what_they_say(symmetric):
    A, y, M = gaussian((10, 10), 2, 400, 3, symmetric, noise=0.01)
    found, factors = watched(scaled_gd, A, y, 4, symmetric=symmetric, rng=0)
    values = np.linalg.svd(found.matrix, compute_uv=False)[:4]
    for factor in (found.left, found.right):
        assert factor.shape == (10, 4)
        np.testing.assert_allclose(factor.T @ factor, np.diag(values), atol=1e-12)
    np.testing.assert_allclose(found.singular_values_history[-1], values, atol=1e-12)
    last = factors[-1][0] @ factors[-1][1].T
    np.testing.assert_allclose(found.matrix, last, atol=1e-12)
    for history in (found.history, found.singular_values_history):
        assert len(history) == found.n_iter == len(factors)
    assert len(found.validation_history) == 0
    residual = np.linalg.norm(measure(A, found.matrix) - y) / np.linalg.norm(y)
    assert found.history[-1] == pytest.approx(residual)
    assert found.rank == 2


def test_the_callback_is_told_of_every_iteration_and_may_stop():
    A, y, _ = gaussian(SHAPE, 2, 300)
    told = []

    def callback(info):
        told.append(info)
        return info["n_iter"] == 4

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = scaled_gd(A, y, 2, callback=callback, rng=0)
    assert [info["n_iter"] for info in told] == [1, 2, 3, 4]
    assert found.n_iter == 4
    assert not found.converged
    np.testing.assert_array_equal([info["residual"] for info in told], found.history)
    np.testing.assert_allclose(told[-1]["left"] @ told[-1]["right"].T, found.matrix, atol=1e-13)


# What changes nothing, or what it should


CASES = {
    "default": (scaled_gd, {}),
    "symmetric": (scaled_gd, {"symmetric": True}),
    "published": (scaled_gd, {"damping": "constant", "step_size": 0.3}),
    "huber": (scaled_gd, {"loss": "huber"}),
    "absolute": (scaled_gd, {"loss": "absolute"}),
    "intercept": (scaled_gd, {"fit_intercept": True}),
    "early": (scaled_gd, {"early_stopping": True}),
    "gradient": (gradient_descent, {}),
}


def solved(case, A, y, k=2, **more):
    solver, options = CASES[case]
    return solver(A, y, k, rng=0, **options | more)


@pytest.mark.parametrize("case", CASES)
def test_no_result_depends_on_units(case):
    A, y, _ = gaussian((9, 9), 2, 250, 3, True, outliers=0.1 if case == "absolute" else 0.0)
    plain = solved(case, A, y)
    for unit in (1e-90, 1e6):
        for a, b in ((1.0, unit), (unit, 1.0)):
            other = solved(case, a * A, b * y)
            assert abs(other.n_iter - plain.n_iter) <= max(3, 0.03 * plain.n_iter)
            assert other.rank == plain.rank
            assert error(other.matrix * (a / b), plain.matrix) < 1e-8
            rtol = 2e-2 if case in ("huber", "absolute") else 1e-6  # lines are searched until near
            np.testing.assert_allclose(other.history[:5], plain.history[:5], rtol=rtol)


@pytest.mark.parametrize("case", ["default", "huber", "absolute", "gradient"])
def test_weights_have_no_unit(case):
    A, y, _ = gaussian((9, 9), 2, 250, 3, True, outliers=0.1 if case == "absolute" else 0.0)
    plain = solved(case, A, y)
    for weight in (1e-300, 1e300):
        other = solved(case, A, y, sample_weight=np.full(250, weight))
        assert error(other, plain.matrix) < 1e-8


@pytest.mark.parametrize("case", ["default", "huber", "absolute", "intercept", "gradient"])
def test_transposed_measurements_are_those_of_the_transpose(case):
    A, y, M = gaussian(SHAPE, 2, 300, 3)
    found = solved(case, np.ascontiguousarray(A.transpose(0, 2, 1)), y)
    assert found.left.shape == (10, 2)
    assert error(found, M.T) < 1e-7


WEIGHTED = ["default", "symmetric", "huber", "intercept", "published"]


@pytest.mark.parametrize("case", WEIGHTED)
def test_weights_count_measurements(case):
    """With noise, at the optimum; a weight of zero is a measurement that is not there."""
    A, y, _ = gaussian((8, 8), 1, 300, symmetric=True, noise=0.05)
    times = np.random.default_rng(0).integers(0, 4, 300)
    spoilt = np.where(times, y, 1e3)
    more = {"tol": 1e-15, "max_iter": 80}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        weighted = solved(case, A, spoilt, 1, sample_weight=times, **more)
        repeated = solved(case, np.repeat(A, times, axis=0), np.repeat(y, times), 1, **more)
        plain = solved(case, A, y, 1, **more)
    tol = 1e-3 if case == "huber" else 1e-5  # its objective changes with the scale
    assert error(weighted, repeated.matrix) < tol < 1e-2 < error(plain, repeated.matrix)
    assert weighted.intercept == pytest.approx(repeated.intercept, abs=1e-6)


def test_weights_count_measurements_for_absolute_residuals():
    """By their objective: many matrices are about as good."""
    A, y, _ = gaussian((4, 4), 1, 120, noise=0.2)
    times = np.random.default_rng(0).integers(0, 4, 120)
    spoilt = np.where(times, y, 1e3)
    weighted = scaled_gd(A, spoilt, 4, loss="absolute", sample_weight=times, rng=0)
    repeated = scaled_gd(
        np.repeat(A, times, axis=0), np.repeat(y, times), 4, loss="absolute", rng=0
    )
    objectives = [times @ np.abs(measure(A, r.matrix) - y) for r in (weighted, repeated)]
    assert objectives[0] == pytest.approx(objectives[1], rel=2e-3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("case", CASES)
def test_the_same_generator_gives_the_same_bits(case, global_random_seed):
    A, y, _ = gaussian((6, 6), 1, 100)
    solver, options = CASES[case]
    results = [
        solver(A, y, 2, max_iter=60, rng=rng, **options)
        for rng in (global_random_seed, np.random.default_rng(global_random_seed))
    ]
    assert results[0].n_iter == results[1].n_iter
    for name in ("left", "right", "history", "validation_history", "singular_values_history"):
        np.testing.assert_array_equal(*(getattr(result, name) for result in results))


@pytest.mark.parametrize("options", [{}, {"early_stopping": True, "max_iter": 30}])
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_threads_of_blas_do_not_matter(options):
    rng = np.random.default_rng(0)  # so many that BLAS would share out a sum
    A = EntryMeasurements(rng.integers(60, size=40_000), rng.integers(50, size=40_000), (60, 50))
    y = A @ low_rank((60, 50), 2).ravel() + 0.01 * rng.standard_normal(40_000)
    results = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            results.append(scaled_gd(A, y, 3, rng=0, **options))
    for name in ("left", "right", "history"):
        np.testing.assert_array_equal(*(getattr(result, name) for result in results))


def test_whoever_describes_the_measurements():
    A, y, M = gaussian((6, 5), 1, 80)
    flat = A.reshape(80, 30)
    forms = [
        (A, None),
        (A.tolist(), None),
        (flat, (6, 5)),
        (np.asfortranarray(flat), (6, 5)),
        (sparse.csc_matrix(flat), (6, 5)),
        (sparse.linalg.aslinearoperator(flat), (6, 5)),
        (as_measurements(A), None),
        ((lambda X: measure(A, X), lambda z: np.tensordot(z, A, 1)), (6, 5)),
    ]
    for form, shape in forms:
        found = scaled_gd(form, y.tolist(), 1, shape, rng=0)
        assert error(found, M) < 1e-9


@pytest.mark.parametrize("loss", ["squared", "huber", "absolute"])
@pytest.mark.parametrize("solver", SOLVERS, ids=name_of)
def test_single_precision(solver, loss):
    A, y, M = gaussian(SHAPE, 2, 300, 3)
    found = solver(A.astype(np.float32), y.astype(np.float32), 3, loss=loss, rng=0)
    assert found.left.dtype == found.right.dtype == found.matrix.dtype == np.float32
    assert error(found, M) < 1e-5
    assert found.converged
    assert found.rank == 2
    assert scaled_gd(A, y, 2, rng=0).matrix.dtype == np.float64


# Optima


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_penalty_is_the_nuclear_norm(noise, share):
    """With as many columns as there can be the optimum is that of the convex problem."""
    A, y, M = gaussian((8, 7), 2, 200, 3.0, noise=noise)
    alpha = share * np.linalg.norm(np.tensordot(y, A, 1), 2) / 200
    found = scaled_gd(A, y, 7, alpha=alpha, rng=0)
    best = reference.nuclear_optimum(A, y, alpha, 2000)
    least = reference.nuclear_objective(A, y, best, alpha)
    assert reference.nuclear_objective(A, y, found.matrix, alpha) <= least * (1 + 1e-5)
    assert error(found, best) < 2e-3


@pytest.mark.parametrize("loss", ["squared", "huber", "absolute"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_a_penalty_that_outweighs_all_gives_zeros(symmetric, loss):
    A, y, _ = gaussian((6, 6), 2, 200, symmetric=symmetric)
    for alpha in (1e3, 1e100):
        found = scaled_gd(A, y + 1, 3, symmetric=symmetric, loss=loss, alpha=alpha,
                          fit_intercept=True, rng=0)  # fmt: skip
        assert np.linalg.norm(found.matrix) < 1e-12
        assert found.rank == 0
        assert found.converged
    centre = np.mean(y) if loss == "squared" else np.median(y)
    assert found.intercept == pytest.approx(1 + centre, abs=0.2)


def test_absolute_residuals_of_all_matrices_are_a_linear_program():
    A, y, _ = gaussian((4, 4), 2, 100, noise=0.3)
    found = scaled_gd(A, y, 4, loss="absolute", rng=0)
    least = reference.least_absolute(A, y)
    assert least <= np.abs(measure(A, found.matrix) - y).sum() <= 1.002 * least


def test_huber_losses_of_all_matrices():
    """With the threshold of the result, no matrix has a lower loss."""
    A, y, _ = gaussian((4, 4), 2, 100, noise=0.3, outliers=0.1)
    found = scaled_gd(A, y, 4, loss="huber", rng=0)
    flat, residuals = A.reshape(100, 16), measure(A, found.matrix) - y
    threshold = 1.345 * 1.4826 * np.sort(np.abs(residuals))[49]

    def loss(x):
        r = flat @ x - y
        return special.huber(threshold, r).sum(), flat.T @ np.clip(r, -threshold, threshold)

    least = reference.least_smooth(loss, 16).fun
    assert least <= special.huber(threshold, residuals).sum() * (1 + 1e-12)
    assert special.huber(threshold, residuals).sum() <= 1.002 * least


@pytest.mark.parametrize("constant", [True, False])
def test_logistic_losses_of_all_matrices(constant):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((150, 3, 4))
    M = 3 * low_rank((3, 4), 1)
    y = (rng.random(150) < special.expit(measure(A, M) + constant)).astype(float)
    weights = rng.integers(1, 3, 150).astype(float)
    task = Task(
        A=as_measurements(A), y=y, weights=weights, rank=3, symmetric=False, loss="logistic",
        alpha=0.0, constant=constant, init_scale=1e-6, imbalance=1.0, validation_fraction=0.0,
        tol=1e-10, max_iter=500, callback=None,
    )  # fmt: skip
    found, mean = solve(task, scaled_method(), np.random.default_rng(0))
    design = np.hstack([A.reshape(150, 12), np.full((150, 1), float(constant))])

    def loss(x):
        p = design @ x
        value = weights @ (np.logaddexp(0, p) - y * p)
        return value, design.T @ (weights * (special.expit(p) - y))

    best = reference.least_smooth(loss, 13)
    assert found.converged
    assert mean * weights.sum() == pytest.approx(best.fun, rel=1e-5)
    assert error(found, best.x[:12].reshape(3, 4)) < 0.01
    assert found.intercept == pytest.approx(best.x[12] * constant, abs=0.01)


# Ends


def test_zero_values():
    A, y, _ = gaussian(SHAPE, 2, 300)
    for solver in SOLVERS:
        for loss in ("squared", "huber", "absolute"):
            for early_stopping in (True, False):
                found = solver(A, 0 * y, 2, loss=loss, early_stopping=early_stopping, rng=0)
                assert not found.matrix.any()
                assert found.rank == 0
                assert found.converged
                assert found.singular_values_history.shape == (found.n_iter, 2)


@pytest.mark.parametrize("value", [1e-12, 0.1, 3e7])
def test_constant_values(value):
    A, y, M = gaussian(SHAPE, 2, 300)
    found = scaled_gd(A, np.full(300, value), 2, fit_intercept=True, rng=0)
    assert found.intercept == pytest.approx(value)
    assert np.linalg.norm(found.matrix) <= 1e-9 * value
    without = scaled_gd(A, np.full(300, value), 2, rng=0)
    residuals = measure(A, without.matrix) - value
    assert without.history[-1] == pytest.approx(np.linalg.norm(residuals / value) / np.sqrt(300))
    assert 0.5 < without.history[-1] < 1


@pytest.mark.parametrize("unit", [1e-60, 1.0])
@pytest.mark.parametrize("solver", SOLVERS, ids=name_of)
def test_one_measurement(solver, unit):
    A, y, _ = gaussian(SHAPE, 2, 1)
    with pytest.warns(UserWarning, match="1 measurements cannot determine"):
        found = solver(A, unit * y, 1, rng=0)
    np.testing.assert_allclose(measure(A, found.matrix), unit * y, rtol=1e-9)


@pytest.mark.parametrize("shape", [(1, 8), (8, 1), (1, 1)])
@pytest.mark.parametrize("solver", SOLVERS, ids=name_of)
def test_a_vector_is_a_matrix(solver, shape):
    A, y, M = gaussian(shape, 1, 40)
    assert error(solver(A, y, 1, rng=0), M) < 1e-9
    if shape == (1, 1):
        assert error(solver(A, y * np.sign(M.item()), 1, symmetric=True, rng=0), abs(M)) < 1e-9


@pytest.mark.parametrize("solver", SOLVERS, ids=name_of)
def test_iterations_that_run_out(solver):
    A, y, _ = gaussian(SHAPE, 2, 300)
    with pytest.warns(ConvergenceWarning, match=f"{solver.__name__} .*max_iter=1 ") as caught:
        found = solver(A, y, 2, max_iter=1, rng=0)
    assert caught[0].filename == __file__
    assert found.n_iter == 1
    assert not found.converged
    for loss in ("huber", "absolute"):
        with pytest.warns(ConvergenceWarning):
            assert solver(A, y, 2, loss=loss, max_iter=3, rng=0).n_iter == 3


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", SOLVERS, ids=name_of)
@pytest.mark.parametrize("step_size", [1.0, 50.0, 1e9])
def test_steps_that_are_too_long_are_halved(solver, step_size):
    A, y, M = gaussian(SHAPE, 2, 300, 2)
    found = solver(A, y, 2, step_size=step_size, max_iter=60, rng=0)
    assert error(found, M) < 0.9
    assert (np.diff(found.history) <= 1e-12).all()


@pytest.mark.parametrize("init_scale", [1e-7, 1e-3, 1.0, 30.0])
def test_starts_of_all_sizes(init_scale):
    A, y, M = gaussian(SHAPE, 2, 300, 2)
    assert error(scaled_gd(A, y, 2, init_scale=init_scale, rng=0), M) < 1e-9


def test_a_residual_that_is_small_enough_ends():
    A, y, _ = gaussian(SHAPE, 2, 300)
    loose = scaled_gd(A, y, 2, tol=1e-3, rng=0)
    assert loose.history[-1] <= 1e-3 < loose.history[-2]
    assert loose.converged
    assert loose.n_iter < scaled_gd(A, y, 2, rng=0).n_iter


def test_a_constant_on_the_way_takes_nothing_away():
    a = np.random.default_rng(0).standard_normal((200, 6))
    a /= np.linalg.norm(a, axis=1, keepdims=True)  # each tells the trace
    A, M = RankOneMeasurements(a), np.diag(np.arange(1.0, 7.0))
    result = scaled_gd(A, A @ M.ravel(), 6, symmetric=True, rng=0)
    assert result.intercept == 0.0
    np.testing.assert_allclose(result.matrix, M, atol=1e-8)


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.02])
@pytest.mark.filterwarnings("ignore:.*did not converge")  # exact values, by steps that are small
def test_ranks_of_fits_that_are_stopped_early(noise):
    A, y, _ = gaussian((16, 16), 3, 900, noise=noise)
    assert scaled_gd(A, y, 16, early_stopping=True, rng=0).rank == 3
    A, y, _ = gaussian((20, 20), 2, 500, noise=noise / 2)
    assert scaled_gd(A, y, 10, early_stopping=True, rng=0).rank == 2


def test_ranks_below_a_penalty():
    A, y, _ = gaussian((12, 10), 2, 300, kappa=3, noise=0.001)
    alpha = 0.1 * np.linalg.norm(np.tensordot(y, A, 1), 2) / 300
    assert scaled_gd(A, y, 4, alpha=alpha, rng=0).rank == 2


@pytest.mark.parametrize("noise", [0.1, 1.0])
def test_no_constant_of_an_earlier_stage_stays(noise):
    rng = np.random.default_rng(0)
    A, left = RankOneMeasurements(rng.standard_normal((600, 20))), rng.standard_normal((20, 2))
    y = A.apply_factors(left, left)
    y += noise * y.std() * rng.standard_normal(600)
    result = scaled_gd(A, y, 6, symmetric=True, early_stopping=True, rng=0)
    assert result.intercept == 0.0
