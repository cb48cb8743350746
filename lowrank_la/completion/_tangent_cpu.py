"""Loops of Gauss-Newton steps: Gram matrices of lines, and products of the tangent space.

A change of both factors changes an entry by ``a_i . f_j + g_i . b_j``, where f and g are the rows
of the other factor, with a 1 if there is a bias. The changes a of one side are eliminated: they
are least squares, line by line, for whatever the others are. Rows of all arrays of shape (n, w)
begin with a cache line and end in zeros.
"""

import numpy as np

from .._support.jit import kernel
from ._cpu import PANEL, amount_of, factorize, row_gram


@kernel
def normal_equations(
    lo, hi, b, starts, others, gaps, weights, design, nothing, mine, ridge, exponent, width, rank,
    triangles, gradient,
):  # fmt: skip
    # (n + 1,) (nnz,) (nnz,) (nnz,)|(0,); (m, w), (m,), (n, w), (d,), (), (), () in;
    # (n, d (d + 1) / 2), (n, w) out: of each line, the triangle of its Gram matrix, rows one
    # after another, its diagonal inverted; and half of the negative gradient
    one, d, k = np.uint64(1), np.uint64(len(ridge)), np.uint64(rank)
    column = k + one
    panel, gram = np.zeros((PANEL, width)), np.zeros((width, width))
    for i in range(np.uint64(lo), np.uint64(hi)):
        begin, end = np.uint64(starts[i]), np.uint64(starts[i + one])
        row_gram(begin, end, others, gaps, weights, design, nothing, k, panel, gram)
        scale = amount_of(weights, begin, end) ** exponent
        x, slope, triangle = mine[i], gradient[i], triangles[i]
        for c in range(d):
            gram[c, c] += ridge[c] * scale
            slope[c] = gram[c, column] - ridge[c] * scale * x[c]
        for c in range(d, np.uint64(len(slope))):
            slope[c] = 0.0
        factorize(gram, d, column)
        at = np.uint64(0)
        for r in range(d):
            row = gram[r]
            for c in range(r, d):
                triangle[at] = row[c]
                at += one


@kernel(forceinline=True)
def _solve(triangle, d, x):
    """Solve with a Gram matrix in place; what is dependent gets zero."""
    one, at = np.uint64(1), np.uint64(0)
    for r in range(d):
        x[r] *= triangle[at]
        at += one
        for c in range(r + one, d):
            x[c] -= triangle[at] * x[r]
            at += one
    for back in range(d):
        r = d - one - back
        at -= back + one
        total = x[r]
        for c in range(np.uint64(1), back + one):
            total -= triangle[at + c] * x[r + c]
        x[r] = total * triangle[at]


@kernel
def solve(lo, hi, b, triangles, right, d, out):
    # (n, d (d + 1) / 2), (n, w), () in; (n, w) out
    for i in range(np.uint64(lo), np.uint64(hi)):
        source, x = right[i], out[i]
        for c in range(np.uint64(len(source))):
            x[c] = source[c]
        _solve(triangles[i], np.uint64(d), x)


@kernel
def respond(
    lo, hi, b, starts, others, weights, gaps, design, change, mine, triangles, rank, d, out
):
    # (n + 1,) (nnz,) (nnz,)|(0,) (nnz,)|(0,); (m, w), (m, w), (n, w), (n, d (d + 1) / 2), (), ()
    # in; (n, w) out: what each line takes back of the others' change. With gaps the second
    # derivative of the product counts, too.
    w, k, one = np.uint64(design.shape[1]), np.uint64(rank), np.uint64(1)
    for i in range(np.uint64(lo), np.uint64(hi)):
        g, x = mine[i], out[i]
        for c in range(w):
            x[c] = 0.0
        for e in range(np.uint64(starts[i]), np.uint64(starts[i + one])):
            j = np.uint64(others[e])
            f, p = design[j], change[j]
            total = 0.0
            for c in range(w):
                total += g[c] * p[c]
            weight = weights[e] if len(weights) > 0 else 1.0
            total *= weight
            for c in range(w):
                x[c] += total * f[c]
            if len(gaps) > 0:
                total = weight * gaps[e]
                for c in range(k):
                    x[c] -= total * p[c]
        _solve(triangles[i], np.uint64(d), x)


@kernel
def curvature(
    lo, hi, b, starts, others, weights, gaps, design, response, mine, change, ridge, exponent,
    damping, rank, out,
):  # fmt: skip
    # (n + 1,) (nnz,) (nnz,)|(0,) (nnz,)|(0,); (m, w), (m, w), (n, w), (n, w), (d,), (), (), () in;
    # (n, w) out: the Gram matrix times a change of these lines, less what the others have taken
    # back of it
    w, k, one = np.uint64(design.shape[1]), np.uint64(rank), np.uint64(1)
    for i in range(np.uint64(lo), np.uint64(hi)):
        begin, end = np.uint64(starts[i]), np.uint64(starts[i + one])
        f, p, q = mine[i], change[i], out[i]
        scale = damping * amount_of(weights, begin, end) ** exponent
        for c in range(w):
            q[c] = 0.0
        for c in range(np.uint64(len(ridge))):
            q[c] = scale * ridge[c] * p[c]
        for e in range(begin, end):
            j = np.uint64(others[e])
            g, y = design[j], response[j]
            forth, back = 0.0, 0.0
            for c in range(w):
                forth += g[c] * p[c]
                back += f[c] * y[c]
            weight = weights[e] if len(weights) > 0 else 1.0
            total = weight * (damping * forth - back)
            for c in range(w):
                q[c] += total * g[c]
            if len(gaps) > 0:
                total = weight * gaps[e]
                for c in range(k):
                    q[c] += total * y[c]
