"""Loops of the subsampled randomized Hadamard transform on the CPU."""

from typing import NamedTuple

import numpy as np

from .._kernels.hadamard import GROUP, ROWS, STRIDE, WIDTH, across, places, tiles, within
from .._kernels.rng import _MASK, _SHIFT, philox_cpu
from .._support.blocks import frozen, run_blocks
from .._support.jit import kernel
from ._rows_cpu import dense_rows, to_device, zeros

__all__ = ["to_device", "zeros"]

ALIGNED = ROWS  # rows come in blocks of as many
TAKES_SPARSE = False
_ONE = np.uint64(1)
_ROWS, _GROUP, _WIDTH, _STRIDE = map(np.uint64, (ROWS, GROUP, WIDTH, STRIDE))


class Law(NamedTuple):
    """Row ``order[s]`` of the sketch is row ``1024 blocks[s] + rows[s]`` of H D, over sqrt(m)."""

    key: np.uint64  # of the signs D
    blocks: np.ndarray  # (m,), uint64
    rows: np.ndarray  # (m,), int64; ascending, so that they are read as they lie
    order: np.ndarray  # (m,), int64


def parity(x):
    """1 for an odd number of set bits, else 0; uint64."""
    for shift in (32, 16, 8, 4, 2, 1):
        x ^= x >> np.uint64(shift)
    return x & _ONE


_parity = kernel(parity)


@kernel
def _signs_of_group(key, row):
    """Signs of 32 rows, as bits: a quarter of those that a counter makes."""
    number = row >> np.uint64(7)
    words = philox_cpu(
        number & _MASK, number >> _SHIFT, np.uint64(0), np.uint64(0), key & _MASK, key >> _SHIFT
    )
    return words[(row >> np.uint64(5)) & np.uint64(3)]


@kernel
def _sample_signs(first, blocks, signs):
    # (m,) in; (n_blocks, m) out
    for b in range(np.uint64(len(signs))):
        for s in range(np.uint64(len(blocks))):
            signs[b, s] = 1.0 - 2.0 * np.float64(_parity(blocks[s] & (first + b)))


def _samples(law, first, n_blocks):
    """Return the places of what is sampled, and its signs in each block."""
    signs = np.empty((n_blocks, len(law.rows)))
    _sample_signs(np.uint64(first // ROWS), law.blocks, signs)
    return frozen(places(law.rows)), frozen(signs)


@kernel
def _transform(lo, hi, b, data, begin, key, first, staged):
    # Groups of 32 rows: (n, d) in; (n_blocks, n_tiles, length) out
    d = np.uint64(data.shape[1])
    for number in range(np.uint64(lo), np.uint64(hi)):
        block, group = number // _GROUP, number % _GROUP
        bits = _signs_of_group(key, first + number * _GROUP)
        for r in range(_GROUP):
            source = data[begin + number * _GROUP + r]
            sign = 1.0 - 2.0 * np.float64((bits >> r) & _ONE)
            at = group * _STRIDE + r * _WIDTH
            for t in range(np.uint64(staged.shape[1])):
                target, column = staged[block, t], t * _WIDTH
                width = min(_WIDTH, d - column)
                for c in range(width):
                    target[at + c] = sign * np.float64(source[column + c])
                for c in range(width, _WIDTH):
                    target[at + c] = 0.0
        for t in range(np.uint64(staged.shape[1])):
            within(staged[block, t], group, min(_WIDTH, d - t * _WIDTH))


@kernel
def _add(lo, hi, b, staged, samples, signs, sums):
    # Columns of a tile: (n_blocks, n_tiles, length) in and scratch; (m,) (n_blocks, m) in;
    # (n_tiles, m, 32) out
    width = np.uint64(hi - lo)
    for block in range(np.uint64(len(staged))):
        tile = staged[block, np.uint64(b)]
        across(tile, width)
        for s in range(np.uint64(len(samples))):
            sign, target = signs[block, s], sums[np.uint64(b), s]
            source = tile[samples[s] : samples[s] + _WIDTH]
            for c in range(width):
                target[c] += sign * source[c]


def new_sums(m, d):
    """Return zeros for m rows of d columns, tile by tile."""
    return zeros((-(-d // WIDTH), m, WIDTH))


def add(law, block, lo, hi, first, sums, n_threads):
    """Add a sketch of the rows `lo` to `hi` of a block.

    Parameters
    ----------
    law : Law
    block : array or CSR matrix of shape (n, d)
    lo, hi : int
        They differ by a multiple of `ALIGNED`.
    first : int
        Number of row `lo` in the whole of the data; a multiple of `ALIGNED`.
    sums : ndarray of shape (n_tiles, m, 32)
        In the order of the law.
    n_threads : int
    """
    data, begin = dense_rows(block, lo, hi)
    n_blocks, d = (hi - lo) // ROWS, block.shape[1]
    samples = _samples(law, first, n_blocks)
    staged = tiles((n_blocks, len(sums)))
    args = data, np.uint64(begin), law.key, np.uint64(first), staged
    run_blocks(_transform, n_blocks * GROUP, GROUP, args, n_threads)
    run_blocks(_add, d, WIDTH, (staged, *samples, sums), n_threads)


def total(law, sums, d):
    """Return the sketch, an array of shape (m, d)."""
    out = np.empty((len(law.rows), d))
    out[law.order] = sums.transpose(1, 0, 2).reshape(len(out), -1)[:, :d]
    out /= np.sqrt(len(out))
    return out


@kernel
def _adjoint(lo, hi, b, key, first, samples, signs, values, scratch, out):
    # A tile of columns: (m,) (n_blocks, m) (m, k) in; (n_tiles, length) scratch; (n, k) out
    column, width, tile = np.uint64(lo), np.uint64(hi - lo), scratch[b]
    for block in range(np.uint64(len(signs))):
        for at in range(np.uint64(len(tile))):
            tile[at] = 0.0
        for s in range(np.uint64(len(samples))):
            sign, at = signs[block, s], samples[s]
            for c in range(width):
                tile[at + c] += sign * np.float64(values[s, column + c])
        for group in range(_GROUP):
            within(tile, group, width)
        across(tile, width)
        for r in range(min(_ROWS, np.uint64(len(out)) - block * _ROWS)):
            row, at = block * _ROWS + r, r // _GROUP * _STRIDE + r % _GROUP * _WIDTH
            bits = _signs_of_group(key, first + row)
            sign, target = 1.0 - 2.0 * np.float64((bits >> (r % _GROUP)) & _ONE), out[row]
            for c in range(width):
                target[column + c] = sign * tile[at + c]


def adjoint(law, values, first, out, n_threads):
    """Fill rows `first` and following of the transpose, times an array.

    Parameters
    ----------
    law : Law
    values : ndarray of shape (m, k), float64
    first : int
        A multiple of `ALIGNED`.
    out : ndarray of shape (n, k), float64
    n_threads : int
    """
    k = values.shape[1]
    samples = _samples(law, first, -(-len(out) // ROWS))
    values = frozen(values[law.order] / np.sqrt(len(values)))
    args = law.key, np.uint64(first), *samples, values, tiles((-(-k // WIDTH),)), out
    run_blocks(_adjoint, k, WIDTH, args, n_threads)
