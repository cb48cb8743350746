"""The nearest of some rows, and how far it is, on a GPU: the twin of `nearest`."""

import numpy as np

from .._support.cuda import THREADS, cuda, to_device, xp
from . import distances
from .distances_cuda import _with_metric, pairwise

_BLOCK = 1 << 24  # distances to a block, where a matrix of them is made

accumulate = None  # bound where the template is specialised


def _nearest(X, Y, labels, out):
    # A thread to a row of X.
    for i in range(cuda.grid(1), X.shape[0], cuda.gridsize(1)):
        least = np.inf
        label = 0
        for c in range(Y.shape[0]):
            total = 0.0
            for f in range(X.shape[1]):
                total = accumulate(total, np.float64(X[i, f]), np.float64(Y[c, f]))
            if total < least:
                least = total
                label = c
        labels[i] = label
        out[i] = least


_SIGNATURE = "T[:, ::1], T[:, ::1], int32[::1], float64[::1]"
KERNELS = {
    metric: _with_metric(_nearest, metric, _SIGNATURE)
    for metric in (*distances.ACCUMULATE, "sqeuclidean")
}


def nearest(X, Y, metric, n_threads, known=None):
    """Nearest row of Y for every row of X; see `nearest`. What is known is not looked at."""
    X, Y = to_device(X), to_device(Y)
    labels, out = xp.zeros(len(X), np.int32), xp.empty(len(X))
    if metric == "cosine":
        step = max(1, _BLOCK // len(Y))
        for rows in (slice(lo, lo + step) for lo in range(0, len(X), step)):
            to_all = pairwise(X[rows].astype(np.float64), Y.astype(np.float64), metric, 1)
            labels[rows], out[rows] = to_all.argmin(axis=1), to_all.min(axis=1)
        return labels, out
    by = "sqeuclidean" if metric == "euclidean" else metric
    KERNELS[by](-(-len(X) // THREADS), X, Y, labels, out)
    if metric == "euclidean":
        xp.sqrt(out, out=out)
    return labels, out / X.shape[1] if metric == "hamming" else out
