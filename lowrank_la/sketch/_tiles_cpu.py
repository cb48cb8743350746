"""Tiles of columns: sums that stay in the cache, and rows that are brought there."""

import numpy as np

from .._kernels.hadamard import WIDTH
from .._support.blocks import aligned, frozen
from .._support.validation import as_floats

_WIDTH = np.uint64(WIDTH)
to_device = frozen


def count(d):
    """Tiles that d columns make."""
    return -(-d // WIDTH)


def new_sums(m, d):
    """Return zeros for m rows of d columns, tile by tile."""
    sums = aligned((count(d), m, WIDTH), np.float64)
    sums.fill(0)
    return sums


def new_buffer(n, d):
    """Return zeros for n rows of d columns."""
    buffer = aligned((n, d), np.float64)
    buffer.fill(0)
    return buffer


def joined(sums, d):
    """Turn tiles into an array of d columns."""
    return sums.transpose(1, 0, 2).reshape(sums.shape[1], -1)[:, :d]


def dense_rows(block, lo, hi):
    """Floats, contiguous by rows or columns, and the number of row `lo` in them.

    They are the block itself if it can be, else a copy of its rows `lo` to `hi`.
    """
    if not isinstance(block, np.ndarray):
        return as_floats("block", block[lo:hi].toarray()), 0
    flags, native = block.flags, block.dtype in (np.float32, np.float64)
    if native and flags.aligned and (flags.c_contiguous or flags.f_contiguous):
        return block, lo
    return np.ascontiguousarray(as_floats("block", block[lo:hi])), 0


def oriented(data):
    """Name the loader of an array, and return it with contiguous rows, or columns, first."""
    return ("rows", frozen(data)) if data.flags.c_contiguous else ("columns", frozen(data.T))


# Loaders: rows `first` to `first + n` of the data, times their signs, into a tile from `start`.


def _load_rows(data, first, n, signs, column, start, width, tile):
    for r in range(n):
        source, sign = data[first + r], signs[r]
        for c in range(width):
            tile[start + c] = sign * np.float64(source[column + c])
        start += _WIDTH


def _load_columns(data, first, n, signs, column, start, width, tile):
    for c in range(width):
        source, at = data[column + c], start + c
        for r in range(n):
            tile[at] = signs[r] * np.float64(source[first + r])
            at += _WIDTH


LOADERS = {"rows": _load_rows, "columns": _load_columns}
