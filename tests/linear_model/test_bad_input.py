"""lstsq refuses, by name, what it cannot take."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lowrank_la.linear_model import SketchedLinearRegression, lstsq
from lowrank_la.linear_model._methods import METHODS

RNG = np.random.default_rng(0)
A = RNG.standard_normal((60, 4))
B = RNG.standard_normal(60)


def refused(name, A, b, **options):
    """An error that names the argument; data keep their bits."""
    before = pickle.dumps((A, b))
    with pytest.raises((ValueError, TypeError)) as error:
        lstsq(A, b, **options)
    assert re.search(rf"\b{name}\b", str(error.value)), error.value
    assert pickle.dumps((A, b)) == before


def with_entry(array, value, at=7):
    array = array.copy()
    array.flat[at] = value
    return array


MATRICES = {
    "one dimension": A[0],
    "three dimensions": A[None],
    "no rows": A[:0],
    "no columns": A[:, :0],
    "ragged": [[1.0], [1.0, 2.0]],
    "complex": A + 1j,
    "text": A.astype(str),
    "objects": np.full((60, 4), object()),
    "nothing": None,
    "complex sparse": sparse.csr_array(A + 1j),
    "invalid sparse": sparse.csr_array((60, 4)),
}
MATRICES["invalid sparse"].indptr = np.r_[np.zeros(60, np.int32), np.int32(5)]
TARGETS = {
    "too few": B[:-1],
    "too many": np.r_[B, B],
    "none": np.empty((60, 0)),
    "three dimensions": B[:, None, None],
    "a number": 1.0,
    "complex": B + 1j,
    "text": B.astype(str),
    "sparse": sparse.csr_array(B[:, None]),
}
WEIGHTS = {
    "too few": np.ones(59),
    "two dimensions": np.ones((60, 1)),
    "negative": with_entry(np.ones(60), -1.0),
    "NaN": with_entry(np.ones(60), np.nan),
    "infinite": with_entry(np.ones(60), np.inf),
    "all zero": np.zeros(60),
    "text": np.full(60, "a"),
    "a number": 1.0,
}
OPTIONS = [
    ("method", "nonsense"), ("method", None), ("method", 3),
    ("sketch", "nonsense"), ("sketch", 3),
    ("sketch_size", 3), ("sketch_size", 0), ("sketch_size", 10.0), ("sketch_size", True),
    ("rcond", -1e-3), ("rcond", 1.0), ("rcond", np.nan), ("rcond", "small"),
    ("eps", 0.0), ("eps", -1.0), ("eps", np.nan), ("eps", "small"),
    ("delta", 0.0), ("delta", 1.0), ("delta", np.nan), ("delta", "small"),
    ("n_jobs", 0), ("n_jobs", 1.5), ("n_jobs", "two"),
    ("rng", -1), ("rng", "seed"),
]  # fmt: skip


@pytest.mark.parametrize("bad", MATRICES)
def test_matrices(bad):
    refused("A", MATRICES[bad], B)


@pytest.mark.parametrize("bad", TARGETS)
def test_targets(bad):
    refused("b", A, TARGETS[bad])


@pytest.mark.parametrize("bad", WEIGHTS)
def test_weights(bad):
    refused("sample_weight", A, B, sample_weight=WEIGHTS[bad])


@pytest.mark.parametrize(("name", "value"), OPTIONS)
def test_options(name, value):
    refused(name, A, B, **{name: value})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("method", METHODS)
def test_every_entry_that_is_not_finite(method, form, dtype, value):
    for at in (0, 1, 130, -1):
        refused("A", form(with_entry(A.astype(dtype), value, at)), B, method=method)
        refused("b", form(A.astype(dtype)), with_entry(B, value, at % 60), method=method)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("method", METHODS)
def test_where_only_some_rows_are_looked_at_first(method, value):
    """Sampled rows, shifts and rows of weight zero."""
    tall = np.tile(A, (200, 1))
    tall[5001, 2] = value
    weights = np.ones(len(tall))
    weights[5001] = 0
    refused("A", tall, np.tile(B, 200), method=method)
    refused("A", tall, np.tile(B, 200), method=method, sample_weight=weights)


@pytest.mark.parametrize("method", METHODS)
def test_coefficients_that_overflow(method):
    refused("A", A * 1e-305, B * 1e5, method=method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_failed_fit_leaves_no_trace(method, value):
    model = SketchedLinearRegression(method)
    with pytest.raises(ValueError, match=r"\bX\b"):
        model.fit(with_entry(A, value), B)
    assert vars(model) == SketchedLinearRegression(method).get_params()
    before = pickle.dumps(model.fit(A, B))
    with pytest.raises(ValueError, match=r"\by\b"):
        model.fit(A, with_entry(B, value))
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("method", ["auto", "sketch"])
def test_a_failed_partial_fit_keeps_what_came_before(method):
    model = SketchedLinearRegression(method, sketch_size=20, random_state=0)
    model.partial_fit(A[:30], B[:30])
    before = pickle.dumps(model)
    for X, y in [
        (with_entry(A, np.nan), B), (A, with_entry(B, np.inf)), (A[:, :3], B), (A, B[:, None]),
        (A[:0], B[:0]), (np.full_like(A, 1.7e308), B),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=r"\b(X|y)\b|sample"):
            model.partial_fit(X, y)
        assert pickle.dumps(model) == before
    whole = SketchedLinearRegression(method, sketch_size=20, random_state=0).fit(A, B)
    model.partial_fit(A[30:], B[30:])
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-11)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_sketch_smaller_than_the_design(fit_intercept):
    model = SketchedLinearRegression("sketch", sketch_size=4, fit_intercept=fit_intercept)
    for fit in (model.fit, model.partial_fit):
        if fit_intercept:
            with pytest.raises(ValueError, match="sketch_size=4"):
                fit(A, B)
        else:
            fit(A, B)


def test_coefficients_too_large_for_the_precision():
    X = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    for solve in (lstsq, SketchedLinearRegression().fit):
        with pytest.raises(ValueError, match="overflow float32"):
            solve(X * np.float32(1e-30), X.sum(axis=1) * 1e10)


def test_more_sparse_columns_than_memory_takes():
    A = sparse.random_array((1000, 300_000), density=1e-6, format="csr", rng=0)
    with pytest.raises(MemoryError, match="300000 columns of A"):
        lstsq(A, np.ones(1000))


@pytest.mark.parametrize("change", [{"fit_intercept": False}, {"method": "auto"}])
def test_parameters_that_change_between_blocks(change):
    X = np.random.default_rng(0).normal(size=(100, 3))
    model = SketchedLinearRegression("sketch").partial_fit(X, X[:, 0]).set_params(**change)
    with pytest.raises(ValueError, match="method and fit_intercept"):
        model.partial_fit(X, X[:, 0])


def test_merge_of_other_features():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 2)), columns=["a", "b"])
    one, other = (
        SketchedLinearRegression().partial_fit(table[columns], table["a"])
        for columns in (["a", "b"], ["b", "a"])
    )
    with pytest.raises(ValueError, match="same features"):
        one.merge(other)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_array])
def test_indices_beyond_the_matrix(kind):
    A = kind(np.eye(9))
    A.indices[3] = 10**6
    with pytest.raises(ValueError, match="A is not a valid"):
        lstsq(A, np.ones(9))
