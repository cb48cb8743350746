"""Products of panels: the compiled form against BLAS's, for every width."""

import numpy as np
import pytest

from lowrank_la._kernels import syrk

WIDTHS = range(1, 41)


def panel_of(n_rows, width, seed=0):
    """Panel whose columns beyond the width are zero."""
    panel = syrk.empty_panel(n_rows, width)
    panel[:n_rows, :width] = np.random.default_rng(seed).standard_normal((n_rows, width))
    return panel


def test_panels():
    for width in range(1, 300):
        panel = syrk.empty_panel(5, width)
        assert panel.shape[0] == syrk.PAD
        assert width <= panel.shape[1] < width + 2 * syrk.PAD
        assert panel.shape[1] // syrk.PAD % 2 == 1 or panel.shape[1] <= 4 * syrk.PAD
        assert panel.ctypes.data % 64 == 0
        assert not panel.any()


@pytest.mark.parametrize("n_rows", [1, 7, 8, 64, 321])
@pytest.mark.parametrize("width", WIDTHS)
def test_gram(width, n_rows):
    panel = panel_of(n_rows, width)
    for n_left in {1, width // 2 + 1, width}:
        found, expected = (np.ones((n_left + syrk.PAD, panel.shape[1])) for _ in range(2))
        with syrk.alone():
            syrk.add_gram(panel, n_left, found)
        syrk._add_gram_blas(panel, n_left, expected)
        upper = np.triu_indices(n_left, 0, width)
        np.testing.assert_allclose(found[upper], expected[upper], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("triangular", [True, False])
@pytest.mark.parametrize("width", WIDTHS)
def test_products(width, triangular):
    panel, rng = panel_of(50, width), np.random.default_rng(1)
    matrix = np.zeros((panel.shape[1], panel.shape[1]))
    matrix[:width, :width] = rng.standard_normal((width, width))
    matrix = np.triu(matrix) if triangular else matrix
    found, expected = np.full_like(panel, np.nan), np.empty_like(panel)
    with syrk.alone():
        syrk.times(panel, matrix, found)
    syrk._times_blas(panel, matrix, expected)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    for n_rows in (0, 1, 50):
        squares, others = np.full((2, n_rows), np.nan)
        with syrk.alone():
            syrk.row_squares(panel, matrix, squares)
        syrk._row_squares_blas(panel, matrix, others)
        np.testing.assert_allclose(squares, np.sum(expected[:n_rows] ** 2, axis=1), rtol=1e-11)
        np.testing.assert_allclose(others, squares, rtol=1e-11)


def test_sums_are_added():
    panel = panel_of(64, 9)
    once, twice = (np.zeros((9 + syrk.PAD, panel.shape[1])) for _ in range(2))
    syrk.add_gram(panel, 9, once)
    for _ in range(2):
        syrk.add_gram(panel, 9, twice)
    np.testing.assert_array_equal(np.triu(twice[:9, :9]), 2 * np.triu(once[:9, :9]))


def test_numbers_that_are_not_finite_stay():
    """They tell that the data have some."""
    for value in (np.nan, np.inf):
        panel = panel_of(16, 11)
        panel[3, 5] = value
        gram = np.zeros((11 + syrk.PAD, panel.shape[1]))
        syrk.add_gram(panel, 11, gram)
        assert not np.isfinite(gram[5, 5])
