"""interpolative, select_columns and select_rows: coefficients, choices, errors, ranks."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse
from scipy.linalg import interpolative as scipy_interpolative
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.decomposition import cur, interpolative, select_columns, select_rows
from tests.decomposition.problems import (
    ELIMINATIONS,
    HARD,
    PIVOTED,
    SELECTIONS,
    SKETCHES,
    A,
    geometric,
    matrices,
    seeds,
    strong_rows,
)
from tests.layouts import dense_forms, sparse_forms
from tests.reference import cur as reference

pytestmark = pytest.mark.filterwarnings("ignore:k=.* are independent of each other:UserWarning")
close = np.testing.assert_allclose
same = np.testing.assert_array_equal
selections, sketches = st.sampled_from(SELECTIONS), st.sampled_from(SKETCHES)
every_selection = pytest.mark.parametrize("selection", SELECTIONS)
every_function = pytest.mark.parametrize("function", [select_columns, select_rows])
norm = np.linalg.norm


def missing(A, found):
    return norm(A - A[:, found.indices] @ found.coefficients)


# Coefficients


@given(matrices(), st.integers(1, 14), selections, sketches, seeds)
def test_the_best_coefficients(A, k, selection, sketch, seed):
    found = interpolative(A, k, selection=selection, sketch=sketch, rng=seed)
    chosen = A[:, found.indices]
    assume(not chosen.size or np.linalg.cond(chosen) < 1e6)
    close(chosen @ found.coefficients, reference.interpolation(A, found.indices),
          atol=1e-11 * max(1.0, norm(A)))  # fmt: skip
    same(found.coefficients[:, found.indices], np.eye(len(found.indices)))


@given(matrices(), st.integers(0, 3), st.sampled_from(PIVOTED), seeds)
def test_exact_when_the_rank_is_met(A, more, selection, seed):
    rank = int(np.linalg.matrix_rank(A))
    found = interpolative(A, rank + more or 1, selection=selection, rng=seed)
    assert len(set(found.indices)) == len(found.indices) == rank
    assert missing(A, found) <= 1e-11 * norm(A)


@given(matrices(), st.integers(1, 14), selections, sketches, st.sampled_from([-900, -40, 40, 900]))
def test_units_do_not_matter(A, k, selection, sketch, exponent):
    one, other = (
        interpolative(data, k, selection=selection, sketch=sketch, rng=0)
        for data in (A, np.ldexp(A, exponent))
    )
    same(other.indices, one.indices)
    same(other.coefficients, one.coefficients)


@given(seeds, st.integers(1, 10), st.sampled_from(ELIMINATIONS), sketches)
def test_columns_in_another_order(seed, k, selection, sketch):
    rng = np.random.default_rng(seed)
    order = rng.permutation(40)
    data = rng.normal(size=(50, 40)) * 0.8 ** np.arange(40)
    one, other = (
        interpolative(given, k, selection=selection, sketch=sketch, rng=0)
        for given in (data, data[:, order])
    )
    same(order[other.indices], one.indices)
    close(other.coefficients, one.coefficients[:, order], atol=1e-9)


@given(seeds, st.integers(1, 12), selections, sketches)
def test_sparse_matrices(seed, k, selection, sketch):
    # A basis of rows that depend on each other is made up from rounding.
    assume(selection in ("lupp", "cpqr", "uniform") or sketch == "gaussian")
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(60, 30)) * (rng.random((60, 30)) < 0.3) * 0.9 ** np.arange(30)
    found, expected = (
        interpolative(form, k, selection=selection, sketch=sketch, rng=0)
        for form in (sparse.csr_array(data), data)
    )
    same(found.indices, expected.indices)
    close(found.coefficients, expected.coefficients, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("selection", PIVOTED)
def test_as_good_as_by_pivoted_qr_of_all(selection):
    """SciPy's decomposition, of the whole matrix."""
    data = geometric(200, 150, 0.85)
    k = 25
    indices, coefficients = scipy_interpolative.interp_decomp(data, k, rand=False)
    whole = scipy_interpolative.reconstruct_matrix_from_id(data[:, indices[:k]], indices,
                                                           coefficients)  # fmt: skip
    errors = [missing(data, interpolative(data, k, selection=selection, rng=i)) for i in range(9)]
    assert np.median(errors) < 1.3 * norm(data - whole)
    assert max(errors) < 3 * reference.tail(data, k)


def test_no_worse_than_with_rows():
    """Columns alone leave less than columns and rows."""
    data = geometric(100, 80, 0.8)
    found = interpolative(data, 10, rng=0)
    with_rows = cur(data, 10, rng=0)
    same(found.indices, with_rows.column_indices)
    assert missing(data, found) <= with_rows.error


@pytest.mark.parametrize("case", HARD)
@every_selection
def test_hard(case, selection):
    data, rank = HARD[case]
    for k in {1, 3, min(data.shape)}:
        found = interpolative(data, k, selection=selection, rng=0)
        assert len(set(found.indices)) == len(found.indices) <= min(k, rank or k)
        assert np.isfinite(found.coefficients).all()
        assert missing(data, found) <= (1 + 1e-9) * norm(data)
        if selection in PIVOTED and rank and k >= rank:
            assert len(found.indices) == rank
            assert missing(data, found) <= 1e-12 * norm(data)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layouts(dtype, tmp_path):
    data = A.astype(dtype)
    expected = interpolative(data, 6, rng=0)
    assert expected.coefficients.dtype == dtype
    for name, form in dense_forms(data, tmp_path).items():
        found = interpolative(form, 6, rng=0)
        same(found.indices, expected.indices, err_msg=name)
        close(found.coefficients, expected.coefficients, atol=1e-5 if dtype == np.float32 else 1e-9)


@pytest.mark.parametrize("unit", [1e-305, 1e-160, 1e160, 1e305])
def test_extreme_units(unit):
    expected, found = (interpolative(data, 5, rng=0) for data in (A, unit * A))
    same(found.indices, expected.indices)
    close(found.coefficients, expected.coefficients, rtol=1e-6, atol=1e-8)


# Tolerances


@given(seeds, st.sampled_from(ELIMINATIONS), st.sampled_from([1e-2, 1e-5]))
def test_tolerance_is_met(seed, selection, tol):
    data = geometric(120, 100, 0.7)  # 0.7^13 is 0.01
    found = interpolative(data, tol=tol, selection=selection, rng=seed)
    assert missing(data, found) <= tol * norm(data)
    rows = select_rows(data, tol=tol, selection=selection, rng=seed)
    assert norm(data.T - reference.interpolation(data.T, rows)) <= tol * norm(data)
    for indices in (found.indices, rows):
        best = {1e-2: 13, 1e-5: 33}[tol]
        assert len(indices) <= 1.4 * best + 2


@pytest.mark.parametrize("function", [interpolative, select_columns, select_rows])
def test_too_few_for_a_tolerance(function):
    with pytest.warns(ConvergenceWarning, match="tol=0.001 .*increase tol, or k"):
        function(geometric(120, 100, 0.9), 10, tol=1e-3, rng=0)
    with pytest.warns(ConvergenceWarning, match="tol=1e-17 .*increase tol$"):
        function(A, tol=1e-17, rng=0)


# Choices


@given(matrices(), st.integers(1, 14), selections, sketches, seeds)
def test_columns_are_those_of_the_decomposition(A, k, selection, sketch, seed):
    options = {"selection": selection, "sketch": sketch, "rng": seed}
    columns = select_columns(A, k, **options)
    same(columns, interpolative(A, k, **options).indices)
    same(columns, cur(A, k, **options).column_indices)


@given(matrices(), st.integers(1, 14), selections, sketches, seeds)
def test_rows_are_columns_of_the_transpose(A, k, selection, sketch, seed):
    options = {"selection": selection, "sketch": sketch, "rng": seed}
    rows = select_rows(A, k, **options)
    assert len(set(rows)) == len(rows) <= min(k, np.linalg.matrix_rank(A))
    assert not len(rows) or 0 <= rows.min() <= rows.max() < len(A)
    same(rows, select_columns(np.ascontiguousarray(A.T), k, **options))


@every_function
@every_selection
def test_sparse_forms(function, selection):
    data = np.round(4 * A) * (A > 0)
    forms = sparse_forms(data)
    expected = function(forms["csr array"], 6, selection=selection, rng=0)
    for name, form in forms.items():
        same(function(form, 6, selection=selection, rng=0), expected, err_msg=name)


@every_function
@every_selection
def test_nothing_there(function, selection):
    with pytest.warns(UserWarning, match=r"k=2: only 0 .* a smaller k"):
        assert function(np.zeros((6, 5)), 2, selection=selection, rng=0).shape == (0,)


@every_function
def test_warnings_point_at_the_caller(function):
    with pytest.warns(UserWarning, match="k=9: only 4") as warned:
        function(HARD["low rank"][0], 9, rng=0)
    assert warned[0].filename == __file__
    with pytest.warns(ConvergenceWarning) as warned:
        function(A, 3, tol=0.01, rng=0)
    assert warned[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        function(HARD["low rank"][0], 4, rng=0)


@pytest.mark.parametrize("selection", PIVOTED)
def test_strong_rows_are_found(selection):
    """All of them, and first."""
    data = strong_rows(400, 100, 10, noise=1e-3)
    strong = np.flatnonzero(np.abs(data).max(axis=1) > 0.1)
    assert set(select_rows(data, 20, selection=selection, rng=0)[:10]) == set(strong)


def test_digits():
    """Pixels that are always blank, or nearly, are not chosen."""
    X = load_digits().data
    columns = select_columns(X, 20, selection="cpqr", rng=0)
    assert X[:, columns].std(axis=0).min() > 3
    with pytest.warns(UserWarning, match="k=64: only 61"):
        assert len(select_columns(X, 64, rng=0)) == np.linalg.matrix_rank(X)


# Ranks


def test_tall_matrices_of_single_precision():
    """What counts as rounding does not grow with the number of rows."""
    data = np.random.default_rng(0).normal(size=(100_000, 3)).astype(np.float32)
    data *= np.float32([1, 1e-3, 1e-4])
    assert sorted(select_columns(data, 3, rng=0)) == [0, 1, 2]


@pytest.mark.parametrize("k", [2, 8, 12, 40])
def test_few_rows_tell_it_all(k):
    """A sketch sees all of them, and elimination stops at none of it by chance."""
    for seed in range(200):
        rng = np.random.default_rng(seed)
        data = np.zeros((600, 60))
        data[rng.choice(600, 8, replace=False)] = rng.normal(size=(8, 60))
        assert len(select_columns(data, k, rng=seed)) == min(k, 8)


@pytest.mark.parametrize("selection", ELIMINATIONS)
@pytest.mark.parametrize("function", [select_columns, select_rows, interpolative])
def test_no_more_than_a_tolerance_takes(function, selection):
    """By what columns alone leave, rather than columns and rows."""
    data = geometric(150, 120, 0.9)
    for seed in range(5):
        found = function(data, tol=0.05, selection=selection, rng=seed)
        columns = getattr(found, "indices", found)
        matrix = data.T if function is select_rows else data
        left, fewer = (
            norm(matrix - reference.interpolation(matrix, part)) for part in (columns, columns[:-3])
        )
        assert left <= 0.05 * norm(data) < fewer
