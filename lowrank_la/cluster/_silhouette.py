"""Silhouettes of given clusterings, and PAMSIL, which makes the average one great."""

import numpy as np

from .._support.blocks import thread_count
from .._support.cuda import is_device_array, resolve_device, to_host, twin
from .._support.validation import (
    check_integer,
    check_threads,
    check_weights,
    warn_not_converged,
)
from ._dissimilarities import Dissimilarities, check_dissimilarities
from ._init import check_medoids
from ._msc_search import (
    LEAST_GAIN,
    RatioSearch,
    check_problem,
    require_dissimilarities,
    single_medoid,
)


def medoid_silhouette(diss, meds, samples=False, *, sample_weight=None, device=None):
    """Average medoid silhouette of a clustering around medoids.

    The medoid silhouette of an object is 1 - a / b, where a is its cost to the
    nearest medoid and b to the second nearest (0 / 0 counts as 0).

    Parameters
    ----------
    diss : array_like of shape (n, n)
        Dissimilarities that are not negative: ``diss[i, j]`` is the cost of
        serving object i by medoid j. Only the columns of `meds` are read.
    meds : array_like of shape (k,)
        Medoids, as indices.
    samples : bool, default=False
        Whether to return the silhouette of every object, too.
    sample_weight : array_like of shape (n,), default=None
        Non-negative weights of the objects in the average.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where `diss` lies.

    Returns
    -------
    average : float
        Between 0 and 1; 0 for one medoid, which has no silhouette. (The
        package kmedoids gives 1 there.)
    values : ndarray of shape (n,) or (0,)
        The silhouettes of the objects, if `samples` is true.

    Raises
    ------
    ValueError
        If an argument is not what is described here.

    Notes
    -----
    Costs O(n k).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import medoid_silhouette
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> average, values = medoid_silhouette(abs(x[:, None] - x), [1, 4], samples=True)
    >>> round(average, 3), values.round(2).tolist()
    (0.933, [0.91, 1.0, 0.89, 0.89, 1.0, 0.91])
    """
    _check_flag(samples)
    kernels = twin(__package__, resolve_device(device, diss))
    given = check_dissimilarities(diss)
    meds = check_medoids(np.asarray(meds), len(given), "meds")
    weights = check_weights(sample_weight, len(given))
    xp = kernels.xp
    costs = xp.asarray(given[:, meds]).astype(np.float64)
    require_dissimilarities(costs)
    if len(meds) == 1:
        values = xp.zeros(len(given))
    else:
        near, second = xp.partition(costs, 1, axis=1)[:, :2].T
        values = 1 - near / xp.where(second > 0, second, 1)
    return _scores(values, xp.asarray(weights), samples, is_device_array(diss))


def silhouette(diss, labels, samples=False, n_cpu=-1, *, sample_weight=None, device=None):
    """Average silhouette of a clustering.

    The silhouette of an object is (b - a) / max(a, b), where a is its average
    dissimilarity to the other members of its own cluster, and b the least of
    its averages over the other clusters. It is 0 if the object is alone.

    Parameters
    ----------
    diss : array_like of shape (n, n)
        Dissimilarities that are not negative, from the objects of the rows;
        what an object's is to itself does not count.
    labels : array_like of shape (n,)
        Which cluster each object is in: any values that can be sorted.
    samples : bool, default=False
        Whether to return the silhouette of every object, too.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result is the same
        for any number.
    sample_weight : array_like of shape (n,), default=None
        Non-negative weights: an object of weight 2 counts as two.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where `diss` lies.

    Returns
    -------
    average : float
        Between -1 and 1; 0 if there is but one cluster.
    values : ndarray of shape (n,) or (0,)
        The silhouettes of the objects, if `samples` is true.

    Raises
    ------
    ValueError
        If an argument is not what is described here.

    Notes
    -----
    Reads the matrix once, in O(n²), and takes O(n k) memory besides.

    References
    ----------
    P. J. Rousseeuw. Silhouettes: a graphical aid to the interpretation and
    validation of cluster analysis. Journal of Computational and Applied
    Mathematics 20 (1987).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import silhouette
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> average, _ = silhouette(abs(x[:, None] - x), ["a", "a", "a", "b", "b", "b"])
    >>> round(average, 3)
    0.866
    """
    _check_flag(samples)
    check_threads("n_cpu", n_cpu)
    place = resolve_device(device, diss)
    kernels, base = twin(__package__, place, "_silhouette"), twin(__package__, place)
    given = check_dissimilarities(diss)
    labels, sizes = _check_labels(labels, len(given))
    weights = check_weights(sample_weight, len(given))
    require_dissimilarities(given)
    labels, weights = base.to_device(labels), base.to_device(weights)
    sizes = base.xp.bincount(labels, weights, len(sizes))
    sums, threads = base.xp.empty((len(sizes), len(given))), thread_count(n_cpu)
    if given.flags.c_contiguous:
        kernels.object_sums(base.to_device(given), labels, weights, sums, threads)
    else:
        kernels.member_sums(base.to_device(given.T), labels, weights, sums, threads)
    diagonal = base.xp.asarray(given.diagonal()).astype(np.float64)
    values = kernels.silhouettes(sums, sizes, labels, weights, diagonal, threads)
    return _scores(values, weights, samples, is_device_array(diss))


def pamsil(
    diss,
    medoids,
    max_iter=100,
    init="build",
    random_state=None,
    *,
    sample_weight=None,
    n_cpu=-1,
    device=None,
    callback=None,
):
    """Cluster objects around k of them by the average silhouette (PAMSIL).

    Each pass makes the swap of a medoid for another object after which the
    average :func:`silhouette` is the greatest, if that is more than before.
    This is much slower than :func:`fastermsc`, which approximates it.

    Parameters
    ----------
    diss : array_like of shape (n, n)
        Dissimilarities that are not negative, as for :func:`fasterpam`.
    medoids : int or array_like of shape (k,)
        How many medoids to choose, or the initial ones as indices.
    max_iter : int, default=100
        Passes, and so swaps, at most.
    init : str, default="build"
        Initial medoids if `medoids` is a number, as for :func:`fasterpam`.
    random_state : None, int, Generator or RandomState, default=None
        Seeds random initial medoids.
    sample_weight : array_like of shape (n,), default=None
        Non-negative weights: an object of weight 2 counts as two. An object of
        weight zero never becomes a medoid.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result is the same
        for any number.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where `diss` lies.
    callback : callable, default=None
        Called after each pass with a dict of ``n_iter``, ``loss`` and ``k``; if
        it returns True the search stops there.

    Returns
    -------
    result : KMedoidsResult
        As of :func:`fasterpam`, but ``loss`` and ``history`` are average
        silhouettes: between -1 and 1, and more is better. ``n_iter`` counts
        the passes, one for each swap and a last one that finds none.

    Raises
    ------
    ValueError
        If an argument is not what is described here.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` passes were not enough, and no callback stopped the search.

    Notes
    -----
    A pass costs O(n³ + n² k²): all that a candidate does to the sums behind
    the silhouettes is done once, and for each medoid that may make way for it
    only that medoid's objects are added up anew. The original algorithm takes
    O(n³ k). With one medoid the silhouette is 0, and the medoid of least total
    cost is returned.

    References
    ----------
    M. Van der Laan, K. Pollard, J. Bryan. A new partitioning around medoids
    algorithm. Journal of Statistical Computation and Simulation 73 (8), 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import pamsil
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> result = pamsil(abs(x[:, None] - x), 2)
    >>> result.labels.tolist(), round(result.loss, 3)
    ([0, 0, 0, 1, 1, 1], 0.866)
    """
    max_iter = check_integer("max_iter", max_iter, 0)
    costs, medoids, weights = check_problem(
        diss, medoids, init, random_state, sample_weight, n_cpu, device
    )
    require_dissimilarities(costs.diss, costs.name)
    if costs.rows is costs.diss and not bool((costs.diss == costs.diss.T).all()):
        costs.transpose(costs.diss)  # the little that it costs here, it may well cost
    if len(medoids) == 1:
        result, stopped = single_medoid(costs, medoids, weights, max_iter, callback)
    else:
        search = _AverageSearch(costs, medoids, weights)
        n_swap, converged, stopped, history = search.run(search.swap_best, max_iter, callback)
        result = search.result(search.silhouette, n_swap, converged, history)
    if not (result.converged or stopped or isinstance(diss, Dissimilarities)):
        warn_not_converged("pamsil", max_iter)
    return result


class _AverageSearch(RatioSearch):
    """A search that goes by the average silhouette of the objects."""

    def __init__(self, costs, medoids, weights):
        self.average = twin(__package__, costs.device, "_silhouette")
        xp = costs.kernels.xp
        self.diagonal = xp.asarray(costs.diss.diagonal()).astype(np.float64)
        self.sums = xp.empty((len(medoids), len(costs)))
        super().__init__(costs, medoids, weights)

    @property
    def silhouette(self):
        return self.score / self.total

    def add_up(self):
        """Make the sums afresh."""
        super().add_up()
        xp, labels = self.costs.kernels.xp, self.slots[0].copy()
        self.average.member_sums(self.rows, labels, self.weights, self.sums, self.n_threads)
        sizes = xp.bincount(labels, self.weights, len(self.medoids))
        values = self.average.silhouettes(
            self.sums, sizes, labels, self.weights, self.diagonal, self.n_threads
        )
        self.score = float((self.weights * values).sum())

    def swap_best(self):
        """Make the best swap of all; return the swaps, and whether there was none."""
        totals, slots = self.average.try_swaps(
            self.rows, self.served, self.slots, self.weights, self.diagonal, self.sums,
            self.n_threads,
        )  # fmt: skip
        totals[self.medoids] = -np.inf
        totals[self.weights == 0] = -np.inf
        least = LEAST_GAIN * self.total
        if not totals.max() > self.score + least:
            return 0, True
        # Many swaps lead to the same clusters: the first of them, whatever the rounding.
        candidate = int((totals >= totals.max() - least).argmax())
        return self.swap(candidate, int(slots[candidate]))


def _check_flag(samples):
    if not isinstance(samples, bool | np.bool_):
        raise ValueError(f"samples={samples!r}: True or False is needed")


def _check_labels(labels, n):
    """Return labels as int32 numbers from 0 on, and the distinct values."""
    labels = to_host(labels)
    if labels.shape != (n,) or labels.dtype.kind not in "iufbUS":
        raise ValueError(
            f"labels has shape {labels.shape} and dtype {labels.dtype}: ({n},) and numbers or "
            "text are needed"
        )
    values, inverse = np.unique(labels, return_inverse=True)
    return inverse.astype(np.int32), values


def _scores(values, weights, samples, stays):
    """Return the average, and the values where they are wanted."""
    average = float((weights * values).sum() / weights.sum())
    found = values if samples else values[:0]
    return average, found if stays else to_host(found)
