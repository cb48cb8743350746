"""What the searches by silhouettes have in common, from the checks to the result."""

from dataclasses import replace

import numpy as np

from .._support.cuda import twin
from .._support.random import as_generator
from .._support.validation import check_weights
from ._dissimilarities import Dissimilarities
from ._init import NO_MEDOIDS, check_init, check_medoids, initial_medoids
from ._search import Run
from ._solve import KMedoidsResult, Task
from ._solve import optimise as optimise_costs

LEAST_GAIN = 1e-12  # of the silhouette, by a swap: less is rounding in the sums behind it


def check_problem(diss, medoids, init, random_state, sample_weight, n_cpu, device):
    """Return costs, initial medoids and weights, checked and on the device."""
    check_init(init)
    rng = as_generator(random_state)
    costs = diss if isinstance(diss, Dissimilarities) else Dissimilarities(diss, device, n_cpu)
    weights = costs.kernels.to_device(check_weights(sample_weight, len(costs)))
    medoids = check_medoids(medoids, len(costs))
    return costs, initial_medoids(costs, medoids, weights, init, rng), weights


class RatioSearch:
    """Medoids, and what a search keeps about every object and every medoid.

    Attributes
    ----------
    loss : float
        Weighted sum over the objects of their cost to the nearest medoid over
        that to the second nearest.
    """

    def __init__(self, costs, medoids, weights):
        self.costs, self.kernels = costs, twin(__package__, costs.device, "_msc")
        xp, n = costs.kernels.xp, len(costs)
        self.rows, self.n_threads, self.weights = costs.rows, costs.n_threads, weights
        self.medoids = xp.array(medoids, dtype=np.int64)  # a copy: it is swapped in
        self.served = xp.empty((3, n), costs.rows.dtype)
        self.slots, self.terms = xp.empty((3, n), np.int32), xp.empty((n, 8))
        self.terms[:, 6] = weights
        self.total = float(weights.sum())
        self.kernels.assign(self.rows, *self.state, self.n_threads)
        self.add_up()

    @property
    def state(self):
        return self.medoids, self.served, self.slots, self.terms

    @property
    def silhouette(self):
        return 1 - self.loss / self.total

    def add_up(self):
        """Make the sums afresh: swaps only update them, and rounding errors outlive them."""
        self.loss = float((self.weights * self.terms[:, 3]).sum())
        require_ratios(self.costs, self.loss)
        self.removal = self.costs.kernels.xp.empty(len(self.medoids))
        self.kernels.removal_loss(self.slots, self.terms, self.removal)

    def swap_eagerly(self):
        """One pass that swaps whatever improves; return the swaps, and whether it was in vain."""
        lo, n, n_swap = 0, len(self.rows), 0
        while lo < n and self.in_vain < n:
            lo, self.in_vain, swaps, self.loss = self.kernels.eager_swaps(
                lo, self.in_vain, self.loss, LEAST_GAIN * self.total,
                self.rows, *self.state, self.removal, self.n_threads,
            )  # fmt: skip
            n_swap += swaps
            require_ratios(self.costs, self.loss)
        return n_swap, self.in_vain >= n

    def swap_best(self):
        """Make the best swap of all; return the swaps, and whether there was none."""
        xp = self.costs.kernels.xp
        deltas, slots = self.kernels.best_swaps(
            self.rows, *self.state[1:], self.removal, self.n_threads
        )
        deltas[self.medoids] = np.inf
        deltas[self.weights == 0] = np.inf
        candidate = int(xp.where(xp.isnan(deltas), -np.inf, deltas).argmin())
        if xp.isnan(deltas[candidate]):
            require_ratios(self.costs, np.nan)
        if not deltas[candidate] < -LEAST_GAIN * self.total:
            return 0, True
        return self.swap(candidate, int(slots[candidate]))

    def swap(self, candidate, slot):
        """Put a candidate in the place of a medoid, unless the sums, made afresh, say no.

        Returns the swaps, and whether there was none: what was foretold may be rounding.
        """
        before, state = self.silhouette, [array.copy() for array in self.state]
        self.kernels.swap(candidate, slot, self.rows, *self.state, self.removal)
        self.add_up()
        if self.silhouette > before:
            return 1, False
        self.medoids, self.served, self.slots, self.terms = state
        return 0, True

    def remove_dearest(self):
        """Drop the medoid that is missed most; the last one takes over its slot."""
        slot = int(self.removal.argmax())
        self.medoids[slot] = self.medoids[-1]
        self.medoids = self.medoids[:-1].copy()
        self.kernels.remove(slot, self.rows, *self.state, self.n_threads)
        self.add_up()

    def run(self, one_pass, max_iter, callback=None, history=()):
        """Make passes until one is in vain.

        Returns
        -------
        n_swap : int
        done, stopped : bool
            Whether the last pass was in vain; whether the callback ended it all.
        history : list of float
            The longer one.
        """
        self.in_vain, n_swap, history = 0, 0, list(history)
        end, done, stopped = len(history) + max_iter, False, False
        while not (done or stopped) and len(history) < end:
            swaps, done = one_pass()
            n_swap += swaps
            self.add_up()
            history.append(self.silhouette)
            info = {"n_iter": len(history), "loss": self.silhouette, "k": len(self.medoids)}
            stopped = bool(callback and callback(info))
        return n_swap, done, stopped, history

    def result(self, loss, n_swap, converged, history):
        """Where the caller's data lie."""
        return KMedoidsResult(
            loss=loss,
            **solution(self.costs, self.medoids, self.slots[0]),
            n_swap=n_swap,
            n_iter=len(history),
            converged=converged,
            history=np.array(history),
        )


def require_ratios(costs, total):
    """Refuse the matrix if a sum of ratios is not a number."""
    if not np.isfinite(total):
        _refuse(costs.name)


def require_dissimilarities(array, name="diss"):
    """Refuse what is NaN, infinite or negative."""
    if not (array.min() >= 0 and array.max() < np.inf):
        _refuse(name)


def _refuse(name):
    raise ValueError(
        f"{name} has dissimilarities that are NaN, infinite or negative: a silhouette is made "
        "of ratios, and needs finite ones of at least 0"
    )


def optimise(costs, medoids, weights, one_pass, max_iter, callback):
    """Search from given medoids; the loss is that of `diss` as it was passed.

    Returns
    -------
    result : KMedoidsResult
    stopped : bool
        Whether the callback ended the search.
    """
    if len(medoids) == 1:
        return single_medoid(costs, medoids, weights, max_iter, callback)
    search = RatioSearch(costs, medoids, weights)
    n_swap, converged, stopped, history = search.run(lambda: one_pass(search), max_iter, callback)
    loss = confirmed(costs, search.medoids, search.slots, search.served, weights)
    if loss is None:
        return optimise(costs, medoids, weights, one_pass, max_iter, callback)
    return search.result(loss, n_swap, converged, history), stopped


def confirmed(costs, medoids, slots, served, weights):
    """Silhouette by `diss` as it was passed; None if costs were read wrong, because asymmetric."""
    xp = costs.kernels.xp
    near, second = (costs.served(medoids, slots[i]) for i in (0, 1))
    if not (costs.confirm(served[0], near, weights) and costs.confirm(served[1], second, weights)):
        return None
    ratios = xp.minimum(near, second) / xp.where(second > 0, second, 1)
    return 1 - float((weights * ratios).sum()) / float(weights.sum())


def solution(costs, medoids, labels):
    """Where the caller's data lie."""
    found = {"medoids": medoids, "labels": labels.astype(np.int32)}
    return found if costs.stays else {key: costs.kernels.to_host(a) for key, a in found.items()}


def single_medoid(costs, medoids, weights, max_iter, callback):
    """One medoid has no silhouette: that of least total cost, and silhouette 0."""
    require_dissimilarities(costs.rows, costs.name)
    task = Task(costs=costs, weights=weights, medoids=medoids, fixed=NO_MEDOIDS)
    found = optimise_costs(task, medoids, Run(min(1, max_iter)))
    stopped = bool(found.n_iter and callback and callback({"n_iter": 1, "loss": 0.0, "k": 1}))
    return replace(found, loss=0.0, history=np.zeros(found.n_iter)), stopped
