"""Steps of conjugate gradients: vectors against loops, for every width and number of rows."""

import numpy as np
import pytest

from lowrank_la._kernels.normal import _LINE, _add_residual_loops, add_residual
from lowrank_la._support.jit import kernel

DTYPES = [np.float32, np.float64]


@kernel
def add(matrix, at, weights, target, n, x, constant, out):
    return add_residual(matrix, at, weights, target, np.uint64(n), x, out.dtype.type(constant), out)


def problem(dtype, n_lines, n, seed=0):
    """Arguments whose rows are met in any order, some twice; the last ones have no weight."""
    rng = np.random.default_rng(seed)
    width = n_lines * _LINE // np.dtype(dtype).itemsize
    matrix = rng.standard_normal((20, width)).astype(dtype)
    at = rng.integers(0, 20, n) * width
    weights, target = rng.uniform(0, 2, n), rng.standard_normal(n)
    weights[n - 3 :] = 0
    x, out = rng.standard_normal((2, width)).astype(dtype)
    return matrix, at, weights.astype(dtype), target.astype(dtype), n, x, 0.25, out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_lines", [1, 2, 3, 8])
@pytest.mark.parametrize("n", [0, 4, 8, 52])
def test_residuals_are_added(n, n_lines, dtype):
    *args, out = problem(dtype, n_lines, n)
    double = [a.astype(float) if getattr(a, "dtype", None) == dtype else a for a in args]
    found, expected = out.copy(), out.astype(float)
    sums = add(*args, found)
    expected_sums = _add_residual_loops(*double, expected)
    tol = 1e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(found, expected, rtol=tol, atol=tol)
    np.testing.assert_allclose(sums, expected_sums, rtol=tol, atol=tol)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_definition(dtype):
    """The loops are dense algebra."""
    matrix, at, weights, target, n, x, constant, out = problem(dtype, 2, 12)
    A = matrix.reshape(-1)[at[:, None] + np.arange(len(x))].astype(float)
    gap = target - A @ x - constant
    found = out.copy()
    sums = _add_residual_loops(matrix, at, weights, target, n, x, constant, found)
    np.testing.assert_allclose(found, out + A.T @ (weights * gap), rtol=1e-4)
    np.testing.assert_allclose(sums, (weights @ gap, weights @ gap**2), rtol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_inputs_may_be_read_only(dtype):
    *args, out = problem(dtype, 1, 8)
    before = [np.array(a) for a in args]
    for array in args:
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    add(*args, out)
    for array, copy in zip(args, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_need_no_cache_line_of_their_own(dtype):
    """A factor that another process has sent begins anywhere."""
    *args, out = problem(dtype, 2, 8)
    matrix = args[0]
    memory = np.empty(matrix.size + 32, dtype)
    expected = out.copy()
    expected_sums = add(*args, expected)
    for skip in (1, 3):
        moved = memory[skip : skip + matrix.size].reshape(matrix.shape)
        moved[:] = matrix
        found = out.copy()
        assert add(moved, *args[1:], found) == expected_sums
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_stay(value):
    """They tell that the data have some."""
    *args, out = problem(np.float64, 1, 8)
    args[3][2] = value
    assert not np.isfinite(add(*args, out)).any()
    assert not np.isfinite(out).any()
