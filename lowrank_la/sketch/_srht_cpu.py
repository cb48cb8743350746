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
_ONE, _WORD = np.uint64(1), np.uint64(32)
_ROWS, _GROUP, _WIDTH, _STRIDE = map(np.uint64, (ROWS, GROUP, WIDTH, STRIDE))


class Law(NamedTuple):
    """Row s of the sketch is row ``1024 blocks[s] + rows[s]`` of H D, divided by sqrt(m)."""

    key: np.uint64  # of the signs D
    blocks: np.ndarray  # (m,), uint64
    rows: np.ndarray  # (m,), int64


def parity(x):
    """1 for an odd number of set bits, else 0; uint64."""
    for shift in (32, 16, 8, 4, 2, 1):
        x ^= x >> np.uint64(shift)
    return x & _ONE


_parity = kernel(parity)


@kernel
def _signs(lo, hi, b, key, first, blocks, row_signs, sample_signs):
    # (m,) in; (n_blocks, 1024) (n_blocks, m) out
    for i in range(np.uint64(lo), np.uint64(hi)):
        block = first + i
        row = np.uint64(0)
        while row < _ROWS:
            number = (block * _ROWS + row) >> np.uint64(7)  # 128 signs from each counter
            words = philox_cpu(
                number & _MASK, number >> _SHIFT, np.uint64(0), np.uint64(0), key & _MASK,
                key >> _SHIFT,
            )  # fmt: skip
            for word in words:
                for bit in range(_WORD):
                    row_signs[i, row + bit] = 1.0 - 2.0 * np.float64((word >> bit) & _ONE)
                row += _WORD
        for s in range(np.uint64(len(blocks))):
            sample_signs[i, s] = 1.0 - 2.0 * np.float64(_parity(blocks[s] & block))


def _made_signs(law, order, first, n_blocks):
    """Signs of the rows and of the samples, for consecutive blocks of rows."""
    row_signs, sample_signs = np.empty((n_blocks, ROWS)), np.empty((n_blocks, len(law.blocks)))
    args = law.key, np.uint64(first // ROWS), frozen(law.blocks[order]), row_signs, sample_signs
    run_blocks(_signs, n_blocks, 1, args)
    return frozen(row_signs), frozen(sample_signs)


@kernel
def _add(lo, hi, b, data, first, row_signs, sample_signs, samples, scratch, sums):
    # A tile of columns: (n, d) (n_blocks, 1024) (n_blocks, m) (m,) in;
    # (n_tiles, length) scratch; (n_tiles, m, 32) out
    begin, end, tile = np.uint64(lo), np.uint64(hi), scratch[b]
    width = end - begin
    for block in range(np.uint64(len(row_signs))):
        for group in range(_GROUP):
            at = group * _STRIDE
            for row in range(group * _GROUP, (group + _ONE) * _GROUP):
                sign, source = row_signs[block, row], data[first + row, begin:end]
                for c in range(width):
                    tile[at + c] = sign * np.float64(source[c])
                at += _WIDTH
            within(tile, group, width)
        across(tile, width)
        for s in range(np.uint64(len(samples))):
            sign, target = sample_signs[block, s], sums[b, s]
            source = tile[samples[s] : samples[s] + _WIDTH]
            for c in range(width):
                target[c] += sign * source[c]
        first += _ROWS


def new_sums(m, d):
    """Return zeros for m rows of d columns, tile by tile."""
    return zeros((-(-d // WIDTH), m, WIDTH))


def add(law, block, lo, hi, first, sums):
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
        In the order of the rows that are sampled, so that they are read as they lie.
    """
    data, begin = dense_rows(block, lo, hi)
    order = np.argsort(law.rows, kind="stable")
    signs = _made_signs(law, order, first, (hi - lo) // ROWS)
    samples, scratch = frozen(places(law.rows[order])), tiles(len(sums))
    args = data, np.uint64(begin), *signs, samples, scratch, sums
    run_blocks(_add, block.shape[1], WIDTH, args)


def total(law, sums, d):
    """Return the sketch, an array of shape (m, d)."""
    out = np.empty((len(law.rows), d))
    out[np.argsort(law.rows, kind="stable")] = sums.transpose(1, 0, 2).reshape(len(out), -1)[:, :d]
    out /= np.sqrt(len(out))
    return out


@kernel
def _adjoint(lo, hi, b, row_signs, sample_signs, samples, values, scratch, out):
    # A tile of columns: (n_blocks, 1024) (n_blocks, m) (m,) (m, k) in;
    # (n_tiles, length) scratch; (n, k) out
    column, width, tile = np.uint64(lo), np.uint64(hi - lo), scratch[b]
    for block in range(np.uint64(len(row_signs))):
        for at in range(np.uint64(len(tile))):
            tile[at] = 0.0
        for s in range(np.uint64(len(samples))):
            sign, at = sample_signs[block, s], samples[s]
            for c in range(width):
                tile[at + c] += sign * np.float64(values[s, column + c])
        for group in range(_GROUP):
            within(tile, group, width)
        across(tile, width)
        for r in range(min(_ROWS, np.uint64(len(out)) - block * _ROWS)):
            sign, at = row_signs[block, r], r * _WIDTH + r // _GROUP * (_STRIDE - _GROUP * _WIDTH)
            target = out[block * _ROWS + r]
            for c in range(width):
                target[column + c] = sign * tile[at + c]


def adjoint(law, values, first, out):
    """Fill rows `first` and following of the transpose, times an array.

    Parameters
    ----------
    law : Law
    values : ndarray of shape (m, k)
        Floats, contiguous by rows.
    first : int
        A multiple of `ALIGNED`.
    out : ndarray of shape (n, k)
    """
    k, order = values.shape[1], np.argsort(law.rows, kind="stable")
    signs = _made_signs(law, order, first, -(-len(out) // ROWS))
    values = frozen(values[order] / np.sqrt(len(values)))
    args = *signs, frozen(places(law.rows[order])), values, tiles(-(-k // WIDTH)), out
    run_blocks(_adjoint, k, WIDTH, args)
