"""Loops of the Gibbs sampler: rows drawn from their conditional distributions, and predictions.

The system of a row is that of least squares, and its draw the solution with normal numbers added
before back substitution. Many small systems are solved side by side: each step of elimination is
a loop over their lanes. Normal numbers come from counters: the same ones whoever draws the row.
"""

import math

import numpy as np

from .._kernels.rng import _MASK, _SHIFT, philox
from .._kernels.syrk import add_gram, alone, padded
from .._support.blocks import run_blocks
from .._support.jit import kernel
from ._cpu import PANEL, TINY, back_substitute, block_of, factorize, row_gram

_LANES = 64  # systems side by side
_PAIRS = 4096  # predicted at a time
_FRACTION, _ONE = (1 << 52) - 1, 1023 << 52  # bits of a float64: below one, and those of one
_ROOT, _LOG_2, _QUARTER_TURN = math.sqrt(2.0), math.log(2.0), math.pi / 2
_philox = kernel(philox, forceinline=True)


@kernel(forceinline=True)
def _normal_pair(word, other, size):
    """Do as `gaussian_pair`, to ten digits, without a call: a loop over lanes becomes vectors.

    A logarithm is that of a power of two, and the series of the inverse hyperbolic tangent; an
    angle is taken from its quarter, less than pi / 4, by doubling twice.
    """
    x = np.float64(np.int64(word) + 1)  # 1 to 2**32
    bits = x.view(np.int64)
    power = np.float64((bits >> 52) - 1055) + 0.5
    part = np.int64((bits & _FRACTION) | _ONE).view(np.float64)  # 1 to 2
    s = (part - _ROOT) / (part + _ROOT)
    t = s * s
    series = t * (1 / 7 + t * (1 / 9 + t * (1 / 11 + t / 13)))
    log = 2.0 * s * (1.0 + t * (1 / 3 + t * (1 / 5 + series))) + power * _LOG_2
    radius = size * np.sqrt(max(0.0, -2.0 * log))
    a = (np.float64(np.int64(other)) * 2.0**-32 - 0.5) * _QUARTER_TURN
    t = a * a
    series = t * (1 / 362880 + t * (-1 / 39916800 + t / 6227020800))
    sine = a * (1.0 + t * (-1 / 6 + t * (1 / 120 + t * (-1 / 5040 + series))))
    series = t * (-1 / 720 + t * (1 / 40320 + t * (-1 / 3628800 + t / 479001600)))
    half = 2.0 * sine * (1.0 + t * (-1 / 2 + t * (1 / 24 + series)))
    return radius * (2.0 * half * half - 1.0), -radius * 2.0 * half * (1.0 - 2.0 * sine * sine)


@kernel(forceinline=True)
def _draw_normals(key, begin, step, size, n, words, out):
    """Fill lanes with normal numbers of a standard deviation, for rows in a step of the chain."""
    four, one, two = np.uint64(4), np.uint64(1), np.uint64(2)
    lanes, c = np.uint64(out.shape[1]), np.uint64(0)
    w0, w1, w2, w3 = words[0], words[1], words[2], words[3]
    while c < n:
        for lane in range(lanes):
            row = begin + lane
            w0[lane], w1[lane], w2[lane], w3[lane] = _philox(
                row & _MASK, row >> _SHIFT, step, c // four, key & _MASK, key >> _SHIFT
            )
        for h in range(two):
            first, second = words[two * h], words[two * h + one]
            z0, z1 = out[c + two * h], out[c + two * h + one]
            for lane in range(lanes):
                z0[lane], z1[lane] = _normal_pair(first[lane], second[lane], size)
        c += four


@kernel(forceinline=True)
def _factorize(systems, d, least):
    """Cholesky factors in place of the upper triangles, carried on to column d.

    Diagonals become their inverses, and zero where a column depends on those before it.
    """
    one, lanes = np.uint64(1), np.uint64(systems.shape[2])
    for i in range(d):
        whole, bound = systems[i, i], least[i]
        for lane in range(lanes):
            bound[lane] = TINY * whole[lane]
    for i in range(d):
        row, pivot, bound = systems[i], systems[i, i], least[i]
        for lane in range(lanes):
            left = pivot[lane]
            pivot[lane] = 1.0 / np.sqrt(left) if left > bound[lane] else 0.0
        for c in range(i + one, d + one):
            entry = row[c]
            for lane in range(lanes):
                entry[lane] *= pivot[lane]
        for r in range(i + one, d):
            factor, below = row[r], systems[r]
            for c in range(r, d + one):
                entry, right = below[c], row[c]
                for lane in range(lanes):
                    entry[lane] -= factor[lane] * right[lane]


@kernel(forceinline=True)
def _back_substitute(systems, d):
    """Solve in place of column d, with triangles whose diagonals are inverted."""
    one, lanes = np.uint64(1), np.uint64(systems.shape[2])
    for back in range(d):
        i = d - one - back
        row, total, inverse = systems[i], systems[i, d], systems[i, i]
        for c in range(i + one, d):
            entry, known = row[c], systems[c, d]
            for lane in range(lanes):
                total[lane] -= entry[lane] * known[lane]
        for lane in range(lanes):
            total[lane] *= inverse[lane]


@kernel(forceinline=True)
def _add_normals(systems, d, n, normals):
    """Add normal numbers to column d; return the sum of their squares, less that of the column."""
    total = 0.0
    for r in range(d):
        entry, z = systems[r, d], normals[r]
        for lane in range(n):
            total += z[lane] * z[lane] - entry[lane] * entry[lane]
            entry[lane] += z[lane]
    return total


@kernel
def _draw_rows(
    lo, hi, b, starts, others, values, weights, other, other_bias, prior, noise, key, step, width,
    biased, factor, bias, squares, moments,
):  # fmt: skip
    # (n + 1,) (nnz,) (nnz,) (nnz,)|(0,); (m, w), (m,); (d, d + 1), (), (), (), (), () in;
    # (n, w), (n,), (blocks,), (blocks, width, width) out. The prior is the precision of rows, and
    # in its last column that times their mean; all of it times the variance of the noise.
    one, lanes = np.uint64(1), np.uint64(_LANES)
    d = np.uint64(prior.shape[0])
    k = d - one if biased else d
    column = k + one
    panel, gram = np.zeros((PANEL, width)), np.zeros((width, width))
    systems = np.zeros((np.int64(d), np.int64(d) + 1, _LANES))
    normals, least = np.empty((np.int64(d) + 3, _LANES)), np.empty((np.int64(d), _LANES))
    words = np.empty((4, _LANES), np.uint64)
    drawn = np.zeros((_LANES, width))
    total, size = 0.0, np.sqrt(noise)
    at, end = np.uint64(lo), np.uint64(hi)
    while at < end:
        n = min(lanes, end - at)
        for lane in range(n):
            i = at + lane
            total += row_gram(
                np.uint64(starts[i]), np.uint64(starts[i + one]), others, values, weights, other,
                other_bias, k, panel, gram,
            )  # fmt: skip
            for r in range(d):
                row, added, system = gram[r], prior[r], systems[r]
                for c in range(r, d):
                    system[c, lane] = row[c] + added[c]
                system[d, lane] = row[column] + added[d]
        _factorize(systems, d, least)
        _draw_normals(key, at, step, size, d, words, normals)
        total += _add_normals(systems, d, n, normals)
        _back_substitute(systems, d)
        for lane in range(n):
            i, row = at + lane, drawn[lane]
            for c in range(d):
                row[c] = systems[c, d, lane]
            row[d] = 1.0
            for c in range(k):
                factor[i, c] = row[c]
            if biased:
                bias[i] = row[k]
        for lane in range(n, lanes):
            drawn[lane, d] = 0.0
            for c in range(d):
                drawn[lane, c] = 0.0
        add_gram(drawn, np.int64(d + one), moments[b])
        at += lanes
    squares[b], sums = total, moments[b]
    for r in range(d + one):
        for c in range(r):
            sums[r, c] = sums[c, r]


@kernel
def _draw_prior(moments, spread, roots, normals, out):
    # (d + 1, d + 1), (), (d,), (d + 1, d) in; (d, d + 1) in and out: zeros, to which the precision
    # is added, and in the last column that times the mean
    d, one = np.uint64(len(roots)), np.uint64(1)
    n, total = moments[d, d] + 1.0, moments[d]
    gram, root = np.zeros((len(roots), len(roots) + 1)), np.empty(len(roots))
    for r in range(d):
        row, products = gram[r], moments[r]
        for c in range(r, d):
            row[c] = products[c] - total[r] * total[c] / n
        row[r] += spread
    factorize(gram, d, d)
    for j in range(d):  # a column of a root of the precision: the inverse of a triangle times one
        for r in range(j):
            gram[r, d] = 0.0
        gram[j, d] = roots[j]
        for r in range(j + one, d):
            gram[r, d] = normals[r, j]
        back_substitute(gram, d, d, root)
        along = normals[d, j] / np.sqrt(n)
        for r in range(d):
            along += root[r] * total[r] / n
        for r in range(d):
            row = out[r]
            for c in range(d):
                row[c] += root[r] * root[c]
            row[d] += root[r] * along


@kernel
def _predict(lo, hi, b, rows, columns, left, right, n_draws, means, variances):
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


def draw(
    starts, others, values, weights, other, other_bias, prior, noise, key, step, fit_bias, mine,
    bias,
):  # fmt: skip
    """Draw each line from its conditional distribution: mine and bias are overwritten.

    Return a sum that makes up the sum of squares with what the prior adds, and the sums of products
    of the draws, the last of their columns being ones.
    """
    block, d = block_of(starts), len(prior)
    n_blocks, width = -(-len(mine) // block), padded(d - fit_bias + 2)
    totals, moments = np.empty(n_blocks), np.zeros((n_blocks, width, width))
    data = starts, others, values, weights, other, other_bias
    how = prior, noise, key, np.uint64(step), width, fit_bias
    with alone():
        run_blocks(_draw_rows, len(mine), block, (*data, *how, mine, bias, totals, moments))
    return float(totals.sum()), np.ascontiguousarray(moments.sum(axis=0)[: d + 1, : d + 1])


def draw_prior(moments, spread, roots, normals):
    """Draw the precision of lines, and in a last column that times their mean.

    Sums of products of the lines and a column of ones are what it takes; roots of chi-squared
    numbers and normal numbers make it random. The prior of both is that of Gauss and Wishart, whose
    scatter is `spread` times the identity.
    """
    out = np.zeros((len(roots), len(roots) + 1))
    _draw_prior(moments, spread, roots, normals, out)
    return out


def predict(rows, columns, left, right, n_draws):
    """Means and variances over the draws, in float64."""
    means, variances = np.empty(len(rows)), np.empty(len(rows))
    args = rows, columns, left, right, n_draws, means, variances
    run_blocks(_predict, len(rows), _PAIRS, args)
    return means, variances
