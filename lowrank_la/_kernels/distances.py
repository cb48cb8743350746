"""Distances between all pairs of rows, tile by tile.

A metric is a plain function ``accumulate(total, x, y)`` of one feature, and an
order of magnitude faster in these tiles than pair by pair in float64. What is
a scalar product at heart goes through BLAS, and the pairs too close for it are
computed again. Rows of a few features take the tiles of `narrow` instead.
"""

import functools
import math

import numpy as np

from .._support.blas import single_threaded_blas
from .._support.blocks import frozen, run_blocks
from .._support.jit import kernel, specialise
from . import narrow

_ROWS = 32  # of X to a block
_TILE = 64  # rows of Y at a time
_FEATURES = 1024  # added up in the data's own precision before float64 takes over
_BLAS_ROWS = 512  # of X and Y to a matrix product
# Below this share of |x|² + |y|², |x|² + |y|² - 2xy has lost too many digits.
_CANCELLED = {"f": 0.4, "d": 1e-5}
# Entries whose squared differences, and sums of some, stay in the range of the type: two
# different numbers are apart by a rounding error of the larger one at least.
_SQUARABLE = {"f": (2.0**-38, 2.0**58), "d": (2.0**-457, 2.0**500)}


def cityblock(total, x, y):
    """Sum of absolute differences."""
    return total + abs(x - y)


def chebyshev(total, x, y):
    """Largest absolute difference."""
    return max(total, abs(x - y))


def canberra(total, x, y):
    """Sum of |x - y| / (|x| + |y|), with 0 / 0 = 0."""
    scale = abs(x) + abs(y)
    return total + (abs(x - y) / scale if scale > 0 else scale)


def hamming(total, x, y):
    """Count the features that differ; their share is taken in the end."""
    return total + (x != y)


def squared(total, x, y):
    """Sum of squared differences."""
    return total + (x - y) * (x - y)


def root(total):
    """Length, of its square."""
    return math.sqrt(total)


ACCUMULATE = {
    "cityblock": cityblock,
    "chebyshev": chebyshev,
    "canberra": canberra,
    "hamming": hamming,
}
METRICS = (*ACCUMULATE, "euclidean", "sqeuclidean", "cosine")


_MERGE = {"chebyshev": chebyshev}  # how parts that are not negative combine; else they add


accumulate = merge = None  # bound where the template is specialised


def _tiles(lo, hi, b, X, Y, symmetric, scale, out):
    # (n, d) (m, d) in; (n, m) out. Four rows of Y abreast, one pass over a row of X.
    m, d = len(Y), X.shape[1]
    zero = X[0, 0] - X[0, 0]
    sums = np.empty((hi - lo, _TILE + 3))
    for first in range(lo // _TILE * _TILE if symmetric else 0, m, _TILE):
        last = min(first + _TILE, m)
        for i in range(hi - lo):
            for j in range(last - first):
                sums[i, j] = 0.0
        for start in range(0, d, _FEATURES):
            stop = min(start + _FEATURES, d)
            for i in range(lo, hi):
                x = X[i, start:stop]
                for j in range(first, last, 4):
                    y0 = Y[j, start:stop]
                    y1 = Y[min(j + 1, last - 1), start:stop]
                    y2 = Y[min(j + 2, last - 1), start:stop]
                    y3 = Y[min(j + 3, last - 1), start:stop]
                    t0 = t1 = t2 = t3 = zero
                    for f in range(stop - start):
                        t0 = accumulate(t0, x[f], y0[f])
                        t1 = accumulate(t1, x[f], y1[f])
                        t2 = accumulate(t2, x[f], y2[f])
                        t3 = accumulate(t3, x[f], y3[f])
                    totals = sums[i - lo, j - first : j - first + 4]
                    totals[0] = merge(totals[0], np.float64(t0), 0.0)
                    totals[1] = merge(totals[1], np.float64(t1), 0.0)
                    totals[2] = merge(totals[2], np.float64(t2), 0.0)
                    totals[3] = merge(totals[3], np.float64(t3), 0.0)
        for i in range(lo, hi):
            for j in range(max(first, i) if symmetric else first, last):
                out[i, j] = sums[i - lo, j - first] * scale
        if symmetric:
            for j in range(first, last):
                for i in range(lo, j if j < hi else hi):
                    out[j, i] = out[i, j]


@functools.cache
def _tile_kernel(metric):
    merge = _MERGE.get(metric, cityblock)
    return specialise(_tiles, metric, accumulate=ACCUMULATE[metric], merge=merge)


@kernel
def _finish_products(
    lo, hi, X, Y, x_norms, y_norms, symmetric, cancelled, unit, root, products, out
):  # fmt: skip
    # (n, d) (m, d) (n,) (m,) in; products (hi - lo, m') in; (n, m) out
    first = len(Y) - products.shape[1]
    for i in range(lo, hi):
        x = X[i]
        for j in range(i if symmetric else first, len(Y)):
            scale = x_norms[i] + y_norms[j]
            square = scale - 2.0 * products[i - lo, j - first]
            if square < cancelled * scale:
                y = Y[j]
                square = 0.0
                for f in range(len(x)):
                    difference = (np.float64(x[f]) - np.float64(y[f])) / unit
                    square += difference * difference
            out[i, j] = np.sqrt(square) * unit if root else square * unit * unit
    if symmetric:
        for j in range(lo, len(Y)):
            for i in range(lo, j if j < hi else hi):
                out[j, i] = out[i, j]


def _from_products(A, B, a_norms, b_norms, X, Y, unit, root, n_threads):
    """Distances |a|² + |b|² - 2ab, times the unit; those of close pairs from X and Y themselves."""
    symmetric, cancelled = B is A, _CANCELLED[A.dtype.char]
    out = np.empty((len(A), len(B)), A.dtype)

    def block(lo, hi, b):
        products = A[lo:hi] @ (B[lo:] if symmetric else B).T
        args = X, Y, a_norms, b_norms, symmetric, cancelled, unit, root, products, out
        _finish_products(lo, hi, *args)

    with single_threaded_blas():
        run_blocks(block, len(A), _BLAS_ROWS, (), n_threads)
    return out


def _squared_norms(X):
    return np.einsum("ij,ij->i", X, X, dtype=np.float64)


def exponent_of(X, axis=None):
    """Power of two to divide by, so that squares neither overflow nor vanish."""
    largest = np.abs(X).max(axis=axis, keepdims=axis is not None)
    return np.clip(np.frexp(largest)[1], -1000, 1000)  # of which the inverse is finite, too


def _squarable(X):
    """Whether all entries but zeros can be subtracted and squared as they are."""
    least, most = _SQUARABLE[X.dtype.char]
    sizes = np.abs(X)
    if sizes.max() > most:
        return False
    return bool(sizes.min() >= least or np.where(sizes > 0, sizes, most).min() >= least)


def _narrow_euclidean(X, Y, metric, n_threads, out):
    """Euclidean distances by differences, or None if their squares leave the range."""
    exponent = 0
    if not (_squarable(X) and (Y is X or _squarable(Y))):
        exponent = int(max(exponent_of(X), exponent_of(Y)))
        same, X = Y is X, np.ldexp(X, -exponent)
        Y = X if same else np.ldexp(Y, -exponent)
        if not (_squarable(X) and (Y is X or _squarable(Y))):
            return None
    degree, finish = (1, root) if metric == "euclidean" else (2, narrow.itself)
    out = narrow.pairwise(X, Y, squared, finish, n_threads, out)
    return np.ldexp(out, degree * exponent, out=out) if exponent else out


def _euclidean(X, Y, metric, n_threads, out):
    if X.shape[1] <= narrow.MOST_FEATURES:
        found = _narrow_euclidean(X, Y, metric, n_threads, out)
        if found is not None:
            return found
    exponent = max(exponent_of(X), exponent_of(Y))
    A = np.ldexp(X, -exponent)
    centre = A.mean(axis=0, dtype=np.float64).astype(X.dtype)  # shorter vectors cancel less
    A = frozen(A - centre)
    B = A if Y is X else frozen(np.ldexp(Y, -exponent) - centre)
    norms, unit = (_squared_norms(A), _squared_norms(B)), np.ldexp(1.0, exponent)
    return _from_products(A, B, *norms, X, Y, unit, metric == "euclidean", n_threads)


def _cosine(X, Y, n_threads):
    exact = _unit_rows(X), (None if Y is X else _unit_rows(Y))
    A = frozen(exact[0].astype(X.dtype))
    B = A if Y is X else frozen(exact[1].astype(Y.dtype))
    # As if a row of zeros had length one, too: it is at distance one from all others.
    ones = np.ones(len(A)), np.ones(len(B))
    rows = exact[0], exact[0] if Y is X else exact[1]
    squares = _from_products(A, B, *ones, *rows, 1.0, False, n_threads)
    if Y is X:
        np.fill_diagonal(squares, 0.0)
    return np.divide(squares, 2.0, out=squares)


def _unit_rows(X):
    """Rows of length one (or zero), in float64: close ones differ in the last digits."""
    X = np.ldexp(X.astype(np.float64), -exponent_of(X, axis=1))
    norms = np.sqrt(_squared_norms(X))
    norms[norms == 0.0] = 1.0
    return frozen(X / norms[:, None])


def _by_features(X, Y, metric, n_threads, out):
    if X.shape[1] <= narrow.MOST_FEATURES:
        out = narrow.pairwise(X, Y, ACCUMULATE[metric], narrow.itself, n_threads, out)
        return np.divide(out, X.shape[1], out=out) if metric == "hamming" else out
    out = np.empty((len(X), len(Y)), X.dtype)
    scale = 1.0 / X.shape[1] if metric == "hamming" else 1.0
    run_blocks(_tile_kernel(metric), len(X), _ROWS, (X, Y, Y is X, scale, out), n_threads)
    return out


def pairwise(X, Y, metric, n_threads, out=None):
    """Distances between the rows of X and those of Y, or of X if Y is None.

    Parameters
    ----------
    X, Y : ndarray of shape (n, d), (m, d)
        Of one dtype, float32 or float64; finite.
    metric : str
        One of `METRICS`.
    n_threads : int
    out : ndarray of shape (n, m), optional
        Memory for the result, of its type. It may be left unused: go on with what
        is returned. Where many blocks are made one after the other, new memory for
        each takes longer than the distances of a few features.

    Returns
    -------
    distances : ndarray of shape (n, m)
        Of the dtype of X; exactly symmetric if Y is None.
    """
    X = frozen(X)
    Y = X if Y is None else frozen(Y)
    if metric == "cosine":
        return _cosine(X, Y, n_threads)
    if metric in ("euclidean", "sqeuclidean"):
        return _euclidean(X, Y, metric, n_threads, out)
    return _by_features(X, Y, metric, n_threads, out)
