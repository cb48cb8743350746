"""`complete` by alternating least squares: what it recovers, keeps, refuses, and never returns."""

import tracemalloc
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.completion import CompletionResult, _altmin, complete
from lowrank_la.completion._complete import _split, _start
from lowrank_la.completion._entries import arranged, moments
from lowrank_la.completion._problem import checked_data
from tests.completion.problems import entries_of, low_rank, observed, ratings
from tests.reference import completion as reference
from tests.strict import Strict

close, same = np.testing.assert_allclose, np.testing.assert_array_equal
FACTORS = ("left", "right", "row_bias", "column_bias")
PAIRS = [[0, 1, 2, 2], [0, 1, 1, 0], [1.0, 2.0, 3.0, 4.0]]


def als(rows, columns, values, shape=None, rank=3, **options):
    options = {"solver": "als", "rng": 0, **options}
    return complete(rows, columns, values, shape, rank, **options)


def whole(result):
    """The completed matrix."""
    return (
        result.left @ result.right.T + result.row_bias[:, None] + result.column_bias + result.mean
    )


def assert_finite(result):
    for name in (*FACTORS, "mean", "history", "validation_history"):
        assert np.isfinite(getattr(result, name)).all(), name


def assert_same_bits(one, other):
    for name in (*FACTORS, "mean", "history", "validation_history"):
        same(getattr(one, name), getattr(other, name), err_msg=name)


def scaled(values, weights=None):
    """What solvers see of values."""
    mean, scale = moments(values, weights, True)
    return (values - mean) / scale, scale


@pytest.mark.parametrize("alpha", [0.0, 1e-9])
@pytest.mark.parametrize("seed", range(3))
def test_exact_recovery(alpha, seed):
    """Of an incoherent matrix from five times the numbers that determine it."""
    A = low_rank(120, 100, 3, seed)
    share = 5 * 3 * (120 + 100 - 3) / A.size
    options = {"alpha": alpha, "fit_bias": False, "tol": 1e-14, "max_iter": 400}
    result = als(*observed(A, share, seed + 1), A.shape, 3, **options)
    assert (result.history >= 0).all()
    assert np.linalg.norm(whole(result) - A) < 1e-5 * np.linalg.norm(A)


def test_exact_recovery_by_conjugate_gradients():
    A = low_rank(200, 180, 13)
    options = {"alpha": 0, "fit_bias": False, "tol": 1e-14, "max_iter": 400}
    result = als(*observed(A, 0.7), A.shape, 13, **options)
    assert np.linalg.norm(whole(result) - A) < 1e-5 * np.linalg.norm(A)


def test_the_noise_floor():
    A = low_rank(200, 150, 3)
    rows, columns, values = observed(A, 0.4, noise=0.1)
    result = als(rows, columns, values, A.shape, 3, alpha=1e-3, fit_bias=False)
    error = np.sqrt(np.mean((whole(result) - A) ** 2))
    assert error < 1.3 * 0.1 * np.sqrt(3 * (200 + 150) / len(rows))


@pytest.mark.parametrize("rank", [2, 14])
def test_a_fully_observed_matrix_is_its_truncated_svd(rank):
    sizes = 0.8 ** np.arange(16)
    sizes[rank:] *= 0.3
    A = low_rank(30, 25, 16, sizes=sizes)
    options = {"alpha": 0, "fit_bias": False, "tol": 1e-15, "max_iter": 500}
    result = als(*observed(A, 1.0), A.shape, rank, **options)
    U, s, Vt = np.linalg.svd(A)
    close(whole(result), U[:, :rank] * s[:rank] @ Vt[:rank], atol=1e-5)
    assert result.history[-1] * A.std() ** 2 / np.var(A) == pytest.approx(
        (s[rank:] ** 2).sum() / np.mean(A**2), rel=1e-6
    )


@pytest.mark.parametrize("rank", [2, 13])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_history_is_the_objective(weighted, rank):
    """For values that are centred and divided by their spread."""
    rows, columns, values, weights = ratings(40, 30, 500, weighted=weighted)
    values = 7 + 3 * values
    given_weights = weights if weighted else None
    options = {"alpha": 2.0, "ridge_exponent": 0.7, "sample_weight": given_weights}
    with warnings.catch_warnings(action="ignore"):
        results = [als(rows, columns, values, (40, 30), rank, max_iter=n, **options)
                   for n in (1, 3)]  # fmt: skip
    targets, scale = scaled(values, given_weights)
    for result in results:
        root = scale**0.5
        found = reference.objective(
            (rows, columns, targets, weights), result.left / root, result.row_bias / scale,
            result.right / root, result.column_bias / scale, 2.0, 0.7,
        )  # fmt: skip
        assert result.history[-1] == pytest.approx(found, rel=1e-9)
    same(results[1].history[:1], results[0].history)
    assert (np.diff(results[1].history) < 0).all()


@settings(max_examples=30)
@given(entries_of(), st.integers(1, 4), st.sampled_from([0.0, 0.5, 1.0]), st.booleans(),
       st.booleans(), st.sampled_from([0.0, 1e-6, 1.0]))  # fmt: skip
def test_any_entries_give_numbers(problem, rank, exponent, fit_bias, nonnegative, alpha):
    shape, (rows, columns, values, weights) = problem
    weights[0] = max(weights[0], 1.0)
    with warnings.catch_warnings(action="ignore"):
        result = als(
            rows, columns, values, shape, rank, alpha=alpha, ridge_exponent=exponent,
            fit_bias=fit_bias, nonnegative=nonnegative, sample_weight=weights, max_iter=20,
        )  # fmt: skip
    assert_finite(result)
    rank = result.left.shape[1]
    fewest = min(np.bincount(lines).min() for lines in (rows, columns))
    if alpha > 0 or fewest > rank:  # without a ridge, lines of few entries are not told all
        assert (np.diff(result.history) <= 1e-9 * (1 + result.history[:-1])).all()
    assert result.left.shape == (shape[0], min(rank, *shape))
    assert result.right.shape == (shape[1], min(rank, *shape))
    assert nonnegative <= ((result.left >= 0).all() and (result.right >= 0).all())
    assert fit_bias or not (result.row_bias.any() or result.column_bias.any() or result.mean)
    for lines, factor, bias in (
        (rows, result.left, result.row_bias),
        (columns, result.right, result.column_bias),
    ):
        empty = np.bincount(lines, weights, len(factor)) == 0
        assert not factor[empty].any()
        assert not bias[empty].any()
    close(result.predict(rows, columns), whole(result)[rows, columns], rtol=1e-9, atol=1e-9)


def tight(seed=0):
    """Problem with one limit, which sweeps come close to."""
    A = low_rank(30, 20, 2, seed)
    return *observed(A, 0.7, noise=0.2), A.shape


TIGHT = {"rank": 2, "tol": 1e-14, "max_iter": 2000}


def test_permutations_of_rows_columns_and_entries():
    rows, columns, values, shape = tight()
    expected = whole(als(rows, columns, values, shape, **TIGHT))
    rng = np.random.default_rng(5)
    by_row, by_column = (rng.permutation(size) for size in shape)
    order = rng.permutation(len(rows))
    found = als(by_row[rows][order], by_column[columns][order], values[order], shape, **TIGHT)
    close(whole(found)[np.ix_(by_row, by_column)], expected, atol=1e-5)
    found = als(rows[order], columns[order], values[order], shape, 2, tol=1e-3)
    close(found.left, als(rows, columns, values, shape, 2, tol=1e-3).left, atol=1e-9)


def test_the_transpose():
    rows, columns, values, shape = tight()
    expected = whole(als(rows, columns, values, shape, **TIGHT))
    close(whole(als(columns, rows, values, shape[::-1], **TIGHT)).T, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("power", [-20, 20])
def test_scaling_by_a_power_of_two_changes_no_bit(power, dtype):
    rows, columns, values, shape = tight()
    values = values.astype(dtype)
    factor = 4.0**power
    one = als(rows, columns, values, shape, rank=2)
    other = als(rows, columns, values * dtype(factor), shape, rank=2)
    same(one.left * dtype(2.0**power), other.left)
    same(one.right * dtype(2.0**power), other.right)
    same(one.row_bias * dtype(factor), other.row_bias)
    assert one.mean * factor == other.mean
    same(one.history, other.history)


@pytest.mark.parametrize("rank", [2, 13])
def test_units_and_zero_of_the_values(rank):
    rows, columns, values, shape = tight()
    one = als(rows, columns, values, shape, rank=rank)
    other = als(rows, columns, 1.8 * values + 32, shape, rank=rank)
    close(whole(other), 1.8 * whole(one) + 32, rtol=1e-9)
    close(other.history, one.history, rtol=1e-9)


@pytest.mark.parametrize("rank", [2, 13])
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_weights_are_repetitions(exponent, rank):
    rows, columns, values, _ = ratings(30, 20, 300)
    weights = np.random.default_rng(1).integers(0, 4, 300)
    options = {"ridge_exponent": exponent, "max_iter": 6, "tol": 0.0, "rank": rank}
    with warnings.catch_warnings(action="ignore"):
        one = als(rows, columns, values, (30, 20), sample_weight=weights, **options)
        repeated = (np.repeat(array, weights) for array in (rows, columns, values))
        other = als(*repeated, (30, 20), **options)
    close(whole(one), whole(other), rtol=1e-7, atol=1e-9)
    close(one.history, other.history, rtol=1e-9)


@pytest.mark.parametrize("factor", [1e-12, 100.0, 1e12])
def test_the_unit_of_the_weights(factor):
    """Weights and the ridge times a number are the same problem, from the same start."""
    rows, columns, values, weights = ratings(30, 20, 300, weighted=True)
    options = {"max_iter": 6, "tol": 0.0, "ridge_exponent": 0.0}
    with warnings.catch_warnings(action="ignore"):
        one, other = (
            als(rows, columns, values, (30, 20), sample_weight=weights * c, alpha=c, **options)
            for c in (1.0, factor)
        )
    close(whole(one), whole(other), rtol=1e-8, atol=1e-10)
    close(one.history, other.history / factor, rtol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rank", [2, 13])
def test_types_and_inputs(rank, dtype):
    rows, columns, values, weights = ratings(30, 20, 300, weighted=True)
    arrays = rows, columns, values.astype(dtype), weights.astype(dtype)
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    result = als(*arrays[:3], (30, 20), rank, sample_weight=arrays[3])
    for array, copy in zip(arrays, copies, strict=True):
        same(array, copy)
    assert {getattr(result, name).dtype for name in FACTORS} == {np.dtype(dtype)}
    assert isinstance(result.mean, float)
    assert result.history.dtype == result.predict(rows, columns).dtype == np.float64
    wide = als(rows, columns, values, (30, 20), rank, sample_weight=weights)
    close(whole(result), whole(wide), atol=2e-3 if dtype == np.float32 else 0)


@pytest.mark.parametrize(
    "index", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64, list]
)
def test_indices_of_any_type(index):
    rows, columns, values, shape = tight()
    expected = als(rows, columns, values, shape, rank=2)
    if index is list:
        rows, columns, values = rows.tolist(), columns.tolist(), values.tolist()
    else:
        rows, columns = rows.astype(index), columns.astype(index)
    result = als(rows, columns, values, shape, rank=2)
    assert_same_bits(result, expected)
    same(result.predict(rows, columns), expected.predict(rows, columns))


@pytest.mark.parametrize("kind", [int, bool, np.float16, ">f8", ">f4"])
def test_values_of_any_type(kind):
    rows, columns, values, shape = tight()
    values = np.round(3 * values).astype(kind)
    wide = values.astype(np.float32 if kind == ">f4" else np.float64)
    assert_same_bits(*(als(rows, columns, given, shape, rank=2) for given in (values, wide)))


def test_arrays_on_a_gpu_are_fetched():
    rows, columns, values, shape = tight()
    weights = np.linspace(1, 2, len(values))
    expected = als(rows, columns, values, shape, 2, sample_weight=weights)
    there = [array.view(Strict) for array in (rows, columns, values, weights)]
    result = als(*there[:3], shape, 2, sample_weight=there[3])
    assert_same_bits(result, expected)
    assert type(result.left) is np.ndarray
    same(result.predict(*there[:2]), expected.predict(rows, columns))


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("rank", [2, 14])
def test_lines_without_entries(rank, alpha):
    rows, columns, values, _ = ratings(20, 20, 150)
    shape = 65, 44
    with warnings.catch_warnings(action="ignore"):
        result = als(3 * rows, 2 * columns, values, shape, rank, alpha=alpha, max_iter=30)
    assert_finite(result)
    empty_rows = np.setdiff1d(np.arange(65), 3 * rows)
    empty_columns = np.setdiff1d(np.arange(44), 2 * columns)
    assert not result.left[empty_rows].any()
    assert not result.right[empty_columns].any()
    assert not result.row_bias[empty_rows].any()
    assert not result.column_bias[empty_columns].any()
    pairs = np.full(44, empty_rows[0]), np.arange(44)
    close(result.predict(*pairs), result.column_bias + result.mean)


@pytest.mark.parametrize("rank", [1, 13])
def test_few_entries_in_a_large_matrix(rank):
    """Its start has directions that no entry determines."""
    result = als([1, 5, 7], [2, 9, 4], [1.0, 2.0, 4.0], (30, 40), rank)
    assert_finite(result)
    assert not np.delete(result.left, [1, 5, 7], axis=0).any()
    assert not np.delete(result.right, [2, 9, 4], axis=0).any()


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("fit_bias", [True, False])
def test_one_entry(fit_bias, alpha):
    with warnings.catch_warnings(action="ignore"):
        result = als([3], [1], [5.0], (6, 4), 2, fit_bias=fit_bias, alpha=alpha)
    assert_finite(result)
    if fit_bias or not alpha:
        assert result.predict([3], [1]) == pytest.approx(5.0)
    close(result.predict([0], [0]), [5.0 if fit_bias else 0.0])


@pytest.mark.parametrize("value", [0.0, 0.1, -3e150])
@pytest.mark.parametrize("fit_bias", [True, False])
def test_a_constant_matrix(fit_bias, value):
    rows, columns = np.nonzero(np.random.default_rng(0).random((20, 15)) < 0.6)
    options = {"fit_bias": fit_bias, "alpha": 0.0, "tol": 1e-12}
    rank = 2 if fit_bias else 1
    result = als(rows, columns, np.full(len(rows), value), (20, 15), rank, **options)
    close(whole(result), np.full((20, 15), value), rtol=1e-8)


@pytest.mark.parametrize("rank", [2, 13])
@pytest.mark.parametrize("unit", [1e150, 1e-150])
def test_huge_and_tiny_values(unit, rank):
    rows, columns, values, shape = tight()
    one, other = (als(rows, columns, values * c, shape, rank) for c in (1.0, unit))
    assert_finite(other)
    close(whole(other) / unit, whole(one), rtol=1e-6, atol=1e-9)
    close(other.history, one.history, rtol=1e-9)
    more = als(rows, columns, values * unit, shape, rank, init=other, early_stopping=True)
    assert_finite(more)
    assert np.median(more.validation_history) / unit < 10


def test_the_rank_is_clipped_with_a_warning():
    rows, columns, values, _ = ratings(6, 4, 30)
    with pytest.warns(UserWarning, match="rank=9 is more than the matrix has: 4 is used"):
        result = als(rows, columns, values, (6, 4), 9)
    assert result.left.shape == (6, 4)
    assert_same_bits(result, als(rows, columns, values, (6, 4), 4))


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (1, 1)])
def test_one_row_or_column(shape):
    rows, columns, values, _ = ratings(*shape, 20)
    assert_finite(als(rows, columns, values, shape, 1))


def test_the_shape_ends_with_the_last_entry():
    result = als([2, 0], [1, 4], [1.0, 2.0], rank=1)
    assert (len(result.left), len(result.right)) == (3, 5)


def test_nonnegative_factors():
    rng = np.random.default_rng(0)
    A = rng.random((40, 3)) @ rng.random((3, 30))
    options = {"nonnegative": True, "fit_bias": False, "alpha": 1e-6, "tol": 1e-10}
    with warnings.catch_warnings(action="ignore"):
        result = als(*observed(A, 0.6), A.shape, 3, max_iter=400, **options)
    assert (result.left >= 0).all()
    assert (result.right >= 0).all()
    assert np.linalg.norm(whole(result) - A) < 0.01 * np.linalg.norm(A)


def noisy(seed=0):
    A = low_rank(80, 60, 3, seed)
    return *observed(A, 0.3, noise=0.8), A.shape


def test_early_stopping_keeps_the_best_sweep():
    *entries, shape = noisy()
    rank = 8
    options = {"alpha": 0.01, "early_stopping": True, "validation_fraction": 0.2, "tol": 0.0}
    result = als(*entries, shape, rank, **options, max_iter=300)
    errors = result.validation_history
    best = int(np.argmin(errors))
    assert result.n_iter == len(errors) == len(result.history) == best + 6
    part, held_out = _split(checked_data(*entries, shape, None), 0.2, np.random.default_rng(0))
    gaps = result.predict(held_out.rows, held_out.columns) - held_out.values
    assert np.sqrt(np.mean(gaps**2)) == pytest.approx(errors.min(), rel=1e-9)
    assert len(part) + len(held_out) == len(entries[0])
    assert len(held_out) == round(0.2 * len(entries[0]))
    assert errors[-1] > 1.001 * errors[best]
    assert not len(als(*entries, shape, rank).validation_history)


@pytest.mark.parametrize("options", [{"early_stopping": True}, {"rank": "auto"}])
def test_what_has_no_weight_is_not_held_out(options):
    rows, columns, values, weights = ratings(20, 15, 200)
    weights[10:] = 0.0
    counted = tuple(array[:10] for array in (rows, columns, values))
    options = {"rank": 2, "alpha": 0.1, **options}
    one = als(rows, columns, values, (20, 15), sample_weight=weights, **options)
    other = als(*counted, (20, 15), **options)
    assert_finite(one)
    close(whole(one), whole(other), atol=1e-9)


@pytest.mark.parametrize(("noise", "alpha"), [(0.3, 1.0), (0.0, 1e-6)])
@pytest.mark.parametrize("rank", [1, 3, 6])
def test_the_rank_is_found(rank, noise, alpha):
    A = low_rank(100, 90, rank)
    result = als(*observed(A, 0.6, noise=noise), A.shape, "auto", alpha=alpha, fit_bias=False)
    assert result.left.shape[1] == rank


def test_a_rank_for_matrices_of_no_rank():
    """Biases, and noise: the least rank there is."""
    rng = np.random.default_rng(0)
    rows, columns = np.nonzero(rng.random((60, 50)) < 0.5)
    values = rng.standard_normal(60)[rows] + 0.1 * rng.standard_normal(len(rows))
    assert als(rows, columns, values, (60, 50), "auto").left.shape[1] == 1


@pytest.mark.parametrize("rank", [2, 13])
@pytest.mark.parametrize("fit_bias", [True, False])
def test_a_fit_goes_on_from_another(fit_bias, rank):
    rows, columns, values, weights = ratings(40, 30, 400, weighted=True)
    options = {"fit_bias": fit_bias, "sample_weight": weights, "tol": 0.0, "shape": (40, 30)}
    values = 10 * values + 3
    with warnings.catch_warnings(action="ignore"):
        direct = als(rows, columns, values, rank=rank, max_iter=7, **options)
        first = als(rows, columns, values, rank=rank, max_iter=3, **options)
        bits = first.left.copy()
        more = als(rows, columns, values, rank=rank, max_iter=4, init=first, **options)
    same(first.left, bits)
    close(whole(more), whole(direct), rtol=1e-7, atol=1e-8)
    close(more.history, direct.history[3:], rtol=1e-8)


def test_a_fit_goes_on_with_more_rows_columns_and_a_larger_rank():
    *entries, shape = noisy()
    first = als(*entries, shape, 2)
    more = als(*entries, (90, 70), 4, init=first, max_iter=100)
    assert more.left.shape == (90, 4)
    assert_finite(more)
    assert more.history[0] < 1.05 * first.history[-1]
    assert np.linalg.matrix_rank(more.left) == 4
    assert more.history[-1] < 0.97 * first.history[-1]


def test_a_fit_goes_on_from_the_predictions_of_another():
    """In units of other values, about another mean."""
    rows, columns, values, shape = tight()
    first = als(rows, columns, values, shape, 2)
    some = values > 0
    data = checked_data(rows[some], columns[some], 3 * values[some], shape, None)
    entries = arranged(
        data.rows, data.columns, data.values, None, shape, *moments(data.values, None, True)
    )
    start = _start(first, 2, entries, np.random.default_rng(0))
    found = start.predict(rows, columns) * entries.scale + entries.mean
    close(found, first.predict(rows, columns), rtol=1e-9)


def test_a_callback_sees_and_stops():
    *entries, shape = noisy()
    seen = []

    def callback(info):
        seen.append(info)
        return len(seen) == 3

    with warnings.catch_warnings(action="error"):
        result = als(*entries, shape, callback=callback, tol=0.0)
    assert [info["n_iter"] for info in seen] == [1, 2, 3]
    assert [info["loss"] for info in seen] == result.history.tolist()
    assert result.n_iter == 3
    seen.clear()
    result = als(*entries, shape, callback=lambda info: seen.append(info), early_stopping=True)
    assert len(seen) == result.n_iter
    errors = [info["validation"] for info in seen]
    close(result.validation_history / errors, result.validation_history[0] / errors[0])


def test_a_warning_when_sweeps_run_out():
    *entries, shape = noisy()
    with pytest.warns(ConvergenceWarning, match="max_iter=2 iterations.*increase max_iter"):
        result = als(*entries, shape, max_iter=2)
    assert not result.converged
    assert result.n_iter == len(result.history) == 2
    with warnings.catch_warnings(action="error"):
        result = als(*entries, shape)
    assert result.converged
    assert result.history[-2] - result.history[-1] <= 1e-4 * result.history[-2]


def test_seeds():
    *entries, shape = noisy()
    one, other, third = (als(*entries, shape, 3, rng=seed) for seed in (7, 7, 8))
    assert_same_bits(one, other)
    assert not np.array_equal(one.left, third.left)
    generator = np.random.default_rng(7)
    assert_same_bits(one, als(*entries, shape, 3, rng=generator))


@pytest.mark.parametrize("rank", [3, 13])
@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_executors_change_no_factor(kind, rank, monkeypatch):
    monkeypatch.setattr(_altmin, "_RUN", 500)
    rows, columns, values, weights = ratings(90, 40, 2000, weighted=True)
    options = {"sample_weight": weights, "max_iter": 3, "tol": 0.0}
    pool = (
        ThreadPoolExecutor(2) if kind == "threads"
        else ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    )  # fmt: skip
    with pool as executor, warnings.catch_warnings(action="ignore"):
        one = als(rows, columns, values, (90, 40), rank, **options)
        other = als(rows, columns, values, (90, 40), rank, executor=executor, **options)
    for name in FACTORS:
        same(getattr(one, name), getattr(other, name))
    close(one.history, other.history, rtol=1e-13)


@pytest.mark.parametrize(
    ("dtype", "weighted", "most"),
    [(np.float32, False, 24), (np.float64, False, 36), (np.float64, True, 64)],
)
def test_memory(dtype, weighted, most):
    """Bytes an entry, beyond the caller's arrays and some factors."""
    n, rank = 1_000_000, 4
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, 4000, n, np.int32), rng.integers(0, 3000, n, np.int32)
    values = rng.standard_normal(n).astype(dtype)
    weights = rng.random(n) if weighted else None
    options = {"max_iter": 1, "rank": rank}
    with warnings.catch_warnings(action="ignore"):
        als(rows[:100], columns[:100], values[:100], **options)
        tracemalloc.start()
        result = als(rows, columns, values, sample_weight=weights, **options)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert_finite(result)
    assert peak < most * n


def test_predictions():
    *entries, shape = noisy()
    result = als(*entries, shape)
    assert isinstance(result, CompletionResult)
    rows, columns = np.indices(shape).reshape(2, -1)
    close(result.predict(rows, columns).reshape(shape), whole(result), rtol=1e-10)
    assert result.predict([], []).shape == (0,)
    for bad, message in [
        (([0], [60]), "columns"), (([80], [0]), "rows"), (([-1], [0]), "rows"),
        (([0.5], [0]), "rows"), (([0, 1], [0]), "rows"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=message):
            result.predict(*bad)
    with pytest.raises(ValueError, match="return_std"):
        result.predict([0], [0], return_std=True)


def first(array):
    """Some entries with the first one replaced."""
    return [array, *PAIRS[2][1:]]


BAD = {
    "rows": [[0, 1, 2], [-1, 0, 1, 2], [0.0, 1.0, 2.0, 2.0], [[0, 1, 2, 2]], "abcd",
             [[0], [1, 2], [3], [4]], [True, False, True, True], [0, 1, None, 2]],
    "columns": [[0, 1, 2], [-1, 0, 1, 2], [0.0, 1.0, 2.0, 2.0], [[0, 1, 2, 2]], None],
    "values": [[1e300, 1.0, 2.0, 3.0], [1e-300, 1e-310, 0.0, 0.0],
               np.array([1e38, 1.0, 1.0, 1.0], np.float32), first(np.nan), first(np.inf),
               first("a"), first(1j), [], [PAIRS[2]], [1.0, 2.0],
               3.0, [[1.0], [2.0, 3.0], 4.0, 5.0]],
    "shape": [5, (3,), (1, 2, 3), ("a", "b"), (3.5, 2), (-3, 2), (0, 0), "ab"],
    "rank": [0, -1, 2.5, "x", None, True],
    "alpha": [-1, np.nan, np.inf, "a", None, True, False],
    "ridge_exponent": [-0.1, 1.5, np.nan, "a", None],
    "loss": ["x", None, 1],
    "solver": ["x", None],
    "sample_weight": [[1.0], [1.0, -1.0, 1.0, 1.0], [np.nan, 1, 1, 1], [np.inf, 1, 1, 1],
                      [0.0, 0.0, 0.0, 0.0], "abcd", [1e16, 1, 1, 1], [1e-16, 0, 0, 0]],
    "validation_fraction": [0, 1, -0.5, 1.5, np.nan, "a", None],
    "tol": [-1, np.nan, np.inf, "a"],
    "max_iter": [0, -1, 2.5, "a"],
    "init": [3, "als"],
    "device": ["tpu", 3],
    "executor": ["threads", 2],
    "callback": [3, "stop"],
    "fit_bias": ["no", 1, None],
    "nonnegative": ["no", 0, None],
    "early_stopping": ["no", 2, None],
    "rng": ["a", -1],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_bad_input(name, value):
    """An error names the argument, before any work."""
    given = {**dict(zip(("rows", "columns", "values"), PAIRS, strict=True)), "rank": 1, name: value}
    with pytest.raises(ValueError, match=name):
        complete(**{"solver": "als", **given})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (2, 2)}, "rows has indices from 0 to 2; 0 to 1 are allowed"),
        ({"shape": (3, 1)}, "columns has indices from 0 to 1; 0 to 0 are allowed"),
        ({"early_stopping": True, "loss": "huber"}, "early_stopping"),
        ({"early_stopping": True, "solver": "gibbs"}, "early_stopping"),
        ({"nonnegative": True, "solver": "gibbs"}, "nonnegative"),
        ({"nonnegative": True, "solver": "gauss_newton"}, "nonnegative"),
        ({"loss": "l1", "solver": "gibbs"}, "loss"),
        ({"executor": ThreadPoolExecutor(1), "solver": "gauss_newton"}, "executor"),
        ({"executor": ThreadPoolExecutor(1), "loss": "huber"}, "executor"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(ValueError, match=message):
        complete(*PAIRS, rank=1, **options)


@pytest.mark.parametrize("options", [{"early_stopping": True}, {"rank": "auto"}])
def test_one_entry_cannot_be_held_out(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        als([0], [0], [1.0], **{"rank": 1, **options})


def test_an_init_that_does_not_fit():
    *entries, shape = noisy()
    result = als(*entries, shape, 3)
    for other_shape, rank in [((80, 70), 2), ((81, 61), 1)]:
        with pytest.raises(ValueError, match="init"):
            als(*entries, other_shape, rank, init=result)
    few = np.array([0, 1]), np.array([0, 1]), np.array([1.0, 2.0])
    with pytest.raises(ValueError, match="init"):
        als(*few, (79, 60), 3, init=result)


def test_biases_of_an_init_are_not_forgotten():
    """A model without biases cannot go on from one with some."""
    *entries, shape = noisy()
    with_bias = als(*entries, shape, 3)
    with pytest.raises(ValueError, match="init"):
        als(*entries, shape, 3, init=with_bias, fit_bias=False)
