"""What the estimators of this folder have in common: data in, medoids and labels out."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.metrics.pairwise import _VALID_METRICS
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names, check_is_fitted

from .._support.cuda import is_device_array, to_device, to_host
from .._support.progress import CallbackSupportMixin
from .._support.validation import check_weights, require_memory, validate_rows
from ._dissimilarities import Dissimilarities
from ._distances import fitted_params, looks_precomputed, pairwise_distances
from ._init import (
    INITS,
    besides,
    check_fixed,
    check_medoids,
    free_objects,
    initial_medoids,
    random_medoids,
)
from ._objects import Objects

_ADVICE = (
    "OneBatchKMedoids and CLARA need none; or pass a float32 matrix of your own, in memory "
    "or mapped from disk (numpy.memmap), with metric='precomputed'"
)
AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")
COMMON = {
    "n_clusters": [AT_LEAST_ONE],
    "metric": [StrOptions({*_VALID_METRICS, "precomputed"} - {"nan_euclidean"}), callable],
    "metric_params": [dict, None],
    "init": [StrOptions(set(INITS)), "array-like"],
    "max_iter": [AT_LEAST_ONE],
    "random_state": ["random_state", np.random.Generator],
    "device": [StrOptions({"cpu", "cuda"}), None],
    "verbose": ["verbose"],
}
_PREDICT_ROWS = 8192  # distances to the medoids are made for so many rows at a time


class MedoidsBase(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Everything but ``fit``; a subclass has `metric`, `metric_params` and `device`."""

    def _check_fit(self, X, sample_weight, name="n_clusters"):
        """Return what ``fit`` was given, checked: samples, the metric's parameters, weights."""
        X = self._check_samples(X, reset=True)
        n_samples = n_objects(X)
        if n_samples < getattr(self, name):
            raise ValueError(f"n_samples={n_samples} should be >= {name}={getattr(self, name)}")
        params = fitted_params(X, self.metric, self.metric_params or {})
        return X, params, check_weights(sample_weight, n_samples)

    def _count_or_medoids(self, n_samples, k):
        """Return k, or as many initial medoids if `init` gives them."""
        medoids = check_medoids(k if isinstance(self.init, str) else self.init, n_samples, "init")
        if not isinstance(self.init, str) and len(medoids) != k:
            raise ValueError(f"init has {len(medoids)} medoids, but {k} clusters are wanted")
        return medoids

    def _start(self, objects, weights, rng):
        """Choose initial medoids, the fixed ones first; all but random ones within a sample."""
        init, k = self.init, int(self.n_clusters)
        medoids = self._count_or_medoids(len(weights), k)
        fixed = check_fixed(getattr(self, "fixed_medoids", None), medoids, len(weights))
        free = free_objects(weights, medoids, fixed)
        if not isinstance(init, str):
            return np.concatenate([fixed, besides(medoids, fixed)])
        if init == "random":
            return random_medoids(free, k, rng, fixed)
        sample = rng.choice(free, min(len(free), 80 + 4 * k), replace=False)
        sample = np.sort(np.concatenate([fixed, sample]))
        costs, here = objects.among(sample), np.searchsorted(sample, fixed)
        return sample[initial_medoids(costs, k, weights[sample], init, rng, here)]

    @property
    def _n_fixed(self):
        return 0 if self.fixed_medoids is None else np.size(self.fixed_medoids)

    def _set_fitted(self, X, result, params, loss):
        """Take over a result."""
        self.medoid_indices_, self.labels_ = result.medoids, result.labels
        self.cluster_centers_ = self._take(X, result.medoids)
        self.inertia_ = loss
        self._metric_params = params
        self.n_iter_, self.converged_ = result.n_iter, result.converged
        self.history_ = result.history
        return self

    def _costs(self, X, params):
        """All dissimilarities."""
        if self.metric == "precomputed":
            return Dissimilarities(X, self.device, name="X")
        what = f"The distance matrix of X ({n_objects(X)} samples)"
        require_memory(what, matrix_bytes(X), _ADVICE)
        return Objects(X, self.metric, params, self.device).among(None)

    def predict(self, X):
        """Assign each sample to its nearest medoid.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features), or sequence of objects
            New samples; if ``metric="precomputed"``, their dissimilarities to
            all samples of fit, of shape (n_samples, n_samples_fit).

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        labels = self._nearest(X)[0]
        return to_device(labels) if is_device_array(X) else labels

    def transform(self, X):
        """Distances to the medoids.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features), or sequence of objects
            As for :meth:`predict`.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_clusters)
        """
        check_is_fitted(self)
        return self._to_medoids(self._check_samples(X, reset=False))

    def score(self, X, y=None, sample_weight=None):
        """Minus the loss of new samples: the higher the better.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features), or sequence of objects
            As for :meth:`predict`.
        y : None
            Ignored.
        sample_weight : array_like of shape (n_samples,), default=None
            Non-negative weights of the samples in the loss.

        Returns
        -------
        score : float
        """
        distances = self._nearest(X)[1]
        return -float((check_weights(sample_weight, len(distances)) * distances).sum())

    def _check_samples(self, X, *, reset):
        """Return X as a checked array or sparse matrix, or as a list of objects."""
        if callable(self.metric) and _is_sequence_of_objects(X):
            if reset:  # a refit forgets
                vars(self).pop("n_features_in_", None)
                vars(self).pop("feature_names_in_", None)
            elif hasattr(self, "n_features_in_"):
                raise ValueError(f"X holds objects, fit saw rows of {self.n_features_in_} numbers")
            _check_feature_names(self, X, reset=reset)  # of a data frame
            return list(X.to_numpy() if hasattr(X, "to_numpy") else X)
        if self.metric == "precomputed":
            return self._check_precomputed(X, reset)
        X = validate_rows(self, X, reset=reset, accept_sparse="csr")
        if reset and looks_precomputed(X):
            warnings.warn(
                "X looks like a matrix of distances, but is read as samples by features; "
                "for distances, pass metric='precomputed'",
                stacklevel=2,
            )
        return X

    def _check_precomputed(self, X, reset):
        shape = np.shape(X)
        needed = "(n, n) matrix" if reset else f"(n, {self.n_features_in_}) matrix of distances"
        if len(shape) == 2 and shape[1] != (shape[0] if reset else self.n_features_in_):
            raise ValueError(f"X has shape {shape}, but metric='precomputed' needs an {needed}")
        if len(shape) == 1:
            raise ValueError(
                f"X has one dimension, but metric='precomputed' needs an {needed}; "
                "scipy.spatial.distance.squareform makes one of a condensed vector"
            )
        # The solver meets every entry anyway, and finds those that are not finite.
        return validate_rows(self, X, reset=reset, ensure_all_finite=not reset)

    def _to_medoids(self, X):
        if self.metric == "precomputed":
            return X[:, self.medoid_indices_]
        params = {"device": self.device, **self._metric_params}
        return pairwise_distances(X, self.cluster_centers_, self.metric, **params)

    def _nearest(self, X):
        """Nearest medoid of each sample and the distance to it, in float64."""
        check_is_fitted(self)
        X = self._check_samples(X, reset=False)
        n_samples = n_objects(X)
        labels, distances = np.empty(n_samples, np.int32), np.empty(n_samples)
        for batch in gen_batches(n_samples, _PREDICT_ROWS):
            to_medoids = to_host(self._to_medoids(X[batch]))
            labels[batch] = to_medoids.argmin(axis=1)
            distances[batch] = to_medoids.min(axis=1)
        return labels, distances

    def _take(self, X, medoids):
        if self.metric == "precomputed":
            return None
        return [X[i] for i in medoids] if isinstance(X, list) else X[medoids]

    @property
    def _n_features_out(self):
        return len(self.medoid_indices_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.metric == "precomputed"
        tags.input_tags.sparse = self.metric != "precomputed"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def distance_sum(costs, result, weights):
    """Sum of the distances to the medoids, for a search that went by something else."""
    place = costs.kernels.to_device
    served = costs.served(*map(place, (result.medoids, result.labels)))
    return float((place(weights) * served).sum())


def matrix_bytes(X):
    """Memory that all distances would take."""
    return n_objects(X) ** 2 * getattr(getattr(X, "dtype", None), "itemsize", 8)


def n_objects(X):
    """Rows of a matrix, or length of a list."""
    return X.shape[0] if hasattr(X, "shape") else len(X)


def _is_sequence_of_objects(X):
    """Whether X is anything but a two-dimensional collection of numbers."""
    if hasattr(X, "toarray"):
        return False
    if isinstance(X, (str, bytes)) or not hasattr(X, "__len__") or len(X) == 0:
        raise ValueError(f"X={X!r}: an array, or a sequence of at least one object, is needed")
    if isinstance(X, (list, tuple)) and isinstance(X[0], (str, bytes, np.ndarray)):
        return True  # words, or time series of equal lengths or not
    try:
        array = np.asarray(X)
    except ValueError:  # of unequal lengths
        return True
    return array.ndim != 2 or array.dtype.kind not in "fiub"
