"""Where entries of a positive semi-definite matrix come from: rows of it, when they are asked for.

The matrix exists, or is a Gaussian kernel, or any other kernel: those are scikit-learn's, as are
the names and parameters of all of them.

The classes share four methods: ``diagonal()``; ``take(indices)``, what is to be known of pivots;
``rows(pivots)``, which returns ``fill(lo, hi, out)``, a function that subtracts an array from their
rows in columns lo to hi, in its place; ``among(indices)``, the matrix in some rows and columns. The
diagonal and the last are in float64, on the host. `n` is the number of columns, `n_threads` how
many threads may call ``fill`` at the same time, or None.
"""

from numbers import Real

import numpy as np
from scipy import sparse

from .._support.cuda import is_device_array, to_device, to_host, twin
from .._support.validation import as_floats, checked_sparse

_LEAST = {"gamma": 0, "degree": 1, "coef0": -np.inf}
_DIAGONAL = 64  # rows whose kernel is computed for its diagonal


class Precomputed:
    """Rows of a matrix that exists."""

    n_threads = None

    def __init__(self, matrix, device):
        place = to_device if device == "cuda" else to_host
        self._matrix = place(matrix)
        self.n, self.dtype = matrix.shape[1], np.dtype(matrix.dtype)

    def diagonal(self):
        return to_host(self._matrix.diagonal()).astype(np.float64)

    def take(self, indices):
        return indices

    def rows(self, pivots):
        pivots = to_device(pivots) if is_device_array(self._matrix) else pivots

        def fill(lo, hi, out):
            np.subtract(self._matrix[:, lo:hi][pivots], out, out=out)

        return fill

    def among(self, indices):
        indices = to_device(indices) if is_device_array(self._matrix) else indices
        return to_host(self._matrix[indices[:, None], indices]).astype(np.float64)


class Gaussian:
    """Rows of the kernel exp(-gamma |x - y|²) of dense points."""

    n_threads = None

    def __init__(self, points, gamma, device):
        self._kernels = twin(__package__, device, "_rp")
        self._points, self._gamma, self._device = to_host(points), gamma, device
        self.n, self.dtype = len(points), np.dtype(points.dtype)
        self._features = self._kernels.features_first(points)

    def diagonal(self):
        return np.ones(self.n)

    def take(self, indices):
        return self._points[indices]

    def rows(self, pivots):
        pivots = self._kernels.contiguous(pivots, self.dtype)

        def fill(lo, hi, out):
            self._kernels.gaussian(self._features, pivots, self._gamma, lo, hi, out)

        return fill

    def among(self, indices):
        points = self._points[indices]
        out = self._kernels.contiguous(np.zeros((len(points), len(points))), self.dtype)
        Gaussian(points, self._gamma, self._device).rows(points)(0, len(points), out)
        return to_host(out).astype(np.float64)


class Pairwise:
    """Rows of a kernel that scikit-learn, or a function of the user's, computes."""

    def __init__(self, points, kernel, params):
        self._points, self._kernel, self._params = points, kernel, params
        self.n, self.dtype = points.shape[0], np.dtype(points.dtype)
        self.n_threads = 1 if callable(kernel) else None  # it may not be made for several

    def diagonal(self):
        step = 1 if callable(self._kernel) and not _is_of_matrices(self._kernel) else _DIAGONAL
        parts = (self._points[lo : lo + step] for lo in range(0, self.n, step))
        return np.concatenate([np.diagonal(self._of(X, X)) for X in parts])

    def take(self, indices):
        return self._points[indices]

    def rows(self, pivots):
        def fill(lo, hi, out):
            np.subtract(self._of(pivots, self._points[lo:hi]), out, out=out)

        return fill

    def among(self, indices):
        return self._of(self._points[indices], self._points[indices])

    def _of(self, X, Y):
        from sklearn.metrics.pairwise import pairwise_kernels

        try:
            found = pairwise_kernels(
                X, Y, self._kernel, filter_params=True, n_jobs=1, **self._params
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f"kernel={self._kernel!r} failed on rows of the points: {error}; "
                             "a function must return a number for two rows") from error  # fmt: skip
        return np.asarray(found, np.float64)


def _is_of_matrices(kernel):
    """Whether a kernel is one of scikit-learn's Gaussian processes, which take all rows at once."""
    from sklearn.gaussian_process.kernels import Kernel

    return isinstance(kernel, Kernel)


def entries_of(X, kernel, params, device):
    """Return the rows of a kernel of checked points, or of a checked matrix of its values.

    Parameters
    ----------
    X : array or CSR matrix
        Points in its rows; for "precomputed", the matrix.
    kernel : str or callable
    params : dict
        Of the kernel: see :func:`kernel_parameters`.
    device : {"cpu", "cuda"}
    """
    if kernel == "precomputed":
        return Precomputed(X, device)
    if kernel == "rbf" and not sparse.issparse(X):
        gamma = params.get("gamma")
        return Gaussian(X, 1.0 / X.shape[1] if gamma is None else float(gamma), device)
    if device == "cuda":
        raise ValueError(
            f"kernel={kernel!r}: on a GPU there are 'precomputed' and dense 'rbf' alone"
        )
    return Pairwise(X, kernel, params)


def kernel_parameters(kernel, gamma, degree, coef0, kernel_params):
    """Return the parameters to call a kernel with, checked; None leaves one to the kernel."""
    given = {"gamma": gamma, "degree": degree, "coef0": coef0}
    given = {name: value for name, value in given.items() if value is not None}
    if not isinstance(kernel_params, dict | None):
        raise ValueError(f"kernel_params={kernel_params!r}: a dict, or None, is needed")
    others = dict(kernel_params or {})
    if callable(kernel) or kernel == "precomputed":
        if given:
            raise ValueError(f"{', '.join(given)}: kernel={kernel!r} has none; use kernel_params")
        return others
    from sklearn.metrics.pairwise import KERNEL_PARAMS

    if not isinstance(kernel, str) or kernel not in KERNEL_PARAMS:
        names = ", ".join(map(repr, ["precomputed", *sorted(KERNEL_PARAMS)]))
        raise ValueError(f"kernel={kernel!r} is unknown; use a function or one of {names}")
    for name, value in {**others, **given}.items():
        if name in _LEAST:
            _check_parameter(name, value)
    wanted = {name: value for name, value in given.items() if name in KERNEL_PARAMS[kernel]}
    return {**others, **wanted}


def _check_parameter(name, value):
    real = isinstance(value, Real) and not isinstance(value, bool)
    if value is not None and not (real and _LEAST[name] <= value < np.inf):
        least = "" if _LEAST[name] == -np.inf else f" of at least {_LEAST[name]}"
        raise ValueError(f"{name}={value!r}: a finite number{least} is needed")


def checked_points(name, X):
    """Return points as a float array, on any device, or CSR matrix, all finite."""
    if sparse.issparse(X):
        X = checked_sparse(name, X).tocsr()
        values = X.data = as_floats(name, X.data)
    else:
        X = values = as_floats(name, X)
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"{name} has shape {X.shape}: points in rows, at least one, are needed")
    if values.size and not bool(abs(values).max() < np.inf):
        raise ValueError(f"{name} has entries that are NaN or infinite")
    return X


def checked_matrix(name, A):
    """Return a square array, as it lies; those in Fortran's order are transposed."""
    A = as_floats(name, A)
    if A.ndim != 2 or A.shape[0] != A.shape[1] or not A.size:
        raise ValueError(f"{name} has shape {A.shape}: a square matrix is needed, "
                         "or points and the name of a kernel")  # fmt: skip
    return A.T if A.flags.f_contiguous and not A.flags.c_contiguous else A
