"""Functions refuse, by name, what they cannot take."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsClassifier

from lowrank_la.sampling import (
    CoresetEstimator,
    RowSampler,
    coreset,
    leverage_scores,
    lewis_weights,
    lp_sensitivities,
    root_leverage_scores,
    sample_rows,
    total_sensitivity,
)
from tests.linear_model.test_bad_input import MATRICES, OPTIONS, WEIGHTS, A, with_entry

FUNCTIONS = [
    leverage_scores, root_leverage_scores, lewis_weights, lp_sensitivities, total_sensitivity
]  # fmt: skip
POWERS = FUNCTIONS[1:]
every_function = pytest.mark.parametrize("function", FUNCTIONS)


def refused(name, function, *args, **options):
    """An error that names the argument; data keep their bits."""
    before = pickle.dumps((args, options))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((ValueError, TypeError)) as error:
            function(*args, **options)
    assert re.search(rf"\b{name}\b", str(error.value)), error.value
    assert pickle.dumps((args, options)) == before


@pytest.mark.parametrize("bad", MATRICES)
@every_function
def test_matrices(function, bad):
    refused("A", function, MATRICES[bad])


@pytest.mark.parametrize("bad", WEIGHTS)
@every_function
def test_weights(function, bad):
    refused("sample_weight", function, A, sample_weight=WEIGHTS[bad])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array])
@every_function
def test_every_entry_that_is_not_finite(function, form, dtype, value):
    for at in (0, 1, 130, -1):
        refused("A", function, form(with_entry(A.astype(dtype), value, at)))


@every_function
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_of_weight_zero_are_looked_at(function, value):
    refused("A", function, with_entry(A, value, 7), sample_weight=with_entry(np.ones(60), 0.0, 1))


@pytest.mark.parametrize("p", [0, -1, np.nan, np.inf, "1", None, True, [1.0]])
@pytest.mark.parametrize("function", POWERS)
def test_powers(function, p):
    refused("p", function, A, p)


@pytest.mark.parametrize("function", [lp_sensitivities, total_sensitivity])
def test_powers_below_one(function):
    for p in (0.5, 0.999):
        refused("p", function, A, p)
    for scores in ("sensitivity", "leverage+sensitivity"):
        refused("p", RowSampler(scores, p=0.5).fit, A)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (leverage_scores, "ridge"), (leverage_scores, "eps"), (lewis_weights, "tol"),
        (lp_sensitivities, "eps"), (total_sensitivity, "eps"),
    ],
)  # fmt: skip
def test_numbers(function, name):
    for value in (-1.0, np.nan, np.inf, "small", None, *([1.0, 0.0] if name == "eps" else [])):
        refused(name, function, A, **{name: value})


@pytest.mark.parametrize(
    ("function", "name"),
    [(lewis_weights, "max_iter"), (lp_sensitivities, "block_size"), (total_sensitivity, "n_rows")],
)
def test_counts(function, name):
    for value in (0, -1, 2.0, True, "two"):
        refused(name, function, A, **{name: value})


@pytest.mark.parametrize("function", [leverage_scores, lp_sensitivities])
@pytest.mark.parametrize("method", ["nonsense", None, 3])
def test_methods(function, method):
    refused("method", function, A, method=method)


@every_function
def test_threads_seeds_devices(function):
    for name, value in OPTIONS:
        if name in ("n_jobs", "rng"):
            refused(name, function, A, **{name: value})
    if function in FUNCTIONS[:3]:
        refused("device", function, A, device="gpu")


SCORES = {
    "negative": [1.0, -1.0],
    "NaN": [1.0, np.nan],
    "infinite": [1.0, np.inf],
    "all zero": np.zeros(3),
    "none": [],
    "a number": 1.0,
    "two dimensions": np.ones((3, 1)),
    "text": ["a", "b"],
    "complex": [1j],
    "nothing": None,
    "sparse": sparse.csr_array(np.ones((1, 3))),
}


@pytest.mark.parametrize("bad", SCORES)
def test_scores(bad):
    refused("scores", sample_rows, SCORES[bad], 1)


@pytest.mark.parametrize("n_samples", [0, -1, 1.5, 2.0, True, "two", None])
def test_numbers_of_rows(n_samples):
    refused("n_samples", sample_rows, [1.0, 2.0], n_samples)


def test_seeds_of_samples():
    refused("rng", sample_rows, [1.0, 2.0], 1, rng="seed")


@pytest.mark.parametrize("n_samples", [0, -1, 61, 10**30, 0.0, 1.0, -0.5, 1.5, np.nan, "all", None])
def test_samplers_of_no_rows(n_samples):
    sampler = RowSampler(n_samples=n_samples)
    refused("n_samples", sampler.fit, A)
    assert not hasattr(sampler, "sample_indices_")


def test_uniform_rows_have_no_number_of_their_own():
    refused("n_samples", RowSampler("uniform").fit, A)
    refused("n_samples", RowSampler(scores="uniform", n_samples="auto", p=1).fit_resample, A)


@pytest.mark.parametrize("y", [
    np.ones(59), with_entry(np.ones(60), np.nan), with_entry(np.ones(60), np.inf),
    np.ones((60, 1, 1)), 1.0,
])  # fmt: skip
def test_targets(y):
    for model in (RowSampler(n_samples=9), CoresetEstimator(Ridge(), RowSampler(n_samples=9))):
        before = pickle.dumps(model)
        with pytest.raises((ValueError, TypeError), match=r"\b(y|samples|array)\b"):
            model.fit(A, y)
        assert pickle.dumps(model) == before


def test_sparse_targets():
    for y in (sparse.csr_array(A[:, :1]), sparse.csc_matrix(A[:, :1])):
        with pytest.raises(TypeError, match="[Ss]parse"):
            RowSampler(n_samples=9).fit(A, y)


def test_more_sparse_columns_than_memory_takes():
    rows = sparse.random_array((1000, 300_000), density=1e-6, format="csr", rng=0)
    with pytest.raises(MemoryError, match="300000 columns of A"):
        leverage_scores(rows)
    with pytest.raises(MemoryError, match="300001 columns of X"):
        RowSampler(n_samples=9).fit(rows)
    with pytest.raises(MemoryError, match="300002 columns of X and y"):
        RowSampler(n_samples=9).fit(rows, np.arange(1000))


def test_estimators_without_weights():
    with pytest.raises(ValueError, match="takes no sample_weight"):
        CoresetEstimator(KNeighborsClassifier()).fit(A, np.arange(60) % 2)


def test_a_failed_fit_keeps_the_last():
    model = CoresetEstimator(Ridge(), RowSampler(n_samples=9, random_state=0)).fit(A, A[:, 0])
    before = pickle.dumps(model)
    for X, y in [(with_entry(A, np.nan), A[:, 0]), (A, with_entry(A[:, 0], np.inf)), (A, None)]:
        with pytest.raises(ValueError, match=r"\b(X|y)\b"):
            model.fit(X, y)
        assert pickle.dumps(model) == before


def test_what_is_allowed_is_told():
    for call, allowed in [
        (lambda: lewis_weights(A, np.inf), "above 0, and finite"),
        (lambda: leverage_scores(A, ridge=-1), "of at least 0, and finite"),
        (lambda: leverage_scores(A, eps=1), "above 0, and below 1"),
    ]:
        with pytest.raises(ValueError, match=allowed):
            call()


BLOCKS = {
    "none": (),
    "nothing": [None],
    "a number": [1.0],
    "one dimension": [A[0]],
    "three dimensions": [A[None]],
    "no rows": [A[:0]],
    "NaN": [A, with_entry(A, np.nan)],
    "text": [np.full((60, 4), "a")],
    "other features": [A, A[:, :3]],
    "too few targets": [(A, np.ones(59))],
    "NaN in targets": [(A, with_entry(np.ones(60), np.nan))],
    "targets of some": [(A, np.ones(60)), A],
    "targets of the others": [A, (A, np.ones(60))],
    "negative weights": [(A, None, with_entry(np.ones(60), -1.0))],
    "too few weights": [(A, None, np.ones(59))],
    "too few weights of zero": [(A, None, np.zeros(59))],
    "weights of zero": [(A, None, np.zeros(60))] * 2,
    "four parts": [(A, None, None, None)],
    "dense and sparse": [A, sparse.csr_array(A)],
    "other names": [pd.DataFrame(A, columns=list(names)) for names in ("abcd", "abce")],
    "another order": [pd.DataFrame(A, columns=list(names)) for names in ("abcd", "abdc")],
    "no names": [pd.DataFrame(A, columns=list("abcd")), A],
}


@pytest.mark.parametrize("bad", BLOCKS)
def test_blocks(bad):
    with pytest.raises(
        (ValueError, TypeError), match=r"\b(X|y|sample_weight|blocks?|samples?|array|float)\b"
    ):
        coreset(iter(BLOCKS[bad]), RowSampler(n_samples=9, random_state=0))


def test_which_block():
    with pytest.raises(ValueError, match=r"number 1.*NaN"):
        coreset([A, with_entry(A, np.nan)], RowSampler(n_samples=9))


@pytest.mark.parametrize("whole", [A, pd.DataFrame(A), sparse.csr_array(A)])
def test_one_array_is_no_sequence_of_blocks(whole):
    refused("blocks", coreset, whole, RowSampler(n_samples=9))


def test_fractions_of_blocks():
    refused("n_samples", coreset, [A], RowSampler(n_samples=0.5))


@pytest.mark.parametrize("sampler", ["uniform", RowSampler, Ridge(), 3])
def test_what_is_no_sampler(sampler):
    with pytest.raises((ValueError, TypeError), match="sampler"):
        coreset([A], sampler)
    with pytest.raises((ValueError, TypeError), match="sampler"):
        CoresetEstimator(Ridge(), sampler).fit(A, A[:, 0])
