"""Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011).

A number depends on its key and its position alone, so any window of rows can
be made by itself, in any order, on any device, with the same bits. The body is
plain Python: interpreted, compiled for the CPU, or compiled for a GPU.
"""

import math

import numpy as np

from .._support.jit import kernel

_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_TO_UNIT = 2.0**-32


def philox(c0, c1, c2, c3, k0, k1):
    """Four random 32-bit words for a 128-bit counter and a 64-bit key.

    Parameters
    ----------
    c0, c1, c2, c3 : uint64
        The counter, 32 bits in each.
    k0, k1 : uint64
        The key, 32 bits in each.

    Returns
    -------
    words : tuple of four uint64
        32 random bits in each.
    """
    for _ in range(10):
        p0 = _MULTIPLIER_0 * c0
        p1 = _MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (
            (p1 >> _SHIFT) ^ c1 ^ k0,
            p1 & _MASK,
            (p0 >> _SHIFT) ^ c3 ^ k1,
            p0 & _MASK,
        )
        k0 = (k0 + _WEYL_0) & _MASK
        k1 = (k1 + _WEYL_1) & _MASK
    return c0, c1, c2, c3


def gaussian_pair(word, other, size):
    """Two normal numbers of a standard deviation from two words, by Box and Muller."""
    radius = size * math.sqrt(-2.0 * math.log((np.float64(word) + 1.0) * _TO_UNIT))
    angle = 2.0 * math.pi * _TO_UNIT * np.float64(other)
    return radius * math.cos(angle), radius * math.sin(angle)


philox_cpu, gaussian_pair_cpu = kernel(philox), kernel(gaussian_pair)


@kernel
def random_bits(key, row, column):
    """64 random bits at (row, column) of the stream of `key`; all are uint64."""
    w0, w1, _, _ = philox_cpu(
        row & _MASK, row >> _SHIFT, column & _MASK, column >> _SHIFT, key & _MASK, key >> _SHIFT
    )
    return w0 | (w1 << _SHIFT)
