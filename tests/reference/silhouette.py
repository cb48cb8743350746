"""Silhouettes, and searches by them, as the definitions say: slow, obvious, in float64.

``diss[i, j]`` is the cost of serving object i by medoid j.
"""

import numpy as np

from tests.reference.kmedoids import nearest, swapped

LEAST_GAIN = 1e-12


def medoid_silhouettes(diss, medoids):
    """1 - near / second of each object, where 0 / 0 is 0; with one medoid, 0."""
    costs = np.sort(np.asarray(diss, np.float64)[:, list(medoids)], axis=1)
    if costs.shape[1] == 1:
        return np.zeros(len(costs))
    return np.array([1 - (near / second if second else 0) for near, second in costs[:, :2]])


def medoid_silhouette(diss, medoids, weights=None):
    """Weighted average of the medoid silhouettes."""
    return float(np.average(medoid_silhouettes(diss, medoids), weights=weights))


def silhouettes(diss, labels):
    """(b - a) / max(a, b) of each object; 0 for one that is alone."""
    diss, labels = np.asarray(diss, np.float64), np.asarray(labels)
    values = np.zeros(len(diss))
    for o, label in enumerate(labels):
        own = np.flatnonzero(labels == label)
        others = [diss[o, labels == other].mean() for other in set(labels) - {label}]
        if len(own) > 1 and others:
            a, b = diss[o, own[own != o]].mean(), min(others)
            values[o] = (b - a) / max(a, b) if max(a, b) > 0 else 0
    return values


def average_silhouette(diss, medoids):
    """Average silhouette when the nearest medoid serves each object."""
    return float(silhouettes(diss, nearest(diss, medoids)).mean())


def best_swap(score, medoids, objects):
    """Greatest score after a swap, with the candidate and the slot."""
    swaps = [
        (score(swapped(medoids, slot, candidate)), candidate, slot)
        for candidate in objects
        if candidate not in medoids
        for slot in range(len(medoids))
    ]
    return max(swaps, key=lambda swap: swap[0], default=(-np.inf, None, None))


def steepest(score, medoids, objects):
    """Make the best swap of all, while it improves; return medoids and history."""
    medoids, history = list(medoids), []
    while True:
        before = score(medoids)
        after, candidate, slot = best_swap(score, medoids, objects)
        if not after > before + LEAST_GAIN:
            return medoids, [*history, before]
        medoids = swapped(medoids, slot, candidate)
        history.append(after)


def eager(score, medoids, objects, n):
    """Swap each candidate in turn as soon as it improves, until a whole round has not.

    Returns the medoids by slot, the number of swaps, and the score after each pass.
    """
    medoids, n_swap, history, in_vain = list(medoids), 0, [], 0
    while in_vain < n:
        for candidate in range(n):
            if in_vain == n:
                break
            in_vain += 1
            if candidate in objects:
                after, _, slot = best_swap(score, medoids, [candidate])
                if after > score(medoids) + LEAST_GAIN:
                    medoids, n_swap, in_vain = swapped(medoids, slot, candidate), n_swap + 1, 1
        history.append(score(medoids))
    return medoids, n_swap, history


def without_the_dearest(score, medoids):
    """Medoids after the one that is missed most has gone; the last takes its slot."""
    slots = range(len(medoids))
    slot = min(slots, key=lambda i: score([m for j, m in enumerate(medoids) if j != i]))
    left = list(medoids)
    left[slot] = left[-1]
    return left[:-1]
