"""Loops of sparse sign matrices on the CPU: a row of the data goes to few rows of the sketch."""

import functools
from typing import NamedTuple

import numpy as np

from .._kernels.hadamard import WIDTH
from .._kernels.rng import _MASK, _SHIFT, philox_cpu
from .._support.blocks import aligned, frozen, run_blocks
from .._support.jit import kernel, specialise
from ._tiles_cpu import LOADERS, dense_rows, joined, new_buffer, new_sums, oriented, to_device

__all__ = ["new_buffer", "new_sums", "to_device"]

ALIGNED = 1  # rows may come in any number
TAKES_SPARSE = True
_BLOCK = 1024  # rows
_SOME = np.uint64(32)  # rows that are brought into the cache together
_ONE, _FOUR, _WIDTH = np.uint64(1), np.uint64(4), np.uint64(WIDTH)
_LOG_WIDTH = np.uint64(WIDTH.bit_length() - 1)


class Law(NamedTuple):
    """Stacks of rows, and one entry of each column in every stack."""

    key: np.uint64
    m: int  # rows
    nnz: int  # stacks; the last has the rows that are left over


@kernel
def _entries(lo, hi, b, key, first, m, nnz, entries):
    # (nnz, n) out: the row of the sketch, or its complement for minus one
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
                    target = np.int64(begin + ((word >> _ONE) * size >> np.uint64(31)))
                    entries[s, row - first] = ~target if word & _ONE else target
                row += _ONE


def _made_entries(law, first, n):
    entries = np.empty((law.nnz, n), np.int32 if law.m < 2**31 else np.int64)
    run_blocks(_entries, n, _BLOCK, (law.key, np.uint64(first), law.m, law.nnz, entries))
    return frozen(entries)


load = None  # bound where the template is specialised


def _add(lo, hi, b, data, begin, ones, entries, scratch, sums):
    # A tile of columns: (n, d), or (d, n); (32,) (nnz, n) in; (n_tiles, 1024) scratch;
    # (n_tiles, m, 32) out
    column, width, some = np.uint64(lo), np.uint64(hi - lo), scratch[b]
    row, n = np.uint64(0), np.uint64(entries.shape[1])
    while row < n:
        n_rows = min(_SOME, n - row)
        load(data, begin + row, n_rows, ones, column, np.uint64(0), width, some)
        for r in range(n_rows):
            source = some[r * _WIDTH : (r + _ONE) * _WIDTH]
            for s in range(np.uint64(len(entries))):
                entry = np.int64(entries[s, row + r])
                sign, target = (1.0, entry) if entry >= 0 else (-1.0, ~entry)
                sums_of_target = sums[b, np.uint64(target)]
                for c in range(width):
                    sums_of_target[c] += sign * source[c]
        row += n_rows


@functools.cache
def _adder(order):
    return specialise(_add, order, load=LOADERS[order])


@kernel
def _add_sparse(lo, hi, b, indptr, indices, values, entries, sums):
    # Stacks lo to hi: (n + 1,) (nnz of data,) (nnz of data,) (nnz, n) in; (n_tiles, m, 32) out
    for s in range(np.uint64(lo), np.uint64(hi)):
        for i in range(np.uint64(entries.shape[1])):
            entry = np.int64(entries[s, i])
            sign, target = (1.0, entry) if entry >= 0 else (-1.0, ~entry)
            for e in range(np.uint64(indptr[i]), np.uint64(indptr[i + _ONE])):
                column = np.uint64(indices[e])
                tile, place = column >> _LOG_WIDTH, column & (_WIDTH - _ONE)
                sums[tile, np.uint64(target), place] += sign * np.float64(values[e])


def add(law, block, lo, hi, first, sums):
    """Add a sketch of the rows `lo` to `hi` of a block.

    Parameters
    ----------
    law : Law
    block : array or CSR matrix of shape (n, d)
    lo, hi : int
    first : int
        Number of row `lo` in the whole of the data.
    sums : ndarray of shape (n_tiles, m, 32)
    """
    entries = _made_entries(law, first, hi - lo)
    if not isinstance(block, np.ndarray):
        _add_compressed(law, block, lo, hi, entries, sums)
        return
    data, begin = dense_rows(block, lo, hi)
    kind, data = oriented(data)
    ones = frozen(np.ones(int(_SOME)))
    scratch = aligned((len(sums), int(_SOME) * WIDTH), np.float64)
    args = data, np.uint64(begin), ones, entries, scratch, sums
    run_blocks(_adder(kind), block.shape[1], WIDTH, args)


def _add_compressed(law, block, lo, hi, entries, sums):
    if block.dtype not in (np.float32, np.float64):
        block, lo, hi = block[lo:hi].astype(np.float64), 0, hi - lo
    parts = block.indptr[lo : hi + 1], block.indices, block.data
    run_blocks(_add_sparse, law.nnz, 1, (*map(frozen, parts), entries, sums))


def total(law, sums, d):
    """Return the sketch, an array of shape (m, d)."""
    return joined(sums, d) / np.sqrt(law.nnz)


@kernel
def _adjoint(lo, hi, b, entries, scale, values, out):
    # Rows lo to hi: (nnz, n) (m, k) in; (n, k) out
    for i in range(np.uint64(lo), np.uint64(hi)):
        target = out[i]
        for c in range(np.uint64(len(target))):
            target[c] = 0
        for s in range(np.uint64(len(entries))):
            entry = np.int64(entries[s, i])
            sign, row = (scale, entry) if entry >= 0 else (-scale, ~entry)
            source = values[np.uint64(row)]
            for c in range(np.uint64(len(target))):
                target[c] += sign * source[c]


def adjoint(law, values, first, out):
    """Fill rows `first` and following of the transpose, times an array.

    Parameters
    ----------
    law : Law
    values : ndarray of shape (m, k), float64
    first : int
    out : ndarray of shape (n, k), float64
    """
    entries = _made_entries(law, first, len(out))
    run_blocks(_adjoint, len(out), _BLOCK, (entries, law.nnz**-0.5, frozen(values), out))
