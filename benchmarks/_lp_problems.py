"""The problems that lp regressions are compared on, and how good a solution is."""

from typing import NamedTuple

import numpy as np

from ._tables import TABLES


class Problem(NamedTuple):
    """Minimise a norm of ``b - A x``; p = 1 with one quantile, or several."""

    A: np.ndarray  # (n, d)
    b: np.ndarray  # (n,)
    p: float = 1.0
    quantile: float | tuple = 0.5

    def objective(self, x):
        """Sum of powers; for p = 1 twice the pinball loss, summed over all quantiles."""
        quantiles = np.atleast_1d(self.quantile)
        columns = np.reshape(x, (self.A.shape[1], -1))
        return float(sum(map(self._objective, columns.T, quantiles)))

    def _objective(self, x, quantile):
        r = self.b - self.A @ x
        if self.p == 1:
            return 2 * np.sum(r * (quantile - (r < 0)))
        sizes = abs(r)
        return sizes.max() if np.isinf(self.p) else np.sum(sizes**self.p)


def l1(n, d, seed=0):
    """Normals, the first column of ones; the noise has no variance."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d))
    A[:, 0] = 1.0
    return A, A @ rng.standard_normal(d) + rng.standard_t(2, n)


def light(n, d, seed=0):
    """Normals, and noise of which all powers have a mean."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d))
    A[:, 0] = 1.0
    return A, A @ rng.standard_normal(d) + rng.standard_normal(n)


def table(bench, name, rows=None):
    """Return a real design and its targets, or the first rows of a shuffle."""
    file, read = TABLES[name]
    A, b = read(bench.file(file))
    chosen = np.random.default_rng(0).permutation(len(b))[:rows]
    return np.ascontiguousarray(A[chosen]), b[chosen]
