"""Loops of matrix completion: both orders of the entries, and least squares for each row.

A row's entries are gathered into a panel that stays in the cache: the rows of the other factor
that belong to them. Rows of a factor begin with a cache line and end in zeros.
"""

import math

import numpy as np

from .._kernels.csr import NARROW, sum_rows
from .._kernels.normal import add_residual
from .._kernels.syrk import PAD, add_gram, alone, padded
from .._support.blocks import aligned, run_blocks
from .._support.jit import kernel

PANEL = 256  # rows of a panel whose Gram matrix is added to another
TINY = 1e-13  # of a diagonal entry: less is left of a column that depends on those before it
SLIGHT = 1e-9  # of the mean diagonal entry: a ridge that lines with few entries get
CYCLES = 20  # at most, of coordinate descent
_NEAR = 1 << 19  # bytes of a panel that stays in the second cache
_PAIRS = 65536  # predicted at a time
_BLOCK = 32768  # entries of a block of lines, more or less


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
def turn(starts, others, values, weights, out_starts, out_others, out_values, out_weights):
    # The other order: (n + 1,) (nnz,) (nnz,) (nnz,)|(0,), (m + 1,) in; the like of them out.
    # Entries of a line are sorted then, so that a factor's rows are met in the order of memory.
    ends = out_starts.copy()
    for i in range(np.uint64(len(starts) - 1)):
        for e in range(np.uint64(starts[i]), np.uint64(starts[i + np.uint64(1)])):
            j = np.uint64(others[e])
            at = np.uint64(ends[j])
            out_others[at], out_values[at] = i, values[e]
            if len(weights) > 0:
                out_weights[at] = weights[e]
            ends[j] += 1


@kernel
def _predict(lo, hi, b, rows, columns, left, row_bias, right, column_bias, out):
    # (nnz,) twice; (m, w), (m,), (n, w), (n,) in; (nnz,) out
    for e in range(np.uint64(lo), np.uint64(hi)):
        i, j = np.uint64(rows[e]), np.uint64(columns[e])
        u, v = left[i], right[j]
        total = np.float64(row_bias[i]) + np.float64(column_bias[j])
        for c in range(np.uint64(len(u))):
            total += np.float64(u[c]) * np.float64(v[c])
        out[e] = total


@kernel
def _residuals(lo, hi, b, starts, others, values, other, other_bias, mine, bias, out):
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


@kernel
def _products(lo, hi, b, starts, others, factors, matrix, out):
    # (n + 1,) (nnz,) (nnz,); (m, w) in; (n, w) out; w is a multiple of NARROW
    units, totals = np.empty(0, matrix.dtype), np.empty(matrix.shape[1])
    for i in range(np.uint64(lo), np.uint64(hi)):
        begin, end = np.uint64(starts[i]), np.uint64(starts[i + np.uint64(1)])
        sum_rows(matrix, units, others, factors, begin, end, out[i], totals)


@kernel(forceinline=True)
def _root(weights, e):
    return np.sqrt(weights[e]) if len(weights) > 0 else 1.0


@kernel(forceinline=True)
def amount_of(weights, begin, end):
    """Sum of the weights of a row: the number of its entries, if they have none."""
    if len(weights) == 0:
        return np.float64(end - begin)
    total = 0.0
    for e in range(begin, end):
        total += weights[e]
    return total


@kernel(forceinline=True)
def gather(panel, begin, end, others, values, weights, other, other_bias, k):
    """Rows of a panel from entries: k numbers of the other factor, 1 for the bias, the target.

    Roots of weights multiply them. Return the number of rows, with those of zeros, and products of
    the last two columns: ones by ones, ones by targets, targets by targets.
    """
    one = np.uint64(1)
    ones, sum_, squares = 0.0, 0.0, 0.0
    for e in range(begin, end):
        j = np.uint64(others[e])
        row, source, root = panel[e - begin], other[j], _root(weights, e)
        target = root * (np.float64(values[e]) - other_bias[j])
        for c in range(k):
            row[c] = root * source[c]
        row[k], row[k + one] = root, target
        ones += root * root
        sum_ += root * target
        squares += target * target
    pad = np.uint64(PAD)
    n = (end - begin + pad - one) // pad * pad
    for r in range(end - begin, n):
        row = panel[r]
        for c in range(k + one + one):
            row[c] = 0.0
    return n, ones, sum_, squares


@kernel(forceinline=True)
def row_gram(begin, end, others, values, weights, other, other_bias, k, panel, gram):
    """Gram matrix of a row's panel; its column k + 1 is the right-hand side.

    Return the sum of the targets' squares.
    """
    one = np.uint64(1)
    ones, sum_, squares = 0.0, 0.0, 0.0
    for r in range(k):
        row = gram[r]
        for c in range(np.uint64(len(row))):
            row[c] = 0.0
    at = begin
    while at < end:
        stop = min(end, at + np.uint64(PANEL))
        n, more, more_sum, more_squares = gather(
            panel, at, stop, others, values, weights, other, other_bias, k
        )
        add_gram(panel[:n], np.int64(k), gram)
        ones, sum_, squares = ones + more, sum_ + more_sum, squares + more_squares
        at = stop
    gram[k, k], gram[k, k + one] = ones, sum_
    return squares


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
        inverse = 1.0 / np.sqrt(pivot[i]) if pivot[i] > TINY * whole else 0.0
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
    for _ in range(CYCLES):
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


@kernel(forceinline=True)
def _form(gram, d, column, x):
    """``x^T A x - 2 b^T x`` for a quadratic in the upper triangle."""
    total = 0.0
    for r in range(d):
        row = gram[r]
        inner = 0.5 * row[r] * x[r] - row[column]
        for c in range(r + np.uint64(1), d):
            inner += row[c] * x[c]
        total += 2.0 * x[r] * inner
    return total


@kernel
def _solve_rows(
    lo, hi, b, starts, others, values, weights, other, other_bias, ridge, exponent, width, biased,
    nonnegative, factor, bias, sums,
):  # fmt: skip
    # (n + 1,) (nnz,) (nnz,) (nnz,)|(0,); (m, w), (m,); (k + 1,), (), (), (), () in;
    # (n, w), (n,) in and out: the least squares of each row, exactly. (blocks,) in and out: sums
    # of squares, with the ridge.
    k = np.uint64(len(ridge) - 1)
    column = k + np.uint64(1)
    d = column if biased else k
    panel, gram = np.zeros((PANEL, width)), np.zeros((width, width))
    x = np.zeros(np.int64(column))
    total = 0.0
    for i in range(np.uint64(lo), np.uint64(hi)):
        begin, end = np.uint64(starts[i]), np.uint64(starts[i + np.uint64(1)])
        total += row_gram(begin, end, others, values, weights, other, other_bias, k, panel, gram)
        scale = amount_of(weights, begin, end) ** exponent
        slight = 0.0
        if end - begin < d:  # of many solutions, about the least one
            for c in range(d):
                slight += SLIGHT * gram[c, c] / d
        for c in range(d):
            gram[c, c] += ridge[c] * scale + slight
        if nonnegative:
            for c in range(k):
                x[c] = factor[i, c]
            x[k] = bias[i]
            _descend(gram, d, k, column, x)
            total += _form(gram, d, column, x)
        else:
            factorize(gram, d, column)
            for c in range(d):
                total -= gram[c, column] * gram[c, column]
            back_substitute(gram, d, column, x)
        for c in range(k):
            factor[i, c] = x[c]
        if biased:
            bias[i] = x[k]
    sums[b] += total


@kernel(forceinline=True)
def _take(begin, end, others, values, weights, other_bias, w, at, amounts, target):
    """Entries of a line: where the other factor's rows begin, weights, targets; zeros to a four.

    Return how many, and the sum of the weights.
    """
    n, total = end - begin, 0.0
    for r in range(n):
        e = begin + r
        j = np.uint64(others[e])
        at[r], target[r] = j * w, values[e] - other_bias[j]
        amounts[r] = weights[e] if len(weights) > 0 else 1.0
        total += amounts[r]
    padded_n = (n + np.uint64(3)) // np.uint64(4) * np.uint64(4)
    for r in range(n, padded_n):
        at[r], amounts[r], target[r] = 0, 0.0, 0.0
    return padded_n, total


@kernel(forceinline=True)
def _collect(other, at, n, panel):
    """Copy rows to a panel, where they lie side by side, and say that they are there."""
    w = np.uint64(other.shape[1])
    flat = other.reshape(-1)
    for r in range(n):
        row, source = panel[r], np.uint64(at[r])
        for c in range(w):
            row[c] = flat[source + c]
        at[r] = r * w


@kernel(forceinline=True)
def _preconditioned(x, inverse, out):
    """``inverse * x``, and its product with x."""
    total = 0.0
    for c in range(np.uint64(len(x))):
        out[c] = inverse[c] * x[c]
        total += out[c] * x[c]
    return total


@kernel(forceinline=True)
def _conjugate(
    matrix, at, amounts, nothing, n, k, shift, b_shift, inverse, b_inverse, residual, b_residual,
    direction, image, steps, forcing, x,
):  # fmt: skip
    """Conjugate gradient steps for one line, whose vector x is changed.

    Return the change of the bias, and what the sum of squares and ridge has fallen by.
    """
    b_direction = b_inverse * b_residual
    square = _preconditioned(residual, inverse, direction) + b_direction * b_residual
    enough, b_change, gain = forcing * square, 0.0, 0.0
    for _ in range(steps):
        if square <= enough:
            break
        for c in range(np.uint64(len(image))):
            image[c] = 0.0
        b_image, curvature = add_residual(
            matrix, at, amounts, nothing, n, direction, x.dtype.type(b_direction), image
        )
        curvature += b_shift * b_direction * b_direction
        for c in range(k):
            image[c] -= shift[c] * direction[c]
            curvature += shift[c] * direction[c] * direction[c]
        if not curvature > 0.0:
            break
        length = square / curvature
        gain += length * square
        b_change += length * b_direction
        b_residual += length * (b_image - b_shift * b_direction)
        fresh = b_inverse * b_residual * b_residual
        for c in range(k):
            x[c] += length * direction[c]
            residual[c] += length * image[c]
            fresh += inverse[c] * residual[c] * residual[c]
        ratio = fresh / square
        for c in range(k):
            direction[c] = inverse[c] * residual[c] + ratio * direction[c]
        b_direction = b_inverse * b_residual + ratio * b_direction
        square = fresh
    return b_change, gain


@kernel
def _improve_rows(
    lo, hi, b, starts, others, values, weights, other, other_bias, moment, ridge, exponent,
    biased, steps, forcing, factor, bias, sums,
):  # fmt: skip
    # As _solve_rows, by conjugate gradients from what is there: so many steps, or until the square
    # of the residual has fallen to a share. (w,) in: mean squares of the other factor, of which
    # the preconditioner is made.
    one = np.uint64(1)
    k, w = np.uint64(len(ridge) - 1), factor.shape[1]
    most = np.int64(4)
    for i in range(np.uint64(lo), np.uint64(hi)):
        most = max(most, starts[i + one] - starts[i] + np.int64(4))
    at, amounts = np.empty(most, np.int64), np.empty(most, factor.dtype)
    target, nothing = np.empty(most, factor.dtype), np.zeros(most, factor.dtype)
    memory = np.empty(_NEAR // factor.itemsize + w + 64, factor.dtype)
    skip = np.int64((-memory.ctypes.data) % 64) // memory.itemsize  # to begin a cache line
    room = _NEAR // factor.itemsize // w
    panel = memory[skip : skip + room * w].reshape((room, w))
    work = np.zeros((4, w), factor.dtype)
    inverse, residual, direction, image = work[0], work[1], work[2], work[3]
    shift = np.zeros(w)
    total = 0.0
    for i in range(np.uint64(lo), np.uint64(hi)):
        begin, end = np.uint64(starts[i]), np.uint64(starts[i + one])
        n, amount = _take(
            begin, end, others, values, weights, other_bias, np.uint64(w), at, amounts, target
        )
        matrix = other
        if n <= np.uint64(room):
            _collect(other, at, n, panel)
            matrix = panel
        x, x_bias = factor[i], bias[i]
        scale = amount**exponent
        b_shift = ridge[k] * scale
        for c in range(k):
            shift[c] = ridge[c] * scale
            residual[c] = -shift[c] * x[c]
            curvature = amount * moment[c] + shift[c]
            inverse[c] = 1.0 / curvature if curvature > 0.0 else 0.0
            total -= residual[c] * x[c]
        b_inverse = 1.0 / (amount + b_shift) if biased and amount > 0.0 else 0.0
        b_residual, squares = add_residual(matrix, at, amounts, target, n, x, x_bias, residual)
        total += squares + b_shift * x_bias * x_bias
        b_change, gain = _conjugate(
            matrix, at, amounts, nothing, n, k, shift, b_shift, inverse, b_inverse, residual,
            b_residual - b_shift * x_bias, direction, image, steps, forcing, x,
        )  # fmt: skip
        bias[i] = x_bias + b_change
        total -= gain
    sums[b] += total


def block_of(starts):
    """Lines to a block of work."""
    return max(1, (len(starts) - 1) * _BLOCK // max(1, int(starts[-1])))


def predict(rows, columns, left, row_bias, right, column_bias):
    """Products of rows of two factors, with biases, in float64."""
    out = np.empty(len(rows))
    args = rows, columns, left, row_bias, right, column_bias, out
    run_blocks(_predict, len(rows), _PAIRS, args)
    return out


def residuals(starts, others, values, other, other_bias, mine, bias):
    """Values less products, in the order of the entries."""
    out = np.empty_like(values)
    args = starts, others, values, other, other_bias, mine, bias, out
    run_blocks(_residuals, len(mine), block_of(starts), args)
    return out


def products(starts, others, values, weights, matrix):
    """Product of the sparse matrix of the weighted values and a matrix, of shape (n, w)."""
    factors = values * weights if len(weights) else values
    m, width = matrix.shape
    wide = aligned((m, -(-width // NARROW) * NARROW), matrix.dtype)
    wide[:, :width], wide[:, width:] = matrix, 0
    out = np.empty((len(starts) - 1, wide.shape[1]), matrix.dtype)
    args = starts, others, factors, wide, out
    run_blocks(_products, len(out), block_of(starts), args)
    return out[:, :width]


def solve(
    starts, others, values, weights, other, other_bias, ridge, exponent, fit_bias, nonnegative,
    mine, bias,
):  # fmt: skip
    """Least squares of each line, exactly: mine and bias are overwritten.

    Return the sum of squares, and of the ridge of mine.
    """
    block, width = block_of(starts), padded(len(ridge) + 1)
    sums = np.zeros(-(-len(mine) // block))
    data = starts, others, values, weights, other, other_bias
    how = ridge, exponent, width, fit_bias, nonnegative
    with alone():
        run_blocks(_solve_rows, len(mine), block, (*data, *how, mine, bias, sums))
    return math.fsum(sums)


def improve(
    starts, others, values, weights, other, other_bias, ridge, exponent, fit_bias, steps, forcing,
    mine, bias,
):  # fmt: skip
    """Do the same by some steps of conjugate gradients from what is in mine and bias."""
    block = block_of(starts)
    sums = np.zeros(-(-len(mine) // block))
    data = starts, others, values, weights, other, other_bias
    moment = np.mean(other**2, axis=0, dtype=np.float64)
    how = moment, ridge, exponent, fit_bias, steps, forcing
    run_blocks(_improve_rows, len(mine), block, (*data, *how, mine, bias, sums))
    return math.fsum(sums)
