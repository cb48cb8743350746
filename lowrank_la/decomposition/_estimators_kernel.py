"""Features of a kernel from pivots, behind scikit-learn's estimator interface."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.metrics.pairwise import KERNEL_PARAMS
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._support.cuda import is_device_array, resolve_device, to_device, to_host
from .._support.random import as_generator
from .._support.validation import all_or_nothing, check_threads, validate_rows
from ._kernel_entries import checked_matrix, entries_of, kernel_parameters
from ._rp_cholesky import factorise, features


class RPCholeskyKernelMap(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Features whose scalar products approximate a kernel, by randomly pivoted Cholesky.

    It takes the place of :class:`sklearn.kernel_approximation.Nystroem`, whose components are drawn
    uniformly: these are drawn where the kernel is not well approximated yet.

    Parameters
    ----------
    n_components : int, default=100
        Features: as many samples are chosen as components. If the kernel matrix has a smaller
        rank, up to rounding, there are fewer, with a warning.
    kernel : str or callable, default="rbf"
        Any that :func:`sklearn.metrics.pairwise.pairwise_kernels` knows, or a function of two rows
        that returns a number, or a kernel of a Gaussian process. "precomputed": X is the kernel.
    gamma : float, default=None
        Parameter of "rbf", "laplacian", "polynomial", "sigmoid" and "chi2"; None leaves it to the
        kernel: one over the number of features, but 1 for "chi2".
    degree : float, default=None
        Of "polynomial": 3 if None.
    coef0 : float, default=None
        Of "polynomial" and "sigmoid": 1 if None.
    kernel_params : dict, default=None
        Further arguments of the kernel.
    random_state : None, int, Generator or RandomState, default=None
        Draws the components.
    n_jobs : int, default=None
        Threads; None takes what Numba and joblib allow, as does -1. The result does not
        depend on it.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where X lies. On a GPU there are the kernels "precomputed"
        and "rbf", of dense X.

    Attributes
    ----------
    components_ : ndarray or sparse matrix of shape (k, n_features), or None
        The samples chosen, in their order; None if ``kernel="precomputed"``.
    component_indices_ : ndarray of shape (k,)
        Their indices.
    cholesky_ : ndarray of shape (k, k)
        Lower Cholesky factor of their kernel.
    trace_error_ : float
        What the features do not explain of the trace of the kernel matrix of `fit`, relative to
        all of it.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    rp_cholesky : The function beneath, with a tolerance and a history.

    Notes
    -----
    The features of x are those that solve ``cholesky_ @ features = kernel(components_, x)``: the
    Nyström approximation of the kernel on the components, by a triangular system and without an
    inverse. Those of `fit` are the factor that :func:`rp_cholesky` returns, up to rounding. The
    time of `fit` is that of ``n k**2`` multiplications, and so is that of `transform`.

    References
    ----------
    Y. Chen, E. N. Epperly, J. A. Tropp, R. J. Webber, "Randomly pivoted Cholesky: practical
    approximation of a kernel matrix with few entry evaluations", Communications on Pure and Applied
    Mathematics 78, 2025.

    E. N. Epperly, J. A. Tropp, R. J. Webber, "Embrace rejection: kernel matrix approximation by
    accelerated randomly pivoted Cholesky", 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from lowrank_la.decomposition import RPCholeskyKernelMap
    >>> X, y = load_digits(return_X_y=True)
    >>> features = RPCholeskyKernelMap(300, gamma=0.001, random_state=0)
    >>> model = make_pipeline(features, RidgeClassifier(alpha=0.01)).fit(X[:1000], y[:1000])
    >>> bool(model.score(X[1000:], y[1000:]) > 0.95)
    True
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "kernel": [StrOptions({"precomputed", *KERNEL_PARAMS}), callable],
        "gamma": [Interval(Real, 0, None, closed="left"), None],
        "degree": [Interval(Real, 1, None, closed="left"), None],
        "coef0": [Interval(Real, None, None, closed="neither"), None],
        "kernel_params": [dict, None],
        "random_state": ["random_state", np.random.Generator],
        "n_jobs": [Integral, None],
        "device": [StrOptions({"cpu", "cuda"}), None],
    }

    def __init__(
        self,
        n_components=100,
        *,
        kernel="rbf",
        gamma=None,
        degree=None,
        coef0=None,
        kernel_params=None,
        random_state=None,
        n_jobs=None,
        device=None,
    ):
        self.n_components = n_components
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.kernel_params = kernel_params
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.device = device

    def fit(self, X, y=None):
        """Choose components.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            Samples; if ``kernel="precomputed"``, their kernel, of shape (n_samples, n_samples).
        y : None
            Ignored.

        Returns
        -------
        self : RPCholeskyKernelMap

        Raises
        ------
        ValueError
            If X has NaN or infinite entries, the kernel is not positive semi-definite (beyond
            rounding), or a parameter is out of its range.

        Warns
        -----
        UserWarning
            If the kernel has a smaller rank than components are wanted.
        """
        self._fit(X)
        return self

    def fit_transform(self, X, y=None):
        """Choose components, and return the features of the samples, which are known then.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            As for :meth:`fit`.
        y : None
            Ignored.

        Returns
        -------
        features : array of shape (n_samples, k)
            In the precision of X; on the GPU if X is there.
        """
        factor = self._fit(X)
        return factor if is_device_array(X) else to_host(factor)

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def _fit(self, X):
        params, device = self._params(), resolve_device(self.device, X)
        entries = entries_of(self._checked(X, reset=True), self.kernel, params, device)
        rng = as_generator(self.random_state)
        if self.n_jobs is not None:
            check_threads("n_jobs", self.n_jobs)
        names = "X", "n_components"
        found = factorise(entries, self.n_components, names, device, self.n_jobs, rng, 6)
        self.component_indices_, self.trace_error_ = found.pivots, found.trace_error
        self.components_ = None if self._precomputed else entries.take(found.pivots)
        here = to_device(found.pivots) if is_device_array(found.factor) else found.pivots
        self.cholesky_ = np.tril(to_host(found.factor.T[:, here]).T)
        return found.factor

    def transform(self, X):
        """Features of samples.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            Samples; if ``kernel="precomputed"``, their kernel with all samples of `fit`, of shape
            (n_samples, n_samples_fit).

        Returns
        -------
        features : array of shape (n_samples, k)
            In the precision of X; on the GPU if X is there.
        """
        check_is_fitted(self)
        X, device = self._checked(X, reset=False), resolve_device(self.device, X)
        matrix = X.T if self._precomputed else X
        entries = entries_of(matrix, self.kernel, self._params(), device)
        pivots = self.component_indices_ if self._precomputed else self.components_
        found = features("X", entries, pivots, self.cholesky_, device, self.n_jobs)
        return found if is_device_array(X) else to_host(found)

    @property
    def _precomputed(self):
        return isinstance(self.kernel, str) and self.kernel == "precomputed"

    @property
    def _n_features_out(self):
        return len(self.component_indices_)

    def _params(self):
        names = "gamma", "degree", "coef0", "kernel_params"
        return kernel_parameters(self.kernel, *(getattr(self, name) for name in names))

    def _checked(self, X, *, reset):
        sparse = {} if self._precomputed else {"accept_sparse": "csr"}
        X = validate_rows(self, X, reset=reset, **sparse)
        if reset and self._precomputed:
            return checked_matrix("X", X)
        return X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self._precomputed
        tags.input_tags.sparse = not self._precomputed
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
