"""Loops of the transport solvers on the CPU; `_cuda` holds their twins.

A plan is ``P[i, j] = a[i] * 2**((g[j] + h[i] - cost[i, j]) * scale)`` with scale = 1 / (reg log 2):
masses of rows times powers. Costs come by rows: of an array, of distances between two clouds of
points that are made when they are needed, or of those entries of either that matter. Columns are
read as unsigned numbers: a test for a negative index would keep loops from vector instructions.
What kernels call is inlined by force: of a function that is called, the linker may take one copy
where the kernel has just been compiled and another where it comes from the cache, and these may
round differently.
"""

import math
from typing import NamedTuple

import numpy as np

from .._kernels.exp2 import exp2
from .._kernels.lanes import WIDTH, above, lowest
from .._support.blocks import aligned, frozen, run_blocks
from .._support.jit import kernel, specialise

xp = np
to_device = frozen
to_host = np.asarray

_BLOCKS = 32  # at most: each has its own sums over the columns
_ENTRIES = 1 << 16  # to a block, at least
_EXTREME = 2.0**500  # sums of powers beyond this, or below its inverse, are made again
_LINE = 8  # float64 to a cache line
_LOG_2 = math.log(2)
_NO_LIMITS = 0.0, frozen(np.ones(1)), np.ones(1)
_LEAST_SCHUR = 1e-6  # of a diagonal entry: what cancellation leaves of it, at least


class Entries(NamedTuple):
    """Some entries of an (n, m) matrix: those of row i from ``starts[i]`` to ``stops[i]``."""

    starts: np.ndarray  # (n,) int64
    stops: np.ndarray  # (n,) int64
    columns: np.ndarray  # (capacity,) int32
    values: np.ndarray  # (capacity,) float64

    @property
    def size(self):
        """How many there are: there are gaps between the blocks of rows."""
        return int((self.stops - self.starts).sum())


class Cloud(NamedTuple):
    """Points whose distances are the costs."""

    rows: np.ndarray  # (n, d) float64
    columns: np.ndarray  # (d, m) float64


@kernel(strict=True)
def _exponent(g, cost, h):
    """Return g + h - cost; a large number in both the cost and h cancels before it is added."""
    return g - (np.float64(cost) - h)


@kernel
def _dense_row(costs, i, buffer):
    return costs[i]


@kernel
def _sqeuclidean_row(cloud, i, buffer):
    for j in range(len(buffer)):
        buffer[j] = 0.0
    for k in range(len(cloud.columns)):
        x, y = cloud.rows[i, k], cloud.columns[k]
        for j in range(len(buffer)):
            buffer[j] += (x - y[j]) * (x - y[j])
    return buffer


@kernel
def _cityblock_row(cloud, i, buffer):
    for j in range(len(buffer)):
        buffer[j] = 0.0
    for k in range(len(cloud.columns)):
        x, y = cloud.rows[i, k], cloud.columns[k]
        for j in range(len(buffer)):
            buffer[j] += abs(x - y[j])
    return buffer


@kernel
def _euclidean_row(cloud, i, buffer):
    _sqeuclidean_row(cloud, i, buffer)
    for j in range(len(buffer)):
        buffer[j] = np.sqrt(buffer[j])
    return buffer


_ROWS = {
    "dense": _dense_row,
    "sqeuclidean": _sqeuclidean_row,
    "euclidean": _euclidean_row,
    "cityblock": _cityblock_row,
}
METRICS = tuple(_ROWS)[1:]
row_costs = None  # bound where a template is specialised


@kernel(strict=True, forceinline=True)
def _least(row, g):
    least = np.inf
    for j in range(len(g)):
        value = np.float64(row[j]) - g[j]
        if value < least:
            least = value
    return least


@kernel(forceinline=True)
def _powers(row, g, h, scale, powers):
    """Powers of the exponents of a row, and their sum."""
    total = 0.0
    for j in range(len(g)):
        power = exp2(_exponent(g[j], row[j], h) * scale)
        powers[j] = power
        total += power
    return total


@kernel(forceinline=True)
def _cost_of(row, powers):
    total = 0.0
    for j in range(len(powers)):
        cost = np.float64(row[j])
        total += powers[j] * (cost if cost < np.inf else 0.0)  # a forbidden arc has no mass
    return total


@kernel(forceinline=True)
def _normalised(row, g, i, h, scale, powers):
    """Set h[i] to what makes the powers of the row add up to 1; return what they add up to."""
    total = _powers(row, g, h[i], scale, powers)
    if not 1 / _EXTREME < total < _EXTREME:
        h[i] = _least(row, g)
        total = _powers(row, g, h[i], scale, powers)
    h[i] -= np.log2(total) / scale
    return total


@kernel(forceinline=True)
def _keep(powers, weight, limits, low, last, end, columns, values):
    """Append those of weight * powers that are above the limits, as far as there is room."""
    share, floor, floors = limits
    n, start = np.uint64(len(powers)), np.uint64(0)
    while start < n:
        bound = floors[start // np.uint64(WIDTH)]
        bound = share * (bound if bound < low else low)
        mask = above(powers, bound / weight, start, n)
        while mask:
            j = start + lowest(mask)
            mask &= mask - np.uint64(1)
            value = weight * powers[j]
            if last < end:
                columns[last], values[last] = np.int32(j), value
            last += value > share * floor[j] or value > share * low
        start += np.uint64(WIDTH)
    return last


def _scaling(lo, hi, b, costs, a, g, scale, h, sums, limits, kept, keep_costs, scratch):
    # costs (n,) (m,) in; (n,) in and out; (n_blocks, m) out; limits in; entries out
    m = len(g)
    powers, buffer, mine = scratch[b, 0, :m], scratch[b, 1, :m], sums[b, :m]
    room = len(kept.columns) // len(sums)
    last, end = b * room, (b + 1) * room
    for j in range(m):
        mine[j] = 0.0
    for i in range(lo, hi):
        row = row_costs(costs, i, buffer)
        weight = a[i] / _normalised(row, g, i, h, scale, powers)
        for j in range(m):
            mine[j] += weight * powers[j]
        kept.starts[i] = last
        if limits[0] > 0:
            last = _keep(powers, weight, limits, a[i], last, end, kept.columns, kept.values)
            if keep_costs:
                for k in range(kept.starts[i], min(last, end)):
                    kept.values[k] = np.float64(row[kept.columns[k]])
        kept.stops[i] = last


@kernel
def _scaling_listed(lo, hi, b, costs, a, g, scale, h, sums, limits, kept, keep_costs, scratch):
    # entries (n,) (m,) in; (n,) in and out; (n_blocks, m) out; limits in; entries out
    m, share = len(g), limits[0]
    powers, near, mine = scratch[b, 0, :m], scratch[b, 1, :m], sums[b, :m]
    for j in range(m):
        mine[j] = 0.0
    for i in range(lo, hi):
        first, stop = costs.starts[i], costs.stops[i]
        places = costs.columns[first:stop]
        for k in range(len(places)):
            near[k] = g[np.uint32(places[k])]
        row = costs.values[first:stop]
        weight = a[i] / _normalised(row, near[: len(row)], i, h, scale, powers)
        last = first
        for k in range(len(places)):
            j, value = np.uint32(places[k]), weight * powers[k]
            mine[j] += value
            kept.columns[last], kept.values[last] = places[k], value
            last += share > 0 and (value > share * a[i] or value > share * limits[1][j])
        kept.starts[i], kept.stops[i] = first, last


_SCALING = {kind: specialise(_scaling, kind, row_costs=row) for kind, row in _ROWS.items()}
_SCALING["listed"] = _scaling_listed


def _layout(n, m, entries):
    """Length of a block of rows, how many blocks there are, and the width of their sums."""
    block = max(-(-n // _BLOCKS), -(-_ENTRIES * n // max(1, entries)))
    return block, -(-n // block), -(-m // _LINE) * _LINE


def _room_for(n, room, spare):
    """Entries to be written: the spare ones, if there is room, for new memory costs time."""
    if spare is not None and len(spare.columns) >= room:
        return spare
    return Entries(*np.empty((2, n), np.int64), np.empty(room, np.int32), np.empty(room))


def _found(kept, block, n_blocks):
    """How many entries there are, of which `kept` has the first, and the most in a block."""
    room = len(kept.columns) // n_blocks
    ends = kept.stops[np.minimum(np.arange(1, n_blocks + 1) * block, len(kept.stops)) - 1]
    found = ends - np.arange(n_blocks) * room
    return int(found.sum()), int(found.max())


def scaling_pass(costs, kind, a, g, reg, h, n_threads, share=0.0, b=None, room=0, limit=0,
                 keep_costs=False, spare=None):  # fmt: skip
    """Set h so that the rows of the plan have the masses a; return the masses of its columns.

    With a share, the entries of the plan above share * min(a[i], b[j]) are returned, too, or the
    costs there; None if they are more than the limit. `room` is a guess of how many there are, and
    `spare` are entries of an earlier pass to be written over.
    """
    n, m, listed = len(a), len(g), kind == "listed"
    block, n_blocks, width = _layout(n, m, len(costs.columns) if listed else n * m)
    scratch = aligned((n_blocks, 2, width), np.float64)
    sums = aligned((n_blocks, width), np.float64)
    limits = _NO_LIMITS
    if share:
        limits = share, b, np.minimum.reduceat(b, np.arange(0, m, WIDTH))
    room = len(costs.columns) if listed else -(-min(room, limit) // n_blocks) * n_blocks
    while True:
        kept = _room_for(n, room, spare)
        args = costs, a, g, 1 / (reg * _LOG_2), h, sums, limits, kept, keep_costs, scratch
        run_blocks(_SCALING[kind], n, block, args, n_threads)
        total, most = _found(kept, block, n_blocks) if share and not listed else (0, 0)
        fits = most <= len(kept.columns) // n_blocks
        if fits or total > limit:
            break
        room = most * n_blocks
    return sums[:, :m].sum(axis=0), kept if share and fits else None


def _evaluate(lo, hi, b, costs, a, g, scale, h, rows, sums, linear, plan, scratch):
    # costs (n,) (m,) (n,) in; (n,) (n_blocks, m) (n_blocks,) out; (n, m) or (0, 0) out
    m = len(g)
    powers, buffer, mine = scratch[b, 0, :m], scratch[b, 1, :m], sums[b, :m]
    linear[b] = 0.0
    for j in range(m):
        mine[j] = 0.0
    for i in range(lo, hi):
        row, weight = row_costs(costs, i, buffer), a[i]
        rows[i] = weight * _powers(row, g, h[i], scale, powers)
        for j in range(m):
            mine[j] += weight * powers[j]
        linear[b] += weight * _cost_of(row, powers)
        if len(plan):
            target = plan[i]
            for j in range(m):
                target[j] = weight * powers[j]


_EVALUATE = {kind: specialise(_evaluate, kind, row_costs=row) for kind, row in _ROWS.items()}
_NO_PLAN = np.empty((0, 0))


def evaluate(costs, kind, a, g, reg, h, n_threads, plan=_NO_PLAN):
    """Masses of the plan's rows and columns, and what it costs; the plan itself where asked for."""
    n, m = len(a), len(g)
    block, n_blocks, width = _layout(n, m, n * m)
    scratch = aligned((n_blocks, 2, width), np.float64)
    rows, sums, linear = np.empty(n), aligned((n_blocks, width), np.float64), np.empty(n_blocks)
    args = costs, a, g, 1 / (reg * _LOG_2), h, rows, sums, linear, plan, scratch
    run_blocks(_EVALUATE[kind], n, block, args, n_threads)
    return rows, sums[:, :m].sum(axis=0), float(linear.sum())


@kernel(forceinline=True)
def _schur_product(plan, a, v, out):
    """Subtract plan' diag(1 / a) plan v."""
    for i in range(len(a)):
        total, row = 0.0, slice(plan.starts[i], plan.stops[i])
        columns, values = plan.columns[row], plan.values[row]
        for k in range(len(columns)):
            total += values[k] * v[np.uint32(columns[k])]
        total /= a[i]
        for k in range(len(columns)):
            out[np.uint32(columns[k])] -= total * values[k]


@kernel(forceinline=True)
def _schur_diagonal(plan, a, diagonal, out):
    """Diagonal of diag(diagonal) - plan' diag(1 / a) plan, kept away from zero."""
    for j in range(len(out)):
        out[j] = diagonal[j]
    for i in range(len(a)):
        row = slice(plan.starts[i], plan.stops[i])
        columns, values = plan.columns[row], plan.values[row]
        for k in range(len(columns)):
            out[np.uint32(columns[k])] -= values[k] * values[k] / a[i]
    for j in range(len(out)):
        least = _LEAST_SCHUR * diagonal[j]
        if not out[j] > least:
            out[j] = least


@kernel
def _conjugate_gradients(plan, a, diagonal, residual, tol, max_iter, x, scratch):
    # entries (n,) (m,) in; (m,) in, destroyed; (m,) out; (3, m) scratch
    inverse, p, product = scratch[0], scratch[1], scratch[2]
    _schur_diagonal(plan, a, diagonal, inverse)
    descent = left = 0.0
    for j in range(len(x)):
        inverse[j] = 1 / inverse[j]
        x[j] = 0.0
        p[j] = inverse[j] * residual[j]
        descent += p[j] * residual[j]
        left += abs(residual[j])
    goal = tol * left
    for n_iter in range(max_iter):
        if not left > goal:
            return n_iter
        curvature = 0.0
        for j in range(len(x)):
            product[j] = diagonal[j] * p[j]
        _schur_product(plan, a, p, product)
        for j in range(len(x)):
            curvature += p[j] * product[j]
        if not curvature > 0:  # rounding: there is nothing left to be gained
            return n_iter
        step, before, descent, left = descent / curvature, descent, 0.0, 0.0
        for j in range(len(x)):
            x[j] += step * p[j]
            residual[j] -= step * product[j]
            descent += inverse[j] * residual[j] * residual[j]
            left += abs(residual[j])
        for j in range(len(x)):
            p[j] = inverse[j] * residual[j] + descent / before * p[j]
    return max_iter


def solve_schur(plan, a, diagonal, gradient, tol, max_iter):
    """Solve (diag(diagonal) - plan' diag(1 / a) plan) x = gradient; return x and the iterations.

    Conjugate gradients with the diagonal as preconditioner, until the L1 norm of the residual, the
    marginal error that linear theory foresees, has become smaller by the factor tol.
    """
    x, scratch = np.empty(len(gradient)), np.empty((3, len(gradient)))
    n_iter = _conjugate_gradients(plan, a, diagonal, gradient.copy(), tol, max_iter, x, scratch)
    return x, n_iter
