"""Loops of least squares on a GPU: the twins of `_cpu`, for dense rows.

The gradient reads the rows once; what multiplies matrices is CuPy's.
"""

from contextlib import nullcontext

import numpy as np

from .._support.cuda import THREADS, cuda, cuda_kernel, to_device, xp, zeros
from ._cpu import padded

__all__ = ["padded", "to_device", "zeros"]

PARTS = 1  # a block of rows for every block of threads is what there is to do at once
_PANEL = 1 << 24  # numbers in a panel
_SUMS = 1 << 24  # numbers in all partial sums of a gradient
_BLOCKS = 1024  # of threads, at most: each has its own sums
_LANES = 8  # threads to a row of a tile
_ROWS = THREADS // _LANES  # of a tile, which stays in the cache until it has been read twice
alone = nullcontext


def panel_rows(width):
    """Rows of a panel."""
    return max(64, _PANEL // width)


def empty_panel(n_rows, width):
    """Room for the rows of a panel, all zero."""
    return zeros((n_rows, padded(width)))


def pack(lo, hi, X, Y, shift, weights, n_design, panel):
    """Write rows of the design and its targets; see the twin in `_cpu`."""
    rows, p, width = panel[: hi - lo], X.shape[1], n_design + Y.shape[1]
    rows[:, :p] = X[lo:hi] - shift
    rows[:, p:n_design] = 1.0
    rows[:, n_design:width] = Y[lo:hi]
    if len(weights):
        rows *= xp.sqrt(weights[lo:hi])[:, None]


def add_gram(panel, n_left, gram):
    """Add the products of the first columns of a panel with all of them."""
    gram[:n_left] += panel[:, :n_left].T @ panel


def times(panel, matrix, out):
    """Multiply a panel by a matrix."""
    xp.matmul(panel, matrix, out=out)


@cuda_kernel("float64[:, ::1], float64[::1]")
def _row_squares(panel, squares):
    # A block of threads to a row, which every one of them adds up a part of:
    # (>= n, width) in; (n,) out
    parts = cuda.shared.array(THREADS, np.float64)
    for i in range(cuda.blockIdx.x, squares.size, cuda.gridDim.x):
        total = 0.0
        for j in range(cuda.threadIdx.x, panel.shape[1], cuda.blockDim.x):
            total += panel[i, j] * panel[i, j]
        parts[cuda.threadIdx.x] = total
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            total = 0.0
            for other in range(THREADS):
                total += parts[other]
            squares[i] = total
        cuda.syncthreads()


def row_squares(panel, matrix, squares):
    """Add up the squares of the first rows of a panel times a matrix."""
    _row_squares(min(len(squares), _BLOCKS), panel @ matrix, squares)


@cuda_kernel(
    "T[:, ::1], float64[:, ::1], float64[::1], float64[::1], float64[:, ::1], float64, "
    "float64[:, :, ::1]"
)
def _gradient(X, Y, shift, weights, coef, with_target, sums):
    # A tile of rows to a block of threads, which adds up what its tiles give:
    # (n, p), (n, k), (p,), (n,) or (0,), (k, n_design) in; (blocks, k, n_design + 1) in and out
    parts = cuda.shared.array(THREADS, np.float64)
    weighted = cuda.shared.array(_ROWS, np.float64)
    squares = cuda.shared.array(_ROWS, np.float64)
    n, p = X.shape
    n_design, mine = coef.shape[1], sums[cuda.blockIdx.x]
    r, lane = cuda.threadIdx.x // _LANES, cuda.threadIdx.x % _LANES
    for tile in range(cuda.blockIdx.x, (n + _ROWS - 1) // _ROWS, cuda.gridDim.x):
        begin = tile * _ROWS
        rows = min(n - begin, _ROWS)
        for t in range(coef.shape[0]):
            fitted = 0.0
            if r < rows:
                for j in range(lane, p, _LANES):
                    fitted += (np.float64(X[begin + r, j]) - shift[j]) * coef[t, j]
            parts[cuda.threadIdx.x] = fitted
            cuda.syncthreads()
            if lane == 0 and r < rows:
                fitted = coef[t, p] if n_design > p else 0.0
                for other in range(_LANES):
                    fitted += parts[cuda.threadIdx.x + other]
                residual = with_target * Y[begin + r, t] - fitted
                weighted[r] = residual * weights[begin + r] if weights.size else residual
                squares[r] = weighted[r] * residual
            cuda.syncthreads()
            for j in range(cuda.threadIdx.x, n_design + 1, cuda.blockDim.x):
                total = 0.0
                for i in range(rows):
                    if j < p:
                        total += weighted[i] * (np.float64(X[begin + i, j]) - shift[j])
                    else:
                        total += weighted[i] if j < n_design else squares[i]
                mine[t, j] += total
            cuda.syncthreads()


@cuda_kernel("float64[:, :, ::1], float64[:, ::1], float64[::1]")
def _add_sums(sums, gradient, squares):
    # A thread to a number, in the order of the blocks: (blocks, k, n_design + 1) in;
    # (k, n_design), (k,) in and out
    k, n_design = gradient.shape
    for at in range(cuda.grid(1), k * (n_design + 1), cuda.gridsize(1)):
        t, j, total = at // (n_design + 1), at % (n_design + 1), 0.0
        for b in range(sums.shape[0]):
            total += sums[b, t, j]
        if j < n_design:
            gradient[t, j] += total
        else:
            squares[t] += total


def add_gradient(lo, hi, X, Y, shift, weights, coef, with_target, gradient, squares):
    """Add gradients and the squares of the residuals; see the twin in `_cpu`."""
    k, width = coef.shape[0], coef.shape[1] + 1
    n_blocks = min(_BLOCKS, -(-(hi - lo) // _ROWS), max(1, _SUMS // (k * width)))
    sums = zeros((n_blocks, k, width))
    rows = X[lo:hi], Y[lo:hi], shift, weights[lo:hi]
    _gradient(n_blocks, *rows, coef, with_target, sums)
    _add_sums(-(-k * width // THREADS), sums, gradient, squares)
