"""The same bits however rows come, on any number of threads; parts add up."""

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from lowrank_la._support.executor import map_merge
from lowrank_la.sketch import SRHT, _operators, _streams
from tests.sketch.problems import KINDS

RNG = np.random.default_rng(0)
A = RNG.normal(size=(3000, 5)) * (RNG.random((3000, 5)) < 0.7)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@given(
    st.sampled_from(KINDS), st.integers(1, 60), st.integers(0, 3000), st.booleans(),
    st.lists(st.one_of(st.integers(0, 3), st.integers(0, 1500), st.just(1024)), max_size=9),
    st.sampled_from([np.float32, np.float64]), st.integers(1, 3),
)  # fmt: skip
def test_any_chunks(kind, m, n, asked, sizes, dtype, n_threads):
    S = kind(max(m, 8), random_state=m)
    X, ends = A[:n].astype(dtype), np.minimum(np.cumsum([0, *sizes, n]), n)
    stream = S.stream()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_streams, "thread_count", lambda: n_threads)
        for step, (lo, hi) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
            rows = X[lo:hi]
            form = [rows, np.asfortranarray(rows), sparse.csr_array(rows)][step % 3]
            assert stream.update(form) is stream
            assert stream.n_rows == hi
            if asked:
                np.testing.assert_array_equal(stream.result(), S @ X[:hi])
    result = stream.result()
    np.testing.assert_array_equal(result, S @ X)
    assert result.dtype == dtype


def test_any_number_of_threads(kind, monkeypatch):
    """With more blocks than threads, in one go."""
    X, S = RNG.normal(size=(5000, 300)), kind(300, random_state=0)
    results = []
    for n_threads in (1, 2, 3, 5):
        for module in (_streams, _operators):
            monkeypatch.setattr(module, "thread_count", lambda n=n_threads: n)
        results.append((S @ X, kind(300, 5000, random_state=0).T @ X[:300]))
    for product, transposed in results[1:]:
        np.testing.assert_array_equal(product, results[0][0])
        np.testing.assert_array_equal(transposed, results[0][1])


def test_row_by_row(kind):
    S = kind(16, random_state=0)
    stream = S.stream()
    for row in A[:1100]:
        stream.update(row[None])
    np.testing.assert_array_equal(stream.result(), S @ A[:1100])


def test_pieces_of_large_blocks(kind, monkeypatch):
    """As of data that are too large to be copied at once."""
    expected = kind(16, random_state=0) @ A
    monkeypatch.setattr("lowrank_la.sketch._streams._ENTRIES", 1)
    for form in (A, np.asfortranarray(A), sparse.csr_array(A), A[:, ::-1][:, ::-1]):
        np.testing.assert_array_equal(kind(16, random_state=0) @ form, expected)
    integers = np.round(100 * A).astype(np.int64)
    S = kind(16, random_state=0)
    np.testing.assert_array_equal(S @ sparse.csr_array(integers), S @ integers)


def sketch_rows(S, data, rows):
    """Sketch some rows: the task of a worker."""
    return S.stream(rows[0]).update(data[slice(*rows)]).result()


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor, ProcessPoolExecutor])
def test_parts_add_up(kind, executor):
    S, parts = kind(40, random_state=0), [(0, 700), (700, 1024), (1024, 2500), (2500, 3000)]
    serial = map_merge(None, partial(sketch_rows, S, A), parts, np.add)
    np.testing.assert_allclose(serial, S @ A, atol=1e-12)
    if executor:
        with executor(2) as pool:
            spread = map_merge(pool, partial(sketch_rows, S, A), parts, np.add)
        np.testing.assert_array_equal(spread, serial)


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda stream: pickle.loads(pickle.dumps(stream))]
)
def test_streams_can_be_kept(kind, clone):
    S = kind(16, random_state=0)
    stream = S.stream().update(A[:1500])
    kept = clone(stream)
    stream.update(A[1500:])
    np.testing.assert_array_equal(kept.result(), S @ A[:1500])
    np.testing.assert_array_equal(kept.update(A[1500:]).result(), stream.result())


def test_results_are_apart(kind):
    stream = kind(16, random_state=0).stream().update(A[:1500])
    first = stream.result()
    kept = first.copy()
    stream.update(A[1500:])
    np.testing.assert_array_equal(first, kept)
    first[:] = np.nan
    assert np.isfinite(stream.result()).all()


def test_precision_is_the_widest(kind):
    stream = kind(16, random_state=0).stream().update(A[:10].astype(np.float32))
    assert stream.result().dtype == np.float32
    assert stream.update(A[:10]).update(A[:10].astype(np.float32)).result().dtype == np.float64


def test_no_rows(kind):
    S = kind(16, random_state=0)
    np.testing.assert_array_equal(S.stream().update(A[:0]).result(), np.zeros((16, 5)))
    np.testing.assert_array_equal(S.stream(5).update(A[:0]).result(), np.zeros((16, 5)))
    with pytest.raises(ValueError, match="block"):
        S.stream().result()


def test_what_is_refused(kind):
    stream = kind(16, 1000, random_state=0).stream(100).update(A[:500])
    before = stream.result()
    bad = A[:5].copy()
    bad[2, 3] = np.nan
    for block in (
        A[:5, :4],
        A[:401],
        A[0],
        A[:5] + 1j,
        bad,
        sparse.csr_array(bad),
        None,
        [[1], [1, 2]],
    ):
        with pytest.raises(ValueError, match=r"\bblock\b"):
            stream.update(block)
        np.testing.assert_array_equal(stream.result(), before)
    for first_row in (-1, 1.5, None, "0"):
        with pytest.raises(ValueError, match=r"\bfirst_row="):
            SRHT(16).stream(first_row)
    with pytest.raises(ValueError, match=r"\bdevice="):
        SRHT(16).stream(device="tpu").update(A)


def test_what_is_not_finite_is_never_forgotten(kind):
    """Many rows are only looked at after they were added."""
    stream, bad = kind(16, random_state=0).stream(), A.copy()
    bad[7, 1] = np.inf
    with pytest.raises(ValueError, match=r"\bblock\b"):
        stream.update(bad)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"\bblock\b"):
            stream.result()
