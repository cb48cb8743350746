"""Linear regression behind scikit-learn's estimator interface."""

from copy import deepcopy
from dataclasses import replace
from functools import partial
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from .._support.cuda import is_device_array, resolve_device, to_device, to_host
from .._support.validation import (
    all_or_nothing,
    as_floats,
    canonical,
    check_weights,
    validate_rows,
)
from ._design import Design
from ._lstsq import (
    checked_options,
    facts,
    in_precision,
    placed,
    refuse_sparse,
    solve,
    warn_of,
)
from ._methods import METHODS, SKETCHES, seed_of
from ._streaming import FactoredRows, SketchedRows

_FLOATS = [np.float64, np.float32]


class SketchedLinearRegression(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Linear regression on many rows: ordinary least squares, or ridge regression.

    Solves what :class:`sklearn.linear_model.LinearRegression` does, as accurately as
    Householder QR, in the time of the normal equations; see :func:`lstsq`.

    Parameters
    ----------
    method : {"auto", "csne", "presketch", "spir", "fossils", "qr", "sketch"}, default="auto"
        "auto" finds out what the data need; see :func:`lstsq` for the others. "sketch"
        is an approximation by one pass.
    sketch : {"srht", "gaussian", "sparse_sign", "countsketch"}, default=None
        "srht" unless given; "sparse_sign" for a sparse X, but for the method "sketch".
    sketch_size : int, default=None
        Rows of the sketch, at least as many as coefficients with the intercept. By
        default `eps` and `delta` set it for the method "sketch", whatever the number of
        samples, and it is a multiple of the columns for the others.
    eps : float, default=0.5
        For the method "sketch" with a dense sketch: how far coefficients may be off, in
        units of the residual's norm over ``sqrt(d)`` times the least singular value of
        the d columns.
    delta : float, default=0.01
        Probability with which one is farther off.
    alpha : float, default=0.0
        Weight of the sum of squares of the coefficients, the intercept not among them, as
        in :class:`sklearn.linear_model.Ridge`.
    fit_intercept : bool, default=True
        Whether to add a constant to the features.
    rcond : float, default=None
        Singular values, of columns of norm one, below this fraction of the largest are
        taken as zero. The default of 7e-15 only drops what cannot be told from rounding.
    n_jobs : int, default=None
        Threads; None takes what Numba and joblib allow, as does -1. The result does not
        depend on it.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where X lies. Sparse features are for the CPU only.
    random_state : None, int, Generator or RandomState, default=None
        Seeds the sketch.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, in the precision of X; those of least norm where columns are
        dependent.
    intercept_ : float, or ndarray of shape (n_targets,)
        The constant; 0.0 without one.
    rank_ : int
        Rank of X; of the centred X if there is an intercept; with `alpha`, that of X with
        the square root of `alpha`, times the identity, below.
    condition_number_ : float
        Of the same matrix: an estimate of the largest singular value over the smallest
        that is not zero.
    backward_error_ : float or None
        Least relative change of X for which the coefficients are exact, estimated: 1e-16
        is what rounding allows. None for the method "sketch". After `partial_fit`, of the
        triangular factor that is kept of X.
    n_passes_ : int
        How often the rows of X were read.
    n_iter_ : int
        Corrections of the coefficients.
    converged_ : bool
        Whether the backward error is that of a backward stable method.
    history_ : ndarray
        Backward errors before each correction; that of the coefficients is at most the least.
    method_ : str
        The method in use: that which "auto" chose, and "qr" after `partial_fit`, unless
        it is "sketch".
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    lstsq : The plain function, where the methods are told in full.

    Notes
    -----
    X is neither copied nor changed: arrays of float32 and float64 in any order and memory
    maps are read as they are, sparse matrices by rows, never as dense ones. Rows of weight
    zero do not count. Coefficients are on the host, predictions where X lies.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.linear_model import SketchedLinearRegression
    >>> X = np.random.default_rng(0).standard_normal((10_000, 3))
    >>> model = SketchedLinearRegression().fit(X, X @ [1.0, 2.0, 3.0] + 4.0)
    >>> model.coef_.round(12), float(model.intercept_.round(12)), model.method_
    (array([1., 2., 3.]), 4.0, 'csne')
    """

    _parameter_constraints = {
        "method": [StrOptions(set(METHODS))],
        "sketch": [StrOptions(set(SKETCHES)), None],
        "sketch_size": [Interval(Integral, 1, None, closed="left"), None],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "delta": [Interval(Real, 0, 1, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "rcond": [Interval(Real, 0, 1, closed="left"), None],
        "n_jobs": [Integral, None],
        "device": [StrOptions({"cpu", "cuda"}), None],
        "random_state": ["random_state", np.random.Generator],
    }

    def __init__(
        self,
        method="auto",
        *,
        sketch=None,
        sketch_size=None,
        eps=0.5,
        delta=0.01,
        alpha=0.0,
        fit_intercept=True,
        rcond=None,
        n_jobs=None,
        device=None,
        random_state=None,
    ):
        self.method = method
        self.sketch = sketch
        self.sketch_size = sketch_size
        self.eps = eps
        self.delta = delta
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.rcond = rcond
        self.n_jobs = n_jobs
        self.device = device
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y, sample_weight=None):
        """Find the coefficients.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            Features.
        y : array_like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array_like of shape (n_samples,), default=None
            Weights of the squared residuals.

        Returns
        -------
        self : SketchedLinearRegression

        Raises
        ------
        ValueError
            If X or y have NaN or infinite entries, or a parameter is out of its range.

        Warns
        -----
        ConvergenceWarning
            If the backward error is not that of a backward stable method, which can happen
            with the methods other than "auto".
        """
        # Sums over X tell whether it is finite: no pass of its own.
        X, y, weights, device = self._checked(
            X, y, sample_weight, reset=True, ensure_all_finite=False
        )
        # The sketch of rows that come in blocks knows no mean: it has the same bits without.
        shift = 0.0 if self.method == "sketch" else None
        args = {"fit_intercept": self.fit_intercept, "shift": shift, "n_threads": self.n_jobs}
        design, solution = solve(
            "X", self.method, self._options(), X, _as_columns(y), weights, self.alpha,
            partial(Design, device=device, **args),
        )  # fmt: skip
        warn_of(solution, self.method, 5)
        self._rows = None  # they are kept by partial_fit alone
        return self._set(solution, design.n_passes, X.dtype, y.ndim)

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def partial_fit(self, X, y, sample_weight=None):
        """Take more rows into account, in the memory of a few times as many as columns.

        With the method "sketch", the same bits as `fit` on all the rows, for an integer as
        `random_state`. With any other method the rows are factorised by Householder QR,
        which is backward stable. After `fit`, which keeps nothing of its rows, it begins
        anew.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            Features; as many as before, and at least one sample.
        y : array_like of shape (n_samples,) or (n_samples, n_targets)
            Targets; as many as before.
        sample_weight : array_like of shape (n_samples,), default=None
            Weights of the squared residuals.

        Returns
        -------
        self : SketchedLinearRegression

        Raises
        ------
        ValueError
            If X or y have NaN or infinite entries, or others features and targets than
            before, or a parameter is out of its range.
        """
        first = getattr(self, "_rows", None) is None
        X, y, weights, device = self._checked(X, y, sample_weight, reset=first)
        options, kept_as = self._options(), (self.method == "sketch", bool(self.fit_intercept))
        if not first and kept_as != self._kept_as:
            raise ValueError("method and fit_intercept must be what they were for the first rows")
        if not first and y.shape[1:] != np.shape(self.coef_)[:-1]:
            raise ValueError(f"y has shape {y.shape}: as many targets as before are needed")
        # What fails half-way does so with a copy.
        rows = self._new_rows(options, device) if first else deepcopy(self._rows)
        where = {"shift": rows.shift, "device": device, "n_threads": self.n_jobs}
        dtype = X.dtype if first else np.result_type(X.dtype, self.coef_)
        try:
            with np.errstate(all="ignore"):
                design = Design(
                    X, _as_columns(y), weights, fit_intercept=self.fit_intercept, **where
                )
                rows.update(design)
            self._kept_as = kept_as
            return self._set_rows(rows, options, dtype, y.ndim)
        except FloatingPointError as error:
            raise ValueError("X or y has numbers too large to be added up") from error

    @all_or_nothing
    def merge(self, other):
        """Take the rows into account that another estimator has seen.

        Parts of the rows can so be read anywhere, by any executor: with a function `part` that
        returns ``SketchedLinearRegression().partial_fit(X, y)`` for one of them,
        ``functools.reduce(SketchedLinearRegression.merge, executor.map(part, parts))``.

        Parameters
        ----------
        other : SketchedLinearRegression
            With the same parameters, features and number of targets. Kept unchanged.

        Returns
        -------
        self : SketchedLinearRegression

        Raises
        ------
        ValueError
            If either has not seen its rows by `partial_fit`, with another method than "sketch",
            whose signs belong to the numbers of the rows; or if they do not fit each other.
        """
        for model in (self, other):
            check_is_fitted(model)
            if not isinstance(model._rows, FactoredRows):
                raise ValueError("merge needs rows from partial_fit, and no method='sketch'")
        names = [list(getattr(model, "feature_names_in_", ())) for model in (self, other)]
        if self.coef_.shape != other.coef_.shape or names[0] != names[1]:
            raise ValueError("other must have the same features, and as many targets")
        if self._kept_as != other._kept_as:
            raise ValueError("other must have an intercept if there is one, else none")
        rows = deepcopy(self._rows)
        rows.merge(other._rows)
        dtype = np.result_type(self.coef_, other.coef_)
        return self._set_rows(rows, self._options(), dtype, self.coef_.ndim)

    def predict(self, X):
        """Predict targets.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            Features.

        Returns
        -------
        y : array of shape (n_samples,) or (n_samples, n_targets)
            On the GPU if X is there.
        """
        check_is_fitted(self)
        X = validate_rows(self, X, reset=False, accept_sparse=["csr", "csc", "coo"])
        coef, constants = self.coef_.T, self.intercept_
        if is_device_array(X):
            coef, constants = to_device(coef), to_device(np.asarray(constants, coef.dtype))
        return X @ coef + constants

    def _checked(self, X, y, sample_weight, reset, **options):
        """Features and targets, weights, and the device."""
        device = resolve_device(self.device, X)
        refuse_sparse("X", X, device)
        y = to_host(y) if is_device_array(y) else y
        if is_device_array(X):
            X = validate_rows(self, X, reset=reset)
            y = check_array(y, ensure_2d=False, input_name="y")
            check_consistent_length(X, y)
        else:
            X, y = validate_data(
                self, X, y, reset=reset, accept_sparse="csr", dtype=_FLOATS, multi_output=True,
                y_numeric=True, **options,
            )  # fmt: skip
        X, y = canonical("X", X) if issparse(X) else placed(X, device), as_floats("y", y)
        weights = None if sample_weight is None else check_weights(sample_weight, len(y))
        return X, y, weights, device

    def _options(self):
        d = self.n_features_in_ + self.fit_intercept
        sketch = self.sketch, self.sketch_size, self.eps, self.delta
        seed = seed_of("random_state", self.random_state)
        return checked_options(self.method, self.rcond, *sketch, self.n_jobs, d, seed)

    def _new_rows(self, options, device):
        if self.method != "sketch":
            return FactoredRows()
        sketch = options.approximation(self.n_features_in_ + self.fit_intercept)
        return SketchedRows(sketch, device)

    def _set_rows(self, rows, options, dtype, n_dimensions):
        self._rows = rows
        return self._set(self._solved(rows, options), 1, dtype, n_dimensions)

    def _solved(self, rows, options):
        """Least squares of kept rows."""
        constant = bool(self.fit_intercept)
        design, targets = np.hsplit(rows.rows(), [self.n_features_in_ + constant])
        given = partial(Design, fit_intercept=constant, constant_given=constant)
        _, solution = solve("X", "qr", options, design, targets, None, self.alpha, given)
        warn_of(solution, "qr", 7)
        if constant:
            solution.coef[-1] -= np.sum(rows.shift * solution.coef[:-1].T, axis=1)
        if isinstance(rows, FactoredRows):
            return solution
        return replace(solution, errors=[], method="sketch")

    def _set(self, solution, n_passes, dtype, n_dimensions):
        p = self.n_features_in_
        coef = in_precision("X", solution.coef, dtype)
        self.coef_ = coef[:p, 0] if n_dimensions == 1 else np.ascontiguousarray(coef[:p].T)
        constants = coef[p] if len(coef) > p else 0.0
        self.intercept_ = constants[0] if np.ndim(constants) > n_dimensions - 1 else constants
        for name, value in facts(solution, p).items():
            setattr(self, f"{name}_", value)
        self.n_passes_ = n_passes
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _as_columns(y):
    return y.reshape(len(y), -1).astype(np.float64, copy=False)
