"""Loops of the medoid silhouette's solvers on the CPU; `_msc_cuda` holds their twins.

``rows[j, o]`` is the cost of serving object o by j, as in `_cpu`. The state of
the search is, per object: the costs to its three nearest medoids, rising
(``served``, of shape (3, n); infinite where there are fewer medoids), the slots
of these (``slots``; -1), and what the sweeps over the candidates need, in one
line of the cache (``terms``, of shape (n, 8)): costs to the nearest and the
second nearest; nothing; their ratio; what the ratio that the removal of the
nearest, or of the second nearest, would leave is less than that; the weight,
which is the caller's to fill in; and the slots of both. Per slot there is the
change of the weighted sum of ratios that its removal would cause (``removal``).
"""

import numpy as np

from .._kernels.lanes import WIDTH, below, equal, lowest
from .._support.blocks import run_blocks
from .._support.jit import kernel

PACK = 2.0**26  # two slots in one number
_BITS, _LOW = np.uint64(26), np.uint64(2**26 - 1)
_OBJECTS = 2048  # to a block
_CANDIDATES = 32  # to a block
_STRETCH = 8192  # candidates after which the caller may look up


def ratio(one, other):
    """Divide the less by the greater; two zeros give 0."""
    less = one if one < other else other
    greater = other if one < other else one
    return 0.0 if greater == 0.0 else less / greater


def fault(cost):
    """0, or NaN for a cost of which no ratio can be taken."""
    return 0.0 if 0.0 <= cost < np.inf else np.nan


_ratio, _fault = kernel(ratio, strict=True), kernel(fault, strict=True)


def insert(o, cost, slot, own, served, slots):
    """Sort a medoid into the three nearest of an object; its own comes before its equals."""
    if cost < served[0, o] or (own and cost == served[0, o]):
        place = 0
    elif cost < served[1, o]:
        place = 1
    elif cost < served[2, o]:
        place = 2
    else:
        return
    for i in range(2, place, -1):
        served[i, o], slots[i, o] = served[i - 1, o], slots[i - 1, o]
    served[place, o], slots[place, o] = cost, slot


def drop(o, slot, served, slots):
    """Take a medoid out of the three nearest of an object; return whether it was there."""
    place = 0
    while place < 3 and slots[place, o] != slot:
        place += 1
    if place == 3:
        return False
    for i in range(place, 2):
        served[i, o], slots[i, o] = served[i + 1, o], slots[i + 1, o]
    served[2, o], slots[2, o] = np.inf, -1
    return True


_insert, _drop = kernel(insert, strict=True), kernel(drop, strict=True)


@kernel(strict=True)
def _find_thirds(lost, rows, medoids, served, slots):
    """Find the third nearest medoid of some objects, besides the first two."""
    # Medoid by medoid: what is read of a row lies close together.
    for o in lost:
        served[2, o], slots[2, o] = np.inf, -1
    for slot in range(len(medoids)):
        row = rows[medoids[slot]]
        for i in range(len(lost)):
            o = np.uint64(lost[i])
            if row[o] < served[2, o] and slot != slots[0, o] and slot != slots[1, o]:
                served[2, o], slots[2, o] = row[o], slot


@kernel(strict=True)
def _set_terms(o, served, slots, terms):
    near, second = np.float64(served[0, o]), np.float64(served[1, o])
    third, now = np.float64(served[2, o]), _ratio(near, second)
    terms[o, 0], terms[o, 1], terms[o, 3] = near, second, now
    terms[o, 4] = now - _ratio(second, third)
    terms[o, 5] = now - _ratio(near, third)
    terms[o, 7] = np.float64(slots[0, o]) + PACK * np.float64(slots[1, o])


@kernel(strict=True)
def _assign(lo, hi, b, rows, medoids, served, slots, terms):
    # (n, n) (k,) in; (3, n) (3, n) (n, 8) out
    for o in range(lo, hi):
        terms[o, 0] = 0.0
        for i in range(3):
            served[i, o], slots[i, o] = np.inf, -1
    for slot in range(len(medoids)):
        row = rows[medoids[slot]]
        for o in range(lo, hi):
            terms[o, 0] += _fault(row[o])
            _insert(o, row[o], slot, o == medoids[slot], served, slots)
    for o in range(lo, hi):
        error = terms[o, 0]
        _set_terms(o, served, slots, terms)
        terms[o, 3] += error


def assign(rows, medoids, served, slots, terms, n_threads):
    """Fill the state of every object from scratch; NaN if it meets what is no cost."""
    args = rows, medoids, served, slots, terms
    run_blocks(_assign, rows.shape[1], _OBJECTS, args, n_threads)


def removal_loss(slots, terms, removal):
    """Change of the sum of ratios that the removal of each medoid would cause."""
    k = len(removal)
    removal[:] = -np.bincount(slots[0], terms[:, 6] * terms[:, 4], k)
    removal -= np.bincount(slots[1], terms[:, 6] * terms[:, 5], k)


@kernel(strict=True)
def _tally(mask, start, row, terms, change):
    """Account for the objects in `mask`, to which a candidate is among the three nearest.

    Slot i of `change` takes the change of the sum if medoid i makes way, apart
    from what no choice of i alters: that is in entry k.
    """
    shared = 0.0
    while mask:
        o = start + lowest(mask)
        mask &= mask - np.uint64(1)
        cost, term = np.float64(row[o]), terms[o]
        near, second = term[0], term[1]
        without_second = _ratio(near, cost)
        without_first = _ratio(second, cost)
        then = without_second if cost < second else term[3]
        shared += term[6] * (then - term[3] + _fault(cost))
        packed = np.uint64(np.int64(term[7]))
        change[packed & _LOW] += term[6] * (without_first - then + term[4])
        change[packed >> _BITS] += term[6] * (without_second - then + term[5])
    change[len(change) - 1] += shared


@kernel(strict=True)
def _tally_four(lo, hi, rows, served, terms, removal, changes):
    """Find what up to four candidates would change."""
    # (n, n) (3, n) (n, 8) (k,) in; (4, k + 1) out
    # Four rows abreast: as many streams from memory, and the bounds are read once.
    n, k, last, third = np.uint64(len(terms)), len(removal), hi - 1, served[2]
    c0, c1, c2, c3 = changes[0], changes[1], changes[2], changes[3]
    for i in range(k):
        c0[i] = c1[i] = c2[i] = c3[i] = removal[i]
    c0[k] = c1[k] = c2[k] = c3[k] = 0.0
    r0, r1 = rows[lo], rows[lo + 1 if lo + 1 < hi else last]
    r2, r3 = rows[lo + 2 if lo + 2 < hi else last], rows[lo + 3 if lo + 3 < hi else last]
    start = np.uint64(0)
    while start < n:
        m0 = below(r0, third, start, n)
        m1 = below(r1, third, start, n)
        m2 = below(r2, third, start, n)
        m3 = below(r3, third, start, n)
        if m0:
            _tally(m0, start, r0, terms, c0)
        if m1:
            _tally(m1, start, r1, terms, c1)
        if m2:
            _tally(m2, start, r2, terms, c2)
        if m3:
            _tally(m3, start, r3, terms, c3)
        start += np.uint64(WIDTH)


@kernel(strict=True)
def _best_slot(change):
    slot = 0
    for i in range(1, len(change) - 1):
        if change[i] < change[slot]:
            slot = i
    return slot, change[len(change) - 1] + change[slot]


@kernel(strict=True)
def _is_medoid(candidate, medoids):
    i = 0
    while i < len(medoids) and medoids[i] != candidate:
        i += 1
    return i < len(medoids)


@kernel(strict=True)
def _withdraw(o, slots, terms, removal):
    """Take an object out of the sums; return its part of the loss."""
    weight = terms[o, 6]
    removal[slots[0, o]] += weight * terms[o, 4]
    removal[slots[1, o]] += weight * terms[o, 5]
    return weight * terms[o, 3]


@kernel(strict=True)
def _enter(o, served, slots, terms, removal):
    """Work out the terms of an object, and add them to the sums; return its part of the loss."""
    _set_terms(o, served, slots, terms)
    weight = terms[o, 6]
    removal[slots[0, o]] -= weight * terms[o, 4]
    removal[slots[1, o]] -= weight * terms[o, 5]
    return weight * terms[o, 3]


@kernel(strict=True)
def _swap(candidate, slot, rows, medoids, served, slots, terms, removal):
    # (n, n) in; (k,) (3, n) (3, n) (n, 8) (k,) in and out
    medoids[slot] = candidate
    row, third = rows[candidate], served[2]
    n, key = np.uint64(len(row)), np.int32(slot)
    lost, n_lost = np.empty(n, np.int64), 0
    change, start, itself = 0.0, np.uint64(0), np.uint64(candidate)
    while start < n:
        mask = below(row, third, start, n) | equal(slots[2], key, start, n)
        mask |= equal(slots[0], key, start, n) | equal(slots[1], key, start, n)
        if start <= itself < start + np.uint64(WIDTH):
            mask |= np.uint64(1) << (itself - start)  # it serves itself, among duplicates too
        while mask:
            o = start + lowest(mask)
            mask &= mask - np.uint64(1)
            cost, bound = row[o], third[o]
            change -= _withdraw(o, slots, terms, removal)
            gone = _drop(o, key, served, slots)
            _insert(o, cost, key, o == itself, served, slots)
            if gone and slots[2, o] == key and cost > bound:
                lost[n_lost] = o
                n_lost += 1
            else:
                change += _enter(o, served, slots, terms, removal)
        start += np.uint64(WIDTH)
    _find_thirds(lost[:n_lost], rows, medoids, served, slots)
    for i in range(n_lost):
        change += _enter(lost[i], served, slots, terms, removal)
    return change


def swap(candidate, slot, rows, medoids, served, slots, terms, removal):
    """Put a candidate in the place of a medoid; return the change of the sum of ratios."""
    return _swap(candidate, slot, rows, medoids, served, slots, terms, removal)


@kernel(strict=True)
def _eager_swaps(lo, in_vain, loss, least, rows, medoids, served, slots, terms, removal, changes):
    n, end, n_swap = len(terms), lo + _STRETCH, 0
    while lo < n and lo < end and in_vain < n:
        hi = lo + 4 if lo + 4 < n else n
        hi = hi if hi - lo < n - in_vain else lo + n - in_vain
        _tally_four(lo, hi, rows, served, terms, removal, changes)
        candidate, begin = lo, lo
        lo, in_vain = hi, in_vain + hi - lo
        while candidate < hi:
            slot, delta = _best_slot(changes[candidate - begin])
            if not delta >= -least and terms[candidate, 6] > 0.0:
                if np.isnan(delta):
                    return begin, in_vain, n_swap, np.nan
                if not _is_medoid(candidate, medoids):
                    loss += _swap(candidate, slot, rows, medoids, served, slots, terms, removal)
                    n_swap, in_vain, lo = n_swap + 1, 1, candidate + 1
                    break
            candidate += 1
    return lo, in_vain, n_swap, loss


def eager_swaps(lo, in_vain, loss, least, rows, medoids, served, slots, terms, removal, n_threads):
    """Go on with a pass at candidate `lo`, swapping whenever a candidate improves the sum.

    Parameters
    ----------
    lo : int
        Next candidate.
    in_vain : int
        Candidates tried since the last swap; with all of them the search is over.
    loss : float
        Sum of the ratios.
    least : float
        What a swap must gain.

    Returns
    -------
    lo, in_vain, n_swap, loss : int, int, int, float
        Where the pass stands, not always at its end; the loss is NaN if a cost
        that was read is not finite, or negative.
    """
    changes = np.empty((4, len(removal) + 1))
    return _eager_swaps(
        lo, in_vain, loss, least, rows, medoids, served, slots, terms, removal, changes
    )


@kernel(strict=True)
def _best_swaps(lo, hi, b, rows, served, terms, removal, deltas, places):
    # (n, n) (3, n) (n, 8) (k,) in; (n,) (n,) out
    changes = np.empty((4, len(removal) + 1))
    for four in range(lo, hi, 4):
        end = four + 4 if four + 4 < hi else hi
        _tally_four(four, end, rows, served, terms, removal, changes)
        for candidate in range(four, end):
            places[candidate], deltas[candidate] = _best_slot(changes[candidate - four])


def best_swaps(rows, served, slots, terms, removal, n_threads):
    """For each candidate, the least change of the sum by a swap, and the slot that makes way."""
    deltas, places = np.empty(len(rows)), np.empty(len(rows), np.int32)
    args = rows, served, terms, removal, deltas, places
    run_blocks(_best_swaps, len(rows), _CANDIDATES, args, n_threads)
    return deltas, places


@kernel(strict=True)
def _remove(lo, hi, b, slot, rows, medoids, served, slots, terms):
    # (n, n) (k - 1,) in; (3, n) (3, n) (n, 8) in and out
    last = len(medoids)
    lost, n_lost = np.empty(hi - lo, np.int64), 0
    for o in range(lo, hi):
        if _drop(o, slot, served, slots):
            lost[n_lost] = o
            n_lost += 1
        for i in range(3):
            if slots[i, o] == last:
                slots[i, o] = slot
    _find_thirds(lost[:n_lost], rows, medoids, served, slots)
    for o in range(lo, hi):
        _set_terms(o, served, slots, terms)


def remove(slot, rows, medoids, served, slots, terms, n_threads):
    """Go on without the medoid of a slot, which the last one has taken over in `medoids`."""
    args = slot, rows, medoids, served, slots, terms
    run_blocks(_remove, len(terms), _OBJECTS, args, n_threads)
