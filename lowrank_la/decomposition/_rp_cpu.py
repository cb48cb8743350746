"""Loops of randomly pivoted Cholesky: rows of the kernel, their elimination, rejection.

The factor lies transposed, a row to a pivot. Its new rows are made in tiles of columns that stay
in the cache: entries of the matrix, less the products with the rows before, which are BLAS's,
and the forward substitution.
"""

import numpy as np

from .._kernels.exp2 import exp2
from .._support.blas import single_threaded_blas
from .._support.blocks import aligned, run_blocks
from .._support.cuda import to_host
from .._support.jit import kernel

_COLUMNS = 512  # of a tile
_LINE = 16  # numbers that a row is rounded up to: whole cache lines
_PANEL = 32  # rows that are eliminated by loops; more of them by products
_LARGEST = 1e300  # of sums of squares: infinite ones would be NaN times a gamma of zero
_LOG2_E = 1.4426950408889634


def contiguous(array, dtype):
    """Return an array as the loops take it, where they are."""
    return np.ascontiguousarray(to_host(array), dtype)


def features_first(points):
    """Return points transposed: a row to a feature, which begins with a cache line."""
    n, d = points.shape
    rows = aligned((-(-d // 4) * 4, -(-n // _LINE) * _LINE), points.dtype)
    rows.fill(0.0)
    rows[:d, :n] = points.T
    return rows


def empty(shape, dtype):
    """Return memory for rows."""
    return np.empty(shape, dtype)


@kernel
def _gaussian(points, lo, pivots, gamma, out):
    # (d', n) (a, d) in; (a, width) in and out; d' is a multiple of four: the sums are loaded and
    # stored once for four features
    scale, pivot, sums = -gamma * _LOG2_E, np.zeros(len(points)), np.empty(out.shape[1])
    for r in range(len(pivots)):
        for f in range(pivots.shape[1]):
            pivot[f] = pivots[r, f]
        for j in range(len(sums)):
            sums[j] = 0.0
        for f in range(0, len(points), 4):
            p0, p1, p2, p3 = pivot[f], pivot[f + 1], pivot[f + 2], pivot[f + 3]
            x0, x1 = points[f, lo : lo + len(sums)], points[f + 1, lo : lo + len(sums)]
            x2, x3 = points[f + 2, lo : lo + len(sums)], points[f + 3, lo : lo + len(sums)]
            for j in range(len(sums)):
                g0, g1 = np.float64(x0[j]) - p0, np.float64(x1[j]) - p1
                g2, g3 = np.float64(x2[j]) - p2, np.float64(x3[j]) - p3
                sums[j] += g0 * g0 + g1 * g1 + g2 * g2 + g3 * g3
        found = out[r]
        for j in range(len(sums)):
            total = sums[j] if sums[j] < _LARGEST else _LARGEST
            found[j] = exp2(total * scale) - found[j]


def gaussian(points, pivots, gamma, lo, hi, out):
    """Subtract an array from exp(-gamma |p - x|²), points p to its rows, x to columns lo to hi."""
    _gaussian(points, lo, pivots, gamma, out)


@kernel
def _forward(lo, hi, triangle, tile):
    # (a, a) in; (a, width) in and out: rows lo to hi, four of those before at a time
    for r in range(lo, hi):
        x, factors = tile[r], triangle[r]
        s = lo
        while s + 4 <= r:
            f0, f1, f2, f3 = factors[s], factors[s + 1], factors[s + 2], factors[s + 3]
            x0, x1, x2, x3 = tile[s], tile[s + 1], tile[s + 2], tile[s + 3]
            for j in range(len(x)):
                x[j] -= f0 * x0[j] + f1 * x1[j] + f2 * x2[j] + f3 * x3[j]
            s += 4
        while s < r:
            f0, x0 = factors[s], tile[s]
            for j in range(len(x)):
                x[j] -= f0 * x0[j]
            s += 1
        pivot = factors[r]
        for j in range(len(x)):
            x[j] /= pivot


@kernel
def _store(lo, first, tile, rows, diagonal):
    # (a, width) in; (k, n) out; (n,) in and out
    residual = diagonal[lo : lo + tile.shape[1]]
    for r in range(len(tile)):
        x, row = tile[r], rows[first + r, lo : lo + tile.shape[1]]
        for j in range(len(x)):
            row[j] = x[j]
            residual[j] -= np.float64(x[j]) * np.float64(x[j])


def append(fill, left, triangle, rows, diagonal, n_threads):
    """Add the rows of new pivots to a factor, and subtract their squares from the diagonal.

    Parameters
    ----------
    fill : callable
        ``fill(lo, hi, out)`` subtracts an array from the rows of the a new pivots.
    left : ndarray of shape (a, m)
        The factor in the rows of the new pivots, as far as it is known.
    triangle : ndarray of shape (a, a)
        Lower, Cholesky factor of the residual in the rows and columns of the new pivots.
    rows : ndarray of shape (k, n)
        The factor, transposed: m rows are known, the next a are written.
    diagonal : ndarray of shape (n,)
        Of the residual, in float64.
    n_threads : int or None
    """
    (n_new, first), n = left.shape, rows.shape[1]
    spare = []  # scratch, for as many threads as there are: memory that is new is slow

    def block(lo, hi, b):
        try:
            scratch = spare.pop()
        except IndexError:
            scratch = aligned((2, n_new * min(n, _COLUMNS)), rows.dtype)
        tile, products = (part[: n_new * (hi - lo)].reshape(n_new, -1) for part in scratch)
        np.matmul(left, rows[:first, lo:hi], out=tile)
        fill(lo, hi, tile)
        _solve(triangle, tile, 0, n_new, products)
        _store(lo, first, tile, rows, diagonal)
        spare.append(scratch)

    with single_threaded_blas(), np.errstate(all="ignore"):
        run_blocks(block, n, _COLUMNS, (), n_threads)


def _solve(triangle, tile, lo, hi, products):
    """Multiply rows of a tile by the inverse of a triangle, by products as far as possible."""
    if hi - lo <= _PANEL:
        _forward(lo, hi, triangle, tile)
        return
    middle = (lo + hi) // 2
    _solve(triangle, tile, lo, middle, products)
    tile[middle:hi] -= np.matmul(
        triangle[middle:hi, lo:middle], tile[lo:middle], out=products[middle:hi]
    )
    _solve(triangle, tile, middle, hi, products)


@kernel
def select(residual, rounding, known, proposals, uniforms, factor, chosen):
    """Accept proposals with the odds of the residual left over that at the beginning.

    It is as if each pivot had been drawn from the diagonal that those before it left.

    Parameters
    ----------
    residual : ndarray of shape (s, s)
        Of the matrix, in the rows and columns of s candidates.
    rounding : ndarray of shape (s,)
        Error of a candidate's diagonal, for one pivot: candidates of which no more is left than
        that times the root of the number of pivots depend on these, and are not accepted.
    known : int
        Pivots before.
    proposals : ndarray of shape (b,)
        Candidates in the order of their being drawn, from the diagonal of `residual`.
    uniforms : ndarray of shape (b,)
    factor : ndarray of shape (s, most)
        Takes the Cholesky factor of `residual`, a column to a pivot.
    chosen : ndarray of shape (most,)
        Takes the candidates that are accepted.

    Returns
    -------
    count : int
        Of pivots accepted.
    """
    size, count = len(residual), 0
    left = np.empty(size)
    for i in range(size):
        left[i] = residual[i, i]
    for b in range(len(proposals)):
        i = proposals[b]
        if count == len(chosen):
            break
        if left[i] <= rounding[i] * np.sqrt(1.0 + known + count):
            continue
        if uniforms[b] * residual[i, i] >= left[i]:
            continue
        root, mine = np.sqrt(left[i]), factor[i]
        for other in range(size):
            row, total = factor[other], residual[i, other]
            for c in range(count):
                total -= row[c] * mine[c]
            total /= root
            row[count] = total
            left[other] -= total * total
        mine[count], left[i] = root, 0.0
        chosen[count] = i
        count += 1
    return count
