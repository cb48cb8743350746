"""Search by CUR as its papers tell it, one query and one matrix after another."""

import numpy as np
from scipy.linalg import qr


def normalized(R):
    """Rows of mean square 1."""
    return R / np.sqrt((R**2).mean(axis=1, keepdims=True))


def noise(R):
    """Mean square of what is left of each row when the others are fitted to it."""
    R = normalized(R)
    left = []
    for i, row in enumerate(R):
        others = np.delete(R, i, axis=0).T
        left.append(row - others @ np.linalg.lstsq(others, row)[0] if others.size else row)
    return np.mean(np.square(left))


def conditional_means(R, items, values, noise):
    """Of normal similarities with the second moments of R, given noisy values of some items."""
    R = normalized(R)
    covariances = R.T @ R / len(R)
    among = covariances[np.ix_(items, items)] + noise * np.eye(len(items))
    return values @ np.linalg.solve(among, covariances[items])


def cur_estimates(R, items, values):
    """Estimates of ANNCUR: columns and rows that are known, around a pseudo-inverse."""
    return values @ np.linalg.pinv(R[:, items], rcond=1e-10) @ R


def search(similarities, R, k, n_anchors, budget, step):
    """Nearest items of one query, given its similarities to all: only `budget` are looked at."""
    error = noise(R)
    known = list(qr(normalized(R), mode="r", pivoting=True)[1][:n_anchors])
    while len(known) < budget:
        estimates = conditional_means(R, known, similarities[known], error)
        estimates[known] = -np.inf
        known += list(np.argsort(-estimates)[: min(step, budget - len(known))])
    return brute_force(similarities, k, np.sort(known))


def brute_force(similarities, k, items=None):
    """The k most similar of some items, or of all; of equal ones the first."""
    items = np.arange(len(similarities)) if items is None else items
    return items[np.argsort(-similarities[items], kind="stable")[:k]]
