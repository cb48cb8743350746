"""The loops of lp regression: products with rows, and steps of the interior-point method.

In quantile regression a row has a score x between 0 and 1, its distance s from 1, and multipliers
z and w of the two bounds; w - z is its residual. An empty array of weights stands for ones.
"""

import numpy as np

from .._support.jit import kernel

_LONGEST = 1e20


@kernel
def add_fitted(lo, hi, X, shift, coef, out):
    # (n, p), (p,), (>= p,) in; (>= hi - lo,) out: rows of [X - shift, 1 if coef is longer] @ coef
    p = X.shape[1]
    constant = coef[p] if coef.shape[0] > p else 0.0
    for i in range(lo, hi):
        row, fitted = X[i], 0.0
        for j in range(p):
            fitted += (row[np.uint32(j)] - shift[np.uint32(j)]) * coef[np.uint32(j)]
        out[i - lo] = fitted + constant


@kernel
def add_combined(lo, hi, X, shift, V, sums):
    # (n, p), (p,), (k, >= hi - lo) in; (k, >= p) in and out: adds V @ [X - shift, 1 if wider]
    p = X.shape[1]
    for i in range(lo, hi):
        row = X[i]
        for t in range(V.shape[0]):
            factor, total = V[t, i - lo], sums[t]
            for j in range(p):
                total[np.uint32(j)] += factor * (row[np.uint32(j)] - shift[np.uint32(j)])
            if total.shape[0] > p:
                total[p] += factor


@kernel(forceinline=True)
def _bound(step, value, change):
    """Lower a step to where a value that changes with it reaches zero."""
    return -value / change if change < 0.0 and -value / change < step else step


@kernel
def move(lo, hi, b, x, s, z, w, dx, dz, dw, steps, quantile, weights, q, r, sums):
    # (n,) all, weights (n,) or (0,), steps (2,) in; (parts, 3) out
    # q: weight of a row's square in the normal equations; sums: gap, objective, weights
    total, primal, dual = sums[b], steps[0], steps[1]
    gap = objective = mass = 0.0
    for i in range(np.uint64(lo), np.uint64(hi)):
        weight = weights[i] if weights.shape[0] else 1.0
        x[i] += primal * dx[i]
        s[i] -= primal * dx[i]
        z[i] += dual * dz[i]
        w[i] += dual * dw[i]
        q[i] = weight / (z[i] / x[i] + w[i] / s[i])
        r[i] = w[i] - z[i]
        gap += weight * (x[i] * z[i] + s[i] * w[i])
        objective += weight * r[i] * (quantile if r[i] > 0.0 else quantile - 1.0)
        mass += weight
    total[0], total[1], total[2] = gap, objective, mass


@kernel
def predict(lo, hi, b, x, s, z, w, quantile, weights, fitted, V, sums):
    # (n,) four times, weights (n,) or (0,), (n,) in; (3, n), (parts, 5) out
    # The affine step, and what Mehrotra's corrector needs of it, whatever its length:
    # V: factors of the rows for the barrier, the second order, and the lack of feasibility.
    total = sums[b]
    primal = dual = _LONGEST
    first = second = third = 0.0
    for i in range(np.uint64(lo), np.uint64(hi)):
        weight = weights[i] if weights.shape[0] else 1.0
        q = 1.0 / (z[i] / x[i] + w[i] / s[i])
        dx = q * (w[i] - z[i] - fitted[i])
        dz, dw = -z[i] * (1.0 + dx / x[i]), -w[i] * (1.0 - dx / s[i])
        first += weight * dx * (z[i] - w[i])
        second += weight * (x[i] * dz + s[i] * dw)
        third += weight * dx * (dz - dw)
        primal = _bound(_bound(primal, x[i], dx), s[i], -dx)
        dual = _bound(_bound(dual, z[i], dz), w[i], dw)
        V[0, i] = weight * q * (1.0 / x[i] - 1.0 / s[i])
        V[1, i] = weight * q * dx * (dz / x[i] + dw / s[i])
        V[2, i] = weight * (x[i] - (1.0 - quantile))
    total[0], total[1], total[2], total[3], total[4] = first, second, third, primal, dual


@kernel
def correct(lo, hi, b, x, s, z, w, affine, fitted, mu, dx, dz, dw, sums):
    # (n,) six times in; (n,) thrice, (parts, 2) out
    total = sums[b]
    primal = dual = _LONGEST
    for i in range(np.uint64(lo), np.uint64(hi)):
        q, r = 1.0 / (z[i] / x[i] + w[i] / s[i]), w[i] - z[i]
        first = q * (r - affine[i])
        low = -first * z[i] * (1.0 + first / x[i]) / x[i]  # dx dz / x of the affine step
        high = -first * w[i] * (1.0 - first / s[i]) / s[i]  # dx dw / s
        step = q * (r - fitted[i] + mu * (1.0 / x[i] - 1.0 / s[i]) - low - high)
        dx[i] = step
        dz[i] = mu / x[i] - z[i] - z[i] * step / x[i] - low
        dw[i] = mu / s[i] - w[i] + w[i] * step / s[i] + high
        primal = _bound(_bound(primal, x[i], step), s[i], -step)
        dual = _bound(_bound(dual, z[i], dz[i]), w[i], dw[i])
    total[0], total[1] = primal, dual
