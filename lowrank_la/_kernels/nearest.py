"""The nearest of some rows, and how far it is: a matrix of distances that is never stored."""

import functools

import numpy as np

from .._support.blocks import frozen, run_blocks
from .._support.jit import kernel, specialise
from . import narrow
from .distances import ACCUMULATE, pairwise, root, squared

_MOST_ROWS, _BLOCK = 2**13, 2**20  # of X to a block; distances to a block
_EUCLIDEAN = {"euclidean": (squared, root), "sqeuclidean": (squared, narrow.itself)}

_GUESSED_ROWS = 2**16  # of X to a block where few of them need a look at all of Y
_TRIANGULAR = ("euclidean", "cityblock", "chebyshev", "hamming")
_HALF = 0.5 * (1 - 1e-5)  # less what rounding may have added
_TINY = 1e-150  # squares below may have vanished


accumulate = finish = None  # bound where the template is specialised


def _of_pairs(lo, hi, b, X, Y, labels, out):
    # (n, d) (k, d) (n,) in; (n,) out. From each row of X to that of its label.
    d = np.uint64(X.shape[1])
    for i in range(np.uint64(lo), np.uint64(hi)):
        c = np.uint64(labels[i])
        total = 0.0
        for f in range(d):
            total = accumulate(total, np.float64(X[i, f]), np.float64(Y[c, f]))
        out[i] = finish(total)


@functools.cache
def _pair_kernel(metric):
    accumulate, finish = _EUCLIDEAN.get(metric) or (ACCUMULATE[metric], narrow.itself)
    return specialise(_of_pairs, metric, accumulate=accumulate, finish=finish)


@kernel
def _least(distances, labels, least):
    # (k, n) in; (n,) (n,) out. The first one, of several that are as near.
    n = np.uint64(len(least))
    for i in range(n):
        labels[i] = 0
        least[i] = distances[0, i]
    for c in range(np.uint64(1), np.uint64(len(distances))):
        label = np.int32(c)
        for i in range(n):
            distance = distances[c, i]
            closer = distance < least[i]
            labels[i] = label if closer else labels[i]
            least[i] = distance if closer else least[i]


def _by_products(metric, d):
    """Whether the distances come from matrix products, which are parallel on their own."""
    wide = d > narrow.MOST_FEATURES
    return metric == "cosine" or (wide and metric in _EUCLIDEAN)


def _settle(rows, Y, metric, n_threads, spare=None):
    """Nearest rows of Y by looking at all of them."""
    if metric == "cosine":  # close directions differ in the last digits
        rows, Y = rows.astype(np.float64), Y.astype(np.float64)
    if _by_products(metric, rows.shape[1]):
        to_all = pairwise(rows, Y, metric, n_threads).T
    else:
        out = None if spare is None else spare[: len(rows) * len(Y)].reshape(len(Y), len(rows))
        to_all = pairwise(Y, rows, metric, n_threads, out)
    labels, least = np.empty(len(rows), np.int32), np.empty(len(rows), to_all.dtype)
    _least(frozen(to_all), labels, least)
    if least.dtype == np.float64:
        return labels, least
    return labels, _served(rows, Y, metric, labels)


def _served(rows, Y, metric, labels):
    """Distances to the rows of Y that the labels tell."""
    distances = np.empty(len(rows))
    _pair_kernel(metric)(0, len(rows), 0, frozen(rows), Y, labels, distances)
    return distances / rows.shape[1] if metric == "hamming" else distances


def _radii(Y, metric):
    """Return how near a row of Y must be so that no other one is as near."""
    apart = pairwise(Y, None, metric, 1).astype(np.float64)
    np.fill_diagonal(apart, np.inf)
    return _HALF * apart.min(axis=1)


def _settle_guessed(rows, Y, metric, labels, radii):
    """Nearest rows of Y by looking at all of them only where the guess is not surely right."""
    distances = _served(rows, Y, metric, labels)
    unsure = np.flatnonzero(~((distances < radii[labels]) & (distances > _TINY)))
    if len(unsure):
        n_parts = -(-len(unsure) // _rows_of_block(Y))
        for part in np.array_split(unsure, n_parts):
            labels[part], distances[part] = _settle(rows[part], Y, metric, 1)
    return labels, distances


def _rows_of_block(Y):
    return min(_MOST_ROWS, max(256, _BLOCK // len(Y)))


def nearest(X, Y, metric, n_threads, known=None):
    """Nearest row of Y for every row of X.

    Parameters
    ----------
    X, Y : ndarray of shape (n, d), (k, d)
        Of one dtype, float32 or float64; finite.
    metric : str
        One of `distances.METRICS`.
    n_threads : int
    known : tuple of ndarray of shape (m, d) and (n,), optional
        Other rows, and which of them is the nearest to each row of X. Where the
        triangle inequality shows that the row of Y next to that is the nearest,
        no other is looked at. Anything else that is passed costs time only.

    Returns
    -------
    labels : ndarray of shape (n,), int32
        Of rows that are equally near, the first; distances are compared in the
        precision of the data, and may be taken for equal, or swapped, if they
        differ by a rounding error.
    distances : ndarray of shape (n,), float64
        To the rows of these labels, of the accuracy of float64 even for float32
        data.
    """
    X, Y = frozen(X), frozen(Y)
    labels, distances = np.empty(len(X), np.int32), np.empty(len(X))
    guessed = known is not None and len(Y) > 1 and metric in _TRIANGULAR
    products = _by_products(metric, X.shape[1]) and not guessed
    outer, inner = (1, n_threads) if products else (n_threads, 1)
    n_rows = min(len(X), _GUESSED_ROWS if guessed else _rows_of_block(Y))
    spares = []  # memory for the distances of a block, one for each thread
    if guessed:
        following = _settle(frozen(known[0]), Y, metric, 1)[0]
        radii = _radii(Y, metric)

    def block(lo, hi, b):
        if guessed:
            guess = following[known[1][lo:hi]]
            found = _settle_guessed(X[lo:hi], Y, metric, guess, radii)
        else:
            spare = spares.pop() if spares else np.empty(n_rows * len(Y), X.dtype)
            found = _settle(X[lo:hi], Y, metric, inner, spare)
            spares.append(spare)
        labels[lo:hi], distances[lo:hi] = found

    run_blocks(block, len(X), n_rows, (), outer)
    return labels, distances
