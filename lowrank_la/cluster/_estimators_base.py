"""What the estimators of this folder have in common: data in, medoids and labels out."""

import warnings

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from .._support.cuda import is_device_array, to_device, to_host
from .._support.progress import CallbackSupportMixin
from .._support.validation import check_weights, validate_rows
from ._distances import exact_distances, fitted_params, looks_precomputed, pairwise_distances
from ._init import (
    check_fixed,
    check_medoids,
    free_objects,
    initial_medoids,
    random_medoids,
)

_PREDICT_ROWS = 8192  # distances to the medoids are made for so many rows at a time


class MedoidsBase(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Everything but ``fit``; a subclass has `metric`, `metric_params` and `device`."""

    def _check_fit(self, X, sample_weight):
        """Return what ``fit`` was given, checked: samples, the metric's parameters, weights."""
        X = self._check_samples(X, reset=True)
        n_samples = n_objects(X)
        if n_samples < self.n_clusters:
            raise ValueError(f"n_samples={n_samples} should be >= n_clusters={self.n_clusters}")
        params = fitted_params(X, self.metric, self.metric_params or {})
        return X, params, check_weights(sample_weight, n_samples)

    def _start(self, objects, weights, rng):
        """Choose initial medoids, the fixed ones first; all but random ones within a sample."""
        init, k = self.init, int(self.n_clusters)
        medoids = check_medoids(k if isinstance(init, str) else init, len(weights), "init")
        if not isinstance(init, str) and len(medoids) != k:
            raise ValueError(f"init has {len(medoids)} medoids, but n_clusters={k}")
        fixed = check_fixed(self.fixed_medoids, medoids, len(weights))
        free = free_objects(weights, medoids, fixed)
        if not isinstance(init, str):
            return np.concatenate([fixed, medoids[~np.isin(medoids, fixed)]])
        if init == "random":
            return random_medoids(free, k, rng, fixed)
        sample = rng.choice(free, min(len(free), 80 + 4 * k), replace=False)
        sample = np.sort(np.concatenate([fixed, sample]))
        costs, here = objects.among(sample), np.searchsorted(sample, fixed)
        return sample[initial_medoids(costs, k, weights[sample], init, rng, here)]

    @property
    def _n_fixed(self):
        return 0 if self.fixed_medoids is None else np.size(self.fixed_medoids)

    def _set_fitted(self, X, result, params):
        """Take over a result."""
        self.medoid_indices_, self.labels_ = result.medoids, result.labels
        self.cluster_centers_ = self._take(X, result.medoids)
        self.inertia_ = result.loss
        self._metric_params = params
        self.n_iter_, self.converged_ = result.n_iter, result.converged
        self.history_ = result.history
        return self

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

    def _true_loss(self, X, result, weights, params):
        """Return the loss in float64 where the solver saw float32 distances."""
        if self.metric == "precomputed" or getattr(X, "dtype", None) != np.float32:
            return result.loss
        distances, labels = np.empty(len(result.labels)), to_host(result.labels)
        for slot, medoid in enumerate(to_host(result.medoids)):
            members = np.flatnonzero(labels == slot)
            rows, centre = X[members].astype(np.float64), X[[medoid]].astype(np.float64)
            distances[members] = exact_distances(rows, centre, self.metric, **params)[:, 0]
        return float((to_host(weights) * distances).sum())

    @property
    def _n_features_out(self):
        return len(self.medoid_indices_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.metric == "precomputed"
        tags.input_tags.sparse = self.metric != "precomputed"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


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
