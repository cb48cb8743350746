import copy
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.transport import TransportResult, solve, solve_sample
from lowrank_la.transport._solve import SOLVERS
from tests.layouts import dense_forms
from tests.reference import transport as naive
from tests.strategies import transports

TOL = 1e-8


def random_problem(n=40, m=50, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, m)), masses(rng.random(n)), masses(rng.random(m))


def masses(x):
    return x / x.sum()


def assert_solved(result, M, a, b, reg, tol=TOL):
    """Whatever the problem: a plan with its masses, of the form it must have, rightly valued."""
    assert isinstance(result, TransportResult)
    assert result.converged
    P, total, size = result.plan, a.sum(), np.abs(np.where(np.isfinite(M), M, 0)).max()
    assert P.shape == M.shape
    assert P.min() >= 0
    errors = naive.marginal_errors(P, a, b)
    assert sum(errors) <= tol * total * (1 + 1e-6)
    np.testing.assert_allclose(result.marginal_errors, errors, atol=1e-13 * total * M.size)
    f, g = result.potentials
    assert a @ f == pytest.approx(b @ g, abs=1e-9 * total * (size + reg))
    used = np.ix_(a > 0, b > 0)
    exponents = ((f[:, None] + g - M) / reg)[used]
    expected = np.outer(a, b)[used] / total * np.exp(exponents)
    np.testing.assert_allclose(P[used], expected, atol=1e-9 * total, rtol=1e-6)
    assert P.sum() == pytest.approx(P[used].sum(), rel=1e-15)
    scale = total * (size + reg)
    assert result.value_linear == pytest.approx(naive.value_linear(P, M), abs=1e-9 * scale)
    assert result.value == pytest.approx(naive.value(P, M, a, b, reg), abs=1e-9 * scale)
    assert (result.reg, result.n_iter) == (reg, len(result.history))
    assert result.history[-1] <= tol


# Against the definition


@given(transports())
def test_whatever_the_problem(problem):
    M, a, b, reg = problem
    assert_solved(solve(M, a, b, reg=reg), *problem)


@given(transports(least_mass=1), st.sampled_from(["auto", "sinkhorn", "ssns"]))
def test_plan_of_the_definition(problem, method):
    M, a, b, reg = problem
    P = naive.plan(M, a, b, reg)
    if sum(naive.marginal_errors(P, a, b)) > 1e-10:  # too slow
        return
    result = solve(M, a, b, reg=reg, method=method, tol=1e-9, max_iter=100_000)
    assert_solved(result, *problem, tol=1e-9)
    np.testing.assert_allclose(result.plan, P, atol=1e-8)


@pytest.mark.parametrize("reg", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("method", SOLVERS)
def test_same_plan_as_pot(method, reg):
    ot = pytest.importorskip("ot")
    M, a, b = random_problem()
    enough = {"numItermax": 100_000, "stopThr": 1e-12}
    expected, log = ot.sinkhorn(a, b, M, reg, **enough, log=True)
    assert log["err"][-1] < 1e-12
    result = solve(M, a, b, reg=reg, method=method, tol=1e-11)
    np.testing.assert_allclose(result.plan, expected, atol=1e-10)
    assert result.value_linear == pytest.approx(ot.sinkhorn2(a, b, M, reg, **enough), rel=1e-8)
    theirs = ot.solve(M, a, b, reg, max_iter=100_000, tol=1e-12)
    assert result.value == pytest.approx(theirs.value, rel=1e-8)


def test_value_falls_to_the_exact_cost(global_random_seed):
    M, a, b = random_problem(12, 17, global_random_seed)
    exact = naive.exact_cost(M, a, b)
    regs = [1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5]
    results = [solve(M, a, b, reg=reg, tol=1e-10) for reg in regs]
    for name in ("value", "value_linear"):
        values = np.array([getattr(result, name) for result in results])
        assert np.all(np.diff(values) < 1e-9), "less regularisation, less cost"
        assert values[-1] == pytest.approx(exact, abs=1e-4)
    entropy = min(-(x * np.log(x)).sum() for x in (a, b))
    for result, reg in zip(results, regs, strict=True):
        assert exact - 1e-9 <= result.value_linear <= result.value <= exact + reg * entropy + 1e-9


def test_assignment_is_found(global_random_seed):
    M = np.random.default_rng(global_random_seed).random((60, 60))
    rows, columns = linear_sum_assignment(M)
    result = solve(M, reg=1e-6)
    np.testing.assert_array_equal(result.plan.argmax(axis=1), columns)
    assert result.value_linear == pytest.approx(M[rows, columns].mean(), rel=1e-6)


# Invariances

SHARP = {"tol": 1e-11}


@given(transports(), st.sampled_from([-1e6, -3.0, 1e3, 1e6]))
def test_a_number_added_to_all_costs(problem, number):
    M, a, b, reg = problem
    plain, moved = solve(M, a, b, reg=reg), solve(M + number, a, b, reg=reg)
    np.testing.assert_allclose(moved.plan, plain.plan, atol=1e-7)
    for name in ("value", "value_linear"):
        assert getattr(moved, name) == pytest.approx(getattr(plain, name) + number, abs=1e-4)


@given(transports(), st.integers(-40, 40))
def test_units_of_cost(problem, exponent):
    """By a power of two, so that every number is the same but for its exponent."""
    M, a, b, reg = problem
    unit = 2.0**exponent
    plain, scaled = solve(M, a, b, reg=reg), solve(M * unit, a, b, reg=reg * unit)
    np.testing.assert_allclose(scaled.plan, plain.plan, atol=1e-12)
    assert scaled.value == pytest.approx(plain.value * unit, rel=1e-9, abs=1e-12 * unit)


@given(transports(), st.sampled_from([1e-3, 3.0, 1e6]))
def test_units_of_mass(problem, unit):
    M, a, b, reg = problem
    plain, scaled = solve(M, a, b, reg=reg), solve(M, unit * a, unit * b, reg=reg)
    assert_solved(scaled, M, unit * a, unit * b, reg)
    np.testing.assert_allclose(scaled.plan, unit * plain.plan, atol=1e-7 * unit)
    assert scaled.duality_gap == pytest.approx(unit * plain.duality_gap, rel=1e-3, abs=1e-6 * unit)


@given(transports(), st.randoms(use_true_random=False))
def test_order_of_rows_and_columns(problem, random):
    M, a, b, reg = problem
    rows, columns = (random.sample(range(n), n) for n in M.shape)
    plain = solve(M, a, b, reg=reg, **SHARP)
    mixed = solve(M[np.ix_(rows, columns)], a[rows], b[columns], reg=reg, **SHARP)
    np.testing.assert_allclose(mixed.plan, plain.plan[np.ix_(rows, columns)], atol=1e-9)


@given(transports())
def test_rows_for_columns(problem):
    M, a, b, reg = problem
    plain, turned = solve(M, a, b, reg=reg, **SHARP), solve(M.T, b, a, reg=reg, **SHARP)
    np.testing.assert_allclose(turned.plan.T, plain.plan, atol=1e-9)
    scale = np.abs(M).max() + reg
    for x, y in zip(turned.potentials[::-1], plain.potentials, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-6 * scale)
    assert turned.value == pytest.approx(plain.value, abs=1e-9 * scale)


# Awkward problems

M0, A, B = random_problem()
RNG = np.random.default_rng(1)
WIDE_A, WIDE_B = (masses(10.0 ** RNG.uniform(-12, 0, n)) for n in M0.shape)
TWICE = np.repeat(RNG.random((20, 2)), 2, axis=0)


def without(x, *places):
    x = x.copy()
    x[list(places)] = 0
    return masses(x)


def with_tiny(x, mass):
    x = x.copy()
    x[4] = mass
    return masses(x)


def raised(places, number):
    M = M0.copy()
    M[places] += number
    return M


def forbidden(share):
    """A share of the arcs; not those of one plan, which exists therefore."""
    rows, columns = (np.r_[0, np.cumsum(x)] for x in (A, B))
    overlap = np.minimum.outer(rows[1:], columns[1:]) - np.maximum.outer(rows[:-1], columns[:-1])
    return np.where((RNG.random(M0.shape) < share) & (overlap <= 0), np.inf, M0)


def block_of_rows(n):
    """The first n rows reach the first columns only, which have as much mass."""
    M = M0.copy()
    M[:n, n:] = np.inf
    b = masses(np.ones(M.shape[1]))
    a = np.r_[np.full(n, b[:n].sum() / n), np.full(len(M) - n, b[n:].sum() / (len(M) - n))]
    return M, a, b


AWKWARD = {
    **{f"reg {reg}": (M0, A, B, reg) for reg in (100, 5, 0.05, 1e-3, 1e-5, 1e-8)},
    "zeros in a": (M0, without(A, 3, 7), B, 1e-3),
    "zeros in a and b": (M0, without(A, 3, 7), without(B, 0, 5), 1e-3),
    "last b zero": (M0, A, without(B, -1), 1e-3),
    "one mass": (M0, without(A, *range(1, 40)), without(B, *range(1, 50)), 1e-3),
    "a mass of 1e-30": (M0, A, with_tiny(B, 1e-30), 1e-3),
    "a mass of 1e-300": (M0, with_tiny(A, 1e-300), with_tiny(B, 1e-300), 1e-3),
    "costs of 1e6": (M0 * 1e6, A, B, 1e3),
    "costs of 1e-6": (M0 * 1e-6, A, B, 1e-9),
    "all costs 1e6 more": (M0 + 1e6, A, B, 1e-3),
    "all costs 1e6 more, small reg": (M0 + 1e6, A, B, 1e-5),
    "negative costs": (M0 - 5, A, B, 1e-3),
    "a row far away": (raised(2, 1e4), A, B, 1e-3),
    "a column far away": (raised((slice(None), 3), 1e4), A, B, 1e-3),
    "a very long arc": (raised((2, 3), 1e100), A, B, 1e-3),
    "forbidden arcs": (forbidden(0.3), A, B, 1e-3),
    "forbidden arcs, small reg": (forbidden(0.3), A, B, 1e-5),
    "forbidden arcs, large reg": (forbidden(0.3), A, B, 1.0),
    "most arcs forbidden": (forbidden(0.9), A, B, 1e-2),
    "two blocks": (*block_of_rows(15), 1e-2),
    "only the diagonal": (np.where(np.eye(40), M0[:, :40], np.inf), A, A, 1e-3),
    "1 x 1": (M0[:1, :1], np.ones(1), np.ones(1), 1e-3),
    "1 x n": (M0[:1], np.ones(1), B, 1e-3),
    "n x 1": (M0[:, :1], A, np.ones(1), 1e-3),
    "1 x n, zeros": (M0[:1], np.ones(1), without(B, 3), 1e-3),
    "points twice": (cdist(TWICE, TWICE), masses(np.ones(40)), masses(np.ones(40)), 1e-3),
    "points twice, small reg": (cdist(TWICE, TWICE) ** 2, A, masses(np.ones(40)), 1e-5),
    "masses of 12 orders": (M0, WIDE_A, WIDE_B, 1e-3),
    "masses of 12 orders, small reg": (M0, WIDE_A, WIDE_B, 1e-5),
    "masses of 12 orders, large reg": (M0, WIDE_A, WIDE_B, 0.1),
    "equal costs": (np.ones((40, 50)), A, B, 1e-3),
    "no costs": (np.zeros((40, 50)), A, B, 1e-3),
    "integer costs": ((M0 * 10).astype(int), A, B, 1e-2),
}  # fmt: skip


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward_problems(case):
    M, a, b, reg = AWKWARD[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = solve(M, a, b, reg=reg, tol=TOL)
    assert result.converged
    assert sum(naive.marginal_errors(result.plan, a, b)) <= 1e-7
    assert np.isfinite([result.value, result.value_linear, result.reg]).all()
    assert not result.plan[~np.isfinite(M)].any()
    assert not result.plan[a == 0].any()
    assert not result.plan[:, b == 0].any()
    assert np.abs(result.sparse_plan().toarray() - result.plan).sum() < 1e-7


# What does not converge


@pytest.mark.parametrize("method", SOLVERS)
def test_too_few_passes(method):
    M, a, b = random_problem()
    for max_iter in (1, 2, 3, 10):
        with pytest.warns(ConvergenceWarning, match="increase max_iter, tol or reg") as caught:
            result = solve(M, a, b, reg=1e-5, max_iter=max_iter, method=method)
        assert caught[0].filename == __file__, "the warning is given where the user is"
        assert f"{sum(result.marginal_errors):.1e}" in str(caught[0].message)
        assert not result.converged
        assert result.n_iter == len(result.history) == max_iter
        assert np.isfinite(result.plan).all()
        errors = naive.marginal_errors(result.plan, a, b)
        np.testing.assert_allclose(result.marginal_errors, errors, atol=1e-12)


def test_more_than_float64_can_tell():
    M, a, b = random_problem()
    with pytest.warns(ConvergenceWarning, match="float64 cannot tell more at this reg"):
        result = solve(M, a, b, reg=1e-8, tol=1e-13)
    assert sum(result.marginal_errors) < 1e-6


def test_no_plan_exists():
    M, a, b = random_problem()
    M[:30, :30] = np.inf  # more mass in these rows than the other columns can take
    assert a[:30].sum() > b[30:].sum()
    with pytest.warns(ConvergenceWarning, match="marginal errors of"):
        result = solve(M, a, b, reg=1e-2, max_iter=300)
    assert np.isfinite(result.plan).all()
    assert sum(result.marginal_errors) >= a[:30].sum() - b[30:].sum()


def test_no_arc_leads_there():
    M, a, b = random_problem()
    M[:, 3] = np.inf
    with pytest.raises(ValueError, match="M forbids .* column"):
        solve(M, a, b, reg=1e-2)
    result = solve(M, a, without(b, 3), reg=1e-2)
    assert result.converged
    assert not result.plan[:, 3].any()


# Results


def test_gap_is_certified(global_random_seed):
    """What the optimum is at most below the plan, from large to small errors."""
    M, a, b = random_problem(20, 30, global_random_seed)
    optimum = solve(M, a, b, reg=0.02, tol=1e-13).value
    gaps = []
    for tol in (1e-1, 1e-2, 1e-4, 1e-8):
        result = solve(M, a, b, reg=0.02, tol=tol, method="sinkhorn")
        f, g = result.potentials
        dual = a @ f + b @ g + 0.02 * (1 - result.plan.sum())
        assert dual <= optimum + 1e-12
        assert -1e-15 <= optimum - dual <= result.duality_gap + 1e-12
        gaps.append(result.duality_gap)
    assert np.all(np.diff(gaps) < 0)
    assert 0 <= gaps[-1] < 1e-8


@given(transports(), st.sampled_from([1e-2, 1e-6, 1e-9]))
def test_sparse_plan_leaves_out_a_share(problem, tol):
    M, a, b, reg = problem
    result = solve(M, a, b, reg=reg)
    sparse = result.sparse_plan(tol)
    assert (sparse.shape, sparse.dtype) == (M.shape, np.float64)
    missing = result.plan - sparse.toarray()
    assert missing.min() >= -1e-12
    assert np.all(missing.sum(axis=1) <= tol * a * (1 + 1e-9) + 1e-12)
    assert np.all(missing.sum(axis=0) <= tol * b * (1 + 1e-9) + 1e-12)


def test_sparse_plan_is_sparse():
    M = np.random.default_rng(0).random((400, 500))
    result = solve(M, reg=1e-4)
    sparse = result.sparse_plan()
    assert sparse.nnz < 0.02 * M.size
    assert sparse.sum() == pytest.approx(1, abs=1e-8)
    np.testing.assert_allclose(sparse.toarray(), result.plan, atol=1e-9 / 400)


def test_potentials_where_there_is_no_mass():
    """They are those that a small mass would have."""
    M, a, b = random_problem(8, 9)
    reg, a, b = 0.1, without(a, 2), without(b, 0, 5)
    f, g = solve(M, a, b, reg=reg, **SHARP).potentials
    expected_f = -reg * np.log(np.exp((g - M) / reg) @ b)
    expected_g = -reg * np.log(a @ np.exp((f[:, None] - M) / reg))
    np.testing.assert_allclose(f, expected_f, atol=1e-8)
    np.testing.assert_allclose(g, expected_g, atol=1e-8)
    f_some, _ = solve(M, masses(a + 1e-9 * (a == 0)), b, reg=reg, **SHARP).potentials
    np.testing.assert_allclose(f_some, f, atol=1e-6)


def test_stages_and_history():
    M, a, b = random_problem(300, 200)
    result = solve(M, a, b, reg=1e-4)
    regs = [stage.reg for stage in result.stages]
    assert regs[-1] == 1e-4
    assert max(regs) > 1e-2
    assert sum(stage.n_newton for stage in result.stages) > 0
    assert sum(stage.n_cg for stage in result.stages) > 0
    steps = sum(stage.n_newton + stage.n_sinkhorn for stage in result.stages)
    assert 0 < steps <= result.n_iter == len(result.history)
    assert "stages" not in repr(result)


# Warm starts, callbacks


@pytest.mark.parametrize("method", SOLVERS)
def test_warm_starts_save_passes(method):
    M, a, b = random_problem()
    cold = solve(M, a, b, reg=0.02, method=method)
    assert cold.n_iter > 3
    for start in (cold, cold.potentials, [list(potential) for potential in cold.potentials]):
        warm = solve(M, a, b, reg=0.02, method=method, warmstart=start)
        assert warm.n_iter <= 2
        np.testing.assert_allclose(warm.plan, cold.plan, atol=1e-7)
    other = np.random.default_rng(5).random(M.shape) * 1e-3
    assert solve(M + other, a, b, reg=0.02, method=method, warmstart=cold).n_iter < cold.n_iter


@pytest.mark.parametrize("constant", [0, 1e3])
def test_a_bad_warm_start_does_no_harm(constant):
    M, a, b = random_problem()
    rng = np.random.default_rng(2)
    start = rng.normal(size=40) * 100 + constant, rng.normal(size=50) * 100 - constant
    assert_solved(solve(M, a, b, reg=1e-3, warmstart=start), M, a, b, 1e-3)


def test_callback():
    M, a, b = random_problem()
    told = []
    result = solve(M, a, b, reg=1e-3, callback=told.append)
    assert [info["n_iter"] for info in told] == list(range(1, result.n_iter + 1))
    np.testing.assert_array_equal([info["error"] for info in told], result.history)
    assert told[-1]["reg"] == 1e-3


@pytest.mark.parametrize("method", SOLVERS)
@pytest.mark.parametrize("last", [1, 4, 7])
def test_callback_stops(method, last):
    M, a, b = random_problem()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = solve(
            M, a, b, reg=1e-4, method=method, callback=lambda info: info["n_iter"] == last
        )
    assert result.n_iter == last
    assert not result.converged
    assert np.isfinite(result.plan).all()


# Arrays


@pytest.mark.parametrize("method", ["auto", "sinkhorn"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(500, 600), (700, 400)])
def test_same_bits_on_any_number_of_threads(shape, dtype, method):
    M = np.random.default_rng(0).random(shape).astype(dtype)
    reg = 1e-4 if method == "auto" else 0.05
    one, *others = (solve(M, reg=reg, method=method, n_cpu=n_cpu) for n_cpu in (1, 2, 3))
    for other in others:
        assert other.plan.tobytes() == one.plan.tobytes()
        assert other.history.tobytes() == one.history.tobytes()
        assert (other.value, other.duality_gap) == (one.value, one.duality_gap)


def test_single_precision():
    M, a, b = random_problem()
    single = solve(M.astype(np.float32), a.astype(np.float32), b.astype(np.float32), reg=1e-3)
    assert single.plan.dtype == np.float32
    assert [x.dtype for x in single.potentials] == [np.float64] * 2
    assert sum(single.marginal_errors) <= TOL, "sums are in float64"
    expected = solve(M.astype(np.float32).astype(float), a, b, reg=1e-3)
    np.testing.assert_allclose(single.plan, expected.plan, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layout_does_not_matter(dtype, tmp_path):
    M, a, b = random_problem()
    M = M.astype(dtype)
    expected = solve(M, a, b, reg=1e-3)
    for name, form in dense_forms(M, tmp_path).items():
        kept = np.array(form)
        result = solve(form, a, b, reg=1e-3)
        np.testing.assert_allclose(result.plan, expected.plan, atol=1e-7, err_msg=name)
        assert result.plan.dtype == dtype
        np.testing.assert_array_equal(form, kept, err_msg=name)


def test_arguments_are_not_modified():
    M, a, b = random_problem()
    start = solve(M, a, b, reg=0.1).potentials
    given_arrays = [M, a, b, *start]
    kept = [x.tobytes() for x in given_arrays]
    result = solve(M, a, b, reg=1e-3, warmstart=start)
    assert result.plan is result.plan, "made once"
    assert result.duality_gap >= 0
    assert result.sparse_plan().nnz
    assert [x.tobytes() for x in given_arrays] == kept


def test_masses_of_any_kind():
    M, _, _ = random_problem(3, 3)
    expected = solve(M, reg=0.1).plan
    for a in ([], None, [1 / 3] * 3, (1 / 3,) * 3, np.full(3, 1 / 3, np.float32)):
        np.testing.assert_allclose(solve(M, a, a, reg=0.1).plan, expected, atol=1e-7)
    np.testing.assert_allclose(solve(M, [1] * 3, [True] * 3, reg=0.1).plan, 3 * expected, atol=1e-7)


# Points


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", ["sqeuclidean", "euclidean", "cityblock"])
@pytest.mark.parametrize("sizes", [(60, 40), (30, 70), (1, 5)])
def test_points_as_their_distances(sizes, metric, dtype):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(sizes[0], 3)), 10 + rng.normal(size=(sizes[1], 3))
    X, Y = X.astype(dtype), Y.astype(dtype)
    a, b = without(rng.random(len(X)), *range(1, len(X), 9)), without(rng.random(len(Y)), 2)
    kept = [x.tobytes() for x in (X, Y, a, b)]
    M = cdist(X, Y, metric)
    result = solve_sample(X, Y, a, b, reg=0.1, metric=metric)
    assert_solved(result, M, a, b, 0.1)
    np.testing.assert_allclose(result.plan, solve(M, a, b, reg=0.1).plan, atol=1e-7)
    np.testing.assert_allclose(result.sparse_plan(1e-12).toarray(), result.plan, atol=1e-11)
    assert result.duality_gap < 1e-6
    assert [x.tobytes() for x in (X, Y, a, b)] == kept


def test_points_that_move_together():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(50, 2)), rng.normal(size=(60, 2))
    plan = solve_sample(X, Y, reg=0.05).plan
    np.testing.assert_allclose(solve_sample(X + 1e3, Y + 1e3, reg=0.05).plan, plan, atol=1e-7)


def test_methods_that_need_the_matrix_say_so():
    X = np.zeros((3, 2))
    for method in ("sns", "ssns"):
        with pytest.raises(ValueError, match=method):
            solve_sample(X, X, reg=1.0, method=method)


@pytest.mark.parametrize("reg", [0.05, 0.2, 1.0])
def test_dense_plans_take_few_passes_and_have_all_their_entries(reg):
    M = np.random.default_rng(0).random((300, 300))
    result = solve(M, reg=reg)
    assert result.converged and result.n_iter < 40
    assert result.sparse_plan(1e-12).nnz == M.size
    np.testing.assert_allclose(result.sparse_plan().toarray(), result.plan, atol=1e-12)


def test_uneven_blocks_of_a_dense_plan_do_not_keep_newton_away():
    x = np.linspace(0, 1, 300)
    a, b = np.exp(-5 * x), np.exp(-((x - 0.6) ** 2) / 0.02)
    result = solve((x[:, None] - x) ** 2, a / a.sum(), b / b.sum(), reg=0.02)
    assert result.n_iter < 30
    assert sum(stage.n_newton for stage in result.stages) > 0


def some_costs(n, m):
    return np.random.default_rng(0).random((n, m))


@pytest.mark.parametrize("large", [1e4, 1e9, 1e14])
def test_large_costs_in_the_place_of_forbidden_arcs(large):
    M = some_costs(100, 120)
    M[np.random.default_rng(1).random(M.shape) < 0.8] = large
    result = solve(M, reg=1e-2)
    assert result.converged and result.n_iter < 200


@pytest.mark.parametrize("constant", [0.0, 1e6, -1e9])
def test_a_constant_in_potentials_costs_a_warm_start_nothing(constant):
    M = some_costs(40, 30)
    f, g = solve(M, reg=1e-2).potentials
    again = solve(M, reg=1e-2, warmstart=(f - constant, g + constant))
    assert again.converged and again.n_iter < 20
    shifted = solve(M + abs(constant), reg=1e-2)
    assert solve(M + abs(constant), reg=1e-2, warmstart=shifted).n_iter < 20


def test_results_can_be_pickled():
    result = solve(some_costs(8, 9), reg=0.1)
    again = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(again.plan, result.plan)
    assert copy.deepcopy(result).duality_gap == result.duality_gap


def test_an_offset_with_large_outliers():
    M = some_costs(100, 100) + 1e6
    M[np.random.default_rng(1).random(M.shape) < 0.3] = 1e9
    assert solve(M, reg=1e-3).converged


def test_a_mass_that_vanishes_beside_the_others_is_none():
    result = solve([[0, 1.0], [1, 0]], [2, 2], [4, 5e-324], reg=0.1)
    assert np.isfinite(result.value) and np.isfinite(result.plan).all()


@pytest.mark.parametrize("method", ["sns", "ssns"])
def test_values_and_sparse_plans_are_those_of_the_plan(method):
    M = some_costs(30, 20) + 1e6
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = solve(M, reg=1e-2, method=method, max_iter=25)
    assert result.value_linear == pytest.approx((result.plan * M).sum(), rel=1e-12)
    np.testing.assert_allclose(result.sparse_plan().toarray(), result.plan, atol=1e-8)


def test_the_last_newton_steps_converge_quadratically():
    result = solve(some_costs(80, 70), reg=1e-2, tol=1e-11)
    assert result.converged and result.stages[-1].n_newton >= 3
    assert (result.history[1:] / result.history[:-1]).min() < 1e-4
