"""Entropic optimal transport by its definitions, slowly."""

import numpy as np
from scipy.optimize import linprog
from scipy.special import logsumexp, rel_entr


def plan(M, a, b, reg, n_steps=20_000):
    """Scale rows and columns in turn, in logarithms, until nothing changes any more."""
    log_plan = -M / reg
    for _ in range(n_steps):
        before = log_plan
        log_plan = log_plan + (np.log(a) - logsumexp(log_plan, axis=1))[:, None]
        log_plan = log_plan + np.log(b) - logsumexp(log_plan, axis=0)
        if np.abs(np.exp(log_plan) - np.exp(before)).sum() < 1e-14:
            break
    return np.exp(log_plan)


def marginal_errors(P, a, b):
    return np.abs(P.sum(axis=1) - a).sum(), np.abs(P.sum(axis=0) - b).sum()


def value_linear(P, M):
    return float(P[P > 0] @ M[P > 0])


def value(P, M, a, b, reg):
    """What a plan is worth: its cost and its divergence from the product of its masses."""
    return value_linear(P, M) + reg * float(rel_entr(P, np.outer(a, b) / a.sum()).sum())


def exact_cost(M, a, b):
    """Least cost of a plan without regularisation, by linear programming."""
    n, m = M.shape
    rows, columns = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    constraints = np.vstack([rows, columns[:-1]])  # the last one follows from the others
    return linprog(M.ravel(), A_eq=constraints, b_eq=np.r_[a, b[:-1]]).fun
