"""Loops over a whole matrix of costs on the CPU; `_matrix_cuda` holds their twins.

``rows[j, o]`` is the cost of serving object o by object j.
"""

import numpy as np

from .._kernels.rng import random_bits
from .._support.blocks import run_blocks
from .._support.jit import kernel

_CANDIDATES = 32  # to a block
_COMPARED_WHOLE = 1024  # objects; a larger matrix is sampled for symmetry


@kernel
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
def _cluster_losses(lo, hi, b, rows, order, starts, labels, weights, losses):
    # (n, n) (n,) (k + 1,) (n,) (n,) in; (n,) out
    for j in range(lo, hi):
        row, slot, loss = rows[j], labels[j], 0.0
        for i in range(starts[slot], starts[slot + 1]):
            o = order[i]
            loss += weights[o] * np.float64(row[o])
        losses[j] = loss


def cluster_losses(rows, labels, k, weights, n_threads):
    """Loss of each object's cluster if the object were its medoid."""
    losses, order = np.empty(len(rows)), np.argsort(labels, kind="stable")
    starts = np.concatenate([[0], np.bincount(labels, minlength=k).cumsum()])
    args = rows, order, starts, labels, weights, losses
    run_blocks(_cluster_losses, len(rows), _CANDIDATES, args, n_threads)
    return losses


@kernel
def _all_alike(diss, tolerance):
    n, tile = len(diss), 32  # tiles, so that the columns stay in the cache
    for left in range(0, n, tile):
        for i in range(left, n):
            for j in range(left, i if i < left + tile else left + tile):
                one, other = diss[i, j], diss[j, i]
                if abs(one - other) > tolerance * (abs(one) + abs(other)):
                    return False
    return True


@kernel
def _some_alike(diss, tolerance):
    n, half, low = np.uint64(len(diss)), np.uint64(32), np.uint64(0xFFFFFFFF)
    for i in range(n):
        bits = random_bits(np.uint64(0), i, np.uint64(0))
        for word in (bits & low, bits >> half):
            j = (word * n) >> half
            one, other = diss[i, j], diss[j, i]
            if abs(one - other) > tolerance * (abs(one) + abs(other)):
                return False
    return True


def is_symmetric(diss, tolerance):
    """Compare all entries of a small matrix with their mirror images, two in each row of a large.

    Comparing all of a large matrix would take longer than FasterPAM itself.
    """
    compare = _all_alike if len(diss) <= _COMPARED_WHOLE else _some_alike
    return compare(diss, tolerance)
