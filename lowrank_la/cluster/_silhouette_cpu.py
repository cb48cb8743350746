"""Loops of the average silhouette on the CPU; `_silhouette_cuda` holds their twins.

``sums[s, o]`` is the weighted sum of the dissimilarities from object o to the
members of cluster s, and ``rows[x, o]`` the dissimilarity from o to x: a member
that comes or goes changes all sums of a cluster by its row.
"""

import numpy as np

from .._support.blocks import run_blocks
from .._support.jit import kernel

_OBJECTS = 512  # to a block
_CANDIDATES = 4  # to a block


@kernel
def _member_sums(lo, hi, b, rows, labels, weights, sums):
    # (n, n) (n,) (n,) in; (k, n) out
    for s in range(len(sums)):
        for o in range(lo, hi):
            sums[s, o] = 0.0
    for x in range(len(rows)):
        row, total, weight = rows[x], sums[labels[x]], weights[x]
        for o in range(lo, hi):
            total[o] += weight * np.float64(row[o])


def member_sums(rows, labels, weights, sums, n_threads):
    """Add up each object over each cluster, from rows that each hold one member's part."""
    args = rows, labels, weights, sums
    run_blocks(_member_sums, sums.shape[1], _OBJECTS, args, n_threads)


@kernel
def _object_sums(lo, hi, b, diss, labels, weights, sums):
    # (n, n) (n,) (n,) in; (k, n) out
    total = np.empty(len(sums))
    for o in range(lo, hi):
        row = diss[o]
        for s in range(len(sums)):
            total[s] = 0.0
        for x in range(len(row)):
            total[np.uint64(labels[x])] += weights[x] * np.float64(row[x])
        for s in range(len(sums)):
            sums[s, o] = total[s]


def object_sums(diss, labels, weights, sums, n_threads):
    """Add up each object over each cluster, from rows that each hold one object's whole."""
    args = diss, labels, weights, sums
    run_blocks(_object_sums, sums.shape[1], _OBJECTS, args, n_threads)


def silhouette_of(own, size, weight, itself, other):
    """Silhouette of an object, from its sum over its cluster, and the least other average."""
    # Of its own weight, one object is itself: the rest are copies of it.
    one = weight if weight < 1.0 else 1.0
    if size - one <= 0.0 or other == np.inf:
        return 0.0
    within = (own - one * itself) / (size - one)
    greater = within if other < within else other
    return 0.0 if greater == 0.0 else (other - within) / greater


_silhouette_of = kernel(silhouette_of)


@kernel
def _silhouettes(lo, hi, b, sums, sizes, labels, weights, diagonal, values):
    # (k, n) (k,) (n,) (n,) (n,) in; (2, n) out: silhouettes, and sums over the own cluster
    least, within = values[0], values[1]
    for o in range(lo, hi):
        least[o], within[o] = np.inf, 0.0
    for s in range(len(sizes)):
        if sizes[s] > 0.0:
            total, inverse = sums[s], 1.0 / sizes[s]
            for o in range(lo, hi):
                average = total[o] * inverse
                if labels[o] == s:
                    within[o] = total[o]
                elif average < least[o]:
                    least[o] = average
    for o in range(lo, hi):
        size = sizes[labels[o]]
        least[o] = _silhouette_of(within[o], size, weights[o], diagonal[o], least[o])


def silhouettes(sums, sizes, labels, weights, diagonal, n_threads):
    """Silhouette of each object."""
    values = np.empty((2, len(labels)))
    args = sums, sizes, labels, weights, diagonal, values
    run_blocks(_silhouettes, len(labels), _OBJECTS, args, n_threads)
    return values[0]


@kernel
def _move(x, rows, weight, origin, target, sums):
    """Take an object from one cluster (or from none: -1) to another."""
    row, to = rows[x], sums[target]
    if origin < 0:
        for o in range(len(row)):
            to[o] += weight * np.float64(row[o])
        return
    out = sums[origin]
    for o in range(len(row)):
        part = weight * np.float64(row[o])
        out[o] -= part
        to[o] += part


@kernel(strict=True)
def _capture(candidate, rows, served, slots, weights, base, labels):
    """Give a candidate, as one more cluster, all objects to which it is the nearest."""
    row, k = rows[candidate], len(base) - 1
    for o in range(len(row)):
        labels[o] = slots[0, o]
        cost, near = row[o], served[0, o]
        if cost < near or (cost == near and o == candidate):
            _move(o, rows, weights[o], labels[o], k, base)
            labels[o] = k


@kernel(strict=True)
def _disband(slot, candidate, rows, served, slots, weights, labels, then, sums):
    """Spread the members of a cluster over the others, the candidate's among them."""
    row, k = rows[candidate], len(sums) - 1
    for o in range(len(row)):
        then[o] = labels[o]
        if labels[o] == slot:
            cost, second = row[o], served[1, o]
            nearer = cost < second or (cost == second and o == candidate)
            then[o] = k if nearer else slots[1, o]
            _move(o, rows, weights[o], -1, then[o], sums)


@kernel
def _total(sums, labels, weights, diagonal, sizes, values):
    """Sum of all silhouettes of a clustering."""
    n = len(labels)
    for s in range(len(sizes)):
        sizes[s] = 0.0
    for o in range(n):
        sizes[labels[o]] += weights[o]
    _silhouettes(0, n, 0, sums, sizes, labels, weights, diagonal, values)
    total = 0.0
    for o in range(n):
        total += weights[o] * values[0, o]
    return total


@kernel
def _try_swaps(lo, hi, b, rows, served, slots, weights, diagonal, sums, totals, places):
    # (n, n) (3, n) (3, n) (n,) (n,) (k, n) in; (n,) (n,) out
    k, n = sums.shape
    base, changed, values = np.empty((k + 1, n)), np.empty((k + 1, n)), np.empty((2, n))
    labels, then, sizes = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(k + 1)
    for candidate in range(lo, hi):
        totals[candidate], places[candidate] = -np.inf, 0
        for s in range(k + 1):
            for o in range(n):
                base[s, o] = sums[s, o] if s < k else 0.0
        _capture(candidate, rows, served, slots, weights, base, labels)
        for slot in range(k):
            for s in range(k + 1):
                for o in range(n):
                    changed[s, o] = base[s, o]
            _disband(slot, candidate, rows, served, slots, weights, labels, then, changed)
            total = _total(changed, then, weights, diagonal, sizes, values)
            if total > totals[candidate]:
                totals[candidate], places[candidate] = total, slot


def try_swaps(rows, served, slots, weights, diagonal, sums, n_threads):
    """For each candidate, the greatest sum of silhouettes after a swap, and the slot for it."""
    n = len(weights)
    totals, places = np.empty(n), np.empty(n, np.int32)
    args = rows, served, slots, weights, diagonal, sums, totals, places
    run_blocks(_try_swaps, n, _CANDIDATES, args, n_threads)
    return totals, places
