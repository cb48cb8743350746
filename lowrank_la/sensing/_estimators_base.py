"""What estimators of this folder have in common: samples that are matrices, options, a fit."""

import math
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from .._support.progress import CallbackSupportMixin, Progress
from .._support.random import as_generator
from .._support.validation import canonical
from ._checks import check_size, checked_task
from ._operators import MatrixMeasurements
from ._rank import solve_best_rank
from ._solve import solve, warn_of

_FLOATS = [np.float64, np.float32]


class LowRankBase(CallbackSupportMixin, BaseEstimator):
    """A prediction that is linear in matrices, with a coefficient of low rank."""

    _parameter_constraints = {
        "shape": ["array-like", None],
        "rank": [Interval(Integral, 1, None, closed="left"), None],
        "symmetric": ["boolean"],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state", np.random.Generator],
        "verbose": ["verbose"],
    }

    def _validated(self, X, y, **options):
        """Return checked samples and targets."""
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=_FLOATS, **options)
        X = canonical("X", X) if issparse(X) else np.require(X, requirements=["C", "A"])
        check_size("X", X.data if issparse(X) else X, X.dtype)
        return X, y

    def _fit(self, X, y, sample_weight, loss, method_of):
        """Fit checked samples and numbers; return the result, and the criteria of ranks."""
        shape = shape_of_features(self.shape, X.shape[1], self.symmetric)
        rng, rank, criteria = as_generator(self.random_state), self.rank, np.empty(0)
        chosen = rank is None and not self.early_stopping
        if rank is None:
            rank = 1 if chosen else min(shape)
        with Progress(self, self.verbose) as progress:
            task, _ = checked_task(
                MatrixMeasurements(X, shape), y, rank, None,
                symmetric=self.symmetric, loss=loss, alpha=self.alpha,
                fit_intercept=self.fit_intercept, sample_weight=sample_weight,
                early_stopping=self.early_stopping,
                validation_fraction=self.validation_fraction, tol=self.tol,
                max_iter=self.max_iter, callback=lambda info: progress(_shown(info)), rng=0,
                losses=(loss,),
            )  # fmt: skip
            if chosen:
                result, criteria = solve_best_rank(
                    task, sample_weight.sum(), method_of, rng.integers(2**63)
                )
            else:
                result, _ = solve(task, method_of, rng)
        warn_of(type(self).__name__, result, task, 6)
        return self._set_fitted(shape, result, criteria, X.dtype)

    def _set_fitted(self, shape, result, criteria, dtype):
        self.shape_ = shape
        self.left_ = result.left.astype(dtype)
        self.right_ = self.left_ if self.symmetric else result.right.astype(dtype)
        self.coef_ = result.matrix.astype(dtype)
        self.intercept_ = dtype.type(result.intercept)
        self.rank_ = int(np.argmin(criteria)) if len(criteria) else result.rank
        self.bic_, self.n_iter_, self.converged_ = criteria, result.n_iter, result.converged
        self.history_, self.validation_history_ = result.history, result.validation_history
        return self

    def _predicted(self, X):
        """Numbers that samples are taken to."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=_FLOATS)
        return X @ self.coef_.ravel() + self.intercept_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _shown(info):
    return {"residual": info["residual"]}


def shape_of_features(shape, n_features, symmetric):
    """Shape of the matrices that samples are, or a ValueError."""
    if shape is None:
        n1 = next(n for n in range(math.isqrt(n_features), 0, -1) if n_features % n == 0)
        found = n1, n_features // n1
        told = f"shape=None: the {n_features} features of X make no square matrix"
    else:
        found = _completed(shape, n_features)
        told = f"shape={shape!r} is not square"
    if symmetric and found[0] != found[1]:
        raise ValueError(f"symmetric=True needs square matrices, but {told}")
    return found


def _completed(shape, n_features):
    """Two integers whose product is the number of features; -1 stands for what is left."""
    sizes = list(shape)
    whole = all(isinstance(n, Integral) and (n > 0 or n == -1) for n in sizes)
    if len(sizes) != 2 or not whole or sizes == [-1, -1]:
        raise ValueError(
            f"shape={shape!r}: two positive integers are needed, one of which may be -1"
        )
    n1, n2 = (n if n > 0 else n_features // max(sizes) for n in sizes)
    if n1 * n2 != n_features:
        raise ValueError(f"shape={shape!r} does not fit the {n_features} features of X")
    return int(n1), int(n2)
