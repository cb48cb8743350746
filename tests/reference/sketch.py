"""Sketches as explicit matrices, entry by entry, from interpreted random numbers."""

import numpy as np
from scipy.linalg import hadamard

from lowrank_la._kernels.rng import gaussian_pair, philox

_MASK, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)


def words(key, low, high):
    """Four words for a counter of two 64-bit numbers."""
    low, high, key = np.uint64(low), np.uint64(high), np.uint64(key)
    counter = low & _MASK, low >> _SHIFT, high & _MASK, high >> _SHIFT
    return [int(word) for word in philox(*counter, key & _MASK, key >> _SHIFT)]


def signs(key, n):
    """One bit of a counter to a row, 128 rows to a counter."""
    bits = [
        word >> bit & 1
        for number in range(-(-n // 128))
        for word in words(key, number, 0)
        for bit in range(32)
    ]
    return 1.0 - 2.0 * np.array(bits[:n])


def srht(key, blocks, rows, n):
    """Rows ``1024 blocks + rows`` of H D, over the root of their number."""
    size = 1 << max(10, (n - 1).bit_length())
    places = [(1024 * int(u) + int(v)) % size for u, v in zip(blocks, rows, strict=True)]
    return hadamard(size, dtype=float)[places][:, :n] * signs(key, n) / np.sqrt(len(places))


def sparse_sign(key, m, nnz, n):
    """One random sign in each stack of rows of a column; 31 bits choose the row, one the sign."""
    S = np.zeros((m, n))
    for s, begin in enumerate(range(0, m // nnz * nnz, m // nnz)):
        size = m // nnz if s < nnz - 1 else m - begin
        for i in range(n):
            word = words(key, i // 4, s)[i % 4]
            S[begin + ((word >> 1) * size >> 31), i] = 1.0 - 2.0 * (word & 1)
    return S / np.sqrt(nnz)


def gaussian(key, m, n):
    """Four entries of a row from each counter."""
    S = np.empty((m, n + 3))
    for s in range(m):
        for i in range(0, n, 4):
            w = [np.float64(word) for word in words(key, i // 4, s)]
            S[s, i : i + 4] = gaussian_pair(*w[:2], 1.0) + gaussian_pair(*w[2:], 1.0)
    return S[:, :n] / np.sqrt(m)
