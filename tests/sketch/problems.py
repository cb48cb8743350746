"""Sketches of each kind, and data that break the bad ones."""

import numpy as np

from lowrank_la.sketch import SRHT, CountSketch, Gaussian, SparseSign
from tests.reference import sketch as reference

KINDS = (Gaussian, SRHT, SparseSign, CountSketch)


def explicit(S):
    """The matrix of a sketch, from the reference."""
    m, n = S.shape
    if isinstance(S, SRHT):
        return reference.srht(S._key, S._blocks, S._rows, n)
    if isinstance(S, Gaussian):
        return reference.gaussian(S._key, m, n)
    return reference.sparse_sign(S._key, m, S._nnz, n)


def coherent(n, d, rng):
    """Orthonormal columns, of which each is nearly one row of the identity."""
    A = 1e-3 * rng.normal(size=(n, d))
    A[rng.choice(n, d, replace=False), np.arange(d)] += 1
    return np.linalg.qr(A)[0]
