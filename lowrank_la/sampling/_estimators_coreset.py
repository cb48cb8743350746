"""Any estimator, fitted on a coreset."""

from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone, is_classifier
from sklearn.utils import check_array, get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from .._support.validation import all_or_nothing
from ..linear_model import SketchedLinearRegression
from ._estimators import RowSampler, chosen_rows


def _estimator_has(name):
    def has(self):
        return hasattr(self.estimator_ if hasattr(self, "estimator_") else self._model(), name)

    return has


class CoresetEstimator(MetaEstimatorMixin, BaseEstimator):
    """Fit an estimator on a weighted sample of the rows, and predict as it does.

    Parameters
    ----------
    estimator : estimator, default=None
        Any whose ``fit`` takes `sample_weight`; ordinary least squares by default,
        :class:`lowrank_la.linear_model.SketchedLinearRegression`.
    sampler : RowSampler, default=None
        Draws the rows; by default ``RowSampler()``. Its `p` should be the power of the
        estimator's loss.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on the sample.
    sampler_ : RowSampler
        Fitted on all rows; it has the sample's indices and weights.
    classes_ : ndarray
        Classes that the estimator knows, if it is a classifier.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    RowSampler : Which rows are drawn.

    Notes
    -----
    The classes of a classifier count as columns for the scores, one for each but the first, so that
    rows of a rare class are important. Weights of the sample multiply the rows' losses; an
    estimator with a penalty, such as :class:`sklearn.linear_model.Ridge`, sees a loss as large
    as that of all rows, and the penalty keeps its meaning.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from lowrank_la.sampling import CoresetEstimator, RowSampler
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((20_000, 3))
    >>> y = X @ [1.0, 2.0, 3.0] + 0.1 * rng.standard_normal(20_000)
    >>> model = CoresetEstimator(Ridge(), RowSampler(n_samples=500, random_state=0)).fit(X, y)
    >>> model.estimator_.coef_.round(1)
    array([1., 2., 3.])
    """

    _parameter_constraints = {
        "estimator": [HasMethods("fit"), None],
        "sampler": [RowSampler, None],
    }

    def __init__(self, estimator=None, sampler=None):
        self.estimator = estimator
        self.sampler = sampler

    @_fit_context(prefer_skip_nested_validation=False)
    @all_or_nothing
    def fit(self, X, y=None, sample_weight=None):
        """Draw rows, and fit the estimator on them.

        Parameters
        ----------
        X : array_like, dataframe or sparse matrix of shape (n_samples, n_features)
            Features.
        y : array_like of shape (n_samples,) or (n_samples, n_targets), default=None
            Targets.
        sample_weight : array_like of shape (n_samples,), default=None
            Weights of the rows' losses.

        Returns
        -------
        self : CoresetEstimator

        Raises
        ------
        ValueError
            If the estimator takes no `sample_weight`, or for what the sampler or the
            estimator refuse.
        """
        model = clone(self._model())
        if not has_fit_parameter(model, "sample_weight"):
            raise ValueError(
                f"estimator={model!r} takes no sample_weight, which rows of a coreset need: make "
                "the CoresetEstimator a step of the Pipeline, or of the search, instead"
            )
        if y is None and get_tags(model).target_tags.required:
            raise ValueError(
                f"estimator={model!r} requires y to be passed, but the target y is None"
            )
        sampler = RowSampler() if self.sampler is None else clone(self.sampler)
        target = y
        if y is not None and is_classifier(model):
            target = check_array(y, ensure_2d=False, dtype=None, input_name="y")
            check_classification_targets(target)
            target = target.astype(str).astype(object)
        sampler.fit(X, target, sample_weight)
        X, y = chosen_rows(X, y, sampler.sample_indices_)
        targets = () if y is None else (y,)
        self.estimator_ = model.fit(X, *targets, sample_weight=sampler.sample_weight_)
        self.sampler_, self.n_features_in_ = sampler, sampler.n_features_in_
        if hasattr(sampler, "feature_names_in_"):
            self.feature_names_in_ = sampler.feature_names_in_
        return self

    def _model(self):
        return SketchedLinearRegression() if self.estimator is None else self.estimator

    @property
    def classes_(self):
        """Classes that the estimator knows."""
        return self.estimator_.classes_

    @available_if(_estimator_has("predict"))
    def predict(self, X):
        """Predict as the estimator does.

        Parameters
        ----------
        X : array_like, dataframe or sparse matrix of shape (n_samples, n_features)
            Features.

        Returns
        -------
        result : ndarray
            What the estimator returns.
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X):
        """Probabilities of classes, as the estimator tells them.

        Parameters
        ----------
        X : array_like, dataframe or sparse matrix of shape (n_samples, n_features)
            Features.

        Returns
        -------
        result : ndarray
            What the estimator returns.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @available_if(_estimator_has("predict_log_proba"))
    def predict_log_proba(self, X):
        """Their logarithms.

        Parameters
        ----------
        X : array_like, dataframe or sparse matrix of shape (n_samples, n_features)
            Features.

        Returns
        -------
        result : ndarray
            What the estimator returns.
        """
        check_is_fitted(self)
        return self.estimator_.predict_log_proba(X)

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X):
        """Decision function of the estimator.

        Parameters
        ----------
        X : array_like, dataframe or sparse matrix of shape (n_samples, n_features)
            Features.

        Returns
        -------
        result : ndarray
            What the estimator returns.
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)

    @available_if(_estimator_has("transform"))
    def transform(self, X):
        """Transform as the estimator does.

        Parameters
        ----------
        X : array_like, dataframe or sparse matrix of shape (n_samples, n_features)
            Features.

        Returns
        -------
        result : ndarray
            What the estimator returns.
        """
        check_is_fitted(self)
        return self.estimator_.transform(X)

    @available_if(_estimator_has("transform"))
    def fit_transform(self, X, y=None, sample_weight=None):
        """Fit, and transform all rows.

        Parameters
        ----------
        X : array_like, dataframe or sparse matrix of shape (n_samples, n_features)
            Features.
        y : array_like of shape (n_samples,) or (n_samples, n_targets), default=None
            Targets.
        sample_weight : array_like of shape (n_samples,), default=None
            Weights of the rows' losses.

        Returns
        -------
        result : ndarray
            What the estimator returns.
        """
        return self.fit(X, y, sample_weight).transform(X)

    @available_if(_estimator_has("score"))
    def score(self, X, y=None, sample_weight=None):
        """Score as the estimator does.

        Parameters
        ----------
        X : array_like, dataframe or sparse matrix of shape (n_samples, n_features)
            Features.
        y : array_like of shape (n_samples,) or (n_samples, n_targets), default=None
            Targets.
        sample_weight : array_like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
        """
        check_is_fitted(self)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self.estimator_.score(X, y, **weights)

    def __sklearn_tags__(self):
        tags, others = super().__sklearn_tags__(), get_tags(self._model())
        for name in ("estimator_type", "classifier_tags", "regressor_tags", "transformer_tags",
                     "target_tags"):  # fmt: skip
            setattr(tags, name, getattr(others, name))
        tags.input_tags.sparse = others.input_tags.sparse
        return tags
