"""Loops of the k-medoids solvers on the CPU; `_cuda` holds their twins.

What the user gave arrives frozen. ``rows[j, o]`` is the cost of serving object
o by candidate j, so that all that a candidate is judged by lies in one row. The
state of the search is, per object: the costs to its nearest and second nearest
medoid (``near``, ``second``) and the slots of these medoids (``nearest``,
``runner_up``); and per slot the loss that its removal would cause
(``removal``). ``table[o // 4, i, o % 4]`` repeats the cost from o to medoid i:
an object that loses a medoid finds all others side by side, and a new medoid
writes whole stretches of memory.
"""

import numpy as np

from .._kernels.lanes import WIDTH, below, equal, lowest
from .._kernels.rng import random_bits
from .._support.blocks import frozen, run_blocks
from .._support.jit import kernel

xp = np
to_device = frozen
to_host = np.asarray

_CANDIDATES = 32  # to a block of the search for a swap
_OBJECTS = 2048  # to a block of everything else; a multiple of 4, the table's tile
_ALONE = 16  # candidates tried on one thread before others are asked to help


@kernel
def _assign(lo, hi, b, rows, medoids, near, second, nearest, runner_up, table):
    # (n, n) (k,) in; (n,) (n,) (n,) (n,) (n/4, k, 4) out
    for o in range(lo, hi):
        near[o] = second[o] = np.inf
        nearest[o] = runner_up[o] = 0
    for slot in range(len(medoids)):
        row = rows[medoids[slot]]
        for o in range(lo, hi):
            cost = row[o]
            table[o >> 2, slot, o & 3] = cost
            owner = o == medoids[slot]  # a medoid serves itself, duplicates or not
            if cost < near[o] or (owner and cost == near[o]):
                second[o], runner_up[o] = near[o], nearest[o]
                near[o], nearest[o] = cost, slot
            elif cost < second[o]:
                second[o], runner_up[o] = cost, slot


def assign(rows, medoids, near, second, nearest, runner_up, table, n_threads):
    """Fill the state of every object and the table from scratch."""
    args = rows, medoids, near, second, nearest, runner_up, table
    run_blocks(_assign, len(near), _OBJECTS, args, n_threads)


@kernel
def removal_loss(near, second, nearest, weights, removal):
    """Loss that the removal of each medoid would cause."""
    # (n,) (n,) (n,) (n,) in; (k,) out
    removal[:] = 0.0
    for o in range(len(near)):
        removal[nearest[o]] += weights[o] * (np.float64(second[o]) - np.float64(near[o]))


def gain_of(cost, served, spare):
    """Change of one object's cost if a candidate comes: whoever goes, and if its medoid goes."""
    # No branch: which way it goes is a toss-up. NaN if the cost is not finite.
    return min(cost - served, 0.0) + (cost - cost), max(cost, served) - spare


def next_best(costs, lane, first, other, spare):
    """Second nearest medoid, given the nearest and one more to start from."""
    for i in range(np.uint64(len(costs))):
        cost = costs[i, lane]
        if cost < spare and i != first:
            other, spare = i, cost
    return other, spare


_gain_of = kernel(gain_of, strict=True)
_next_best = kernel(next_best)


@kernel(strict=True, forceinline=True)
def _tally(mask, start, row, near, second, nearest, weights, change):
    """Account for the objects in `mask` that a candidate would serve.

    Slot i of `change` takes the change of the loss if medoid i makes way, apart
    from what no choice of i alters: that is in entry k, and the least of the
    first k in entry k + 1.
    """
    k = np.uint64(len(change) - 2)
    gain, least = 0.0, change[k + np.uint64(1)]
    while mask:
        o = start + lowest(mask)
        mask &= mask - np.uint64(1)
        slot = np.uint64(nearest[o])
        shared, own = _gain_of(np.float64(row[o]), np.float64(near[o]), np.float64(second[o]))
        gain += weights[o] * shared
        value = change[slot] + weights[o] * own
        change[slot] = value
        if value < least:
            least = value
    change[k] += gain
    change[k + np.uint64(1)] = least


@kernel(strict=True)
def _first_improving(lo, hi, b, rows, near, second, nearest, weights, removal, threshold, found):
    # (n, n) (n,) (n,) (n,) (n,) (k,) in; found (blocks, 3) out
    n, k = np.uint64(len(near)), len(removal)
    start_change = np.empty(k + 2)
    start_change[:k] = removal
    start_change[k] = 0.0
    start_change[k + 1] = removal.min()
    changes = np.empty((4, k + 2))
    c0, c1, c2, c3 = changes[0], changes[1], changes[2], changes[3]
    # Four rows abreast: as many streams from memory, and `second` is read once.
    for first in range(lo, hi, 4):
        last = hi - 1
        r0, r1 = rows[first], rows[min(first + 1, last)]
        r2, r3 = rows[min(first + 2, last)], rows[min(first + 3, last)]
        c0[:] = start_change
        c1[:] = start_change
        c2[:] = start_change
        c3[:] = start_change
        start = np.uint64(0)
        while start < n:
            m0 = below(r0, second, start, n)
            m1 = below(r1, second, start, n)
            m2 = below(r2, second, start, n)
            m3 = below(r3, second, start, n)
            if m0:
                _tally(m0, start, r0, near, second, nearest, weights, c0)
            if m1:
                _tally(m1, start, r1, near, second, nearest, weights, c1)
            if m2:
                _tally(m2, start, r2, near, second, nearest, weights, c2)
            if m3:
                _tally(m3, start, r3, near, second, nearest, weights, c3)
            start += np.uint64(WIDTH)
        for lane in range(min(4, hi - first)):
            change = changes[lane]
            delta = change[k] + change[k + 1]
            if not delta >= threshold and weights[first + lane] > 0.0:  # NaN, too, ends it
                found[b, 0] = first + lane
                found[b, 1] = np.argmin(change[:k])
                found[b, 2] = delta
                return True
    found[b] = -1.0
    return False


def first_improving(lo, hi, rows, near, second, nearest, weights, removal, threshold, n_threads):
    """First candidate in [lo, hi) whose best swap changes the loss by less than `threshold`.

    Returns
    -------
    candidate, slot, change : int, int, float
        The candidate (-1 if there is none), the medoid to take out, and the
        change of the loss; NaN if a cost in the candidate's row is not finite.
    """
    state = rows, near, second, nearest, weights, removal, threshold
    # Swaps come in bursts: the next one is often found before a thread wakes up.
    ahead = hi if n_threads == 1 else min(hi, lo + _ALONE)
    found = np.empty((1, 3))
    if not _first_improving(lo, ahead, 0, *state, found) and ahead < hi:
        found = np.full((-(-(hi - ahead) // _CANDIDATES), 3), -1.0)

        def block(start, stop, b):
            return _first_improving(ahead + start, ahead + stop, b, *state, found)

        run_blocks(block, hi - ahead, _CANDIDATES, (), n_threads)
        found = found[np.argmax(found[:, 0] >= 0) :]
    candidate, slot, change = found[0].tolist()
    return int(candidate), int(slot), change


@kernel
def _swap(candidate, slot, row, near, second, nearest, runner_up, weights, removal, table):
    # (n,) in; (n,) (n,) (n,) (n,) in and out; (n,) in; (k,) (n/4, k, 4) in and out
    n, out, key = np.uint64(len(row)), np.uint64(slot), np.int32(slot)
    for o in range(n):
        table[o >> np.uint64(2), out, o & np.uint64(3)] = row[o]
    change = 0.0
    start = np.uint64(0)
    while start < n:
        mask = below(row, second, start, n)
        mask |= equal(nearest, key, start, n) | equal(runner_up, key, start, n)
        while mask:
            o = start + lowest(mask)
            mask &= mask - np.uint64(1)
            first, other = np.uint64(nearest[o]), np.uint64(runner_up[o])
            cost, served, spare = row[o], near[o], second[o]
            removal[first] -= weights[o] * (np.float64(spare) - np.float64(served))
            change -= weights[o] * np.float64(served)
            if first == out:
                first, served = other, spare
            if cost < served or (cost == served and o == np.uint64(candidate)):
                other, spare = first, served
                first, served = out, cost
            else:
                unsure = cost >= spare  # than another medoid may be the second nearest
                other, spare = out, cost
                if unsure:
                    costs, lane = table[o >> np.uint64(2)], o & np.uint64(3)
                    other, spare = _next_best(costs, lane, first, other, spare)
            near[o], second[o], nearest[o], runner_up[o] = served, spare, first, other
            removal[first] += weights[o] * (np.float64(spare) - np.float64(served))
            change += weights[o] * np.float64(served)
        start += np.uint64(WIDTH)
    return change


def swap(candidate, slot, rows, medoids, near, second, nearest, runner_up, weights, removal, table):
    """Let `candidate` take the place of the medoid in `slot`; return the change of the loss."""
    medoids[slot] = candidate
    state = near, second, nearest, runner_up, weights, removal, table
    return _swap(candidate, slot, rows[candidate], *state)


@kernel(strict=True)
def _loss_with(lo, hi, b, rows, near, weights, losses):
    # (n, n) (n,) (n,) in; (n,) out
    for j in range(lo, hi):
        row = rows[j]
        loss = 0.0
        for o in range(len(near)):
            cost = row[o]
            if near[o] < cost:  # False for NaN, which must reach the sum
                cost = near[o]
            loss += weights[o] * np.float64(cost)
        losses[j] = loss


def loss_with(rows, near, weights, n_threads):
    """Loss after each candidate in turn has been added to the medoids."""
    losses = np.empty(len(rows))
    args = rows, near, weights, losses
    run_blocks(_loss_with, len(rows), _CANDIDATES, args, n_threads)
    return losses


@kernel
def _is_symmetric(diss, tolerance):
    n, half, low = np.uint64(len(diss)), np.uint64(32), np.uint64(0xFFFFFFFF)
    for i in range(n):
        for draw in range(np.uint64(2)):
            bits = random_bits(np.uint64(0), i, draw)
            for word in (bits & low, bits >> half):
                j = (word * n) >> half
                one, other = diss[i, j], diss[j, i]
                if abs(one - other) > tolerance * max(abs(one), abs(other)):
                    return False
    return True


def is_symmetric(diss, tolerance):
    """Compare four random entries of every row with their mirror images."""
    return _is_symmetric(diss, tolerance)
