"""k-medoids of more objects than a matrix of distances could hold."""

from numbers import Real

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval

from .._support.progress import Progress, with_callbacks
from .._support.random import as_generator
from .._support.validation import all_or_nothing, warn_not_converged
from ._clarans import clarans
from ._dissimilarities import threads_for
from ._estimators_base import AT_LEAST_ONE, COMMON, MedoidsBase
from ._objects import Objects
from ._onebatch import one_batch
from ._search import Run
from ._solve import deadline


class OneBatchKMedoids(MedoidsBase):
    """k-medoids in view of one random batch of the samples (OneBatchPAM).

    Every sample may become a medoid, as in :class:`KMedoids`, but the gain of a
    swap is estimated from `batch_size` random samples only, each of which stands
    for those that are nearest to it. Time and memory grow with n log n instead of
    n², for a loss that is a few percent higher.

    Parameters
    ----------
    n_clusters : int, default=8
        How many medoids to choose.
    metric : str or callable, default="euclidean"
        As for :class:`KMedoids`.
    metric_params : dict, default=None
        Parameters of the metric.
    batch_size : int, default=None
        Samples in the batch; None means 100 ln(n_clusters · n_samples).
    init : {"random", "first", "build", "lab", "k-medoids++"} or array_like of int, default="random"
        Initial medoids: random samples, given indices, or a choice within 80 + 4 k
        random samples as for :class:`KMedoids`.
    fixed_medoids : array_like of int, default=None
        Samples that are medoids whatever the others are; they take the first slots,
        and may have weight zero.
    max_iter : int, default=300
        Passes over the candidates at most.
    max_time : float, default=None
        Seconds after which the search stops with what it has found.
    random_state : None, int, Generator or RandomState, default=None
        Seeds the batch and the random initial medoids; None takes fresh entropy.
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
        Nearest medoid of each sample.
    inertia_ : float
        Sum of the (weighted) distances of all samples to their medoids, in
        float64: not an estimate.
    n_iter_ : int
        Passes over the candidates.
    converged_ : bool
        Whether no single swap improves the estimated loss any more.
    history_ : ndarray of shape (n_iter,)
        The estimated loss after each pass.
    n_features_in_ : int
        Features seen in fit; absent if X was a sequence of objects.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    KMedoids : The exact search, for as many samples as a matrix can hold, or for
        any number of them in a few dimensions.
    CLARA : Faster still: only some samples may be medoids.

    Notes
    -----
    A pass computes n · m distances, of the samples to the m of the batch; up to
    1 GiB of them are kept from pass to pass, and a few passes are enough. Equal
    rows are tried once. If the batch holds all samples, the result is that of
    FasterPAM. Rare clusters far from all others may have nobody in the batch:
    enlarge it, or give them `sample_weight`, in proportion to which it is drawn. Of a
    precomputed matrix the columns of candidates and medoids are read.

    References
    ----------
    A. de Mathelin, N. E. Cecchi, F. Deheeger, M. Mougeot, N. Vayatis. OneBatchPAM:
    a fast and frugal k-medoids algorithm. AAAI 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import OneBatchKMedoids
    >>> X = np.random.default_rng(0).normal(size=(100_000, 2)).astype(np.float32)
    >>> model = OneBatchKMedoids(n_clusters=10, random_state=0).fit(X)
    >>> model.cluster_centers_.shape, model.labels_.shape
    ((10, 2), (100000,))
    """

    _parameter_constraints = {
        **COMMON,
        "batch_size": [AT_LEAST_ONE, None],
        "fixed_medoids": ["array-like", None],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        metric="euclidean",
        metric_params=None,
        batch_size=None,
        init="random",
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
        self.batch_size = batch_size
        self.init = init
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
            Non-negative weights of the samples in the loss. A sample of weight
            zero never becomes a medoid.

        Returns
        -------
        self : OneBatchKMedoids

        Raises
        ------
        ValueError
            If X, a parameter or the weights are not what is described here.
        """
        X, params, weights = self._check_fit(X, sample_weight)
        rng, objects = as_generator(self.random_state), Objects(X, self.metric, params, self.device)
        start = self._start(objects, weights, rng)
        with Progress(self, self.verbose) as progress:
            run = Run(self.max_iter, deadline(self.max_time), progress)
            args = self.batch_size, rng, run, self._n_fixed, threads_for(len(objects))
            result = one_batch(objects, start, weights, *args)
        if not (result.converged or progress.stopped):
            warn_not_converged("OneBatchKMedoids", self.max_iter, self.max_time)
        return self._set_fitted(X, result, params, result.loss)


class CLARANS(MedoidsBase):
    """k-medoids by random candidates, each tried against all medoids (FastCLARANS).

    Random samples are tried as medoids, and swapped in as soon as one improves
    the loss; after `max_neighbors` in vain the search ends. No matrix of distances
    is held: those of a candidate to all samples are computed when it is tried.

    Parameters
    ----------
    n_clusters : int, default=8
        How many medoids to choose.
    metric : str or callable, default="euclidean"
        As for :class:`KMedoids`.
    metric_params : dict, default=None
        Parameters of the metric.
    n_local : int, default=2
        Local searches, from random medoids each; the best result is kept.
    max_neighbors : int, default=None
        Candidates in vain after which a local search ends; None means 2.5 % of the
        samples, but at least 250. With all of them the result is a local optimum
        under every single swap.
    init : {"random", "first", "build", "lab", "k-medoids++"} or array_like of int, default="random"
        Initial medoids: random samples, given indices (for one local search), or a
        choice within 80 + 4 k random samples as for :class:`KMedoids`.
    fixed_medoids : array_like of int, default=None
        Samples that are medoids whatever the others are; they take the first slots,
        and may have weight zero.
    max_iter : int, default=300
        Rounds over all candidates at most, in each local search.
    max_time : float, default=None
        Seconds after which the search stops with what it has found.
    random_state : None, int, Generator or RandomState, default=None
        Seeds the initial medoids and the order of the candidates; None takes fresh
        entropy.
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
        Nearest medoid of each sample.
    inertia_ : float
        Sum of the (weighted) distances to the medoids, in float64.
    n_iter_ : int
        Rounds over the candidates in the best local search.
    converged_ : bool
        Whether the best local search ended because of `max_neighbors`.
    history_ : ndarray of shape (n_iter,)
        The loss after each round of the best local search.
    n_features_in_ : int
        Features seen in fit; absent if X was a sequence of objects.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    OneBatchKMedoids : Tries all candidates, but looks at a batch of samples only.

    Notes
    -----
    A candidate costs n distances, so that a local search costs O(n²) distances
    with the default `max_neighbors`, and O(n k) memory. Where a matrix of distances
    fits, :class:`KMedoids` is better and faster.

    References
    ----------
    R. T. Ng, J. Han. CLARANS: a method for clustering objects for spatial data
    mining. IEEE Transactions on Knowledge and Data Engineering 14 (2002).

    E. Schubert, P. J. Rousseeuw. Fast and eager k-medoids clustering.
    Information Systems 101, 101804 (2021).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import CLARANS
    >>> X = np.array([[1.0, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> model = CLARANS(n_clusters=2, random_state=0).fit(X)
    >>> sorted(model.medoid_indices_.tolist()), model.inertia_
    ([0, 3], 8.0)
    """

    _parameter_constraints = {
        **COMMON,
        "n_local": [AT_LEAST_ONE],
        "max_neighbors": [AT_LEAST_ONE, None],
        "fixed_medoids": ["array-like", None],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        metric="euclidean",
        metric_params=None,
        n_local=2,
        max_neighbors=None,
        init="random",
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
        self.n_local = n_local
        self.max_neighbors = max_neighbors
        self.init = init
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
            Non-negative weights of the samples in the loss. A sample of weight
            zero never becomes a medoid.

        Returns
        -------
        self : CLARANS

        Raises
        ------
        ValueError
            If X, a parameter or the weights are not what is described here.
        """
        X, params, weights = self._check_fit(X, sample_weight)
        rng, objects = as_generator(self.random_state), Objects(X, self.metric, params, self.device)
        n_local = self.n_local if isinstance(self.init, str) else 1
        starts = (self._start(objects, weights, rng) for _ in range(n_local))
        enough = self.max_neighbors or max(250, -(-len(objects) // 40))
        with Progress(self, self.verbose) as progress:
            run = Run(self.max_iter, deadline(self.max_time), progress)
            result, _ = clarans(
                objects, starts, weights, enough, rng, run, self._n_fixed, threads_for(len(objects))
            )
        if not (result.converged or progress.stopped):
            warn_not_converged("CLARANS", self.max_iter, self.max_time)
        return self._set_fitted(X, result, params, result.loss)
