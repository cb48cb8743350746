"""Matrices, points and images that decompositions are compared on."""

from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits, load_sample_image

from ._tables import HOUSING, housing

_GRAPH, _WORDS = "graphs/blogcatalog.npz", "graphs/cora.npz"


def of_singular_values(m, n, values, rng):
    """Matrix with these singular values, and singular vectors at random."""
    left, right = (
        linalg.qr(rng.standard_normal((p, len(values))), mode="economic")[0] for p in (m, n)
    )
    return (left * values) @ right.T


def poly(quick=False):
    """Singular values that decay as a power."""
    m, n, rank = (400, 300, 150) if quick else (4000, 3000, 600)
    return of_singular_values(m, n, (1.0 + np.arange(rank)) ** -2, np.random.default_rng(0))


def kernel(quick=False):
    """Gaussian kernel between two clouds of points in four dimensions."""
    n, rng = 500 if quick else 5000, np.random.default_rng(0)
    x, y = rng.standard_normal((n, 4)), 0.8 * rng.standard_normal((n, 4)) + 0.3
    distances = cdist(x, y, "sqeuclidean")
    distances /= -4
    return np.exp(distances, out=distances)


def photo(quick=False):
    """Return a photograph in shades of grey."""
    grey = load_sample_image("china.jpg").mean(axis=2) / 255
    return grey[::4, ::4].copy() if quick else grey


def geometric(decay, quick=False):
    """Singular values that decay geometrically; return them, too."""
    m, n, rank = (300, 200, 100) if quick else (1500, 1000, 400)
    values = decay ** np.arange(rank)
    return of_singular_values(m, n, values, np.random.default_rng(0)), values


def districts(bench, n):
    """Eight numbers of the first so many districts, standardised."""
    X = housing(bench.file(HOUSING))[0][:, 1:9]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return np.ascontiguousarray(X[:n])


def cloud(n):
    """Return normal points in eight dimensions."""
    return np.random.default_rng(0).standard_normal((n, 8))


def _csr(path, prefix, n_columns, data=None):
    """Return the sparse matrix of a file whose arrays begin with a prefix."""
    with np.load(path) as file:
        indices, indptr = file[f"{prefix}indices"], file[f"{prefix}indptr"]
        data = np.ones(len(indices)) if data is None else file[data].astype(float)
        return sparse.csr_array((data, indices, indptr), (len(indptr) - 1, int(file[n_columns])))


def friends(bench):
    """Adjacency matrix of a social network."""
    return _csr(bench.file(_GRAPH), "", "n")


def words(bench):
    """Words of the abstracts of articles."""
    return _csr(bench.file(_WORDS), "x_", "f", "x_data")


class Images(NamedTuple):
    """Digits: what is searched, what is known before, what is asked, and all similarities."""

    items: np.ndarray
    anchor_queries: np.ndarray
    queries: np.ndarray
    to_anchor_queries: np.ndarray
    to_queries: np.ndarray


def shifted_cosines(queries, items):
    """Largest cosine of an item and any of nine shifts of a query, by a pixel at most."""
    items = (items / linalg.norm(items, axis=1, keepdims=True)).T
    frames = np.pad(queries.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    best = np.full((len(queries), items.shape[1]), -np.inf)
    for i, j in np.ndindex(3, 3):
        shifted = frames[:, i : i + 8, j : j + 8].reshape(len(queries), 64)
        sizes = linalg.norm(shifted, axis=1, keepdims=True)
        np.maximum(best, (shifted / np.maximum(sizes, 1e-300)) @ items, out=best)
    return best


def digits():
    """Return the images of digits, in three parts at random."""
    images = load_digits().data
    images = images[np.random.default_rng(0).permutation(len(images))]
    parts = items, anchor_queries, queries = images[:1200], images[1200:1500], images[1500:]
    return Images(*parts, shifted_cosines(anchor_queries, items), shifted_cosines(queries, items))
