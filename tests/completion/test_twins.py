"""The CUDA twins of the completion kernels do what the CPU's do, alone and in whole fits."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lowrank_la.completion import _altmin, _cuda, complete
from lowrank_la.completion._altmin import HalfStep, residuals
from lowrank_la.completion._factors import Factor, factor_of
from tests.completion.problems import arranged_as_is, ratings
from tests.strict import Strict, strict_gpu

pytestmark = pytest.mark.usefixtures("launches")
close = np.testing.assert_allclose
DTYPES = [np.float32, np.float64]
TIGHT = {np.float32: 2e-5, np.float64: 1e-9}


def problem(k, dtype, *, m=3, n=9, nnz=32, weighted=True, biased=True, seed=0):
    """Lines (the last one without entries), the other factor, and one to change."""
    rng = np.random.default_rng(seed)
    lines = arranged_as_is(ratings(m, n, nnz, seed, weighted), (m + 1, n), dtype).rows
    other = factor_of(rng.standard_normal((n, k)).astype(dtype), biased * rng.standard_normal(n))
    mine = rng.standard_normal((m + 1, k)).astype(dtype)
    return lines, other, factor_of(mine, biased * rng.standard_normal(m + 1))


def both(half_step, lines, other, mine, ridge, repeat=1):
    """The factor and the sum that each of the twins makes."""
    found = []
    for device in ("cpu", "cuda"):
        step = HalfStep(**half_step, device=device)
        changed, fixed, data = mine.copy().on(device), other.on(device), lines.on(device)
        for _ in range(repeat):
            total = step(data, fixed, changed, ridge)
        found.append((changed.on("cpu"), total))
    return found


def assert_same(pair, tol):
    (one, total), (other, found) = pair
    assert isinstance(found, float)
    assert found == pytest.approx(total, rel=tol, abs=tol)
    assert other.rows.dtype == one.rows.dtype
    close(other.rows, one.rows, rtol=tol, atol=tol)
    close(other.bias, one.bias, rtol=tol, atol=tol)


@pytest.mark.parametrize(
    ("k", "biased", "weighted", "dtype"),
    [
        (1, False, True, np.float32),
        (3, True, False, np.float64),
        (4, True, True, np.float64),
        (4, True, True, np.float32),
    ],
)
def test_solve(k, biased, weighted, dtype, launches):
    """More entries than a panel holds."""
    given = problem(k, dtype, biased=biased, weighted=weighted)
    assert_same(both({"exponent": 0.5, "fit_bias": biased}, *given, 1.5), TIGHT[dtype])
    assert launches == {"_solve"}


@pytest.mark.parametrize("exact", [True, False])
def test_a_ridge_for_each_column(exact):
    ridge = np.array([0.5, 7.0, 0.1])
    how = {"exponent": 1.0, "fit_bias": True, "exact": exact}
    assert_same(both(how, *problem(2, np.float64), ridge), 1e-9)


def test_lines_that_determine_too_little():
    """Dependent columns, fewer entries than numbers, a line with none, and no ridge."""
    lines, other, mine = problem(3, np.float64, nnz=11)
    other.rows[:, 1] = 2 * other.rows[:, 0]
    (one, total), (two, found) = both({"exponent": 0.5, "fit_bias": True}, lines, other, mine, 0.0)
    assert found == pytest.approx(total, abs=1e-9)
    close(two.rows, one.rows, atol=1e-6)
    close(two.bias, one.bias, atol=1e-6)
    assert not two.rows[-1].any()


def test_nonnegative():
    lines, other, mine = problem(2, np.float64)
    np.abs(other.rows, out=other.rows)
    np.abs(mine.rows, out=mine.rows)
    how = {"exponent": 0.5, "fit_bias": True, "nonnegative": True}
    pair = both(how, lines, other, mine, 3.0)
    assert_same(pair, 1e-7)
    found = pair[1][0].values[:3]
    assert (found >= 0).all()
    assert (found == 0).any()
    assert (found > 0).any()


@pytest.mark.parametrize(
    ("k", "biased", "weighted", "dtype"),
    [(2, True, True, np.float64), (9, False, True, np.float32), (9, True, False, np.float64)],
)
def test_improve(k, biased, weighted, dtype, launches):
    """More columns than threads, more entries than are met at once."""
    given = problem(k, dtype, m=2, nnz=14, biased=biased, weighted=weighted)
    how = {"exponent": 0.5, "fit_bias": biased, "exact": False}
    assert_same(both(how, *given, 1.5), TIGHT[dtype])
    assert launches == {"_improve"}


def test_steps_end_when_they_are_good_enough():
    lines, other, mine = problem(2, np.float64, m=2, nnz=14, weighted=False)
    how = {"exponent": 0.5, "fit_bias": True, "exact": False, "steps": 50, "forcing": 1e-8}
    found = both(how, lines, other, mine, 1.0)[1][0]
    HalfStep(0.5, True)(lines, other, mine, 1.0)
    close(found.rows[:-1], mine.rows[:-1], atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_residuals(dtype, launches):
    lines, other, mine = problem(3, dtype)
    one = residuals(lines, other, mine)
    other, mine, lines = other.on("cuda"), mine.on("cuda"), lines.on("cuda")
    found = _cuda.to_host(residuals(lines, other, mine, "cuda"))
    assert found.dtype == dtype
    close(found, one, rtol=TIGHT[dtype], atol=TIGHT[dtype])
    assert launches == {"_residuals"}


@pytest.mark.parametrize("exact", [True, False])
def test_arrays_stay_on_the_gpu(exact, monkeypatch):
    to_gpu = strict_gpu(monkeypatch, _cuda)
    lines, other, mine = problem(1, np.float64, m=1, nnz=5)
    there = Factor(to_gpu(mine.rows), to_gpu(mine.bias), 1)
    fixed = Factor(to_gpu(other.rows), to_gpu(other.bias), 1)
    data = type(lines)(*map(to_gpu, lines.arrays))
    step = HalfStep(0.5, True, exact=exact, device="cuda")
    total = step(data, fixed, there, 1.0)
    assert isinstance(total, float)
    assert isinstance(there.rows, Strict)
    assert isinstance(residuals(data, fixed, there, "cuda"), Strict)
    HalfStep(0.5, True, exact=exact)(lines, other, mine, 1.0)
    close(there.rows.get(), mine.rows, atol=1e-9)


@pytest.mark.parametrize("exact", [True, False])
def test_fits_on_the_gpu_mix_no_arrays(exact, monkeypatch):
    strict_gpu(monkeypatch, _cuda)
    monkeypatch.setattr(_altmin, "EXACT", 10 * exact)
    rows, columns, values, weights = ratings(4, 3, 12)
    result = complete(
        rows, columns, values, (4, 3), 1, solver="als", device="cuda", rng=0, max_iter=2, tol=1.0,
        sample_weight=weights, early_stopping=True,
    )  # fmt: skip
    assert type(result.left) is np.ndarray
    assert np.isfinite(result.history).all()


def test_executors_are_for_the_cpu():
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="executor"):
        complete([0], [0], [1.0], rank=1, device="cuda", executor=pool)


def test_ranks_beyond_the_room():
    lines, other, mine = problem(_cuda._ROOM - 1, np.float64, m=1, n=1, nnz=1)
    with pytest.raises(ValueError, match="rank=63: device='cuda' solves for 62 at most"):
        both({}, lines, other, mine, 1.0)


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        (np.float64, {"max_iter": 2}),
        (np.float32, {"early_stopping": True}),
        (np.float64, {"nonnegative": True, "fit_bias": False, "ridge_exponent": 0.0}),
        (np.float64, {"conjugate": True}),
    ],
)
def test_whole_fits(dtype, options, launches, monkeypatch):
    options = dict(options)
    if options.pop("conjugate", False):
        monkeypatch.setattr(_altmin, "EXACT", 0)
    rows, columns, values, weights = ratings(6, 3, 20, weighted=True)
    given = rows, columns, (3 + values).astype(dtype), (6, 4), 2
    options = {"solver": "als", "rng": 0, "sample_weight": weights, "max_iter": 1, **options}
    with warnings.catch_warnings(action="ignore"):
        one, other = (complete(*given, device=device, **options) for device in ("cpu", "cuda"))
    assert launches
    tol = 10 * TIGHT[dtype]
    for name in ("left", "right", "row_bias", "column_bias", "history", "validation_history"):
        found, expected = getattr(other, name), getattr(one, name)
        assert type(found) is np.ndarray
        assert found.dtype == expected.dtype
        close(found, expected, rtol=tol, atol=tol, err_msg=name)
    assert (one.n_iter, one.converged, one.mean) == (other.n_iter, other.converged, other.mean)


def test_a_fit_on_the_gpu_goes_on_from_the_cpu():
    rows, columns, values, _ = ratings(4, 3, 12)
    options = {"solver": "als", "rng": 0, "max_iter": 1, "shape": (4, 3), "rank": 1}
    with warnings.catch_warnings(action="ignore"):
        first = complete(rows, columns, values, **options)
        one, other = (
            complete(rows, columns, values, init=first, device=device, **options)
            for device in ("cpu", "cuda")
        )
    close(other.left, one.left, rtol=1e-8, atol=1e-10)
    close(other.history, one.history, rtol=1e-9)
