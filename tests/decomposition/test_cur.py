"""cur: what holds for every matrix, and the errors that are proven."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse, stats
from scipy.linalg import orth

from lowrank_la.decomposition import cur
from lowrank_la.decomposition._matrix import Matrix
from lowrank_la.decomposition._subset import by_lu, by_qr, singular_vectors
from tests.decomposition.problems import (
    CORES,
    ELIMINATIONS,
    PIVOTED,
    SELECTIONS,
    SKETCHES,
    assembled,
    assert_same,
    geometric,
    matrices,
    seeds,
    spectrum,
)
from tests.reference import cur as reference

pytestmark = pytest.mark.filterwarnings("ignore:k=.* are independent of each other:UserWarning")
close = np.testing.assert_allclose
same = np.testing.assert_array_equal
selections, sketches, cores = map(st.sampled_from, (SELECTIONS, SKETCHES, CORES))
every_selection = pytest.mark.parametrize("selection", SELECTIONS)
every_core = pytest.mark.parametrize("core", CORES)
norm = np.linalg.norm


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
    """Core, coefficients and error are those of pseudo-inverses.

    Where draws have fewer rows than columns, there are other inverses of where they cross.
    """
    found = cur(A, k, selection=selection, core=core, rng=seed)
    rows, columns = found.row_indices, found.column_indices
    crossing = A[np.ix_(rows, columns)]
    parts = A[rows], A[:, columns], crossing
    condition = max(np.linalg.cond(part) if part.size else 1.0 for part in parts)
    assume(condition < 1e6 and (core == "optimal" or len(rows) >= len(columns)))
    scale = 1e-13 * condition**2 * max(1.0, norm(A))
    close(assembled(found), getattr(reference, core)(A, rows, columns), atol=scale)
    close(found.core @ found.rows, found.coefficients, atol=scale)
    close(found.error, norm(A - assembled(found)), rtol=1e-9, atol=1e-14 * norm(A))


@given(matrices(), st.integers(1, 14), selections, seeds)
def test_the_crossing_is_reproduced(A, k, selection, seed):
    """Also one of fewer rows than columns, or of a smaller rank."""
    found = cur(A, k, selection=selection, core="cross", rng=seed)
    crossing = A[np.ix_(found.row_indices, found.column_indices)]
    close(crossing @ (found.core @ crossing), crossing, atol=1e-10 * max(1.0, norm(A)))


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


@given(seeds, st.integers(3, 10))
def test_the_most_important_ones_come_first(seed, k):
    data = np.random.default_rng(seed).normal(size=(60, 40)) * 0.5 ** np.arange(40)
    found = cur(data, 2 * k, selection="cpqr", rng=seed)
    first, last = np.split(found.columns, 2, axis=1)
    left = [norm(data - part @ np.linalg.lstsq(part, data)[0]) for part in (first, last)]
    assert left[0] < left[1]


# Choices, and what is proven about them


@given(seeds, st.integers(1, 12), st.integers(1, 12))
def test_elimination_is_that_of_textbooks(seed, m, n):
    Y = np.random.default_rng(seed).normal(size=(m, n))
    matrix = Matrix("A", Y, None, None, np.random.default_rng(0))
    order, pivots = matrix.kernels.eliminate(Y)
    expected_order, expected_pivots = reference.elimination(Y)
    same(order[: min(m, n)], expected_order[: min(m, n)])
    close(pivots, expected_pivots, rtol=1e-6)
    same(by_lu(matrix, Y, n), expected_order[: min(m, n)])
    same(by_qr(matrix, Y, n), reference.largest_columns(Y, min(m, n)))
    vectors = np.linalg.qr(Y)[0]
    same(by_lu(matrix, vectors.T, m), reference.deim(vectors))


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
    columns = pick(matrix, Y, k)
    rows = pick(matrix, matrix.columns(columns).T, k)
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
        selection: np.median([cur(data, 15, selection=selection, rng=s).error for s in range(15)])
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


@pytest.fixture
def sketched(monkeypatch):
    """Numbers of rows of the sketches that were made."""
    made, sketch = [], Matrix.sketch
    monkeypatch.setattr(Matrix, "sketch", lambda self, n: made.append(n) or sketch(self, n))
    return made


@pytest.mark.parametrize("selection", [*PIVOTED, "leverage"])
def test_rows_of_the_sketch(selection, sketched):
    data = np.random.default_rng(0).normal(size=(400, 300))
    for k, oversampling in ((5, 7), (5, 0), (5, None), (200, None), (200, 30)):
        cur(data, k, selection=selection, oversampling=oversampling, rng=0)
    assert sketched == [12, 5, 32, 220, 230]
    del sketched[:]
    cur(data, 5, selection=selection, oversampling=10**9, rng=0)  # no more than help
    assert sketched[0] <= 2 * len(data)


def test_sketches_of_few_rows_of_data_are_dense():
    """Of matrices that have not many more: nothing is missed then."""
    for m, n_rows, dense in ((126, 63, True), (128, 64, True), (129, 64, False)):
        matrix = Matrix("A", np.eye(m), None, None, np.random.default_rng(0))
        assert matrix.sketch(n_rows).all() == dense


def test_leverage_is_a_probability():
    """Of a matrix of rank one, whose leading singular vectors are known."""
    shares = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.05, 0.3, 0.15, 0.25, 0.25])
    data = np.sqrt(np.outer(*shares))
    drawn = np.zeros(4), np.zeros(5)
    for seed in range(500):
        found = cur(data, 1, selection="leverage", rng=seed)
        drawn[0][found.row_indices] += 1
        drawn[1][found.column_indices] += 1
    for count, share in zip(drawn, shares, strict=True):
        assert stats.chisquare(count, 500 * share).pvalue > 1e-3
        assert stats.chisquare(count, 500 * share**2 / (share**2).sum()).pvalue < 1e-6


@pytest.mark.parametrize("k", [4, 31])
@pytest.mark.parametrize("least", [3.3e-3, 5e-5])
def test_the_rank_in_single_precision(k, least):
    """As many columns as there are, no rounding among them; the last pivot may be small by chance.

    QR is to tell, then.
    """
    for seed in range(100):
        data = spectrum(193, 32, [1.0, 0.3, 0.05, least], seed).astype(np.float32)
        found = cur(data, k, rng=seed)
        assert len(found.column_indices) == len(found.row_indices) == 4


def test_pivots_of_elimination_are_nearly_as_good_as_those_of_qr():
    for seed in range(100):
        rng = np.random.default_rng(seed)
        data = rng.permutation(rng.normal(size=(30, 20)) * 0.5 ** np.arange(20), axis=1)
        lupp, cpqr = (cur(data, 6, selection=name, rng=seed).error for name in ELIMINATIONS)
        assert lupp <= 6 * cpqr
