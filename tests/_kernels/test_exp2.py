import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lowrank_la._kernels.exp2 import exp2
from lowrank_la._support.jit import kernel

LEAST, MOST = -1022.0, 1023.0


@kernel
def powers(x, out):
    for i in range(len(x)):
        out[i] = exp2(x[i])


def powers_of(x):
    x = np.asarray(x, np.float64)
    out = np.empty_like(x)
    powers(x, out)
    return out


@given(arrays(np.float64, st.integers(1, 200), elements=st.floats(-1021.9, 1022.9)))
def test_powers(x):
    np.testing.assert_allclose(powers_of(x), np.exp2(x), rtol=1e-15)


def test_over_the_whole_range():
    x = np.linspace(-1021.99, 1022.99, 200_001)
    np.testing.assert_allclose(powers_of(x), np.exp2(x), rtol=1e-15)


def test_whole_numbers_are_exact():
    x = np.arange(-1021.0, 1023.0)
    np.testing.assert_array_equal(powers_of(x), np.exp2(x))


@pytest.mark.parametrize(
    ("x", "power"),
    [
        (LEAST, 0.0),
        (-1e5, 0.0),
        (-1e300, 0.0),
        (-np.inf, 0.0),
        (MOST, 2.0**1023),
        (1e300, 2.0**1023),
        (np.inf, 2.0**1023),
        (np.nan, 2.0**1023),
        (-0.0, 1.0),
    ],
)
def test_at_the_ends(x, power):
    for n in (1, 7, 64):  # alone, and in vector instructions
        np.testing.assert_array_equal(powers_of(np.full(n, x)), power)


@given(st.floats(-1022, 1022), st.floats(0, 1))
def test_monotone(x, more):
    low, high = powers_of([x, x + more])
    assert low <= high * (1 + 1e-15)
