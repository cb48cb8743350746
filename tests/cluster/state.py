"""The search's state, compared with what the definitions give."""

import numpy as np

from lowrank_la.cluster._search import Search


class State(Search):
    """Objects and medoids of a search; `rows[j, o]` is the cost of serving o by j."""

    def __init__(self, kernels, rows, medoids, weights=None, order=None):
        n, xp = len(rows), kernels.xp
        self.rows = kernels.to_device(np.ascontiguousarray(rows))
        weights = kernels.to_device(np.ones(n) if weights is None else weights)
        self.order = xp.arange(n) if order is None else kernels.to_device(order)
        self.ids = xp.where(weights > 0, xp.arange(n), -1)
        super().__init__(kernels, self.rows, medoids, weights, 1)

    def all_swaps(self):
        """Swap until a whole round has found none; yield the number of swaps of each call."""
        lo, in_vain, n = 0, 0, len(self.near)
        while in_vain < n:
            lo, in_vain, n_swap = self.eager_swaps(
                self.rows, self.order, self.ids, lo % n, in_vain, n
            )
            assert self.loss == float((self.weights * self.near).sum())
            yield n_swap

    def host(self):
        """All of it as NumPy arrays."""
        names = ["medoids", "near", "second", "nearest", "runner_up", "removal", "table"]
        return {name: self.kernels.to_host(getattr(self, name)) for name in names}

    def check(self):
        """Compare with what the definitions give; all numbers are integers, so exactly."""
        found, rows = self.host(), self.kernels.to_host(self.rows)
        weights = self.kernels.to_host(self.weights)
        n, k = len(rows), len(found["medoids"])
        costs = rows[found["medoids"]].T
        objects, order = np.arange(n), np.sort(costs, axis=1)
        np.testing.assert_array_equal(found["near"], order[:, 0])
        np.testing.assert_array_equal(costs[objects, found["nearest"]], order[:, 0])
        table = found["table"].transpose(0, 2, 1).reshape(-1, k)[:n]
        np.testing.assert_array_equal(table, costs)
        own = costs[found["medoids"], np.arange(k)] == found["near"][found["medoids"]]
        np.testing.assert_array_equal(found["nearest"][found["medoids"]][own], np.arange(k)[own])
        if k > 1:
            np.testing.assert_array_equal(found["second"], order[:, 1])
            np.testing.assert_array_equal(costs[objects, found["runner_up"]], order[:, 1])
            assert np.all(found["nearest"] != found["runner_up"])
            spare = weights * (order[:, 1] - order[:, 0])
            expected = np.bincount(found["nearest"], spare, k)
            fixed = np.isinf(found["removal"])
            np.testing.assert_array_equal(found["removal"][~fixed], expected[~fixed])
