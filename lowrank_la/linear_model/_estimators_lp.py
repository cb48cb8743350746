"""Regression by powers of residuals behind scikit-learn's estimator interface."""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, RegressorMixin, _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from .._support.validation import all_or_nothing, as_floats, canonical, check_weights
from ._lp import checked_power, checked_quantiles, checked_task, warn_of
from ._lp_solve import solve
from ._lstsq import in_precision
from ._methods import seed_of

_FLOATS = [np.float64, np.float32]


class LpRegression(RegressorMixin, BaseEstimator):
    """Linear regression that minimises a sum of powers of absolute residuals.

    Least absolute residuals and quantiles for p = 1, least squares for p = 2, the least largest
    residual for p = inf, and all powers between; see :func:`lp_regression`.

    Parameters
    ----------
    p : float, default=1.0
        The power, at least 1; infinity is one.
    quantile : float or sequence of floats, default=0.5
        For p = 1: which quantile of the targets to predict. Several share work.
    fit_intercept : bool, default=True
        Whether to add a constant to the features.
    tol : float, default=1e-8
        Duality gap to reach, as a fraction of the objective.
    max_iter : int, default=100
        Newton steps, at most, for each quantile and for each problem of fewer rows on the way.
    warm_start : bool, default=False
        Whether to start where the last fit ended, if it had as many features and quantiles.
    n_jobs : int, default=None
        Threads; None takes what Numba and joblib allow, as does -1. The result does not
        depend on it.
    random_state : None, int, Generator or RandomState, default=None
        Seeds samples of the rows, and sketches, which ill-conditioned data need. The
        coefficients depend on it only within `tol`.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_quantiles, n_features)
        Coefficients, in the precision of X; those of least norm where columns are dependent.
    intercept_ : float, or ndarray of shape (n_quantiles,)
        The constant; 0.0 without one.
    objective_ : float, or ndarray of shape (n_quantiles,)
        What is minimised; for p = 1 twice the pinball loss, for p = inf the largest residual.
    duality_gap_ : float, or ndarray of shape (n_quantiles,)
        Upper bound of the objective less its least value.
    rank_ : int
        Rank of X; of the centred X if there is an intercept.
    n_iter_ : int
        Newton steps, those for fewer rows included.
    converged_ : bool
        Whether the gap is at most `tol` times the objective, or the objective is zero but for
        rounding.
    history_ : ndarray
        Estimates of the gap before each Newton step, as fractions of the objective.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    lp_regression : The plain function, where the methods are told in full.
    SketchedLinearRegression : Least squares, with a penalty, and for rows that come in blocks.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.linear_model import LpRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((1000, 3))
    >>> y = X @ [1.0, 2.0, 3.0] + 4.0
    >>> y[:100] += 1e3  # one in ten is wrong
    >>> model = LpRegression().fit(X, y)
    >>> model.coef_.round(6), float(model.intercept_.round(6))
    (array([1., 2., 3.]), 4.0)
    """

    _parameter_constraints = {
        "p": [Interval(Real, 1, None, closed="both")],
        "quantile": [Interval(Real, 0, 1, closed="neither"), "array-like"],
        "fit_intercept": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state", np.random.Generator],
    }

    def __init__(
        self,
        p=1.0,
        *,
        quantile=0.5,
        fit_intercept=True,
        tol=1e-8,
        max_iter=100,
        warm_start=False,
        n_jobs=None,
        random_state=None,
    ):
        self.p = p
        self.quantile = quantile
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y, sample_weight=None):
        """Find the coefficients.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            Features.
        y : array_like of shape (n_samples,)
            Targets.
        sample_weight : array_like of shape (n_samples,), default=None
            Weights of the powers; a row of weight zero does not count.

        Returns
        -------
        self : LpRegression

        Raises
        ------
        ValueError
            If X or y have NaN or infinite entries, or a parameter is out of its range.

        Warns
        -----
        ConvergenceWarning
            If the gap is larger than `tol` allows.
        """
        p = checked_power(self.p)
        quantiles = checked_quantiles(self.quantile, p)
        seed = seed_of("random_state", self.random_state)
        task = checked_task(
            p, quantiles, self.tol, self.max_iter, self.n_jobs, seed, constant=self.fit_intercept
        )
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=_FLOATS, y_numeric=True,
            ensure_all_finite=False,
        )  # fmt: skip
        X = canonical("X", X) if issparse(X) else as_floats("X", X)
        weights = None if sample_weight is None else check_weights(sample_weight, len(y))
        fit = solve("X", task, X, y.astype(np.float64), weights, self._start(len(quantiles)))
        warn_of("LpRegression", fit, self.max_iter, 5)
        return self._set(fit, X.dtype)

    def _start(self, n_quantiles):
        """Coefficients of the last fit, the constants last, if they are to be used and can be."""
        if not (self.warm_start and hasattr(self, "coef_")):
            return None
        coef = np.atleast_2d(self.coef_).T.astype(np.float64)
        if coef.shape != (self.n_features_in_, n_quantiles):
            return None
        return np.vstack([coef, np.atleast_1d(self.intercept_)]) if self.fit_intercept else coef

    def _set(self, fit, dtype):
        d = self.n_features_in_
        coef = in_precision("X", fit.coef, dtype)
        constants = coef[d] if self.fit_intercept else np.zeros(coef.shape[1], dtype)
        several = np.ndim(self.quantile) > 0
        for name, values in (
            ("coef_", np.ascontiguousarray(coef[:d].T)),
            ("intercept_", constants),
            ("objective_", fit.objectives),
            ("duality_gap_", fit.gaps),
        ):
            setattr(self, name, values if several else values[0])
        self.rank_ = fit.factor.rank_of(d)
        self.n_iter_, self.converged_ = len(fit.history), fit.converged
        self.history_ = np.array(fit.history)
        return self

    def predict(self, X):
        """Predict targets, or their quantiles.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            Features.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_quantiles)
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse=["csr", "csc", "coo"], dtype=_FLOATS)
        return X @ self.coef_.T + self.intercept_

    def score(self, X, y, sample_weight=None):
        """Coefficient of determination, for one quantile.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            Features.
        y : array_like of shape (n_samples,)
            Targets.
        sample_weight : array_like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            R squared, as scikit-learn's regressors tell it.

        Raises
        ------
        ValueError
            If there are several quantiles.
        """
        if np.ndim(self.quantile) > 0:
            raise ValueError(
                "score is for one quantile: for each of several, give a column of predict to "
                "sklearn.metrics.d2_pinball_score"
            )
        if sample_weight is not None:
            sample_weight = check_weights(sample_weight, len(y))
        return super().score(X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
