"""Missing values filled in by a matrix of low rank."""

import warnings
from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.base import TransformerMixin, _fit_context
from sklearn.impute import MissingIndicator
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from .._support.progress import Progress, with_callbacks
from .._support.random import as_generator
from .._support.validation import all_or_nothing, checked_sparse
from ._complete import complete
from ._estimators_base import CompletionBase, check_range
from ._fold_in import filled, fold_in, rows_of, spread_of


class LowRankImputer(TransformerMixin, CompletionBase):
    """Fill in missing values by a matrix of low rank that is fitted to those observed.

    Each row is described by a vector of a few numbers, and so is each column: their product, with
    a number for the row and one for the column, stands for the entry. See :func:`complete`.

    Parameters
    ----------
    rank : int or "auto", default=10
        Length of the vectors; a matrix with fewer rows or columns takes as many as it has.
        "auto" chooses it by observed entries that are held out.
    missing_values : float, default=nan
        What stands for a missing value. If it is not NaN, there may be no NaN in X. In a sparse
        matrix, entries that are not stored are missing, too.
    alpha : float, default=1.0
        Strength of the ridge, which has no units: values are divided by their spread before.
    ridge_exponent : float, default=0.5
        The ridge of a row or column is `alpha` times this power of the number of its entries.
    fit_bias : bool, default=True
        Whether to fit a mean, and a number for each row and column, beside the vectors.
    loss : {"squared", "huber", "l1"}, default="squared"
        "huber" and "l1" are for entries some of which are grossly wrong.
    nonnegative : bool, default=False
        Whether all entries of the vectors must be at least zero.
    solver : {"auto", "als", "gauss_newton"}, default="auto"
        "als" is the method of choice for noisy entries, "gauss_newton" for exact ones, and "auto"
        takes it if `alpha` is zero, else "als".
    early_stopping : bool, default=False
        Whether to stop when entries that are held out are met worse.
    validation_fraction : float, default=0.1
        Share of them, for `early_stopping` and ``rank="auto"``.
    tol : float, default=None
        Relative decrease of the objective with which "als" stops. None leaves it to
        :func:`complete`.
    max_iter : int, default=None
        Sweeps over the entries at most. None leaves it to :func:`complete`.
    add_indicator : bool, default=False
        Whether to append the features of :class:`sklearn.impute.MissingIndicator`.
    keep_empty_features : bool, default=False
        Whether to keep columns without an observed entry in :meth:`fit`, filled in by zeros;
        otherwise they are dropped.
    max_bytes : int, default=1_000_000_000
        A sparse X is refused if the dense result would take more.
    device : {None, "cpu", "cuda"}, default=None
        Where to fit; None means the CPU. "cuda" is for the solver "als".
    random_state : None, int, Generator or RandomState, default=None
        Of the start, and of what is held out.
    verbose : int, default=0
        Show a progress bar if not zero.

    Attributes
    ----------
    column_factors_ : ndarray of shape (n_features_observed, k)
        Vectors of the columns that had an observed entry.
    column_bias_ : ndarray of shape (n_features_observed,)
        The numbers beside them.
    mean_ : float
        Mean of the observed entries; zero without `fit_bias`.
    rank_ : int
        Length of the vectors.
    indicator_ : MissingIndicator or None
        If `add_indicator`.
    n_iter_ : int
        Sweeps done.
    converged_ : bool
        Whether the solver came to its end before `max_iter`.
    history_ : ndarray of shape (n_iter,)
        After each sweep, for values divided by their spread: the objective of "als", the root
        mean square residual of "gauss_newton".
    validation_history_ : ndarray
        Root mean square error of what was held out, after each sweep; empty without
        `early_stopping`.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    complete : The function, from indices and values to factors.
    MatrixCompletionRegressor : For matrices too large to be filled in as a whole.
    sklearn.impute.SimpleImputer : One number for each column.

    Notes
    -----
    A low rank is a property of a matrix whose columns are measured in like units. If they are not,
    put a ``StandardScaler`` before, which passes NaN on, and ignores it.

    :meth:`transform` keeps the columns as :meth:`fit` has found them, and solves a small system of
    least squares for each row: in O(n_observed k² + n_rows k³), and O(n_rows n_features k) for the
    result. So the rows of the fit are filled in as new rows with the same entries are. A row with
    nothing observed gets the mean and the numbers of the columns.

    In a sparse X, what is stored is observed, zeros among it, and all else is missing: unlike
    scikit-learn's imputers, for which entries that are not stored are zero.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.completion import LowRankImputer
    >>> X = np.outer([1.0, 2, 3, 4], [1.0, 2, 3])
    >>> X[0, 2] = X[3, 0] = np.nan
    >>> LowRankImputer(rank=1, alpha=0, fit_bias=False, random_state=0).fit_transform(X).round(6)
    array([[ 1.,  2.,  3.],
           [ 2.,  4.,  6.],
           [ 3.,  6.,  9.],
           [ 4.,  8., 12.]])
    """

    _parameter_constraints = {
        **CompletionBase._parameter_constraints,
        "missing_values": [Real],
        "add_indicator": ["boolean"],
        "keep_empty_features": ["boolean"],
        "max_bytes": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        rank=10,
        *,
        missing_values=np.nan,
        alpha=1.0,
        ridge_exponent=0.5,
        fit_bias=True,
        loss="squared",
        nonnegative=False,
        solver="auto",
        early_stopping=False,
        validation_fraction=0.1,
        tol=None,
        max_iter=None,
        add_indicator=False,
        keep_empty_features=False,
        max_bytes=1_000_000_000,
        device=None,
        random_state=None,
        verbose=0,
    ):
        self.rank = rank
        self.missing_values = missing_values
        self.alpha = alpha
        self.ridge_exponent = ridge_exponent
        self.fit_bias = fit_bias
        self.loss = loss
        self.nonnegative = nonnegative
        self.solver = solver
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.tol = tol
        self.max_iter = max_iter
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.max_bytes = max_bytes
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y=None):
        """Fit the vectors of the columns.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            With missing values.
        y : Ignored

        Returns
        -------
        self : LowRankImputer

        Raises
        ------
        ValueError
            If X has infinite entries, none that is observed, or, being sparse, several in one
            place; or if a parameter is out of its range, or not for the solver.

        Warns
        -----
        UserWarning
            If columns without an observed entry are dropped.
        ConvergenceWarning
            If the objective still fell in the end.
        """
        if self.solver == "gibbs":
            raise ValueError(
                "solver='gibbs' averages over draws, and has no columns to fit new rows to: use "
                "MatrixCompletionRegressor"
            )
        if self.add_indicator:
            self._require_budget(X)  # the indicator's fit is dense
        A = self._observed(X, reset=True)
        if not A.nnz:
            raise ValueError("X has no observed entry")
        check_range("X", A.data)
        self._kept = np.bincount(A.indices, minlength=A.shape[1]) > 0
        self._warn_of_empty()
        known = self._known(A)
        with Progress(self, self.verbose) as progress:
            result = complete(
                rows_of(known), known.indices, known.data, known.shape,
                self._rank_within(*known.shape), callback=progress,
                rng=as_generator(self.random_state), **self._options,
            )  # fmt: skip
        self.column_factors_, self.column_bias_ = result.right, result.column_bias
        self._spread = None if self.loss == "squared" else spread_of(result, known)
        self.indicator_ = None
        if self.add_indicator:
            self.indicator_ = MissingIndicator(error_on_new=False).fit(_holes(A))
        # rows of the fit are treated as new ones
        return self._set_fitted(replace(result, left=result.left[:0], row_bias=result.row_bias[:0]))

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None):
        """Fit the vectors of the columns, and fill in.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            With missing values.
        y : Ignored

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_out)
            As :meth:`transform` returns it.

        Raises
        ------
        ValueError
            As :meth:`fit` and :meth:`transform`.
        """
        self._require_budget(X)
        return self.fit(X).transform(X)

    def transform(self, X):
        """Fill in what is missing, row by row.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            With missing values.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_out)
            Dense, with all observed entries as they are, in the precision of X.

        Raises
        ------
        ValueError
            If X has infinite entries, or another number of features than in :meth:`fit`; or if it
            is sparse, and has several entries in one place, or the result is too large.
        """
        check_is_fitted(self)
        self._require_budget(X)
        A = self._observed(X, reset=False)
        known = self._known(A)
        names = "alpha", "ridge_exponent", "fit_bias", "nonnegative", "loss"
        how = {name: getattr(self, name) for name in names}
        out = filled(fold_in(self._result, known, self._spread, **how), known)
        if self.keep_empty_features and not self._kept.all():
            out = self._widened(out, A)
        if self.indicator_ is None:
            return out
        return np.hstack([out, np.asarray(self.indicator_.transform(_holes(A)), out.dtype)])

    def _known(self, A):
        """Columns that had an observed entry in the fit."""
        return A if self._kept.all() else A[:, self._kept]

    def _widened(self, out, A):
        """Put in the columns that were empty in the fit: zeros, and what is observed now."""
        wide = np.zeros(A.shape, out.dtype)
        wide[:, self._kept] = out
        wide[rows_of(A), A.indices] = A.data
        return wide

    def get_feature_names_out(self, input_features=None):
        """Names of the features of the result.

        Parameters
        ----------
        input_features : array_like of str, default=None
            Names of all columns; None takes those of X, or x0, x1, ...

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self)
        given = _check_feature_names_in(self, input_features)
        names = given if self.keep_empty_features else given[self._kept]
        if self.indicator_ is None:
            return names
        return np.concatenate([names, self.indicator_.get_feature_names_out(given)])

    def _observed(self, X, reset):
        """Observed entries, as a csr_array that knows no missing value."""
        is_nan = np.isnan(self.missing_values)
        stored = None
        if issparse(X):
            if X.format == "bsr":
                raise ValueError(
                    "X is a sparse matrix of blocks, bsr, which stores zeros beside what was "
                    "observed: convert what it was made of to csr, csc or coo"
                )
            X = checked_sparse("X", X)
            stored = X.nnz if X.format in ("coo", "csr", "csc") else None
        X = validate_data(
            self, X, reset=reset, accept_sparse="csr", dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan" if is_nan else True,
        )  # fmt: skip
        if not issparse(X):
            observed = ~np.isnan(X) if is_nan else self.missing_values != X
            starts = np.concatenate([[0], np.cumsum(observed.sum(axis=1))])
            return csr_array((X[observed], np.nonzero(observed)[1], starts), shape=X.shape)
        A = csr_array(X, copy=True)
        A.sum_duplicates()
        if stored is not None and A.nnz < stored:
            raise ValueError("X has several entries in one place: add them up, or leave them out")
        observed = ~np.isnan(A.data) if is_nan else self.missing_values != A.data
        if observed.all():
            return A
        rows = rows_of(A)[observed]
        return csr_array((A.data[observed], (rows, A.indices[observed])), shape=A.shape)

    def _require_budget(self, X):
        """Refuse a sparse X whose dense result would take too much memory."""
        if not issparse(X):
            return
        n_bytes = X.shape[0] * X.shape[1] * (4 if X.dtype == np.float32 else 8)
        if n_bytes > self.max_bytes:
            raise ValueError(
                f"X is sparse, of shape {X.shape}: the dense result would take {n_bytes} bytes, "
                f"more than max_bytes={self.max_bytes}. The function complete returns factors, and "
                "MatrixCompletionRegressor predicts the entries that are asked for"
            )

    def _warn_of_empty(self):
        if not (self._kept.all() or self.keep_empty_features):
            names = _check_feature_names_in(self)[~self._kept]
            warnings.warn(
                f"features without an observed value are dropped: {', '.join(names[:10])}"
                f"{', ...' if len(names) > 10 else ''}; keep_empty_features=True fills in zeros",
                stacklevel=6,
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = bool(np.isnan(self.missing_values))
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _holes(A):
    """Dense matrix of zeros, NaN where nothing is observed."""
    holes = np.full(A.shape, np.nan, np.float32)
    holes[rows_of(A), A.indices] = 0
    return holes
