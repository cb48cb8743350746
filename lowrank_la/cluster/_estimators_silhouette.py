"""k-medoids that finds out how many clusters there are."""

import warnings

import numpy as np
from sklearn.base import _fit_context

from .._support.progress import Progress, with_callbacks
from .._support.random import as_generator
from .._support.validation import all_or_nothing, warn_not_converged
from ._dynmsc import dynmsc
from ._estimators_base import AT_LEAST_ONE, COMMON, MedoidsBase, distance_sum


class DynMSC(MedoidsBase):
    """k-medoids that chooses the number of clusters by the medoid silhouette (DynMSC).

    The average medoid silhouette is maximised for `max_clusters` medoids, then for
    one less after the other, each time from what was found before; the best of all
    is kept, and the silhouettes of all numbers tell how clear the choice was.

    Parameters
    ----------
    max_clusters : int, default=8
        The greatest number of medoids; with fewer samples, as many as these.
    min_clusters : int, default=2
        The least number of medoids. One cluster has silhouette 0.
    metric : str or callable, default="euclidean"
        As for :class:`KMedoids`.
    metric_params : dict, default=None
        Parameters of the metric.
    init : {"random", "first", "build", "lab", "k-medoids++"} or array_like of int, default="random"
        Initial medoids, as for :func:`fasterpam`, or `max_clusters` given indices.
    max_iter : int, default=300
        Passes over the candidates at most, for each number of medoids.
    random_state : None, int, Generator or RandomState, default=None
        Seeds the random initial medoids; None takes fresh entropy.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where X lies.
    verbose : int, default=0
        Show a progress bar if not zero.

    Attributes
    ----------
    n_clusters_ : int
        The number of medoids with the greatest silhouette.
    k_values_ : ndarray of shape (max_clusters - min_clusters + 1,)
        The numbers of medoids that were tried, rising.
    silhouettes_ : ndarray of shape (max_clusters - min_clusters + 1,)
        Average medoid silhouette for each of them.
    medoid_indices_ : ndarray of shape (k,), with k = `n_clusters_`
        Rows of X that are the medoids.
    cluster_centers_ : array or sparse matrix of shape (k, n_features)
        The medoids themselves: a list if X was a sequence of objects, None if
        the metric is "precomputed".
    labels_ : ndarray of shape (n_samples,)
        Cluster of each sample.
    inertia_ : float
        Sum of the (weighted) distances to the medoids, in float64.
    n_iter_ : int
        Passes over the candidates, for all numbers together.
    converged_ : bool
        Whether `max_iter` was enough for every number.
    history_ : ndarray of shape (n_iter,)
        The silhouette after each pass.
    n_features_in_ : int
        Features seen in fit; absent if X was a sequence of objects.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    dynmsc : The solver, for a matrix of dissimilarities.
    KMedoids : With ``method="fastermsc"``, the same for one number of clusters.

    Notes
    -----
    Needs the matrix of all distances, as :class:`KMedoids` does; a pass costs O(n²).

    References
    ----------
    L. Lenssen, E. Schubert. Medoid silhouette clustering with automatic cluster
    number selection. Information Systems 120, 102290 (2024).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import DynMSC
    >>> X = np.append(np.linspace(0, 1, 10), np.linspace(10, 11, 10))[:, None]
    >>> model = DynMSC(4, random_state=0).fit(X)
    >>> model.n_clusters_, model.k_values_.tolist()
    (2, [2, 3, 4])
    """

    _parameter_constraints = {
        **{name: kinds for name, kinds in COMMON.items() if name != "n_clusters"},
        "max_clusters": [AT_LEAST_ONE],
        "min_clusters": [AT_LEAST_ONE],
    }

    def __init__(
        self,
        max_clusters=8,
        *,
        min_clusters=2,
        metric="euclidean",
        metric_params=None,
        init="random",
        max_iter=300,
        random_state=None,
        device=None,
        verbose=0,
    ):
        self.max_clusters = max_clusters
        self.min_clusters = min_clusters
        self.metric = metric
        self.metric_params = metric_params
        self.init = init
        self.max_iter = max_iter
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y=None, sample_weight=None):
        """Choose the medoids, and how many.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features), or sequence of objects
            Samples; if ``metric="precomputed"``, the (n_samples, n_samples)
            matrix of their dissimilarities.
        y : None
            Ignored.
        sample_weight : array_like of shape (n_samples,), default=None
            Non-negative weights: a sample of weight 2 counts as two, one of weight
            zero never becomes a medoid.

        Returns
        -------
        self : DynMSC

        Raises
        ------
        ValueError
            If X, a parameter or the weights are not what is described here.
        MemoryError
            If the distance matrix would take more than half of the memory.
        """
        if self.min_clusters > self.max_clusters:
            raise ValueError(
                f"min_clusters={self.min_clusters} is more than max_clusters={self.max_clusters}"
            )
        X, params, weights = self._check_fit(X, sample_weight, "min_clusters")
        medoids = self._count_or_medoids(len(weights), self._most_clusters(weights))
        costs, rng = self._costs(X, params), as_generator(self.random_state)
        init = self.init if isinstance(self.init, str) else "first"
        with Progress(self, self.verbose) as progress:
            result = dynmsc(
                costs, medoids, int(self.min_clusters), self.max_iter, init, rng,
                sample_weight=weights, callback=progress,
            )  # fmt: skip
        if not (result.converged or progress.stopped):
            warn_not_converged("DynMSC", self.max_iter)
        self.n_clusters_, self.k_values_ = result.bestk, result.rangek
        self.silhouettes_ = result.losses
        return self._set_fitted(X, result, params, distance_sum(costs, result, weights))

    def _most_clusters(self, weights):
        """As many as were asked for, or as there are samples."""
        possible = np.count_nonzero(weights)
        if self.max_clusters <= possible:
            return int(self.max_clusters)
        warnings.warn(
            f"max_clusters={self.max_clusters}, but X has only {possible} samples of positive "
            f"weight: {possible} clusters are tried at most",
            stacklevel=3,
        )
        return max(possible, int(self.min_clusters))
