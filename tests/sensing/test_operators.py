"""Measurements of each kind: adjoints, products with factors, agreement, recovery, bad input."""

import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from threadpoolctl import threadpool_limits

from lowrank_la._support import blocks
from lowrank_la.sensing import (
    EntryMeasurements,
    GaussianMeasurements,
    KroneckerMeasurements,
    MatrixMeasurements,
    Measurements,
    RankOneMeasurements,
    TransformMeasurements,
    _cpu,
    _random,
    as_measurements,
    scaled_gd,
)
from lowrank_la.sensing._operators import check_adjoint
from tests.sensing.operators import IN_FLOAT32, KINDS, built, normal, outer, places, thinned
from tests.sensing.problems import error, low_rank

close = np.testing.assert_allclose
EXACT = {"rtol": 1e-9, "atol": 1e-9}


@st.composite
def drawn(draw, kinds=tuple(KINDS)):
    """Measurements, their matrix, factors and values."""
    m, n1, n2, k = (draw(st.integers(1, most)) for most in (9, 6, 6, 3))
    A, matrix = built(draw(st.sampled_from(kinds)), m, (n1, n2), draw(st.integers(0, 9)))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    n1, n2 = A.matrix_shape
    return A, matrix, normal(rng, n1, k), normal(rng, n2, k), normal(rng, len(matrix))


@settings(max_examples=150)
@given(drawn())
def test_products_are_those_of_the_matrix(problem):
    A, matrix, left, right, z = problem
    assert A.shape == matrix.shape == (len(z), left.shape[0] * right.shape[0])
    adjoint = (matrix.T @ z).reshape(A.matrix_shape)
    close(A.apply_factors(left, right), matrix @ (left @ right.T).ravel(), **EXACT)
    close(A.adjoint_times(z, right), adjoint @ right, **EXACT)
    both = A.adjoint_factors(z, left, right)
    close(both[0], adjoint @ right, **EXACT)
    close(both[1], adjoint.T @ left, **EXACT)


@settings(max_examples=150)
@given(drawn())
def test_they_are_operators_of_scipy(problem):
    A, matrix, _, _, z = problem
    X = np.random.default_rng(0).standard_normal((A.shape[1], 2))
    close(A @ X[:, 0], matrix @ X[:, 0], **EXACT)
    close(A.matvec(X[:, :1]), matrix @ X[:, :1], **EXACT)
    close(A @ X, matrix @ X, **EXACT)
    close(A.rmatvec(z), matrix.T @ z, **EXACT)
    close(A.T @ z, matrix.T @ z, **EXACT)
    close((2 * A).T @ np.stack([z, z], axis=1), 2 * np.stack([matrix.T @ z] * 2, axis=1), **EXACT)


@given(drawn())
def test_the_adjoint_is_theirs(problem):
    """``<A(L R'), z> = <L, A*(z) R>``, in the operator's own numbers."""
    A, _, left, right, z = problem
    forth = A.apply_factors(left, right) @ z
    to_left, to_right = A.adjoint_factors(z, left, right)
    size = 1 + np.abs(forth)
    assert abs(forth - np.sum(left * to_left)) <= 1e-9 * size
    assert abs(forth - np.sum(right * to_right)) <= 1e-9 * size
    check_adjoint(A, np.random.default_rng(0))


@given(drawn(("rank_one", "symmetric", "entries", "kronecker")))
def test_factors_may_be_one_array(problem):
    A, matrix, left, right, z = problem
    n = min(A.matrix_shape)
    factor = left[:n]
    if A.matrix_shape == (n, n):
        both = A.adjoint_factors(z, factor, factor)
        adjoint = (matrix.T @ z).reshape(n, n)
        close(A.apply_factors(factor, factor), matrix @ (factor @ factor.T).ravel(), **EXACT)
        close(both[0], adjoint @ factor, **EXACT)
        close(both[1], adjoint.T @ factor, **EXACT)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_changed_and_copies_work(kind):
    A, matrix = built(kind, 6, (4, 3))
    n1, n2 = A.matrix_shape
    rng = np.random.default_rng(1)
    given = normal(rng, n1, 2), normal(rng, n2, 2), normal(rng, A.shape[0])
    before = [array.copy() for array in given]
    for array in given:
        array.flags.writeable = False
    y = A.apply_factors(*given[:2])
    A.adjoint_factors(given[2], *given[:2])
    y[:] = 0  # theirs alone
    close(A.apply_factors(*given[:2]), matrix @ (given[0] @ given[1].T).ravel(), **EXACT)
    for array, unchanged in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, unchanged)
    if kind != "of_callables":  # functions inside of a function
        copy = pickle.loads(pickle.dumps(A))
        np.testing.assert_array_equal(copy.rmatvec(given[2]), A.rmatvec(given[2]))


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda x: np.repeat(x, 2, axis=1)[:, ::2]])
@pytest.mark.parametrize("kind", ["dense", "kept", "rank_one", "entries", "kronecker", "cosine"])
def test_any_layout(kind, layout):
    A, _ = built(kind, 7, (5, 4))
    left, right, z = (normal(np.random.default_rng(1), n, 2) for n in (*A.matrix_shape, A.shape[0]))
    expected = A.apply_factors(left, right), *A.adjoint_factors(z[:, 0].copy(), left, right)
    left, right = layout(left), layout(right)
    found = A.apply_factors(left, right), *A.adjoint_factors(layout(z)[:, 0], left, right)
    for one, other in zip(found, expected, strict=True):
        close(one, other, **EXACT)


def test_entries_in_four_ways():
    rng = np.random.default_rng(0)
    shape, m = (6, 5), 20
    rows, columns = places(m, shape, rng)
    units = np.eye(6)[rows], np.eye(5)[columns]

    def adjoint(z):
        X = np.zeros(shape)
        np.add.at(X, (rows, columns), z)
        return X

    ways = [
        EntryMeasurements(rows, columns, shape),
        RankOneMeasurements(*units),
        RankOneMeasurements(*map(sparse.csr_array, units)),
        MatrixMeasurements(sparse.csr_array(outer(*units)), shape),
        as_measurements((lambda X: X[rows, columns], adjoint), shape, m),
    ]
    agree(ways, rng)


def test_kronecker_products_are_of_rank_one():
    rng = np.random.default_rng(1)
    left, right = normal(rng, 3, 4), normal(rng, 2, 5)
    pairs = np.repeat(left, 2, axis=0), np.tile(right, (3, 1))
    agree([KroneckerMeasurements(left, right), RankOneMeasurements(*pairs)], rng)


def test_symmetric_ones_are_those_of_equal_vectors():
    rng = np.random.default_rng(2)
    a = normal(rng, 9, 4)
    one, other = RankOneMeasurements(a), RankOneMeasurements(a, a.copy())
    agree([one, other], rng)
    assert (one.fits_constant, other.fits_constant) == (True, False)


def test_normal_numbers_are_kept_or_made_anew():
    """More columns than are made at a time, and not a multiple of four."""
    shape = (41, 51)
    ways = [
        GaussianMeasurements(300, shape, kept=kept, random_state=3) for kept in (True, False, None)
    ]
    assert [A.kept for A in ways] == [True, False, True]
    agree(ways, np.random.default_rng(3))


def agree(ways, rng):
    n1, n2 = ways[0].matrix_shape
    left, right, z = normal(rng, n1, 2), normal(rng, n2, 2), normal(rng, ways[0].shape[0])
    found = [(A.apply_factors(left, right), *A.adjoint_factors(z, left, right)) for A in ways]
    for products in found[1:]:
        for one, other in zip(products, found[0], strict=True):
            close(one, other, **EXACT)


@pytest.mark.parametrize("kept", [True, False])
def test_normal_measurements_keep_norms(kept):
    A = GaussianMeasurements(2000, (6, 7), kept=kept, random_state=0)
    assert np.linalg.norm(A @ np.eye(42)[5]) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("transform", ["dct", "hadamard"])
@pytest.mark.parametrize("shape", [(16, 8), (9, 11), (1, 5)])
def test_transforms_keep_norms(transform, shape):
    """The mean over all draws is exact; all coefficients keep each norm."""
    X = np.random.default_rng(0).standard_normal(shape[0] * shape[1])
    number = TransformMeasurements(1, shape, transform, random_state=0)._number
    assert number < 2 * X.size
    whole = TransformMeasurements(number, shape, transform, random_state=0)
    close(whole.T @ (whole @ X), X, **EXACT)
    m = -(-number // 2)
    norms = [
        np.linalg.norm(TransformMeasurements(m, shape, transform, random_state=seed) @ X) ** 2
        for seed in range(200)
    ]
    assert np.mean(norms) == pytest.approx(X @ X, rel=0.2)


@pytest.mark.parametrize("kept", [True, False])
def test_what_is_not_finite_is_for_the_solver_to_see(kept):
    A = GaussianMeasurements(5, (2, 2), kept=kept, random_state=0)
    assert np.isnan(A @ np.array([0, 1, np.inf, 0])).all()
    assert np.isnan(A.T @ np.full(5, np.nan)).all()


@pytest.mark.parametrize("maker", [GaussianMeasurements, TransformMeasurements])
def test_seeds(maker):
    X = np.arange(12.0)
    one, same, other = (maker(6, (3, 4), random_state=seed) @ X for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize("kind", IN_FLOAT32)
def test_float32(kind):
    rng = np.random.default_rng(0)
    A = IN_FLOAT32[kind](rng, 40, 10)
    left, right, z = (
        normal(rng, *shape).astype(np.float32) for shape in ((10, 2), (10, 2), (A.shape[0],))
    )
    y, products = A.apply_factors(left, right), A.adjoint_factors(z, left, right)
    x = left[:, :1].repeat(10, 1).ravel()
    assert {part.dtype for part in (y, *products, A @ x, A.T @ z)} == {np.dtype(np.float32)}
    matrix = (A @ np.eye(100)).astype(np.float64)
    adjoint = (matrix.T @ z).reshape(10, 10)
    tol = {"rtol": 1e-4, "atol": 1e-4 * np.abs(matrix).max()}
    close(y, matrix @ (left @ right.T).ravel(), **tol)
    close(products[0], adjoint @ right, **tol)
    close(products[1], adjoint.T @ left, **tol)


LARGE = {
    "sparse vectors": lambda rng: RankOneMeasurements(
        thinned(rng, 5000, 12), normal(rng, 5000, 10)
    ),
    "dense": lambda rng: MatrixMeasurements(normal(rng, 900, 12, 10)),
    "made anew": lambda rng: GaussianMeasurements(600, (12, 200), kept=False, random_state=0),
    "kept": lambda rng: GaussianMeasurements(600, (12, 200), random_state=0),
    "rank one": lambda rng: RankOneMeasurements(normal(rng, 900, 12), normal(rng, 900, 10)),
    "symmetric": lambda rng: RankOneMeasurements(normal(rng, 900, 12)),
    "entries": lambda rng: EntryMeasurements(*places(2000, (50, 40), rng), (50, 40)),
    "dct": lambda rng: TransformMeasurements(900, (301, 257), random_state=0),
    "hadamard": lambda rng: TransformMeasurements(900, (1009, 521), "hadamard", random_state=0),
    "kronecker": lambda rng: KroneckerMeasurements(normal(rng, 300, 90), normal(rng, 200, 80)),
}


@pytest.mark.parametrize("kind", LARGE)
def test_the_same_bits_on_any_number_of_threads(kind, monkeypatch):
    A = LARGE[kind](np.random.default_rng(0))
    rng = np.random.default_rng(1)
    left, right, z = (normal(rng, n, 3) for n in (*A.matrix_shape, A.shape[0]))

    monkeypatch.setattr(_cpu, "_ENTRIES", 500)

    def fingerprint(n_threads):
        for module in (blocks, _random):
            monkeypatch.setattr(module, "thread_count", lambda requested=None: n_threads)
        with threadpool_limits(n_threads):
            products = A.adjoint_factors(z[:, 0].copy(), left, right)
            return [array.tobytes() for array in (A.apply_factors(left, right), *products)]

    expected = fingerprint(1)
    assert all(fingerprint(n) == expected for n in (2, 3))


@pytest.mark.parametrize("kind", ["rank one", "symmetric", "dense"])
def test_blocks_and_panels(kind, monkeypatch):
    """Whatever they are, the products are the same."""
    A = LARGE[kind](np.random.default_rng(0))
    rng = np.random.default_rng(1)
    left, right, z = (normal(rng, n, 3) for n in (*A.matrix_shape, A.shape[0]))
    z = z[:, 0].copy()
    expected = A.apply_factors(left, right), A.T @ z, *A.adjoint_factors(z, left, right)
    for small in (1, 16 * 30, 10**9):
        monkeypatch.setattr(_cpu, "_SMALL", small)
        monkeypatch.setattr(_cpu, "_LEAST", 7)
        found = A.apply_factors(left, right), A.T @ z, *A.adjoint_factors(z, left, right)
        for one, other in zip(found, expected, strict=True):
            close(one, other, **EXACT)


RECOVERED = {
    "dense": lambda m, n, rng: MatrixMeasurements(normal(rng, m, n, n)),
    "kept": lambda m, n, rng: GaussianMeasurements(m, (n, n), random_state=0),
    "made anew": lambda m, n, rng: GaussianMeasurements(m, (n, n), kept=False, random_state=0),
    "rank one": lambda m, n, rng: RankOneMeasurements(normal(rng, m, n), normal(rng, m, n)),
    "entries": lambda m, n, rng: EntryMeasurements(*places(m, (n, n), rng), (n, n)),
    "dct": lambda m, n, rng: TransformMeasurements(m, (n, n), random_state=0),
    "hadamard": lambda m, n, rng: TransformMeasurements(m, (n, n), "hadamard", random_state=0),
    "kronecker": lambda m, n, rng: KroneckerMeasurements(normal(rng, n, n), normal(rng, n, n)),
}


@pytest.mark.parametrize("kind", RECOVERED)
def test_recovery(kind):
    M = low_rank((16, 16), 2)
    A = RECOVERED[kind](220, 16, np.random.default_rng(0))
    result = scaled_gd(A, A @ M.ravel(), 2, rng=0, max_iter=2000)
    assert result.converged
    assert error(result, M) < 1e-7


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_recovery_of_symmetric_matrices_from_squares(kind):
    """The constant takes the trace away, which the mean of a_i a_i' tells over and over."""
    rng = np.random.default_rng(0)
    M = low_rank((20, 20), 2, symmetric=True)
    a = normal(rng, 400, 20)
    A = RankOneMeasurements(a if kind == "dense" else sparse.csr_array(a))
    result = scaled_gd(A, np.einsum("mi,ij,mj->m", a, M, a), 2, symmetric=True, rng=0)
    assert result.converged
    assert error(result, M) < 1e-8
    assert abs(result.intercept) < 1e-8


def test_no_matrix_is_made_of_rank_one_measurements():
    """n = 1500, 2000 measurements: all matrices A_i would take 36 GB, one of them 18 MB."""
    rng = np.random.default_rng(0)
    a = normal(rng, 2000, 1500)
    A, factor, z = RankOneMeasurements(a), normal(rng, 1500, 2), normal(rng, 2000)
    tracemalloc.start()
    try:
        A.apply_factors(factor, factor)
        A.adjoint_factors(z, factor, factor)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3e6


def test_no_matrix_is_made_of_entries():
    n = 10**5
    rng = np.random.default_rng(0)
    A = EntryMeasurements(*places(1000, (n, n), rng), (n, n))
    left, right = normal(rng, n, 2), normal(rng, n, 2)
    y = A.apply_factors(left, right)
    close(y, np.sum(left[A.rows] * right[A.columns], axis=1), **EXACT)
    assert np.count_nonzero(A.adjoint_times(y, right).any(axis=1)) == len(np.unique(A.rows))


def test_indices_are_copied():
    rows = np.array([0, 1])
    A = EntryMeasurements(rows, [0, 0], (2, 1))
    rows[:] = 10**9
    close(A.apply_factors(np.array([[2.0], [3.0]]), np.ones((1, 1))), [2, 3])


def test_measurements_of_the_user():
    """Both vectors suffice."""

    class Diagonal(Measurements):
        def _matvec(self, x):
            return np.diag(x.reshape(self.matrix_shape))

        def _rmatvec(self, z):
            return np.diag(z).ravel()

    A, factor = Diagonal(3, (3, 3)), np.arange(6.0).reshape(3, 2)
    close(A.apply_factors(factor, factor), [1, 13, 41])
    close(A.adjoint_times(np.arange(3.0), factor), [[0, 0], [2, 3], [8, 10]])
    assert not A.fits_constant


NAN = np.array([[1.0, np.nan]])
BAD = {
    "a has entries that are NaN or infinite": lambda: RankOneMeasurements(NAN),
    "b has entries that are NaN": lambda: RankOneMeasurements([[1.0]], NAN),
    "a has entries that are NaN": lambda: RankOneMeasurements(sparse.csr_array(NAN)),
    "b has 1 rows, but a has 2": lambda: RankOneMeasurements(np.ones((2, 2)), np.ones((1, 2))),
    r"a has shape \(2,\)": lambda: RankOneMeasurements(np.ones(2)),
    r"a has shape \(0, 2\)": lambda: RankOneMeasurements(np.ones((0, 2))),
    "a has dtype": lambda: RankOneMeasurements([["x"]]),
    "b has dtype complex128": lambda: RankOneMeasurements([[1.0]], sparse.csr_array([[1j]])),
    "left has entries that are NaN": lambda: KroneckerMeasurements(NAN, [[1.0]]),
    r"right has shape \(1,\)": lambda: KroneckerMeasurements([[1.0]], [1.0]),
    r"rows has shape \(2,\) and columns \(1,\)": lambda: EntryMeasurements([0, 1], [0], (2, 2)),
    r"rows has shape \(1, 1\)": lambda: EntryMeasurements([[0]], [[0]], (2, 2)),
    "rows has indices from 0 to 2: from 0 to 1 is needed": lambda: EntryMeasurements(
        [0, 2], [0, 0], (2, 2)
    ),
    "columns has indices from -1": lambda: EntryMeasurements([0, 1], [0, -1], (2, 2)),
    "rows has dtype float64: integers are needed": lambda: EntryMeasurements([0.5], [0], (2, 2)),
    "columns has dtype bool": lambda: EntryMeasurements([0], [True], (2, 2)),
    "m=0": lambda: EntryMeasurements([], [], (2, 2)),
    "shape=5": lambda: EntryMeasurements([0], [0], 5),
    r"shape\[1\]=0": lambda: GaussianMeasurements(3, (2, 0)),
    "m=1.5": lambda: GaussianMeasurements(1.5, (2, 2)),
    "kept='no'": lambda: GaussianMeasurements(3, (2, 2), kept="no"),
    "random_state='x'": lambda: GaussianMeasurements(3, (2, 2), random_state="x"),
    "random_state=-1": lambda: TransformMeasurements(3, (2, 2), random_state=-1),
    "m=7: there are 6 coefficients": lambda: TransformMeasurements(7, (2, 3)),
    "m=9: there are 8 coefficients": lambda: TransformMeasurements(9, (2, 3), "hadamard"),
    "transform='fft'": lambda: TransformMeasurements(2, (2, 3), "fft"),
    "device='gpu'": lambda: RankOneMeasurements([[1.0]], device="gpu"),
    r"left has shape \(3, 1\): \(2, k\)": lambda: A_ENTRY.apply_factors(
        np.ones((3, 1)), np.ones((2, 1))
    ),
    r"right has shape \(2,\): \(2, k\)": lambda: A_ENTRY.adjoint_times(np.ones(1), np.ones(2)),
    "left has 1 columns, but right has 2": lambda: A_ENTRY.apply_factors(
        np.ones((2, 1)), np.ones((2, 2))
    ),
    r"z has shape \(2,\): \(1,\)": lambda: A_ENTRY.adjoint_times(np.ones(2), np.ones((2, 1))),
}
A_ENTRY = EntryMeasurements([0], [1], (2, 2))


@pytest.mark.parametrize("message", BAD)
def test_bad_input(message):
    with pytest.raises(ValueError, match=message):
        BAD[message]()


def test_too_much_to_keep():
    with pytest.raises(MemoryError, match="kept=False"):
        GaussianMeasurements(10**6, (10**5, 10**5), kept=True)
    assert not GaussianMeasurements(10**6, (10**5, 10**5)).kept
