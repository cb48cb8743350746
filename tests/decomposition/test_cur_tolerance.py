"""cur up to a tolerance: it is met, by few rows and columns, or there is a warning."""

import warnings
from functools import cache, partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.decomposition import cur
from tests.decomposition.problems import (
    CORES,
    ELIMINATIONS,
    A,
    geometric,
    seeds,
    spectrum,
)
from tests.reference import cur as reference

pytestmark = pytest.mark.filterwarnings("ignore:k=.* are independent of each other:UserWarning")
cores = st.sampled_from(CORES)
every_core = pytest.mark.parametrize("core", CORES)
norm = np.linalg.norm


decaying = cache(partial(geometric, 220, 200))


@settings(max_examples=25, deadline=None)
@given(seeds, st.sampled_from([0.5, 0.8, 0.9]), st.sampled_from([1e-2, 1e-4, 1e-8]),
       st.sampled_from(ELIMINATIONS), cores)  # fmt: skip
def test_tolerance_is_met(seed, ratio, tol, selection, core):
    """By rows and columns not many more than singular vectors take."""
    data = decaying(ratio)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = cur(data, tol=tol, selection=selection, core=core, rng=seed)
    scale = norm(data)
    assert found.converged
    assert found.error <= tol * scale
    values = np.linalg.svd(data, compute_uv=False)
    tails = np.sqrt(np.cumsum(values[::-1] ** 2))[::-1]
    best = int(np.sum(tails > tol * scale))
    most = 1.4 if core == "optimal" else 1.6
    assert len(found.row_indices) == len(found.column_indices) <= most * best + 2
    assert len(found.history) == found.n_iter
    assert found.history[-1] <= tol


@pytest.mark.parametrize("selection", ELIMINATIONS)
def test_ranks_of_whole_ensembles(selection):
    """1.4 times the best rank, at most, where there are enough of them to tell."""
    data = geometric(300, 280, 0.95)
    values = np.linalg.svd(data, compute_uv=False)
    tails = np.sqrt(np.cumsum(values[::-1] ** 2))[::-1] / norm(data)
    for tol in (1e-2, 1e-3):
        found = [len(cur(data, tol=tol, selection=selection, rng=s).rows) for s in range(5)]
        assert max(found) <= 1.4 * np.sum(tails > tol)


@every_core
@pytest.mark.parametrize("selection", ELIMINATIONS)
def test_tolerance_with_too_few(selection, core):
    data = geometric(200, 150, 0.9)
    with pytest.warns(ConvergenceWarning, match=r"tol=0.001 is not met .* increase tol, or k"):
        found = cur(data, 20, tol=1e-3, selection=selection, core=core, rng=0)
    assert not found.converged
    assert len(found.row_indices) == len(found.column_indices) == 20
    assert found.history[-1] > 1e-3
    assert found.error < 5 * reference.tail(data, 20) * (1 if core == "optimal" else 4)


@every_core
@pytest.mark.parametrize("selection", ELIMINATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tolerance_below_rounding(selection, core, dtype):
    """All that there is, and a warning that it does not do."""
    data = A.astype(dtype)
    with pytest.warns(ConvergenceWarning, match=r"tol=1e-17 is not met .* increase tol$"):
        found = cur(data, tol=1e-17, selection=selection, core=core, rng=0)
    assert not found.converged
    assert found.error <= 1000 * np.finfo(dtype).eps * norm(data)


@pytest.mark.parametrize("selection", ELIMINATIONS)
def test_tolerance_of_low_rank(selection):
    """What is left is rounding; the rank is not exceeded."""
    data = spectrum(300, 200, np.ones(45))
    found = cur(data, tol=1e-10, selection=selection, rng=0)
    assert len(found.row_indices) == 45
    assert found.error < 1e-12 * norm(data)


def test_more_than_enough_are_not_taken():
    data = geometric(200, 150, 0.5)
    found = cur(data, 100, tol=1e-3, rng=0)
    assert found.converged and len(found.row_indices) < 16


def test_two_estimates_are_not_stricter_than_one():
    """A tolerance that the core "cross" meets barely, as far as one estimate tells."""
    data = 1 / (1.0 + np.abs(np.subtract.outer(np.arange(500.0), 2 * np.arange(240.0))))
    assert cur(data, tol=0.05, core="cross", rng=23).converged
    assert cur(data, tol=0.05, rng=23).converged


def test_history_is_an_upper_estimate():
    """After each block of 32 what the core "cross" leaves, by three standard errors."""
    data = geometric(300, 250, 0.93)
    found = cur(data, tol=1e-4, core="cross", rng=0)
    assert found.n_iter == -(-len(found.row_indices) // 32) > 2
    for block, upper in enumerate(found.history, 1):
        k = min(32 * block, len(found.row_indices))
        left = data - reference.cross(data, found.row_indices[:k], found.column_indices[:k])
        assert 1 < upper / (norm(left) / norm(data)) < 1.6


@pytest.mark.parametrize("tol", [0.9, 0.3])
def test_loose_tolerances(tol):
    found = cur(geometric(200, 150, 0.9), tol=tol, rng=0)
    assert found.error <= tol * norm(geometric(200, 150, 0.9))
    assert len(found.row_indices) < 25
