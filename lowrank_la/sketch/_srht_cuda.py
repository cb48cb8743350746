"""Loops of the subsampled randomized Hadamard transform on a GPU: the twins of `_srht_cpu`.

A block of threads transforms some columns of 1024 rows in its shared memory. To have work
for more of them, sums are kept in parts that take every eighth block of rows each: which
blocks those are does not depend on how the rows come, and neither do the bits.
"""

import numpy as np

from .._kernels.rng import _MASK, _SHIFT, philox
from .._support.cuda import SIMULATED, cuda, cuda_kernel, device_function, to_device, xp, zeros
from ._srht_cpu import ALIGNED, Law, parity

__all__ = ["ALIGNED", "Law", "to_device", "zeros"]

TAKES_SPARSE = False
_PARTS = 8
_COLUMNS = 1 if SIMULATED else 4  # at a time
_TILE = 1024 * _COLUMNS
_ONE = np.uint64(1)
_philox, _parity = device_function(philox), device_function(parity)


@device_function
def _make_signs(key, block, signs):
    """Fill in the signs of a block of rows as bits of 32 words."""
    for t in range(cuda.threadIdx.x, 8, cuda.blockDim.x):
        number = block * np.uint64(8) + np.uint64(t)
        w0, w1, w2, w3 = _philox(
            number & _MASK, number >> _SHIFT, np.uint64(0), np.uint64(0), key & _MASK, key >> _SHIFT
        )
        signs[4 * t], signs[4 * t + 1], signs[4 * t + 2], signs[4 * t + 3] = w0, w1, w2, w3
    cuda.syncthreads()


@device_function
def _sign(signs, row):
    """Sign of a row of the block."""
    return -1.0 if (signs[row >> 5] >> np.uint64(row & 31)) & _ONE else 1.0


@device_function
def _transform(tile):
    """Walsh-Hadamard transform of 1024 rows."""
    step = _COLUMNS
    while step < _TILE:
        for t in range(cuda.threadIdx.x, _TILE // 2, cuda.blockDim.x):
            at = t // step * 2 * step + t % step
            one, other = tile[at], tile[at + step]
            tile[at], tile[at + step] = one + other, one - other
        cuda.syncthreads()
        step *= 2


@cuda_kernel("uint64, uint64, uint64[::1], int64[::1], T[:, ::1], float64[:, :, ::1]")
def _add(key, first, blocks, rows, data, sums):
    # A part and some columns to a block of threads: (m,) (m,) (n, d) in; (8, m, d) out
    tile = cuda.shared.array(_TILE, np.float64)
    signs = cuda.shared.array(32, np.uint64)
    d = data.shape[1]
    for job in range(cuda.blockIdx.x, _PARTS * ((d + _COLUMNS - 1) // _COLUMNS), cuda.gridDim.x):
        part, column = job % _PARTS, job // _PARTS * _COLUMNS
        for b in range(data.shape[0] // 1024):
            block = first + np.uint64(b)
            if block % np.uint64(_PARTS) != part:
                continue
            _make_signs(key, block, signs)
            for t in range(cuda.threadIdx.x, _TILE, cuda.blockDim.x):
                row, c = t // _COLUMNS, column + t % _COLUMNS
                value = np.float64(data[1024 * b + row, c]) if c < d else 0.0
                tile[t] = _sign(signs, row) * value
            cuda.syncthreads()
            _transform(tile)
            for t in range(cuda.threadIdx.x, rows.size * _COLUMNS, cuda.blockDim.x):
                s, c = t // _COLUMNS, column + t % _COLUMNS
                if c < d:
                    value = tile[rows[s] * _COLUMNS + t % _COLUMNS]
                    sums[part, s, c] += -value if _parity(blocks[s] & block) else value
            cuda.syncthreads()


def new_sums(m, d):
    """Return zeros for m rows of d columns, in parts."""
    return zeros((_PARTS, m, d))


def add(law, block, lo, hi, first, sums, n_threads):
    """Add a sketch of whole blocks of rows; see the twin in `_srht_cpu`."""
    n_jobs = _PARTS * -(-block.shape[1] // _COLUMNS)
    _add(n_jobs, law.key, np.uint64(first // 1024), law.blocks, law.rows, block[lo:hi], sums)


def total(law, sums, d):
    """Return the sketch, an array of shape (m, d)."""
    added = sums[0].copy()
    for part in sums[1:]:
        added += part
    out = xp.empty_like(added)
    out[law.order] = added
    return out / np.sqrt(len(out))


@cuda_kernel("uint64, uint64, uint64[::1], int64[::1], float64[:, ::1], float64[:, ::1]")
def _adjoint(key, first, blocks, starts, values, out):
    # A block of rows and some columns to a block of threads:
    # (m,) (1025,) (m, k) in; (n, k) out
    tile = cuda.shared.array(_TILE, np.float64)
    signs = cuda.shared.array(32, np.uint64)
    n, k = out.shape
    groups = (k + _COLUMNS - 1) // _COLUMNS
    for job in range(cuda.blockIdx.x, (n + 1023) // 1024 * groups, cuda.gridDim.x):
        begin, column = job // groups * 1024, job % groups * _COLUMNS
        block = first + np.uint64(job // groups)
        _make_signs(key, block, signs)
        for t in range(cuda.threadIdx.x, _TILE, cuda.blockDim.x):
            row, c, value = t // _COLUMNS, column + t % _COLUMNS, 0.0
            if c < k:
                for s in range(starts[row], starts[row + 1]):
                    value += -values[s, c] if _parity(blocks[s] & block) else values[s, c]
            tile[t] = value
        cuda.syncthreads()
        _transform(tile)
        for t in range(cuda.threadIdx.x, _TILE, cuda.blockDim.x):
            row, c = t // _COLUMNS, column + t % _COLUMNS
            if c < k and begin + row < n:
                out[begin + row, c] = _sign(signs, row) * tile[t]
        cuda.syncthreads()


def adjoint(law, values, first, out, n_threads):
    """Fill rows of the transpose, times an array; see the twin in `_srht_cpu`."""
    starts = xp.searchsorted(law.rows, xp.arange(1025)).astype(np.int64)
    values = xp.ascontiguousarray(values[law.order] / np.sqrt(len(values)))
    n_jobs = -(-len(out) // 1024) * out.shape[1]
    args = np.uint64(first // 1024), law.blocks, starts, values, out
    _adjoint(n_jobs, law.key, *args)
