"""k-medoids of very many samples, by way of small subsets."""

from sklearn.base import _fit_context

from .._support.progress import Progress, with_callbacks
from .._support.random import as_generator
from .._support.validation import all_or_nothing, warn_not_converged
from ._clara import clara
from ._estimators_base import AT_LEAST_ONE, COMMON, MedoidsBase
from ._objects import Objects


class CLARA(MedoidsBase):
    """k-medoids of very many samples by FasterPAM in small random ones (FasterCLARA).

    Each of a few subsets is clustered by FasterPAM; the medoids that serve all
    samples best are kept. All subsets after the first one contain the medoids found
    there, and the search in them begins with these.

    Parameters
    ----------
    n_clusters : int, default=8
        How many medoids to choose.
    metric : str or callable, default="euclidean"
        As for :class:`KMedoids`.
    metric_params : dict, default=None
        Parameters of the metric.
    n_sampling_iter : int, default=5
        Subsets to try.
    n_sampling : int, default=None
        Samples in a subset; None means 80 + 4 n_clusters, which is quick. Some
        thousand give a much lower loss, for n_sampling² distances each.
    init : {"random", "first", "build", "lab", "k-medoids++"} or array_like of int, default="random"
        Initial medoids within the first subset, as for :class:`KMedoids`, or given
        indices, which are put into it.
    max_iter : int, default=300
        Passes over a subset at most.
    random_state : None, int, Generator or RandomState, default=None
        Seeds the subsets and the initial medoids; None takes fresh entropy.
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
        Sum of the (weighted) distances of all samples to their medoids, in float64.
    n_iter_ : int
        Subsets tried.
    converged_ : bool
        Whether the search in the best subset reached a local optimum.
    history_ : ndarray of shape (n_iter,)
        The least loss so far after each subset.
    n_features_in_ : int
        Features seen in fit; absent if X was a sequence of objects.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    OneBatchKMedoids : Every sample may become a medoid, judged by a batch of samples.

    Notes
    -----
    A subset of s samples costs O(s²), and the distances of all samples to its
    medoids O(n k). Memory is O(n + s²). If a subset would hold all samples, there
    is one, and the result is that of FasterPAM.

    References
    ----------
    L. Kaufman, P. J. Rousseeuw. Finding groups in data: an introduction to cluster
    analysis. Wiley, 1990.

    E. Schubert, P. J. Rousseeuw. Fast and eager k-medoids clustering.
    Information Systems 101, 101804 (2021).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import CLARA
    >>> X = np.random.default_rng(0).normal(size=(100_000, 8)).astype(np.float32)
    >>> model = CLARA(n_clusters=10, random_state=0).fit(X)
    >>> model.cluster_centers_.shape, model.labels_.shape
    ((10, 8), (100000,))
    """

    _parameter_constraints = {
        **COMMON,
        "n_sampling_iter": [AT_LEAST_ONE],
        "n_sampling": [AT_LEAST_ONE, None],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        metric="euclidean",
        metric_params=None,
        n_sampling_iter=5,
        n_sampling=None,
        init="random",
        max_iter=300,
        random_state=None,
        device=None,
        verbose=0,
    ):
        self.n_clusters = n_clusters
        self.metric = metric
        self.metric_params = metric_params
        self.n_sampling_iter = n_sampling_iter
        self.n_sampling = n_sampling
        self.init = init
        self.max_iter = max_iter
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y=None, sample_weight=None, *, executor=None):
        """Choose the medoids.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features), or sequence of objects
            Samples; if ``metric="precomputed"``, the (n_samples, n_samples)
            matrix of their dissimilarities, of which the subsets' blocks and the
            medoids' columns are read.
        y : None
            Ignored.
        sample_weight : array_like of shape (n_samples,), default=None
            Non-negative weights of the samples in the loss. Subsets are drawn among
            those of positive weight.
        executor : concurrent.futures.Executor, default=None
            Works on the subsets after the first one: threads, processes, or a
            cluster's. The result has the same bits with any, and with none.

        Returns
        -------
        self : CLARA

        Raises
        ------
        ValueError
            If X, a parameter or the weights are not what is described here.
        """
        X, params, weights = self._check_fit(X, sample_weight)
        objects, rng = Objects(X, self.metric, params, self.device), as_generator(self.random_state)
        init = self.init if isinstance(self.init, str) else self._start(objects, weights, rng)
        with Progress(self, self.verbose) as progress:
            result = clara(
                X, int(self.n_clusters), metric=self.metric, params=params,
                n_sampling_iter=self.n_sampling_iter, n_sampling=self.n_sampling, init=init,
                max_iter=self.max_iter, weights=weights, rng=rng, executor=executor,
                device=self.device, callback=progress,
            )  # fmt: skip
        if not (result.converged or progress.stopped):
            warn_not_converged("CLARA", self.max_iter)
        return self._set_fitted(X, result, params, result.loss)
