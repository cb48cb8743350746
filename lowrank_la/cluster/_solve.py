"""From a task to a result: starts, descents, and the loss that is told."""

import time
from dataclasses import dataclass, field

import numpy as np

from .._support.result import Result
from .._support.validation import check_positive, check_weights
from ._dissimilarities import Dissimilarities
from ._init import RANDOM_INITS, check_fixed, check_medoids, initial_medoids
from ._search import DESCENTS, Search, perturb

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
        The loss after each pass, and after each perturbation.
    """

    loss: float
    labels: np.ndarray = field(repr=False)
    medoids: np.ndarray
    n_swap: int


def deadline(max_time):
    """Return when to stop, by `time.perf_counter`."""
    return (
        np.inf if max_time is None else time.perf_counter() + check_positive("max_time", max_time)
    )


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be clustered, checked and on the device."""

    costs: Dissimilarities
    weights: np.ndarray
    medoids: int | np.ndarray
    fixed: np.ndarray

    @classmethod
    def check(cls, costs, medoids, sample_weight=None, fixed_medoids=None, name="medoids"):
        """Return the task, or raise a ValueError."""
        weights = costs.kernels.to_device(check_weights(sample_weight, len(costs)))
        medoids = check_medoids(medoids, len(costs), name)
        fixed = check_fixed(fixed_medoids, medoids, len(costs))
        return cls(costs=costs, weights=weights, medoids=medoids, fixed=fixed)

    def start(self, init, rng):
        """Choose the initial medoids."""
        return initial_medoids(self.costs, self.medoids, self.weights, init, rng, self.fixed)


def best_of_starts(task, method, init, rng, run, n_init=1, n_perturbations=0):
    """Return the best result of several random starts, or of one that is not random.

    Returns
    -------
    result : KMedoidsResult
    run : Run
        The last one.
    """
    best = None
    for _ in range(n_init if isinstance(task.medoids, int) and init in RANDOM_INITS else 1):
        if best and (run.called_off or run.late):
            break
        run, start = run.anew(), task.start(init, rng)
        order = None if best is None else rng.permutation(len(task.costs))
        result = optimise(task, start, run, method, n_perturbations, rng, order)
        if best is None or result.loss < best.loss:
            best = result
    return best, run


def optimise(task, medoids, run, method="fasterpam", n_perturbations=0, rng=None, order=None):
    """Search from given medoids; the loss is that of `diss` as it was passed."""
    costs, weights, xp = task.costs, task.weights, task.costs.kernels.xp
    if len(medoids) == 1:
        return _single_medoid(task, medoids, run)
    n_fixed = len(task.fixed)
    search = Search(costs.kernels, costs.rows, medoids, weights, costs.n_threads, n_fixed=n_fixed)
    ids = xp.where(weights > 0, xp.arange(len(costs)), -1)
    order = xp.arange(len(costs)) if order is None else costs.kernels.to_device(order)
    DESCENTS[method](search, costs, order, ids, run)
    perturb(search, costs, order, ids, n_perturbations, rng, run)
    served = costs.served(search.medoids, search.nearest)
    if not costs.confirm(search.near, served, weights):
        run.reset()
        start = costs.kernels.to_host(search.medoids) if run.called_off else medoids
        return optimise(task, start, run, method, n_perturbations, rng, order)
    loss = float((weights * served).sum())  # not by BLAS, whose threads go on spinning
    return _result(costs, run, loss, search.medoids, search.nearest)


def _single_medoid(task, medoids, run):
    """With one medoid, the sums of the columns say which is the best of all."""
    costs, weights, xp = task.costs, task.weights, task.costs.kernels.xp
    totals = xp.zeros(len(costs))
    for batch in (slice(lo, lo + _BATCH) for lo in range(0, len(costs), _BATCH)):
        totals += (weights[batch, None] * costs.diss[batch]).sum(axis=0)
    costs.require_finite(float(abs(totals).max()))
    totals[weights == 0] = np.inf
    best = int(totals.argmin()) if run.max_iter and not len(task.fixed) else int(medoids[0])
    medoids, labels = xp.array([best], dtype=np.int64), xp.zeros(len(costs), np.int32)
    loss = float((weights * costs.served(medoids, labels)).sum())
    if run.max_iter:
        run.end_pass(loss, 0, True)
    return _result(costs, run, loss, medoids, labels)


def _result(costs, run, loss, medoids, labels):
    costs.require_finite(loss)
    return KMedoidsResult(
        loss=loss,
        labels=labels if costs.stays else costs.kernels.to_host(labels),
        medoids=medoids if costs.stays else costs.kernels.to_host(medoids),
        n_iter=len(run.history),
        n_swap=run.n_swap,
        converged=run.converged,
        history=np.array(run.history),
    )
