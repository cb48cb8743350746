"""The search's state outside of the solver, to look into it."""

import numpy as np


class State:
    """Objects and medoids of a search; `rows[j, o]` is the cost of serving o by j."""

    def __init__(self, kernels, rows, medoids, weights=None):
        n, k = len(rows), len(medoids)
        self.kernels = kernels
        self.rows = kernels.to_device(np.ascontiguousarray(rows))
        self.medoids = kernels.xp.array(medoids, dtype=np.int64)
        self.weights = kernels.to_device(np.ones(n) if weights is None else weights)
        empty, dtype = kernels.xp.empty, rows.dtype
        self.near, self.second = empty(n, dtype), empty(n, dtype)
        self.nearest, self.runner_up = empty(n, np.int32), empty(n, np.int32)
        self.removal, self.table = empty(k), empty((-(-n // 4), k, 4), dtype)
        self.objects = self.near, self.second, self.nearest, self.runner_up
        kernels.assign(self.rows, self.medoids, *self.objects, self.table, 1)
        kernels.removal_loss(*self.objects[:3], self.weights, self.removal)

    @property
    def loss(self):
        return float((self.weights * self.near).sum())

    def eager_swaps(self):
        """Swap until a whole round has found none; return the number of swaps."""
        lo, in_vain, loss, total = 0, 0, self.loss, 0
        while in_vain < len(self.near):
            lo, in_vain, n_swap, loss = self.kernels.eager_swaps(
                lo % len(self.near), in_vain, loss, self.rows, self.medoids, *self.objects,
                self.weights, self.removal, self.table, 1,
            )  # fmt: skip
            total += n_swap
            assert loss == self.loss
        return total

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
            np.testing.assert_array_equal(found["removal"], expected)
