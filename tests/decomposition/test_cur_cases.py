"""cur of hard matrices, of every form that may be passed, of real data."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits, load_sample_image
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.decomposition import cur
from tests.decomposition.problems import (
    CORES,
    ELIMINATIONS,
    HARD,
    PIVOTED,
    SELECTIONS,
    A,
    assembled,
    assert_same,
    geometric,
    strong_rows,
)
from tests.layouts import dense_forms, sparse_forms
from tests.reference import cur as reference

pytestmark = pytest.mark.filterwarnings("ignore:k=.* are independent of each other:UserWarning")
close = np.testing.assert_allclose
same = np.testing.assert_array_equal
every_selection = pytest.mark.parametrize("selection", SELECTIONS)
every_core = pytest.mark.parametrize("core", CORES)
norm = np.linalg.norm


# Hard cases


@pytest.mark.parametrize("case", HARD)
@every_selection
@every_core
def test_hard(case, selection, core):
    """All that is there is found, finite, once; and what is found is as good as it can be."""
    data, rank = HARD[case]
    for k in {1, 3, min(data.shape)}:
        found = cur(data, k, selection=selection, core=core, rng=0)
        most = min(k, rank or k)
        for indices in (found.row_indices, found.column_indices):
            assert len(set(indices)) == len(indices) <= most
        assert np.isfinite(found.coefficients).all()
        assert np.isfinite([found.error, found.error_estimate]).all()
        close(found.error, norm(data - assembled(found)), rtol=1e-3, atol=1e-13 * norm(data))
        if selection in PIVOTED and rank:
            assert len(found.row_indices) == len(found.column_indices) == most
            if most == rank:
                assert found.error <= 1e-12 * norm(data)
        if core == "optimal":
            assert found.error <= (1 + 1e-12) * norm(data)


@pytest.mark.parametrize("case", HARD)
@pytest.mark.parametrize("selection", ELIMINATIONS)
@every_core
def test_hard_up_to_a_tolerance(case, selection, core):
    data = HARD[case][0]
    found = cur(data, tol=1e-8, selection=selection, core=core, rng=0)
    assert found.converged
    assert found.error <= 1e-8 * norm(data)


@pytest.mark.parametrize("case", ["Kahan", "Hilbert", "graded columns", "graded both ways"])
@pytest.mark.parametrize("selection", PIVOTED)
def test_hard_and_nearly_best(case, selection):
    data = HARD[case][0]
    for k in (3, 8):
        errors = [cur(data, k, selection=selection, rng=seed).error for seed in range(9)]
        assert np.median(errors) < 12 * reference.tail(data, k)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("selection", PIVOTED)
@pytest.mark.parametrize("shape", [(60, 8, 3), (400, 300, 10), (1500, 900, 40)])
def test_coherent(shape, selection, seed):
    """A sparse sketch of few rows has rows that see nothing, or too little: none is taken."""
    rng = np.random.default_rng(seed)
    m, n, k = shape
    data = np.zeros((m, n))
    data[rng.choice(m, k, replace=False), rng.choice(n, k, replace=False)] = rng.normal(size=k)
    found = cur(data, k, selection=selection, rng=seed)
    assert len(found.row_indices) == len(found.column_indices) == k
    assert found.error <= 1e-12 * norm(data)


@pytest.mark.parametrize("selection", [*PIVOTED, "uniform"])
def test_strong_rows(selection):
    """Uniform draws miss them."""
    data = strong_rows(400, 100, 10, noise=1e-3)
    found = cur(data, 20, selection=selection, rng=0)
    factor = found.error / reference.tail(data, 20)
    assert factor > 10 if selection == "uniform" else factor < 2


@every_selection
@every_core
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_nothing_there(selection, core, form):
    data = form(np.zeros((6, 5)))
    with pytest.warns(UserWarning, match="k=2: only 0 are independent"):
        found = cur(data, 2, selection=selection, core=core, rng=0)
    assert found.column_indices.shape == found.row_indices.shape == (0,)
    assert found.error == found.error_estimate == 0
    assert found.columns.shape == (6, 0) and found.rows.shape == (0, 5)
    assert found.core.shape == (0, 0)
    assert (found.core @ np.zeros((0, 3))).shape == (0, 3)
    same(assembled(found), np.zeros((6, 5)))


@every_core
@pytest.mark.parametrize("selection", ELIMINATIONS)
def test_nothing_there_meets_any_tolerance(selection, core):
    found = cur(np.zeros((6, 5)), tol=1e-3, selection=selection, core=core, rng=0)
    assert found.converged and not len(found.row_indices) and found.error == 0


def test_warnings_of_ranks():
    data = HARD["low rank"][0]
    with pytest.warns(UserWarning, match="k=9: only 4 .* a smaller k"):
        cur(data, 9, rng=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cur(data, 4, rng=0)


@pytest.mark.parametrize("unit", [1e-308, 1e-300, 1e-160, 1e160, 1e300, 1e305])
@every_selection
def test_extreme_units(unit, selection):
    """Squares overflow, or vanish."""
    expected = cur(A, 5, selection=selection, rng=0)
    found = cur(A * unit, 5, selection=selection, rng=0)
    same(found.row_indices, expected.row_indices)
    close(found.error / unit, expected.error, rtol=1e-6)
    close(found.error_estimate / unit, expected.error_estimate, rtol=1e-6)
    close(found.coefficients, expected.coefficients, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_extreme_units_where_a_sketch_vanishes(form):
    """Rows that cancel each other: the sketch of one row tells no unit."""
    data = np.zeros((12, 2))
    data[[1, 11]] = 1.0
    for seed in range(12):
        options = {"selection": "uniform", "sketch": "countsketch", "rng": seed}
        one, tiny, huge = (
            cur(form(np.ldexp(data, exponent)), 2, **options) for exponent in (0, -900, 900)
        )
        assert tiny.error == np.ldexp(one.error, -900)
        assert huge.error == np.ldexp(one.error, 900)


def test_extreme_units_and_tolerances():
    data = geometric(60, 50, 0.5)
    expected = cur(data, tol=1e-6, rng=0)
    for unit in (2.0**-1000, 2.0**1000):
        found = cur(unit * data, tol=1e-6, rng=0)
        same(found.column_indices, expected.column_indices)
        close(found.history, expected.history, rtol=1e-9)


def test_entries_of_very_different_sizes():
    """Within a matrix: what is below rounding of the rest is left out, and nothing overflows."""
    data = A.copy()
    data[:, 3] *= 1e300
    data[:, 7] *= 1e-300
    found = cur(data, 4, rng=0)
    assert found.column_indices.tolist() == [3]
    assert found.error <= 1e-13 * 1e300 * norm(A)


# What may be passed


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_selection
def test_layouts(selection, dtype, tmp_path):
    data = A.astype(dtype)
    expected = cur(data, 6, selection=selection, rng=0)
    assert expected.coefficients.dtype == expected.columns.dtype == expected.rows.dtype == dtype
    for name, form in dense_forms(data, tmp_path).items():
        kept = pickle.dumps(form)
        found = cur(form, 6, selection=selection, rng=0)
        same(found.row_indices, expected.row_indices, err_msg=name)
        same(found.column_indices, expected.column_indices, err_msg=name)
        close(found.coefficients, expected.coefficients, atol=1e-5 if dtype == np.float32 else 1e-9)
        close(found.error, expected.error, rtol=1e-5)
        assert pickle.dumps(form) == kept, name


@every_core
def test_sparse_layouts(core):
    data = np.round(4 * A) * (A > 0)
    forms = sparse_forms(data)
    expected = cur(forms["csr array"], 6, core=core, rng=0)
    for name, form in forms.items():
        kept = pickle.dumps(form)
        found = cur(form, 6, core=core, rng=0)
        assert_same(found, expected)
        close(found.coefficients, expected.coefficients, atol=1e-9, err_msg=name)
        same(found.columns.toarray(), expected.columns.toarray())
        assert pickle.dumps(form) == kept, name


def test_single_precision():
    """Chosen as from doubles, where pivots are clear; up to the rounding of the data."""
    data = geometric(120, 90, 0.7)
    found, expected = (cur(data.astype(t), 10, rng=0) for t in (np.float32, np.float64))
    same(found.column_indices, expected.column_indices)
    close(found.error, expected.error, rtol=1e-4)
    with pytest.warns(UserWarning, match="k=80"):
        rank = len(cur(data.astype(np.float32), 80, rng=0).column_indices)
    assert 30 < rank < 50  # 0.7^33 is 1e-5


@pytest.mark.parametrize("kind", ["int8", "int64", "bool", "uint16"])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_array])
def test_other_numbers(kind, form):
    data = (np.abs(A) > 0.7).astype(kind) if kind == "bool" else np.abs(3 * A).astype(kind)
    found = cur(form(data), 6, rng=0)
    expected = cur(form(data.astype(np.float64)), 6, rng=0)
    assert_same(found, expected)
    assert found.coefficients.dtype == np.float64


def test_lists_of_rows():
    assert_same(cur(A.tolist(), 4, rng=0), cur(A, 4, rng=0))


@pytest.mark.parametrize("kind", [np.random.default_rng, np.random.RandomState, np.random.PCG64])
def test_generators(kind):
    one, other = (cur(A, 5, selection="uniform", rng=kind(3)) for _ in range(2))
    assert_same(one, other)


# Real data


def test_digits():
    X = load_digits().data
    for selection, most in (("lupp", 2.2), ("cpqr", 2.2), ("deim", 2.2)):
        found = cur(X, 20, selection=selection, rng=0)
        assert found.error < most * reference.tail(X, 20)
    found = cur(X, tol=0.1, rng=0)
    assert found.error <= 0.1 * norm(X)


def test_photograph():
    photo = load_sample_image("china.jpg").mean(axis=2) / 255
    least = reference.tail(photo, 60)
    assert cur(photo, 60, rng=0).error < 1.75 * least
    assert cur(photo, 60, selection="cpqr", rng=0).error < 1.7 * least
    with pytest.warns(ConvergenceWarning):
        assert not cur(photo, 60, tol=1e-2, rng=0).converged


def test_atoms(data_dir):
    """Correlated features of very different sizes, among them constants."""
    X = np.load(data_dir / "sketching" / "csd-1000r.npz")["X"]
    for selection in PIVOTED:
        assert cur(X, 50, selection=selection, rng=0).error < 4 * reference.tail(X, 50)
    found = cur(X, tol=1e-3, rng=0)
    assert found.converged and found.error <= 1e-3 * norm(X)


# Errors of sparse matrices


@pytest.mark.parametrize("k", [10, 30, 60])
def test_single_precision_of_sparse_matrices(k):
    """Squares are added up in double precision."""
    data = geometric(300, 200, 0.6).astype(np.float32)
    data[np.abs(data) < 1e-3] = 0.0
    single, double = sparse.csr_array(data), sparse.csr_array(data.astype(np.float64))
    found, *others = (cur(form, k, sketch="gaussian", rng=0) for form in (single, double, data))
    for other in others:
        assert_same(found, other)


@pytest.mark.parametrize("selection", ["uniform", "leverage"])
@pytest.mark.parametrize("seed", range(20))
def test_columns_that_nearly_depend_on_each_other(selection, seed):
    """Coefficients are huge, and what they leave is the same: no digits are lost to them."""
    rng = np.random.default_rng(seed)
    data = np.repeat(rng.normal(size=(60, 3)), 5, axis=1)
    data += 10.0 ** -rng.integers(6, 13) * rng.normal(size=data.shape)
    data *= (rng.random((60, 1)) < 0.7) * 10.0 ** rng.integers(-3, 3, size=15)
    for k in (4, 8, 12):
        found, dense = (
            cur(form, k, selection=selection, rng=seed) for form in (sparse.csr_array(data), data)
        )
        assert found.error <= (1 + 1e-9) * norm(data)
        same(found.row_indices, dense.row_indices)
        same(found.column_indices, dense.column_indices)
        close(found.error, dense.error, rtol=1e-6, atol=1e-8 * norm(data))
