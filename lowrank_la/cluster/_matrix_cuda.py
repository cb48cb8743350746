"""Loops over a whole matrix of costs on a GPU: the twins of `_matrix_cpu`."""

import numpy as np

from .._support.cuda import cuda, cuda_kernel, xp

_BATCH_BYTES = 1 << 28  # of scratch at most

__all__ = ["cluster_losses", "is_symmetric", "loss_with"]


@cuda_kernel("T[:, ::1], T[::1], float64[::1], float64[::1]")
def _loss_with(rows, near, weights, losses):
    for j in range(cuda.blockIdx.x, losses.size, cuda.gridDim.x):
        row = rows[j]
        loss = 0.0
        for o in range(cuda.threadIdx.x, near.size, cuda.blockDim.x):
            cost = row[o]
            if near[o] < cost:
                cost = near[o]
            loss += weights[o] * np.float64(cost)
        cuda.atomic.add(losses, j, loss)


def loss_with(rows, near, weights, n_threads):
    """Loss after each candidate in turn has been added to the medoids."""
    losses = xp.zeros(len(rows))
    _loss_with(len(rows), rows, near, weights, losses)
    return losses


@cuda_kernel("T[:, ::1], int64[::1], int64[::1], int32[::1], float64[::1], float64[::1]")
def _cluster_losses(rows, order, starts, labels, weights, losses):
    for j in range(cuda.blockIdx.x, losses.size, cuda.gridDim.x):
        row, slot, loss = rows[j], labels[j], 0.0
        for i in range(starts[slot] + cuda.threadIdx.x, starts[slot + 1], cuda.blockDim.x):
            loss += weights[order[i]] * np.float64(row[order[i]])
        cuda.atomic.add(losses, j, loss)


def cluster_losses(rows, labels, k, weights, n_threads):
    """Loss of each object's cluster if the object were its medoid."""
    losses, order = xp.zeros(len(rows)), xp.argsort(labels)
    starts = xp.searchsorted(labels[order], xp.arange(k + 1))
    _cluster_losses(len(rows), rows, order, starts, labels, weights, losses)
    return losses


def is_symmetric(diss, tolerance):
    """Compare the matrix with its transpose, some rows at a time."""
    step = max(1, _BATCH_BYTES // (8 * len(diss)))
    parts = ((diss[i : i + step], diss[:, i : i + step].T) for i in range(0, len(diss), step))
    return all(bool(xp.allclose(a, b, rtol=tolerance, atol=0)) for a, b in parts)
