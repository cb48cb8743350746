"""Half-steps against dense least squares, and what alternating them promises."""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
from hypothesis import given
from threadpoolctl import threadpool_limits

from lowrank_la.completion import _altmin, _cpu
from lowrank_la.completion._altmin import HalfStep, alternate, residuals, spectral_start
from lowrank_la.completion._factors import Factor, factor_of
from tests.completion.problems import arranged_as_is, half_steps, low_rank, observed, ratings
from tests.reference import completion as reference

close = np.testing.assert_allclose
EXPONENTS = [0.0, 0.5, 1.0]


def stepped(problem, half_step=None, repeat=1, start=0.0):
    """Factor after half-steps, and what the last one returned."""
    shape, entries, other, bias, ridge, exponent, fit_bias, dtype = problem
    lines = arranged_as_is(entries, shape, dtype).rows
    mine = factor_of(np.full((shape[0], other.shape[1]), start, dtype))
    half_step = half_step or HalfStep(exponent, fit_bias)
    for _ in range(repeat):
        total = half_step(lines, factor_of(other.astype(dtype), bias), mine, ridge)
    assert mine.rows.dtype == mine.bias.dtype == dtype
    assert not mine.rows[:, mine.rank :].any()
    return mine, total


def loss_of(problem, factor, bias):
    """Objective of the lines alone."""
    shape, entries, other, other_bias, ridge, exponent, *_ = problem
    whole = reference.objective(entries, factor, bias, other, other_bias, ridge, exponent)
    amounts = np.bincount(entries[1], entries[3], shape[1])
    return whole - ridge * np.dot(amounts**exponent, (other**2).sum(axis=1) + other_bias**2)


def expected(problem, nonnegative=False):
    shape, entries, *how, _ = problem
    return reference.half_step(entries, shape[0], *how, nonnegative)


def random_problem(m, n, k, nnz, *, dtype=np.float64, weighted=True, ridge=1.0, exponent=0.5,
                   fit_bias=True, seed=0):  # fmt: skip
    rng = np.random.default_rng(seed)
    entries = ratings(m, n, nnz, seed, weighted)
    other, bias = rng.standard_normal((n, k)), rng.standard_normal(n) * fit_bias
    return (m, n), entries, other, bias, ridge, exponent, fit_bias, dtype


@given(half_steps())
def test_a_half_step_is_least_squares(problem):
    mine, total = stepped(problem, start=7.0)
    factor, bias = expected(problem)
    tol = 1e-7 if problem[-1] == np.float64 else 2e-3
    close(mine.values, factor, rtol=tol, atol=tol)
    close(mine.bias, bias, rtol=tol, atol=tol)
    scale = 1 + (problem[1][3] * problem[1][2] ** 2).sum()
    assert total == pytest.approx(loss_of(problem, factor, bias), abs=1e-5 * scale)


@given(half_steps())
def test_conjugate_gradients_end_in_least_squares(problem):
    exponent, fit_bias = problem[5:7]
    steps = HalfStep(exponent, fit_bias, exact=False, steps=6, forcing=0.0)
    mine, total = stepped(problem, steps, repeat=6)
    factor, bias = expected(problem)
    tol = 1e-7 if problem[-1] == np.float64 else 5e-3
    close(mine.values, factor, rtol=tol, atol=tol)
    close(mine.bias, bias, rtol=tol, atol=tol)
    scale = 1 + (problem[1][3] * problem[1][2] ** 2).sum()
    assert total == pytest.approx(loss_of(problem, factor, bias), abs=1e-5 * scale)


@given(half_steps())
def test_nonnegative_half_steps_are_least_squares_of_what_is_not_negative(problem):
    exponent, fit_bias, dtype = problem[5:]
    mine, total = stepped(
        problem, HalfStep(exponent, fit_bias, nonnegative=True), repeat=30, start=1.0
    )
    assert (mine.values >= 0).all()
    least = loss_of(problem, *expected(problem, nonnegative=True))
    scale = 1 + (problem[1][3] * problem[1][2] ** 2).sum()
    tol = (1e-8 if dtype == np.float64 else 1e-5) * scale
    assert total == pytest.approx(least, abs=tol)
    assert loss_of(problem, mine.values, mine.bias) == pytest.approx(least, abs=tol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 3, 8, 12, 17, 33])
@pytest.mark.parametrize("exact", [True, False])
def test_ranks_and_long_lines(k, dtype, exact):
    """Lines are longer than a panel."""
    problem = random_problem(3, 700, k, 2000, dtype=dtype, seed=k)
    mine, total = stepped(problem, HalfStep(0.5, True, exact=exact, steps=50, forcing=1e-12))
    factor, bias = expected(problem)
    tol = 1e-8 if dtype == np.float64 else 1e-3
    close(mine.values, factor, rtol=tol, atol=tol)
    close(mine.bias, bias, rtol=tol, atol=tol)
    assert total == pytest.approx(loss_of(problem, mine.values, mine.bias), rel=1e-5)


@pytest.mark.parametrize("fit_bias", [True, False])
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_each_column_may_have_a_ridge_of_its_own(exponent, fit_bias):
    (m, n), entries, other, bias, *_ = random_problem(9, 11, 3, 80)
    ridge = np.array([0.5, 2.0, 7.0, 0.1])
    found = []
    for scale in (np.ones(4), np.sqrt(ridge)):  # columns over the roots of their ridges
        lines = arranged_as_is(entries, (m, n)).rows
        mine = factor_of(np.zeros((m, 3)))
        given = ridge / scale**2
        given[3] = ridge[3]
        HalfStep(exponent, fit_bias)(lines, factor_of(other / scale[:3], bias), mine, given)
        found.append((mine.values / scale[:3], mine.bias))
    close(found[0][0], found[1][0], rtol=1e-10)
    close(found[0][1], found[1][1], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("fit_bias", [True, False])
def test_lines_that_determine_too_little(fit_bias, exact, dtype):
    """Without a ridge, what nothing is known of stays zero, and equations that hold are met."""
    rng = np.random.default_rng(0)
    other = rng.standard_normal((8, 4))
    other[:, 2] = other[:, 0] + other[:, 1]  # in every line
    rows = np.array([0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 4, 4])
    columns = np.array([3, 1, 5, 0, 1, 2, 3, 4, 5, 6, 2, 2])
    values, weights = rng.standard_normal(12), np.ones(12)
    values[-1] = values[-2]
    weights[0] = 0.0  # line 0 has no weight, line 3 no entry
    entries = rows, columns, values, weights
    lines = arranged_as_is(entries, (5, 8), dtype).rows
    mine = factor_of(np.zeros((5, 4), dtype))
    other_bias = rng.standard_normal(8) * fit_bias
    half_step = HalfStep(0.5, fit_bias, exact=exact, steps=60, forcing=1e-6)
    total = half_step(lines, factor_of(other.astype(dtype), other_bias), mine, 0.0)
    assert np.isfinite(mine.rows).all()
    assert np.isfinite(mine.bias).all()
    for i in (0, 3):
        assert not mine.rows[i].any()
        assert not mine.bias[i]
    factor, bias = reference.half_step(entries, 5, other, other_bias, 0.0, 0.5, fit_bias)
    found = (other[columns] * mine.values[rows]).sum(axis=1) + mine.bias[rows]
    best = (other[columns] * factor[rows]).sum(axis=1) + bias[rows]
    tol = 1e-5 if dtype == np.float64 else 1e-3
    close(found[1:], best[1:], atol=tol)
    gaps = weights * (values - other_bias[columns] - best) ** 2
    assert total == pytest.approx(gaps.sum(), abs=tol)


@pytest.mark.parametrize("exact", [True, False])
def test_nonnegative_without_a_ridge(exact):
    (m, n), entries, other, *_ = random_problem(6, 5, 3, 12, weighted=False)
    other = np.abs(other)
    other[:, 1] = 0.0
    lines = arranged_as_is(entries, (m, n)).rows
    mine = factor_of(np.ones((m, 3)))
    half_step = HalfStep(nonnegative=True, exact=exact)
    totals = [half_step(lines, factor_of(other), mine, 0.0) for _ in range(30)]
    assert np.isfinite(mine.rows).all()
    assert (mine.rows >= 0).all()
    problem = (m, n), entries, other, np.zeros(n), 0.0, 0.0, False, np.float64
    assert totals[-1] == pytest.approx(loss_of(problem, *expected(problem, True)), rel=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_step_of_conjugate_gradients_is_an_improvement(dtype):
    problem = random_problem(20, 30, 14, 400, dtype=dtype)
    factor = [
        stepped(problem, HalfStep(0.5, True, exact=False, steps=s, forcing=0.0)) for s in range(8)
    ]
    losses = [loss_of(problem, mine.values, mine.bias) for mine, _ in factor]
    assert (np.diff(losses) < 0).all()
    close([total for _, total in factor], losses, rtol=1e-5 if dtype == np.float32 else 1e-11)
    forced = stepped(problem, HalfStep(0.5, True, exact=False, steps=1000, forcing=0.1))[1]
    least = loss_of(problem, *expected(problem))
    assert least < forced < least + 0.1 * (losses[0] - least)


@given(half_steps())
def test_residuals(problem):
    (m, n), entries, other, bias, *_, dtype = problem
    rng = np.random.default_rng(0)
    U, b = rng.standard_normal((m, other.shape[1])), rng.standard_normal(m)
    arranged = arranged_as_is(entries, (m, n), dtype)
    mine, other = factor_of(U.astype(dtype), b), factor_of(other.astype(dtype), bias)
    rows, columns, values, _ = entries
    gaps = values - (U[rows] * other.values[columns]).sum(axis=1) - b[rows] - bias[columns]
    for lines, pair, order in (
        (arranged.rows, (other, mine), np.argsort(rows, kind="stable")),
        (arranged.columns, (mine, other), np.lexsort((rows, columns))),
    ):
        found = residuals(lines, *pair)
        assert found.dtype == dtype
        close(found, gaps[order], atol=1e-12 if dtype == np.float64 else 1e-4)


def alternated(entries, rank, *, seed=0, watch=lambda *_: False, **options):
    options = {"ridge": 1.0, "exponent": 0.5, "fit_bias": True, "max_iter": 30, **options}
    return alternate(entries, rank, np.random.default_rng(seed), watch=watch, **options)


def whole(model):
    """The matrix that a model stands for."""
    U, V = model.rows, model.columns
    return U.values @ V.values.T + U.bias[:, None] + V.bias


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("nonnegative", [True, False])
@pytest.mark.parametrize("exact", [True, False])
def test_the_history_is_the_objective_and_falls(exact, nonnegative, weighted, dtype, monkeypatch):
    monkeypatch.setattr(_altmin, "EXACT", 100 if exact else 0)
    entries = ratings(20, 15, 200, weighted=weighted)
    shape, arranged, seen = (20, 15), arranged_as_is(entries, (20, 15), dtype), []

    def watch(model, loss):
        U, V = (factor.on("cpu") for factor in (model.rows, model.columns))
        factors = U.values.astype(float), U.bias, V.values.astype(float), V.bias
        seen.append(reference.objective(entries, *factors, 1.0, 0.5))

    model, _, history = alternated(arranged, 3, nonnegative=nonnegative, watch=watch, max_iter=12)
    rounding = 1e-5 if dtype == np.float32 else 1e-12
    close(history, seen, rtol=rounding)
    assert (np.diff(history) <= rounding * history[0]).all()
    assert history[-1] < history[0]
    assert whole(model).shape == shape


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(("exponent", "fit_bias"), [(0.0, False), (0.5, True), (1.0, True)])
def test_the_gradient_is_zero_at_the_limit(exponent, fit_bias, exact, monkeypatch):
    monkeypatch.setattr(_altmin, "EXACT", 100 if exact else 0)
    entries = ratings(9, 8, 60, weighted=True)
    how = {"ridge": 1.5, "exponent": exponent, "fit_bias": fit_bias, "max_iter": 2000}
    model, _, _ = alternated(arranged_as_is(entries, (9, 8)), 2, **how, tol=0.0)
    U, V = model.rows, model.columns
    by_left, by_row, by_right, by_column = reference.gradient(
        entries, U.values, U.bias, V.values, V.bias, 1.5, exponent
    )
    for slope in (by_left, by_right, *((by_row, by_column) if fit_bias else ())):
        close(slope, 0, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_approximate_solves_have_the_same_limit(dtype, monkeypatch):
    rows, columns, values = observed(low_rank(60, 50, 3), 0.5, noise=0.3)
    arranged = arranged_as_is((rows, columns, values, np.ones(len(rows))), (60, 50), dtype)
    found = []
    for exact in (0, 100):
        monkeypatch.setattr(_altmin, "EXACT", exact)
        model, _, history = alternated(arranged, 3, max_iter=300)
        found.append((history[-1], whole(model)))
    close(found[0][0], found[1][0], rtol=1e-5 if dtype == np.float32 else 1e-10)
    close(found[0][1], found[1][1], atol=1e-2 if dtype == np.float32 else 1e-5)


def test_sweeps_are_those_of_the_reference():
    entries = ratings(12, 9, 70, weighted=True)
    arranged = arranged_as_is(entries, (12, 9))
    start = spectral_start(arranged, 2, np.random.default_rng(0))
    left = start.rows.values.copy()
    model, _, _ = alternated(arranged, 2, init=start, max_iter=3)
    U, b, V, c = reference.als(entries, left, 1.0, 0.5, True, 3, 9)
    close(model.rows.values, U, rtol=1e-8, atol=1e-10)
    close(model.columns.values, V, rtol=1e-8, atol=1e-10)
    close(model.rows.bias, b, rtol=1e-8, atol=1e-10)
    close(model.columns.bias, c, rtol=1e-8, atol=1e-10)


def bits(model):
    return [a.tobytes() for f in (model.rows, model.columns) for a in (f.rows, f.bias)]


@pytest.mark.parametrize("exact", [True, False])
def test_threads_and_executors_change_no_bit(exact, monkeypatch):
    monkeypatch.setattr(_altmin, "EXACT", 100 if exact else 0)
    monkeypatch.setattr(_cpu, "_BLOCK", 5000)
    monkeypatch.setattr(_altmin, "_RUN", 7000)
    arranged = arranged_as_is(ratings(3000, 400, 50_000, weighted=True), (3000, 400))
    found, histories = [], []
    with ThreadPoolExecutor(3) as pool:
        for n_threads, executor in ((1, None), (2, None), (2, pool)):
            monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", n_threads)
            with threadpool_limits(n_threads):
                model, _, history = alternated(arranged, 9, max_iter=3, executor=executor)
            found.append(bits(model))
            histories.append(history)
    assert found[0] == found[1] == found[2]
    assert histories[0] == histories[1]
    close(histories[2], histories[0], rtol=1e-13)


def test_runs_hold_all_lines_once(monkeypatch):
    """Long lines, and many without an entry, at both ends."""
    rows = np.r_[np.full(50, 3), np.arange(4, 9), np.full(90, 9)]
    entries = rows, np.arange(len(rows)) % 7, np.ones(len(rows)), np.ones(len(rows))
    lines = arranged_as_is(entries, (15, 7)).rows
    sizes = []

    class Pool:
        def submit(self, function, task):
            sizes.append((len(task[1]), len(task[1].others)))
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(function, task)

    other = factor_of(np.random.default_rng(0).standard_normal((7, 2)))
    for run in (1, 10, 60, 1000):
        monkeypatch.setattr(_altmin, "_RUN", run)
        sizes.clear()
        alone, spread = (factor_of(np.full((15, 2), 9.0)) for _ in range(2))
        total = HalfStep()(lines, other, alone, 1.0)
        assert HalfStep(executor=Pool())(lines, other, spread, 1.0) == pytest.approx(total)
        np.testing.assert_array_equal(spread.rows, alone.rows)
        assert sum(n for n, _ in sizes) == 15
        assert sum(n for _, n in sizes) == len(rows)
        assert all(n < 90 + run for _, n in sizes)


def test_the_start_of_a_whole_matrix_is_its_svd():
    A = low_rank(30, 20, 3, sizes=[30.0, 20.0, 10.0])
    entries = (*observed(A, 1.0), np.ones(600))
    start = spectral_start(arranged_as_is(entries, (30, 20)), 3, np.random.default_rng(0))
    close(whole(start), A, atol=1e-10)
    for factor in (start.rows, start.columns):
        close(factor.values.T @ factor.values, np.diag([30.0, 20.0, 10.0]), atol=1e-9)


def test_the_start_is_near_the_matrix():
    A = low_rank(200, 150, 2)
    rows, columns, values = observed(A, 0.3)
    for weights in (np.ones(len(rows)), np.full(len(rows), 100.0)):
        arranged = arranged_as_is((rows, columns, values, weights), A.shape)
        start = spectral_start(arranged, 2, np.random.default_rng(0))
        assert np.linalg.norm(whole(start) - A) < 0.4 * np.linalg.norm(A)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_line_stands_out_in_the_start(dtype, monkeypatch):
    """A column with all of the large values does not take a direction for itself."""
    A = low_rank(100, 80, 2)
    rows, columns, values = observed(A, 0.3)
    values[columns == 7] *= 50
    arranged = arranged_as_is((rows, columns, values, np.ones(len(rows))), A.shape, dtype)
    cut = spectral_start(arranged, 2, np.random.default_rng(0)).columns
    monkeypatch.setattr(_altmin, "_trimmed", lambda vectors: vectors)
    whole = spectral_start(arranged, 2, np.random.default_rng(0)).columns
    assert cut.rows.dtype == whole.rows.dtype == dtype
    roots = np.linalg.norm(whole.values, axis=0)
    lengths = np.linalg.norm(cut.values / roots, axis=1)
    most = 2 * (2 / 80) ** 0.5
    before = np.linalg.norm(whole.values / roots, axis=1)
    assert before[7] > 2 * most
    close(lengths, np.minimum(before, most), rtol=1e-4)
    close(cut.values[before < most], whole.values[before < most], rtol=1e-4)


@pytest.mark.parametrize("n_entries", [1, 2, 9])
def test_few_entries_have_a_start(n_entries):
    entries = ratings(6, 5, n_entries)
    start = spectral_start(arranged_as_is(entries, (6, 5)), 4, np.random.default_rng(0))
    assert isinstance(start.rows, Factor)
    assert np.isfinite(whole(start)).all()
    assert (start.rank, len(start.rows), len(start.columns)) == (4, 6, 5)
