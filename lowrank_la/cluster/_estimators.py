"""k-medoids behind scikit-learn's estimator interface."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.metrics.pairwise import _VALID_METRICS
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._support.cuda import is_device_array, to_device, to_host
from .._support.progress import CallbackSupportMixin, Progress, with_callbacks
from .._support.random import as_generator
from .._support.validation import (
    all_or_nothing,
    check_weights,
    require_memory,
    validate_rows,
    warn_not_converged,
)
from ._dissimilarities import Dissimilarities
from ._distances import exact_distances, fitted_params, looks_precomputed, pairwise_distances
from ._init import INITS, check_medoids, initial_medoids
from ._pam import optimise

_PREDICT_ROWS = 8192  # distances to the medoids are made for so many rows at a time


class KMedoids(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
    BaseEstimator,
):
    """k-medoids clustering with FasterPAM.

    Chooses `n_clusters` of the objects as medoids, so that the sum of the
    distances from every object to its nearest medoid is small. Unlike the
    centres of k-means, medoids are objects of the data, and any dissimilarity
    will do.

    Parameters
    ----------
    n_clusters : int, default=8
        How many medoids to choose.
    metric : str or callable, default="euclidean"
        Any metric of :func:`sklearn.metrics.pairwise_distances`; a function of
        two rows; or "precomputed": X is then the square matrix of
        dissimilarities, ``X[i, j]`` the cost of serving object i by medoid j.
        With a function, X may be a sequence of objects of any kind: strings, sets,
        a list of arrays (time series, of any lengths), a data frame of mixed
        columns (the function then gets its rows as arrays). It is called n² / 2
        times.
    metric_params : dict, default=None
        Parameters of the metric.
    method : {"fasterpam"}, default="fasterpam"
        The algorithm.
    init : {"random", "first", "build"} or array_like of int, default="random"
        Initial medoids: distinct random objects, the first ones, the greedy
        choice of :func:`pam_build` (O(n² k)), or given indices.
    n_init : int, default=1
        Random starts on one distance matrix; the best result is kept. Other
        initialisations are deterministic and start once.
    max_iter : int, default=300
        Passes over the candidates at most.
    random_state : None, int, Generator or RandomState, default=None
        Seeds the random initial medoids; None takes fresh entropy, whatever
        ``numpy.random.seed`` was told.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where X lies.
    verbose : int, default=0
        Show a progress bar if not zero.

    Attributes
    ----------
    medoid_indices_ : ndarray of shape (n_clusters,)
        Rows of X that are the medoids.
    cluster_centers_ : array or sparse matrix of shape (n_clusters, n_features)
        The medoids themselves: a list if X was a sequence of objects, None if
        the metric is "precomputed".
    labels_ : ndarray of shape (n_samples,)
        Cluster of each sample.
    inertia_ : float
        Sum of the (weighted) distances to the assigned medoids, in float64.
    n_iter_ : int
        Passes over the candidates in the best start.
    converged_ : bool
        Whether no single swap of a medoid improves the loss any more.
    history_ : ndarray of shape (n_iter,)
        The loss after each pass of the best start.
    n_features_in_ : int
        Features seen in fit; absent if X was a sequence of objects.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    fasterpam : The solver, for a matrix of dissimilarities.

    Notes
    -----
    The matrix of all distances is held in memory: 4 n² bytes for float32 input,
    8 n² for float64. If that is more than half of the machine's memory, ``fit``
    refuses. Computing it takes O(n² d), each pass O(n²).

    A large precomputed matrix in C order is taken to be symmetric if a sample of
    its entries is, see :func:`fasterpam`; in Fortran order nothing is assumed.

    A sample of weight zero never becomes a medoid; integer weights act as
    repeated samples do.

    References
    ----------
    E. Schubert, P. J. Rousseeuw. Fast and eager k-medoids clustering.
    Information Systems 101, 101804 (2021).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import KMedoids
    >>> X = np.array([[1.0, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> model = KMedoids(n_clusters=2, random_state=0).fit(X)
    >>> sorted(model.medoid_indices_.tolist()), model.inertia_
    ([0, 3], 8.0)
    >>> model.predict([[0, 0], [12, 3]]) == model.labels_[[0, 3]]
    array([ True,  True])
    """

    _parameter_constraints = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions({*_VALID_METRICS, "precomputed"} - {"nan_euclidean"}), callable],
        "metric_params": [dict, None],
        "method": [StrOptions({"fasterpam"})],
        "init": [StrOptions(set(INITS)), "array-like"],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state", np.random.Generator],
        "device": [StrOptions({"cpu", "cuda"}), None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        metric="euclidean",
        metric_params=None,
        method="fasterpam",
        init="random",
        n_init=1,
        max_iter=300,
        random_state=None,
        device=None,
        verbose=0,
    ):
        self.n_clusters = n_clusters
        self.metric = metric
        self.metric_params = metric_params
        self.method = method
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y=None, sample_weight=None):
        """Choose the medoids.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features), or sequence of objects
            Samples; if ``metric="precomputed"``, the (n_samples, n_samples)
            matrix of their dissimilarities.
        y : None
            Ignored.
        sample_weight : array_like of shape (n_samples,), default=None
            Non-negative weights of the samples in the loss.

        Returns
        -------
        self : KMedoids

        Raises
        ------
        ValueError
            If X, a parameter or the weights are not what is described here.
        MemoryError
            If the distance matrix would take more than half of the memory.
        """
        X = self._check_samples(X, reset=True)
        n_samples = len(X) if isinstance(X, list) else X.shape[0]
        if n_samples < self.n_clusters:
            raise ValueError(f"n_samples={n_samples} should be >= n_clusters={self.n_clusters}")
        name = "X" if self.metric == "precomputed" else f"X under metric={self.metric!r}"
        params = fitted_params(X, self.metric, self.metric_params or {})
        diss = self._all_distances(X, n_samples, params)
        computed = self.metric != "precomputed"
        costs = Dissimilarities(diss, self.device, name=name, symmetric=computed)
        weights = costs.kernels.to_device(check_weights(sample_weight, n_samples))
        with Progress(self, self.verbose) as progress:
            best = min(self._starts(costs, weights, progress), key=lambda result: result.loss)
        if not best.converged and best.n_iter == self.max_iter:
            warn_not_converged("KMedoids", self.max_iter)

        self.medoid_indices_, self.labels_ = best.medoids, best.labels
        self.cluster_centers_ = self._take(X, best.medoids)
        self.inertia_ = self._true_loss(X, best, weights, params)
        self._metric_params = params
        self.n_iter_, self.converged_, self.history_ = best.n_iter, best.converged, best.history
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

    def _starts(self, costs, weights, progress):
        """Results of all starts on one matrix."""
        rng = as_generator(self.random_state)
        named = isinstance(self.init, str)
        medoids = check_medoids(int(self.n_clusters) if named else self.init, len(costs), "init")
        if not named and len(medoids) != self.n_clusters:
            raise ValueError(f"init has {len(medoids)} medoids, but n_clusters={self.n_clusters}")
        for _ in range(self.n_init if named and self.init == "random" else 1):
            start = initial_medoids(costs, medoids, weights, self.init, rng)
            yield optimise(costs, start, weights, self.max_iter, progress)
            if progress.stopped:
                return

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

    def _all_distances(self, X, n_samples, params):
        if self.metric == "precomputed":
            return X
        itemsize = getattr(getattr(X, "dtype", None), "itemsize", 8)
        require_memory(f"The distance matrix of X ({n_samples} samples)", n_samples**2 * itemsize)
        return pairwise_distances(X, None, self.metric, device=self.device, **params)

    def _to_medoids(self, X):
        if self.metric == "precomputed":
            return X[:, self.medoid_indices_]
        params = {"device": self.device, **self._metric_params}
        return pairwise_distances(X, self.cluster_centers_, self.metric, **params)

    def _nearest(self, X):
        """Nearest medoid of each sample and the distance to it, in float64."""
        check_is_fitted(self)
        X = self._check_samples(X, reset=False)
        n_samples = len(X) if isinstance(X, list) else X.shape[0]
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
