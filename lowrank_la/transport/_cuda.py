"""Loops of the transport solvers on a GPU: the twins of `_cpu`.

A block of threads makes a row of the plan at a time. It has sums over the columns of its own,
which are added up in the order of the blocks, and no atomics: the same bits every time. Entries
are counted by each thread, and written where the counts before say: those of a row lie together,
in an order that is not that of the columns.
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
from ._cpu import _EXTREME, _LEAST_SCHUR, _LOG_2, METRICS, Cloud, Entries

__all__ = ["METRICS", "Cloud", "Entries", "evaluate", "scaling_pass", "solve_schur"]
__all__ += ["to_device", "to_host", "xp"]

_BLOCKS = 512  # of threads, at most: each has its own sums over the columns
_TEAM = 4 if SIMULATED else 16  # threads to a row of few entries
_TEAMS = THREADS // _TEAM  # to a block

_KINDS = ("dense", *METRICS, "listed")
_DENSE, _SQEUCLIDEAN, _EUCLIDEAN, _CITYBLOCK, _LISTED = range(len(_KINDS))
_COSTS = "T[:, ::1], T[:, ::1], int64[::1], int64[::1], int32[::1]"


@device_function
def _cost(kind, x, y, i, k):
    """Cost in row i: in column k, or, of those that are listed, in place k."""
    if kind == _DENSE:
        return np.float64(x[i, k])
    if kind == _LISTED:
        return np.float64(x[0, k])
    total = 0.0
    for f in range(x.shape[1]):
        gap = abs(np.float64(x[i, f]) - np.float64(y[f, k]))
        total += gap if kind == _CITYBLOCK else gap * gap
    return math.sqrt(total) if kind == _EUCLIDEAN else total


@device_function
def _power(exponent):
    """2**exponent with the range of the CPU's: 0 for x <= -1022, 2**1023 for x >= 1023 or NaN."""
    if exponent <= -1022.0:
        return 0.0
    return math.exp2(exponent if exponent < 1023.0 else 1023.0)


@device_function
def _combined(shared, value, width, least):
    """Sum, or the least, of the values of `width` threads beside one another."""
    t = cuda.threadIdx.x
    lane, step = t % width, width // 2
    shared[t] = value
    cuda.syncthreads()
    while step > 0:
        if lane < step:
            other = shared[t + step]
            if not least:
                shared[t] += other
            elif other < shared[t]:
                shared[t] = other
        cuda.syncthreads()
        step //= 2
    result = shared[t - lane]
    cuda.syncthreads()  # all have read it before anything else is written there
    return result


@device_function
def _matters(value, share, a, b):
    return value > share * a or value > share * b


@cuda_kernel(
    f"int64, float64, float64, {_COSTS}, float64[::1], float64[::1], float64[::1], float64[::1],"
    " float64[::1], float64[::1], int64[:, ::1], float64[:, ::1], float64[:, ::1]"
)
def _scaling(
    kind, scale, share, x, y, starts, stops, listed, a, g, b, h, bases, weights, counts, sums,
    scratch,
):  # fmt: skip
    shared = cuda.shared.array(THREADS, np.float64)
    t, powers, mine = cuda.threadIdx.x, scratch[cuda.blockIdx.x], sums[cuda.blockIdx.x]
    for i in range(cuda.blockIdx.x, h.size, cuda.gridDim.x):
        first, stop = 0, g.size
        if kind == _LISTED:
            first, stop = starts[i], stops[i]
        base, total = h[i], 0.0
        for attempt in range(2):
            total, least = 0.0, np.inf
            for k in range(first + t, stop, THREADS):
                gap = _cost(kind, x, y, i, k)
                potential = g[listed[k]] if kind == _LISTED else g[k]
                # A large number in both the cost and h cancels before it is added.
                power = _power((potential - (gap - base)) * scale)
                powers[k - first] = power
                total += power
                if gap - potential < least:
                    least = gap - potential
            total = _combined(shared, total, THREADS, False)
            if attempt == 1 or 1 / _EXTREME < total < _EXTREME:
                break
            base = _combined(shared, least, THREADS, True)
        # Among listed columns, other threads may have added to these sums: before a barrier.
        weight, count = a[i] / total, 0
        for k in range(first + t, stop, THREADS):
            j = listed[k] if kind == _LISTED else k
            value = weight * powers[k - first]
            mine[j] += value
            if share > 0 and _matters(value, share, a[i], b[j]):
                count += 1
        counts[i, t] = count
        if t == 0:
            bases[i], weights[i] = base, weight
            h[i] = base - math.log2(total) / scale


@cuda_kernel(
    f"int64, int64, float64, float64, {_COSTS}, float64[::1], float64[::1], float64[::1],"
    " float64[::1], float64[::1], int64[::1], int32[::1], float64[::1]"
)
def _fill(
    kind, keep_costs, scale, share, x, y, starts, stops, listed, a, g, b, bases, weights, ends,
    columns, values,
):  # fmt: skip
    # The same arithmetic as in `_scaling`; no thread writes more than it has counted.
    t = cuda.threadIdx.x
    for i in range(cuda.blockIdx.x, a.size, cuda.gridDim.x):
        first, stop = 0, g.size
        if kind == _LISTED:
            first, stop = starts[i], stops[i]
        place, end = ends[i * THREADS + t], ends[i * THREADS + t + 1]
        k = first + t
        while place < end and k < stop:
            j = listed[k] if kind == _LISTED else k
            gap = _cost(kind, x, y, i, k)
            value = weights[i] * _power((g[j] - (gap - bases[i])) * scale)
            if _matters(value, share, a[i], b[j]):
                columns[place], values[place] = j, gap if keep_costs else value
                place += 1
            k += THREADS


def _described(costs, kind):
    """Costs of any kind as the kernels take them."""
    number = _KINDS.index(kind)
    if kind == "listed":
        values = costs.values[None]
        return number, (values, values, costs.starts, costs.stops, costs.columns)
    x, y = (costs, costs) if kind == "dense" else costs
    none = xp.empty(0, np.int64)
    return number, (x, y, none, none, xp.empty(0, np.int32))


def scaling_pass(costs, kind, a, g, reg, h, n_threads, share=0.0, b=None, room=0, limit=0,
                 keep_costs=False, spare=None):  # fmt: skip
    """Set h so that the rows of the plan have the masses a; see the twin in `_cpu`."""
    number, arrays = _described(costs, kind)
    n, m, scale = len(a), len(g), 1 / (reg * _LOG_2)
    n_blocks, b = min(n, _BLOCKS), a if b is None else b
    sums, scratch = xp.zeros((n_blocks, m)), xp.empty((n_blocks, m))
    (bases, weights), counts = xp.empty((2, n)), xp.empty((n, THREADS), np.int64)
    args = a, g, b, h, bases, weights, counts, sums, scratch
    _scaling(n_blocks, number, scale, share, *arrays, *args)
    columns = sums.sum(axis=0)
    if not share:
        return columns, None
    ends = xp.zeros(n * THREADS + 1, np.int64)
    xp.cumsum(counts.ravel(), out=ends[1:])
    n_kept = int(ends[-1])
    if kind != "listed" and n_kept > limit:
        return columns, None
    kept = xp.zeros(n_kept, np.int32), xp.full(n_kept, np.inf if keep_costs else 0.0)
    args = a, g, b, bases, weights, ends, *kept
    _fill(n, number, int(keep_costs), scale, share, *arrays, *args)
    return columns, Entries(to_device(ends[:-1:THREADS]), to_device(ends[THREADS::THREADS]), *kept)


@cuda_kernel(
    f"int64, float64, {_COSTS}, float64[::1], float64[::1], float64[::1], float64[::1],"
    " float64[:, ::1], float64[::1], T[:, ::1]"
)
def _evaluate(kind, scale, x, y, starts, stops, listed, a, g, h, rows, sums, linear, plan):
    shared = cuda.shared.array(THREADS, np.float64)
    t, mine = cuda.threadIdx.x, sums[cuda.blockIdx.x]
    for i in range(cuda.blockIdx.x, h.size, cuda.gridDim.x):
        total = cost = 0.0
        for j in range(t, g.size, THREADS):
            gap = _cost(kind, x, y, i, j)
            power = _power((g[j] - (gap - h[i])) * scale)
            total += power
            mine[j] += a[i] * power
            if power > 0:  # a forbidden arc has an infinite cost and no mass
                cost += power * gap
            if plan.size:
                plan[i, j] = a[i] * power
        total = _combined(shared, total, THREADS, False)
        cost = _combined(shared, cost, THREADS, False)
        if t == 0:
            rows[i], linear[i] = a[i] * total, a[i] * cost


def evaluate(costs, kind, a, g, reg, h, n_threads, plan=None):
    """Masses of the plan's rows and columns, and what it costs; the plan itself where asked for."""
    number, (x, y, *rest) = _described(costs, kind)
    n, m, n_blocks = len(a), len(g), min(len(a), _BLOCKS)
    if plan is None:
        plan = xp.empty((0, 0), x.dtype)
    x, y = (array.astype(plan.dtype, copy=False) for array in (x, y))
    (rows, linear), sums = xp.empty((2, n)), xp.zeros((n_blocks, m))
    args = a, g, h, rows, sums, linear, plan
    _evaluate(n_blocks, number, 1 / (reg * _LOG_2), x, y, *rest, *args)
    return rows, sums.sum(axis=0), float(linear.sum())


@cuda_kernel("int64[::1], int64[::1], int32[::1], float64[::1], float64[::1], float64[::1]")
def _product(starts, stops, columns, values, v, out):
    # A team of threads to a row.
    shared = cuda.shared.array(THREADS, np.float64)
    team, lane = cuda.threadIdx.x // _TEAM, cuda.threadIdx.x % _TEAM
    for first in range(cuda.blockIdx.x * _TEAMS, out.size, cuda.gridDim.x * _TEAMS):
        i, total = first + team, 0.0
        if i < out.size:
            for k in range(starts[i] + lane, stops[i], _TEAM):
                total += values[k] * v[columns[k]]
        total = _combined(shared, total, _TEAM, False)
        if i < out.size and lane == 0:
            out[i] = total


def _times(entries, v):
    """Product of a matrix of some entries and a vector."""
    out = xp.empty(len(entries.starts))
    _product(-(-len(out) // _TEAMS), *entries, v, out)
    return out


def _transposed(plan, m):
    """Entries of the transpose, and the row of the plan that each is from."""
    lengths = plan.stops - plan.starts
    ends = xp.cumsum(lengths)
    order = xp.arange(int(ends[-1]))
    rows = xp.searchsorted(ends, order, side="right")
    places = order + (plan.starts - ends + lengths)[rows]  # there may be gaps between the rows
    order = xp.argsort(plan.columns[places], kind="stable")
    places, rows = places[order], rows[order]
    bounds = xp.searchsorted(plan.columns[places], xp.arange(m + 1, dtype=np.int32))
    return Entries(bounds[:-1], bounds[1:], rows.astype(np.int32), plan.values[places]), rows


def solve_schur(plan, a, diagonal, gradient, tol, max_iter):
    """Solve (diag(diagonal) - plan' diag(1 / a) plan) x = gradient; see the twin in `_cpu`."""
    other, rows = _transposed(plan, len(gradient))
    scaled = other._replace(values=other.values / a[rows])
    squares = other._replace(values=other.values * scaled.values)
    schur = xp.maximum(diagonal - _times(squares, xp.ones(len(a))), _LEAST_SCHUR * diagonal)
    x, residual, p = xp.zeros(len(gradient)), gradient.copy(), gradient / schur
    descent, goal = float(p @ residual), tol * float(abs(residual).sum())
    for n_iter in range(max_iter):
        if not float(abs(residual).sum()) > goal:
            return x, n_iter
        product = diagonal * p - _times(scaled, _times(plan, p))
        curvature = float(p @ product)
        if not curvature > 0:  # rounding: there is nothing left to be gained
            return x, n_iter
        step, before = descent / curvature, descent
        x += step * p
        residual -= step * product
        preconditioned = residual / schur
        descent = float(preconditioned @ residual)
        p = preconditioned + descent / before * p
    return x, max_iter
