import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lowrank_la._kernels.lanes import WIDTH, above, below, equal, lowest
from lowrank_la._support.jit import kernel
from tests.strategies import dtypes

SPECIAL = [0.0, -0.0, 1.0, 2.0, np.inf, -np.inf, np.nan, 1e-42, -1.0]


@kernel
def mask_below(values, bounds, start):
    return below(values, bounds, np.uint64(start), np.uint64(len(values)))


@kernel
def mask_equal(values, value, start):
    return equal(values, value, np.uint64(start), np.uint64(len(values)))


@kernel
def mask_above(values, bound, start):
    return above(values, bound, np.uint64(start), np.uint64(len(values)))


@kernel
def lowest_bit(mask):
    return lowest(mask)


def bits(flags):
    """The definition: lane i of 64 is bit i of a mask."""
    return sum(1 << lane for lane, flag in enumerate(flags[:WIDTH]) if flag)


def lane_starts(n):
    return range(0, n, WIDTH)


@given(st.data(), st.integers(1, 200), dtypes)
def test_below(data, n, dtype):
    numbers = st.sampled_from(SPECIAL).map(dtype)
    values = data.draw(arrays(dtype, n, elements=numbers, fill=st.nothing()))
    bounds = data.draw(arrays(dtype, n, elements=numbers, fill=st.nothing()))
    with np.errstate(invalid="ignore"):
        expected = ~(values >= bounds) | (values == np.inf)
    for start in lane_starts(n):
        assert mask_below(values, bounds, start) == bits(expected[start:])


@given(st.data(), st.integers(1, 200), st.sampled_from([np.int32, np.int64]))
def test_equal(data, n, dtype):
    values = data.draw(arrays(dtype, n, elements=st.integers(-1, 2), fill=st.nothing()))
    for value in range(-1, 4):
        for start in lane_starts(n):
            expected = bits(values[start:] == value)
            assert mask_equal(values, dtype(value), start) == expected


@given(st.data(), st.integers(1, 200), dtypes)
def test_above(data, n, dtype):
    numbers = st.sampled_from(SPECIAL).map(dtype)
    values = data.draw(arrays(dtype, n, elements=numbers, fill=st.nothing()))
    bound = data.draw(numbers)
    with np.errstate(invalid="ignore"):
        expected = values > bound
    for start in lane_starts(n):
        assert mask_above(values, bound, start) == bits(expected[start:])


@given(st.integers(1, 2**64 - 1))
def test_lowest(mask):
    assert lowest_bit(np.uint64(mask)) == (mask & -mask).bit_length() - 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [63, 64, 65, 127, 128, 129])
def test_nothing_is_read_beyond_the_end(n, dtype):
    """What lies past the end would count, if it were looked at."""
    values = np.full(n + 2 * WIDTH, np.nan, dtype)
    values[:n] = 1
    bounds = np.zeros_like(values)
    for start in lane_starts(n):
        assert mask_below(values[:n], bounds[:n], start) == 0
    values[n:] = 3
    for start in lane_starts(n):
        assert mask_above(values[:n], dtype(2), start) == 0


@pytest.mark.parametrize("offset", [1, 3, 7])
def test_rows_need_no_alignment(offset):
    values = np.arange(300, dtype=np.float32)[offset:]
    bounds = np.full_like(values, 100)
    for start in lane_starts(len(values)):
        assert mask_below(values, bounds, start) == bits(values[start:] < 100)


@pytest.mark.skipif(not numba.config.DISABLE_JIT, reason="only without the JIT")
def test_the_definition_stands_in_where_nothing_is_compiled():
    assert below.__name__ == above.__name__ == "lanes"
