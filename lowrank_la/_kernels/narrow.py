"""Distances of all pairs of rows that have only a few features.

With a handful of features a vector register is wider than a row. Here its lanes
are different rows of Y instead, which lie transposed in tiles of `_WIDTH` rows.
"""

import functools

import numpy as np

from .._support.blocks import aligned, frozen, run_blocks
from .._support.jit import specialise

MOST_FEATURES = 32  # with more, the lanes fill with the features of a pair as well
_ROWS = 32  # of X to a block
_WIDTH = 256  # rows of Y to a tile; a power of two, so that no remainder needs code of its own


def itself(total):
    """Leave a sum as it is."""
    return total


accumulate = finish = None  # bound where the template is specialised


def _tile_by_tile(lo, hi, block, X, tiles, out):
    # (n, d) (m', d, width) in; (n, m) out; d is a multiple of four: the sums are loaded and
    # stored once for four features. All pairs take the same instructions: see `pairwise`.
    width, m, d = np.uint64(_WIDTH), np.uint64(out.shape[1]), np.uint64(X.shape[1])
    zero = X[0, 0] - X[0, 0]
    sums = np.empty(_WIDTH, X.dtype)
    for t in range(np.uint64(len(tiles))):
        first = t * width
        count = width if first + width < m else m - first
        for i in range(np.uint64(lo), np.uint64(hi)):
            for j in range(width):
                sums[j] = zero
            for f in range(np.uint64(0), d, np.uint64(4)):
                f1, f2, f3 = f + np.uint64(1), f + np.uint64(2), f + np.uint64(3)
                x0, x1, x2, x3 = X[i, f], X[i, f1], X[i, f2], X[i, f3]
                for j in range(width):
                    total = accumulate(sums[j], x0, tiles[t, f, j])
                    total = accumulate(total, x1, tiles[t, f1, j])
                    total = accumulate(total, x2, tiles[t, f2, j])
                    sums[j] = accumulate(total, x3, tiles[t, f3, j])
            for j in range(count):
                out[i, first + j] = finish(sums[j])


@functools.cache
def _kernel(accumulate, finish):
    name = f"{accumulate.__name__}_{finish.__name__}"
    return specialise(_tile_by_tile, name, accumulate=accumulate, finish=finish)


def pairwise(X, Y, accumulate, finish, n_threads, out=None):
    """Add up the features of all pairs of rows, in the precision of the data.

    Every pair goes through the same instructions, so that the sums of (x, y)
    and of (y, x) have the same bits if those of one feature have.

    Parameters
    ----------
    X, Y : ndarray of shape (n, d), (m, d)
        Of one dtype, float32 or float64.
    accumulate : callable
        Plain function ``(total, x, y)`` of one feature; two zeros leave the
        total as it is.
    finish : callable
        Plain function of a total: what to return of it.
    n_threads : int
    out : ndarray of shape (n, m), optional
        Memory for the result; it may be left unused.

    Returns
    -------
    sums : ndarray of shape (n, m)
    """
    if Y is not X and 2 * len(Y) < _WIDTH and len(Y) < len(X):  # lanes would stay empty
        return np.ascontiguousarray(pairwise(Y, X, accumulate, finish, n_threads).T)
    out = np.empty((len(X), len(Y)), X.dtype) if out is None else out
    args = _padded(X, len(X)), _tiles(Y), out
    run_blocks(_kernel(accumulate, finish), len(X), _ROWS, args, n_threads)
    return out


def _padded(X, n):
    """As many rows as wanted, and a multiple of four features, the new ones zero."""
    d = -(-X.shape[1] // 4) * 4
    if X.shape == (n, d):
        return frozen(X)
    padded = np.zeros((n, d), X.dtype)
    padded[: len(X), : X.shape[1]] = X
    return frozen(padded)


def _tiles(Y):
    n_tiles = -(-len(Y) // _WIDTH)
    rows = _padded(Y, n_tiles * _WIDTH).reshape(n_tiles, _WIDTH, -1)
    tiles = aligned((n_tiles, rows.shape[2], _WIDTH), Y.dtype)
    np.copyto(tiles, rows.transpose(0, 2, 1))
    return frozen(tiles)
