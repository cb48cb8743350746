"""Loops of matrix completion: both orders of the entries, and least squares for each row.

A row's entries are gathered into a panel that stays in the cache: the rows of the other factor
that belong to them. Rows of a factor begin with a cache line and end in zeros.
"""

import numpy as np

from .._kernels.syrk import PAD, add_gram, alone, padded
from .._support.jit import kernel

__all__ = ["alone", "padded"]

_PANEL = 256  # rows of a panel whose Gram matrix is added to another
_TINY = 1e-13  # of a diagonal entry: less is left of a column that depends on those before it
_CYCLES = 20  # at most, of coordinate descent


@kernel
def count(places, starts):
    # (nnz,) in; (n + 1,) in and out: starts[i + 1] counts the entries of i
    for e in range(np.uint64(len(places))):
        starts[np.uint64(places[e]) + np.uint64(1)] += 1


@kernel
def place(places, others, values, mean, scale, starts, out_others, out_values):
    # (nnz,) three times, (n + 1,) in; (nnz,) twice out. Entries keep their order in each row.
    ends = starts.copy()
    for e in range(np.uint64(len(places))):
        i = np.uint64(places[e])
        at = np.uint64(ends[i])
        out_others[at], out_values[at] = others[e], (values[e] - mean) / scale
        ends[i] += 1


@kernel
def place_weights(places, weights, starts, out):
    # (nnz,) twice, (n + 1,) in; (nnz,) out
    ends = starts.copy()
    for e in range(np.uint64(len(places))):
        i = np.uint64(places[e])
        out[np.uint64(ends[i])] = weights[e]
        ends[i] += 1


@kernel
def predict(lo, hi, b, rows, columns, left, row_bias, right, column_bias, out):
    # (nnz,) twice; (m, w), (m,), (n, w), (n,) in; (nnz,) out
    for e in range(np.uint64(lo), np.uint64(hi)):
        i, j = np.uint64(rows[e]), np.uint64(columns[e])
        u, v = left[i], right[j]
        total = np.float64(row_bias[i]) + np.float64(column_bias[j])
        for c in range(np.uint64(len(u))):
            total += np.float64(u[c]) * np.float64(v[c])
        out[e] = total


@kernel
def residuals(lo, hi, b, starts, others, values, other, other_bias, mine, bias, out):
    # (n + 1,) (nnz,) (nnz,); (m, w), (m,), (n, w), (n,) in; (nnz,) out, in the order of the entries
    for i in range(np.uint64(lo), np.uint64(hi)):
        u = mine[i]
        for e in range(np.uint64(starts[i]), np.uint64(starts[i + np.uint64(1)])):
            j = np.uint64(others[e])
            v = other[j]
            total = values[e] - bias[i] - other_bias[j]
            for c in range(np.uint64(len(u))):
                total -= u[c] * v[c]
            out[e] = total


@kernel(forceinline=True)
def _root(weights, e):
    return np.sqrt(weights[e]) if len(weights) > 0 else 1.0


@kernel(forceinline=True)
def _amount(weights, begin, end):
    """Sum of the weights of a row: the number of its entries, if they have none."""
    if len(weights) == 0:
        return np.float64(end - begin)
    total = 0.0
    for e in range(begin, end):
        total += weights[e]
    return total


@kernel(forceinline=True)
def gather(panel, begin, end, others, values, weights, other, other_bias, k):
    """Rows of a panel from entries: k numbers of the other factor, 1 for the bias, the target."""
    one = np.uint64(1)
    for e in range(begin, end):
        j = np.uint64(others[e])
        row, source, root = panel[e - begin], other[j], _root(weights, e)
        for c in range(k):
            row[c] = root * source[c]
        row[k] = root
        row[k + one] = root * (values[e] - other_bias[j])
    pad = np.uint64(PAD)
    n = (end - begin + pad - one) // pad * pad
    for r in range(end - begin, n):
        row = panel[r]
        for c in range(k + one + one):
            row[c] = 0.0
    return n


@kernel(forceinline=True)
def row_gram(begin, end, others, values, weights, other, other_bias, k, panel, gram):
    """Gram matrix of a row's panel; its column k + 1 is the right-hand side."""
    one = np.uint64(1)
    for r in range(k + one):
        row = gram[r]
        for c in range(np.uint64(len(row))):
            row[c] = 0.0
    at = begin
    while at < end:
        stop = min(end, at + np.uint64(_PANEL))
        n = gather(panel, at, stop, others, values, weights, other, other_bias, k)
        add_gram(panel[:n], np.int64(k + one), gram)
        at = stop


@kernel(forceinline=True)
def factorize(gram, d, column):
    """Cholesky factor in place of the upper triangle, carried on to one more column.

    The diagonal becomes its inverse, and zero where a column depends on those before it.
    """
    one = np.uint64(1)
    for i in range(d):
        pivot = gram[i]
        whole = pivot[i]
        for r in range(i):
            whole += gram[r, i] * gram[r, i]
        inverse = 1.0 / np.sqrt(pivot[i]) if pivot[i] > _TINY * whole else 0.0
        for c in range(i + one, d):
            pivot[c] *= inverse
        pivot[column] *= inverse
        for r in range(i + one, d):
            row, factor = gram[r], pivot[r]
            for c in range(r, d):
                row[c] -= factor * pivot[c]
            row[column] -= factor * pivot[column]
        pivot[i] = inverse


@kernel(forceinline=True)
def back_substitute(gram, d, column, out):
    """Solve with a triangle whose diagonal is inverted."""
    one = np.uint64(1)
    for back in range(d):
        i = d - one - back
        row = gram[i]
        total = row[column]
        for c in range(i + one, d):
            total -= row[c] * out[c]
        out[i] = total * row[i]


@kernel(forceinline=True)
def _descend(gram, d, k, column, x):
    """Coordinate descent on a quadratic in the upper triangle; the first k are not negative."""
    for _ in range(_CYCLES):
        largest, change = 0.0, 0.0
        for i in range(d):
            row, total = gram[i], gram[i, column]
            for r in range(i):
                total -= gram[r, i] * x[r]
            for c in range(i + np.uint64(1), d):
                total -= row[c] * x[c]
            new = total / row[i] if row[i] > 0.0 else 0.0
            if i < k:
                new = max(new, 0.0)
            change, largest = max(change, abs(new - x[i])), max(largest, abs(new))
            x[i] = new
        if change <= 1e-9 * largest:
            return


@kernel
def solve_rows(
    lo, hi, b, starts, others, values, weights, other, other_bias, ridge, exponent, width, biased,
    nonnegative, factor, bias,
):  # fmt: skip
    # (n + 1,) (nnz,) (nnz,) (nnz,)|(0,); (m, w), (m,); (k + 1,), (), (), (), () in;
    # (n, w), (n,) in and out: the least squares of each row, exactly
    k = np.uint64(len(ridge) - 1)
    column = k + np.uint64(1)
    d = column if biased else k
    panel, gram = np.zeros((_PANEL, width)), np.zeros((width, width))
    x = np.zeros(np.int64(column))
    for i in range(np.uint64(lo), np.uint64(hi)):
        begin, end = np.uint64(starts[i]), np.uint64(starts[i + np.uint64(1)])
        row_gram(begin, end, others, values, weights, other, other_bias, k, panel, gram)
        scale = _amount(weights, begin, end) ** exponent
        for c in range(d):
            gram[c, c] += ridge[c] * scale
        if nonnegative:
            for c in range(k):
                x[c] = factor[i, c]
            x[k] = bias[i]
            _descend(gram, d, k, column, x)
        else:
            factorize(gram, d, column)
            back_substitute(gram, d, column, x)
        for c in range(k):
            factor[i, c] = x[c]
        if biased:
            bias[i] = x[k]


@kernel(forceinline=True)
def _dot(x, y, n):
    total = x.dtype.type(0)
    for c in range(n):
        total += x[c] * y[c]
    return total


@kernel(forceinline=True)
def _add_normal(panel, roots, n, w, x, x_bias, out):
    """Add ``A^T A x`` of a panel to out; return its last entry, which belongs to the bias."""
    one, zero = np.uint64(1), x.dtype.type(0)
    bias, four = zero, np.uint64(4)
    r = np.uint64(0)
    while r + four <= n:
        a0, a1, a2, a3 = panel[r], panel[r + one], panel[r + np.uint64(2)], panel[r + np.uint64(3)]
        t0, t1, t2, t3 = zero, zero, zero, zero
        for c in range(w):
            y = x[c]
            t0 += a0[c] * y
            t1 += a1[c] * y
            t2 += a2[c] * y
            t3 += a3[c] * y
        s0, s1 = roots[r], roots[r + one]
        s2, s3 = roots[r + np.uint64(2)], roots[r + np.uint64(3)]
        t0 += s0 * x_bias
        t1 += s1 * x_bias
        t2 += s2 * x_bias
        t3 += s3 * x_bias
        for c in range(w):
            out[c] += (t0 * a0[c] + t1 * a1[c]) + (t2 * a2[c] + t3 * a3[c])
        bias += (t0 * s0 + t1 * s1) + (t2 * s2 + t3 * s3)
        r += four
    while r < n:
        a0, t0 = panel[r], roots[r] * x_bias
        for c in range(w):
            t0 += a0[c] * x[c]
        for c in range(w):
            out[c] += t0 * a0[c]
        bias += t0 * roots[r]
        r += one
    return bias


@kernel
def improve_rows(
    lo, hi, b, starts, others, values, weights, other, other_bias, ridge, exponent, biased,
    steps, forcing, factor, bias,
):  # fmt: skip
    # As solve_rows, by conjugate gradients from what is there, with the diagonal as
    # preconditioner: so many steps, or until the residual has fallen to a share
    one = np.uint64(1)
    zero = factor.dtype.type(0)
    k, w = len(ridge) - 1, np.uint64(factor.shape[1])
    most = np.int64(0)
    for i in range(np.uint64(lo), np.uint64(hi)):
        most = max(most, starts[i + one] - starts[i])
    memory = np.empty((most + 2) * np.int64(w) + 16, factor.dtype)
    skip = (-memory.ctypes.data) % 64 // memory.itemsize
    panel = memory[skip : skip + (most + 1) * np.int64(w)].reshape((most + 1, np.int64(w)))
    roots = np.empty(most + 1, factor.dtype)
    work = np.zeros((5, np.int64(w)), factor.dtype)
    shift, inverse, residual, direction, image = work[0], work[1], work[2], work[3], work[4]
    for i in range(np.uint64(lo), np.uint64(hi)):
        begin, end = np.uint64(starts[i]), np.uint64(starts[i + one])
        n, x = end - begin, factor[i]
        scale = _amount(weights, begin, end) ** exponent
        for c in range(k):
            shift[c] = ridge[c] * scale
        x_bias, bias_shift = bias[i], factor.dtype.type(ridge[k] * scale)
        for c in range(w):
            residual[c] = -shift[c] * x[c]
            inverse[c] = shift[c]
        r_bias, i_bias = -bias_shift * x_bias, bias_shift
        for e in range(begin, end):
            j = np.uint64(others[e])
            row, source, root = panel[e - begin], other[j], factor.dtype.type(_root(weights, e))
            roots[e - begin] = root
            gap = zero
            for c in range(w):
                row[c] = root * source[c]
                gap += source[c] * x[c]
            gap = root * (values[e] - other_bias[j] - x_bias - gap)
            for c in range(w):
                residual[c] += gap * row[c]
                inverse[c] += row[c] * row[c]
            r_bias += gap * root
            i_bias += root * root
        for c in range(w):
            inverse[c] = one / inverse[c] if inverse[c] > zero else zero
            direction[c] = inverse[c] * residual[c]
        i_bias = one / i_bias if biased and i_bias > zero else zero
        d_bias = i_bias * r_bias
        square = np.float64(_dot(direction, residual, w) + d_bias * r_bias)
        enough = forcing * square
        for _ in range(steps):
            if square <= enough:
                break
            for c in range(w):
                image[c] = shift[c] * direction[c]
            m_bias = _add_normal(panel, roots, n, w, direction, d_bias, image) + bias_shift * d_bias
            curvature = np.float64(_dot(direction, image, w) + d_bias * m_bias)
            if not curvature > 0.0:
                break
            length = factor.dtype.type(square / curvature)
            x_bias += length * d_bias
            r_bias -= length * m_bias
            before, fresh = square, i_bias * r_bias * r_bias
            for c in range(w):
                x[c] += length * direction[c]
                residual[c] -= length * image[c]
                fresh += inverse[c] * residual[c] * residual[c]
            square = np.float64(fresh)
            ratio = factor.dtype.type(square / before)
            for c in range(w):
                direction[c] = inverse[c] * residual[c] + ratio * direction[c]
            d_bias = i_bias * r_bias + ratio * d_bias
        bias[i] = x_bias
