"""Loops of the Gibbs sampler: rows drawn from their conditional distributions, and predictions.

The system of a row is that of least squares; the draw is its solution with normal numbers added
before back substitution. The numbers come from counters: the same ones whoever draws the row.
"""

import numpy as np

from .._kernels.rng import _MASK, _SHIFT, gaussian_pair_cpu, philox_cpu
from .._support.jit import kernel
from ._cpu import back_substitute, factorize, row_gram

_PANEL = 256  # rows of a panel
_FOUR = np.uint64(4)


@kernel(forceinline=True)
def _draw_normals(key, row, step, size, n, out):
    """Fill with normal numbers of a standard deviation, for a row in a step of the chain."""
    one, two, c = np.uint64(1), np.uint64(2), np.uint64(0)
    while c < n:
        w0, w1, w2, w3 = philox_cpu(
            row & _MASK, row >> _SHIFT, step, c // _FOUR, key & _MASK, key >> _SHIFT
        )
        out[c], out[c + one] = gaussian_pair_cpu(w0, w1, size)
        out[c + two], out[c + two + one] = gaussian_pair_cpu(w2, w3, size)
        c += _FOUR


@kernel
def draw_rows(
    lo, hi, b, starts, others, values, weights, other, other_bias, prior, noise, key, step, width,
    biased, factor, bias, squares,
):  # fmt: skip
    # (n + 1,) (nnz,) (nnz,) (nnz,)|(0,); (m, w), (m,); (k + 1, k + 2), (), (), (), (), () in;
    # (n, w), (n,), (blocks,) out. The prior is the precision of rows, and in its last column that
    # times their mean; all of it times the variance of the noise.
    one, two = np.uint64(1), np.uint64(2)
    k = np.uint64(prior.shape[0]) - one
    column = k + one
    d = column if biased else k
    panel, gram = np.zeros((_PANEL, width)), np.zeros((width, width))
    x, z = np.zeros(np.int64(column)), np.zeros(np.int64(column + _FOUR))
    total, size = 0.0, np.sqrt(noise)
    for i in range(np.uint64(lo), np.uint64(hi)):
        begin, end = np.uint64(starts[i]), np.uint64(starts[i + one])
        total += row_gram(begin, end, others, values, weights, other, other_bias, k, panel, gram)
        for r in range(d):
            row, added = gram[r], prior[r]
            for c in range(r, column + one):
                row[c] += added[c]
        factorize(gram, d, column)
        _draw_normals(key, i, step, size, d, z)
        # Half the logarithm of the density, but for a constant, is a square of normal numbers, and
        # also the sum of squares with the prior: no other look at the entries.
        for c in range(d):
            total += z[c] * z[c] - gram[c, column] * gram[c, column]
            gram[c, column] += z[c]
        back_substitute(gram, d, column, x)
        for r in range(d):
            inner = 0.5 * prior[r, r] * x[r] - prior[r, column]
            for c in range(r + one, d):
                inner += prior[r, c] * x[c]
            total -= two * x[r] * inner
        for c in range(k):
            factor[i, c] = x[c]
        bias[i] = x[k]
    squares[b] = total


@kernel
def predict_draws(lo, hi, b, rows, columns, left, right, n_draws, means, variances):
    # (nnz,) twice; (m, k + 1, s), (n, k + 1, s), () in; (nnz,) twice out
    k, n = np.uint64(left.shape[1] - 1), np.uint64(n_draws)
    totals = np.empty(n_draws)
    for e in range(np.uint64(lo), np.uint64(hi)):
        u, v = left[np.uint64(rows[e])], right[np.uint64(columns[e])]
        x, y = u[k], v[k]
        for s in range(n):
            totals[s] = np.float64(x[s]) + np.float64(y[s])
        for c in range(k):
            x, y = u[c], v[c]
            for s in range(n):
                totals[s] += np.float64(x[s]) * np.float64(y[s])
        mean, variance = 0.0, 0.0
        for s in range(n):
            mean += totals[s]
        mean /= n_draws
        for s in range(n):
            variance += (totals[s] - mean) ** 2
        means[e], variances[e] = mean, variance / n_draws
