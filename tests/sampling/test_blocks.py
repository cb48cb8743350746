"""Coresets of rows in blocks: the same on any executor, and as good as from all rows at once."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky import ProcessPoolExecutor
from scipy import sparse
from scipy.stats import chisquare
from sklearn.linear_model import LinearRegression

from lowrank_la.sampling import Coreset, RowSampler, coreset
from tests.sampling.test_estimators import CLASSES, RNG, X, Y, houses  # noqa: F401 (a fixture)

SIZES = {
    "one": (),
    "two": (900,),
    "many": (10, 40, 500, 501, 900, 1400, 1990),
    "alike": range(200, 2000, 200),
}
sampler = RowSampler(n_samples=150, random_state=0)


def blocks(*arrays, at=SIZES["many"]):
    parts = [np.split(np.arange(len(Y)), at)] * len(arrays)
    for rows in zip(*parts, strict=True):
        part = tuple(array[index] for array, index in zip(arrays, rows, strict=True))
        yield part[0] if len(part) == 1 else part


def block(rows):
    return X[rows], Y[rows]


def assert_same(one, other):
    for name in ("X", "y", "sample_weight", "indices"):
        first, second = getattr(one, name), getattr(other, name)
        if sparse.issparse(first):
            first, second = first.toarray(), second.toarray()
        np.testing.assert_array_equal(first, second)
    assert one.n_rows == other.n_rows


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("sizes", SIZES)
def test_rows_are_those_of_the_blocks(sizes, replace):
    weights = RNG.random(2000)
    drawn = RowSampler(n_samples=150, replace=replace, random_state=0)
    found = coreset(blocks(X, Y, weights, at=SIZES[sizes]), drawn)
    assert isinstance(found, Coreset)
    assert found.n_rows == 2000
    assert len(found.indices) <= 150
    assert np.all(np.diff(found.indices) > 0)
    np.testing.assert_array_equal(found.X, X[found.indices])
    np.testing.assert_array_equal(found.y, Y[found.indices])
    assert found.sample_weight.shape == found.indices.shape
    assert np.all(found.sample_weight > 0)
    assert found.sample_weight.sum() == pytest.approx(weights.sum(), rel=0.5)


@pytest.mark.parametrize("executor", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_any_executor(executor):
    with executor(2) as pool:
        assert_same(coreset(blocks(X, Y), sampler, executor=pool), coreset(blocks(X, Y), sampler))


@pytest.mark.parametrize("pool", [None, ThreadPoolExecutor(2)], ids=["here", "threads"])
def test_functions_as_blocks(pool):
    functions = (partial(block, rows) for rows in np.split(np.arange(2000), SIZES["many"]))
    assert_same(coreset(functions, sampler, executor=pool), coreset(blocks(X, Y), sampler))


@pytest.mark.parametrize(
    "form", [sparse.csr_array, sparse.csr_matrix, sparse.csc_array, sparse.coo_array]
)
def test_sparse_blocks(form):
    rows = X * (X > 0)
    parts = [(form(part), targets) for part, targets in blocks(rows, Y)]
    kept = pickle.dumps(parts)
    found = coreset(parts, sampler)
    assert pickle.dumps(parts) == kept
    assert sparse.issparse(found.X)
    np.testing.assert_array_equal(found.X.toarray(), rows[found.indices])
    assert found.sample_weight.sum() == pytest.approx(2000, rel=0.5)


def test_other_blocks():
    frames = [pd.DataFrame(part, columns=list("abcd")) for part in blocks(X)]
    assert_same(coreset(frames, sampler), coreset(blocks(X), sampler))
    assert coreset(frames, sampler).feature_names.tolist() == list("abcd")
    assert coreset(blocks(X), sampler).feature_names is None
    assert coreset(blocks(X), sampler).y is None
    lists = [(part.tolist(), targets.tolist()) for part, targets in blocks(X, Y)]
    assert_same(coreset(lists, sampler), coreset(blocks(X, Y), sampler))
    single = coreset(blocks(X.astype(np.float32)), sampler)
    assert single.X.dtype == np.float32
    targets = coreset(blocks(X, np.c_[Y, -Y]), sampler).y
    np.testing.assert_array_equal(targets[:, 0], -targets[:, 1])
    labels = coreset(blocks(X, CLASSES), sampler).y
    assert set(labels) == {"yes", "no", "seldom"}


def test_inputs_are_kept():
    parts = list(blocks(X.copy(), Y.copy(), RNG.random(2000)))
    for part in parts:
        for array in part:
            array.flags.writeable = False
    kept = pickle.dumps(parts)
    generator = np.random.RandomState(0)
    drawn = RowSampler(n_samples=150, random_state=generator)
    one, other = (coreset(parts, drawn) for _ in range(2))
    assert one.indices.tolist() != other.indices.tolist()
    assert pickle.dumps(parts) == kept
    assert not hasattr(drawn, "scores_")


@pytest.mark.parametrize("at", [0, 50, 1400, 1999])
@pytest.mark.parametrize("scores", ["lewis", "leverage"])
@pytest.mark.parametrize("p", [1, 2])
def test_a_row_of_leverage_one_survives(p, scores, at):
    rows = np.c_[X[:, :2], np.arange(2000) == at]
    for seed in range(3):
        drawn = RowSampler(scores, p=p, n_samples=20, random_state=seed)
        found = coreset(blocks(rows), drawn)
        assert found.sample_weight[found.indices == at] == [1.0]


@pytest.mark.parametrize("scores", ["lewis", "uniform"])
def test_total_weight_is_unbiased(scores):
    totals = []
    for seed in range(60):
        drawn = RowSampler(scores, n_samples=60, random_state=seed)
        totals.append(coreset(blocks(X), drawn).sample_weight.sum())
    error = np.std(totals) / np.sqrt(60)
    assert abs(np.mean(totals) - 2000) < 4 * error + 1e-6


@pytest.mark.parametrize("n_blocks", [1, 2])
def test_draws_are_independent_of_each_other(n_blocks):
    """The last one, and those of the blocks: each row comes equally often."""
    parts = np.split(np.ones((1000, 1)), n_blocks)
    samplers = (RowSampler("uniform", n_samples=1, random_state=seed) for seed in range(1000))
    found = [coreset(parts, drawn).indices for drawn in samplers]
    assert chisquare(np.histogram(found, 10, (0, 1000))[0]).pvalue > 1e-3


def test_total_of_any_column_is_unbiased():
    totals = []
    for seed in range(30):
        found = coreset(blocks(abs(X)), RowSampler(n_samples=60, random_state=seed))
        totals.append(found.sample_weight @ found.X)
    error = np.std(totals, axis=0) / np.sqrt(30)
    assert np.all(abs(np.mean(totals, axis=0) - abs(X).sum(axis=0)) < 4 * error)


def test_few_rows_are_kept_as_they_are():
    weights = RNG.random(2000)
    for n_samples in (2000, 10_000):
        found = coreset(blocks(X, Y, weights), RowSampler(n_samples=n_samples, random_state=0))
        np.testing.assert_array_equal(found.indices, np.arange(2000))
        np.testing.assert_array_equal(found.sample_weight, weights)
    tiny = coreset([X[:1]], sampler)
    np.testing.assert_array_equal(tiny.X, X[:1])
    np.testing.assert_array_equal(tiny.sample_weight, [1.0])


def test_as_many_as_theory_asks_for():
    found = coreset(blocks(X[:, :1], at=range(200, 2000, 200)), RowSampler(eps=0.5, random_state=0))
    assert 10 < len(found.indices) < 500
    assert found.sample_weight.sum() == pytest.approx(2000, rel=0.5)


def test_rows_of_weight_zero_never_come():
    weights = (np.arange(2000) % 2).astype(float)
    found = coreset(blocks(X, Y, weights, at=SIZES["alike"]), sampler)
    assert np.all(found.indices % 2 == 1)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_blocks_that_do_not_count(form):
    weights = (np.arange(2000) // 250 % 3 == 1).astype(float)
    parts = list(blocks(form(X), Y, weights, at=range(50, 2000, 50)))
    assert not all(part[2].any() for part in parts)
    found = coreset(parts, sampler)
    assert found.n_rows == 2000
    assert weights[found.indices].all()
    np.testing.assert_array_equal(found.y, Y[found.indices])
    assert found.sample_weight.sum() == pytest.approx(weights.sum(), rel=0.5)
    with pytest.raises(ValueError, match="sample_weight of all blocks is zero"):
        coreset([(form(X), Y, 0 * Y)] * 3, sampler)


def test_empty():
    for nothing in ([], iter(())):
        with pytest.raises(ValueError, match="blocks is empty"):
            coreset(nothing, sampler)


def test_models_of_real_blocks(houses):  # noqa: F811
    """As good as the sample of all rows at once, where uniform rows are not."""
    rows, y = houses
    best = LinearRegression().fit(rows, y)

    def excess(scores, seed):
        drawn = RowSampler(scores, n_samples=1000, random_state=seed)
        parts = ((rows[i::8], y[i::8]) for i in range(8))
        found = coreset(parts, drawn)
        model = LinearRegression().fit(found.X, found.y, found.sample_weight)
        return ((y - model.predict(rows)) ** 2).sum() / ((y - best.predict(rows)) ** 2).sum() - 1

    ours, uniform = ([excess(scores, seed) for seed in range(3)] for scores in ("lewis", "uniform"))
    assert max(ours) < 0.1
    assert max(uniform) > 3 * max(ours)
