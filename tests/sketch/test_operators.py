"""Each sketch is the matrix that it says it is, and a linear operator."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator, lsqr

from lowrank_la.sketch import SRHT, CountSketch, Gaussian, SparseSign
from tests.layouts import dense_forms, sparse_forms
from tests.sketch.problems import KINDS, explicit

RNG = np.random.default_rng(0)
A = RNG.integers(-50, 50, (60, 4)).astype(float)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.mark.parametrize("n", [1, 5, 1023, 1024, 1025, 2600])
@pytest.mark.parametrize("m", [1, 9, 21])
def test_matrix(kind, n, m, global_random_seed):
    options = {"nnz": min(m, 4)} if kind is SparseSign else {}
    S = kind(m, n, random_state=global_random_seed, **options)
    expected = explicit(S)
    np.testing.assert_allclose(S @ np.eye(n), expected, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(S.T @ np.eye(m), expected.T, rtol=1e-13, atol=1e-13)


def test_more_columns_than_a_tile(kind):
    X, S = RNG.normal(size=(1100, 70)), kind(20, 1100, random_state=1)
    np.testing.assert_allclose(S @ X, explicit(S) @ X, atol=1e-12)
    Y = RNG.normal(size=(20, 70))
    np.testing.assert_allclose(S.T @ Y, explicit(S).T @ Y, atol=1e-12)


def test_many_columns():
    """More than one thread's part of them."""
    X, S = RNG.normal(size=(30, 600)), SparseSign(16, 30, nnz=3, random_state=1)
    np.testing.assert_allclose(S @ X, explicit(S) @ X, atol=1e-12)


@pytest.mark.parametrize(("m", "nnz"), [(1, 1), (8, 8), (17, 5), (100, 8)])
def test_columns_of_sparse_signs(m, nnz):
    E = SparseSign(m, 200, nnz=nnz, random_state=0) @ np.eye(200)
    for begin in range(0, m // nnz * nnz, m // nnz):
        end = begin + m // nnz if begin < m // nnz * (nnz - 1) else m
        assert ((E[begin:end] != 0).sum(axis=0) == 1).all()
    np.testing.assert_allclose(np.abs(E[E != 0]), nnz**-0.5)


def test_count_sketch_is_a_sparse_sign_matrix():
    one, other = CountSketch(7, 50, random_state=3), SparseSign(7, 50, nnz=1, random_state=3)
    np.testing.assert_array_equal(one @ A[:50], other @ A[:50])


def test_no_matrix_depends_on_the_number_of_rows(kind):
    S, longer, open_ended = (kind(40, n, random_state=5) for n in (60, 3000, None))
    padded = np.r_[A, np.zeros((2940, 4))]
    np.testing.assert_array_equal(S @ A, open_ended @ A)
    np.testing.assert_array_equal(S @ A, longer @ padded)
    np.testing.assert_array_equal(S.T @ np.eye(40), (longer.T @ np.eye(40))[:60])


def test_seeds(kind):
    one, same, other = (kind(30, 60, random_state=seed) @ A for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    rng = np.random.default_rng(0)
    one, other = (kind(30, 60, random_state=rng) @ A for _ in range(2))
    assert not np.array_equal(one, other)
    S = kind(30, 60)
    np.testing.assert_array_equal(S @ A, S @ A)


def test_far_rows_differ(kind):
    """No part of a row's number is lost."""
    S, places = kind(40, random_state=0), [0, 1, 2**32, 2**32 + 2048, 2**61, 2**62 - 8]
    columns = [S.stream(place).update(np.eye(8)).result() for place in places]
    for i, one in enumerate(columns):
        for other in columns[:i]:
            assert not np.array_equal(one, other)


# Layouts and dtypes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layout_does_not_matter(kind, dtype, tmp_path):
    S, X = kind(20, 2500, random_state=0), RNG.normal(size=(2500, 40)).astype(dtype)
    X[RNG.random(X.shape) < 0.5] = 0
    expected = S @ X
    assert expected.dtype == dtype
    for name, form in {**dense_forms(X, tmp_path), **sparse_forms(X)}.items():
        kept = pickle.dumps(form)
        found = S @ form
        np.testing.assert_array_equal(found, expected, err_msg=name)
        assert type(found) is np.ndarray
        assert found.dtype == dtype, name
        assert pickle.dumps(form) == kept, name


@pytest.mark.parametrize("dtype", ["float16", "int8", "uint16", "int64", "longdouble", "bool"])
def test_other_numbers_are_converted(kind, dtype):
    S, X = kind(20, 60, random_state=0), A.astype(dtype)
    np.testing.assert_array_equal(S @ X, S @ X.astype(np.float64))
    if dtype not in ("float16", "longdouble"):
        np.testing.assert_array_equal(S @ sparse.csr_array(X), S @ X)


def test_float32_is_added_in_float64(kind):
    S, X = kind(20, 60, random_state=0), RNG.normal(size=(60, 3)).astype(np.float32)
    np.testing.assert_array_equal(S @ X, (S @ X.astype(np.float64)).astype(np.float32))
    Y = RNG.normal(size=(20, 3)).astype(np.float32)
    np.testing.assert_array_equal(S.T @ Y, (S.T @ Y.astype(np.float64)).astype(np.float32))


def test_lists_frames_and_vectors(kind):
    pandas = pytest.importorskip("pandas")
    S = kind(20, 60, random_state=0)
    np.testing.assert_array_equal(S @ A.tolist(), S @ A)
    np.testing.assert_array_equal(S @ pandas.DataFrame(A), S @ A)
    np.testing.assert_allclose(S @ A[:, 0], (S @ A)[:, 0], atol=1e-12)
    np.testing.assert_array_equal(S @ sparse.coo_array(A[:, 0]), S @ A[:, 0])
    assert (S @ A[:, 0]).shape == (20,)
    assert (S @ A[:, :1]).shape == (20, 1)
    assert (S @ A[:, :0]).shape == (20, 0)


# The manners of LinearOperator


def test_linear_operator(kind):
    S = kind(20, 60, random_state=0)
    E, b, y = S @ np.eye(60), A[:, 0], RNG.normal(size=20)
    assert isinstance(S, LinearOperator)
    assert aslinearoperator(S) is S
    assert (S.shape, S.T.shape, S.dtype) == ((20, 60), (60, 20), np.float64)
    assert S.T.T is S
    assert kind.__name__ in repr(S)
    for found, expected in [
        (S.matvec(b), E @ b), (S.rmatvec(y), E.T @ y), (S.matmat(A), E @ A), (S * b, E @ b),
        (S.rmatmat(y[:, None]), E.T @ y[:, None]), (S.adjoint() @ y, E.T @ y), (S.H @ y, E.T @ y),
        (S.T @ y, E.T @ y), (y @ S, y @ E), (A.T @ S.T, A.T @ E.T), ((2 * S) @ b, 2 * E @ b),
        ((S.T @ S) @ b, E.T @ E @ b), ((S + S) @ A, 2 * E @ A), (S.T.rmatvec(b), E @ b),
        (S.dot(A), E @ A), (S.T @ sparse.csr_array(np.eye(20)), E.T),
    ]:  # fmt: skip
        np.testing.assert_allclose(found, expected, atol=1e-11)


def test_lsqr_takes_them(kind):
    S, b = kind(200, 20, random_state=0), RNG.normal(size=200)
    expected = np.linalg.lstsq(explicit(S), b)[0]  # of least norm: columns may be equal
    np.testing.assert_allclose(lsqr(S, b, atol=1e-14, btol=1e-14)[0], expected, atol=1e-9)


def test_pickles(kind):
    S = kind(20, 60, random_state=0)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(S)) @ A, S @ A)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(S.T)) @ A[:20], S.T @ A[:20])


def test_new_memory_is_written_before_it_is_read(kind, monkeypatch):
    X, S = RNG.normal(size=(1500, 43)), kind(50, 1500, random_state=0)
    expected, empty = (S @ X, S.T @ X[:50]), np.empty

    def dirty(*args, **options):
        array = empty(*args, **options)
        array.view(np.uint8)[...] = 255  # NaN
        return array

    monkeypatch.setattr(np, "empty", dirty)
    np.testing.assert_array_equal(S @ X, expected[0])
    np.testing.assert_array_equal(S.T @ X[:50], expected[1])


@given(
    st.sampled_from(KINDS), st.integers(0, 9),
    arrays(float, (40, 3), elements=st.integers(-(2**20), 2**20)),
    arrays(float, (40, 3), elements=st.integers(-(2**20), 2**20)), st.integers(-8, 8),
)  # fmt: skip
def test_linear(kind, seed, X, Y, factor):
    S = kind(16, 40, random_state=seed)
    np.testing.assert_allclose(S @ (X + factor * Y), S @ X + factor * (S @ Y), atol=1e-6)


@given(st.sampled_from(KINDS), st.integers(1, 30), st.integers(1, 2100), st.integers(0, 9))
def test_adjoint(kind, m, n, seed):
    options = {"nnz": 1} if kind is SparseSign else {}
    S = kind(m, n, random_state=seed, **options)
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(n, 2)), rng.normal(size=(m, 2))
    np.testing.assert_allclose(Y.T @ (S @ X), (S.T @ Y).T @ X, rtol=1e-9, atol=1e-9)


# What is refused


BAD = {
    "complex": A + 1j,
    "words": np.full(A.shape, "word"),
    "objects": np.full(A.shape, object()),
    "nothing": None,
    "ragged": [[1.0], [1.0, 2.0]],
    "three dimensions": A[None],
    "NaN": np.where(np.arange(60)[:, None] == 3, np.nan, A),
    "infinity": np.where(np.arange(60)[:, None] == 3, np.inf, A),
    "infinity of both signs": np.where(np.arange(60)[:, None] % 2, np.inf, -np.inf) + A,
    "too few rows": A[1:],
    "too many rows": np.r_[A, A],
    "sparse NaN": sparse.csr_array(np.where(A[3, 0] == A, np.nan, A)),
    "sparse complex": sparse.csr_array(A + 1j),
}


@pytest.mark.parametrize("m", [16, 200])  # fewer than rows of the data, and more
@pytest.mark.parametrize("case", BAD)
def test_bad_data_are_named(kind, case, m):
    S, kept = kind(m, 60, random_state=0), pickle.dumps(BAD[case])
    with pytest.raises(ValueError, match=r"\bA\b"):
        S @ BAD[case]
    with pytest.raises(ValueError, match=r"\bY\b"):
        S.T @ BAD[case]
    assert pickle.dumps(BAD[case]) == kept


def test_overflow_is_told(kind):
    S = kind(9, 60, random_state=0)
    with pytest.raises(ValueError, match="A has .* too large"):
        S @ np.full((60, 2), 1e308)
    with pytest.raises(ValueError, match="A has .* too large"):
        S @ np.full((60, 2), 3e38, np.float32)
    if kind is not CountSketch:  # whose transpose adds nothing up
        with pytest.raises(ValueError, match="Y has .* too large"):
            kind(900, 60, random_state=0).T @ np.full((900, 2), 1e308)


BAD_OPTIONS = [
    ("m", value) for value in (0, -1, 2.5, 3.0, True, "three", None, np.nan, [], 2**31)
] + [("n", value) for value in (0, -1, 2.5, True, "three", np.nan, [], 2**62 + 1)] + [
    ("random_state", value) for value in (-1, "three", object(), 2.5)
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BAD_OPTIONS)
def test_bad_options_are_named(kind, name, value):
    with pytest.raises(ValueError, match=rf"\b{name}="):
        kind(**{"m": 20, "n": 60} | {name: value})


@pytest.mark.parametrize("nnz", [0, -1, 21, 1.5, True, None, "8"])
def test_bad_numbers_of_entries_are_named(nnz):
    with pytest.raises(ValueError, match=r"\bnnz="):
        SparseSign(20, 60, nnz=nnz)


def test_the_transpose_needs_n(kind):
    with pytest.raises(ValueError, match=r"\bn is not given"):
        kind(20).T @ A[:20]


def test_sizes_refuse(kind):
    for name, values in {
        "d": (0, 1.5, "3"),
        "eps": (0, 1, -1, np.nan),
        "delta": (0, 1, "a"),
    }.items():
        for value in values:
            with pytest.raises(ValueError, match=rf"\b{name}="):
                kind.size(**{"d": 5} | {name: value})


def test_srht_is_not_among_the_sparse():
    assert not isinstance(SRHT(3), SparseSign)
    assert not hasattr(Gaussian(3), "_nnz")


@pytest.mark.parametrize(("m", "n"), [(3, 5), (300, 1030)])
def test_the_entries_of_normal_sketches(m, n):
    """More rows and columns than are made at a time, and not a multiple of four."""
    S = Gaussian(m, n, random_state=0)
    found = S.toarray()
    some = np.r_[:2, n - 2 : n]
    np.testing.assert_allclose(found[:, some], S @ np.eye(n)[:, some], rtol=1e-12)
    np.testing.assert_allclose(found[:2], explicit(S)[:2], rtol=1e-12)


def test_all_entries_need_n_and_memory():
    with pytest.raises(ValueError, match=r"\bn is not given"):
        Gaussian(20).toarray()
    with pytest.raises(MemoryError, match="the entries would take"):
        Gaussian(10**6, 10**9).toarray()
    with pytest.raises(ValueError, match="device='gpu'"):
        Gaussian(2, 3).toarray("gpu")
