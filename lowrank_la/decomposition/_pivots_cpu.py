"""Pivots of an elimination, on the CPU: they are LAPACK's."""

import numpy as np
from scipy.linalg import lapack

xp = np


def eliminate(Y):
    """Gaussian elimination of the rows of a matrix, with pivots anywhere in a row.

    Parameters
    ----------
    Y : ndarray of shape (l, n), float64

    Returns
    -------
    order : ndarray of shape (n,)
        Columns, those of the pivots first.
    pivots : ndarray of shape (min(l, n),)
        Their sizes.
    """
    triangle, swaps, _ = lapack.dgetrf(np.asfortranarray(Y.T))
    order = np.arange(Y.shape[1])
    for i, j in enumerate(swaps.tolist()):
        order[i], order[j] = order[j], order[i]
    return order, np.abs(np.diag(triangle))
