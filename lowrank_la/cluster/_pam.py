"""k-medoids on a matrix of dissimilarities: BUILD and FasterPAM.

Schubert & Rousseeuw, "Fast and eager k-medoids clustering: O(k) runtime
improvement of the PAM, CLARA, and CLARANS algorithms", Information Systems 101
(2021).
"""

from dataclasses import dataclass, field

import numpy as np

from .._support.random import as_generator
from .._support.result import Result
from .._support.validation import check_integer, check_weights, warn_not_converged
from ._dissimilarities import Dissimilarities
from ._init import INITS, check_medoids, initial_medoids

_BATCH = 256  # rows that are added up at a time


@dataclass(frozen=True, eq=False, kw_only=True)
class KMedoidsResult(Result):
    """A clustering by medoids.

    Attributes
    ----------
    loss : float
        Sum over all objects of the (weighted) cost to the medoid that serves
        them, added up in float64.
    labels : ndarray of shape (n,), int32
        Slot of the medoid that serves each object; on the GPU if the
        dissimilarities were passed there.
    medoids : ndarray of shape (k,), int64
        Objects chosen as medoids, by slot; likewise.
    n_swap : int
        Swaps made.
    n_iter : int
        Passes over the candidates.
    converged : bool
        Whether no single swap improves the loss any more.
    history : ndarray of shape (n_iter,)
        The loss after each pass.
    """

    loss: float
    labels: np.ndarray = field(repr=False)
    medoids: np.ndarray
    n_swap: int


class _Clustering:
    """Medoids, and what the search keeps about every object and every medoid."""

    def __init__(self, costs, medoids, weights):
        self.costs, self.kernels = costs, costs.kernels
        self.rows, self.n_threads = costs.rows, costs.n_threads
        kernels, rows, xp = self.kernels, self.rows, self.kernels.xp
        n, k, self.weights = len(rows), len(medoids), weights
        self.medoids = xp.array(medoids, dtype=np.int64)  # a copy: it is swapped in
        self.near, self.second = xp.empty(n, rows.dtype), xp.empty(n, rows.dtype)
        self.nearest, self.runner_up = xp.empty(n, np.int32), xp.empty(n, np.int32)
        self.removal, self.table = xp.empty(k), xp.empty((-(-n // 4), k, 4), rows.dtype)
        objects = self.near, self.second, self.nearest, self.runner_up
        kernels.assign(rows, self.medoids, *objects, self.table, self.n_threads)
        self.add_up()

    def add_up(self):
        """Make the sums afresh: swaps only update them, and rounding errors outlive them."""
        self.kernels.removal_loss(self.near, self.second, self.nearest, self.weights, self.removal)
        self.loss = float((self.weights * self.near).sum())

    def go_on(self, lo, in_vain):
        """Swap eagerly from candidate `lo` on; return where the pass stands, and the swaps."""
        lo, in_vain, n_swap, self.loss = self.kernels.eager_swaps(
            lo, in_vain, self.loss, self.rows, self.medoids, self.near, self.second, self.nearest,
            self.runner_up, self.weights, self.removal, self.table, self.n_threads,
        )  # fmt: skip
        self.costs.require_finite(self.loss)
        return lo, in_vain, n_swap


def eager_swaps(clustering, max_iter, callback=None):
    """Swap as soon as a swap improves, until a whole round has found none.

    Parameters
    ----------
    clustering : _Clustering
        Is improved in place.
    max_iter : int
        Passes over the candidates at most.
    callback : callable, optional
        Called with a dict after each pass; True stops.

    Returns
    -------
    n_swap : int
    converged : bool
    history : list of float
        The loss after each pass.
    """
    n = len(clustering.rows)
    n_swap, history = 0, []
    in_vain = 0  # candidates tried since the last swap
    while in_vain < n and len(history) < max_iter:
        lo = 0
        while lo < n and in_vain < n:
            lo, in_vain, swaps = clustering.go_on(lo, in_vain)
            n_swap += swaps
        clustering.add_up()
        history.append(clustering.loss)
        if callback and callback({"n_iter": len(history), "loss": clustering.loss}):
            break
    return n_swap, in_vain >= n, history


def fasterpam(
    diss,
    medoids,
    max_iter=100,
    init="random",
    random_state=None,
    n_cpu=-1,
    *,
    sample_weight=None,
    device=None,
    callback=None,
):
    """Cluster objects around k of them with FasterPAM.

    Every candidate in turn is tried against all medoids at once, and takes the
    place of the one that it improves on most. The result is a local optimum
    under every single swap of a medoid for another object.

    Parameters
    ----------
    diss : array_like of shape (n, n)
        Dissimilarities: ``diss[i, j]`` is the cost of serving object i by
        medoid j. It need not be symmetric, nor a metric. float32 and float64
        are used as they are, other numeric types are converted to float64. A
        matrix in Fortran order, or a symmetric one in C order, is used in
        place (memory maps too); any other is transposed into a copy once.
    medoids : int or array_like of shape (k,)
        How many medoids to choose, or the initial ones as indices.
    max_iter : int, default=100
        Passes over the candidates at most.
    init : {"random", "first", "build"}, default="random"
        Initial medoids if `medoids` is a number: distinct random objects, the
        first k objects, or those of :func:`pam_build`.
    random_state : None, int, Generator or RandomState, default=None
        Seeds the random initial medoids.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result is the same
        for any number.
    sample_weight : array_like of shape (n,), default=None
        Non-negative weights of the objects in the loss. An object of weight
        zero never becomes a medoid.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where `diss` lies.
    callback : callable, default=None
        Called after each pass with a dict of ``n_iter`` and ``loss``; if it
        returns True the search stops there.

    Returns
    -------
    result : KMedoidsResult
        With ``loss``, ``labels``, ``medoids``, ``n_iter``, ``n_swap``,
        ``converged`` and ``history``.

    Raises
    ------
    ValueError
        If an argument is not what is described here; NaN or infinite
        dissimilarities are found when they are first read.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` passes were not enough.

    Notes
    -----
    A pass costs O(n²) for all k medoids together and reads the matrix once; a
    few passes are enough in practice. Besides the matrix, O(n k) memory is
    needed.

    Whether a C-ordered matrix is symmetric is seen from all entries up to
    n = 1024, and beyond from two random entries of each row and those that the
    final loss adds up: comparing all would take longer than the search. If few
    entries of a large matrix differ from their mirror images, and they matter,
    pass it in Fortran order: that is always read as it stands.

    References
    ----------
    E. Schubert, P. J. Rousseeuw. Fast and eager k-medoids clustering.
    Information Systems 101, 101804 (2021).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import fasterpam
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> result = fasterpam(abs(x[:, None] - x), 2, random_state=0)
    >>> sorted(result.medoids.tolist()), result.loss
    ([1, 4], 4.0)
    """
    if init not in INITS:
        raise ValueError(f"init={init!r} is unknown; use one of {', '.join(map(repr, INITS))}")
    max_iter, rng = check_integer("max_iter", max_iter, 0), as_generator(random_state)
    costs, medoids, weights = _check(diss, medoids, sample_weight, n_cpu, device)
    medoids = initial_medoids(costs, medoids, weights, init, rng)
    result = optimise(costs, medoids, weights, max_iter, callback)
    if not result.converged and result.n_iter == max_iter:
        warn_not_converged("fasterpam", max_iter)
    return result


def pam_build(diss, k, *, sample_weight=None, n_cpu=-1, device=None):
    """Choose k medoids greedily: the initialisation of PAM.

    Parameters
    ----------
    diss : array_like of shape (n, n)
        Dissimilarities, as for :func:`fasterpam`.
    k : int
        How many medoids to choose.
    sample_weight : array_like of shape (n,), default=None
        Non-negative weights of the objects in the loss.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where `diss` lies.

    Returns
    -------
    result : KMedoidsResult
        ``n_iter`` and ``n_swap`` are zero.

    Raises
    ------
    ValueError
        If an argument is not what is described here.

    Notes
    -----
    Costs O(n² k). With FasterPAM after it, random initial medoids are as good
    and much faster.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import pam_build
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> pam_build(abs(x[:, None] - x), 2).medoids.tolist()
    [2, 4]
    """
    k = check_integer("k", k, 1)
    costs, k, weights = _check(diss, k, sample_weight, n_cpu, device, name="k")
    medoids = initial_medoids(costs, k, weights, "build", None)
    return optimise(costs, medoids, weights, max_iter=0)


def optimise(costs, medoids, weights, max_iter, callback=None):
    """FasterPAM from given medoids; the loss is that of `diss` as it was passed."""
    if len(medoids) == 1:
        return _single_medoid(costs, weights, max_iter)
    clustering = _Clustering(costs, medoids, weights)
    outcome = eager_swaps(clustering, max_iter, callback)
    served = costs.served(clustering.medoids, clustering.nearest)
    if not costs.confirm(clustering.near, served, weights):
        return optimise(costs, medoids, weights, max_iter, callback)
    loss = float((weights * served).sum())  # not by BLAS, whose threads go on spinning
    return _result(costs, loss, clustering.medoids, clustering.nearest, *outcome)


def _single_medoid(costs, weights, max_iter):
    """With one medoid, the sums of the columns say which is the best of all."""
    xp, n = costs.kernels.xp, len(costs)
    totals = xp.zeros(n)
    for batch in (slice(lo, lo + _BATCH) for lo in range(0, n, _BATCH)):
        totals += (weights[batch, None] * costs.diss[batch]).sum(axis=0)
    costs.require_finite(float(abs(totals).max()))
    totals[weights == 0] = np.inf
    medoids, labels = totals.argmin()[None], xp.zeros(n, np.int32)
    loss = float((weights * costs.served(medoids, labels)).sum())
    return _result(costs, loss, medoids, labels, 0, True, [loss][:max_iter])


def _result(costs, loss, medoids, labels, n_swap, converged, history):
    costs.require_finite(loss)
    return KMedoidsResult(
        loss=loss,
        labels=labels if costs.stays else costs.kernels.to_host(labels),
        medoids=medoids if costs.stays else costs.kernels.to_host(medoids),
        n_iter=len(history),
        n_swap=n_swap,
        converged=converged,
        history=np.array(history),
    )


def _check(diss, medoids, sample_weight, n_cpu, device, name="medoids"):
    """Return what both functions take, checked and on the device."""
    costs = Dissimilarities(diss, device, n_cpu)
    weights = costs.kernels.to_device(check_weights(sample_weight, len(costs)))
    return costs, check_medoids(medoids, len(costs), name), weights
