import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from lowrank_la._kernels.rng import (
    gaussian_pair,
    gaussian_pair_cpu,
    philox,
    philox_cpu,
    random_bits,
)

MASK = 0xFFFFFFFF
words = st.integers(0, MASK)
# Random123's kat_vectors for philox4x32-10: counter, key, output.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def hexadecimal(text):
    return [np.uint64(int(word, 16)) for word in text.split()]


@pytest.mark.parametrize("function", [philox, philox_cpu], ids=["interpreted", "compiled"])
@pytest.mark.parametrize(("counter", "key", "output"), KNOWN)
def test_known_answers(function, counter, key, output):
    assert list(function(*hexadecimal(counter), *hexadecimal(key))) == hexadecimal(output)


@given(st.tuples(*[words] * 6))
def test_interpreted_and_compiled_agree(arguments):
    arguments = [np.uint64(word) for word in arguments]
    assert philox(*arguments) == philox_cpu(*arguments)


@given(st.tuples(*[words] * 6), st.integers(0, 5), st.integers(0, 31))
def test_every_input_bit_matters(arguments, word, bit):
    other = list(arguments)
    other[word] ^= 1 << bit
    one, two = (philox_cpu(*map(np.uint64, given)) for given in (arguments, other))
    changed = sum(bin(int(a) ^ int(b)).count("1") for a, b in zip(one, two, strict=True))
    assert 24 <= changed <= 104  # of 128, 64 expected: eight standard deviations


def bits(key, rows, columns):
    return np.array(
        [[random_bits(np.uint64(key), np.uint64(i), np.uint64(j)) for j in columns] for i in rows],
        np.uint64,
    )


def test_a_window_is_part_of_the_whole():
    whole = bits(7, range(30), range(8))
    np.testing.assert_array_equal(bits(7, range(11, 19), range(3, 8)), whole[11:19, 3:8])


def test_rows_columns_and_keys_are_64_bits_wide():
    far = 2**64 - 1
    numbers = {int(random_bits(*map(np.uint64, place))) for place in
               [(a, b, c) for a in (0, 1, 2**32, far) for b in (0, 1, 2**32, far)
                for c in (0, 1, 2**32, far)]}  # fmt: skip
    assert len(numbers) == 64


def test_bits_are_fair():
    numbers = bits(0, range(100), range(100)).ravel()
    ones = [(numbers >> np.uint64(bit) & np.uint64(1)).mean() for bit in range(64)]
    assert np.all(np.abs(np.array(ones) - 0.5) < 0.025)  # five standard deviations


@pytest.mark.parametrize("function", [gaussian_pair, gaussian_pair_cpu], ids=["plain", "compiled"])
def test_gaussian_pairs(function):
    """Normal, of the deviation that was asked for, and not correlated; finite at the ends."""
    pairs = [
        function(*map(np.float64, philox_cpu(*map(np.uint64, [i, 0, 0, 0, 5, 6]))[:2]), 2.0)
        for i in range(4000)
    ]
    one, other = np.array(pairs).T / 2
    assert kstest(one, "norm").pvalue > 1e-4
    assert kstest(other, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(4000)
    assert abs(np.corrcoef(one**2, other**2)[0, 1]) < 5 / np.sqrt(4000)
    for word in (0, MASK):
        for other in (0, MASK):
            assert np.isfinite(function(np.float64(word), np.float64(other), 1.0)).all()
