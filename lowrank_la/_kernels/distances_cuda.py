"""Distances between all pairs of rows on a GPU: the twin of `distances`.

Every metric goes through the tiles here, Euclidean ones too: differences have
no cancellation to repair.
"""

import types

import numpy as np

from .._support.cuda import SIMULATED, cuda, cuda_kernel, device_function, to_device, xp
from . import distances

TILE = 4 if SIMULATED else 16  # rows of X and of Y, and features, that a block keeps at a time


accumulate = None  # bound where the template is specialised


def _tiles(X, Y, out):
    x_tile = cuda.shared.array((TILE, TILE), np.float64)
    y_tile = cuda.shared.array((TILE, TILE), np.float64)
    row, column = cuda.threadIdx.x // TILE, cuda.threadIdx.x % TILE
    across = (out.shape[1] + TILE - 1) // TILE
    n_tiles = (out.shape[0] + TILE - 1) // TILE * across
    for tile in range(cuda.blockIdx.x, n_tiles, cuda.gridDim.x):
        i, j = tile // across * TILE + row, tile % across * TILE + column
        mine = tile % across * TILE + row  # the row of Y that this thread fetches
        total = 0.0
        for start in range(0, X.shape[1], TILE):
            f = start + column
            inside = f < X.shape[1]
            x_tile[row, column] = X[i, f] if inside and i < X.shape[0] else 0.0
            y_tile[row, column] = Y[mine, f] if inside and mine < Y.shape[0] else 0.0
            cuda.syncthreads()
            for step in range(min(TILE, X.shape[1] - start)):
                total = accumulate(total, x_tile[row, step], y_tile[column, step])
            cuda.syncthreads()
        if i < out.shape[0] and j < out.shape[1]:
            out[i, j] = total


def _with_metric(template, metric, signature, **options):
    """Kernel of a template that calls `accumulate`, with one metric compiled into it."""
    accumulate = device_function(distances.ACCUMULATE.get(metric, distances.squared))
    names = {**template.__globals__, "accumulate": accumulate}
    function = types.FunctionType(template.__code__, names, f"{template.__name__}_{metric}")
    return cuda_kernel(signature, **options)(function)


_SIGNATURE = "T[:, ::1], T[:, ::1], T[:, ::1]"
KERNELS = {
    metric: _with_metric(_tiles, metric, _SIGNATURE, threads=TILE * TILE)
    for metric in (*distances.ACCUMULATE, "sqeuclidean")
}


def _by_features(X, Y, metric):
    out = xp.empty((len(X), len(Y)), X.dtype)
    n_tiles = -(-len(X) // TILE) * -(-len(Y) // TILE)
    KERNELS[metric](n_tiles, X, Y, out)
    return out


def _unit_rows(X):
    norms = xp.sqrt(xp.square(X.astype(np.float64)).sum(axis=1))
    norms[norms == 0.0] = 1.0
    return (X / norms[:, None]).astype(X.dtype)


def pairwise(X, Y, metric, n_threads, out=None):
    """Distances between the rows of X and those of Y; see `distances`. New memory is taken."""
    X = to_device(X)
    Y = X if Y is None else to_device(Y)
    if metric == "euclidean":
        squares = _by_features(X, Y, "sqeuclidean")
        return xp.sqrt(squares, out=squares)
    if metric == "cosine":
        return _cosine(X, Y)
    out = _by_features(X, Y, metric)
    return out / X.shape[1] if metric == "hamming" else out


def _cosine(X, Y):
    A, B = _unit_rows(X), _unit_rows(Y)
    out = _by_features(A, B, "sqeuclidean") / 2
    # A row of zeros is at distance one from all others.
    out[~A.any(axis=1)] = 1.0
    out[:, ~B.any(axis=1)] = 1.0
    if Y is X:
        xp.fill_diagonal(out, 0.0)
    return out
