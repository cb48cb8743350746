"""Loops of matrix completion on a GPU: the twins of `_cpu`.

A block of threads does a line at a time, and its lines in their order: there are no atomics, and
the bits are the same every time. Entries are read in pieces that fit into shared memory; what is
larger, the Gram matrix of a line and the vectors of conjugate gradients, is scratch of the block.
"""

import math

import numpy as np

from .._support.cuda import (
    SIMULATED,
    THREADS,
    cuda,
    cuda_kernel,
    device_function,
    to_device,
    to_host,
    xp,
)
from ._cpu import CYCLES, SLIGHT, TINY

_BLOCKS = 512  # of threads, at most: each has scratch of its own
_ROOM = 64 if SIMULATED else 4096  # numbers of a panel in shared memory
_LANES = 2 if SIMULATED else 8  # threads to an entry
_ROWS = THREADS // _LANES  # entries met at once

_ENTRIES = "int64[::1], int32[::1], T[::1], T[::1], T[:, ::1], T[::1]"


@device_function
def _sum(parts, value):
    """Sum of the values of all threads of a block, which each of them gets."""
    parts[cuda.threadIdx.x] = value
    cuda.syncthreads()
    total = 0.0
    for t in range(THREADS):
        total += parts[t]
    cuda.syncthreads()  # all have read them before anything else is written there
    return total


@device_function
def _add_up(panel, begin, end, others, values, weights, other, other_bias, k, gram):
    """Gram matrix of a line, its upper triangle: k numbers, 1 for the bias, the target."""
    t, width = cuda.threadIdx.x, k + 2
    for p in range(t, width * width, THREADS):
        gram[p // width, p % width] = 0.0
    at = begin
    while at < end:
        n = min(_ROOM // width, end - at)
        for p in range(t, n * width, THREADS):
            e, c = at + p // width, p % width
            j, value = others[e], 1.0
            if c < k:
                value = np.float64(other[j, c])
            elif c > k:
                value = np.float64(values[e]) - np.float64(other_bias[j])
            if weights.size:
                value *= math.sqrt(np.float64(weights[e]))
            panel[p] = value
        cuda.syncthreads()
        for p in range(t, width * width, THREADS):
            r, c = p // width, p % width
            if r <= c:
                total = gram[r, c]
                for e in range(n):
                    total += panel[e * width + r] * panel[e * width + c]
                gram[r, c] = total
        cuda.syncthreads()
        at += n
    cuda.syncthreads()


@device_function
def _factorize(gram, d, column):
    """Cholesky factor in place, as in `_cpu`; the diagonal as it was stays below it."""
    t = cuda.threadIdx.x
    for c in range(t, d, THREADS):
        gram[column, c] = gram[c, c]
    cuda.syncthreads()
    for i in range(d):
        inverse = 0.0
        if gram[i, i] > TINY * gram[column, i]:
            inverse = 1.0 / math.sqrt(gram[i, i])
        cuda.syncthreads()
        for c in range(i + 1 + t, column + 1, THREADS):
            gram[i, c] *= inverse
        if t == 0:
            gram[i, i] = inverse
        cuda.syncthreads()
        length = column - i
        for p in range(t, (d - i - 1) * length, THREADS):
            r, c = i + 1 + p // length, i + 1 + p % length
            if r <= c:
                gram[r, c] -= gram[i, r] * gram[i, c]
        cuda.syncthreads()


@device_function
def _back_substitute(gram, d, column, x):
    """Solve with a triangle whose diagonal is inverted; return what this takes off the squares."""
    t, gain = cuda.threadIdx.x, 0.0
    for c in range(d):
        gain += gram[c, column] * gram[c, column]
    cuda.syncthreads()
    for back in range(d):
        i = d - 1 - back
        value = gram[i, column] * gram[i, i]
        for r in range(t, i, THREADS):
            gram[r, column] -= gram[r, i] * value
        if t == 0:
            x[i] = value
        cuda.syncthreads()
    return gain


@device_function
def _descend(gram, d, k, column, x):
    """Coordinate descent from x; the first k are not negative. Return the gain, as above."""
    t, gap = cuda.threadIdx.x, gram[column]
    for r in range(t, d, THREADS):
        total = gram[r, column]
        for c in range(d):
            total -= gram[min(r, c), max(r, c)] * x[c]
        gap[r] = total
    cuda.syncthreads()
    for _ in range(CYCLES):
        largest, change = 0.0, 0.0
        for c in range(d):
            new = 0.0
            if gram[c, c] > 0.0:
                new = x[c] + gap[c] / gram[c, c]
            if c < k and new < 0.0:
                new = 0.0
            step = new - x[c]
            largest, change = max(largest, abs(new)), max(change, abs(step))
            if step == 0.0:  # in all threads: nobody writes
                continue
            cuda.syncthreads()
            for r in range(t, d, THREADS):
                gap[r] -= gram[min(r, c), max(r, c)] * step
            if t == 0:
                x[c] = new
            cuda.syncthreads()
        if change <= 1e-9 * largest:
            break
    gain = 0.0
    for c in range(d):
        gain += x[c] * (gap[c] + gram[c, column])
    return gain


@cuda_kernel(
    f"{_ENTRIES}, float64[::1], float64, int64, int64, T[:, ::1], T[::1], float64[:, :, ::1], "
    "float64[::1]"
)
def _solve(
    starts, others, values, weights, other, other_bias, ridge, exponent, biased, nonnegative,
    factor, bias, scratch, sums,
):  # fmt: skip
    panel = cuda.shared.array(_ROOM, np.float64)
    t, gram = cuda.threadIdx.x, scratch[cuda.blockIdx.x]
    k = ridge.size - 1
    column = k + 1
    d, x, total = k + min(biased, 1), gram[column + 1], 0.0
    for i in range(cuda.blockIdx.x, factor.shape[0], cuda.gridDim.x):
        begin, end = starts[i], starts[i + 1]
        _add_up(panel, begin, end, others, values, weights, other, other_bias, k, gram)
        scale, slight = gram[k, k] ** exponent, 0.0
        if end - begin < d:  # of many solutions, about the least one
            for c in range(d):
                slight += SLIGHT * gram[c, c] / d
        cuda.syncthreads()
        for c in range(t, d, THREADS):
            gram[c, c] += ridge[c] * scale + slight
            x[c] = factor[i, c] if c < k else bias[i]
        cuda.syncthreads()
        total += gram[column, column]
        if nonnegative:
            total -= _descend(gram, d, k, column, x)
        else:
            _factorize(gram, d, column)
            total -= _back_substitute(gram, d, column, x)
        for c in range(t, d, THREADS):
            if c < k:
                factor[i, c] = x[c]
            else:
                bias[i] = x[c]
        cuda.syncthreads()
    if t == 0:
        sums[cuda.blockIdx.x] = total


@device_function
def _add_residual(
    parts, gaps, forces, begin, end, others, values, weights, other, other_bias, with_target, k, x,
    constant, out,
):  # fmt: skip
    """Add the transposed rows of a line times their weighted residual to out.

    Return the sum of that residual, and that of its product with what is not weighted.
    """
    t = cuda.threadIdx.x
    r, lane = t // _LANES, t % _LANES
    total, squares = 0.0, 0.0
    for first in range(begin, end, _ROWS):
        n, fitted = min(_ROWS, end - first), 0.0
        if r < n:
            j = others[first + r]
            for c in range(lane, k, _LANES):
                fitted += np.float64(other[j, c]) * np.float64(x[c])
        parts[t] = fitted
        cuda.syncthreads()
        if lane == 0 and r < n:
            e, gap = first + r, -constant
            if with_target:
                gap += np.float64(values[e]) - np.float64(other_bias[others[e]])
            for thread in range(t, t + _LANES):
                gap -= parts[thread]
            gaps[r] = gap
            forces[r] = gap * np.float64(weights[e]) if weights.size else gap
        cuda.syncthreads()
        for q in range(n):
            total += forces[q]
            squares += forces[q] * gaps[q]
        for c in range(t, k, THREADS):
            pull = 0.0
            for q in range(n):
                pull += forces[q] * np.float64(other[others[first + q], c])
            out[c] += pull
        cuda.syncthreads()
    return total, squares


@cuda_kernel(
    f"{_ENTRIES}, float64[::1], float64[::1], float64, int64, int64, float64, T[:, ::1], T[::1], "
    "float64[:, :, ::1], float64[::1]"
)
def _improve(
    starts, others, values, weights, other, other_bias, moment, ridge, exponent, biased, steps,
    forcing, factor, bias, scratch, sums,
):  # fmt: skip
    # Columns belong to threads; the numbers of a line are the same in all of them.
    parts = cuda.shared.array(THREADS, np.float64)
    gaps = cuda.shared.array(_ROWS, np.float64)
    forces = cuda.shared.array(_ROWS, np.float64)
    t, k, total = cuda.threadIdx.x, ridge.size - 1, 0.0
    work = scratch[cuda.blockIdx.x]
    inverse, residual, direction, image = work[0], work[1], work[2], work[3]
    for i in range(cuda.blockIdx.x, factor.shape[0], cuda.gridDim.x):
        begin, end, x, x_bias = starts[i], starts[i + 1], factor[i], np.float64(bias[i])
        amount = np.float64(end - begin)
        if weights.size:
            amount = 0.0
            for e in range(begin + t, end, THREADS):
                amount += np.float64(weights[e])
            amount = _sum(parts, amount)
        scale, size = amount**exponent, 0.0
        b_ridge = ridge[k] * scale
        for c in range(t, k, THREADS):
            value, damping = np.float64(x[c]), ridge[c] * scale
            residual[c] = -damping * value
            curvature = amount * moment[c] + damping
            inverse[c] = 1.0 / curvature if curvature > 0.0 else 0.0
            size += damping * value * value
        total += _sum(parts, size) + b_ridge * x_bias * x_bias
        b_inverse = 1.0 / (amount + b_ridge) if biased and amount > 0.0 else 0.0
        b_residual, squares = _add_residual(
            parts, gaps, forces, begin, end, others, values, weights, other, other_bias, True, k,
            x, x_bias, residual,
        )  # fmt: skip
        total += squares
        b_residual -= b_ridge * x_bias
        b_direction, square = b_inverse * b_residual, 0.0
        for c in range(t, k, THREADS):
            direction[c] = inverse[c] * residual[c]
            square += direction[c] * residual[c]
        square = _sum(parts, square) + b_direction * b_residual
        enough = forcing * square
        for _ in range(steps):
            if square <= enough:
                break
            bend = 0.0
            for c in range(t, k, THREADS):
                push = ridge[c] * scale * direction[c]
                image[c] = -push
                bend += push * direction[c]
            curvature = _sum(parts, bend) + b_ridge * b_direction * b_direction
            b_image, squares = _add_residual(
                parts, gaps, forces, begin, end, others, values, weights, other, other_bias, False,
                k, direction, b_direction, image,
            )  # fmt: skip
            curvature += squares
            if not curvature > 0.0:
                break
            length = square / curvature
            total -= length * square
            x_bias += length * b_direction
            b_residual += length * (b_image - b_ridge * b_direction)
            fresh = 0.0
            for c in range(t, k, THREADS):
                x[c] += length * direction[c]
                residual[c] += length * image[c]
                fresh += inverse[c] * residual[c] * residual[c]
            fresh = _sum(parts, fresh) + b_inverse * b_residual * b_residual
            ratio = fresh / square
            for c in range(t, k, THREADS):
                direction[c] = inverse[c] * residual[c] + ratio * direction[c]
            cuda.syncthreads()
            b_direction, square = b_inverse * b_residual + ratio * b_direction, fresh
        if t == 0:
            bias[i] = x_bias
    if t == 0:
        sums[cuda.blockIdx.x] = total


@cuda_kernel("int64[::1], int32[::1], T[::1], T[:, ::1], T[::1], T[:, ::1], T[::1], T[::1]")
def _residuals(starts, others, values, other, other_bias, mine, bias, out):
    for i in range(cuda.blockIdx.x, mine.shape[0], cuda.gridDim.x):
        for e in range(starts[i] + cuda.threadIdx.x, starts[i + 1], THREADS):
            j = others[e]
            total = np.float64(values[e]) - np.float64(bias[i]) - np.float64(other_bias[j])
            for c in range(mine.shape[1]):
                total -= np.float64(mine[i, c]) * np.float64(other[j, c])
            out[e] = total


def residuals(starts, others, values, other, other_bias, mine, bias):
    """Values less products, in the order of the entries."""
    out = xp.empty_like(values)
    _residuals(len(mine), starts, others, values, other, other_bias, mine, bias, out)
    return out


def solve(
    starts, others, values, weights, other, other_bias, ridge, exponent, fit_bias, nonnegative,
    mine, bias,
):  # fmt: skip
    """Least squares of each line, exactly; see the twin in `_cpu`."""
    n_blocks, width = min(len(mine), _BLOCKS), len(ridge) + 1
    if width > _ROOM:
        raise ValueError(f"rank={width - 2}: device='cuda' solves for {_ROOM - 2} at most")
    scratch, sums = xp.empty((n_blocks, width + 1, width)), xp.zeros(n_blocks)
    data = starts, others, values, weights, other, other_bias
    how = to_device(ridge), float(exponent), int(fit_bias), int(nonnegative)
    _solve(n_blocks, *data, *how, mine, bias, scratch, sums)
    return math.fsum(to_host(sums))


def improve(
    starts, others, values, weights, other, other_bias, ridge, exponent, fit_bias, steps, forcing,
    mine, bias,
):  # fmt: skip
    """Do the same by some steps of conjugate gradients; see the twin in `_cpu`."""
    n_blocks, k = min(len(mine), _BLOCKS), len(ridge) - 1
    moment = xp.mean(other[:, :k] ** 2, axis=0, dtype=np.float64)
    scratch, sums = xp.empty((n_blocks, 4, k)), xp.zeros(n_blocks)
    data = starts, others, values, weights, other, other_bias
    how = moment, to_device(ridge), float(exponent), int(fit_bias), int(steps), float(forcing)
    _improve(n_blocks, *data, *how, mine, bias, scratch, sums)
    return math.fsum(to_host(sums))
