"""The CUDA twins of the transport kernels do what the CPU's do, one by one and in whole solves."""

import numpy as np
import pytest

from lowrank_la.transport import _cpu, _cuda, _semidual, round_plan, solve, solve_sample
from tests.strict import Strict, strict_gpu

pytestmark = [
    pytest.mark.usefixtures("launches"),
    # NumPy's, of the simulator's scalars: what overflows there, or is inf - inf, is asked for.
    pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning"),
]
KINDS = ("dense", *_cpu.METRICS)
SHAPES = [(1, 1), (5, 1), (7, 19)]
close = np.testing.assert_allclose


def masses(rng, n):
    weights = rng.uniform(0.1, 1, n)
    return weights / weights.sum()


def problem(kind, n, m, dtype=np.float64, seed=0):
    """Costs for the kernels, masses, and potentials of columns and rows."""
    rng = np.random.default_rng(seed)
    if kind == "dense":
        costs = rng.random((n, m)).astype(dtype)
    else:
        costs = _cpu.Cloud(rng.normal(size=(n, 3)), rng.normal(size=(3, m)))
    return costs, masses(rng, n), masses(rng, m), rng.normal(size=m) / 20, rng.normal(size=n) / 20


def placed(kernels, costs):
    if isinstance(costs, tuple):
        return type(costs)(*map(kernels.to_device, costs))
    return kernels.to_device(costs)


def scaled(kernels, costs, kind, a, b, g, h, reg=0.05, share=0.0, limit=10_000, **options):
    """Masses of the columns, entries and potentials after a pass."""
    a, b, g, h = map(kernels.to_device, (a, b, g, h.copy()))
    h = h.copy()
    columns, kept = kernels.scaling_pass(
        placed(kernels, costs), kind, a, g, reg, h, 1, share, b, limit=limit, **options
    )
    return kernels.to_host(columns), kept, kernels.to_host(h)


def matrix(entries, shape):
    """As an array, NaN where there is no entry; none may be there twice."""
    whole = np.full(shape, np.nan)
    starts, stops, columns, values = map(_cuda.to_host, entries)
    for i, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        places = columns[start:stop]
        assert len(set(places)) == len(places)
        whole[i, places] = values[start:stop]
    return whole


def assert_same_pass(shape, *args, rtol=1e-11, **options):
    (columns, kept, h), found = (scaled(twin, *args, **options) for twin in (_cpu, _cuda))
    close(found[2], h, rtol=rtol)
    close(found[0], columns, rtol=rtol)
    assert (kept is None) == (found[1] is None)
    if kept is not None:
        assert found[1].size == kept.size
        close(matrix(found[1], shape), matrix(kept, shape), rtol=rtol)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_scaling_pass(kind, n, m, launches):
    costs, a, b, g, h = problem(kind, n, m, seed=n)
    columns, kept, _ = assert_same_pass((n, m), costs, kind, a, b, g, h)
    assert kept is None
    assert columns.sum() == pytest.approx(1)
    _, kept, _ = assert_same_pass((n, m), costs, kind, a, b, g, h, share=0.1)
    assert n <= kept.size < n * m or 1 in (n, m)
    assert_same_pass((n, m), costs, kind, a, b, g, h, share=0.1, keep_costs=True)
    assert launches == {"_scaling", "_fill"}


def test_costs_in_float32():
    costs, a, b, g, h = problem("dense", 13, 17, np.float32)
    assert_same_pass((13, 17), costs, "dense", a, b, g, h, share=0.1)
    _, kept, _ = assert_same_pass((13, 17), costs, "dense", a, b, g, h, share=1e-3, keep_costs=True)
    found = matrix(kept, (13, 17))
    np.testing.assert_array_equal(found, np.where(np.isnan(found), np.nan, costs))


@pytest.mark.parametrize("offset", [1e4, -1e4, 1e6])
def test_sums_beyond_the_range_are_made_again(offset):
    costs, a, b, g, h = problem("dense", 9, 11)
    costs[:4] += offset  # from here on the rows that are right are far from h
    *_, found = assert_same_pass((9, 11), costs, "dense", a, b, g, h, reg=1e-3, share=1e-5)
    assert abs(found[:4] - offset).max() < 10


@pytest.mark.parametrize("kind", KINDS)
def test_potentials_that_are_huge(kind):
    costs, a, b, g, h = problem(kind, 6, 8)
    g[2] = 1e5
    assert_same_pass((6, 8), costs, kind, a, b, g, h - 1e8, reg=1e-4, share=1e-6)


def test_forbidden_arcs():
    costs, a, b, g, h = problem("dense", 8, 9)
    costs[np.random.default_rng(1).random(costs.shape) < 0.5] = np.inf
    costs[3], costs[:, 4] = np.inf, 0.5
    costs[3, 4] = 1e3
    assert_same_pass((8, 9), costs, "dense", a, b, g, h, share=1e-6, keep_costs=True)
    plans = [kernels.xp.empty((8, 9)) for kernels in (_cpu, _cuda)]
    assert_same_masses(costs, "dense", a, g, h, plans)
    costs[3] = np.inf
    found = [scaled(kernels, costs, "dense", a, b, g, h)[2] for kernels in (_cpu, _cuda)]
    np.testing.assert_array_equal(np.isfinite(found[0]), np.isfinite(found[1]))
    assert not np.isfinite(found[0][3])


def test_more_entries_than_the_limit():
    costs, a, b, g, h = problem("dense", 12, 10)
    for kernels in (_cpu, _cuda):
        assert scaled(kernels, costs, "dense", a, b, g, h, share=1e-15, limit=15)[1] is None
    all_of_them = scaled(_cuda, costs, "dense", a, b, g, h, share=1e-15, limit=120)[1]
    assert all_of_them.size == 120


def listing(kernels, costs, kind, a, b, g, h, share, reg):
    """Entries of the costs that matter, as a solver asks for them."""
    return scaled(kernels, costs, kind, a, b, g, h, reg, share, keep_costs=True)[1]


@pytest.mark.parametrize("kind", KINDS)
def test_listed_costs(kind):
    costs, a, b, g, h = problem(kind, 9, 11)
    lists = [listing(kernels, costs, kind, a, b, g, h, 1e-9, 0.02) for kernels in (_cpu, _cuda)]
    assert 9 < lists[1].size < 9 * 11
    for share in (0.0, 1e-2):
        results = [
            scaled(kernels, entries, "listed", a, b, g, h, 0.02, share)
            for kernels, entries in zip((_cpu, _cuda), lists, strict=True)
        ]
        close(results[1][0], results[0][0], rtol=1e-11)
        close(results[1][2], results[0][2], rtol=1e-11)
        if share:
            found, expected = (matrix(result[1], (9, 11)) for result in results[::-1])
            close(found, expected, rtol=1e-11)
            assert results[1][1].size < lists[1].size


def test_lists_with_gaps():
    costs, a, b, g, h = problem("dense", 40, 5)
    entries = listing(_cpu, costs, "dense", a, b, g, h, 1e-3, 0.05)
    entries = scaled(_cpu, entries, "listed", a, b, g, h, 0.05, 0.05)[1]
    assert len(entries.columns) > entries.size + 10
    values = matrix(entries, (40, 5))
    again = entries._replace(values=np.where(np.isnan(entries.values), 0, entries.values))
    assert_same_pass((40, 5), again, "listed", a, b, g, h, share=0.01)
    gradient = b - np.nansum(values, axis=0)
    assert_same_solution(entries, a, np.nansum(values, axis=0) + 0.1, gradient, 1e-8, 100)


def assert_same_masses(costs, kind, a, g, h, plans=None):
    results = []
    for k, kernels in enumerate((_cpu, _cuda)):
        given = [kernels.to_device(x) for x in (a, g, h)]
        plan = [plans[k]] if plans else []
        rows, columns, linear = kernels.evaluate(
            placed(kernels, costs), kind, *given[:2], 0.05, given[2], 1, *plan
        )
        assert isinstance(linear, float)
        results.append((kernels.to_host(rows), kernels.to_host(columns), linear))
    for expected, found in zip(*results, strict=True):
        close(found, expected, rtol=1e-11)
    if plans:
        plans = [kernels.to_host(plan) for kernels, plan in zip((_cpu, _cuda), plans, strict=True)]
        close(plans[1], plans[0], rtol=1e-11 if plans[0].dtype == np.float64 else 1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_evaluate(kind, n, m, launches):
    costs, a, _, g, h = problem(kind, n, m, seed=m)
    assert_same_masses(costs, kind, a, g, h)
    assert_same_masses(costs, kind, a, g, h, [twin.xp.empty((n, m)) for twin in (_cpu, _cuda)])
    assert launches == {"_evaluate"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_evaluate_costs_in_float32(dtype):
    costs, a, _, g, h = problem("dense", 10, 7, np.float32)
    plans = [kernels.xp.empty((10, 7), dtype) for kernels in (_cpu, _cuda)]
    assert_same_masses(costs, "dense", a, g, h, plans)


def test_masses_beyond_the_range():
    costs, a, _, g, h = problem("dense", 5, 6)
    g[1] = 1e5
    plans = [kernels.xp.empty((5, 6)) for kernels in (_cpu, _cuda)]
    assert_same_masses(costs, "dense", a, g, h, plans)
    assert_same_masses(costs, "dense", a, g - 1e6, h, plans)


def assert_same_solution(plan, a, diagonal, gradient, tol, max_iter):
    """Solutions of the twins agree; return the GPU's."""
    solutions = []
    for kernels in (_cpu, _cuda):
        given = [kernels.to_device(x) for x in (a, diagonal, gradient)]
        x, n_iter = kernels.solve_schur(placed(kernels, plan), *given, tol, max_iter)
        assert isinstance(n_iter, int)
        np.testing.assert_array_equal(kernels.to_host(given[2]), gradient)
        solutions.append((kernels.to_host(x), n_iter))
    assert solutions[0][1] == solutions[1][1]
    close(solutions[1][0], solutions[0][0], rtol=1e-9, atol=1e-12 * abs(solutions[0][0]).max())
    return solutions[1]


def sparse_system(n, m, density, seed=0):
    """Entries of a matrix, with empty rows and columns, and a definite system."""
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((n, m)) < density, rng.random((n, m)), 0.0)
    values[n // 2], values[:, m // 2] = 0, 0
    i, j = np.nonzero(values)
    counts = np.bincount(i, minlength=n)
    stops = counts.cumsum()
    entries = _cpu.Entries(stops - counts, stops, j.astype(np.int32), values[i, j])
    a, diagonal = values.sum(axis=1) + 0.1, values.sum(axis=0) + 0.1
    return entries, values, a, diagonal, rng.normal(size=m)


@pytest.mark.parametrize(("n", "m", "density"), [(1, 1, 1.0), (9, 5, 0.5), (11, 18, 0.3)])
def test_solve_schur(n, m, density, launches):
    plan, values, a, diagonal, gradient = sparse_system(n, m, density)
    x, n_iter = assert_same_solution(plan, a, diagonal, gradient, 1e-10, 200)
    schur = np.diag(diagonal) - (values.T / a) @ values
    close(x, np.linalg.solve(schur, gradient), rtol=1e-7)
    assert 0 < n_iter < 200
    assert launches == {"_product"}


@pytest.mark.parametrize(("tol", "max_iter"), [(0.5, 100), (1e-10, 3), (1e-10, 0)])
def test_solve_schur_stops(tol, max_iter):
    plan, _, a, diagonal, gradient = sparse_system(15, 12, 0.4)
    _, n_iter = assert_same_solution(plan, a, diagonal, gradient, tol, max_iter)
    assert n_iter <= min(max_iter, 11)
    assert assert_same_solution(plan, a, diagonal, 0 * gradient, tol, max_iter)[1] == 0


def test_the_same_bits_every_time():
    costs, a, b, g, h = problem("sqeuclidean", 17, 22)
    results = [scaled(_cuda, costs, "sqeuclidean", a, b, g, h, share=1e-4) for _ in range(2)]
    for one, other in zip(*results, strict=True):
        for x, y in zip(one, other, strict=True) if isinstance(one, tuple) else [(one, other)]:
            np.testing.assert_array_equal(_cuda.to_host(x), _cuda.to_host(y))


def test_same_names():
    for name in _cuda.__all__:
        assert hasattr(_cpu, name)


def on_both(solver, *arrays, tol=1e-8, **options):
    """Solve on both devices; the solutions agree, as far as tol says. Return the GPU's."""
    one, other = (solver(*arrays, device=device, tol=tol, **options) for device in ("cpu", "cuda"))
    assert one.converged and other.converged
    assert other.n_iter == one.n_iter
    assert isinstance(other.plan, np.ndarray)
    assert other.plan.dtype == one.plan.dtype
    close(other.plan, one.plan, atol=10 * tol)
    close(other.sparse_plan().toarray(), one.plan, atol=10 * tol)
    for name in ("value", "value_linear", "duality_gap"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-6, abs=10 * tol)
    for ours, theirs in zip(one.potentials, other.potentials, strict=True):
        assert isinstance(theirs, np.ndarray)
        close(theirs, ours, atol=1e-5)
    return other


@pytest.mark.parametrize(
    ("n", "m", "dtype", "method", "options"),
    [
        (5, 4, np.float64, "auto", {"reg": 0.2}),
        (3, 5, np.float32, "auto", {"reg": 0.01}),
        (5, 4, np.float64, "sinkhorn", {"reg": 0.5}),
        (4, 4, np.float32, "sns", {"reg": 0.2, "options": {"n_scaling": 2}}),
        (4, 4, np.float64, "ssns", {"reg": 0.2}),
    ],
)
def test_solve(n, m, dtype, method, options, launches):
    rng = np.random.default_rng(0)
    M, a, b = rng.random((n, m)).astype(dtype), masses(rng, n), masses(rng, m)
    tol = 1e-8 if dtype == np.float64 else 1e-6
    on_both(solve, M, a, b, method=method, tol=tol, **options)
    assert {"_scaling", "_evaluate"} <= launches
    assert ("_product" in launches) == (method != "sinkhorn")


def test_solve_with_a_list_of_entries(monkeypatch):
    """Lists pay where more entries do not matter than there are in a tiny problem."""
    monkeypatch.setattr(_semidual, "_LISTED_SHARE", 1.0)
    monkeypatch.setattr(_semidual, "_LISTABLE", 0)
    kinds, passed = [], _cuda.scaling_pass

    def scaling_pass(costs, kind, *args):
        kinds.append(kind)
        return passed(costs, kind, *args)

    monkeypatch.setattr(_cuda, "scaling_pass", scaling_pass)
    on_both(solve, np.random.default_rng(2).random((5, 5)), reg=1e-2)
    assert "listed" in kinds


def test_solve_without_some_masses_and_arcs():
    rng = np.random.default_rng(2)
    M, a, b = rng.random((5, 6)) + 1e4, masses(rng, 5), masses(rng, 6)
    M[1, 3] = M[0, 0] = np.inf
    a[3] = b[5] = 0
    masses_of_both = a / a.sum(), b / b.sum()
    found = on_both(solve, M, *masses_of_both, reg=0.5)
    warm = solve(M, *masses_of_both, reg=0.5, device="cuda", warmstart=found)
    assert warm.n_iter < found.n_iter


@pytest.mark.parametrize("metric", _cpu.METRICS)
def test_solve_sample(metric):
    rng = np.random.default_rng(0)
    on_both(solve_sample, rng.normal(size=(4, 2)), rng.random((3, 2)), reg=1.0, metric=metric)


@pytest.fixture
def on_gpu(monkeypatch):
    """Move an array to where it meets none on the host."""
    return strict_gpu(monkeypatch, _cuda)


def assert_stays(result):
    """What was found on the GPU lies there, and is a solution."""
    assert result.converged
    assert all(isinstance(array, Strict) for array in (result.plan, *result.potentials))
    assert float(result.plan.sum()) == pytest.approx(1, abs=1e-6)
    assert result.sparse_plan().sum() == pytest.approx(1, abs=1e-6)
    assert result.duality_gap < np.inf


def test_what_meets_the_host_is_seen(on_gpu):
    array = on_gpu([1.0, 2.0])
    for wrong in (lambda: array + np.ones(2), lambda: np.where(array > 0, np.ones(2), array)):
        with pytest.raises(TypeError, match="on the host"):
            wrong()
    assert isinstance(2 * array[np.array([1])] + np.float64(1), Strict)


@pytest.mark.parametrize("method", ["auto", "sns", "ssns"])
def test_arrays_on_a_gpu_stay_there(method, on_gpu):
    M = np.random.default_rng(0).random((4, 3))
    options = {"n_scaling": 4, "density": 1.0} if method == "sns" else None
    assert_stays(solve(on_gpu(M), reg=0.5, method=method, options=options))


def test_what_has_no_mass_on_a_gpu(on_gpu):
    M, a = np.random.default_rng(0).random((3, 4)) + 1e4, on_gpu([0.5, 0, 0.5])
    result = solve(on_gpu(M).T, None, a, reg=0.5)
    assert_stays(result)
    assert solve(on_gpu(M).T, None, a, reg=0.5, warmstart=result).n_iter < result.n_iter


def test_clouds_on_a_gpu(on_gpu):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(4, 2)), rng.normal(size=(3, 2))
    for y in (Y, on_gpu(Y)):
        assert_stays(solve_sample(on_gpu(X), y, [0.5, 0, 0.5, 0], reg=0.5))


def test_rounding_from_a_gpu(on_gpu):
    plan = round_plan(on_gpu([[0.5, 0.1], [0.0, 0.3]]), [0.5, 0.5], [0.5, 0.5])
    close(plan.sum(axis=0), 0.5)
