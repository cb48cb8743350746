"""Regression on matrices, with a coefficient of low rank, behind scikit-learn's interface."""

from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import StrOptions

from .._support.progress import with_callbacks
from .._support.validation import all_or_nothing, check_weights
from ._estimators_base import LowRankBase
from ._scaled_gd import plain_method, scaled_method


class LowRankRegressor(RegressorMixin, LowRankBase):
    """Linear regression on matrices, whose coefficient is a matrix of low rank.

    A sample is a matrix, row by row: a picture, a table of channels by times. The target is
    predicted as its inner product with `coef_`, plus a constant. A coefficient of rank r has
    ``r (d1 + d2 - r)`` degrees of freedom instead of ``d1 d2``, so that far fewer samples than
    features can do.

    Parameters
    ----------
    shape : tuple of two int, default=None
        Of the matrix that a sample is, (d1, d2); one of them may be -1. None takes that which is
        most nearly square.
    rank : int, default=None
        Of the coefficient, at most. None chooses the rank with the least Bayesian information
        criterion; with `early_stopping` it sets no bound.
    loss : {"squared", "absolute", "huber"}, default="squared"
        Of residuals. "absolute" is for targets of which up to nearly half are grossly wrong,
        "huber" for some that are.
    solver : {"scaled_gd", "gradient_descent"}, default="scaled_gd"
        "gradient_descent" takes many more iterations, and learns one rank after the other: with
        `early_stopping`, few of them.
    symmetric : bool, default=False
        Whether the coefficient is symmetric and positive semidefinite; `shape` must be square.
    alpha : float, default=0.0
        Weight of the nuclear norm of the coefficient, which is added to half the mean of the
        squared residuals; the other losses are in such units, too.
    fit_intercept : bool, default=True
        Whether to fit the constant.
    early_stopping : bool, default=False
        Whether to stop when samples that are held out are predicted worse. That does what the
        choice of a rank does.
    validation_fraction : float, default=0.1
        Share of the samples that `early_stopping` holds out.
    tol : float, default=1e-11
        Size of the residuals, relative to that of the targets, that is small enough. With noise,
        iterations end when 5 of them lower the objective by less than the fraction
        ``tol ** 0.5``.
    max_iter : int, default=1000
        Iterations, at most, for each rank.
    random_state : None, int, Generator or RandomState, default=None
        Of the start, and of what is held out.
    verbose : int, default=0
        Show a progress bar if not zero.

    Attributes
    ----------
    coef_ : ndarray of shape (d1, d2)
        The coefficient, ``left_ @ right_.T``, in the precision of X.
    left_ : ndarray of shape (d1, k)
        Its left factor. The columns are orthogonal and their norms fall.
    right_ : ndarray of shape (d2, k)
        Its right factor, whose columns have the norms of the other's.
    intercept_ : float
        The constant; 0.0 without one.
    shape_ : tuple of two int
        Of `coef_`.
    rank_ : int
        The rank that was chosen. Where nothing was to choose, because of `rank` or
        `early_stopping`: how many singular values of `coef_` stand out from what the residuals
        could cause; zero says that there is more in them than in `coef_`.
    bic_ : ndarray
        Bayesian information criterion of ranks 0, 1, 2, ..., those that were tried; empty where
        nothing was to choose.
    n_iter_ : int
        Iterations of the fit that was chosen.
    converged_ : bool
        Whether it came to its end before `max_iter`.
    history_ : ndarray of shape (n_iter,)
        Size of the residuals after each iteration, relative to that of the targets: root mean
        squares, or medians for the losses that are not squared.
    validation_history_ : ndarray
        The same for samples that are held out; empty without `early_stopping`.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    scaled_gd : The function, for any linear measurements of a matrix.
    LowRankClassifier : For two classes.

    Notes
    -----
    The criterion of a rank with p degrees of freedom, the constant among them, is
    ``2 m log(s) + p log(m)``, with the size s of the residuals that `history_` tells and the sum
    m of the sample weights: a weight of 2 counts as a row that comes twice. Weights that sum to
    one, say, make the samples too few to choose a rank.

    All solvers minimise over the factors, by iterations that take ``O(n_samples d1 d2)``
    operations, or as many as a sparse X has entries. The result does not depend on the number of
    threads; to that end products of matrices stay on one.

    References
    ----------
    .. [1] Xu, X., Shen, Y., Chi, Y. and Ma, C. (2023), The power of preconditioning in
       overparameterized low-rank matrix sensing, ICML.
    .. [2] Zhou, H. and Li, L. (2014), Regularized matrix regression, Journal of the Royal
       Statistical Society B 76.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sensing import LowRankRegressor
    >>> rng = np.random.default_rng(0)
    >>> picture = np.zeros((16, 16))
    >>> picture[4:12, 6:10] = 1.0  # rank one
    >>> X = rng.standard_normal((150, 256))
    >>> y = X @ picture.ravel() + 5.0 + 0.1 * rng.standard_normal(150)
    >>> model = LowRankRegressor(random_state=0).fit(X, y)
    >>> model.shape_, model.rank_
    ((16, 16), 1)
    >>> bool(abs(model.coef_ - picture).max() < 0.1)
    True
    """

    _parameter_constraints = {
        **LowRankBase._parameter_constraints,
        "loss": [StrOptions({"squared", "absolute", "huber"})],
        "solver": [StrOptions({"scaled_gd", "gradient_descent"})],
    }

    def __init__(
        self,
        shape=None,
        rank=None,
        *,
        loss="squared",
        solver="scaled_gd",
        symmetric=False,
        alpha=0.0,
        fit_intercept=True,
        early_stopping=False,
        validation_fraction=0.1,
        tol=1e-11,
        max_iter=1000,
        random_state=None,
        verbose=0,
    ):
        self.shape = shape
        self.rank = rank
        self.loss = loss
        self.solver = solver
        self.symmetric = symmetric
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y, sample_weight=None):
        """Find the coefficient.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, d1 * d2)
            Matrices, row by row.
        y : array_like of shape (n_samples,)
            Targets.
        sample_weight : array_like of shape (n_samples,), default=None
            Weights of the losses; a row of weight zero does not count.

        Returns
        -------
        self : LowRankRegressor

        Raises
        ------
        ValueError
            If X or y have NaN or infinite entries, or such that products of them overflow, if
            `shape` does not fit the features or, for `symmetric`, is not square, or if a
            parameter is out of its range.

        Warns
        -----
        UserWarning
            If `rank` is more than matrices of this shape can have, or there are fewer samples
            than degrees of freedom.
        ConvergenceWarning
            If the iterations ran out.
        """
        X, y = self._validated(X, y, y_numeric=True)
        weights = check_weights(sample_weight, len(y))
        if self.solver == "gradient_descent":
            method_of = plain_method()
        else:
            method_of = scaled_method(early_stopping=self.early_stopping)
        return self._fit(X, y, weights, self.loss, method_of)

    def predict(self, X):
        """Predict targets.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, d1 * d2)
            Matrices, row by row.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        return self._predicted(X)
