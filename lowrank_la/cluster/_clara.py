"""k-medoids of many objects by way of samples: CLARA, with FasterPAM in each sample.

Kaufman & Rousseeuw, "Finding groups in data", chapter 3 (1990); Schubert & Rousseeuw,
"Fast and eager k-medoids clustering", Information Systems 101 (2021).
"""

from dataclasses import replace
from functools import partial

import numpy as np

from .._support.cuda import is_device_array, to_device, to_host
from .._support.executor import map_merge
from ._init import NO_MEDOIDS
from ._objects import Objects
from ._search import Run
from ._solve import Task, optimise


def clara(
    X,
    n_clusters,
    *,
    metric="euclidean",
    params=None,
    n_sampling_iter=5,
    n_sampling=None,
    init="random",
    max_iter=100,
    weights=None,
    rng=None,
    executor=None,
    device=None,
    callback=None,
):
    """Choose medoids of many objects with FasterPAM in samples of them.

    Parameters
    ----------
    X : array or sparse matrix of shape (n, d), or sequence of n objects
        If ``metric="precomputed"``, the (n, n) matrix of dissimilarities, of which
        only the samples' blocks and the medoids' columns are read.
    n_clusters : int
        How many medoids to choose.
    metric : str or callable, default="euclidean"
        Any metric of :func:`pairwise_distances`, or "precomputed".
    params : dict, optional
        Parameters of the metric.
    n_sampling_iter : int, default=5
        Samples to try.
    n_sampling : int, optional
        Objects in a sample; None means 80 + 4 k.
    init : str or ndarray of int, default="random"
        Initial medoids within the first sample, or given ones, which are put into it.
    max_iter : int, default=100
        Passes over a sample at most.
    weights : ndarray of shape (n,), optional
        Of the objects in the loss. Samples are drawn uniformly among the objects
        of positive weight, and the loss within a sample is weighted.
    rng : numpy.random.Generator
    executor : concurrent.futures.Executor, optional
        Works on the samples after the first one. The result has the same bits
        with any executor, and with none.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where X lies.
    callback : callable, optional
        Called with a dict of ``n_iter`` and the least ``loss`` so far after each
        sample; if it returns True, the best so far is returned.

    Returns
    -------
    result : KMedoidsResult
        Medoids as indices of X, labels of all objects, and the loss over all of
        them in float64; ``n_iter`` counts samples and ``history`` has the least
        loss so far after each; ``n_swap`` and ``converged`` tell about the search
        within the best sample.

    Notes
    -----
    The medoids of the first sample are put into all others, and the search begins
    with them there; these samples do not wait for each other. The last one gets the
    medoids of all before it, and begins with the best. That finds a lower loss than
    handing on the best so far from sample to sample.

    If a sample would hold all objects of positive weight, there is one sample, and the
    medoids are those of FasterPAM.
    """
    objects = Objects(X, metric, params or {}, device)
    weights = np.ones(len(objects)) if weights is None else weights
    size = max(80 + 4 * n_clusters if n_sampling is None else n_sampling, n_clusters)
    n_eligible = np.count_nonzero(weights)
    if n_eligible < n_clusters:
        raise ValueError(f"sample_weight leaves {n_eligible} objects for {n_clusters} medoids")
    everything = size >= n_eligible
    first, *seeds = [rng] if everything else rng.integers(2**63, size=n_sampling_iter).tolist()
    search = partial(_search_sample, objects, weights, size, max_iter)
    start, init = (n_clusters, init) if isinstance(init, str) else (init, "first")
    keep = _Best(search(NO_MEDOIDS, start, init, None, first), callback)
    known = keep.best
    around = partial(search, known.medoids, known.medoids, "first", known)
    middle = (seed for seed in seeds[:-1] if not keep.stopped)
    map_merge(executor, around, middle, _Best.take, keep)
    if seeds and not keep.stopped:
        found = np.unique(np.concatenate(keep.medoids))
        keep.take(search(found, keep.best.medoids, "first", known, seeds[-1]))
    return keep.result(is_device_array(X))


class _Best:
    """The best result so far, and the medoids of all."""

    def __init__(self, first, callback):
        self.best, self.callback = first, callback
        self.stopped, self.medoids, self.history = False, [], []
        self._note(first)

    def _note(self, result):
        self.medoids.append(result.medoids)
        self.history.append(self.best.loss)
        info = {"n_iter": len(self.history), "loss": self.best.loss}
        self.stopped = bool(self.callback and self.callback(info))

    def take(self, result):
        """Consider one more result."""
        if not self.stopped:
            self.best = result if result.loss < self.best.loss else self.best
            self._note(result)
        return self

    def result(self, on_device):
        """Return the best one; on the GPU if the data are there."""
        place = to_device if on_device else np.asarray
        labels, medoids = place(self.best.labels), place(self.best.medoids)
        history = np.array(self.history)
        return replace(
            self.best, labels=labels, medoids=medoids, n_iter=len(history), history=history
        )


def _search_sample(objects, weights, size, max_iter, carried, start, init, known, seed):
    """Medoids of one sample that holds what is carried, and their loss over all objects.

    It is a function of the module so that it can be sent to other processes.
    """
    rng = np.random.default_rng(seed)
    chosen = start if isinstance(start, np.ndarray) else NO_MEDOIDS
    sample = _draw(weights, size, np.union1d(carried, chosen), rng)
    costs = objects.among(sample)
    start = np.searchsorted(sample, chosen) if len(chosen) else start
    task = Task.check(costs, start, weights[sample], name="init")
    found = optimise(task, task.start(init, rng), Run(max_iter))
    medoids = sample[to_host(found.medoids)]
    labels, distances = objects.serve(medoids, known)
    loss = float(np.multiply(weights, distances, out=distances).sum())
    objects.require_finite(loss)
    return replace(found, loss=loss, labels=labels, medoids=medoids)


def _draw(weights, size, carried, rng):
    """Draw a sample among the objects of positive weight, add what is carried, and sort it."""
    positive = weights > 0
    if size >= np.count_nonzero(positive):
        return np.union1d(np.flatnonzero(positive), carried)
    eligible = len(weights) if positive.all() else np.flatnonzero(positive)
    return np.union1d(rng.choice(eligible, size, replace=False), carried)
