"""Distance matrices: our kernels where they are the fastest, scikit-learn's for the rest."""

import importlib

import numpy as np
from scipy.sparse import issparse
from scipy.spatial.distance import cdist
from sklearn.metrics import pairwise_distances as sklearn_distances
from sklearn.utils import check_array

from .._kernels.distances import METRICS
from .._support.blocks import thread_count
from .._support.cuda import is_device_array, resolve_device, to_host
from .._support.validation import check_threads

_ALIASES = {"manhattan": "cityblock", "l1": "cityblock", "l2": "euclidean"}
_KERNELS = {"cpu": "distances", "cuda": "distances_cuda"}


def pairwise_distances(X, Y=None, metric="euclidean", *, n_jobs=None, device=None, **kwds):
    """Distances between all rows of X and of Y, as in scikit-learn but faster.

    City-block, Chebyshev, Canberra, Hamming, (squared) Euclidean and cosine
    distances of dense data are our own: float32 stays float32, and close pairs
    lose no digits. Everything else is handed to
    :func:`sklearn.metrics.pairwise_distances`.

    Parameters
    ----------
    X : array_like or sparse matrix of shape (n, d), or sequence of n objects
        Objects of any kind are allowed if `metric` is callable.
    Y : array_like or sparse matrix of shape (m, d), or sequence, default=None
        None means X.
    metric : str or callable, default="euclidean"
        A callable takes two rows (or objects) and returns a number. It is
        taken to be symmetric: with Y None it is called for one of two pairs.
    n_jobs : int, default=None
        Threads; None takes what Numba and joblib allow. The result is the same
        for any number.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where X lies.
    **kwds
        Parameters of the metric.

    Returns
    -------
    distances : ndarray of shape (n, m)
        float32 if X and Y are, else float64. Exactly symmetric if Y is None and
        the metric is one of ours.

    Raises
    ------
    ValueError
        If X or Y has NaN or infinite entries, the shapes do not match, or the
        metric is unknown.

    Notes
    -----
    O(n m d) time; besides the result, a few blocks of rows of memory. The
    relative error of a float32 distance is below 1e-6, also for Euclidean
    distances between close points.

    Examples
    --------
    >>> from lowrank_la.cluster import pairwise_distances
    >>> pairwise_distances([[0.0, 0.0], [3.0, 4.0]], metric="cityblock")
    array([[0., 7.],
           [7., 0.]])
    >>> pairwise_distances(["ab", "abcd"], metric=lambda a, b: abs(len(a) - len(b)))
    array([[0., 2.],
           [2., 0.]])
    """
    if n_jobs is not None:
        check_threads("n_jobs", n_jobs)
    if callable(metric):
        return _by_calls(X, Y, metric, kwds)
    name = _ALIASES.get(metric, metric)
    if name not in METRICS or issparse(X) or issparse(Y) or kwds:
        X, Y = _with_small_indices(X), _with_small_indices(Y)
        return sklearn_distances(X, Y, metric, n_jobs=n_jobs, **kwds)
    if not is_device_array(X):
        X, Y = _dense_pair(X, Y)
    device = resolve_device(device, X)
    kernels = importlib.import_module(f"lowrank_la._kernels.{_KERNELS[device]}")
    n_threads = 1 if len(X) < 100 else thread_count(n_jobs)
    return kernels.pairwise(X, Y, name, n_threads)


def _dense_pair(X, Y):
    """X and Y as finite arrays of one float dtype; Y stays None."""
    X = check_array(X, input_name="X", dtype=[np.float64, np.float32])
    if Y is None:
        return X, None
    Y = check_array(Y, input_name="Y", dtype=[np.float64, np.float32])
    if Y.shape[1] != X.shape[1]:
        raise ValueError(f"Y has {Y.shape[1]} features, but X has {X.shape[1]}")
    common = np.result_type(X, Y)
    return X.astype(common, copy=False), Y.astype(common, copy=False)


def fitted_params(X, metric, given):
    """Parameters of a metric, with what is estimated from the data if it is not given."""
    if metric in ("seuclidean", "mahalanobis") and issparse(X):
        raise ValueError(f"metric={metric!r} needs dense X")
    if metric == "seuclidean" and "V" not in given:
        return {**given, "V": np.var(X, axis=0, ddof=1, dtype=np.float64)}
    if metric == "mahalanobis" and not {"V", "VI"} & set(given):
        return {**given, "VI": np.linalg.inv(np.atleast_2d(np.cov(X.T, dtype=np.float64))).T}
    return given


def looks_precomputed(X):
    """Whether X could be a matrix of distances: square, symmetric, zero on the diagonal."""
    if issparse(X) or X.shape[0] != X.shape[1] or len(X) < 3 or X.diagonal().any():
        return False
    return bool((X > 0).sum() == X.size - len(X) and (X == X.T).all())


def exact_distances(X, Y, metric, **kwds):
    """Distances of float64 rows without cancellation, for a few columns: nothing to compile."""
    name = metric if callable(metric) else _ALIASES.get(metric, metric)
    if issparse(X) or callable(metric) or kwds or name not in METRICS or name == "cosine":
        return to_host(pairwise_distances(X, Y, metric, **kwds))
    return cdist(to_host(X), to_host(Y), name)


def _with_small_indices(X):
    """Sparse matrices with 32-bit indices: some of scikit-learn's metrics take no others."""
    if not issparse(X) or X.nnz > np.iinfo(np.int32).max:
        return X
    X = X.tocsr(copy=True)
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return X


def _by_calls(X, Y, metric, kwds):
    """Distances by a Python function, on rows or on objects of any kind."""
    X, Y = (Z.to_numpy() if hasattr(Z, "to_numpy") else Z for Z in (X, Y))
    if Y is not None:
        return np.array([[metric(x, y, **kwds) for y in Y] for x in X], dtype=np.float64)
    distances = np.empty((len(X), len(X)))
    for i, x in enumerate(X):
        for j in range(i + 1):
            distances[i, j] = distances[j, i] = metric(x, X[j], **kwds)
    return distances
