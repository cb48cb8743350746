"""Loops of the medoid silhouette's solvers on a GPU: the twins of `_msc_cpu`.

Sums are made with atomics, in float64, and so in no fixed order: results agree
with the CPU's up to rounding.
"""

import numpy as np

from .._support.cuda import THREADS, cuda, cuda_kernel, device_function, xp
from ._msc_cpu import PACK, drop, fault, insert, ratio

_ratio, _fault = device_function(ratio), device_function(fault)
_insert, _drop = device_function(insert), device_function(drop)

_FIRST_BATCH = 64  # candidates tried at once after a swap; doubled while none improves
_BATCH_BYTES = 1 << 28  # of scratch at most

__all__ = ["assign", "best_swaps", "eager_swaps", "removal_loss", "remove", "swap"]

_STATE = "T[:, ::1], int64[::1], T[:, ::1], int32[:, ::1], float64[:, ::1]"


@device_function
def _set_terms(o, served, slots, terms):
    """Write down what the sweeps over the candidates need of an object."""
    near, second = np.float64(served[0, o]), np.float64(served[1, o])
    third, now = np.float64(served[2, o]), _ratio(near, second)
    terms[o, 0], terms[o, 1], terms[o, 3] = near, second, now
    terms[o, 4] = now - _ratio(second, third)
    terms[o, 5] = now - _ratio(near, third)
    terms[o, 7] = np.float64(slots[0, o]) + PACK * np.float64(slots[1, o])


@device_function
def _find_third(o, rows, medoids, served, slots):
    """Find the third nearest medoid besides the first two."""
    served[2, o] = np.inf
    first, second, third = slots[0, o], slots[1, o], -1
    least = served[2, o]  # infinite, and of the right type
    for slot in range(len(medoids)):
        cost = rows[medoids[slot], o]
        if cost < least and slot != first and slot != second:
            least, third = cost, slot
    served[2, o], slots[2, o] = least, third


@cuda_kernel(_STATE)
def _assign(rows, medoids, served, slots, terms):
    for o in range(cuda.grid(1), rows.shape[1], cuda.gridsize(1)):
        for i in range(3):
            served[i, o] = np.inf
            slots[i, o] = -1
        error = 0.0
        for slot in range(medoids.size):
            cost = rows[medoids[slot], o]
            error += _fault(np.float64(cost))
            _insert(o, cost, slot, o == medoids[slot], served, slots)
        _set_terms(o, served, slots, terms)
        terms[o, 3] += error


def assign(rows, medoids, served, slots, terms, n_threads):
    """Fill the state of every object from scratch; NaN if it meets what is no cost."""
    _assign(-(-rows.shape[1] // THREADS), rows, medoids, served, slots, terms)


def removal_loss(slots, terms, removal):
    """Change of the sum of ratios that the removal of each medoid would cause."""
    k = len(removal)
    removal[:] = -xp.bincount(slots[0], terms[:, 6] * terms[:, 4], k)
    removal -= xp.bincount(slots[1], terms[:, 6] * terms[:, 5], k)


@cuda_kernel(
    "int64, T[:, ::1], T[:, ::1], int32[:, ::1], float64[:, ::1], float64[:, ::1], float64[::1]"
)
def _tally(lo, rows, served, slots, terms, change, shared):
    # A block of threads to a candidate; `change` holds the removal losses at the start.
    for c in range(cuda.blockIdx.x, shared.size, cuda.gridDim.x):
        gain = 0.0
        for o in range(cuda.threadIdx.x, rows.shape[1], cuda.blockDim.x):
            found = rows[lo + c, o]
            if not found >= served[2, o] or found == np.inf:
                cost, weight = np.float64(found), terms[o, 6]
                without_second = _ratio(terms[o, 0], cost)
                without_first = _ratio(terms[o, 1], cost)
                then = without_second if cost < terms[o, 1] else terms[o, 3]
                gain += weight * (then - terms[o, 3] + _fault(cost))
                first = weight * (without_first - then + terms[o, 4])
                second = weight * (without_second - then + terms[o, 5])
                cuda.atomic.add(change, (c, slots[0, o]), first)
                cuda.atomic.add(change, (c, slots[1, o]), second)
        cuda.atomic.add(shared, c, gain)


def _best_of(lo, n, rows, served, slots, terms, removal):
    """Least change of the sum by each of `n` candidates from `lo` on, and the slot for it."""
    change, shared = xp.tile(removal, (n, 1)), xp.zeros(n)
    _tally(n, lo, rows, served, slots, terms, change, shared)
    return shared + change.min(axis=1), change.argmin(axis=1)


def best_swaps(rows, served, slots, terms, removal, n_threads):
    """For each candidate, the least change of the sum by a swap, and the slot that makes way."""
    n, step = len(rows), max(1, _BATCH_BYTES // (8 * len(removal)))
    parts = [
        _best_of(lo, min(step, n - lo), rows, served, slots, terms, removal)
        for lo in range(0, n, step)
    ]
    deltas, places = zip(*parts, strict=True)
    return xp.concatenate(deltas), xp.concatenate(places)


@cuda_kernel("int64, int64, " + _STATE)
def _swap(candidate, slot, rows, medoids, served, slots, terms):
    for o in range(cuda.grid(1), rows.shape[1], cuda.gridsize(1)):
        cost, bound = rows[candidate, o], served[2, o]
        lost = _drop(o, slot, served, slots)
        if lost or cost < bound or o == candidate:  # it serves itself, among duplicates too
            _insert(o, cost, slot, o == candidate, served, slots)
            if lost and slots[2, o] == slot and cost > bound:
                _find_third(o, rows, medoids, served, slots)
            _set_terms(o, served, slots, terms)


def swap(candidate, slot, rows, medoids, served, slots, terms, removal):
    """Put a candidate in the place of a medoid; return the change of the sum of ratios."""
    before = float((terms[:, 6] * terms[:, 3]).sum())
    medoids[slot] = candidate
    _swap(-(-rows.shape[1] // THREADS), candidate, slot, rows, medoids, served, slots, terms)
    removal_loss(slots, terms, removal)
    return float((terms[:, 6] * terms[:, 3]).sum()) - before


def eager_swaps(lo, in_vain, loss, least, rows, medoids, served, slots, terms, removal, n_threads):
    """Go on with a pass at candidate `lo` until a swap has been made; see the twin."""
    n = rows.shape[1]
    hi, batch, most = min(n, lo + n - in_vain), _FIRST_BATCH, _BATCH_BYTES // (8 * len(removal))
    allowed = terms[:, 6] > 0
    allowed[medoids] = False
    while lo < hi:
        size = max(1, min(batch, most, hi - lo))
        deltas, places = _best_of(lo, size, rows, served, slots, terms, removal)
        hits = xp.flatnonzero(~(deltas >= -least) & (allowed[lo : lo + size] | xp.isnan(deltas)))
        if len(hits):
            hit = int(hits[0])
            if xp.isnan(deltas[hit]):
                return lo, in_vain, 0, np.nan
            args = rows, medoids, served, slots, terms, removal
            return lo + hit + 1, 1, 1, loss + swap(lo + hit, int(places[hit]), *args)
        lo, in_vain, batch = lo + size, in_vain + size, 2 * batch
    return lo, in_vain, 0, loss


@cuda_kernel("int64, " + _STATE)
def _remove(slot, rows, medoids, served, slots, terms):
    for o in range(cuda.grid(1), rows.shape[1], cuda.gridsize(1)):
        lost = _drop(o, slot, served, slots)
        for i in range(3):
            if slots[i, o] == medoids.size:
                slots[i, o] = slot
        if lost:
            _find_third(o, rows, medoids, served, slots)
        _set_terms(o, served, slots, terms)


def remove(slot, rows, medoids, served, slots, terms, n_threads):
    """Go on without the medoid of a slot, which the last one has taken over in `medoids`."""
    _remove(-(-rows.shape[1] // THREADS), slot, rows, medoids, served, slots, terms)
