"""Loops of the k-medoids solvers on a GPU: the twins of `_cpu`.

Sums are made with atomics, in float64, and so in no fixed order: results agree
with the CPU's up to rounding.
"""

import numpy as np

from .._support.cuda import (
    THREADS,
    cuda,
    cuda_kernel,
    device_function,
    to_device,
    to_host,
    xp,
)
from ._cpu import LEAST_GAIN, gain_of, least

_gain_of = device_function(gain_of)
_least = device_function(least)

_FIRST_BATCH = 64  # candidates tried at once after a swap; doubled while none improves
_BATCH_BYTES = 1 << 28  # of scratch at most

__all__ = ["add_up", "assign", "best_swaps", "eager_swaps", "perturb", "swap"]
__all__ += ["to_device", "to_host", "xp"]


@cuda_kernel(
    "T[:, ::1], int64[::1], int64[::1], T[::1], T[::1], int32[::1], int32[::1], T[:, :, ::1]"
)
def _assign(rows, at, medoids, near, second, nearest, runner_up, table):
    for o in range(cuda.grid(1), near.size, cuda.gridsize(1)):
        lane = np.uint64(o & 3)
        for slot in range(medoids.size):
            table[o >> 2, slot, lane] = rows[at[slot], o]
        first, served = _least(table[o >> 2], lane, np.uint64(medoids.size))
        for slot in range(medoids.size):
            if o == medoids[slot] and rows[at[slot], o] == served:
                first = np.uint64(slot)  # a medoid serves itself, duplicates or not
        other, spare = _least(table[o >> 2], lane, first)
        near[o], second[o], nearest[o], runner_up[o] = served, spare, first, other


def assign(rows, at, medoids, near, second, nearest, runner_up, table, n_threads):
    """Fill the state of every object and the table from scratch; medoid i has row ``at[i]``."""
    grid = -(-len(near) // THREADS)
    _assign(grid, rows, at, medoids, near, second, nearest, runner_up, table)


@cuda_kernel("T[::1], T[::1], int32[::1], float64[::1], float64[::1]")
def _removal_loss(near, second, nearest, weights, removal):
    for o in range(cuda.grid(1), near.size, cuda.gridsize(1)):
        extra = weights[o] * (np.float64(second[o]) - np.float64(near[o]))
        cuda.atomic.add(removal, nearest[o], extra)


def add_up(near, second, nearest, weights, removal):
    """Return the loss; fill in what the removal of each medoid would add, if not infinite."""
    removal[removal < np.inf] = 0.0
    _removal_loss(-(-len(near) // THREADS), near, second, nearest, weights, removal)
    return float((weights * near).sum())


@cuda_kernel(
    "int64, T[:, ::1], int64[::1], T[::1], T[::1], int32[::1], float64[::1], float64[:, ::1], "
    "float64[::1]"
)
def _tally(lo, rows, order, near, second, nearest, weights, change, gains):
    # A block of threads to a candidate; `change` holds the removal losses at the start.
    for c in range(cuda.blockIdx.x, gains.size, cuda.gridDim.x):
        row = rows[order[lo + c]]
        gain = 0.0
        for o in range(cuda.threadIdx.x, near.size, cuda.blockDim.x):
            cost = np.float64(row[o])
            if not cost >= np.float64(second[o]) or cost == np.inf:
                shared, own = _gain_of(cost, np.float64(near[o]), np.float64(second[o]))
                gain += weights[o] * shared
                cuda.atomic.add(change, (c, nearest[o]), weights[o] * own)
        cuda.atomic.add(gains, c, gain)


def _scores(lo, hi, rows, order, near, second, nearest, weights, removal):
    """Change of the loss by each candidate of [lo, hi): for each slot, and for all alike."""
    change, gains = xp.tile(removal, (hi - lo, 1)), xp.zeros(hi - lo)
    _tally(hi - lo, lo, rows, order, near, second, nearest, weights, change, gains)
    return change, gains


def _first_improving(lo, hi, loss, rows, order, ids, near, second, nearest, weights, removal):
    """First candidate in [lo, hi) that improves the loss, or -1; its slot; the change."""
    batch, most = _FIRST_BATCH, max(1, _BATCH_BYTES // (8 * len(removal)))
    while lo < hi:
        end = lo + min(batch, most, hi - lo)
        change, gains = _scores(lo, end, rows, order, near, second, nearest, weights, removal)
        deltas, slots = gains + change.min(axis=1), change.argmin(axis=1)
        needed = -LEAST_GAIN * (abs(loss) + removal[slots])
        # With all medoids fixed a change is infinite, and no swap.
        hits = xp.flatnonzero(~(deltas >= needed) & (ids[order[lo:end]] >= 0))
        if len(hits):
            hit = int(hits[0])
            return lo + hit, int(slots[hit]), float(deltas[hit])
        lo, batch = end, 2 * batch
    return -1, -1, 0.0


def best_swaps(rows, ids, near, second, nearest, weights, removal, n_threads):
    """Change of the loss by the best candidate for each slot (NaN if not finite), and its row."""
    order, step = xp.arange(len(rows)), max(1, _BATCH_BYTES // (8 * len(removal)))
    best, candidates = xp.full(len(removal), np.inf), xp.zeros(len(removal), np.int64)
    for lo in range(0, len(rows), step):
        hi = min(lo + step, len(rows))
        change, gains = _scores(lo, hi, rows, order, near, second, nearest, weights, removal)
        deltas = xp.where(ids[lo:hi, None] >= 0, gains[:, None] + change, np.inf)
        least = deltas.min(axis=0)
        better = ~(least >= best)
        best[better], candidates[better] = least[better], lo + deltas.argmin(axis=0)[better]
    return to_host(best), to_host(candidates)


@cuda_kernel(
    "int64, int64, T[::1], T[::1], T[::1], int32[::1], int32[::1], T[:, :, ::1]",
)
def _swap(candidate, slot, row, near, second, nearest, runner_up, table):
    for o in range(cuda.grid(1), near.size, cuda.gridsize(1)):
        cost, served, spare = row[o], near[o], second[o]
        out, first, other = np.uint64(slot), np.uint64(nearest[o]), np.uint64(runner_up[o])
        table[o >> 2, slot, o & 3] = cost
        if cost < spare or first == out or other == out or o == candidate:
            if first == out:
                first, served = other, spare
            if cost < served or (cost == served and o == candidate):
                other, spare = first, served
                first, served = out, cost
            else:
                sure = cost < spare
                other, spare = out, cost
                if not sure:
                    other, spare = _least(table[o >> 2], np.uint64(o & 3), first)
            near[o], second[o], nearest[o], runner_up[o] = served, spare, first, other


def swap(
    candidate, slot, row, near, second, nearest, runner_up, weights, removal, table, n_threads
):  # fmt: skip
    """Put a candidate in the place of a medoid; return the loss, whatever it is then."""
    grid = -(-len(near) // THREADS)
    _swap(grid, candidate, slot, row, near, second, nearest, runner_up, table)
    return add_up(near, second, nearest, weights, removal)


def eager_swaps(
    lo, in_vain, enough, loss, rows, order, ids,
    medoids, near, second, nearest, runner_up, weights, removal, table, n_threads,
):  # fmt: skip
    """Go on with a pass at candidate `lo` until a swap has been made; see the twin in `_cpu`."""
    hi = min(len(rows), lo + enough - in_vain)
    place, slot, delta = _first_improving(
        lo, hi, loss, rows, order, ids, near, second, nearest, weights, removal
    )
    if place < 0:
        return hi, in_vain + hi - lo, 0, loss
    if not np.isfinite(delta):
        return lo, in_vain, 0, np.nan
    row = int(order[place])
    medoids[slot] = candidate = int(ids[row])
    state = near, second, nearest, runner_up, weights, removal, table
    return place + 1, 1, 1, swap(candidate, slot, rows[row], *state, n_threads)


def perturb(
    slots, draws, max_iter, converged, loss, rows, order, ids,
    medoids, near, second, nearest, runner_up, weights, removal, table, n_threads,
):  # fmt: skip
    """Replace medoids, swap eagerly from there, and keep what is not worse; see `_cpu`."""
    objects, losses, total = (near, second, nearest, runner_up), [], 0
    for out, into in zip(slots, draws, strict=True):
        best, in_vain = medoids.copy(), 0
        for slot, row in zip(out, into, strict=True):
            candidate = int(ids[row])
            if not (medoids == candidate).any():
                medoids[slot] = candidate
                state = *objects, weights, removal, table, n_threads
                swap(candidate, int(slot), rows[row], *state)
        now = add_up(near, second, nearest, weights, removal)
        for _ in range(max_iter):
            lo = 0
            while lo < len(rows) and in_vain < len(rows):
                lo, in_vain, n_swap, now = eager_swaps(
                    lo, in_vain, len(rows), now, rows, order, ids,
                    medoids, *objects, weights, removal, table, n_threads,
                )  # fmt: skip
                total += n_swap
        if now <= loss:
            loss, converged = now, in_vain >= len(rows)
        else:
            medoids[:] = best
            assign(rows, best, medoids, *objects, table, n_threads)
            add_up(near, second, nearest, weights, removal)
        losses.append(loss)
    return np.array(losses), total, converged
