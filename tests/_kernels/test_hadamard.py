import numpy as np
import pytest
from scipy.linalg import hadamard

from lowrank_la._kernels.hadamard import (
    GROUP,
    ROWS,
    WIDTH,
    _butterfly_scalars,
    _transform_32,
    across,
    places,
    tiles,
    within,
)
from lowrank_la._support.jit import kernel


@kernel
def butterfly(tile, start, step):
    _transform_32(tile, start, step)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 31, 32])
def test_transform(width):
    X = np.random.default_rng(width).integers(-9, 9, (ROWS, width)).astype(float)
    tile = tiles(())
    tile.fill(0)
    where = places(np.arange(ROWS))[:, None] + np.arange(width, dtype=np.uint64)
    tile[where] = X
    for group in range(GROUP):
        within(tile, np.uint64(group), np.uint64(width))
    across(tile, np.uint64(width))
    np.testing.assert_array_equal(tile[where], hadamard(ROWS) @ X)
    tile[where] = 0
    assert not tile.any(), "nothing else was touched"


def test_places_are_apart():
    where = places(np.arange(ROWS)).astype(int)
    assert np.diff(where).min() >= WIDTH
    assert where[-1] + WIDTH <= tiles(()).size
    assert tiles((2, 3)).ctypes.data % 64 == 0


@pytest.mark.parametrize(("start", "step"), [(0, 8), (5, 40), (3, 1000)])
def test_vector_code_does_what_its_definition_says(start, step):
    one = np.random.default_rng(step).normal(size=start + 32 * step + 8)
    other = one.copy()
    butterfly(one, np.uint64(start), np.uint64(step))
    _butterfly_scalars(other, np.uint64(start), np.uint64(step))
    np.testing.assert_array_equal(one, other)
