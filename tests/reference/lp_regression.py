"""Regression by powers of residuals as a linear program, by brute force, and by its definition."""

from itertools import combinations

import numpy as np
from scipy import optimize


def objective(A, b, x, p=1.0, quantile=0.5, weights=None):
    """Twice the pinball loss for p = 1, the largest residual for p = inf."""
    weights = np.ones(len(A)) if weights is None else weights
    r = b - A @ x
    if p == np.inf:
        return np.abs(r[weights > 0]).max()
    if p == 1:
        return np.sum(weights * r * np.where(r < 0, 2 * quantile - 2, 2 * quantile))
    return np.sum(weights * np.abs(r) ** p)


def least(A, b, p=1.0, quantile=0.5, weights=None):
    """Least value of the objective: by a linear program, or by BFGS."""
    weights = np.ones(len(A)) if weights is None else weights
    A, b, weights = A[weights > 0], b[weights > 0], weights[weights > 0]
    if p == 1:
        return _pinball(A, b, quantile, weights)
    if p == np.inf:
        return _chebyshev(A, b)
    start = np.linalg.lstsq(A, b)[0]
    size = np.abs(b).max() or 1.0

    def value(x):
        r = b - A @ x
        slopes = p * np.abs(r / size) ** (p - 1) * np.sign(r)
        return np.sum(weights * np.abs(r / size) ** p), -A.T @ (weights * slopes) / size

    found = optimize.minimize(value, start, jac=True, method="BFGS", options={"gtol": 1e-10})
    return found.fun * size**p


def _pinball(A, b, quantile, weights):
    n, d = A.shape
    costs = np.r_[np.zeros(d), 2 * quantile * weights, 2 * (1 - quantile) * weights]
    bounds = [(None, None)] * d + [(0, None)] * (2 * n)
    equations = np.c_[A, np.eye(n), -np.eye(n)]
    return optimize.linprog(costs, A_eq=equations, b_eq=b, bounds=bounds, method="highs").fun


def _chebyshev(A, b):
    ones = np.ones((len(A), 1))
    inequalities, sides = np.r_[np.c_[A, -ones], np.c_[-A, -ones]], np.r_[b, -b]
    costs = np.r_[np.zeros(A.shape[1]), 1.0]
    bounds = [(None, None)] * A.shape[1] + [(0, None)]
    return optimize.linprog(costs, inequalities, sides, bounds=bounds, method="highs").fun


def brute_force(A, b, quantile=0.5, weights=None):
    """Least pinball objective over the fits through d of the points: one of them is optimal."""
    values = []
    for chosen in map(list, combinations(range(len(A)), A.shape[1])):
        if np.linalg.matrix_rank(A[chosen]) == A.shape[1]:
            x = np.linalg.solve(A[chosen], b[chosen])
            values.append(objective(A, b, x, 1.0, quantile, weights))
    return min(values)
