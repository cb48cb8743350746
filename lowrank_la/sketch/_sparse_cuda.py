"""Loops of sparse sign matrices on a GPU: the twins of `_sparse_cpu`.

A thread makes one number of the sketch, from the rows of the data that go there, in
their order: the bits are those of the CPU.
"""

import numpy as np

from .._kernels.rng import _MASK, _SHIFT, philox
from .._support.cuda import THREADS, cuda, cuda_kernel, device_function, to_device, xp, zeros
from ._sparse_cpu import ALIGNED, Law

__all__ = ["ALIGNED", "Law", "to_device", "zeros"]

TAKES_SPARSE = False
_ONE = np.uint64(1)
_philox = device_function(philox)


@cuda_kernel("uint64, uint64, int64, int64, uint32[:, ::1]")
def _entries(key, first, m, nnz, entries):
    # (nnz, n) out; as in the twin
    n = entries.shape[1]
    for at in range(cuda.grid(1), nnz * n, cuda.gridsize(1)):
        s, i = at // n, at % n
        row, begin = first + np.uint64(i), np.uint64(s * (m // nnz))
        size = np.uint64(m) - begin if s + 1 == nnz else np.uint64(m // nnz)
        quad = row >> np.uint64(2)
        w0, w1, w2, w3 = _philox(
            quad & _MASK, quad >> _SHIFT, np.uint64(s), np.uint64(0), key & _MASK, key >> _SHIFT
        )
        place = row & np.uint64(3)
        word = (w0 if place == 0 else w1) if place < 2 else (w2 if place == 2 else w3)
        target = begin + ((word >> _ONE) * size >> np.uint64(31))
        entries[s, i] = target << _ONE | word & _ONE


def _made_entries(law, first, n):
    entries = xp.empty((law.nnz, n), np.uint32)
    _entries(-(-entries.size // THREADS), law.key, np.uint64(first), law.m, law.nnz, entries)
    return entries


@cuda_kernel("uint32[::1], int64[::1], int64[::1], T[:, ::1], float64[:, ::1]")
def _add(entries, order, starts, data, sums):
    # A thread to a number: (nnz n,) (nnz n,) (m + 1,) (n, d) in; (m, d) out
    n, d = data.shape
    for at in range(cuda.grid(1), sums.size, cuda.gridsize(1)):
        target, c = at // d, at % d
        total = sums[target, c]
        for e in range(starts[target], starts[target + 1]):
            value = np.float64(data[order[e] % n, c])
            total += -value if entries[order[e]] & 1 else value
        sums[target, c] = total


def new_sums(m, d):
    """Return zeros for m rows of d columns."""
    return zeros((m, d))


def add(law, block, lo, hi, first, sums, n_threads):
    """Add a sketch of some rows; see the twin in `_sparse_cpu`."""
    entries = _made_entries(law, first, hi - lo).ravel()
    targets = (entries >> np.uint32(1)).astype(np.int64)
    order = xp.argsort(targets, kind="stable").astype(np.int64)
    starts = xp.searchsorted(targets[order], xp.arange(law.m + 1)).astype(np.int64)
    _add(-(-sums.size // THREADS), entries, order, starts, block[lo:hi], sums)


def total(law, sums, d):
    """Return the sketch, an array of shape (m, d)."""
    return sums / np.sqrt(law.nnz)


@cuda_kernel("uint32[:, ::1], float64, float64[:, ::1], float64[:, ::1]")
def _adjoint(entries, scale, values, out):
    # A thread to a number: (nnz, n) (m, k) in; (n, k) out
    k = out.shape[1]
    for at in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        i, c, total = at // k, at % k, 0.0
        for s in range(entries.shape[0]):
            value = scale * values[entries[s, i] >> 1, c]
            total += -value if entries[s, i] & 1 else value
        out[i, c] = total


def adjoint(law, values, first, out, n_threads):
    """Fill rows of the transpose, times an array; see the twin in `_sparse_cpu`."""
    entries = _made_entries(law, first, len(out))
    _adjoint(-(-out.size // THREADS), entries, law.nnz**-0.5, values, out)
