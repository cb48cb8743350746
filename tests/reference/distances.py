"""Distances as their definitions say: one pair at a time, in extended precision."""

import numpy as np


def canberra(x, y):
    scale = np.abs(x) + np.abs(y)
    return sum(abs(a - b) / s for a, b, s in zip(x, y, scale, strict=True) if s > 0)


def cosine(x, y):
    """The square of the distance on the unit sphere, halved; vectors of zeros are far from all."""
    if not x.any() or not y.any():
        return 1.0
    difference = x / np.sqrt(np.dot(x, x)) - y / np.sqrt(np.dot(y, y))
    return np.dot(difference, difference) / 2


METRICS = {
    "cityblock": lambda x, y: np.abs(x - y).sum(),
    "chebyshev": lambda x, y: np.abs(x - y).max(),
    "canberra": canberra,
    "hamming": lambda x, y: (x != y).mean(),
    "euclidean": lambda x, y: np.sqrt(np.square(x - y).sum()),
    "sqeuclidean": lambda x, y: np.square(x - y).sum(),
    "cosine": cosine,
}


def pairwise(X, Y, metric):
    X, Y = (np.asarray(array, np.longdouble) for array in (X, Y))
    return np.array([[METRICS[metric](x, y) for y in Y] for x in X], np.float64)
