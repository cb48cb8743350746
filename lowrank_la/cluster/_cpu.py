"""Loops of the k-medoids solvers on the CPU; `_cuda` holds their twins.

What the user gave arrives frozen. ``rows[j, o]`` is the cost of serving object
o by candidate j, so that all that a candidate is judged by lies in one row;
``ids[j]`` is what a medoid made of it is called, or -1 if it must not be one;
``order`` has the rows in the order in which they are tried. The
state of the search is, per object: the costs to its nearest and second nearest
medoid (``near``, ``second``) and the slots of these medoids (``nearest``,
``runner_up``); and per slot the loss that its removal would cause
(``removal``). ``table[o // 4, i, o % 4]`` repeats the cost from o to medoid i:
an object that loses a medoid finds all others side by side, and a new medoid
writes whole stretches of memory. A medoid whose removal loss is infinite stays.
"""

import time
from functools import partial

import numpy as np

from .._kernels.lanes import WIDTH, below, equal, lowest
from .._kernels.shared import add, load, store
from .._support.blocks import frozen, helpers, run_blocks
from .._support.jit import kernel

xp = np
to_device = frozen
to_host = np.asarray

# Share of the loss, and of what the removal of a medoid would add to it, that a
# swap must gain: less is rounding in the sums that make up the change.
LEAST_GAIN = 1e-12
_CANDIDATES = 32  # to a block of whole columns of losses
_OBJECTS = 2048  # to a block of everything else; a multiple of 4, the table's tile


def least(costs, lane, besides):
    """Medoid of least cost in a column of a tile, besides one (or none: k), and the cost."""
    # Four partial minima and then a search: a branch for each new minimum would
    # be mispredicted, and waits for memory each time.
    k, one = np.uint64(len(costs)), np.uint64(1)
    kept = costs[besides if besides < k else k - one, lane]
    if besides < k:
        costs[besides, lane] = np.inf
    a = b = c = d = costs[np.uint64(0), lane]
    i = one
    while i + np.uint64(3) < k:
        w, x = costs[i, lane], costs[i + np.uint64(1), lane]
        y, z = costs[i + np.uint64(2), lane], costs[i + np.uint64(3), lane]
        a, b = w if w < a else a, x if x < b else b
        c, d = y if y < c else c, z if z < d else d
        i += np.uint64(4)
    while i < k:
        w = costs[i, lane]
        a = w if w < a else a
        i += one
    a, c = b if b < a else a, d if d < c else c
    cost = c if c < a else a
    slot = np.uint64(0)
    while slot + one < k and costs[slot, lane] != cost:
        slot += one
    if besides < k:
        costs[besides, lane] = kept
    return slot, cost


_least = kernel(least)


@kernel
def _assign(lo, hi, b, rows, at, medoids, near, second, nearest, runner_up, table):
    # (c, n) (k,) (k,) in; (n,) (n,) (n,) (n,) (n/4, k, 4) out
    for slot in range(len(medoids)):
        row = rows[at[slot]]
        for o in range(lo, hi):
            table[o >> 2, slot, o & 3] = row[o]
    for o in range(lo, hi):
        costs, lane = table[o >> 2], np.uint64(o & 3)
        first, served = _least(costs, lane, np.uint64(len(medoids)))
        other, spare = _least(costs, lane, first)
        near[o], second[o], nearest[o], runner_up[o] = served, spare, first, other
    for slot in range(len(medoids)):
        o = medoids[slot]
        if lo <= o < hi and nearest[o] != slot and table[o >> 2, slot, o & 3] == near[o]:
            second[o], runner_up[o] = near[o], nearest[o]
            nearest[o] = slot  # a medoid serves itself, duplicates or not


def assign(rows, at, medoids, near, second, nearest, runner_up, table, n_threads):
    """Fill the state of every object and the table from scratch; medoid i has row ``at[i]``."""
    args = rows, at, medoids, near, second, nearest, runner_up, table
    run_blocks(_assign, len(near), _OBJECTS, args, n_threads)


def add_up(near, second, nearest, weights, removal):
    """Return the loss; fill in what the removal of each medoid would add, if not infinite."""
    extra = weights * (second.astype(np.float64) - near)
    removal[:] = np.where(removal == np.inf, np.inf, np.bincount(nearest, extra, len(removal)))
    return float((weights * near).sum())  # not by BLAS, whose threads go on spinning


@kernel
def _add_up(near, second, nearest, weights, removal):
    # (n,) (n,) (n,) (n,) in; (k,) in and out. The same, where calls would cost too much.
    loss = 0.0
    for slot in range(len(removal)):
        removal[slot] = removal[slot] if removal[slot] == np.inf else 0.0
    for o in range(len(near)):
        removal[nearest[o]] += weights[o] * (np.float64(second[o]) - np.float64(near[o]))
        loss += weights[o] * np.float64(near[o])
    return loss


def gain_of(cost, served, spare):
    """Change of one object's cost if a candidate comes: whoever goes, and if its medoid goes."""
    # No branch: which way it goes is a toss-up. NaN if the cost is not finite.
    nearer = cost if cost < served else served
    farther = served if cost < served else cost
    return nearer - served + (cost - cost), farther - spare


_gain_of = kernel(gain_of, strict=True)


@kernel(strict=True, forceinline=True)
def _tally(mask, start, row, near, second, nearest, weights, change):
    """Account for the objects in `mask` that a candidate would serve.

    Slot i of `change` takes the change of the loss if medoid i makes way, apart
    from what no choice of i alters: that is in entry k, and the least of the
    first k in entry k + 1.
    """
    k = np.uint64(len(change) - 2)
    gain, smallest = 0.0, change[k + np.uint64(1)]
    while mask:
        o = start + lowest(mask)
        mask &= mask - np.uint64(1)
        slot = np.uint64(nearest[o])
        shared, own = _gain_of(np.float64(row[o]), np.float64(near[o]), np.float64(second[o]))
        gain += weights[o] * shared
        value = change[slot] + weights[o] * own
        change[slot] = value
        if value < smallest:
            smallest = value
    change[k] += gain
    change[k + np.uint64(1)] = smallest


@kernel
def _reset(removal, changes):
    """Fill the last row of the scratch of `_try_four` from the removal losses."""
    k, last = len(removal), len(changes) - 1
    changes[last, k], changes[last, k + 1] = 0.0, np.inf
    for i in range(k):
        changes[last, i] = removal[i]
        if removal[i] < changes[last, k + 1]:
            changes[last, k + 1] = removal[i]


@kernel(strict=True)
def _score_four(lo, hi, rows, order, near, second, nearest, weights, changes):
    """Tally up to four candidates, one in each of the first rows of `changes`."""
    # (c, n) (c,) (n,) (n,) (n,) (n,) in; changes (5, k + 2): four out, the last from `_reset`
    # Four rows abreast: as many streams from memory, and `second` is read once.
    n, last = np.uint64(len(near)), hi - 1
    c0, c1, c2, c3 = changes[0], changes[1], changes[2], changes[3]
    for i in range(changes.shape[1]):
        c0[i] = c1[i] = c2[i] = c3[i] = changes[4, i]
    r0, r1 = rows[order[lo]], rows[order[min(lo + 1, last)]]
    r2, r3 = rows[order[min(lo + 2, last)]], rows[order[min(lo + 3, last)]]
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


@kernel(strict=True)
def _try_four(lo, hi, rows, order, ids, near, second, nearest, weights, loss, changes):
    """First of up to four candidates that improves the loss, or -1; its slot; the change."""
    k = changes.shape[1] - 2
    _score_four(lo, hi, rows, order, near, second, nearest, weights, changes)
    for candidate in range(lo, hi):
        change = changes[candidate - lo]
        delta = change[k] + change[k + 1]
        if not delta >= 0.0 and ids[order[candidate]] >= 0:  # NaN, too, ends the search
            slot = 0
            while change[slot] > change[k + 1]:
                slot += 1
            if not delta >= -LEAST_GAIN * (abs(loss) + changes[4, slot]):
                return candidate, slot, delta
    return -1, -1, 0.0


@kernel(strict=True)
def _best_swaps(
    lo, hi, b, rows, order, ids, near, second, nearest, weights, removal, deltas, candidates
):
    # (c, n) (c,) (c,) (n,) (n,) (n,) (n,) (k,) in; (n_blocks, k) (n_blocks, k) out
    k = len(removal)
    changes = np.empty((5, k + 2))
    _reset(removal, changes)
    for first in range(lo, hi, 4):
        stop = first + 4 if first + 4 < hi else hi
        _score_four(first, stop, rows, order, near, second, nearest, weights, changes)
        for candidate in range(first, stop):
            change = changes[candidate - first]
            for slot in range(k):
                delta, best = change[k] + change[slot], deltas[b, slot]
                if not delta >= best and best == best and ids[candidate] >= 0:  # NaN stays
                    deltas[b, slot], candidates[b, slot] = delta, candidate


def best_swaps(rows, ids, near, second, nearest, weights, removal, n_threads):
    """Change of the loss by the best candidate for each slot (NaN if not finite), and its row."""
    shape = -(-len(rows) // _CANDIDATES), len(removal)
    deltas, candidates = np.full(shape, np.inf), np.zeros(shape, np.int64)
    args = rows, np.arange(len(rows)), ids, near, second, nearest, weights, removal
    args = *args, deltas, candidates
    run_blocks(_best_swaps, len(rows), _CANDIDATES, args, n_threads)
    best = deltas.argmin(axis=0)[None]
    return tuple(np.take_along_axis(a, best, axis=0)[0] for a in (deltas, candidates))


@kernel
def _swap(candidate, slot, row, near, second, nearest, runner_up, weights, removal, table):
    # (n,) in; (n,) (n,) (n,) (n,) in and out; (n,) in; (k,) (n/4, k, 4) in and out
    # Returns the change of the loss.
    n, out, key, own = np.uint64(len(row)), np.uint64(slot), np.int32(slot), np.uint64(candidate)
    for o in range(n):
        table[o >> np.uint64(2), out, o & np.uint64(3)] = row[o]
    change = 0.0
    start = np.uint64(0)
    while start < n:
        mask = below(row, second, start, n)
        mask |= equal(nearest, key, start, n) | equal(runner_up, key, start, n)
        if start <= own < start + np.uint64(WIDTH) and own < n:
            mask |= np.uint64(1) << (own - start)  # a medoid serves itself, duplicates or not
        while mask:
            o = start + lowest(mask)
            mask &= mask - np.uint64(1)
            first, other = np.uint64(nearest[o]), np.uint64(runner_up[o])
            cost, served, spare = row[o], near[o], second[o]
            removal[first] -= weights[o] * (np.float64(spare) - np.float64(served))
            change -= weights[o] * np.float64(served)
            if first == out:
                first, served = other, spare
            if cost < served or (cost == served and o == own):
                other, spare = first, served
                first, served = out, cost
            else:
                sure = cost < spare  # so is the new medoid the second nearest
                other, spare = out, cost
                if not sure:
                    other, spare = _least(table[o >> np.uint64(2)], o & np.uint64(3), first)
            near[o], second[o], nearest[o], runner_up[o] = served, spare, first, other
            removal[first] += weights[o] * (np.float64(spare) - np.float64(served))
            change += weights[o] * np.float64(served)
        start += np.uint64(WIDTH)
    return change


def swap(
    candidate, slot, row, near, second, nearest, runner_up, weights, removal, table, n_threads
):  # fmt: skip
    """Put a candidate in the place of a medoid, whatever that does to the loss."""
    _swap(candidate, slot, row, near, second, nearest, runner_up, weights, removal, table)


# Threads help by clearing candidates ahead of the one that swaps: they try them
# against the same state, and note those that improve nothing on a board of
# int64 words, under the version of the state that they loaded before. Whoever
# swaps skips what has been cleared for the present version, never waits, and so
# makes the same swaps with any number of helpers. While a version is the present
# one nobody writes the state, so what was cleared for it was read whole; what a
# helper misreads during a swap bears a version that never comes back.
# Candidates are shared out by fours.
_VERSION = 0  # odd while a swap is being made
_CLAIM = 1  # next four that a helper should try
_DONE = 2  # not zero when the helpers should go home
_CLEARED = 3  # + number of the four: the version under which it was found of no use
_HELPERS = 7  # at most: more only share the bandwidth of the memory
_LOOKS = 1000  # at the board before a helper without work takes a nap
_STRETCH = 1 << 28  # costs read, after which the caller may look up
_LEAD = 2  # fours left to the swapping thread before the first that a helper claims


@kernel(strict=True)
def _clear_ahead(rows, order, ids, near, second, nearest, weights, removal, board, changes):
    """Try fours ahead until one improves the loss, the version changes or none is left."""
    n = len(rows)
    version = load(board, _VERSION)
    if version & 1:
        return version
    _reset(removal, changes)
    while not load(board, _DONE):
        four = add(board, _CLAIM, 1)
        lo = 4 * four
        if lo >= n:
            return version
        candidate, _, _ = _try_four(
            lo, min(lo + 4, n), rows, order, ids, near, second, nearest, weights, 0.0, changes
        )
        if load(board, _VERSION) != version:
            return version
        if candidate >= 0:
            store(board, _CLAIM, n)  # nobody needs to look beyond
            return version
        store(board, _CLEARED + four, version)
    return version


def _assist(rows, order, ids, near, second, nearest, weights, removal, board):
    """Clear candidates ahead until the board says that all is done."""
    changes = np.empty((5, len(removal) + 2))
    while not board[_DONE]:
        seen = _clear_ahead(
            rows, order, ids, near, second, nearest, weights, removal, board, changes
        )
        looks = 0
        while board[_VERSION] == seen and not board[_DONE]:
            time.sleep(0 if looks < _LOOKS else 1e-4)
            looks += 1


@kernel(strict=True)
def _eager_swaps(
    lo, in_vain, enough, loss, n_helpers, rows, order, ids, medoids,
    near, second, nearest, runner_up, weights, removal, table, board, changes,
):  # fmt: skip
    n, end, version, lead, n_swap = len(rows), lo + _STRETCH // len(near), board[_VERSION], _LEAD, 0
    _reset(removal, changes)
    store(board, _CLAIM, (lo >> 2) + lead)
    while lo < n and lo <= end and in_vain < enough:
        four = lo >> 2
        hi = 4 * four + 4
        hi = hi if hi < n else n
        hi = hi if hi - lo < enough - in_vain else lo + enough - in_vain
        if load(board, _CLEARED + four) == version:
            in_vain, lo = in_vain + hi - lo, hi
            continue
        if load(board, _CLAIM) <= four + n_helpers:  # caught up with what is being tried
            store(board, _CLAIM, four + 1 + lead)
            lead *= 2
        candidate, slot, delta = _try_four(
            lo, hi, rows, order, ids, near, second, nearest, weights, loss, changes
        )
        if candidate < 0:
            in_vain, lo = in_vain + hi - lo, hi
        elif not np.isfinite(delta):
            return lo, in_vain, n_swap, np.nan
        else:
            store(board, _VERSION, version + 1)
            row = order[candidate]
            medoids[slot] = ids[row]
            loss += _swap(
                ids[row], slot, rows[row],
                near, second, nearest, runner_up, weights, removal, table,
            )  # fmt: skip
            _reset(removal, changes)
            n_swap, in_vain, lo, lead = n_swap + 1, 1, candidate + 1, _LEAD
            store(board, _CLAIM, (lo >> 2) + lead)
            version += 2
            store(board, _VERSION, version)
    return lo, in_vain, n_swap, loss


def eager_swaps(
    lo, in_vain, enough, loss, rows, order, ids,
    medoids, near, second, nearest, runner_up, weights, removal, table, n_threads,
):  # fmt: skip
    """Go on with a pass at candidate `lo`, swapping whenever a candidate improves the loss.

    Parameters
    ----------
    lo : int
        Place of the next candidate in the order.
    in_vain : int
        Candidates tried since the last swap.
    enough : int
        So many in vain, and the search is over.
    loss : float
    rows : array of shape (c, n)
        Candidates' costs.
    order : array of shape (c,), int64
    ids : array of shape (c,), int64

    Returns
    -------
    lo, in_vain, n_swap, loss : int, int, int, float
        Where the pass stands, not always at its end; the loss is NaN if a cost
        that was read is not finite.
    """
    board = np.zeros(_CLEARED + len(rows) // 4 + 1, np.int64)
    board[_VERSION] = 2  # nothing has been cleared for it
    seen = rows, order, ids, near, second, nearest, weights, removal, board
    changes = np.empty((5, len(removal) + 2))
    n_helpers = min(n_threads - 1, _HELPERS)
    with helpers(n_helpers, partial(board.__setitem__, _DONE, 1), _assist, *seen):
        return _eager_swaps(
            lo, in_vain, enough, loss, n_helpers, rows, order, ids, medoids,
            near, second, nearest, runner_up, weights, removal, table, board, changes,
        )  # fmt: skip


@kernel(strict=True)
def _perturb(
    slots, draws, max_iter, converged, loss, rows, order, ids, medoids,
    near, second, nearest, runner_up, weights, removal, table, board, changes, best, losses,
):  # fmt: skip
    # (p, a) (p, a) in: which medoid makes way for which object; (p,) out; best (k,) scratch
    n, n_swap = len(rows), 0
    for p in range(len(losses)):
        for slot in range(len(best)):
            best[slot] = medoids[slot]
        for a in range(slots.shape[1]):
            row, slot, known = draws[p, a], slots[p, a], False
            for i in range(len(best)):
                known |= medoids[i] == ids[row]
            if not known:
                medoids[slot] = ids[row]
                _swap(
                    ids[row], slot, rows[row],
                    near, second, nearest, runner_up, weights, removal, table,
                )  # fmt: skip
        in_vain, n_pass, now = 0, 0, _add_up(near, second, nearest, weights, removal)
        while in_vain < n and n_pass < max_iter:
            lo, n_pass = 0, n_pass + 1
            while lo < n and in_vain < n:
                lo, in_vain, swaps, now = _eager_swaps(
                    lo, in_vain, n, now, 0, rows, order, ids, medoids,
                    near, second, nearest, runner_up, weights, removal, table, board, changes,
                )  # fmt: skip
                n_swap += swaps
            now = _add_up(near, second, nearest, weights, removal)
        if now <= loss:  # as good is good enough: it leads off plateaus
            loss, converged = now, in_vain >= n
        else:
            for slot in range(len(best)):
                medoids[slot] = best[slot]
            _assign(0, n, 0, rows, best, medoids, near, second, nearest, runner_up, table)
            _add_up(near, second, nearest, weights, removal)
        losses[p] = loss
    return n_swap, converged


def perturb(
    slots, draws, max_iter, converged, loss, rows, order, ids,
    medoids, near, second, nearest, runner_up, weights, removal, table, n_threads,
):  # fmt: skip
    """Replace medoids, swap eagerly from there, and keep what is not worse, again and again.

    Parameters
    ----------
    slots, draws : ndarray of shape (p, a)
        Which medoids make way for which rows, each time.
    converged : bool
        Whether what there is at the beginning is a local optimum.

    Returns
    -------
    losses : array of shape (p,)
        The loss after each perturbation.
    n_swap : int
    converged : bool
        Whether what there is at the end is one.
    """
    board = np.zeros(_CLEARED + len(rows) // 4 + 1, np.int64)
    board[_VERSION] = 2
    changes, best = np.empty((5, len(removal) + 2)), np.empty(len(removal), np.int64)
    losses = np.empty(len(slots))
    n_swap, converged = _perturb(
        slots, draws, max_iter, converged, loss, rows, order, ids, medoids,
        near, second, nearest, runner_up, weights, removal, table, board, changes, best, losses,
    )  # fmt: skip
    return losses, n_swap, converged
