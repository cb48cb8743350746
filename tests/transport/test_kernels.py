"""The compiled passes against the same written down in arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from lowrank_la.transport import _cpu
from tests.strategies import transports

close = np.testing.assert_allclose


def random_masses(rng, n):
    masses = rng.uniform(0.1, 1, n)
    return masses / masses.sum()


def random_problem(n, m, seed=0):
    """Costs, masses, and potentials of the columns."""
    rng = np.random.default_rng(seed)
    M, a, b = rng.random((n, m)), random_masses(rng, n), random_masses(rng, m)
    return M, a, b, 0.05 * rng.normal(size=m) + 0.05 * np.log(b)


def scaled_plan(M, a, g, reg):
    """Potentials of the rows that give these their masses, and the plan."""
    h = -reg * logsumexp((g - M) / reg, axis=1)
    return h, a[:, None] * np.exp((h[:, None] + g - M) / reg)


def above(plan, share, a, b):
    """Entries above a share of both masses, NaN elsewhere."""
    return np.where(plan > share * np.minimum(a[:, None], b), plan, np.nan)


def matrix(entries, shape):
    """As an array, NaN where there is no entry; none may be there twice."""
    whole = np.full(shape, np.nan)
    for i, (start, stop) in enumerate(zip(entries.starts, entries.stops, strict=True)):
        places = entries.columns[start:stop]
        assert len(set(places)) == len(places)
        whole[i, places] = entries.values[start:stop]
    return whole


def entries_of(whole, gap=0):
    """Those that are not zero, with gaps of rubbish between the rows."""
    lengths = np.count_nonzero(whole, axis=1)
    starts = np.cumsum(lengths + gap) - lengths
    columns = np.full(starts[-1] + lengths[-1], 2**30, np.int32)
    values = np.full(len(columns), np.nan)
    for row, start in zip(whole, starts, strict=True):
        places = np.flatnonzero(row)
        columns[start : start + len(places)] = places
        values[start : start + len(places)] = row[places]
    return _cpu.Entries(starts, starts + lengths, columns, values)


def run(costs, kind, a, g, reg, h=None, n_threads=1, **options):
    """Masses of the columns, the entries, and the potentials of the rows."""
    h = np.zeros(len(a)) if h is None else h.copy()
    columns, kept = _cpu.scaling_pass(costs, kind, a, g, reg, h, n_threads, **options)
    return columns, kept, h


# Scaling


@given(transports(max_n=12, least_mass=1), st.integers(0, 99))
def test_scaling(problem, seed):
    M, a, _, reg = problem
    g = np.random.default_rng(seed).normal(size=M.shape[1]) * 3 * reg
    h, P = scaled_plan(M, a, g, reg)
    columns, kept, found = run(M, "dense", a, g, reg)
    close(found, h, rtol=1e-12, atol=1e-12 * (reg + np.abs(M).max()))
    close(columns, P.sum(axis=0), rtol=1e-9, atol=1e-14)
    assert kept is None


@pytest.mark.parametrize("start", [-1e6, -40.0, 40.0, 1e6])
def test_any_start_will_do(start):
    """Powers that overflow, or vanish, are made again."""
    M, a, _, g = random_problem(20, 30)
    h, P = scaled_plan(M, a, g, 0.05)
    columns, _, found = run(M, "dense", a, g, 0.05, np.full(20, start))
    close(found, h, rtol=1e-9)
    close(columns, P.sum(axis=0), rtol=1e-9)


def test_forbidden_arcs():
    M, a, _, g = random_problem(20, 30)
    M[np.random.default_rng(1).random(M.shape) < 0.5] = np.inf
    h, P = scaled_plan(M, a, g, 0.01)
    columns, kept, found = run(M, "dense", a, g, 0.01, share=1e-9, b=P.sum(axis=0), limit=600)
    close(found, h, rtol=1e-12)
    close(columns, P.sum(axis=0), rtol=1e-12)
    assert not np.isfinite(matrix(kept, M.shape)[np.isinf(M)]).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_of_costs(dtype):
    M, a, _, g = random_problem(20, 30)
    M = M.astype(dtype)
    columns, _, h = run(M, "dense", a, g, 0.05)
    expected, P = scaled_plan(M.astype(float), a, g, 0.05)
    close(h, expected, rtol=1e-12)
    close(columns, P.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("metric", _cpu.METRICS)
@pytest.mark.parametrize("d", [1, 3])
def test_points(metric, d):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(17, d)), rng.normal(size=(23, d))
    M, a, b = cdist(X, Y, metric), random_masses(rng, 17), random_masses(rng, 23)
    g = rng.normal(size=23) / 5
    cloud = _cpu.Cloud(X, np.ascontiguousarray(Y.T))
    h, P = scaled_plan(M, a, g, 0.3)
    columns, kept, found = run(
        cloud, metric, a, g, 0.3, share=1e-3, b=b, limit=400, keep_costs=True
    )
    close(found, h, rtol=1e-10)
    close(columns, P.sum(axis=0), rtol=1e-10)
    costs = matrix(kept, M.shape)
    close(costs[np.isfinite(costs)], M[np.isfinite(costs)], rtol=1e-10)
    plan = np.empty(M.shape)
    rows, sums, linear = _cpu.evaluate(cloud, metric, a, g, 0.3, found, 1, plan)
    close(plan, P, rtol=1e-10)
    close(linear, (P * M).sum(), rtol=1e-10)


# Entries that matter


@pytest.mark.parametrize("m", [1, 2, 63, 64, 65, 127, 200])
@pytest.mark.parametrize("room", [0, 7, 10_000])
def test_entries_above_a_share(m, room):
    M, a, b, g = random_problem(40, m)
    _, P = scaled_plan(M, a, g, 0.05)
    for share in (1e-12, 1e-3, 0.1, 0.9):
        expected = above(P, share, a, b)
        options = {"share": share, "b": b, "room": room, "limit": P.size}
        _, kept, _ = run(M, "dense", a, g, 0.05, **options)
        close(matrix(kept, M.shape), expected, rtol=1e-11)
        assert kept.size == np.count_nonzero(np.isfinite(expected))
        _, kept, _ = run(M, "dense", a, g, 0.05, **options, keep_costs=True)
        close(matrix(kept, M.shape), np.where(np.isfinite(expected), M, np.nan))


def test_too_many_entries():
    M, a, b, g = random_problem(40, 50)
    _, P = scaled_plan(M, a, g, 0.05)
    columns, kept, _ = run(M, "dense", a, g, 0.05, share=1e-12, b=b, room=100, limit=500)
    assert kept is None
    close(columns, P.sum(axis=0), rtol=1e-11)


def test_listed_costs():
    """A pass over some costs is one over costs that forbid the others."""
    M, a, b, g = random_problem(40, 70)
    some = np.where(np.random.default_rng(1).random(M.shape) < 0.3, M, 0)
    some[:, 0] = M[:, 0]
    h, P = scaled_plan(np.where(some, some, np.inf), a, g, 0.05)
    for gap in (0, 3):
        for share in (0.0, 1e-3, 0.1):
            columns, kept, found = run(
                entries_of(some, gap), "listed", a, g, 0.05, share=share, b=b
            )
            close(found, h, rtol=1e-12)
            close(columns, P.sum(axis=0), rtol=1e-11)
            assert (kept is None) == (share == 0)
            if kept is not None:
                close(matrix(kept, M.shape), above(P, share, a, b), rtol=1e-11)


def test_listed_costs_of_no_mass():
    """Powers that vanish are compared with nothing that is not there."""
    M, a, _, g = random_problem(40, 70)
    columns, kept, _ = run(entries_of(M), "listed", a, g, 1e-5)
    close(columns, scaled_plan(M, a, g, 1e-5)[1].sum(axis=0), rtol=1e-8, atol=1e-15)
    assert kept is None


def test_same_bits_on_any_number_of_threads():
    M, a, b, g = random_problem(600, 500)
    listed = entries_of(np.where(M < 0.5, M, 0))
    for costs, kind in ((M, "dense"), (listed, "listed")):
        options = {"share": 1e-3, "b": b, "limit": M.size}
        (columns, kept, h), *others = (
            run(costs, kind, a, g, 0.05, n_threads=n_threads, **options) for n_threads in (1, 2, 5)
        )
        for other in others:
            assert other[0].tobytes() == columns.tobytes()
            assert other[2].tobytes() == h.tobytes()
            np.testing.assert_array_equal(matrix(other[1], M.shape), matrix(kept, M.shape))
    one, *others = (_cpu.evaluate(M, "dense", a, g, 0.05, h, n_threads) for n_threads in (1, 2, 5))
    for other in others:
        assert [np.asarray(x).tobytes() for x in other] == [np.asarray(x).tobytes() for x in one]


# Evaluation


@given(transports(max_n=12, least_mass=1), st.integers(0, 99), st.booleans())
def test_evaluation(problem, seed, forbid):
    M, a, _, reg = problem
    rng = np.random.default_rng(seed)
    h, g = (reg * rng.normal(size=n) for n in M.shape)
    M = np.where(rng.random(M.shape) < 0.3 * forbid, np.inf, M)
    P = a[:, None] * np.exp((h[:, None] + g - M) / reg)
    plan = np.empty(M.shape)
    rows, columns, linear = _cpu.evaluate(M, "dense", a, g, reg, h, 1, plan)
    close(plan, P, rtol=1e-11, atol=1e-300)
    close(rows, P.sum(axis=1), rtol=1e-11, atol=1e-300)
    close(columns, P.sum(axis=0), rtol=1e-11, atol=1e-300)
    cost = np.where(P > 0, P * np.where(np.isinf(M), 0, M), 0)
    assert linear == pytest.approx(cost.sum(), rel=1e-11, abs=1e-11 * np.abs(cost).sum() + 1e-300)
    again = _cpu.evaluate(M, "dense", a, g, reg, h, 1)
    np.testing.assert_array_equal(again[0], rows)
    assert again[2] == linear


# The semi-dual problem


def semidual(M, a, b, phi, reg):
    return a @ scaled_plan(M, a, phi + reg * np.log(b), reg)[0] + b @ phi


def test_gradient_of_the_semi_dual(global_random_seed):
    """It is the marginal error that a pass finds."""
    reg, step = 0.1, 1e-5
    M, a, b, g = random_problem(6, 5, global_random_seed)
    phi = g - reg * np.log(b)
    columns, _, _ = run(M, "dense", a, g, reg)
    for j, direction in enumerate(np.eye(5)):
        up, down = (semidual(M, a, b, phi + s * direction, reg) for s in (step, -step))
        assert (up - down) / (2 * step) == pytest.approx((b - columns)[j], abs=1e-8)


def test_hessian_of_the_semi_dual(global_random_seed):
    """Times -reg it is the matrix that `solve_schur` solves with."""
    reg, step = 0.1, 1e-5
    M, a, b, g = random_problem(6, 5, global_random_seed)
    columns, kept, _ = run(M, "dense", a, g, reg, share=1e-30, b=b, limit=30)
    P = matrix(kept, M.shape)
    schur = np.diag(columns) - P.T @ (P / a[:, None])
    for j, direction in enumerate(np.eye(5)):
        up, down = (run(M, "dense", a, g + s * direction, reg)[0] for s in (step, -step))
        close((up - down) / (2 * step), schur[j] / reg, atol=1e-6)
    close(schur.sum(axis=0), 0, atol=1e-15)
    gradient = b - b.sum() * columns / columns.sum()
    x, _ = _cpu.solve_schur(kept, a, columns, gradient, 1e-12, 1000)
    close(schur @ x, gradient, atol=1e-12)


@given(transports(max_n=12, least_mass=1), st.integers(0, 99), st.sampled_from([0.0, 1e-3, 1.0]))
def test_newton_equation(problem, seed, shift):
    """Against a dense factorisation; without the shift, vectors of equal numbers go to zero."""
    M, a, b, reg = problem
    reg, rng = max(reg, 0.1 * np.ptp(M)), np.random.default_rng(seed)
    _, P = scaled_plan(M, a, reg * rng.normal(size=len(b)), reg)
    diagonal = P.sum(axis=0) + shift * b
    schur = np.diag(diagonal) - P.T @ (P / a[:, None])
    gradient = schur @ rng.normal(size=len(b))
    plan, kept = entries_of(P, gap=2), (gradient.copy(), diagonal.copy())
    x, n_iter = _cpu.solve_schur(plan, a, diagonal, gradient, 1e-13, 1000)
    close(schur @ x, gradient, atol=1e-9)
    if shift:
        close(x, np.linalg.solve(schur, gradient), atol=1e-6)
    assert n_iter <= 1000
    for given_array, before in zip((gradient, diagonal), kept, strict=True):
        np.testing.assert_array_equal(given_array, before)


def test_conjugate_gradients_stop_where_told():
    M, a, b, g = random_problem(60, 50)
    _, P = scaled_plan(M, a, g, 0.02)
    schur = np.diag(P.sum(axis=0) + 1e-6) - P.T @ (P / a[:, None])
    gradient, plan, counts = b - P.sum(axis=0), entries_of(P), []

    def residual(tol, max_iter):
        x, n_iter = _cpu.solve_schur(plan, a, P.sum(axis=0) + 1e-6, gradient, tol, max_iter)
        counts.append(n_iter)
        rest = gradient - schur @ x
        return np.sqrt(rest @ (rest / np.diag(schur)) / (gradient @ (gradient / np.diag(schur))))

    for tol in (1e-1, 1e-3, 1e-6):
        assert residual(tol, 1000) <= tol * (1 + 1e-6)
    assert counts == sorted(counts)
    assert counts[0] > 0
    assert residual(1e-12, 3) < 1
    assert counts[-1] == 3
    x, n_iter = _cpu.solve_schur(plan, a, P.sum(axis=0), np.zeros(50), 1e-6, 100)
    assert (n_iter, np.abs(x).max()) == (0, 0)
