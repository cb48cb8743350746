"""cur: what holds for every matrix, proven errors, tolerances, hard cases, what a result is."""

import hashlib
import pickle
import warnings
from functools import cache, partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.linalg import orth
from sklearn.datasets import load_digits, load_sample_image
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.decomposition import _core, cur
from lowrank_la.decomposition._matrix import Matrix
from lowrank_la.decomposition._subset import by_lu, by_qr, singular_vectors
from tests.decomposition.problems import (
    CORES,
    ELIMINATIONS,
    HARD,
    PIVOTED,
    SELECTIONS,
    SKETCHES,
    A,
    geometric,
    matrices,
    seeds,
    spectrum,
    strong_rows,
)
from tests.layouts import dense_forms, sparse_forms
from tests.reference import cur as reference

pytestmark = pytest.mark.filterwarnings("ignore:k=.* are independent of each other:UserWarning")
close = np.testing.assert_allclose
same = np.testing.assert_array_equal
selections, sketches, cores = map(st.sampled_from, (SELECTIONS, SKETCHES, CORES))
every_selection = pytest.mark.parametrize("selection", SELECTIONS)
every_core = pytest.mark.parametrize("core", CORES)
norm = np.linalg.norm
EPS = np.finfo(float).eps


def assembled(result):
    return result.columns @ result.coefficients


def assert_same(found, expected, rtol=1e-6):
    """The same choice, and the same errors to rounding."""
    same(found.row_indices, expected.row_indices)
    same(found.column_indices, expected.column_indices)
    close(found.error, expected.error, rtol=rtol, atol=1e-12)


# What holds for every matrix


@given(matrices(), st.integers(1, 14), selections, sketches, cores, seeds)
def test_rows_and_columns_are_chosen_once(A, k, selection, sketch, core, seed):
    found = cur(A, k, selection=selection, sketch=sketch, core=core, rng=seed)
    for indices, n in ((found.row_indices, A.shape[0]), (found.column_indices, A.shape[1])):
        assert indices.dtype == np.int64
        assert len(set(indices)) == len(indices) <= min(k, *A.shape)
        assert not len(indices) or 0 <= indices.min() <= indices.max() < n
        assert len(indices) <= np.linalg.matrix_rank(A)
    same(found.columns, A[:, found.column_indices])
    same(found.rows, A[found.row_indices])
    assert found.converged and found.n_iter == 1 and not len(found.history)


@given(matrices(), st.integers(1, 14), selections, cores, seeds)
def test_formulas(A, k, selection, core, seed):
    """Core, coefficients and error are those of pseudo-inverses; integers are well-conditioned."""
    found = cur(A, k, selection=selection, core=core, rng=seed)
    rows, columns = found.row_indices, found.column_indices
    crossing = A[np.ix_(rows, columns)]
    condition = max(np.linalg.cond(part) if part.size else 1.0 for part in (
        A[rows], A[:, columns], crossing
    ))  # fmt: skip
    assume(condition < 1e6)
    scale = 1e-13 * condition**2 * max(1.0, norm(A))
    close(assembled(found), getattr(reference, core)(A, rows, columns), atol=scale)
    close(found.core @ found.rows, found.coefficients, atol=scale)
    close(found.error, norm(A - assembled(found)), rtol=1e-9, atol=1e-14 * norm(A))


@given(matrices(), st.integers(1, 14), selections, cores, seeds)
def test_no_better_than_singular_vectors(A, k, selection, core, seed):
    found = cur(A, k, selection=selection, core=core, rng=seed)
    least = reference.tail(A, min(len(found.row_indices), len(found.column_indices)))
    assert found.error >= least * (1 - 1e-9) - 1e-12 * norm(A)


@given(matrices(), st.integers(0, 3), st.sampled_from(PIVOTED), cores, seeds)
def test_exact_when_the_rank_is_met(A, more, selection, core, seed):
    rank = int(np.linalg.matrix_rank(A))
    found = cur(A, rank + more or 1, selection=selection, core=core, rng=seed)
    assert len(found.row_indices) == len(found.column_indices) == rank
    assert found.error <= 1e-11 * norm(A)
    close(assembled(found), A, atol=1e-11 * norm(A))
    close(found.error_estimate, 0, atol=1e-11 * norm(A))


@given(seeds, st.integers(1, 12), selections, cores)
def test_exact_with_all_columns(seed, n, selection, core):
    full = np.random.default_rng(seed).normal(size=(n + 3, n))
    found = cur(full, n, selection=selection, core=core, rng=0)
    assert len(found.row_indices) == len(found.column_indices) == n
    crossing = full[found.row_indices][:, found.column_indices]
    assert found.error <= 1e-14 * np.linalg.cond(crossing) * norm(full)


@given(matrices(), st.integers(1, 14), selections, sketches, seeds)
def test_the_optimal_core_is_never_worse(A, k, selection, sketch, seed):
    best, other = (
        cur(A, k, selection=selection, sketch=sketch, core=core, rng=seed) for core in CORES
    )
    same(best.row_indices, other.row_indices)
    same(best.column_indices, other.column_indices)
    assert best.error <= other.error * (1 + 1e-9) + 1e-13 * norm(A)
    assert best.error_estimate == other.error_estimate


@given(matrices(), st.integers(1, 14), selections, sketches, cores,
       st.sampled_from([-900, -300, -40, 40, 300, 900]))  # fmt: skip
def test_units_do_not_matter(A, k, selection, sketch, core, exponent):
    """Powers of two change no bit of what has no unit."""
    one, other = (
        cur(data, k, selection=selection, sketch=sketch, core=core, rng=0)
        for data in (A, np.ldexp(A, exponent))
    )
    same(other.row_indices, one.row_indices)
    same(other.column_indices, one.column_indices)
    same(other.coefficients, one.coefficients)
    assert other.error == np.ldexp(one.error, exponent)
    assert other.error_estimate == np.ldexp(one.error_estimate, exponent)
    x = np.ones(one.core.shape[1])
    same(other.core @ x, np.ldexp(one.core @ x, -exponent))
    y = np.ones(one.core.shape[0])
    same(other.core.T @ y, np.ldexp(one.core.T @ y, -exponent))


@given(seeds, st.integers(1, 10), st.sampled_from(ELIMINATIONS), sketches)
def test_columns_in_another_order(seed, k, selection, sketch):
    """Sketches mix rows, so that columns may come in any order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(40)
    data = rng.normal(size=(50, 40)) * 0.8 ** np.arange(40)
    one, other = (
        cur(given, k, selection=selection, sketch=sketch, rng=0) for given in (data, data[:, order])
    )
    same(order[other.column_indices], one.column_indices)
    same(other.row_indices, one.row_indices)
    close(other.error, one.error, rtol=1e-9)


@given(matrices(), st.integers(1, 14), selections, sketches, cores)
def test_sparse_or_not(A, k, selection, sketch, core):
    assume(selection != "leverage")  # draws magnify the last bit of a score
    dense, other = (
        cur(data, k, selection=selection, sketch=sketch, core=core, rng=0)
        for data in (A, sparse.csr_array(A))
    )
    assert sparse.issparse(other.columns) and sparse.issparse(other.rows)
    close(other.error, dense.error, rtol=1e-6, atol=1e-9 * norm(A))


@given(seeds, st.integers(1, 12), selections, sketches, cores)
def test_sparse_matrices_give_the_same_choice(seed, k, selection, sketch, core):
    """Where no two pivots are the same."""
    # A basis of rows that depend on each other is made up from rounding.
    assume(selection in ("lupp", "cpqr", "uniform") or sketch == "gaussian")
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(60, 30)) * (rng.random((60, 30)) < 0.3) * 0.9 ** np.arange(30)
    options = {"selection": selection, "sketch": sketch, "core": core, "rng": 0}
    found, expected = (cur(form, k, **options) for form in (sparse.csr_array(data), data))
    assert_same(found, expected)
    close(found.coefficients, expected.coefficients, rtol=1e-6, atol=1e-8)
    close(found.error_estimate, expected.error_estimate, rtol=1e-6)


@given(seeds, st.integers(1, 10), st.integers(1, 10))
def test_fewer_are_the_first_of_more(seed, k, more):
    """By elimination of a Gaussian sketch, of which the first rows decide on the first columns."""
    data = np.random.default_rng(seed).normal(size=(60, 40)) * 0.8 ** np.arange(40)
    few, many = (cur(data, n, sketch="gaussian", rng=seed) for n in (k, k + more))
    same(many.column_indices[:k], few.column_indices)
    same(many.row_indices[:k], few.row_indices)


# Choices, and what is proven about them


@given(seeds, st.integers(1, 12), st.integers(1, 12))
def test_elimination_is_that_of_textbooks(seed, m, n):
    Y = np.random.default_rng(seed).normal(size=(m, n))
    matrix = Matrix("A", Y, None, None, np.random.default_rng(0))
    order, pivots = matrix.kernels.eliminate(Y)
    expected_order, expected_pivots = reference.elimination(Y)
    same(order[: min(m, n)], expected_order[: min(m, n)])
    close(pivots, expected_pivots, rtol=1e-6)
    same(by_lu(matrix, Y), expected_order[: min(m, n)])
    same(by_qr(matrix, Y), reference.largest_columns(Y, min(m, n)))
    vectors = np.linalg.qr(Y)[0]
    same(by_lu(matrix, vectors.T), reference.deim(vectors))


@given(matrices(), st.integers(1, 8), st.sampled_from(PIVOTED), sketches, seeds)
def test_error_within_the_proven_factor(A, k, selection, sketch, seed):
    """Of what a sketch misses: interpolation at pivots costs no more than `growth`.

    With W = pinv(Y[:, J]) Y, A - C pinv(C) A is at most A (I - P) norm(W), where P projects on the
    rows of Y; rows chosen from C cost as much again (Sorensen and Embree 2016, lemma 4.1). That of
    the truncated singular value decomposition is at most what Y misses.
    """
    matrix = Matrix("A", A, sketch, None, np.random.default_rng(seed))
    if selection == "deim":
        span = singular_vectors(matrix, k, min(k, *A.shape))[1]
    else:
        span = orth(matrix.sketch(k).T)
    missed = norm(A - A @ span @ span.T)
    matrix = Matrix("A", A, sketch, None, np.random.default_rng(seed))
    pick = by_qr if selection == "cpqr" else by_lu
    Y = span.T if selection == "deim" else matrix.sketch(k)
    columns = pick(matrix, Y)[:k]
    rows = pick(matrix, matrix.columns(columns).T)
    m, n = A.shape
    assume(len(rows) == len(columns) == span.shape[1])
    cost = reference.growth(n, len(columns))
    rounding = 1e-12 * norm(A)
    interpolated = norm(A - reference.interpolation(A, columns))
    assert interpolated <= cost * missed + rounding
    cost *= reference.growth(m, len(rows))
    assert norm(A - reference.cross(A, rows, columns)) <= cost * missed + 1e-9 * norm(A)


@pytest.mark.parametrize("sketch", SKETCHES)
@every_selection
@every_core
def test_every_law_and_selection(selection, sketch, core):
    """Typical factors above the least error: far below what is proven."""
    data = spectrum(200, 150, (1 + np.arange(60.0)) ** -2)
    found = cur(data, 20, selection=selection, sketch=sketch, core=core, rng=0)
    factor = found.error / reference.tail(data, 20)
    assert factor > 1
    if selection in PIVOTED and core == "optimal":
        assert factor < 3
    elif selection in ELIMINATIONS:  # whose rows are chosen for the columns
        assert factor < 30
    elif core == "optimal":
        assert factor < 6


def test_pivots_of_qr_are_better_than_draws():
    data = geometric(200, 150, 0.8)
    errors = {
        selection: np.median([cur(data, 15, selection=selection, rng=s).error for s in range(7)])
        for selection in SELECTIONS
    }
    assert errors["cpqr"] < errors["lupp"] < errors["uniform"]
    assert errors["leverage"] < errors["uniform"]


@pytest.mark.parametrize("selection", ["leverage", "uniform"])
def test_draws_have_their_law(selection):
    """The first row of a diagonal matrix is drawn with its share in the leading subspace."""
    data = np.diag([5.0, 4.0, 3.0, 2.0, 1.0])
    drawn = np.zeros(5)
    for seed in range(300):
        found = cur(data, 2, selection=selection, rng=seed)
        drawn[found.column_indices] += 1
    if selection == "leverage":  # of two singular vectors, which are the first unit vectors
        same(drawn, [300, 300, 0, 0, 0])
    else:
        assert np.abs(drawn / 300 - 0.4).max() < 0.12


@pytest.mark.parametrize("oversampling", [None, 0, 1, 40, 1000])
@pytest.mark.parametrize("selection", PIVOTED)
def test_oversampling(selection, oversampling):
    data = geometric(100, 80, 0.7)
    found = cur(data, 10, selection=selection, oversampling=oversampling, rng=0)
    assert len(found.row_indices) == 10
    assert found.error < 8 * reference.tail(data, 10)


# Tolerances

decaying = cache(partial(geometric, 220, 200))


@settings(max_examples=25)
@given(seeds, st.sampled_from([0.5, 0.8, 0.9]), st.sampled_from([1e-2, 1e-4, 1e-8]),
       st.sampled_from(ELIMINATIONS), cores)  # fmt: skip
def test_tolerance_is_met(seed, ratio, tol, selection, core):
    """By rows and columns not many more than singular vectors take."""
    data = decaying(ratio)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = cur(data, tol=tol, selection=selection, core=core, rng=seed)
    scale = norm(data)
    assert found.converged
    assert found.error <= tol * scale
    values = np.linalg.svd(data, compute_uv=False)
    tails = np.sqrt(np.cumsum(values[::-1] ** 2))[::-1]
    best = int(np.sum(tails > tol * scale))
    most = 1.4 if core == "optimal" else 1.6
    assert len(found.row_indices) == len(found.column_indices) <= most * best + 2
    assert len(found.history) == found.n_iter
    assert found.history[-1] <= tol


@pytest.mark.parametrize("selection", ELIMINATIONS)
def test_ranks_of_whole_ensembles(selection):
    """1.4 times the best rank, at most, where there are enough of them to tell."""
    data = geometric(300, 280, 0.95)
    values = np.linalg.svd(data, compute_uv=False)
    tails = np.sqrt(np.cumsum(values[::-1] ** 2))[::-1] / norm(data)
    for tol in (1e-2, 1e-3):
        found = [len(cur(data, tol=tol, selection=selection, rng=s).rows) for s in range(5)]
        assert max(found) <= 1.4 * np.sum(tails > tol)


@every_core
@pytest.mark.parametrize("selection", ELIMINATIONS)
def test_tolerance_with_too_few(selection, core):
    data = geometric(200, 150, 0.9)
    with pytest.warns(ConvergenceWarning, match=r"tol=0.001 is not met .* increase tol, or k"):
        found = cur(data, 20, tol=1e-3, selection=selection, core=core, rng=0)
    assert not found.converged
    assert len(found.row_indices) == len(found.column_indices) == 20
    assert found.history[-1] > 1e-3
    assert found.error < 5 * reference.tail(data, 20) * (1 if core == "optimal" else 4)


@every_core
@pytest.mark.parametrize("selection", ELIMINATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tolerance_below_rounding(selection, core, dtype):
    """All that there is, and a warning that it does not do."""
    data = A.astype(dtype)
    with pytest.warns(ConvergenceWarning, match=r"tol=1e-17 is not met .* increase tol$"):
        found = cur(data, tol=1e-17, selection=selection, core=core, rng=0)
    assert not found.converged
    assert found.error <= 1000 * np.finfo(dtype).eps * norm(data)


@pytest.mark.parametrize("selection", ELIMINATIONS)
def test_tolerance_of_low_rank(selection):
    """What is left is rounding; the rank is not exceeded."""
    data = spectrum(300, 200, np.ones(45))
    found = cur(data, tol=1e-10, selection=selection, rng=0)
    assert len(found.row_indices) == 45
    assert found.error < 1e-12 * norm(data)


def test_more_than_enough_are_not_taken():
    data = geometric(200, 150, 0.5)
    found = cur(data, 100, tol=1e-3, rng=0)
    assert found.converged and len(found.row_indices) < 16


def test_two_estimates_are_not_stricter_than_one():
    """A tolerance that the core "cross" meets barely, as far as one estimate tells."""
    data = 1 / (1.0 + np.abs(np.subtract.outer(np.arange(500.0), 2 * np.arange(240.0))))
    assert cur(data, tol=0.05, core="cross", rng=23).converged
    assert cur(data, tol=0.05, rng=23).converged


def test_history_is_an_upper_estimate():
    """After each block of 32 what the core "cross" leaves, by three standard errors."""
    data = geometric(300, 250, 0.93)
    found = cur(data, tol=1e-4, core="cross", rng=0)
    assert found.n_iter == -(-len(found.row_indices) // 32) > 2
    for block, upper in enumerate(found.history, 1):
        k = min(32 * block, len(found.row_indices))
        left = data - reference.cross(data, found.row_indices[:k], found.column_indices[:k])
        assert 1 < upper / (norm(left) / norm(data)) < 1.6


@pytest.mark.parametrize("tol", [0.9, 0.3])
def test_loose_tolerances(tol):
    found = cur(geometric(200, 150, 0.9), tol=tol, rng=0)
    assert found.error <= tol * norm(geometric(200, 150, 0.9))
    assert len(found.row_indices) < 25


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
        found = cur(data, k, selection=selection, rng=0)
        assert found.error < 12 * reference.tail(data, k)


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
    with pytest.warns(UserWarning, match="k=2: only 0 columns and 0 rows are independent"):
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
    with pytest.warns(UserWarning, match="k=9: only 4 columns and 4 rows .* a smaller k"):
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
    assert 35 < rank < 55  # 0.7^45 is 1e-7


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


# What a result is


def test_the_same_bits_on_any_number_of_threads(run_python):
    code = "from tests.decomposition.test_cur import fingerprint; print(fingerprint())"
    one, two = (run_python("-c", code, NUMBA_NUM_THREADS=n, OMP_NUM_THREADS=n) for n in "12")
    assert one == two != ""


def fingerprint():
    """Bits of results on matrices of several blocks of rows and of columns."""
    data = 1 / (1.0 + np.abs(np.subtract.outer(np.arange(1300.0), np.arange(1100.0))))
    found = [
        cur(form, *choice, selection=selection, core=core, rng=0)
        for form in (data, sparse.csr_array(data * (data > 0.01)))
        for core in CORES
        for selection, choice in (("lupp", (20,)), ("cpqr", (20,)), ("deim", (9,)))
    ] + [cur(data, tol=0.5, rng=0)]
    parts = [
        (r.row_indices, r.column_indices, r.coefficients, r.error, r.error_estimate, r.history)
        for r in found
    ]
    return hashlib.sha256(
        b"".join(np.asarray(x).tobytes() for row in parts for x in row)
    ).hexdigest()


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("selection", ELIMINATIONS)
def test_the_estimate_is_near_the_error(form, selection):
    """Of the core "cross", whichever core is asked for: 64 rows have a standard error of 9 %."""
    data = geometric(300, 200, 0.9)
    ratios = []
    for seed in range(10):
        found = cur(form(data), 25, selection=selection, core="cross", rng=seed)
        ratios.append(found.error_estimate / found.error)
    assert 0.7 < min(ratios) < 1 < max(ratios) < 1.4


@pytest.mark.parametrize("core", CORES)
def test_the_core_solves_for_whatever_it_is_given(core):
    found = cur(geometric(60, 50, 0.8), 7, core=core, rng=0)
    U = found.core @ np.eye(7)
    C, R = found.columns, found.rows
    expected = np.linalg.pinv(C) @ geometric(60, 50, 0.8) @ np.linalg.pinv(R)
    expected = expected if core == "optimal" else np.linalg.inv(R[:, found.column_indices])
    close(U, expected, rtol=1e-8, atol=1e-10 * norm(expected))
    close(found.core.T @ np.eye(7), U.T, rtol=1e-9, atol=1e-12 * norm(U))
    close(found.core @ R[:, 3], U @ R[:, 3], atol=1e-9)
    close(found.core.H @ np.ones(7), U.T @ np.ones(7), rtol=1e-9, atol=1e-9 * norm(U))


def test_the_core_keeps_digits_that_its_entries_lose():
    """Of an ill-conditioned crossing: as factors it leaves rounding, multiplied out much more."""
    data = geometric(200, 150, 0.6)
    found = cur(data, 60, core="cross", rng=0)
    explicit = found.columns @ np.linalg.inv(data[np.ix_(found.row_indices, found.column_indices)])
    lost = norm(data - explicit @ found.rows)
    assert found.error < 1e-9 * norm(data)
    assert norm(data - found.columns @ (found.core @ found.rows)) <= 2 * found.error + 1e-14
    assert found.error <= lost


@pytest.fixture
def work(monkeypatch):
    """Names of the expensive steps that were taken."""
    done = []
    for name in ("products", "residual", "times"):
        method = getattr(Matrix, name)
        monkeypatch.setattr(
            Matrix, name, lambda self, *a, _n=name, _m=method: done.append(_n) or _m(self, *a)
        )
    for name, core in _core.CORES.items():
        monkeypatch.setitem(
            _core.CORES, name, lambda *a, _n=name, _c=core: done.append(_n) or _c(*a)
        )
    return done


def test_nothing_is_computed_before_it_is_asked_for(work):
    found = cur(A, 5, rng=0)
    repr(found)
    assert found.rows.shape == (5, 20) and found.columns.shape == (30, 5)
    assert not work
    assert found.error_estimate > 0
    assert not work
    assert found.core.shape == (5, 5)
    assert work == ["optimal", "products"]
    assert found.coefficients.shape == (5, 20)
    assert work == ["optimal", "products"]
    assert found.error == found.error
    assert work == ["optimal", "products", "residual"]


@every_core
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_pickled_results_are_complete_without_the_data(core, form):
    data = np.random.default_rng(0).normal(size=(600, 500))
    found = cur(form(data), 4, core=core, rng=0)
    pickled = pickle.dumps(found)
    assert len(pickled) < data.nbytes / 10
    copy = pickle.loads(pickled)
    assert copy.error == found.error
    assert copy.error_estimate == found.error_estimate
    same(copy.coefficients, found.coefficients)
    same(copy.core @ np.eye(4), found.core @ np.eye(4))
    assert (copy.columns != found.columns).sum() == 0
    assert pickle.loads(pickle.dumps(copy)).error == found.error


def test_estimates_do_not_depend_on_what_was_asked_before():
    one, other = (cur(A, 5, rng=0) for _ in range(2))
    assert (one.error, one.error_estimate) == (other.error_estimate, other.error)[::-1]


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
