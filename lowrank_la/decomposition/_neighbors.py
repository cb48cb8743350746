"""Nearest items under a costly similarity: estimates by CUR tell which few to evaluate."""

from dataclasses import dataclass

import numpy as np

from .._support.blas import single_threaded_blas

_AT_ONCE = 1 << 22  # numbers in an array that grows with the queries of a batch
_RANK = 1e-12  # of the largest square: what is below is rounding
_LEAST_NOISE = 1e-14  # of the largest eigenvalue: keeps systems from being singular


@dataclass(frozen=True, eq=False)
class ItemFactors:
    """What similarities to anchor queries tell about items.

    The similarities of a query to all items are taken to be ``vectors @ z``, with z of the
    covariance ``scale² identity``, and errors of the variance ``scale² noise``.

    Attributes
    ----------
    vectors : ndarray of shape (n_items, rank)
        Their Gram matrix is the mean of the outer products of the anchor queries' rows.
    noise : float
        Mean square of what all other anchor queries leave unexplained of one.
    """

    vectors: np.ndarray
    noise: float

    def estimates(self, items, values):
        """Similarities of some queries to all items, (b, n), but for a factor for each query.

        Of each, the values (b, m) of some items (b, m) are known. Without noise this is
        ``values @ pinv(R[:, items]) @ R``, for the similarities R of anchor queries.
        """
        values = values / _nonzero(np.abs(values).max(axis=1, keepdims=True))
        return _ridge(self.vectors[items], values, self.noise) @ self.vectors.T

    def spread(self, n):
        """At most n items, chosen by pivoted QR: each the one that those before tell least of.

        Fewer than n tell all where the rank is less than that.
        """
        left = (self.vectors**2).sum(axis=1)
        negligible = _RANK * left.max()
        columns, chosen = np.empty((n, len(left))), []
        for step in range(n):
            pivot = int(np.argmax(left))
            if chosen and left[pivot] <= negligible:
                break
            column = self.vectors @ self.vectors[pivot]
            column -= columns[:step, pivot] @ columns[:step]
            columns[step] = column / np.sqrt(left[pivot] or 1.0)
            left -= columns[step] ** 2
            chosen.append(pivot)
            left[chosen] = -np.inf
        return np.array(chosen)


def factorized(R):
    """Item factors of the similarities (n_anchor_queries, n_items) of anchor queries; R is lost.

    Rows count alike, whatever the units of their queries.
    """
    R /= _nonzero(np.abs(R).max(axis=1, keepdims=True))  # no square overflows
    R /= _nonzero(np.sqrt(np.square(R).mean(axis=1, keepdims=True)))
    with single_threaded_blas():
        squares, basis = np.linalg.eigh(R @ R.T)
        floor = max(_LEAST_NOISE * squares[-1], np.finfo(float).tiny)
        inverse_diagonal = (basis**2 / np.maximum(squares, floor)).sum(axis=1)
        vectors = R.T @ basis[:, squares > floor]
    vectors /= np.sqrt(len(R))
    return ItemFactors(vectors, float((1 / inverse_diagonal).mean()) / R.shape[1])


@dataclass(frozen=True, eq=False)
class Search:
    """How many items are evaluated for each query, and which ones first.

    Attributes
    ----------
    factors : ItemFactors or None
        None if the anchors use up the budget.
    anchors : ndarray of int
        Items that are evaluated first.
    budget : int
        Evaluations per query.
    step : int
        Evaluations in each round after the first one.
    """

    factors: ItemFactors | None
    anchors: np.ndarray
    budget: int
    step: int

    def nearest(self, evaluate, n_queries, k, own=False):
        """Return the k largest similarities found, and their items, each (n_queries, k).

        Parameters
        ----------
        evaluate : callable
            ``evaluate(queries, items)`` returns similarities, by indices.
        n_queries : int
        k : int
            At most the budget, less one if `own`.
        own : bool, default=False
            Whether query i is item i, which is not its own neighbour.
        """
        per_query = self.budget
        if self.factors:
            n_items, rank = self.factors.vectors.shape
            per_query = max(n_items, self.budget * max(rank, self.budget))
        block = max(1, _AT_ONCE // per_query)
        found = []
        for lo in range(0, n_queries, block):
            queries = np.arange(lo, min(lo + block, n_queries))
            values, items = self._evaluated(evaluate, queries, own)
            if own:
                values[items == queries[:, None]] = -np.inf
            order = np.lexsort((items, -values))[:, :k]
            found.append([np.take_along_axis(array, order, axis=1) for array in (values, items)])
        return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))

    def _evaluated(self, evaluate, queries, own):
        """Spend the budget on some queries: values and their items, (n, budget), as they come."""
        known, first = len(self.anchors), evaluate(queries, self.anchors)
        values = np.empty((len(queries), self.budget), first.dtype)
        items = np.empty(values.shape, np.int64)
        values[:, :known], items[:, :known] = first, self.anchors
        while known < self.budget:
            end = min(known + self.step, self.budget)
            with single_threaded_blas():
                estimates = self.factors.estimates(items[:, :known], values[:, :known])
            np.put_along_axis(estimates, items[:, :known], -np.inf, axis=1)
            if own:
                estimates[np.arange(len(queries)), queries] = -np.inf
            items[:, known:end] = _largest(estimates, end - known)
            for row, query in enumerate(queries):
                values[row, known:end] = evaluate(query[None], items[row, known:end])[0]
            known = end
        return values, items


def _largest(estimates, n):
    """Columns of the n largest entries of each row, in ascending order."""
    return np.sort(np.argpartition(estimates, -n, axis=1)[:, -n:], axis=1)


def _ridge(A, y, penalty):
    """Minimise ``|A z - y|² + penalty |z|²``, for each of a stack of (m, r) matrices."""
    transposed = A.transpose(0, 2, 1)
    if A.shape[1] > A.shape[2]:
        system, y = transposed @ A, transposed @ y[:, :, None]
    else:
        system, y = A @ transposed, y[:, :, None]
    diagonal = np.arange(system.shape[1])
    system[:, diagonal, diagonal] += penalty
    z = np.linalg.solve(system, y)
    return (z if A.shape[1] > A.shape[2] else transposed @ z)[:, :, 0]


def _nonzero(scale):
    return np.where(scale > 0, scale, 1.0)
