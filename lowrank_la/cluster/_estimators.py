"""k-medoids behind scikit-learn's estimator interface."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from .._support.cuda import resolve_device, to_host
from .._support.progress import Progress, with_callbacks
from .._support.random import as_generator
from .._support.validation import (
    all_or_nothing,
    fits_in_memory,
    warn_not_converged,
)
from ._distances import own_name
from ._estimators_base import AT_LEAST_ONE, COMMON, MedoidsBase, distance_sum, matrix_bytes
from ._init import RANDOM_INITS
from ._matrix_free import METRICS as MATRIX_FREE_METRICS
from ._matrix_free import matrix_free
from ._msc import fastermsc, fastmsc, pammedsil
from ._objects import Objects
from ._search import DESCENTS, Run
from ._silhouette import pamsil
from ._solve import Task, best_of_starts, deadline

SILHOUETTES = {solve.__name__: solve for solve in (fastermsc, fastmsc, pammedsil, pamsil)}


class KMedoids(MedoidsBase):
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
        columns (the function then gets its rows as arrays). It is called
        n (n + 1) / 2 times.
    metric_params : dict, default=None
        Parameters of the metric.
    method : str, default="auto"
        The algorithm: "fasterpam", "fastpam1", "fastpam2", "pam" or "alternate", see
        the functions of these names, need the matrix of all distances. "matrix_free"
        is FasterPAM without it, for rows of a few numbers and a Euclidean, squared
        Euclidean, city-block or Chebyshev metric. "auto" is "fasterpam", or
        "matrix_free" where it applies and a matrix would take more than half of the
        machine's memory. "fastermsc", "fastmsc", "pammedsil" and "pamsil" maximise a
        silhouette instead of minimising the sum of distances.
    init : {"random", "first", "build", "lab", "k-medoids++"} or array_like of int, default="random"
        Initial medoids, as for :func:`fasterpam`, or given indices.
    n_init : int, default=1
        Random starts on one distance matrix; the best result is kept. Initial
        medoids that are not random are tried once.
    n_perturbations : int, default=0
        Iterated local search: so many times, some medoids are replaced by
        random objects and the search goes on from there.
    fixed_medoids : array_like of int, default=None
        Samples that are medoids whatever the others are; they take the first slots,
        and may have weight zero.
    max_iter : int, default=300
        Passes over the candidates at most.
    max_time : float, default=None
        Seconds after which the search stops with what it has found. Distances are
        worked out before, and not counted; compilation, in a first call, is.
    random_state : None, int, Generator or RandomState, default=None
        Seeds the random initial medoids and perturbations; None takes fresh
        entropy, whatever ``numpy.random.seed`` was told.
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
        Passes over the candidates, and perturbations, in the best start.
    converged_ : bool
        Whether the method came to its end: no swap that it makes improves the result.
    history_ : ndarray of shape (n_iter,)
        The loss after each pass, and after each perturbation, of the best start;
        silhouettes, for the methods that maximise them.
    silhouette_ : float or None
        Average silhouette, for the methods that maximise one, else None.
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
    refuses, unless it can do without. Computing it takes O(n² d), each pass O(n²).

    Without a matrix, equal rows are merged, and a candidate is compared only with
    those rows that it could serve better than their second nearest medoid does, as
    far as boxes around groups of rows tell. That takes O(n) memory, and far fewer
    than n² distances in few dimensions; in many (from about ten on, unless the
    clusters are small and far apart) nearly all are computed, again in each pass,
    and ``fit`` warns.

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
        **COMMON,
        "method": [StrOptions({"auto", "matrix_free", *DESCENTS, *SILHOUETTES})],
        "n_init": [AT_LEAST_ONE],
        "n_perturbations": [Interval(Integral, 0, None, closed="left")],
        "fixed_medoids": ["array-like", None],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        metric="euclidean",
        metric_params=None,
        method="auto",
        init="random",
        n_init=1,
        n_perturbations=0,
        fixed_medoids=None,
        max_iter=300,
        max_time=None,
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
        self.n_perturbations = n_perturbations
        self.fixed_medoids = fixed_medoids
        self.max_iter = max_iter
        self.max_time = max_time
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
        X, params, weights = self._check_fit(X, sample_weight)
        self._check_options(X, params)
        with Progress(self, self.verbose) as progress:
            result, loss, silhouette = self._search(X, params, weights, progress)
        if not (result.converged or progress.stopped):
            warn_not_converged("KMedoids", self.max_iter, self.max_time)
        self.silhouette_ = silhouette
        return self._set_fitted(X, result, params, loss)

    def _check_options(self, X, params):
        """Refuse what the method cannot do."""
        if self.method == "matrix_free" and not has_boxes(X, self.metric, params):
            raise ValueError(
                "method='matrix_free' needs a dense X on the host, and one of the metrics "
                + ", ".join(MATRIX_FREE_METRICS)
            )
        given = {
            "n_perturbations": self.n_perturbations > 0,
            "fixed_medoids": self.fixed_medoids is not None,
            "max_time": self.max_time is not None,
        }
        fewer = {"matrix_free": ["n_perturbations"]} | dict.fromkeys(SILHOUETTES, given)
        for name in fewer.get(self.method, []):
            if given[name]:
                raise ValueError(f"{name}={getattr(self, name)!r}: method={self.method!r} has none")

    def _search(self, X, params, weights, progress):
        """Return the best result, its loss in float64, and its silhouette, if it went by one."""
        rng = as_generator(self.random_state)
        without = self.method == "matrix_free"
        if self.method == "auto" and not self.n_perturbations:
            without = has_boxes(X, self.metric, params) and not fits_in_memory(matrix_bytes(X))
        if without:
            result = self._search_without_matrix(X, weights, rng, progress)
            return result, result.loss, None
        costs = self._costs(X, params)
        medoids = self._count_or_medoids(len(weights), int(self.n_clusters))
        task = Task.check(costs, medoids, weights, self.fixed_medoids, "init")
        init = self.init if isinstance(self.init, str) else "first"
        if self.method in SILHOUETTES:
            best = self._search_by_silhouette(task, init, rng, progress)
            return best, distance_sum(costs, best, weights), best.loss
        method = "fasterpam" if self.method == "auto" else self.method
        run = Run(self.max_iter, deadline(self.max_time), progress)
        options = self.n_init, self.n_perturbations
        result, _ = best_of_starts(task, method, init, rng, run, *options)
        return result, self._loss(X, result, params, weights), None

    def _loss(self, X, result, params, weights):
        if self.metric == "precomputed" or getattr(X, "dtype", None) != np.float32:
            return result.loss
        objects = Objects(X, self.metric, params, self.device)
        return float((weights * objects.nearest(to_host(result.medoids))[1]).sum())

    @property
    def _n_starts(self):
        return self.n_init if isinstance(self.init, str) and self.init in RANDOM_INITS else 1

    def _search_by_silhouette(self, task, init, rng, progress):
        solve, best = SILHOUETTES[self.method], None
        for _ in range(self._n_starts):
            if best and progress.stopped:
                break
            result = solve(
                task.costs, task.medoids, self.max_iter, init, rng,
                sample_weight=task.weights, callback=progress,
            )  # fmt: skip
            if best is None or result.loss > best.loss:
                best = result
        return best

    def _search_without_matrix(self, X, weights, rng, progress):
        objects, best = Objects(X, self.metric, {}, self.device), None
        run = Run(self.max_iter, deadline(self.max_time), progress)
        for _ in range(self._n_starts):
            if best and (run.called_off or run.late):
                break
            run, start = run.anew(), self._start(objects, weights, rng)
            device = resolve_device(self.device, X)
            args = own_name(self.metric), rng, run, device, self._n_fixed
            result = matrix_free(X, start, weights, *args)
            if best is None or result.loss < best.loss:
                best = result
        return best


def has_boxes(X, metric, params):
    """Whether bounds on the distances of X can be told from boxes around its rows."""
    return isinstance(X, np.ndarray) and own_name(metric) in MATRIX_FREE_METRICS and not params
