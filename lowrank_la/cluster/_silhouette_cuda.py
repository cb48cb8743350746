"""Loops of the average silhouette on a GPU: the twins of `_silhouette_cpu`."""

import numpy as np

from .._support.cuda import THREADS, cuda, cuda_kernel, device_function, xp
from ._silhouette_cpu import silhouette_of

_silhouette_of = device_function(silhouette_of)

_BATCH_BYTES = 1 << 28  # of scratch at most

__all__ = ["member_sums", "object_sums", "silhouettes", "try_swaps"]


@cuda_kernel("T[:, ::1], int32[::1], float64[::1], float64[:, ::1]")
def _member_sums(rows, labels, weights, sums):
    for o in range(cuda.grid(1), labels.size, cuda.gridsize(1)):
        for s in range(sums.shape[0]):
            sums[s, o] = 0.0
        for x in range(labels.size):
            sums[labels[x], o] += weights[x] * np.float64(rows[x, o])


def member_sums(rows, labels, weights, sums, n_threads):
    """Add up each object over each cluster, from rows that each hold one member's part."""
    _member_sums(-(-labels.size // THREADS), rows, labels, weights, sums)


@cuda_kernel("T[:, ::1], int32[::1], float64[::1], float64[:, ::1]")
def _object_sums(diss, labels, weights, sums):
    for o in range(cuda.blockIdx.x, labels.size, cuda.gridDim.x):
        for x in range(cuda.threadIdx.x, labels.size, cuda.blockDim.x):
            cuda.atomic.add(sums, (labels[x], o), weights[x] * np.float64(diss[o, x]))


def object_sums(diss, labels, weights, sums, n_threads):
    """Add up each object over each cluster, from rows that each hold one object's whole."""
    sums[:] = 0.0
    _object_sums(labels.size, diss, labels, weights, sums)


@cuda_kernel("float64[:, ::1], float64[::1], int32[::1], float64[::1], float64[::1], float64[::1]")
def _silhouettes(sums, sizes, labels, weights, diagonal, values):
    for o in range(cuda.grid(1), values.size, cuda.gridsize(1)):
        own, least = labels[o], np.inf
        for s in range(sizes.size):
            if s != own and sizes[s] > 0.0 and sums[s, o] / sizes[s] < least:
                least = sums[s, o] / sizes[s]
        values[o] = _silhouette_of(sums[own, o], sizes[own], weights[o], diagonal[o], least)


def silhouettes(sums, sizes, labels, weights, diagonal, n_threads):
    """Silhouette of each object."""
    values = xp.empty(len(labels))
    blocks = -(-len(labels) // THREADS)
    _silhouettes(blocks, sums, sizes, labels, weights, diagonal, values)
    return values


@cuda_kernel(
    "int64, int64, T[:, ::1], T[:, ::1], int32[:, ::1], float64[::1], int32[:, ::1],"
    " float64[:, ::1]"
)
def _relabel(lo, slot, rows, served, slots, weights, labels, sizes):
    # A block of threads to a candidate: who serves each object after its swap for `slot`.
    k = sizes.shape[1] - 1
    for c in range(cuda.blockIdx.x, labels.shape[0], cuda.gridDim.x):
        for o in range(cuda.threadIdx.x, labels.shape[1], cuda.blockDim.x):
            label, near, cost = slots[0, o], served[0, o], rows[lo + c, o]
            captured = cost < near or (cost == near and o == lo + c)
            if label == slot and not captured:
                label, near = slots[1, o], served[1, o]
                captured = cost < near or (cost == near and o == lo + c)
            if captured:
                label = k
            labels[c, o] = label
            cuda.atomic.add(sizes, (c, label), weights[o])


@cuda_kernel(
    "T[:, ::1], int32[:, ::1], float64[::1], float64[::1], float64[:, ::1], int32[:, ::1],"
    " float64[:, ::1], float64[:, :, ::1], float64[::1]"
)
def _totals(rows, slots, weights, diagonal, sums, labels, sizes, scratch, totals):
    # A block of threads to a candidate, a thread to an object: its sums are its own.
    k = sums.shape[0]
    for c in range(cuda.blockIdx.x, totals.size, cuda.gridDim.x):
        changed = scratch[c]
        gain = 0.0
        for o in range(cuda.threadIdx.x, weights.size, cuda.blockDim.x):
            changed[k, o] = 0.0
            for s in range(k):
                changed[s, o] = sums[s, o]
            for x in range(weights.size):
                if labels[c, x] != slots[0, x]:
                    part = weights[x] * np.float64(rows[x, o])
                    changed[slots[0, x], o] -= part
                    changed[labels[c, x], o] += part
            own, least = labels[c, o], np.inf
            for s in range(k + 1):
                if s != own and sizes[c, s] > 0.0 and changed[s, o] / sizes[c, s] < least:
                    least = changed[s, o] / sizes[c, s]
            value = _silhouette_of(changed[own, o], sizes[c, own], weights[o], diagonal[o], least)
            gain += weights[o] * value
        cuda.atomic.add(totals, c, gain)


def try_swaps(rows, served, slots, weights, diagonal, sums, n_threads):
    """For each candidate, the greatest sum of silhouettes after a swap, and the slot for it."""
    n, k = len(weights), len(sums)
    step = max(1, _BATCH_BYTES // (8 * n * (k + 1)))
    best, places = xp.full(n, -np.inf), xp.zeros(n, np.int32)
    for lo in range(0, n, step):
        size = min(step, n - lo)
        labels, scratch = xp.empty((size, n), np.int32), xp.empty((size, k + 1, n))
        part = slice(lo, lo + size)
        for slot in range(k):
            sizes, totals = xp.zeros((size, k + 1)), xp.zeros(size)
            _relabel(size, lo, slot, rows, served, slots, weights, labels, sizes)
            _totals(size, rows, slots, weights, diagonal, sums, labels, sizes, scratch, totals)
            places[part] = xp.where(totals > best[part], slot, places[part])
            best[part] = xp.maximum(best[part], totals)
    return best, places
