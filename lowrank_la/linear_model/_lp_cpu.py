"""The loops of lp regression: products with rows, and steps of the interior-point method.

Rows lie in tiles: TILE of them side by side, a column after the other, so that every loop runs
over rows, whatever their number of columns. Columns are padded to a multiple of four by zeros, and
the last tile by rows of weight zero.

In quantile regression a row has a score x between 0 and 1, its distance s from 1, and multipliers
z and w of the two bounds; w - z is its residual.
"""

import numpy as np

from .._support.jit import kernel

TILE = 128


@kernel(forceinline=True)
def _transpose(X, begin, count, shift, constant, flat, out):
    """Rows of X as a tile of [X - shift, 1 with a constant]; read in their order."""
    p, rows = np.uint64(X.shape[1]), X.reshape(-1)
    first = np.uint64(begin) * p
    for e in range(np.uint64(count) * p):
        flat[e] = rows[first + e]
    for c in range(np.uint64(out.shape[0])):
        column = out[c]
        if c < p:
            subtracted = shift[c]
            for k in range(count):
                column[k] = flat[np.uint64(k) * p + c] - subtracted
        else:
            for k in range(count):
                column[k] = 1.0 if constant and c == p else 0.0
        for k in range(count, TILE):
            column[k] = 0.0


@kernel(forceinline=True)
def _add_fitted(tile, coef, out):
    """Add the rows of a tile times coefficients to (TILE,)."""
    for c in range(0, tile.shape[0], 4):
        t0, t1, t2, t3 = tile[c], tile[c + 1], tile[c + 2], tile[c + 3]
        c0, c1, c2, c3 = coef[c], coef[c + 1], coef[c + 2], coef[c + 3]
        for k in range(TILE):
            out[k] += (c0 * t0[k] + c1 * t1[k]) + (c2 * t2[k] + c3 * t3[k])


@kernel(forceinline=True)
def _dots(tile, c, v0, v1):
    """Products of four columns of a tile with two vectors, summed over the rows."""
    t0, t1, t2, t3 = tile[c], tile[c + 1], tile[c + 2], tile[c + 3]
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = 0.0
    for k in range(TILE):
        a0 += t0[k] * v0[k]
        a1 += t1[k] * v0[k]
        a2 += t2[k] * v0[k]
        a3 += t3[k] * v0[k]
        b0 += t0[k] * v1[k]
        b1 += t1[k] * v1[k]
        b2 += t2[k] * v1[k]
        b3 += t3[k] * v1[k]
    return a0, a1, a2, a3, b0, b1, b2, b3


@kernel(forceinline=True)
def _add_combined(tile, v0, v1, total, other):
    """Add sums of rows times two factors to (columns,) each."""
    for c in range(0, tile.shape[0], 4):
        a0, a1, a2, a3, b0, b1, b2, b3 = _dots(tile, c, v0, v1)
        total[c] += a0
        total[c + 1] += a1
        total[c + 2] += a2
        total[c + 3] += a3
        other[c] += b0
        other[c + 1] += b1
        other[c + 2] += b2
        other[c + 3] += b3


@kernel(forceinline=True)
def _add_gram(tile, q, r, weighted, gram):
    """Add the Gram matrix of a tile, weighted by q, and behind it the products with r."""
    d = tile.shape[0]
    for c in range(d):
        column, out = tile[c], weighted[c]
        for k in range(TILE):
            out[k] = q[k] * column[k]
    for c in range(0, d, 4):
        g0, g1, g2, g3 = gram[c], gram[c + 1], gram[c + 2], gram[c + 3]
        for j in range(c, d, 2):
            a0, a1, a2, a3, b0, b1, b2, b3 = _dots(weighted, c, tile[j], tile[j + 1])
            g0[j] += a0
            g1[j] += a1
            g2[j] += a2
            g3[j] += a3
            g0[j + 1] += b0
            g1[j + 1] += b1
            g2[j + 1] += b2
            g3[j + 1] += b3
        a0, a1, a2, a3, _, _, _, _ = _dots(weighted, c, r, r)
        g0[d] += a0
        g1[d] += a1
        g2[d] += a2
        g3[d] += a3


@kernel(forceinline=True)
def _map(tile, basis, heights, out):
    """Columns of a tile times a basis, whose columns end at some heights, multiples of four."""
    for j in range(out.shape[0]):
        column, coef = out[j], basis[j]
        for k in range(TILE):
            column[k] = 0.0
        for c in range(0, heights[j], 4):
            t0, t1, t2, t3 = tile[c], tile[c + 1], tile[c + 2], tile[c + 3]
            c0, c1, c2, c3 = coef[c], coef[c + 1], coef[c + 2], coef[c + 3]
            for k in range(TILE):
                column[k] += (c0 * t0[k] + c1 * t1[k]) + (c2 * t2[k] + c3 * t3[k])


@kernel
def form(lo, hi, b, X, shift, constant, basis, heights, tiles):
    # (n, p), (p,) in; (r, d), (r,) in: transposed basis; (parts, r, TILE) out: tiles lo to hi
    flat = np.empty(TILE * X.shape[1])
    tile = np.empty((basis.shape[1], TILE))
    for t in range(lo, hi):
        begin = t * TILE
        _transpose(X, begin, min(TILE, X.shape[0] - begin), shift, constant, flat, tile)
        _map(tile, basis, heights, tiles[t])


@kernel
def fit(lo, hi, b, X, shift, constant, coef, out):
    # (n, p), (p,), (d,) in; (n,) out, all but the last tile full: the tiles lo to hi
    flat = np.empty(TILE * X.shape[1])
    tile, fitted = np.empty((coef.shape[0], TILE)), np.empty(TILE)
    for t in range(lo, hi):
        begin = t * TILE
        count = min(TILE, X.shape[0] - begin)
        _transpose(X, begin, count, shift, constant, flat, tile)
        for k in range(TILE):
            fitted[k] = 0.0
        _add_fitted(tile, coef, fitted)
        for k in range(count):
            out[begin + k] = fitted[k]


@kernel
def combine(lo, hi, b, X, shift, constant, V, sums):
    # (n, p), (p,), (even, n) in; (parts, even, d) in and out
    flat = np.empty(TILE * X.shape[1])
    tile, v = np.empty((sums.shape[2], TILE)), np.empty((V.shape[0], TILE))
    for t in range(lo, hi):
        begin = t * TILE
        count = min(TILE, X.shape[0] - begin)
        _transpose(X, begin, count, shift, constant, flat, tile)
        for i in range(V.shape[0]):
            for k in range(TILE):
                v[i, k] = V[i, begin + k] if k < count else 0.0
        for i in range(0, V.shape[0], 2):
            _add_combined(tile, v[i], v[i + 1], sums[b, i], sums[b, i + 1])


@kernel
def begin(lo, hi, b, tiles, r, mu, quantile, weights, x, s, z, w, combined):
    # (parts, r, TILE), (parts, TILE), (parts, TILE) in; (parts, TILE) four times out;
    # (blocks, 2, r) in and out: sums of the rows times scores less their mean
    # The scores for which both products of complementary variables are mu.
    v, zeros = np.zeros(TILE), np.zeros(TILE)
    for t in range(np.uint64(lo), np.uint64(hi)):
        r_, weight, x_, s_, z_, w_ = r[t], weights[t], x[t], s[t], z[t], w[t]
        for k in range(TILE):
            ratio = r_[k] / mu
            root = np.sqrt(ratio * ratio + 4.0) + 2.0
            x_[k], s_[k] = 2.0 / (root - ratio), 2.0 / (root + ratio)
            z_[k], w_[k] = mu / x_[k], mu / s_[k]
            v[k] = weight[k] * (x_[k] - (1.0 - quantile))
        _add_combined(tiles[t], v, zeros, combined[b, 0], combined[b, 1])


@kernel
def move(lo, hi, b, tiles, x, s, z, w, dx, dz, dw, steps, quantile, weights, q, r, grams, sums):
    # (parts, r, TILE), (parts, TILE) seven times in and out; steps (2,); weights in, q and r out;
    # (blocks, r, > r) in and out: Gram matrices, and products with the residuals behind them;
    # (blocks, 3) out: gap, objective, weights. q: weight of a row in the normal equations.
    primal, dual = steps[0], steps[1]
    gap = objective = mass = 0.0
    weighted = np.empty((tiles.shape[1], TILE))
    for t in range(np.uint64(lo), np.uint64(hi)):
        x_, s_, z_, w_, dx_, dz_, dw_ = x[t], s[t], z[t], w[t], dx[t], dz[t], dw[t]
        weight, q_, r_ = weights[t], q[t], r[t]
        for k in range(TILE):
            x_[k] += primal * dx_[k]
            s_[k] -= primal * dx_[k]
            z_[k] += dual * dz_[k]
            w_[k] += dual * dw_[k]
            q_[k] = weight[k] * x_[k] * s_[k] / (z_[k] * s_[k] + w_[k] * x_[k])
            r_[k] = w_[k] - z_[k]
            gap += weight[k] * (x_[k] * z_[k] + s_[k] * w_[k])
            objective += weight[k] * r_[k] * (quantile if r_[k] > 0.0 else quantile - 1.0)
            mass += weight[k]
        _add_gram(tiles[t], q_, r_, weighted, grams[b])
    sums[b, 0], sums[b, 1], sums[b, 2] = gap, objective, mass


@kernel(forceinline=True)
def _larger(value, other):
    """Return the larger number, by a selection: `max` cares for NaN, and is no vector operation."""
    return value if value > other else other


@kernel(forceinline=True)
def _largest(values):
    largest = values[0]
    for k in range(TILE):
        largest = _larger(largest, values[k])
    return largest


@kernel
def predict(lo, hi, b, tiles, coef, x, s, z, w, weights, fitted, barrier, second, combined, sums):
    # (parts, r, TILE), (r,), (parts, TILE) five times in; (parts, TILE) in and out;
    # (parts, TILE) twice out; (blocks, 2, r) in and out; (blocks, 5) out
    # The affine step, and what Mehrotra's corrector needs of it, whatever its length:
    # factors of the rows for the barrier, and for the second order.
    first = middle = third = 0.0
    primal, dual, step = np.zeros(TILE), np.zeros(TILE), np.empty(TILE)
    for t in range(np.uint64(lo), np.uint64(hi)):
        x_, s_, z_, w_, weight, f_ = x[t], s[t], z[t], w[t], weights[t], fitted[t]
        v0, v1 = barrier[t], second[t]
        _add_fitted(tiles[t], coef, f_)
        for k in range(TILE):
            ix, is_ = 1.0 / x_[k], 1.0 / s_[k]
            q = 1.0 / (z_[k] * ix + w_[k] * is_)
            dx = q * (w_[k] - z_[k] - f_[k])
            fall, rise = dx * ix, dx * is_
            dz, dw = -z_[k] * (1.0 + fall), -w_[k] * (1.0 - rise)
            v0[k] = weight[k] * q * (ix - is_)
            v1[k] = weight[k] * q * dx * (dz * ix + dw * is_)
            primal[k] = _larger(primal[k], _larger(-fall, rise))
            dual[k] = _larger(dual[k], _larger(1.0 + fall, 1.0 - rise))
            step[k] = dx
        for k in range(TILE):
            dx, ratio = step[k], step[k] / (x_[k] * s_[k])
            dz, dw = -z_[k] * (1.0 + ratio * s_[k]), -w_[k] * (1.0 - ratio * x_[k])
            first += weight[k] * dx * (z_[k] - w_[k])
            middle += weight[k] * (x_[k] * dz + s_[k] * dw)
            third += weight[k] * dx * (dz - dw)
        _add_combined(tiles[t], v0, v1, combined[b, 0], combined[b, 1])
    sums[b, 0], sums[b, 1], sums[b, 2] = first, middle, third
    sums[b, 3], sums[b, 4] = _largest(primal), _largest(dual)


@kernel
def correct(lo, hi, b, tiles, coef, x, s, z, w, affine, fitted, mu, dx, dz, dw, sums):
    # (parts, r, TILE), (r,), (parts, TILE) five times in; fitted in and out;
    # (parts, TILE) thrice, (blocks, 2) out: reciprocals of the longest steps
    primal, dual = np.zeros(TILE), np.zeros(TILE)
    for t in range(np.uint64(lo), np.uint64(hi)):
        x_, s_, z_, w_, a_, f_ = x[t], s[t], z[t], w[t], affine[t], fitted[t]
        dx_, dz_, dw_ = dx[t], dz[t], dw[t]
        _add_fitted(tiles[t], coef, f_)
        for k in range(TILE):
            ix, is_ = 1.0 / x_[k], 1.0 / s_[k]
            q, r = 1.0 / (z_[k] * ix + w_[k] * is_), w_[k] - z_[k]
            first = q * (r - a_[k])
            low = -first * z_[k] * (1.0 + first * ix) * ix  # dx dz / x of the affine step
            high = -first * w_[k] * (1.0 - first * is_) * is_  # dx dw / s
            step = q * (r - f_[k] + mu * (ix - is_) - low - high)
            fall, rise = step * ix, step * is_
            dx_[k] = step
            dz_[k] = mu * ix - z_[k] * (1.0 + fall) - low
            dw_[k] = mu * is_ - w_[k] * (1.0 - rise) + high
            primal[k] = _larger(primal[k], _larger(-fall, rise))
            dual[k] = _larger(dual[k], _larger(-dz_[k] / z_[k], -dw_[k] / w_[k]))
    sums[b, 0], sums[b, 1] = _largest(primal), _largest(dual)


@kernel
def survey(
    lo, hi, b, X, shift, constant, coef, sketch, floor, targets, weights, quantile, scores, band,
    norms, sides, r, combined, sums,
):  # fmt: skip
    # (n, p), (p,), (d,), (k or 0, d), (n,), (n,) or (0,), (n,) in; (n,) twice in and out;
    # (n,) out; (parts, 4, d), (parts, 4) in and out: see Rows.survey
    flat, tile = np.empty(TILE * X.shape[1]), np.empty((coef.shape[0], TILE))
    fitted, squares, total = np.empty(TILE), np.empty(TILE), sums[b]
    below, above = np.empty(TILE), np.empty(TILE)
    score, weighted = np.empty(TILE), np.empty(TILE)
    objective = gap = r_below = r_above = 0.0
    for t in range(lo, hi):
        begin = t * TILE
        count = min(TILE, X.shape[0] - begin)
        _transpose(X, begin, count, shift, constant, flat, tile)
        for k in range(TILE):
            squares[k] = floor
            fitted[k] = below[k] = above[k] = score[k] = weighted[k] = 0.0
        _add_fitted(tile, coef, fitted)
        for j in range(sketch.shape[0]):
            for k in range(TILE):
                weighted[k] = 0.0
            _add_fitted(tile, sketch[j], weighted)
            for k in range(TILE):
                squares[k] += weighted[k] * weighted[k]
        for k in range(TILE):
            weighted[k] = 0.0
        for k in range(count):
            i = np.uint64(begin + k)
            if sketch.shape[0]:
                norms[i] = np.sqrt(squares[k])
            weight = weights[i] if weights.shape[0] else 1.0
            residual = targets[i] - fitted[k]
            slope = quantile if residual > 0.0 else quantile - 1.0
            known, side = scores[i], sides[i]
            known = known if side == 0 else (1.0 if side > 0 else 0.0)
            excess = known - (1.0 - quantile)
            objective += weight * residual * slope
            gap += weight * residual * (slope - excess)
            clear = band * norms[i]
            below[k] = weight if residual < -clear else 0.0
            above[k] = weight if residual > clear else 0.0
            sides[i] = (residual > clear) - (residual < -clear)
            r[i] = residual
            r_below += below[k] * residual
            r_above += above[k] * residual
            score[k] = weight * excess
            weighted[k] = weight * residual
        _add_combined(tile, below, above, combined[b, 0], combined[b, 1])
        _add_combined(tile, score, weighted, combined[b, 2], combined[b, 3])
    total[0] += objective
    total[1] += gap
    total[2] += r_below
    total[3] += r_above
