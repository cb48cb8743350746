"""Matrices whose rows are scored and sampled, and what their scores are."""

from typing import NamedTuple

import numpy as np
from scipy import linalg

from lowrank_la.linear_model import lp_regression


def leverage_matrix(n, d, seed=0):
    """Normals, rows of very different sizes, columns that depend on each other."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d))
    A *= abs(rng.standard_t(1.5, (n, 1)))
    return A @ rng.standard_normal((d, d))


def heavy(n, d, seed=0):
    """Autoregressive columns, rows of very different sizes; targets with noise of t(3)."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d))
    for j in range(1, d):
        A[:, j] = 0.9 * A[:, j - 1] + np.sqrt(1 - 0.9**2) * A[:, j]
    A *= abs(rng.standard_t(1.2, (n, 1)))
    return A, A @ rng.standard_normal(d) + rng.standard_t(3, n)


def accurate_scores(A, rows):
    """Leverage scores of some rows, by LAPACK's QR factorisation: the sums never lose digits."""
    triangle = linalg.qr(A, mode="r", check_finite=False)[0][: A.shape[1]]
    return np.sum(linalg.solve_triangular(triangle, A[rows].T, trans=1) ** 2, axis=0)


def extended_scores(A):
    """Leverage scores of all rows, by Gram and Schmidt with more digits than doubles have."""
    basis = (A / linalg.norm(A, axis=0)).astype(np.longdouble)
    for j in range(basis.shape[1]):
        for _ in range(2):
            basis[:, j] -= basis[:, :j] @ (basis[:, :j].T @ basis[:, j])
        basis[:, j] /= np.sqrt(basis[:, j] @ basis[:, j])
    return np.sum(basis**2, axis=1).astype(float)


class Instance(NamedTuple):
    """A matrix, and the lp sensitivities of its rows."""

    A: np.ndarray
    sensitivities: np.ndarray


def instance(d, n_units, p, n_flat=4096, copies=64, seed=0):
    """Rows of a Hadamard matrix beside unit rows, whose sensitivities are known.

    The first `n_units` columns have unit rows, `copies` of each, so scaled that their powers
    add up to one: a sensitivity of ``1 / copies``. The others are as many columns of a Hadamard
    matrix of `n_flat` rows. A change of the signs of columns maps any of these rows to any
    other one and the set of them to itself: all are equally sensitive, and one regression tells
    how much. For p < 2 the unit rows attract most samples in proportion to sensitivities, and the
    flat columns, which need as many for each, get few: what makes these alone suboptimal (Munteanu
    and Omlor 2024). For p > 2 it is the other way round.
    """
    n_columns = d - n_units
    units = np.repeat(np.eye(d)[:n_units], copies, axis=0) / copies ** (1 / p)
    scores = np.full(len(units), 1 / copies)
    if not n_columns:
        return Instance(units, scores)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(np.arange(1, n_flat), n_columns, replace=False)
    signs = linalg.hadamard(n_flat)[:, chosen] / n_flat ** (1 / p)
    flat = np.zeros((n_flat, d))
    flat[:, n_units:] = signs
    share = np.full(n_flat, sensitivity(signs, 0, p))
    return Instance(np.vstack([units, flat]), np.concatenate([scores, share]))


def sensitivity(A, row, p):
    """The largest share of a row: one over the least norm where the row's value is one."""
    a = A[row]
    full = linalg.qr(a[:, None])[0]
    fixed, free = A @ (a / (a @ a)), A @ full[:, 1:]
    return 1 / lp_regression(free, -fixed, p).objective
