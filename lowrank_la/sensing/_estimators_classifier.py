"""Classification of matrices, by a coefficient of low rank, behind scikit-learn's interface."""

import numpy as np
from scipy.special import expit
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from .._support.progress import with_callbacks
from .._support.validation import all_or_nothing, check_weights
from ._estimators_base import LowRankBase
from ._scaled_gd import scaled_method


class LowRankClassifier(ClassifierMixin, LowRankBase):
    """Logistic regression on matrices, whose coefficient is a matrix of low rank, for two classes.

    A sample is a matrix, row by row: a picture, a table of channels by times. The logarithm of
    the odds of the second class is predicted as its inner product with `coef_`, plus a constant.

    Parameters
    ----------
    shape : tuple of two int, default=None
        Of the matrix that a sample is, (d1, d2); one of them may be -1. None takes that which is
        most nearly square.
    rank : int, default=None
        Of the coefficient, at most. None chooses the rank with the least Bayesian information
        criterion; with `early_stopping` it sets no bound.
    symmetric : bool, default=False
        Whether the coefficient is symmetric and positive semidefinite; `shape` must be square.
    alpha : float, default=0.01
        Weight of the nuclear norm of the coefficient, which is added to the mean of the
        logarithmic losses. Zero has no solution where a matrix separates the classes.
    fit_intercept : bool, default=True
        Whether to fit the constant.
    early_stopping : bool, default=False
        Whether to stop when samples that are held out are predicted worse. That does what the
        choice of a rank does.
    validation_fraction : float, default=0.1
        Share of the samples that `early_stopping` holds out.
    tol : float, default=1e-11
        Iterations end when 5 of them lower the objective by less than the fraction
        ``tol ** 0.5``, or when the loss is `tol` times that of even odds.
    max_iter : int, default=1000
        Iterations, at most, for each rank.
    random_state : None, int, Generator or RandomState, default=None
        Of the start, and of what is held out.
    verbose : int, default=0
        Show a progress bar if not zero.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The classes.
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
        could cause.
    bic_ : ndarray
        Bayesian information criterion of ranks 0, 1, 2, ..., those that were tried; empty where
        nothing was to choose.
    n_iter_ : int
        Iterations of the fit that was chosen.
    converged_ : bool
        Whether it came to its end before `max_iter`.
    history_ : ndarray of shape (n_iter,)
        Mean loss after each iteration, relative to that of even odds.
    validation_history_ : ndarray
        The same for samples that are held out; empty without `early_stopping`.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    LowRankRegressor : For numbers.
    sklearn.multiclass.OneVsRestClassifier : Makes it a classifier for several classes.

    Notes
    -----
    The criterion of a rank with p degrees of freedom, the constant among them, is twice the sum of
    the losses, plus ``p log(m)``, with the sum m of the sample weights: a weight of 2 counts as a
    row that comes twice.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from lowrank_la.sensing import LowRankClassifier
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> model = LowRankClassifier(rank=1, random_state=0).fit(X[:200], y[:200])
    >>> model.coef_.shape, bool(model.score(X[200:], y[200:]) > 0.95)
    ((8, 8), True)
    """

    def __init__(
        self,
        shape=None,
        rank=None,
        *,
        symmetric=False,
        alpha=0.01,
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
            Two classes: numbers, or text.
        sample_weight : array_like of shape (n_samples,), default=None
            Weights of the losses; a row of weight zero does not count.

        Returns
        -------
        self : LowRankClassifier

        Raises
        ------
        ValueError
            If X has NaN or infinite entries, or such that products of them overflow, if there
            are not two classes of positive weight, if `shape` does not fit the features or, for
            `symmetric`, is not square, or if a parameter is out of its range.

        Warns
        -----
        UserWarning
            If `rank` is more than matrices of this shape can have, or there are fewer samples
            than degrees of freedom and `alpha` is zero.
        ConvergenceWarning
            If the iterations ran out.
        """
        X, y = self._validated(X, y)
        weights = check_weights(sample_weight, len(y))
        check_classification_targets(y)
        self.classes_, second = np.unique(y, return_inverse=True)
        if len(self.classes_) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is "
                f"{type_of_target(y)}: for several classes use "
                "sklearn.multiclass.OneVsRestClassifier"
            )
        if len(np.unique(second[weights > 0])) < 2:
            raise ValueError("y has one class, of samples whose weight is not zero: two are needed")
        method_of = scaled_method(early_stopping=self.early_stopping)
        return self._fit(X, second.astype(np.float64), weights, "logistic", method_of)

    def decision_function(self, X):
        """Tell the logarithm of the odds of the second class.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, d1 * d2)
            Matrices, row by row.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
        """
        return self._predicted(X)

    def predict_proba(self, X):
        """Tell the probabilities of both classes.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, d1 * d2)
            Matrices, row by row.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, 2)
        """
        scores = self._predicted(X)
        return expit(np.column_stack([-scores, scores]))

    def predict(self, X):
        """Predict classes.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, d1 * d2)
            Matrices, row by row.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Of the type of the targets.
        """
        scores = self._predicted(X)
        return self.classes_[(scores > 0).astype(int)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
