"""Least-squares problems, by their names in the benchmarks."""

import numpy as np


def haar(n, d, condition, residual, seed=0):
    """Singular values from 1 to 1 / condition, a solution of norm one, and a residual's norm."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((n, d + 1)))[0]
    V = np.linalg.qr(rng.standard_normal((d, d)))[0]
    A = Q[:, :d] * np.logspace(0, -np.log10(condition), d) @ V.T
    x = rng.standard_normal(d)
    x /= np.linalg.norm(x)
    return A, A @ x + residual * Q[:, d], x


def coherent(n, d, seed=0):
    """Small rows, and d of leverage nearly one."""
    rng = np.random.default_rng(seed)
    A = 1e-2 * rng.standard_normal((n, d))
    A[rng.choice(n, d, replace=False)] = 1e3 * np.eye(d)
    A = A * np.logspace(0, -3, d) @ np.linalg.qr(rng.standard_normal((d, d)))[0]
    x = rng.standard_normal(d)
    return A, A @ x + rng.standard_normal(n), x


def one_hot(n, n_levels, seed=0):
    """Dummies of a categorical column, the last level seen once, and a numeric column."""
    rng = np.random.default_rng(seed)
    level = np.minimum(rng.zipf(1.5, n) - 1, n_levels - 2)
    level[n // 2] = n_levels - 1
    X = np.c_[np.eye(n_levels)[level], rng.standard_normal(n)]
    return X, X @ rng.standard_normal(n_levels + 1) + rng.standard_normal(n)
