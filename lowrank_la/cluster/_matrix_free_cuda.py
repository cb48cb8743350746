"""Loops of the matrix-free search on a GPU: the twins of `_matrix_free_cpu`.

A block of threads tries a candidate, and many are tried at once. Sums are made
with atomics, in float64, and so in no fixed order: results agree with the CPU's
up to rounding.
"""

import math

import numpy as np

from .._support.cuda import THREADS, cuda, cuda_kernel, device_function, to_device, to_host, xp
from ._matrix_free_cpu import EUCLIDEAN, LEAST_GAIN, add_feature

_WIDTH = 64
_FIRST_BATCH = 64  # candidates tried at once after a swap; doubled while none improves
_BATCH_BYTES = 1 << 28  # of scratch at most

__all__ = ["assign", "eager_swaps", "empty", "removal_loss", "to_device", "to_host", "xp"]

_add_feature = device_function(add_feature)


def empty(shape, dtype):
    """Array on the GPU; see the twin."""
    return xp.empty(shape, dtype)


@device_function
def _distance(coords, p, place, metric):
    """Distance (its square, if Euclidean) between the objects in two places."""
    b, o, c, q = p >> 6, p & 63, place >> 6, place & 63
    total = coords[0, 0, 0] - coords[0, 0, 0]
    for f in range(coords.shape[1]):
        total = _add_feature(total, abs(coords[b, f, o] - coords[c, f, q]), metric)
    return total


@device_function
def _reach(lows, highs, b, coords, place, metric):
    """Distance (its square, if Euclidean) from an object to the box of a block."""
    c, q, zero = place >> 6, place & 63, lows[0, 0] - lows[0, 0]
    total = zero
    for f in range(coords.shape[1]):
        x = coords[c, f, q]
        under, over = lows[f, b] - x, x - highs[f, b]
        gap = under if under > over else over
        total = _add_feature(total, gap if gap > zero else zero, metric)
    return total


@device_function
def _two_nearest(coords, p, centres, metric):
    """Slots of the nearest and second nearest medoid of an object, and the distances."""
    b, o, zero = p >> 6, p & 63, centres[0, 0] - centres[0, 0]
    first, other = -1, -1
    served = spare = zero
    for i in range(centres.shape[1]):
        cost = zero
        for f in range(coords.shape[1]):
            cost = _add_feature(cost, abs(coords[b, f, o] - centres[f, i]), metric)
        if first < 0 or cost < served:
            first, other, served, spare = i, first, cost, served
        elif other < 0 or cost < spare:
            other, spare = i, cost
    if metric == EUCLIDEAN:
        served, spare = math.sqrt(served), math.sqrt(spare)
    return first, other, served, spare


@cuda_kernel(
    "int64, int64, T[:, :, ::1], T[:, ::1], T[:, ::1], T[:, ::1], T[:, ::1], int32[:, ::1],"
    " int32[:, ::1]"
)
def _assign(n, metric, coords, centres, near, second, bound, nearest, runner_up):
    for p in range(cuda.grid(1), near.size, cuda.gridsize(1)):
        b, o = p >> 6, p & 63
        near[b, o] = second[b, o] = bound[b, o] = 0
        nearest[b, o] = runner_up[b, o] = -1
        if p < n:
            first, other, served, spare = _two_nearest(coords, p, centres, metric)
            near[b, o], second[b, o], nearest[b, o], runner_up[b, o] = served, spare, first, other
            bound[b, o] = second[b, o]
            if metric == EUCLIDEAN:
                bound[b, o] = second[b, o] * second[b, o]


def assign(n, metric, coords, centres, state, runner_up, largest):
    """Fill the state of all objects and blocks from scratch."""
    near, second, bound, nearest, _ = state
    grid = -(-near.size // THREADS)
    _assign(grid, n, metric, coords, centres, near, second, bound, nearest, runner_up)
    largest[:] = bound.max(axis=1)


@cuda_kernel("int64, T[:, ::1], T[:, ::1], int32[:, ::1], float64[:, ::1], float64[::1]")
def _removal_loss(n, near, second, nearest, weights, removal):
    for p in range(cuda.grid(1), n, cuda.gridsize(1)):
        b, o = p >> 6, p & 63
        extra = weights[b, o] * (np.float64(second[b, o]) - np.float64(near[b, o]))
        cuda.atomic.add(removal, nearest[b, o], extra)


def removal_loss(n, state, fixed, removal):
    """Loss that the removal of each medoid would cause; infinite for the fixed ones."""
    near, second, _, nearest, weights = state
    removal[:] = 0.0
    _removal_loss(-(-near.size // THREADS), n, near, second, nearest, weights, removal)
    removal[fixed] = np.inf


@cuda_kernel(
    "int64, int64, int64[::1], T[:, :, ::1], T[:, ::1], T[:, ::1], T[:, ::1], T[:, ::1],"
    " T[:, ::1], int32[:, ::1], float64[:, ::1], T[::1], float64[:, ::1], float64[::1], int64[::1]"
)
def _tally(
    n, metric, places, coords, lows, highs, near, second, bound, nearest, weights, largest,
    change, gains, work,
):  # fmt: skip
    # A block of threads to a candidate; `change` holds the removal losses at the start.
    for c in range(cuda.blockIdx.x, places.size, cuda.gridDim.x):
        gain, count = 0.0, 0
        for p in range(cuda.threadIdx.x, n, cuda.blockDim.x):
            b, o = p >> 6, p & 63
            if not _reach(lows, highs, b, coords, places[c], metric) < largest[b]:
                continue
            count += 1
            cost = _distance(coords, p, places[c], metric)
            if cost < bound[b, o]:
                cost = math.sqrt(cost) if metric == EUCLIDEAN else cost
                served = near[b, o]
                nearer = cost if cost < served else served
                farther = served if cost < served else cost
                gain += weights[b, o] * (np.float64(nearer) - np.float64(served))
                own = weights[b, o] * (np.float64(farther) - np.float64(second[b, o]))
                cuda.atomic.add(change, (c, nearest[b, o]), own)
        cuda.atomic.add(gains, c, gain)
        cuda.atomic.add(work, 0, count)


def _first_improving(places, loss, n, metric, space, state, largest, removal, work):
    """Find the first candidate that improves the loss, or -1, and its slot."""
    near, second, bound, nearest, weights = state
    lo, batch, most = 0, _FIRST_BATCH, max(1, _BATCH_BYTES // (8 * len(removal)))
    while lo < len(places):
        some = places[lo : lo + min(batch, most)]
        change, gains = xp.tile(removal, (len(some), 1)), xp.zeros(len(some))
        args = near, second, bound, nearest, weights, largest, change, gains, work
        _tally(len(some), n, metric, some, *space, *args)
        deltas, slots = gains + change.min(axis=1), change.argmin(axis=1)
        needed = -LEAST_GAIN * (loss + removal[slots])
        eligible = (weights.ravel()[some] > 0) & (near.ravel()[some] > 0)
        hits = xp.flatnonzero((deltas < needed) & eligible)
        if len(hits):
            hit = int(hits[0])
            return lo + hit, int(slots[hit])
        lo, batch = lo + len(some), 2 * batch
    return -1, -1


@cuda_kernel(
    "int64, int64, int64, int64, T[:, :, ::1], T[:, ::1], T[:, ::1], T[:, ::1], T[:, ::1],"
    " int32[:, ::1], int32[:, ::1]"
)
def _swap(n, metric, place, slot, coords, centres, near, second, bound, nearest, runner_up):
    for p in range(cuda.grid(1), n, cuda.gridsize(1)):
        b, o = p >> 6, p & 63
        first, other, spare = nearest[b, o], runner_up[b, o], second[b, o]
        cost = _distance(coords, p, place, metric)
        if not (cost < bound[b, o] or first == slot or other == slot):
            continue
        cost = math.sqrt(cost) if metric == EUCLIDEAN else cost
        served = near[b, o]
        if first == slot:
            first, served = other, spare
        if cost < served or (cost == served and p == place):
            other, spare = first, served
            first, served = slot, cost
        elif cost < spare:  # so is the new medoid the second nearest
            other, spare = slot, cost
        else:
            first, other, served, spare = _two_nearest(coords, p, centres, metric)
        near[b, o], second[b, o], nearest[b, o], runner_up[b, o] = served, spare, first, other
        bound[b, o] = second[b, o]
        if metric == EUCLIDEAN:
            bound[b, o] = second[b, o] * second[b, o]


def eager_swaps(
    start, stop, in_vain, loss, order, n, metric, space, medoids, centres, state, runner_up,
    largest, removal, fixed, work,
):  # fmt: skip
    """Try the objects of some blocks in turn; see the twin."""
    coords, lo, n_swap = space[0], 0, 0
    near, second, bound, nearest, weights = state
    places = (order[start:stop, None] * _WIDTH + xp.arange(_WIDTH)).ravel()
    places = places[places < n]
    while lo < len(places) and in_vain < n:
        hit, slot = _first_improving(
            places[lo:], loss, n, metric, space, state, largest, removal, work
        )
        if hit < 0:
            return stop, in_vain + len(places) - lo, n_swap, loss
        place = int(places[lo + hit])
        medoids[slot] = place
        centres[:, slot] = coords[place // _WIDTH, :, place % _WIDTH]
        args = coords, centres, near, second, bound, nearest, runner_up
        _swap(-(-near.size // THREADS), n, metric, place, slot, *args)
        largest[:] = bound.max(axis=1)
        removal_loss(n, state, fixed, removal)
        loss, n_swap = float((weights * near).sum()), n_swap + 1
        in_vain, lo = 1, lo + hit + 1
    return stop, in_vain, n_swap, loss
