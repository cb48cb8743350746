"""Loops of sparse sign matrices on the CPU: a row of the data goes to few rows of the sketch."""

from typing import NamedTuple

import numpy as np

from .._kernels.rng import _MASK, _SHIFT, philox_cpu
from .._support.blocks import frozen, run_blocks
from .._support.jit import kernel
from ._rows_cpu import dense_rows, to_device, zeros

__all__ = ["to_device", "zeros"]

ALIGNED = 1  # rows may come in any number
TAKES_SPARSE = True
_BLOCK = 1024  # rows
_WIDE = 1024  # columns that one thread takes: long stretches of a row come fast
_FEW = 8  # rows
_ONE, _FOUR = np.uint64(1), np.uint64(4)


class Law(NamedTuple):
    """Stacks of rows, and one entry of each column in every stack."""

    key: np.uint64
    m: int  # rows
    nnz: int  # stacks; the last has the rows that are left over


@kernel
def _entries(lo, hi, b, key, first, m, nnz, entries):
    # (nnz, n) out: twice the row of the sketch, and one more for minus one
    start, stop = first + np.uint64(lo), first + np.uint64(hi)
    for s in range(np.uint64(nnz)):
        begin = s * np.uint64(m // nnz)
        size = np.uint64(m) - begin if s + _ONE == np.uint64(nnz) else np.uint64(m // nnz)
        for quad in range(start // _FOUR, (stop + np.uint64(3)) // _FOUR):
            row = quad * _FOUR
            words = philox_cpu(
                quad & _MASK, quad >> _SHIFT, s, np.uint64(0), key & _MASK, key >> _SHIFT
            )
            for word in words:
                if start <= row < stop:
                    target = begin + ((word >> _ONE) * size >> np.uint64(31))
                    entries[s, row - first] = target << _ONE | word & _ONE
                row += _ONE


def _made_entries(law, first, n, n_threads):
    entries = np.empty((law.nnz, n), np.uint32)
    args = law.key, np.uint64(first), law.m, law.nnz, entries
    run_blocks(_entries, n, _BLOCK, args, n_threads)
    return frozen(entries)


@kernel
def _add(lo, hi, b, data, first, entries, n_parts, together, sums):
    # Some stacks, a part of the columns: (n, d) (nnz, n) in; (m, d) out
    s0, begin = np.uint64(b) // n_parts * together, np.uint64(b) % n_parts * np.uint64(_WIDE)
    end = min(begin + np.uint64(_WIDE), np.uint64(data.shape[1]))
    n, i0 = np.uint64(entries.shape[1]), np.uint64(0)
    while i0 < n:  # few rows at a time: they stay in the cache for all stacks
        i1 = min(i0 + np.uint64(_FEW), n)
        for s in range(s0, s0 + together):
            for i in range(i0, i1):
                entry = np.uint64(entries[s, i])
                sign = 1.0 - 2.0 * np.float64(entry & _ONE)
                source, target = data[first + i, begin:end], sums[entry >> _ONE, begin:end]
                for c in range(np.uint64(len(source))):
                    target[c] += sign * np.float64(source[c])
        i0 = i1


@kernel
def _add_compressed(lo, hi, b, indptr, indices, values, entries, sums):
    # A stack: (n + 1,) (nnz of data,) (nnz of data,) (nnz, n) in; (m, d) out
    for i in range(np.uint64(entries.shape[1])):
        entry = np.uint64(entries[b, i])
        sign, target = 1.0 - 2.0 * np.float64(entry & _ONE), sums[entry >> _ONE]
        for e in range(np.uint64(indptr[i]), np.uint64(indptr[i + _ONE])):
            target[np.uint64(indices[e])] += sign * np.float64(values[e])


def new_sums(m, d):
    """Return zeros for m rows of d columns."""
    return zeros((m, d))


def add(law, block, lo, hi, first, sums, n_threads):
    """Add a sketch of the rows `lo` to `hi` of a block.

    Parameters
    ----------
    law : Law
    block : array or CSR matrix of shape (n, d)
    lo, hi : int
    first : int
        Number of row `lo` in the whole of the data.
    sums : ndarray of shape (m, d)
    n_threads : int
    """
    entries = _made_entries(law, first, hi - lo, n_threads)
    if isinstance(block, np.ndarray):
        data, begin = dense_rows(block, lo, hi)
        n_parts = -(-block.shape[1] // _WIDE)
        together = law.nnz if n_parts > 1 else 1  # who has few columns shares the stacks out
        args = data, np.uint64(begin), entries, np.uint64(n_parts), np.uint64(together), sums
        run_blocks(_add, law.nnz // together * n_parts, 1, args, n_threads)
        return
    if block.dtype not in (np.float32, np.float64):
        block, lo, hi = block[lo:hi].astype(np.float64), 0, hi - lo
    parts = block.indptr[lo : hi + 1], block.indices, block.data
    run_blocks(_add_compressed, law.nnz, 1, (*map(frozen, parts), entries, sums), n_threads)


def total(law, sums, d):
    """Return the sketch, an array of shape (m, d)."""
    return sums / np.sqrt(law.nnz)


@kernel
def _adjoint(lo, hi, b, entries, scale, values, out):
    # Rows lo to hi: (nnz, n) (m, k) in; (n, k) out
    for i in range(np.uint64(lo), np.uint64(hi)):
        target = out[i]
        for c in range(np.uint64(len(target))):
            target[c] = 0
        for s in range(np.uint64(len(entries))):
            entry = np.uint64(entries[s, i])
            sign, source = 1.0 - 2.0 * np.float64(entry & _ONE), values[entry >> _ONE]
            for c in range(np.uint64(len(target))):
                target[c] += scale * sign * source[c]


def adjoint(law, values, first, out, n_threads):
    """Fill rows `first` and following of the transpose, times an array.

    Parameters
    ----------
    law : Law
    values : ndarray of shape (m, k), float64
    first : int
    out : ndarray of shape (n, k), float64
    n_threads : int
    """
    entries = _made_entries(law, first, len(out), n_threads)
    args = entries, law.nnz**-0.5, frozen(values), out
    run_blocks(_adjoint, len(out), _BLOCK, args, n_threads)
