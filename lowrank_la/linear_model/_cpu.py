"""The loops of least squares: panels of rows, residuals with gradients, sparse Gram matrices.

A row of the design is ``sqrt(weight) * [features - shift, 1 (with an intercept) | targets]``.
An empty array of weights stands for ones.
"""

import numpy as np

from .._kernels.syrk import add_gram, alone, empty_panel, padded, row_squares, times
from .._support.blocks import frozen
from .._support.jit import kernel

__all__ = ["add_gram", "alone", "empty_panel", "padded", "row_squares", "times"]

PARTS = 16  # of the rows, at most, with a Gram matrix each
_PANEL = 65536  # numbers in a panel: half of a second-level cache
# Sums of products are accurate when short ones are added up: gradients of so many rows.
_BLOCK = 256
to_device, zeros = frozen, np.zeros


def panel_rows(width):
    """Rows of a panel."""
    return int(np.clip(_PANEL // width // 8 * 8, 64, 8192))


@kernel
def pack(lo, hi, X, Y, shift, weights, n_design, panel):
    # (n, p), (n, k), (p,), (n,) or (0,) in; (>= hi - lo, >= n_design + k) out: rows lo to hi
    p, k = X.shape[1], Y.shape[1]
    for i in range(lo, hi):
        root = np.sqrt(weights[i]) if weights.shape[0] else 1.0
        row, out = X[i], panel[i - lo]
        for j in range(p):
            out[np.uint32(j)] = root * (row[np.uint32(j)] - shift[np.uint32(j)])
        if n_design > p:
            out[p] = root
        for t in range(k):
            out[n_design + t] = root * Y[i, t]


@kernel
def pack_sparse(lo, hi, data, indices, indptr, Y, weights, n_features, n_design, panel):
    # CSR, (n, k), (n,) or (0,) in; (>= hi - lo, >= n_design + k) out: rows lo to hi
    for i in range(lo, hi):
        root = np.sqrt(weights[i]) if weights.shape[0] else 1.0
        out = panel[i - lo]
        for j in range(n_features):
            out[np.uint32(j)] = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            out[indices[e]] += root * data[e]
        if n_design > n_features:
            out[n_features] = root
        for t in range(Y.shape[1]):
            out[n_design + t] = root * Y[i, t]


@kernel
def add_gradient(lo, hi, X, Y, shift, weights, coef, with_target, gradient, squares):
    # (n, p), (n, k), (p,), (n,) or (0,), (k, n_design) in; (k, n_design), (k,) in and out
    # Adds design^T (targets - design coef), and the squares of the residuals.
    p, n_design = X.shape[1], coef.shape[1]
    block = np.empty(n_design)
    for begin in range(lo, hi, _BLOCK):
        for t in range(Y.shape[1]):
            x, g = coef[t], gradient[t]
            constant = x[p] if n_design > p else 0.0
            constant_sum = 0.0
            for j in range(p):
                block[np.uint32(j)] = 0.0
            for i in range(begin, min(hi, begin + _BLOCK)):
                row = X[i]
                fitted = 0.0
                for j in range(p):
                    fitted += (row[np.uint32(j)] - shift[np.uint32(j)]) * x[np.uint32(j)]
                residual = with_target * Y[i, t] - (fitted + constant)
                weighted = residual * weights[i] if weights.shape[0] else residual
                squares[t] += weighted * residual
                constant_sum += weighted
                for j in range(p):
                    block[np.uint32(j)] += weighted * (row[np.uint32(j)] - shift[np.uint32(j)])
            for j in range(p):
                g[np.uint32(j)] += block[np.uint32(j)]
            if n_design > p:
                g[p] += constant_sum


@kernel
def add_gradient_sparse(
    lo, hi, data, indices, indptr, Y, weights, n_features, coef, with_target, gradient, squares
):
    # CSR, (n, k), (n,) or (0,), (k, n_design) in; (k, n_design), (k,) in and out
    for t in range(Y.shape[1]):
        x, g = coef[t], gradient[t]
        constant = x[n_features] if coef.shape[1] > n_features else 0.0
        constant_sum = 0.0
        for i in range(lo, hi):
            fitted = 0.0
            for e in range(indptr[i], indptr[i + 1]):
                fitted += data[e] * x[indices[e]]
            residual = with_target * Y[i, t] - (fitted + constant)
            weighted = residual * weights[i] if weights.shape[0] else residual
            squares[t] += weighted * residual
            constant_sum += weighted
            for e in range(indptr[i], indptr[i + 1]):
                g[indices[e]] += weighted * data[e]
        if coef.shape[1] > n_features:
            g[n_features] += constant_sum


@kernel
def add_gram_sparse(lo, hi, data, indices, indptr, Y, weights, n_features, n_design, gram):
    # CSR, (n, k), (n,) or (0,) in; (n_design, >= n_design + k) in and out: its upper triangle
    with_constant = n_design > n_features
    for i in range(lo, hi):
        weight = weights[i] if weights.shape[0] else 1.0
        for e in range(indptr[i], indptr[i + 1]):
            value, row = weight * data[e], gram[indices[e]]
            for f in range(indptr[i], indptr[i + 1]):
                if indices[f] >= indices[e]:
                    row[indices[f]] += value * data[f]
            if with_constant:
                row[n_features] += value
            for t in range(Y.shape[1]):
                row[n_design + t] += value * Y[i, t]
        if with_constant:
            gram[n_features, n_features] += weight
            for t in range(Y.shape[1]):
                gram[n_features, n_design + t] += weight * Y[i, t]
