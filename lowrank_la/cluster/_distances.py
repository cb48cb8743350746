"""Distance matrices: our kernels where they are the fastest, scikit-learn's for the rest."""

import importlib

import numpy as np
from scipy.sparse import issparse
from sklearn.metrics import pairwise_distances as sklearn_distances
from sklearn.utils import check_array, gen_batches

from .._kernels.distances import METRICS
from .._support.blocks import thread_count
from .._support.cuda import is_device_array, resolve_device, to_device, to_host
from .._support.validation import check_threads

_ALIASES = {"manhattan": "cityblock", "l1": "cityblock", "l2": "euclidean"}
_BLOCK_ROWS = 8192  # whose distances are made at a time, where they are not fused
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


def own_name(metric):
    """Name of a metric in our kernels; None for a function."""
    return None if callable(metric) else _ALIASES.get(metric, metric)


def nearest_rows(X, Y, metric="euclidean", *, n_threads=None, device=None, known=None, **kwds):
    """Nearest row of Y for every row of X, in O(n) memory besides X.

    Parameters
    ----------
    X : array or sparse matrix of shape (n, d), or sequence of n objects
        Checked by the caller. If ``metric="precomputed"``, dissimilarities of
        shape (n, m).
    Y : array or sparse matrix of shape (k, d), or sequence of k objects
        Likewise; columns of X, as integers, if ``metric="precomputed"``.
    metric : str or callable, default="euclidean"
        Any metric of :func:`pairwise_distances`, or "precomputed".
    n_threads : int, optional
        None takes what Numba and joblib allow. The result is the same for any
        number.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where X lies.
    known : tuple of array of shape (m, d) and ndarray of shape (n,), optional
        Other rows, and which of them is the nearest to each row of X: that saves
        time if the clusters are apart and the rows of Y are not far from these.
    **kwds
        Parameters of the metric.

    Returns
    -------
    labels : array of shape (n,), int32
        The first of several rows that are equally near, up to a rounding error
        in the precision of the data. On the GPU if X is there.
    distances : array of shape (n,), float64
        Likewise; of the accuracy of float64, also for float32 data.
    """
    name = own_name(metric)
    if name not in METRICS or issparse(X) or issparse(Y) or kwds:
        return _nearest_by_blocks(X, Y, metric, n_threads, kwds)
    device = resolve_device(device, X)
    common = np.result_type(X.dtype, Y.dtype)
    X, Y = X.astype(common, copy=False), Y.astype(common, copy=False)
    if device == "cuda":
        kernels = importlib.import_module("lowrank_la._kernels.nearest_cuda")
        found = kernels.nearest(X, Y, name, 1)
        return found if is_device_array(X) else tuple(map(to_host, found))
    kernels = importlib.import_module("lowrank_la._kernels.nearest")
    return kernels.nearest(X, Y, name, thread_count(n_threads), known)


def _nearest_by_blocks(X, Y, metric, n_threads, kwds):
    """Nearest rows by matrices of distances, of so many rows of X at a time."""
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    labels, distances = np.empty(n, np.int32), np.empty(n)
    if metric != "precomputed":
        Y = _in_double(Y)
    elif is_device_array(X):
        Y = to_device(Y)
    for rows in gen_batches(n, _BLOCK_ROWS):
        if metric == "precomputed":
            to_all = to_host(X[rows][:, Y])
        else:
            to_all = to_host(
                pairwise_distances(_in_double(X[rows]), Y, metric, n_jobs=n_threads, **kwds)
            )
        labels[rows], distances[rows] = to_all.argmin(axis=1), to_all.min(axis=1)
    return labels, distances


def _in_double(X):
    """Numbers in float64, so that float32 loses no digits; anything else as it is."""
    return X.astype(np.float64) if getattr(X, "dtype", None) == np.float32 else X


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


def _with_small_indices(X):
    """Sparse matrices with 32-bit indices: some of scikit-learn's metrics take no others."""
    if not issparse(X) or X.nnz > np.iinfo(np.int32).max:
        return X
    X = X.tocsr(copy=True)
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return X


def _as_sequence(X):
    """Rows of whatever holds them; those of a sparse matrix stay sparse, with one row each."""
    if issparse(X):
        return [X[[i]] for i in range(X.shape[0])]
    return X.to_numpy() if hasattr(X, "to_numpy") else X


def _by_calls(X, Y, metric, kwds):
    """Distances by a Python function, on rows or on objects of any kind."""
    X, Y = map(_as_sequence, (X, Y))
    if Y is not None:
        return np.array([[metric(x, y, **kwds) for y in Y] for x in X], dtype=np.float64)
    distances = np.empty((len(X), len(X)))
    for i, x in enumerate(X):
        for j in range(i + 1):
            distances[i, j] = distances[j, i] = metric(x, X[j], **kwds)
    return distances
