"""Pivoted Cholesky, a column at a time, and the law of random pivots by enumeration."""

from itertools import permutations

import numpy as np


def factor(A, pivots):
    """Cholesky factor of a positive semi-definite matrix, for pivots in this order."""
    residual = np.array(A, np.float64)
    columns = []
    for pivot in pivots:
        column = residual[:, pivot] / np.sqrt(residual[pivot, pivot])
        residual -= np.outer(column, column)
        columns.append(column)
    return np.array(columns).reshape(len(columns), len(A)).T


def residual_diagonal(A, pivots):
    """What pivots leave of the diagonal."""
    return np.diagonal(A) - (factor(A, pivots) ** 2).sum(axis=1)


def law(A, k):
    """Probabilities of all sequences of k pivots, each drawn in proportion to what is left."""
    found = {}
    for pivots in permutations(range(len(A)), k):
        probability = 1.0
        for at, pivot in enumerate(pivots):
            left = np.maximum(residual_diagonal(A, pivots[:at]), 0.0)
            probability *= left[pivot] / left.sum()
        found[pivots] = probability
    return found
