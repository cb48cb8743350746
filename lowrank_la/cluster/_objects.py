"""What is clustered where no matrix of all dissimilarities is at hand."""

from dataclasses import dataclass, field

import numpy as np

from .._support.cuda import is_device_array, resolve_device, to_device, to_host, twin
from .._support.validation import require_finite
from ._dissimilarities import Dissimilarities
from ._distances import nearest_rows, pairwise_distances
from ._solve import KMedoidsResult

_COSTS = 1 << 21  # that are computed at a time
_FEW_CALLS = 1 << 14  # the same of a Python function: the clock is read in between
_ODD, _HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)


@dataclass(frozen=True, eq=False)
class Objects:
    """Objects, and a way to tell how much it costs to serve one by another.

    Parameters
    ----------
    X : array or sparse matrix of shape (n, d), or sequence of n objects
        If ``metric="precomputed"``, the (n, n) matrix of dissimilarities.
    metric : str or callable, default="euclidean"
        Any metric of :func:`pairwise_distances`, or "precomputed".
    params : dict, optional
        Parameters of the metric.
    device : {None, "cpu", "cuda"}, default=None
    """

    X: object
    metric: object = "euclidean"
    params: dict = field(default_factory=dict)
    device: str | None = None

    def __len__(self):
        return self.X.shape[0] if hasattr(self.X, "shape") else len(self.X)

    def __getitem__(self, indices):
        """Objects of these indices."""
        if is_device_array(self.X):
            return self.X[to_device(indices)]
        return self.X[indices] if hasattr(self.X, "shape") else [self.X[i] for i in indices]

    @property
    def name(self):
        """What the caller knows the costs by."""
        return "X" if self.metric == "precomputed" else f"X under metric={self.metric!r}"

    @property
    def kernels(self):
        """`_cpu` or `_cuda`."""
        return twin(__package__, resolve_device(self.device, self.X))

    def require_finite(self, total):
        """Refuse the objects if a sum of some costs is not finite."""
        require_finite(self.name, total)

    def among(self, sample):
        """Dissimilarities of all pairs of a sample (None: of all objects)."""
        if self.metric == "precomputed":
            return Dissimilarities(self[np.ix_(sample, sample)], self.device, name="X")
        diss = self._distances(self.X if sample is None else self[sample], None)
        return Dissimilarities(diss, self.device, name=self.name, symmetric=True)

    def costs(self, candidates, served=None):
        """Cost of serving objects (None: all) by candidates, an array of shape (c, n)."""
        if self.metric == "precomputed":
            here = (slice(None), candidates) if served is None else np.ix_(served, candidates)
            rows = self[here].T
        else:
            rows = self._distances(self[candidates], self.X if served is None else self[served])
        return self.kernels.to_device(rows)

    def nearest(self, medoids, served=None, known=None):
        """Nearest medoid of objects (None: all) and the cost; `known` is another result."""
        if self.metric == "precomputed":  # rows of all: those of some would be copied
            found = nearest_rows(self.X, medoids, self.metric)
            return tuple(to_host(a) if served is None else to_host(a)[served] for a in found)
        served = self.X if served is None else self[served]
        known = known and (self[known.medoids], known.labels)
        options = {"device": self.device, "known": known, **self.params}
        return tuple(map(to_host, nearest_rows(served, self[medoids], self.metric, **options)))

    def block(self, n_served):
        """Return for how many candidates at a time to work out the costs of so many objects."""
        costs = _FEW_CALLS if callable(self.metric) else _COSTS
        return max(1, costs // n_served)

    def distinct(self, weights):
        """One of each kind of equal rows, of positive weight, and the weight of its kind."""
        rows = np.flatnonzero(weights > 0)
        if self.metric == "precomputed" or type(self.X) is not np.ndarray:
            return rows, weights[rows]
        first, kind = distinct_rows(self.X[rows])
        return rows[first], np.bincount(kind, weights[rows])

    def serve(self, medoids, known=None):
        """Nearest medoid of every object and the distance; medoids serve themselves."""
        labels, distances = self.nearest(medoids, known=known)
        own = self._own_costs(medoids)
        slots = np.flatnonzero(own <= distances[medoids])  # even if another one is as near
        labels[medoids[slots]], distances[medoids[slots]] = slots, own[slots]
        return labels, distances

    def result(self, medoids, weights, run):
        """Return what a run has found, with the loss over all objects."""
        labels, distances = self.serve(medoids)
        loss = float((weights * distances).sum())
        self.require_finite(loss)
        put = to_device if is_device_array(self.X) else np.asarray
        return KMedoidsResult(
            loss=loss,
            labels=put(labels),
            medoids=put(medoids),
            n_iter=len(run.history),
            n_swap=run.n_swap,
            converged=run.converged,
            history=np.array(run.history),
        )

    def _own_costs(self, medoids):
        if self.metric == "precomputed":
            return to_host(self[medoids, medoids]).astype(np.float64)
        if callable(self.metric):
            return np.array([self._distances(self[[m]], self[[m]])[0, 0] for m in medoids])
        return np.zeros(len(medoids))

    def _distances(self, some, others):
        options = {"device": self.device, **self.params}
        return pairwise_distances(some, others, self.metric, **options)


def distinct_rows(X):
    """Find equal rows of a real array.

    Returns
    -------
    first : ndarray of shape (m,)
        The first row of each kind, rising.
    kind : ndarray of shape (n,)
        Which kind each row is of.
    """
    X = np.ascontiguousarray(X) + 0.0  # zeros of both signs are equal
    bits = X.view(np.dtype(f"u{X.itemsize}"))
    mix = np.random.default_rng(0).integers(1, 2**63, X.shape[1], dtype=np.uint64)
    hashes = np.zeros(len(X), np.uint64)
    for column, factor in zip(bits.T, mix, strict=True):
        hashes ^= (column + factor) * factor
        hashes *= _ODD
        hashes ^= hashes >> _HALF
    _, first, kind = np.unique(hashes, return_index=True, return_inverse=True)
    if not all(np.array_equal(column, column[first][kind]) for column in X.T):
        _, first, kind = np.unique(X, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order], np.argsort(order)[kind]
