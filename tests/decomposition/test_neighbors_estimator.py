"""The estimator: exact values within the budget, of whatever can be compared."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.metrics.pairwise import (
    PAIRWISE_KERNEL_FUNCTIONS,
    cosine_similarity,
    pairwise_kernels,
    rbf_kernel,
)
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_info, threadpool_limits

from lowrank_la.decomposition import CURNeighbors, _neighbors
from lowrank_la.decomposition import _estimators_neighbors as _estimators
from tests.reference import cur_neighbors as reference
from tests.strategies import integers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 5))
Q = RNG.normal(size=(7, 5))
equal = np.testing.assert_array_equal
both_strategies = pytest.mark.parametrize("strategy", ["adaptive", "fixed"])
strategies = st.sampled_from(["adaptive", "fixed"])


class Table:
    """A similarity of numbers that stand for rows and columns of a matrix; it counts."""

    def __init__(self, matrix):
        self.matrix = matrix
        self.forget()

    def forget(self):
        self.counts, self.calls = np.zeros(self.matrix.shape, int), 0

    def __call__(self, queries, items):
        self.calls += 1
        self.counts[np.ix_(queries, items)] += 1
        return self.matrix[np.ix_(queries, items)]


def fitted(matrix, k=3, n_anchor_queries=None, **options):
    """Neighbours of columns; the first rows are the anchor queries."""
    table = Table(matrix)
    neighbors = CURNeighbors(k, similarity=table, random_state=0, **options)
    anchor_queries = np.arange(n_anchor_queries or len(matrix) // 2)
    neighbors.fit(np.arange(matrix.shape[1]), anchor_queries=anchor_queries)
    assert neighbors.n_fit_evaluations_ == table.counts.sum()
    assert table.counts.max() <= 1
    table.forget()
    return neighbors, table


def low_rank(rng, n_queries, n_items, rank):
    return rng.normal(size=(n_queries, rank)) @ rng.normal(size=(rank, n_items))


def brute_force(matrix, k):
    return np.array([reference.brute_force(row, k) for row in matrix])


@parametrize_with_checks(
    [
        CURNeighbors(2, budget=8, random_state=0),
        CURNeighbors(1, similarity="rbf", budget=3, strategy="fixed", n_anchors=3),
        CURNeighbors(2, similarity="linear", budget=0.5, random_state=0),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# What is promised


@st.composite
def tables(draw):
    """Small integers, so that there are ties and duplicates, or anything."""
    shape = draw(st.integers(2, 12)), draw(st.integers(1, 30))
    if draw(st.booleans()):
        return draw(integers(shape, -1, draw(st.sampled_from([1, 3])))).astype(float)
    return np.random.default_rng(draw(st.integers(0, 999))).normal(size=shape)


@given(tables(), strategies, st.data())
def test_the_budget_is_kept_and_values_are_exact(matrix, strategy, data):
    n_items = matrix.shape[1]
    k = data.draw(st.integers(1, n_items))
    budget = data.draw(st.integers(k, n_items + 3))
    n_anchors = data.draw(st.none() | st.integers(1, min(budget, n_items)))
    options = {"budget": budget, "n_anchors": n_anchors, "strategy": strategy}
    neighbors, table = fitted(matrix, k, **options)
    queries = np.arange(len(matrix))
    values, indices = neighbors.kneighbors(queries)
    assert neighbors.budget_ == min(budget, n_items)
    assert (table.counts.sum(axis=1) == neighbors.budget_).all()
    assert table.counts.max() <= 1
    assert values.shape == indices.shape == (len(matrix), k)
    assert indices.dtype == np.int64 and values.dtype == matrix.dtype
    equal(values, np.take_along_axis(matrix, indices, axis=1))
    equal(values, -np.sort(-values, axis=1))
    assert all(len(set(row)) == k for row in indices)
    for query, row in enumerate(indices):  # the best of all that were seen
        seen = np.flatnonzero(table.counts[query])
        equal(row, reference.brute_force(matrix[query], k, seen))
    if neighbors.budget_ == n_items:
        equal(indices, brute_force(matrix, k))
        assert neighbors.n_fit_evaluations_ == 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 4), strategies)
def test_exact_where_the_rank_is_that_of_the_anchors(seed, rank, k, strategy):
    matrix = low_rank(np.random.default_rng(seed), 30, 60, rank)
    options = {"n_anchors": rank, "budget": rank + k, "strategy": strategy}
    neighbors, _ = fitted(matrix, k, n_anchor_queries=2 * rank + 2, **options)
    indices = neighbors.kneighbors(np.arange(30), return_distance=False)
    equal(indices, brute_force(matrix, k))


@given(st.integers(0, 2**32 - 1), strategies)
def test_permuted_items_give_the_permuted_answer(seed, strategy):
    rng = np.random.default_rng(seed)
    matrix = low_rank(rng, 24, 50, 8) + 0.1 * rng.normal(size=(24, 50))
    order = rng.permutation(50)
    options = {"budget": 16, "strategy": strategy}
    found = [
        fitted(form, **options)[0].kneighbors(np.arange(24)) for form in (matrix, matrix[:, order])
    ]
    equal(found[0][0], found[1][0])
    equal(found[0][1], order[found[1][1]])


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-200, 1e-3, 7.0, 1e200]), strategies)
def test_units_of_the_similarity_do_not_matter(seed, unit, strategy):
    rng = np.random.default_rng(seed)
    matrix = low_rank(rng, 24, 50, 8) + 0.1 * rng.normal(size=(24, 50))
    units = unit ** rng.random((24, 1)) if seed % 2 else unit  # of each query, too
    options = {"budget": 16, "strategy": strategy}
    found = [
        fitted(form, **options)[0].kneighbors(np.arange(24)) for form in (matrix, units * matrix)
    ]
    equal(found[0][1], found[1][1])


@both_strategies
def test_items_are_not_their_own_neighbors(strategy):
    similarity = Table(rbf_kernel(X))
    for budget in (4, 20, 80):
        similarity.forget()
        neighbors = CURNeighbors(
            3, similarity=similarity, budget=budget, strategy=strategy, random_state=0
        ).fit(np.arange(80))
        similarity.forget()
        values, indices = neighbors.kneighbors()
        assert similarity.counts.sum(axis=1).max() <= budget
        asked = np.flatnonzero(similarity.counts.diagonal())
        equal(asked, np.sort(neighbors.anchor_indices_))
        assert (indices != np.arange(80)[:, None]).all()
        equal(values, np.take_along_axis(similarity.matrix, indices, axis=1))
    expected = NearestNeighbors(n_neighbors=3).fit(X).kneighbors(return_distance=False)
    equal(indices, expected)
    with pytest.raises(ValueError, match=r"n_neighbors=80: at most 79 .* itself"):
        neighbors.kneighbors(n_neighbors=80)


def test_rounds():
    """One call for the anchors of all queries, then one for each query and round."""
    matrix = low_rank(RNG, 30, 90, 25)
    for strategy, n_anchors, rounds in [("adaptive", 5, 3), ("adaptive", None, 9), ("fixed", 5, 1)]:
        options = {"budget": 20, "strategy": strategy, "n_anchors": n_anchors}
        neighbors, table = fitted(matrix, n_anchor_queries=26, **options)
        assert len(neighbors.anchor_indices_) == (n_anchors or 2)
        neighbors.kneighbors(np.arange(30))
        assert table.calls == 1 + 30 * rounds
        assert (table.counts[:, neighbors.anchor_indices_] == 1).all()


def test_anchor_queries_are_drawn_from_the_items():
    seen = []

    def similarity(queries, items):
        seen.append(np.array(queries))
        return rbf_kernel(queries, items)

    neighbors = CURNeighbors(2, similarity=similarity, budget=10, random_state=0).fit(X)
    assert neighbors.n_fit_evaluations_ == 20 * 80
    drawn = np.concatenate(seen)
    assert (
        len(np.unique(drawn, axis=0)) == 20 and (drawn[:, None] == X).all(axis=2).any(axis=1).all()
    )


# Cases that are hard


CASES = {
    "constant": np.ones((8, 20)),
    "zero": np.zeros((8, 20)),
    "negative": -np.arange(160.0).reshape(8, 20) - 1,
    "equal items": np.repeat(RNG.normal(size=(8, 4)), 5, axis=1),
    "equal queries": np.repeat(RNG.normal(size=(1, 20)), 8, axis=0),
    "one query unlike the others": np.eye(8, 20) * 1e8 + RNG.normal(size=(8, 20)),
    "identity": np.eye(20)[:8],
    "huge": RNG.normal(size=(8, 20)) * 1e307,
    "subnormal": RNG.normal(size=(8, 20)) * 1e-310,
}


@both_strategies
@pytest.mark.parametrize("case", CASES)
def test_hard_cases(case, strategy):
    matrix = CASES[case]
    for k, budget in [(1, 1), (3, 3), (3, 7), (20, 20), (5, 19)]:
        neighbors, table = fitted(matrix, k, budget=budget, strategy=strategy, n_anchor_queries=6)
        values, indices = neighbors.kneighbors(np.arange(8))
        assert (table.counts.sum(axis=1) == budget).all() and table.counts.max() == 1
        equal(values, np.take_along_axis(matrix, indices, axis=1))
    if case in ("constant", "zero", "equal queries"):
        neighbors, _ = fitted(matrix, 5, budget=10, strategy=strategy, n_anchor_queries=6)
        values = neighbors.kneighbors(np.arange(8))[0]
        equal(values, -np.sort(-matrix, axis=1)[:, :5])


def test_one_item_one_query_one_anchor_query():
    neighbors = CURNeighbors(1).fit(X[:1])
    values, indices = neighbors.kneighbors(X[:1])
    assert values == pytest.approx(1.0) and indices == [[0]]
    with pytest.raises(ValueError, match="n_neighbors=1: at most 0"):
        neighbors.kneighbors()
    neighbors = CURNeighbors(1, budget=5, similarity="rbf").fit(X, anchor_queries=X[3:4])
    assert neighbors.kneighbors(X[3:4])[1] == [[3]]


def test_zero_vectors():
    rows = np.r_[np.zeros((20, 5)), X]
    values, indices = CURNeighbors(4, budget=30, random_state=0).fit(rows).kneighbors(rows[:3])
    equal(values, np.zeros((3, 4)))
    assert len(np.unique(indices[0])) == 4


# What can be compared


def overlap(queries, items):
    """Letters that two words share."""
    return np.array([[len({*q} & {*i}) / len({*q} | {*i}) for i in items] for q in queries])


def rows_in_common(queries, items):
    queries, items = (np.reshape(rows, (len(rows), -1)) for rows in (queries, items))
    return cosine_similarity(queries, items)


def frames_in_common(queries, items):
    assert list(queries.columns) == list(items.columns) == list("abcde")
    return cosine_similarity(np.asarray(queries), np.asarray(items))


def words(n):
    return ["".join(RNG.choice(list("abcdefgh"), 5)) for _ in range(n)]


@pytest.mark.parametrize("own_anchors", [False, True])
@pytest.mark.parametrize(
    ("items", "similarity"),
    [
        (words(80), overlap),
        (tuple(words(80)), overlap),
        (np.array(words(80)), overlap),
        (np.array(words(80), dtype=object), overlap),
        (pd.Series(words(80), index=np.arange(80)[::-1]), overlap),
        ([list(word) for word in words(80)], overlap),
        (X.reshape(80, 5, 1), rows_in_common),
        (list(X), rows_in_common),
        (pd.DataFrame(X, columns=list("abcde"), index=np.arange(80) % 3), frames_in_common),
        (sparse.csr_array(X), cosine_similarity),
        (sparse.coo_matrix(X), cosine_similarity),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_items_of_any_kind(items, similarity, own_anchors):
    kept = pickle.dumps(items)
    some = items.tocsr()[:30] if sparse.issparse(items) else items[:30]
    some = items.iloc[:30] if hasattr(items, "iloc") else some
    neighbors = CURNeighbors(3, similarity=similarity, budget=30, random_state=0)
    neighbors.fit(items, anchor_queries=some if own_anchors else None)
    values, indices = neighbors.kneighbors(some)
    matrix = similarity(*(np.asarray(v) if isinstance(v, pd.Series) else v for v in (some, items)))
    np.testing.assert_allclose(values, np.take_along_axis(matrix, indices, axis=1), rtol=1e-12)
    assert (values[:, 0] > 0.99).all(), "each is found itself"
    assert not hasattr(neighbors, "n_features_in_")
    assert pickle.dumps(items) == kept


def test_polars():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(X, schema=list("abcde"))
    neighbors = CURNeighbors(3, similarity=frames_in_common, budget=30, random_state=0)
    indices = neighbors.fit(frame).kneighbors(frame[:9])[1]
    equal(indices[:, 0], np.arange(9))


@pytest.mark.parametrize("name", PAIRWISE_KERNEL_FUNCTIONS)
def test_kernels_by_name(name):
    rows = np.abs(X)
    neighbors = CURNeighbors(3, similarity=name, budget=30, random_state=0).fit(rows)
    values, indices = neighbors.kneighbors(rows[:9])
    matrix = PAIRWISE_KERNEL_FUNCTIONS[name](rows[:9], rows)
    np.testing.assert_allclose(values, np.take_along_axis(matrix, indices, axis=1))
    assert neighbors.n_features_in_ == 5


def test_float32():
    neighbors = CURNeighbors(3, budget=30, random_state=0).fit(X.astype(np.float32))
    assert neighbors.kneighbors(Q.astype(np.float32))[0].dtype == np.float32


def test_integers_are_similarities_too():
    matrix = RNG.integers(0, 9, (20, 40))
    neighbors, _ = fitted(matrix, budget=12)
    values, indices = neighbors.kneighbors(np.arange(20))
    equal(values, np.take_along_axis(matrix, indices, axis=1))


def test_sparse_rows():
    rows = sparse.random_array((80, 30), density=0.2, rng=0, format="csr")
    found = [
        CURNeighbors(3, budget=30, random_state=0).fit(form).kneighbors(form[:9])[1]
        for form in (rows, rows.toarray())
    ]
    equal(*found)


def test_budget_as_a_fraction_and_by_default():
    assert CURNeighbors(2, budget=0.29).fit(np.r_[X, X][:100]).budget_ == 29
    assert CURNeighbors(2).fit(X).budget_ == 40
    assert CURNeighbors(10).fit(X).budget_ == 80


def test_graph():
    neighbors = CURNeighbors(3, budget=30, random_state=0).fit(X)
    values, indices = neighbors.kneighbors(Q, 4)
    for mode, expected in [("connectivity", np.ones((7, 4))), ("similarity", values)]:
        graph = neighbors.kneighbors_graph(Q, 4, mode)
        assert sparse.isspmatrix_csr(graph) and graph.shape == (7, 80)
        equal(graph.indices.reshape(7, 4), indices)
        equal(graph.data.reshape(7, 4), expected)
    assert neighbors.kneighbors_graph().shape == (80, 80)
    assert not neighbors.kneighbors_graph().diagonal().any()


def test_a_refit_forgets_features():
    neighbors = CURNeighbors(3).fit(pd.DataFrame(X, columns=list("abcde")))
    assert neighbors.n_features_in_ == 5 and list(neighbors.feature_names_in_) == list("abcde")
    neighbors.set_params(similarity=overlap).fit(words(30))
    assert not hasattr(neighbors, "n_features_in_") and not hasattr(neighbors, "feature_names_in_")


# What is refused


def refused(match, call, *args, **options):
    with pytest.raises(ValueError, match=match):
        call(*args, **options)


WRONG = {
    "transposed": (lambda q, i: np.zeros((len(i), len(q))), r"shape \(80, 20\).* \(20, 80\)"),
    "flat": (lambda q, i: np.zeros(len(i)), "shape"),
    "nothing": (lambda q, i: None, "similarity"),
    "a number": (lambda q, i: 1.0, "shape"),
    "words": (lambda q, i: np.full((len(q), len(i)), "a"), "similarity.*dtype"),
    "complex": (lambda q, i: np.full((len(q), len(i)), 1j), "similarity.*dtype"),
    "sparse": (lambda q, i: sparse.csr_array((len(q), len(i))), "similarity.*sparse"),
    "NaN": (lambda q, i: np.full((len(q), len(i)), np.nan), "similarity.*NaN"),
    "infinite": (lambda q, i: np.full((len(q), len(i)), -np.inf), "similarity.*infinite"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_similarities_that_are_none(wrong):
    similarity, message = WRONG[wrong]
    neighbors = CURNeighbors(2, similarity=similarity, budget=10)
    refused(message, neighbors.fit, X)
    assert not [name for name in vars(neighbors) if name.endswith("_")]
    neighbors.set_params(similarity=rbf_kernel).fit(X)
    before = pickle.dumps(neighbors)
    neighbors.set_params(similarity=similarity)
    refused("similarity", neighbors.kneighbors, Q)
    refused("similarity", neighbors.fit, X)
    assert pickle.dumps(neighbors.set_params(similarity=rbf_kernel)) == before


def test_a_later_round_that_fails():
    def similarity(queries, items):
        return np.full((len(queries), len(items)), np.nan if len(queries) == 1 else 1.0)

    neighbors = CURNeighbors(2, similarity=similarity, budget=10).fit(X)
    refused("similarity.*NaN", neighbors.kneighbors, Q)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"n_neighbors": 2.5}, "n_neighbors"),
        ({"n_neighbors": 81}, "n_neighbors=81.*80"),
        ({"budget": 0}, "budget"),
        ({"budget": 1.5}, "budget"),
        ({"budget": np.nan}, "budget"),
        ({"budget": 2}, "budget=2 .*n_neighbors=3"),
        ({"budget": 0.01}, "budget=0.01 is 0 .*n_neighbors=3"),
        ({"n_anchors": 0}, "n_anchors"),
        ({"n_anchors": 11, "budget": 10}, "n_anchors=11 exceeds the 10"),
        ({"strategy": "best"}, "strategy"),
        ({"similarity": "euclidean"}, "similarity"),
        ({"similarity": None}, "similarity"),
        ({"random_state": "now"}, "random_state"),
    ],
)
def test_options_out_of_range(options, message):
    refused(message, CURNeighbors(**{"n_neighbors": 3, **options}).fit, X)


@pytest.mark.parametrize("n_neighbors", [0, -1, 31, 2.0, "two", True])
def test_numbers_of_neighbors_that_cannot_be(n_neighbors):
    refused("n_neighbors", CURNeighbors(3, budget=30).fit(X).kneighbors, Q, n_neighbors)


NO_SAMPLES = [[], "word", b"word", {"a": 1}, {1, 2}, 3.0, None, iter([1])]


@pytest.mark.parametrize("bad", NO_SAMPLES, ids=lambda bad: type(bad).__name__)
def test_what_cannot_be_indexed(bad):
    neighbors = CURNeighbors(3, similarity=overlap, budget=30)
    refused("^X is", neighbors.fit, bad)
    if bad is not None:
        refused("^anchor_queries is", neighbors.fit, words(80), anchor_queries=bad)
        refused("^X is", neighbors.fit(words(80)).kneighbors, bad)


def test_queries_that_are_unlike_the_items():
    neighbors = CURNeighbors(3, budget=30).fit(X)
    refused("4 features", neighbors.kneighbors, Q[:, :4])
    refused("anchor_queries: .*4 features", neighbors.fit, X, anchor_queries=Q[:, :4])
    refused("anchor_queries: .*NaN", neighbors.fit, X, anchor_queries=Q * np.nan)
    refused("NaN", neighbors.kneighbors, Q * np.nan)
    refused("mode", neighbors.kneighbors_graph, Q, mode="distance")


def test_anchor_queries_that_would_not_fit_in_memory(monkeypatch):
    monkeypatch.setattr("lowrank_la._support.validation._physical_memory", lambda: 20_000)
    with pytest.raises(MemoryError, match="anchor_queries"):
        CURNeighbors(3, budget=30).fit(X)


def test_before_fit():
    with pytest.raises(NotFittedError):
        CURNeighbors().kneighbors(X)


# The same bits


FINGERPRINT = """
import hashlib
import numpy as np
from lowrank_la.decomposition import CURNeighbors
X = np.random.default_rng(0).normal(size=(2000, 60))
neighbors = CURNeighbors(5, similarity="rbf", budget=150, random_state=0).fit(X)
found = *neighbors.kneighbors(X[:300]), neighbors._search.factors.vectors
print(hashlib.sha256(b"".join(array.tobytes() for array in found)).hexdigest())
"""


def test_nothing_depends_on_the_number_of_threads(run_python):
    assert len({run_python("-c", FINGERPRINT, OPENBLAS_NUM_THREADS=n) for n in ("1", "2")}) == 1


def test_bits_that_count_come_from_one_thread(monkeypatch):
    seen = []

    def watched(function):
        def watch(*arguments):
            blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
            seen.append((function.__name__, max(blas)))
            return function(*arguments)

        return watch

    for module, function in [(_neighbors, _neighbors._ridge), (_estimators, pairwise_kernels)]:
        monkeypatch.setattr(module, function.__name__, watched(function))
    with threadpool_limits(2):
        CURNeighbors(3, budget=30, random_state=0).fit(X).kneighbors(Q)
    assert set(seen) == {("_ridge", 1), ("pairwise_kernels", 1)}


def test_new_memory_is_written_before_it_is_read(monkeypatch):
    estimator, empty = CURNeighbors(5, budget=30, random_state=0), np.empty
    expected = clone(estimator).fit(X).kneighbors(Q)
    for value in (np.nan, 1e30):

        def dirty(shape, dtype=float, value=value, **options):
            array = empty(shape, dtype, **options)
            array[...] = value if array.dtype.kind == "f" else 0
            return array

        monkeypatch.setattr(np, "empty", dirty)
        for one, other in zip(clone(estimator).fit(X).kneighbors(Q), expected, strict=True):
            equal(one, other)


def test_random_states():
    draws = [
        CURNeighbors(3, budget=20, random_state=state).fit(X)._search.factors.vectors
        for state in (0, 0, 1, np.random.default_rng(0), np.random.RandomState(0))
    ]
    equal(draws[0], draws[1])
    equal(draws[0], draws[3])
    assert not np.array_equal(draws[0], draws[2])


# Real data


def unit(rows):
    return rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))


def shifted_cosines(queries, items):
    """The largest cosine of an image and the shifts of a query by one pixel, or none."""
    padded, items = np.zeros((len(queries), 10, 10)), unit(items).T
    padded[:, 1:9, 1:9] = queries.reshape(-1, 8, 8)
    shifts = [padded[:, i : i + 8, j : j + 8] for i in range(3) for j in range(3)]
    return np.max([unit(shift.reshape(-1, 64)) @ items for shift in shifts], axis=0)


@pytest.fixture(scope="module")
def digits():
    images = load_digits().data
    images = images[np.random.default_rng(0).permutation(len(images))]
    items, anchor_queries, queries = images[:1200], images[1200:1500], images[1500:]
    return items, anchor_queries, queries, shifted_cosines(queries, items)


@pytest.mark.parametrize(
    ("options", "least"),
    [
        ({"budget": 60}, 0.98),
        ({"budget": 0.05, "strategy": "fixed"}, 0.88),
        ({"budget": 120}, 0.995),
        ({"budget": 120, "strategy": "fixed"}, 0.98),
    ],
)
def test_digits(digits, options, least):
    items, anchor_queries, queries, matrix = digits
    neighbors = CURNeighbors(10, similarity=shifted_cosines, **options)
    neighbors.fit(items, anchor_queries=anchor_queries)
    indices = neighbors.kneighbors(queries, return_distance=False)
    recall = (indices[:, :, None] == brute_force(matrix, 10)[:, None]).any(axis=2).mean()
    assert recall >= least


def test_digits_without_anchor_queries(digits):
    items, _, queries, matrix = digits
    neighbors = CURNeighbors(10, similarity=shifted_cosines, budget=60, random_state=0).fit(items)
    indices = neighbors.kneighbors(queries, return_distance=False)
    assert neighbors.n_fit_evaluations_ == 120 * 1200
    assert (indices[:, :, None] == brute_force(matrix, 10)[:, None]).any(axis=2).mean() >= 0.96
