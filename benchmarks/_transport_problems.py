"""The problems that solvers of optimal transport are compared on: costs with a maximum of 1."""

import gzip
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import norm


class Problem(NamedTuple):
    """Costs, masses, and the strength of the regularisation."""

    M: np.ndarray  # (n, m)
    a: np.ndarray  # (n,)
    b: np.ndarray  # (m,)
    reg: float

    def error(self, plan):
        """L1 distance of the masses of a plan's rows and columns from those that are given."""
        rows, columns = (plan.sum(axis=axis, dtype=np.float64) for axis in (1, 0))
        return float(abs(rows - self.a).sum() + abs(columns - self.b).sum())


def random_assignment(n):
    """Uniform costs, uniform masses."""
    masses = np.full(n, 1 / n)
    return _scaled(np.random.default_rng(n).random((n, n))), masses, masses


def images(path, first, second, metric, share=0.01):
    """Two images as masses on the grid of their pixels, of which a share is spread evenly."""
    with gzip.open(path) as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
    pixels = pixels[[first, second]] / 1.0
    a, b = (1 - share / 8) * pixels / pixels.sum(axis=1, keepdims=True) + share / (8 * 784)
    return _scaled(cdist(*[np.indices((28, 28)).reshape(2, -1).T] * 2, metric)), a, b


def densities(n, power):
    """An exponential density against a mixture of two normal ones, on a grid of [0, 5]."""
    x = np.linspace(0, 5, n)
    a, b = np.exp(-x), 0.2 * norm.pdf(x, 1, 0.2) + 0.8 * norm.pdf(x, 3, 0.5)
    return _scaled(abs(x[:, None] - x) ** power), a / a.sum(), b / b.sum()


def clouds(n, m, seed=0):
    """Two clouds of points: a noisy ring, and three heaps."""
    rng = np.random.default_rng(seed)
    angles = rng.uniform(0, 2 * np.pi, n)
    ring = np.c_[np.cos(angles), np.sin(angles)] + 0.1 * rng.normal(size=(n, 2))
    centres = np.array([[0, 0.8], [-0.7, -0.4], [0.7, -0.4]])
    heaps = centres[rng.integers(3, size=m)] + 0.2 * rng.normal(size=(m, 2))
    a, b = rng.random(n) + 0.1, rng.random(m) + 0.1
    return ring, heaps, a / a.sum(), b / b.sum()


def cloud_costs(n, m, seed=0):
    """Squared distances between the two clouds."""
    ring, heaps, a, b = clouds(n, m, seed)
    return _scaled(cdist(ring, heaps, "sqeuclidean")), a, b


def _scaled(costs):
    return costs / costs.max()
