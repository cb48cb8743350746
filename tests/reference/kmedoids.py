"""k-medoids as the definitions say: slow, obvious, in float64.

``diss[i, j]`` is the cost of serving object i by medoid j.
"""

from itertools import combinations

import numpy as np

LEAST_GAIN = 1e-12  # share of the loss that counts as an improvement


def loss(diss, medoids, weights=None):
    """Weighted sum of the cost to the cheapest medoid."""
    costs = np.asarray(diss, np.float64)[:, list(medoids)].min(axis=1)
    return float(costs.sum() if weights is None else np.dot(weights, costs))


def best_subset(diss, k, weights=None):
    """Medoids of least loss among all subsets."""
    objects = range(len(diss)) if weights is None else np.flatnonzero(weights)
    return min(combinations(objects, k), key=lambda medoids: loss(diss, medoids, weights))


def swapped(medoids, slot, candidate):
    return [*medoids[:slot], candidate, *medoids[slot + 1 :]]


def best_swap(diss, medoids, candidate, weights=None):
    """Least loss after a candidate has taken the place of a medoid, and that medoid's slot."""
    return min(
        (loss(diss, swapped(medoids, slot, candidate), weights), slot)
        for slot in range(len(medoids))
    )


def best_single_swap(diss, medoids, weights=None):
    """Least loss that any single swap reaches."""
    medoids = list(medoids)
    objects = range(len(diss)) if weights is None else np.flatnonzero(weights)
    return min(best_swap(diss, medoids, candidate, weights)[0] for candidate in objects)


def fasterpam(diss, medoids, weights=None, max_iter=100):
    """Swap each candidate in turn as soon as it improves, until a whole round has not.

    Returns the medoids by slot, the number of swaps, and the loss after each pass.
    """
    medoids, n_swap, history, in_vain = list(medoids), 0, [], 0
    while in_vain < len(diss) and len(history) < max_iter:
        for candidate in range(len(diss)):
            if in_vain == len(diss):
                break
            in_vain += 1
            if weights is not None and weights[candidate] == 0:
                continue
            before = loss(diss, medoids, weights)
            after, slot = best_swap(diss, medoids, candidate, weights)
            if after < before - LEAST_GAIN * abs(before):
                medoids, n_swap, in_vain = swapped(medoids, slot, candidate), n_swap + 1, 1
        history.append(loss(diss, medoids, weights))
    return medoids, n_swap, history


def build(diss, k, weights=None):
    """Add the object that lowers the loss most, k times."""
    medoids = []
    for _ in range(k):
        objects = range(len(diss)) if weights is None else np.flatnonzero(weights)
        left = [j for j in objects if j not in medoids]
        medoids.append(min(left, key=lambda j: loss(diss, [*medoids, j], weights)))
    return medoids


def nearest(diss, medoids):
    """Slot of the cheapest medoid of each object; a medoid serves itself."""
    labels = np.asarray(diss)[:, list(medoids)].argmin(axis=1)
    labels[list(medoids)] = np.arange(len(medoids))
    return labels


def pam(diss, medoids, weights=None, max_iter=100):
    """Make the best of all swaps until none improves; return medoids and losses."""
    medoids, history = list(medoids), [loss(diss, medoids, weights)]
    objects = range(len(diss)) if weights is None else np.flatnonzero(weights)
    while len(history) <= max_iter:
        (after, slot), candidate = min(
            (best_swap(diss, medoids, candidate, weights), candidate) for candidate in objects
        )
        if not after < history[-1] - LEAST_GAIN * abs(history[-1]):
            break
        medoids = swapped(medoids, slot, candidate)
        history.append(after)
    return medoids, history


def alternating(diss, medoids):
    """Assign, choose the best object of each cluster, until nothing changes."""
    medoids = list(medoids)
    while True:
        labels = nearest(diss, medoids)
        before = list(medoids)
        for slot in range(len(medoids)):
            members = np.flatnonzero(labels == slot)
            within = diss[np.ix_(members, members)].sum(axis=0)
            best = members[within.argmin()]
            if within.min() < within[list(members).index(medoids[slot])]:
                medoids[slot] = best
        if medoids == before:
            return medoids
