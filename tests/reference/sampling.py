"""Scores of rows by their definitions, and rows that are certain by exact arithmetic."""

from fractions import Fraction

import numpy as np
from scipy import optimize


def leverage_scores(A, weights=None, ridge=0.0):
    """Diagonal of ``A @ pinv(A.T @ W @ A + ridge * identity) @ A.T @ W``."""
    rows = A if weights is None else np.sqrt(weights)[:, None] * A
    n, d = rows.shape
    rows = np.vstack([rows, np.sqrt(ridge) * np.eye(d)])
    norms = np.linalg.norm(rows, axis=0)
    rows = rows / np.where(norms > 0, norms, 1.0)
    U, s, _ = np.linalg.svd(rows, full_matrices=False)
    return (U[:n, s > 1e-11 * s[0]] ** 2).sum(axis=1)


def lewis_weights(A, p, weights=None, n_iter=2000):
    """The plain iteration, with steps so short that it converges for any power."""
    weights = np.ones(len(A)) if weights is None else weights
    forms = leverage_scores(A, weights) / np.where(weights > 0, weights, 1.0)
    counted = forms > 1e-14
    step = min(1.0, 2 / p)
    A, weights, forms = A[counted], weights[counted], forms[counted]
    for _ in range(n_iter):
        inner = weights * forms ** (p / 2 - 1)
        forms = forms ** (1 - step) * (leverage_scores(A, inner) / inner) ** step
    found = np.zeros(len(counted))
    found[counted] = weights * forms ** (p / 2)
    return found


def sensitivities(A, p, weights=None):
    """A linear programme for each row, or for other powers a search in directions of the plane."""
    weights = np.ones(len(A)) if weights is None else weights
    share = _share_in_sums if p == 1 else _share_in_the_plane
    return np.array([w * share(a, A, weights, p) if a.any() and w else 0.0
                     for a, w in zip(A, weights, strict=True)])  # fmt: skip


def _share_in_sums(a, A, weights, p):
    """Inverse of the least sum of absolute values where ``a @ x == 1``."""
    n, d = A.shape
    bounds = [(None, None)] * d + [(0, None)] * n
    above = np.block([[A, -np.eye(n)], [-A, -np.eye(n)]])
    costs, equal = np.r_[np.zeros(d), weights], np.r_[a, np.zeros(n)][None]
    return 1 / optimize.linprog(costs, above, np.zeros(2 * n), equal, [1.0], bounds).fun


def _share_in_the_plane(a, A, weights, p):
    def share(angle):
        x = np.array([np.cos(angle), np.sin(angle)])[: A.shape[1]]
        total = weights @ np.abs(A @ x) ** p
        return np.abs(a @ x) ** p / total if total else 0.0

    angles = np.linspace(0, np.pi, 2001)
    best = angles[np.argmax([share(angle) for angle in angles])]
    step = angles[1]
    found = optimize.minimize_scalar(
        lambda angle: -share(angle), bounds=(best - step, best + step), method="bounded",
        options={"xatol": 1e-12},
    )  # fmt: skip
    return max(share(best), -found.fun)


def certain_rows(scores, n_samples):
    """Rows whose expected count is at least 1, when such rows are taken once."""
    scores, kept = [Fraction(score) for score in scores], set()
    while True:
        rest = [i for i, score in enumerate(scores) if score and i not in kept]
        total, n_drawn = sum(scores[i] for i in rest), n_samples - len(kept)
        more = {i for i in rest if scores[i] * n_drawn >= total}
        if not more or n_drawn <= 0:
            return sorted(kept)
        kept |= more
