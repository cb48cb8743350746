"""Rows of floats on the CPU, whatever they are stored as."""

import numpy as np

from .._support.blocks import aligned, frozen, run_blocks
from .._support.jit import kernel
from .._support.validation import as_floats

_BLOCK = 1024  # rows
_SOME = np.uint64(32)  # rows whose cache lines stay in the first level
to_device = frozen


def zeros(shape, dtype=np.float64):
    """Return zeros that begin with a cache line."""
    array = aligned(shape, dtype)
    array.fill(0)
    return array


def dense_rows(block, lo, hi, n_threads):
    """Contiguous rows of floats, and the number of row `lo` in them.

    They are the block itself if it can be, else a copy of its rows `lo` to `hi`.
    """
    if not isinstance(block, np.ndarray):
        return frozen(as_floats("block", block[lo:hi].toarray())), 0
    if block.dtype not in (np.float32, np.float64) or not block.flags.aligned:
        return frozen(as_floats("block", block[lo:hi]).copy()), 0
    if block.flags.f_contiguous and not block.flags.c_contiguous:
        rows = aligned((hi - lo, block.shape[1]), block.dtype)
        run_blocks(_transpose, hi - lo, _BLOCK, (frozen(block.T), np.uint64(lo), rows), n_threads)
        return frozen(rows), 0
    return (frozen(block), lo) if block.flags.c_contiguous else (frozen(block[lo:hi]), 0)


@kernel
def _transpose(lo, hi, b, columns, first, rows):
    # (d, m) in; (n, d) out
    row, end = np.uint64(lo), np.uint64(hi)
    while row < end:
        stop = min(row + _SOME, end)
        for c in range(np.uint64(rows.shape[1])):
            column = columns[c]
            for r in range(row, stop):
                rows[r, c] = column[first + r]
        row = stop
