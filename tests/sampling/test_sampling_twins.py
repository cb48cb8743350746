"""Scores computed on a GPU are those of the CPU."""

import numpy as np
import pytest
from scipy import sparse

from lowrank_la.linear_model import _cuda, _lstsq
from lowrank_la.linear_model._design import Design
from lowrank_la.sampling import (
    leverage_scores,
    lewis_weights,
    lp_sensitivities,
    root_leverage_scores,
    sample_rows,
)
from lowrank_la.sketch import _srht_cuda
from tests.strict import Strict, strict_gpu

pytestmark = [
    pytest.mark.usefixtures("launches"),
    # NumPy's, of the simulator's scalars, where too large numbers are given.
    pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning"),
]
close = np.testing.assert_allclose
RNG = np.random.default_rng(0)
A = RNG.normal(size=(11, 2))
WEIGHTS = np.r_[RNG.random(10), 0.0]
SCORES = {
    "leverage": leverage_scores,
    "stable": lambda A, **options: leverage_scores(A, method="stable", rng=0, **options),
    "sketched": lambda A, **options: leverage_scores(
        A, method="sketched", eps=0.9, rng=0, **options
    ),
    "ridge": lambda A, **options: leverage_scores(A, ridge=0.5, **options),
    "root": root_leverage_scores,
    "Lewis": lambda A, **options: lewis_weights(A, 1.0, tol=0.1, **options).weights,
    "Lewis, 3": lambda A, **options: lewis_weights(A, 3.0, tol=0.1, **options).weights,
}
every_score = pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)


@pytest.mark.parametrize("shape", [(1, 1), (4, 3), (9, 8), (17, 2)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_row_squares(shape, order, monkeypatch, launches):
    """Of all panels, of rows with weights and of a basis of fewer columns."""
    monkeypatch.setattr(_cuda, "panel_rows", lambda width: 8)
    X = np.asarray(RNG.normal(size=shape), order=order)
    weights = np.append(RNG.random(shape[0] - 1), 0.0)
    for basis in (np.eye(shape[1]), RNG.normal(size=(shape[1], min(shape)))[:, :2]):
        for given in (None, weights):
            one, other = (
                Design(X, np.zeros((shape[0], 1)), given, device=device).row_squares(basis)
                for device in ("cpu", "cuda")
            )
            close(other, one, rtol=1e-13)
            expected = ((X @ basis) ** 2).sum(axis=1) * (1 if given is None else given)
            close(one, expected, rtol=1e-12)
            assert type(other) is np.ndarray
    assert "_row_squares" in launches


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weights"])
@every_score
def test_scores(score, weights, launches):
    expected = score(A, sample_weight=weights)
    found = score(A, sample_weight=weights, device="cuda")
    assert type(found) is np.ndarray
    close(found, expected, rtol=1e-9)
    assert "_row_squares" in launches


@pytest.mark.parametrize(
    "rows", [A[:, [0, 1, 0]], A[:1], 0 * A, A * 1e200, A * [1e-170, 1.0], A[:, :1]]
)
@pytest.mark.parametrize("score", ["leverage", "Lewis"])
def test_edges(score, rows):
    close(SCORES[score](rows, device="cuda"), SCORES[score](rows), rtol=1e-9, atol=1e-12)


def test_precision():
    single = np.asfortranarray(A.astype(np.float32))
    found = leverage_scores(single, device="cuda")
    assert found.dtype == np.float32
    close(found, leverage_scores(single), rtol=1e-6)


@pytest.fixture
def on_gpu(monkeypatch):
    """Move an array to where it meets none on the host."""
    return strict_gpu(monkeypatch, _cuda, _lstsq, _srht_cuda)


@every_score
def test_arrays_on_a_gpu(score, on_gpu):
    found = score(on_gpu(A), sample_weight=on_gpu(WEIGHTS))
    assert isinstance(found, Strict)
    close(found.get(), score(A, sample_weight=WEIGHTS), rtol=1e-9)


@pytest.mark.parametrize("score", ["leverage", "Lewis"])
def test_arrays_on_a_gpu_in_other_units(score, on_gpu):
    close(SCORES[score](on_gpu(A * 1e200)).get(), SCORES[score](A), rtol=1e-9)
    wrong = A.copy()
    wrong[3] = np.nan
    with pytest.raises(ValueError, match="A has entries that are NaN"):
        SCORES[score](on_gpu(wrong))


def test_arrays_on_a_gpu_for_the_cpu(on_gpu):
    found = leverage_scores(on_gpu(A), device="cpu")
    assert isinstance(found, Strict)
    np.testing.assert_array_equal(found.get(), leverage_scores(A))
    close(lp_sensitivities(on_gpu(A), 1), lp_sensitivities(A, 1))


def test_rows_drawn_by_scores_on_a_gpu(on_gpu):
    scores = leverage_scores(A)
    found, expected = (sample_rows(given, 5, rng=0) for given in (on_gpu(scores), scores))
    for one, other in zip(found, expected, strict=True):
        assert type(one) is np.ndarray
        np.testing.assert_array_equal(one, other)


def test_sparse_matrices():
    with pytest.raises(ValueError, match="A is a sparse matrix: a GPU takes dense"):
        leverage_scores(sparse.csr_array(A), device="cuda")
