"""cur up to a tolerance: it is met, by few rows and columns, or there is a warning."""

import warnings
from functools import cache, partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.decomposition import cur
from lowrank_la.decomposition._adaptive import shortened
from lowrank_la.decomposition._matrix import Matrix
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


def test_history_and_blocks():
    """Both cores take the same blocks; at the end there is what the result leaves."""
    data = geometric(300, 250, 0.93)
    cross, optimal = (cur(data, tol=1e-4, core=core, rng=0) for core in ("cross", "optimal"))
    assert cross.n_iter == optimal.n_iter == len(cross.history) > 2
    np.testing.assert_array_equal(optimal.history[:-1], cross.history[:-1])
    assert len(optimal.row_indices) < len(cross.row_indices)
    for found in (cross, optimal):
        assert found.error / norm(data) <= found.history[-1] <= 1e-4


def test_estimates_are_three_standard_errors_above():
    """Of what is left with rank one, whose estimate varies most; one would often be too few."""
    data = spectrum(60, 40, [1.0, 0.3])
    for seed in range(100):
        with pytest.warns(ConvergenceWarning):
            found = cur(data, 1, tol=1e-6, core="cross", rng=seed)
        assert found.error <= found.history[-1] * norm(data)


@pytest.mark.parametrize("tol", [0.3, 1e-2, 1e-4])
@pytest.mark.parametrize("core", ["optimal", "columns"])
def test_no_more_than_a_tolerance_takes(core, tol):
    """Of rows and columns that leave much less: errors of fewer of them are not estimates."""
    data = geometric(120, 100, 0.8)
    found = cur(data, 70, rng=0)
    rows, columns = found.row_indices, found.column_indices
    matrix = Matrix("A", data, None, None, np.random.default_rng(0))
    matrix.sketch(1)  # tells the unit
    k, error = shortened(matrix, rows, columns, tol, core)

    def left(k):
        if core == "columns":
            return norm(data - reference.interpolation(data, columns[:k])) / norm(data)
        return norm(data - reference.optimal(data, rows[:k], columns[:k])) / norm(data)

    assert k == next(k for k in range(70) if left(k) <= tol)
    np.testing.assert_allclose(error, left(k), rtol=1e-3)


@pytest.mark.parametrize("data", [np.diag(0.9 ** np.arange(60)), np.eye(40)])
def test_no_estimate_takes_back_what_another_has_met(data):
    """Both cores are the same for diagonal matrices: a second estimate is as often above."""
    for seed in range(30):
        found = cur(data, tol=0.3, rng=seed)
        assert found.converged and found.history[-1] <= 0.3
        assert found.error <= 0.3 * norm(data)


def test_tall_matrices_of_single_precision():
    """What counts as rounding does not grow with the number of rows."""
    data = spectrum(60_000, 20, 0.3 ** np.arange(10)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = cur(data, tol=1e-3, rng=0)
    assert found.converged and found.error <= 1e-3 * norm(data)
