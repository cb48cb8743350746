"""The search for better medoids: its state, and the ways to choose swaps.

Nothing here asks where costs come from: candidates arrive as rows of costs, of
a matrix or computed as they are needed, for all objects or for some.
"""

import time

import numpy as np

from ._cpu import LEAST_GAIN

_AT_ONCE = 8  # medoids that a perturbation replaces at most
_LOOK_UP = 1 << 24  # costs, of which a perturbation reads a few times as many as there are


class Search:
    """Medoids, and what the search keeps about every object and every medoid.

    Parameters
    ----------
    kernels : module
        `_cpu` or `_cuda`.
    rows : array of shape (c, n)
        Costs of serving the n objects by some candidates.
    at : array_like of shape (k,)
        Rows of the medoids.
    weights : array of shape (n,)
    n_threads : int
    medoids : array_like of shape (k,), optional
        What the medoids are called, if not by their rows.
    n_fixed : int, default=0
        The first so many medoids stay.
    """

    def __init__(self, kernels, rows, at, weights, n_threads, medoids=None, n_fixed=0):
        n, k, xp = rows.shape[1], len(at), kernels.xp
        self.kernels, self.weights, self.n_threads = kernels, weights, n_threads
        self.medoids = xp.array(at if medoids is None else medoids, dtype=np.int64)  # a copy
        self.near, self.second = xp.empty(n, rows.dtype), xp.empty(n, rows.dtype)
        self.nearest, self.runner_up = xp.empty(n, np.int32), xp.empty(n, np.int32)
        self.removal, self.table = xp.zeros(k), xp.empty((-(-n // 4), k, 4), rows.dtype)
        self.removal[:n_fixed], self.n_fixed = np.inf, n_fixed
        self.assign(rows, at)

    @property
    def _objects(self):
        return self.near, self.second, self.nearest, self.runner_up

    def assign(self, rows, at):
        """Let each object be served by the best of the present medoids."""
        at = self.kernels.xp.asarray(at)
        args = rows, at, self.medoids, *self._objects, self.table, self.n_threads
        self.kernels.assign(*args)
        self.add_up()

    def add_up(self):
        """Make the sums afresh: swaps only update them, and rounding errors outlive them."""
        args = self.near, self.second, self.nearest, self.weights, self.removal
        self.loss = self.kernels.add_up(*args)

    def eager_swaps(self, rows, order, ids, lo, in_vain, enough):
        """Swap eagerly from place `lo` on; return where the pass stands, and the swaps."""
        if len(self.medoids) == 1:  # none is second nearest: the sums of the rows tell all
            return self._best_single(rows, ids, in_vain)
        lo, in_vain, n_swap, self.loss = self.kernels.eager_swaps(
            lo, in_vain, enough, self.loss, rows, order, ids, self.medoids, *self._objects,
            self.weights, self.removal, self.table, self.n_threads,
        )  # fmt: skip
        return lo, in_vain, n_swap

    def _best_single(self, rows, ids, in_vain):
        xp, n = self.kernels.xp, len(rows)
        losses = xp.where(ids >= 0, (self.weights * rows).sum(axis=1), np.inf)
        row = int(losses.argmin())
        if not np.isfinite(float(losses[row])):
            self.loss = np.nan
        if self.n_fixed or not losses[row] < self.loss - LEAST_GAIN * abs(self.loss):
            return n, in_vain + n, 0
        self.medoids[0], self.near[:], self.loss = ids[row], rows[row], float(losses[row])
        return n, n - row, 1

    def best_swaps(self, rows, ids):
        """Change of the loss by the best candidate for each slot, and its row."""
        args = self.near, self.second, self.nearest, self.weights, self.removal, self.n_threads
        return self.kernels.best_swaps(rows, ids, *args)

    def swap(self, row, slot, rows, ids):
        """Put the candidate of a row in the place of a medoid, whatever that does to the loss."""
        self.medoids[slot] = candidate = int(ids[row])
        state = *self._objects, self.weights, self.removal, self.table, self.n_threads
        self.kernels.swap(candidate, int(slot), rows[row], *state)
        self.add_up()

    def perturb(self, slots, draws, run, rows, order, ids):
        """Replace medoids by candidates, swap eagerly, and keep what is not worse."""
        losses, n_swap, converged = self.kernels.perturb(
            slots, draws, run.max_iter, run.converged, self.loss, rows, order, ids, self.medoids,
            *self._objects,
            self.weights, self.removal, self.table, self.n_threads,
        )  # fmt: skip
        self.loss = float(losses[-1])
        return losses, n_swap, converged

    def gains(self, delta, slot):
        """Whether a change of the loss is more than rounding."""
        return delta < -LEAST_GAIN * (abs(self.loss) + float(self.removal[slot]))


class Run:
    """What ends a search, and what it has done so far.

    Parameters
    ----------
    max_iter : int
        Passes over the candidates at most.
    deadline : float, default=inf
        When to stop, by `time.perf_counter`.
    callback : callable, optional
        Called with a dict after each pass; True stops.

    Attributes
    ----------
    history : list of float
        The least loss so far, after each pass or perturbation.
    n_swap : int
    converged : bool
        Whether no swap improves the result.
    called_off : bool
        Whether the callback has stopped the search.
    """

    def __init__(self, max_iter, deadline=np.inf, callback=None):
        self.max_iter, self.deadline, self.callback = max_iter, deadline, callback
        self.history, self.n_swap, self.converged, self.called_off = [], 0, False, False

    def anew(self):
        """Return a run of the same limits that has done nothing yet."""
        return Run(self.max_iter, self.deadline, self.callback)

    def reset(self):
        """Forget what was done, but not that it was called off."""
        self.history, self.n_swap, self.converged = [], 0, False

    @property
    def late(self):
        """Whether the time is over."""
        return time.perf_counter() >= self.deadline

    @property
    def over(self):
        """Whether to begin no other pass."""
        return self.converged or self.called_off or len(self.history) >= self.max_iter or self.late

    def end_pass(self, loss, n_swap, converged):
        """Note how a pass went, and ask the callback."""
        self.end_perturbations([loss], n_swap, converged)

    def end_perturbations(self, losses, n_swap, converged):
        """Note how some perturbations went, and ask the callback about each."""
        self.n_swap, self.converged = self.n_swap + n_swap, converged
        for loss in losses:
            self.history.append(float(loss))
            if self.callback:
                info = {"n_iter": len(self.history), "loss": self.history[-1]}
                self.called_off = bool(self.callback(info))


def eager_in_blocks(search, blocks, enough, run, require_finite):
    """Swap as soon as a swap improves, until `enough` candidates in a row do not (FasterPAM).

    Parameters
    ----------
    search : Search
        Is improved in place.
    blocks : callable
        Returns an iterable over all candidates: rows, the order to try them in, ids.
    enough : int
        As many as there are candidates, for a local optimum.
    run : Run
    require_finite : callable
        Called with the loss; raises if it is not finite.
    """
    in_vain = 0  # candidates tried since the last swap
    while not run.over:
        swaps = 0
        for rows, order, ids in blocks():
            if in_vain >= enough or run.late:
                break
            lo = 0
            while lo < len(rows) and in_vain < enough and not run.late:
                lo, in_vain, n_swap = search.eager_swaps(rows, order, ids, lo, in_vain, enough)
                require_finite(search.loss)
                swaps += n_swap
        search.add_up()
        run.end_pass(search.loss, swaps, in_vain >= enough)


def eager(search, costs, order, ids, run):
    """Swap as soon as a swap improves, until a whole round has found none (FasterPAM)."""
    eager_in_blocks(
        search, lambda: [(costs.rows, order, ids)], len(costs), run, costs.require_finite
    )


def steepest(search, costs, order, ids, run):
    """Make the best of all swaps in each pass, as PAM does (FastPAM1)."""
    while not run.over:
        deltas, candidates = search.best_swaps(costs.rows, ids)
        slot = int(deltas.argmin())
        costs.require_finite(min(float(deltas[slot]), 0.0))  # infinite where all medoids are fixed
        improves = search.gains(deltas[slot], slot)
        if improves:
            search.swap(candidates[slot], slot, costs.rows, ids)
        run.end_pass(search.loss, int(improves), not improves)


def best_of_each(search, costs, order, ids, run):
    """Make the best swap of each medoid in a pass, as far as it still improves (FastPAM2)."""
    rows = costs.rows
    while not run.over:
        deltas, candidates = search.best_swaps(rows, ids)
        costs.require_finite(min(float(deltas.min()), 0.0))
        swaps = 0
        for slot in deltas.argsort(kind="stable"):
            one = slice(candidates[slot], candidates[slot] + 1)
            delta = search.best_swaps(rows[one], ids[one])[0][slot] if swaps else deltas[slot]
            if search.gains(delta, slot):
                search.swap(candidates[slot], slot, rows, ids)
                swaps += 1
        run.end_pass(search.loss, swaps, not swaps)


def alternating(search, costs, order, ids, run):
    """Make the best object of each cluster its medoid, then assign objects anew."""
    to_host, k, rows = search.kernels.to_host, len(search.medoids), costs.rows
    # Not all costs will be looked at.
    costs.require_finite(float(abs(rows.sum(axis=1, dtype=np.float64)).max()))
    while not run.over:
        args = search.nearest, k, search.weights, search.n_threads
        losses = to_host(costs.matrix.cluster_losses(rows, *args))
        costs.require_finite(losses.sum())
        labels, medoids = to_host(search.nearest), to_host(search.medoids)
        losses = np.where(to_host(ids) >= 0, losses, np.inf)
        order = np.lexsort((losses, labels))
        best = order[np.minimum(np.searchsorted(labels[order], np.arange(k)), len(order) - 1)]
        now = np.bincount(labels, to_host(search.weights * search.near), k)
        gain = np.where(labels[best] == np.arange(k), now - losses[best], 0.0)
        better = (gain > LEAST_GAIN * abs(now)) & np.isfinite(to_host(search.removal))
        if better.any():
            search.medoids[:] = search.kernels.to_device(np.where(better, best, medoids))
            search.assign(rows, search.medoids)
        run.end_pass(search.loss, int(better.sum()), not better.any())


DESCENTS = {
    "fasterpam": eager,
    "fastpam1": steepest,
    "fastpam2": best_of_each,
    "pam": steepest,
    "alternate": alternating,
}


def perturb(search, costs, order, ids, n_perturbations, rng, run):
    """Put random objects in the place of random medoids, and swap eagerly from there.

    Iterated local search; what is worse than before is forgotten.
    """
    to_host = search.kernels.to_host
    free = np.flatnonzero(np.isfinite(to_host(search.removal)))
    eligible = np.flatnonzero(to_host(ids) >= 0)
    at_once = min(_AT_ONCE, len(free))
    if not n_perturbations or not at_once or len(eligible) <= len(search.medoids):
        return
    slots = free[rng.integers(len(free), size=(n_perturbations, at_once))]
    draws = eligible[rng.integers(len(eligible), size=(n_perturbations, at_once))]
    few = 1 if run.callback else max(1, _LOOK_UP // costs.rows.size)
    for some in (slice(lo, lo + few) for lo in range(0, n_perturbations, few)):
        if run.called_off or run.late:
            return
        args = slots[some], draws[some], run, costs.rows, order, ids
        losses, n_swap, converged = search.perturb(*args)
        costs.require_finite(search.loss)
        run.end_perturbations(losses, n_swap, converged)
