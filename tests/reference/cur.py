"""CUR and its choices as textbooks tell them: formulas with pseudo-inverses, loops."""

import numpy as np


def optimal(A, rows, columns):
    """Approximation with the core that makes the error least: projections on both sides."""
    C, R = A[:, columns], A[rows]
    return C @ np.linalg.pinv(C) @ A @ np.linalg.pinv(R) @ R


def cross(A, rows, columns):
    """Approximation with the pseudo-inverse of the entries where rows and columns cross."""
    return A[:, columns] @ np.linalg.pinv(A[np.ix_(rows, columns)]) @ A[rows]


def interpolation(A, columns):
    """Best approximation by some columns."""
    return A[:, columns] @ np.linalg.lstsq(A[:, columns], A)[0]


def tail(A, k):
    """Least error of any matrix of rank k, by the Frobenius norm."""
    return np.linalg.norm(np.linalg.svd(A, compute_uv=False)[k:])


def elimination(Y):
    """Gaussian elimination of rows; the largest entry left in each is its pivot, the first of them.

    Columns are swapped, so that who comes first later depends on what was swapped before.
    """
    Y, n = Y.copy(), Y.shape[1]
    order, pivots = list(range(n)), []
    for i in range(min(Y.shape)):
        at = max(range(i, n), key=lambda j: abs(Y[i, order[j]]))
        order[i], order[at] = order[at], order[i]
        pivots.append(abs(Y[i, order[i]]))
        for row in range(i + 1, len(Y)):
            if pivots[-1]:
                Y[row] -= Y[row, order[i]] / Y[i, order[i]] * Y[i]
    return np.array(order), np.array(pivots)


def largest_columns(Y, k):
    """Columns of which each has the largest part that those before do not explain."""
    Y, chosen = Y.copy(), []
    for _ in range(k):
        chosen.append(int(np.argmax((Y**2).sum(axis=0))))
        direction = Y[:, chosen[-1]] / np.linalg.norm(Y[:, chosen[-1]])
        Y = Y - np.outer(direction, direction @ Y)
    return chosen


def deim(V):
    """Rows of a basis: where each vector differs most from its interpolation by those before."""
    chosen = []
    for i in range(V.shape[1]):
        left = V[:, i]
        if chosen:
            left = left - V[:, :i] @ np.linalg.solve(V[chosen, :i], left[chosen])
        chosen.append(int(np.argmax(np.abs(left))))
    return chosen


def growth(n, k):
    """What a choice of k of n columns by pivots costs, at most: the norm of the interpolation.

    Its entries are at most 2^(k-i) in row i, for elimination with partial pivoting and for pivoted
    QR (Gu and Eisenstat 1996), and the identity is among its columns.
    """
    return np.sqrt(1 + (n - k) * (4.0**k - 1) / 3)
