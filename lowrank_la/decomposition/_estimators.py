"""CUR decompositions and subsets of columns, behind scikit-learn's estimator interface."""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.feature_selection import SelectorMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_array, check_is_fitted

from .._support.cuda import is_device_array, to_device, to_host
from .._support.random import as_generator
from .._support.validation import all_or_nothing, checked_sparse, validate_rows
from ..linear_model._methods import SKETCHES
from ._core import CORES
from ._cur import check_options, decompose, warn_of
from ._matrix import Matrix
from ._subset import SELECTIONS

_FLOATS = [np.float64, np.float32]


class _Chooser(BaseEstimator):
    """What chooses columns: data as a matrix to choose from."""

    _parameter_constraints = {
        "tol": [Interval(Real, 0, 1, closed="neither"), None],
        "selection": [StrOptions(set(SELECTIONS))],
        "sketch": [StrOptions(set(SKETCHES)), None],
        "device": [StrOptions({"cpu", "cuda"}), None],
        "random_state": ["random_state", np.random.Generator],
    }

    def _matrix(self, X):
        X = checked_sparse("X", X) if issparse(X) else X
        X = validate_rows(self, X, reset=True, accept_sparse="csr")
        return Matrix("X", X, self.sketch, self.device, as_generator(self.random_state))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class CUR(TransformerMixin, _Chooser):
    """CUR decomposition: data as combinations of some of their own columns and rows.

    ``X ~ C @ U @ R``, where C has columns of X, R rows of X, and U is a small matrix. Where
    principal components mix all features, these are features, with their names and units, and
    as sparse as X is.

    Parameters
    ----------
    n_components : int, default=None
        Columns, and rows, to choose; None takes as many as are independent of each other, or as
        the tolerance takes. More than the rank of X are cut to it, with a warning.
    tol : float, default=None
        Choose as many as leave a Frobenius norm of this fraction of X's, `n_components` at most;
        below 1. For the selections "lupp" and "cpqr".
    selection : {"lupp", "cpqr", "deim", "leverage", "uniform"}, default="lupp"
        "lupp": pivots of the elimination of a sketch, the fastest. "cpqr": pivots of a QR
        decomposition of it, a little better. "deim": pivots of the elimination of approximate
        singular vectors. "leverage": draws in proportion to the squared norms of their rows;
        "uniform": draws.
    core : {"optimal", "cross"}, default="optimal"
        "optimal": ``pinv(C) @ X @ pinv(R)``, which makes the error least. "cross": inverse of
        the entries where C and R cross; a solution by least squares if draws have left more rows
        than columns, or fewer.
    oversampling : int, default=None
        Rows of the sketch beyond `n_components`; None takes a tenth of them, but 10 at least, and
        32 rows in all.
    sketch : {"sparse_sign", "gaussian", "srht", "countsketch"}, default=None
        Law of the sketch; None takes a Gaussian one of few rows, else sparse signs.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where X lies. A sparse X is for the CPU only.
    random_state : None, int, Generator or RandomState, default=None
        Of the sketches and draws.

    Attributes
    ----------
    components_ : array or sparse matrix of shape (k, n_features)
        R, the rows chosen.
    row_indices_ : ndarray of shape (k,)
        Rows chosen, the most important ones first; of "leverage" and "uniform", there may be more
        of them or fewer than columns.
    column_indices_ : ndarray of shape (k,)
        Columns chosen, the most important ones first.
    core_ : LinearOperator of shape (k, k)
        U, as factors: ``core_ @ components_`` solves with them.
    reconstruction_error_ : float
        Frobenius norm of ``X - C @ U @ R``.
    error_estimate_ : float
        The same for the core "cross", from a sketch of 64 rows: off by a tenth or two. Neither the
        core nor a matrix product with X is needed.
    n_components_ : int
        Columns chosen, k.
    n_iter_ : int
        Blocks of rows and columns that were chosen; some of the last one may have been dropped.
    converged_ : bool
        Whether the tolerance was met; True if there was none.
    history_ : ndarray
        Upper estimates of the error after each block, relative to the norm of X, for the core
        "cross", and of the result at last; empty if there was no tolerance.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    ColumnSubsetSelector : Columns only, as a feature selector.
    cur : The function.
    sklearn.decomposition.TruncatedSVD : The least error, by mixtures of features.

    Notes
    -----
    `fit` chooses rows and columns. The core and both errors are computed when they are first
    asked for, by an attribute or by :meth:`inverse_transform`. For these the estimator holds the X
    that it was given, which must not be changed before. A pickled copy has all of them, and not X.

    With the core "cross", `inverse_transform` returns the chosen columns as they are; with
    "optimal", it changes them a little, too, and is nearer to X as a whole.

    X is not centred: put a ``StandardScaler`` before, if means should not count.

    Cost, guarantee and references are those of :func:`cur`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from lowrank_la.decomposition import CUR
    >>> X = load_digits(as_frame=True).data
    >>> model = CUR(20, random_state=0).fit(X)
    >>> model.transform(X).shape
    (1797, 20)
    >>> bool((model.transform(X) == X.iloc[:, model.column_indices_]).all(axis=None))
    True
    >>> bool(model.reconstruction_error_ < 0.35 * np.linalg.norm(X))
    True
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "core": [StrOptions(set(CORES))],
        "oversampling": [Interval(Integral, 0, None, closed="left"), None],
        **_Chooser._parameter_constraints,
    }

    def __init__(
        self,
        n_components=None,
        *,
        tol=None,
        selection="lupp",
        core="optimal",
        oversampling=None,
        sketch=None,
        device=None,
        random_state=None,
    ):
        self.n_components = n_components
        self.tol = tol
        self.selection = selection
        self.core = core
        self.oversampling = oversampling
        self.sketch = sketch
        self.device = device
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y=None):
        """Choose rows and columns.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
        y : Ignored

        Returns
        -------
        self : CUR

        Raises
        ------
        ValueError
            If X has NaN or infinite entries, or a parameter is out of its range.

        Warns
        -----
        UserWarning
            If fewer than `n_components` rows or columns were independent of each other.
        ConvergenceWarning
            If the tolerance was not met.
        """
        wanted = self.n_components, self.tol
        check_options("n_components", *wanted, self.selection)
        matrix = self._matrix(X)
        result = decompose(matrix, *wanted, self.selection, self.core, self.oversampling)
        warn_of(result, "n_components", *wanted, stacklevel=5)
        self._result, self.components_ = result, result.rows
        self.row_indices_, self.column_indices_ = result.row_indices, result.column_indices
        self.n_components_ = len(result.column_indices)
        self.n_iter_, self.converged_ = result.n_iter, result.converged
        self.history_ = result.history
        return self

    def transform(self, X):
        """Return the columns chosen.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        X_new : array or sparse matrix of shape (n_samples, k)
        """
        check_is_fitted(self)
        return validate_rows(self, X, reset=False, accept_sparse="csr")[:, self.column_indices_]

    def inverse_transform(self, X):
        """Approximate all columns by those chosen.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, k)
            Columns chosen.

        Returns
        -------
        X_original : array of shape (n_samples, n_features)
            ``X @ U @ R``.
        """
        check_is_fitted(self)
        if not is_device_array(X):
            X = check_array(X, accept_sparse="csr", dtype=_FLOATS, ensure_min_features=0)
        if X.shape[1] != self.n_components_:
            raise ValueError(f"X has {X.shape[1]} columns: {self.n_components_} are needed")
        put = to_device if is_device_array(X) else to_host
        return X @ put(self._result.coefficients)

    def __getstate__(self):
        """Parameters and what was found, with neither X nor its columns."""
        state = super().__getstate__()
        return state | {"_result": self._result.without_data()} if "_result" in state else state

    @property
    def core_(self):
        """Core, as factors."""
        return self._result.core

    @property
    def reconstruction_error_(self):
        """Frobenius norm of what is missing."""
        return self._result.error

    @property
    def error_estimate_(self):
        """Frobenius norm of what is missing with the core "cross", estimated."""
        return self._result.error_estimate

    def get_feature_names_out(self, input_features=None):
        """Names of the columns chosen.

        Parameters
        ----------
        input_features : array_like of str, default=None
            Names of all columns; None takes those of X, or x0, x1, ...

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self)
        return _check_feature_names_in(self, input_features)[self.column_indices_]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class ColumnSubsetSelector(SelectorMixin, _Chooser):
    """Select features of which all others are linear combinations, nearly.

    It needs no targets, and drops what is redundant: constant and repeated columns, and sums of
    others, go first.

    Parameters
    ----------
    n_features_to_select : int, default=None
        None takes half of the features, or as many as the tolerance takes. More than are
        independent of each other are cut to these, with a warning.
    tol : float, default=None
        Select as many as leave a Frobenius norm of this fraction of X's,
        `n_features_to_select` at most; below 1. For the selections "lupp" and "cpqr".
    selection : {"lupp", "cpqr", "deim", "leverage", "uniform"}, default="cpqr"
        See :class:`CUR`.
    sketch : {"sparse_sign", "gaussian", "srht", "countsketch"}, default=None
        Law of the sketch; None takes a Gaussian one of few rows, else sparse signs.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where X lies. A sparse X is for the CPU only.
    random_state : None, int, Generator or RandomState, default=None
        Of the sketches and draws.

    Attributes
    ----------
    column_indices_ : ndarray of shape (k,)
        The most important ones first; :meth:`transform` keeps the order of X.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    CUR : Rows, too, and the way back to all features.
    select_columns : The function.
    sklearn.feature_selection.VarianceThreshold : Drops features that are constant.

    Notes
    -----
    X is not centred, nor scaled: put a ``StandardScaler`` before, if means and units should not
    count.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.decomposition import ColumnSubsetSelector
    >>> X = np.random.default_rng(0).standard_normal((100, 3))
    >>> X = np.column_stack([X, X[:, 0], X.sum(axis=1), np.zeros(100)])
    >>> ColumnSubsetSelector(3, random_state=0).fit_transform(X).shape
    (100, 3)
    """

    _parameter_constraints = {
        "n_features_to_select": [Interval(Integral, 1, None, closed="left"), None],
        **_Chooser._parameter_constraints,
    }

    def __init__(
        self,
        n_features_to_select=None,
        *,
        tol=None,
        selection="cpqr",
        sketch=None,
        device=None,
        random_state=None,
    ):
        self.n_features_to_select = n_features_to_select
        self.tol = tol
        self.selection = selection
        self.sketch = sketch
        self.device = device
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y=None):
        """Choose features.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
        y : Ignored

        Returns
        -------
        self : ColumnSubsetSelector

        Raises
        ------
        ValueError
            If X has NaN or infinite entries, or a parameter is out of its range.

        Warns
        -----
        UserWarning
            If fewer than `n_features_to_select` features were independent of each other.
        ConvergenceWarning
            If the tolerance was not met.
        """
        k = self.n_features_to_select
        check_options("n_features_to_select", k, self.tol, self.selection)
        matrix = self._matrix(X)
        most = max(1, matrix.shape[1] // 2) if k is None and self.tol is None else k
        result = decompose(matrix, most, self.tol, self.selection)
        warn_of(result, "n_features_to_select", k, self.tol, stacklevel=5)
        self.column_indices_ = result.column_indices
        return self

    def transform(self, X):
        """Return the features selected, in their order in X.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        X_new : array or sparse matrix of shape (n_samples, n_features_selected)
        """
        if not is_device_array(X):
            return super().transform(X)
        kept = self.get_support(indices=True)
        return validate_rows(self, X, reset=False)[:, kept]

    def _get_support_mask(self):
        check_is_fitted(self)
        return np.isin(np.arange(self.n_features_in_), self.column_indices_)
