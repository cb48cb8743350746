"""What the estimators of this folder have in common: options of `complete`, and what it tells."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from .._support.progress import CallbackSupportMixin
from ._problem import LOSSES, SOLVERS, check_size

_OPTIONS = (  # of the function, by the same names
    "alpha", "ridge_exponent", "fit_bias", "loss", "nonnegative", "solver", "early_stopping",
    "validation_fraction", "tol", "max_iter", "device",
)  # fmt: skip


class CompletionBase(CallbackSupportMixin, BaseEstimator):
    """Everything but the data."""

    _parameter_constraints = {
        "rank": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "ridge_exponent": [Interval(Real, 0, 1, closed="both")],
        "fit_bias": ["boolean"],
        "loss": [StrOptions(set(LOSSES))],
        "nonnegative": ["boolean"],
        "solver": [StrOptions(set(SOLVERS))],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "device": [StrOptions({"cpu", "cuda"}), None],
        "random_state": ["random_state", np.random.Generator],
        "verbose": ["verbose"],
    }

    @property
    def _options(self):
        return {name: getattr(self, name) for name in _OPTIONS}

    def _rank_within(self, m, n):
        """Return the rank, cut to what a matrix can have."""
        return self.rank if self.rank == "auto" else min(self.rank, m, n)

    def _set_fitted(self, result):
        """Take over a result."""
        self._result = result
        self.rank_, self.mean_ = result.right.shape[1], result.mean
        self.n_iter_, self.converged_ = result.n_iter, result.converged
        self.history_, self.validation_history_ = result.history, result.validation_history
        return self


def check_range(name, values):
    """Refuse values of which `complete` would say the same by another name."""
    check_size(name, values, np.finfo(values.dtype).max ** 0.95)
