"""Functions and estimators that choose rows and columns refuse, by name, what they cannot take."""

import pickle
import re
import warnings

import numpy as np
import pytest
from scipy import sparse

from lowrank_la.decomposition import (
    CUR,
    ColumnSubsetSelector,
    cur,
    interpolative,
    select_columns,
    select_rows,
)
from tests.linear_model.test_bad_input import MATRICES, with_entry

A = np.random.default_rng(0).normal(size=(60, 9))
FUNCTIONS = [cur, interpolative, select_columns, select_rows]
every_function = pytest.mark.parametrize("function", FUNCTIONS)
ESTIMATORS = {"n_components": CUR, "n_features_to_select": ColumnSubsetSelector}
every_estimator = pytest.mark.parametrize(("size", "estimator"), ESTIMATORS.items())


def refused(name, function, *args, **options):
    """An error that names the argument, before any warning; data keep their bits."""
    before = pickle.dumps((args, options))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((ValueError, TypeError)) as error:
            function(*args, **options)
    assert re.search(rf"\b{name}\b", str(error.value)), error.value
    assert pickle.dumps((args, options)) == before
    return str(error.value)


@pytest.mark.parametrize("bad", MATRICES)
@every_function
def test_matrices(function, bad):
    refused("A", function, MATRICES[bad], 2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("choice", [{"k": 2}, {"tol": 0.1}])
@every_function
def test_every_entry_that_is_not_finite(function, choice, form, dtype, value):
    for at in (0, 1, 130, -1):
        refused("A", function, form(with_entry(A.astype(dtype), value, at)), **choice)


@pytest.mark.parametrize("selection", ["cpqr", "deim", "leverage", "uniform"])
@every_function
def test_every_selection_looks_at_all_entries(function, selection):
    for at in (0, 130, -1):
        refused("A", function, with_entry(A, np.nan, at), 2, selection=selection)


def test_entries_too_large_to_be_added_up():
    """They are refused, or taken; nothing overflows on the way."""
    big = np.full((60, 9), 1.7e308)
    refused("A", cur, big, 2)


@pytest.mark.parametrize("k", [0, -1, 2.0, 1.5, True, "two", np.nan, [2]])
@every_function
def test_numbers(function, k):
    assert "an integer of at least 1 is needed" in refused("k", function, A, k)
    refused("k", function, A, k, tol=0.1)


@pytest.mark.parametrize("tol", [0, -1e-3, np.nan, np.inf, True, "small", 1, 1.0, 2.0])
@every_function
def test_tolerances(function, tol):
    refused("tol", function, A, tol=tol)
    refused("tol", function, A, 3, tol=tol)


@every_function
def test_neither(function):
    message = refused("k", function, A)
    assert "k is None, and so is tol" in message


@pytest.mark.parametrize("selection", ["nonsense", None, 3, ["lupp"], "LUPP"])
@every_function
def test_selections(function, selection):
    message = refused("selection", function, A, 2, selection=selection)
    assert "'lupp', 'cpqr', 'deim', 'leverage', 'uniform'" in message


@pytest.mark.parametrize("selection", ["deim", "leverage", "uniform"])
@every_function
def test_selections_that_take_no_tolerance(function, selection):
    for k in (None, 3):
        message = refused("selection", function, A, k, tol=0.1, selection=selection)
        assert "tol" in message and "'lupp', 'cpqr'" in message


@pytest.mark.parametrize("value", ["nonsense", 3, ["gaussian"]])
@every_function
def test_sketches(function, value):
    refused("sketch", function, A, 2, sketch=value)


@pytest.mark.parametrize("value", ["nonsense", None, 3])
def test_cores(value):
    refused("core", cur, A, 2, core=value)


@pytest.mark.parametrize("value", [-1, 1.5, True, "ten"])
def test_oversampling(value):
    refused("oversampling", cur, A, 2, oversampling=value)


@every_function
def test_devices_and_seeds(function):
    for device in ("gpu", 3):
        refused("device", function, A, 2, device=device)
    for rng in (-1, "seed"):
        refused("rng", function, A, 2, rng=rng)


# Estimators


@pytest.mark.parametrize("value", [0, -1, 2.0, 1.5, "two"])
@every_estimator
def test_sizes(size, estimator, value):
    model = estimator(value)
    refused(size, model.fit, A)
    assert not [name for name in vars(model) if name.endswith("_")]


@pytest.mark.parametrize("tol", [0, -1e-3, np.nan, "small", 1, 2.0])
@every_estimator
def test_tolerances_of_estimators(size, estimator, tol):
    refused("tol", estimator(tol=tol).fit, A)


@every_estimator
def test_selections_of_estimators(size, estimator):
    refused("selection", estimator(2, selection="nonsense").fit, A)
    refused("sketch", estimator(2, sketch="nonsense").fit, A)
    for selection in ("deim", "leverage", "uniform"):
        assert "tol" in refused("selection", estimator(tol=0.1, selection=selection).fit, A)


@every_estimator
def test_a_failed_fit_keeps_the_last(size, estimator):
    model = estimator(3, random_state=0).fit(A)
    before = pickle.dumps(model)
    for bad in (with_entry(A, np.nan), sparse.csr_array(with_entry(A, np.inf)), A[:0], A[0]):
        with pytest.raises(ValueError, match=r"\b(X|array|sample)"):
            model.fit(bad)
        assert pickle.dumps(model) == before


def test_transforms():
    model = CUR(3, random_state=0).fit(A)
    for bad in (A[:, :8], with_entry(A, np.nan), A[0], np.full((2, 9), "a")):
        with pytest.raises(ValueError, match=r"\b(X|array|string)"):
            model.transform(bad)
    refused("X", model.inverse_transform, A)
    assert "3 are needed" in refused("X", model.inverse_transform, A[:, :2])
    for bad in (with_entry(A[:, :3], np.nan), A[0]):
        with pytest.raises(ValueError, match=r"\b(X|array|NaN)\b"):
            model.inverse_transform(bad)


@pytest.mark.parametrize("method", ["transform", "inverse_transform", "get_feature_names_out"])
def test_not_fitted(method):
    for model in (CUR(), ColumnSubsetSelector()):
        with pytest.raises(ValueError, match="not fitted"):
            getattr(model, method)(*([A] if "transform" in method else []))


# Sparse arrays of one dimension


@every_function
def test_sparse_vectors(function):
    for vector in (sparse.coo_array(A[0]), sparse.csr_array(A[0])):
        if vector.ndim == 1:  # of old SciPy, a row
            assert "1 dimensions" in refused("A", function, vector, 2)


@every_estimator
def test_sparse_vectors_of_estimators(size, estimator):
    for vector in (sparse.coo_array(A[0]), sparse.csr_array(A[0])):
        if vector.ndim == 1:
            refused("X|array", estimator(2).fit, vector)
