"""Both orders of the entries, their mean and spread, and factors in lines of the cache."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowrank_la.completion._entries import Lines, arranged, moments
from lowrank_la.completion._factors import Model, factor_of
from tests.completion.problems import arranged_as_is, entries_of
from tests.strategies import dtypes, integers

close, same = np.testing.assert_allclose, np.testing.assert_array_equal
INDICES = [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64]


def listed(lines):
    """Entries of all lines: line, other index, value, and weight if there are some."""
    line = np.repeat(np.arange(len(lines)), np.diff(lines.starts))
    return [array for array in (line, lines.others, lines.values, lines.weights) if len(array)]


@given(entries_of(), dtypes)
def test_both_orders(problem, dtype):
    shape, entries = problem
    found = arranged_as_is(entries, shape, dtype)
    assert (found.shape, len(found)) == (shape, len(entries[0]))
    rows, columns = entries[:2]
    order = np.argsort(rows, kind="stable")  # entries keep their order in each row
    for array, expected in zip(listed(found.rows), entries, strict=False):
        same(array, expected[order])
    by_column = order[np.argsort(columns[order], kind="stable")]
    turned = columns, rows, *entries[2:]
    for array, expected in zip(listed(found.columns), turned, strict=False):
        same(array, expected[by_column])
    for lines in (found.rows, found.columns):
        assert lines.values.dtype == lines.weights.dtype == dtype
        assert (lines.starts.dtype, lines.others.dtype) == (np.int64, np.int32)
        assert len(lines.weights) == (0 if (entries[3] == 1).all() else len(rows))
        assert not any(array.flags.writeable for array in lines.arrays)


@pytest.mark.parametrize("index", INDICES)
def test_indices_of_any_type(index):
    rows, columns, values = np.array([3, 0, 3]), np.array([1, 1, 0]), np.array([1.0, 2.0, 3.0])
    found = arranged(rows.astype(index), columns.astype(index), values, None, (5, 3), 0.0, 1.0)
    same(found.rows.starts, [0, 1, 1, 1, 3, 3])
    same(found.rows.others, [1, 1, 0])
    same(found.rows.values, [2.0, 1.0, 3.0])
    same(found.columns.starts, [0, 1, 3, 3])
    same(found.columns.others, [3, 0, 3])
    same(found.columns.values, [3.0, 2.0, 1.0])


def test_inputs_are_not_changed():
    rows, columns, values = np.array([3, 0, 3]), np.array([1, 1, 0]), np.array([1.0, 2.0, 3.0])
    weights = np.array([1.0, 0.0, 2.0])
    copies = [array.copy() for array in (rows, columns, values, weights)]
    arranged(rows, columns, values, weights, (5, 3), 1.0, 2.0)
    moments(values, weights, True)
    for array, copy in zip((rows, columns, values, weights), copies, strict=True):
        same(array, copy)
        assert array.flags.writeable


def test_values_are_centred_and_scaled():
    values = np.array([1.0, 2.0, 3.0])
    found = arranged(np.arange(3), np.arange(3), values, None, (3, 3), 2.0, 4.0)
    assert (found.mean, found.scale) == (2.0, 4.0)
    same(found.rows.values, (values - 2.0) / 4.0)
    same(found.columns.values, (values - 2.0) / 4.0)


@given(entries_of())
def test_amounts(problem):
    (m, n), entries = problem
    found = arranged_as_is(entries, (m, n))
    close(found.rows.amounts, np.bincount(entries[0], entries[3], m))
    close(found.columns.amounts, np.bincount(entries[1], entries[3], n))


@given(entries_of(), st.data())
def test_runs_of_lines(problem, data):
    (m, n), entries = problem
    lines = arranged_as_is(entries, (m, n)).rows
    lo = data.draw(st.integers(0, m))
    hi = data.draw(st.integers(lo, m))
    run = lines.run(lo, hi)
    assert len(run) == hi - lo
    part = slice(lines.starts[lo], lines.starts[hi])
    for array, whole in zip(run.arrays[1:], lines.arrays[1:], strict=True):
        same(array, whole[part])
    same(run.starts, lines.starts[lo : hi + 1] - lines.starts[lo])


def test_other_values_and_weights_in_the_same_places():
    lines = arranged_as_is((np.arange(3), np.arange(3), np.ones(3), np.ones(3)), (3, 3)).rows
    other = np.array([5.0, 6.0, 7.0])
    for held in (lines.valued(other).values, lines.weighted(other).weights):
        assert np.shares_memory(held, other) and not held.flags.writeable
    assert lines.weighted(other).values is lines.values
    assert isinstance(lines.valued(other), Lines)


@given(integers(6, -100, 100), integers(6, 1, 4), st.booleans(), dtypes, st.integers(-36, 36))
def test_moments(values, weights, centred, dtype, power):
    """Of numbers of any size."""
    unit = 10.0**power if dtype == np.float32 else 10.0 ** (8 * power)
    scaled = (values * unit).astype(dtype)
    mean, scale = moments(scaled, weights.astype(float), centred)
    expected = np.average(values, weights=weights) if centred else 0.0
    spread = np.average((values - expected) ** 2, weights=weights) ** 0.5
    tol = 1e-5 if dtype == np.float32 else 1e-13
    assert mean / unit == pytest.approx(expected, abs=100 * tol)
    if spread:
        assert scale / unit == pytest.approx(spread, rel=100 * tol)
    else:
        assert scale == (np.abs(scaled).max() or 1.0)
    assert isinstance(mean, float)
    assert isinstance(scale, float)
    repeated = moments(np.repeat(scaled, weights), None, centred)
    close(repeated, (mean, scale), rtol=100 * tol, atol=100 * tol * unit)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_is_no_spread(dtype):
    values = np.full(1000, 0.1, dtype)
    values[::2] = np.nextafter(values[0], dtype(1))
    assert moments(values, None, True)[1] == pytest.approx(0.1)


@given(st.integers(1, 9), st.integers(1, 20), dtypes)
def test_factors_fill_lines_of_the_cache(n, k, dtype):
    values = np.random.default_rng(0).standard_normal((n, k)).astype(dtype)
    bias = np.arange(n)
    factor = factor_of(values, bias)
    assert factor.rows.ctypes.data % 64 == 0
    assert factor.rows.strides[0] % 64 == 0
    assert factor.rows.shape[1] - k < 64 // values.itemsize
    assert (len(factor), factor.rank) == (n, k)
    assert factor.rows.dtype == factor.bias.dtype == dtype
    same(factor.values, values)
    same(factor.rows[:, k:], 0)
    same(factor.bias, bias)
    assert not factor_of(values).bias.any()
    twin = factor.copy()
    twin.rows[:] = 7
    twin.bias[:] = 7
    same(factor.values, values)
    same(factor.bias, bias)
    factor.run(1, 3).rows[:] = 5
    same(factor.rows[1:3], 5)


def model_of(m, n, k, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    sizes = (m, n)
    factors = [factor_of(rng.standard_normal((size, k)).astype(dtype), rng.standard_normal(size))
               for size in sizes]  # fmt: skip
    return Model(*factors)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("m", "n", "k"), [(9, 7, 3), (2, 9, 4), (5, 1, 3), (8, 8, 8)])
def test_balance(m, n, k, dtype):
    model = model_of(m, n, k, dtype=dtype)
    U, V = model.rows.values, model.columns.values
    product, ridge = U @ V.T, (U**2).sum() + (V**2).sum()
    sizes = model.balance()
    tol = 1e-4 if dtype == np.float32 else 1e-10
    close(U @ V.T, product, atol=tol)
    expected = np.zeros(k)
    found = np.linalg.svd(product, compute_uv=False)[:k]
    expected[: len(found)] = found
    close(sizes, expected, atol=tol)
    for factor in (U, V):
        close(factor.T @ factor, np.diag(sizes), atol=tol)
    assert (U**2).sum() + (V**2).sum() <= ridge * (1 + tol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_predictions(dtype, index):
    model = model_of(9, 7, 3, dtype=dtype)
    rows, columns = np.array([8, 0, 0], index), np.array([6, 0, 6], index)
    U, V = model.rows, model.columns
    whole = U.values.astype(float) @ V.values.T.astype(float) + U.bias[:, None] + V.bias
    found = model.predict(rows, columns)
    assert found.dtype == np.float64
    close(found, whole[rows, columns], rtol=1e-12)
    twin = model.copy()
    twin.rows.rows[:] = 0
    close(model.predict(rows, columns), found)
    assert twin.rank == 3
