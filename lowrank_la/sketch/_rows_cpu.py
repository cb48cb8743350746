"""Rows of floats on the CPU, whatever they are stored as."""

import numpy as np

from .._support.blocks import aligned, frozen
from .._support.validation import as_floats

to_device = frozen


def zeros(shape, dtype=np.float64):
    """Return zeros that begin with a cache line."""
    array = aligned(shape, dtype)
    array.fill(0)
    return array


def dense_rows(block, lo, hi):
    """Contiguous rows of floats, and the number of row `lo` in them.

    They are the block itself if it can be, else a copy of its rows `lo` to `hi`.
    """
    if not isinstance(block, np.ndarray):
        return frozen(as_floats("block", block[lo:hi].toarray())), 0
    if block.dtype not in (np.float32, np.float64) or not block.flags.aligned:
        return frozen(as_floats("block", block[lo:hi]).copy()), 0
    return (frozen(block), lo) if block.flags.c_contiguous else (frozen(block[lo:hi]), 0)
