"""Coresets behind scikit-learn's estimator interface: weighted rows that stand for all."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, _fit_context
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import (
    _safe_indexing,
    check_array,
    check_consistent_length,
    indexable,
)
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from .._support.random import as_generator
from .._support.validation import all_or_nothing, check_weights, checked_sparse
from ._draw import draw
from ._rows import ScoredRows
from ._scores import SCORES, drawn, importance
from ._sizes import has_bound

_FLOATS = [np.float64, np.float32]


class RowSampler(BaseEstimator):
    """Draw rows by their importance, and weights by which they stand for all rows.

    Parameters
    ----------
    scores : {"lewis", "leverage", "root_leverage", "sensitivity", "leverage+sensitivity", \
            "uniform"}, default="lewis"
        What rows are drawn in proportion to: see :func:`lewis_weights`,
        :func:`leverage_scores`, :func:`root_leverage_scores` and, approximate ones,
        :func:`lp_sensitivities`.
    p : float, default=2.0
        Power of the loss, above zero; at least 1 for sensitivities.
    n_samples : int, float or "auto", default="auto"
        Rows to draw: a number of them or a fraction of all. "auto" asks theory for as
        many as keep every lp norm to a factor of ``1 + eps``, but for constants, and is
        refused where there is no theorem: see the notes.
    eps : float, default=0.25
        For "auto": the relative error, below 1.
    augment : {"leverage", "uniform"}, default=None
        Draw half of the rows by these scores instead. "uniform" is what losses need that
        do not vanish with the fitted value, like that of logistic regression.
    replace : bool, default=True
        Whether rows are drawn independently of each other: what comes more than once is
        in the sample once, with a larger weight, so that it is somewhat smaller than asked
        for. Otherwise each row comes at most once.
    include_target : bool, default=True
        Whether the targets are columns for the scores, so that a row with an outlying
        target is important; of classes that are strings, each but the first is a column,
        whereas integers are numbers.
    fit_intercept : bool, default=True
        Whether a constant is a column for the scores, as it is for models with an
        intercept.
    n_jobs : int, default=None
        Threads; None takes what Numba and joblib allow, as does -1. The result does not
        depend on it.
    random_state : None, int, Generator or RandomState, default=None

    Attributes
    ----------
    scores_ : ndarray of shape (n_samples,)
        Importance of all rows, with their weights.
    sample_indices_ : ndarray of shape (m,)
        Rows drawn, in ascending order, each once.
    sample_weight_ : ndarray of shape (m,)
        What to multiply a row's loss by.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    CoresetEstimator : Fits any estimator on the rows drawn.
    coreset : The same for rows that come in blocks.
    sample_rows : Rows for any scores.

    Notes
    -----
    A row whose expected count is at least 1 is always drawn, and once: so is a row of leverage 1,
    such as the only one of its category, if no fewer rows are drawn than the scores add up to.
    Those of "lewis" and "leverage" add up to the rank.

    "auto" is the leading term of the best known bound, times ``log(10 d) / eps**2``, for d
    columns and sensitivities with the sum S: ``d**max(1, p/2)`` for "lewis" and "leverage" [1]_;
    the sum of the scores for "root_leverage", which bound the Lewis weights [1]_: up to
    ``n**(1 - p/2) * d**(p/2)`` (with weights in units of the least one); ``d**(1 - p/2) * S`` [3]_
    and, from p = 2 on, ``S**(2 - 2/p)`` [2]_ for "sensitivity"; ``S + d`` [3]_ and, above p = 2,
    ``d**(2/p) * S**(2 - 4/p)`` [2]_ for "leverage+sensitivity"; twice as many with `augment`.
    "leverage" has a guarantee for p = 2 only, "root_leverage" for p <= 2, and "uniform" has none.

    The theorems on sensitivities are for upper bounds of them. The estimates here are lower ones
    unless p = 2, at worst by a factor of ``d**abs(1 - p/2)``: "sensitivity" and
    "leverage+sensitivity" follow these theorems, but have no guarantee of their own.

    Scores are made of a copy of X with the target and the constant as columns, in float32 where
    X and y are (and where y has strings). Targets of float64 are not rounded for that: those far
    from zero would lose what tells rows apart. Convert them to spare the memory.

    References
    ----------
    .. [1] M. B. Cohen, R. Peng, "Lp row sampling by Lewis weights", STOC 2015.
    .. [2] D. P. Woodruff, T. Yasuda, "Sharper bounds for lp sensitivity sampling",
       ICML 2023.
    .. [3] A. Munteanu, S. Omlor, "Optimal bounds for lp sensitivity sampling via l2
       augmentation", ICML 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sampling import RowSampler
    >>> X = np.random.default_rng(0).standard_normal((10_000, 3))
    >>> X[7] *= 1000
    >>> sampler = RowSampler(p=1, n_samples=200, random_state=0).fit(X)
    >>> 7 in sampler.sample_indices_, bool(7_000 < sampler.sample_weight_.sum() < 13_000)
    (True, True)
    """

    _parameter_constraints = {
        "scores": [StrOptions(set(SCORES))],
        "p": [Interval(Real, 0, None, closed="neither")],
        "n_samples": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
            StrOptions({"auto"}),
        ],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "augment": [StrOptions({"leverage", "uniform"}), None],
        "replace": ["boolean"],
        "include_target": ["boolean"],
        "fit_intercept": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state", np.random.Generator],
    }

    def __init__(
        self,
        scores="lewis",
        *,
        p=2.0,
        n_samples="auto",
        eps=0.25,
        augment=None,
        replace=True,
        include_target=True,
        fit_intercept=True,
        n_jobs=None,
        random_state=None,
    ):
        self.scores = scores
        self.p = p
        self.n_samples = n_samples
        self.eps = eps
        self.augment = augment
        self.replace = replace
        self.include_target = include_target
        self.fit_intercept = fit_intercept
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y=None, sample_weight=None):
        """Draw rows.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_samples, n_features)
            Features.
        y : array_like of shape (n_samples,) or (n_samples, n_targets), default=None
            Targets, or classes, for the scores: see `include_target`.
        sample_weight : array_like of shape (n_samples,), default=None
            Weights of the rows' losses: part of `sample_weight_`.

        Returns
        -------
        self : RowSampler

        Raises
        ------
        ValueError
            If X or y have NaN or infinite entries, a weight is negative, or a parameter is
            out of its range.

        Warns
        -----
        ConvergenceWarning
            If the Lewis weights did not converge.
        """
        X = checked_sparse("X", X) if issparse(X) else X
        X = validate_data(self, X, accept_sparse="csr", dtype=_FLOATS)
        n = X.shape[0]
        if isinstance(self.n_samples, Integral) and self.n_samples > n:
            raise ValueError(f"n_samples={self.n_samples}: X has {n} rows, no more can be drawn")
        if self.n_samples == "auto" and not has_bound(self.scores, self.p):
            raise ValueError(
                f"n_samples='auto' is not for scores={self.scores!r} with p={self.p}, which have "
                "no guarantee: give a number of rows, or use scores='lewis'"
            )
        rng, weights = as_generator(self.random_state), check_weights(sample_weight, n)
        name = "X" if y is None or not self.include_target else "X and y"
        rows = ScoredRows(name, self._columns(X, y), weights, self.n_jobs, "cpu", rng)
        scores, total = importance(rows, self.scores, self.p, self.augment, rng)
        size = (self.n_samples, self.eps)
        n_drawn = drawn(rows, self.scores, self.p, total, self.augment, *size)
        indices, factors = draw(scores, n_drawn, rng, self.replace)
        self.scores_, self.sample_indices_ = scores, indices
        self.sample_weight_ = factors * weights[indices]
        return self

    def fit_resample(self, X, y=None, sample_weight=None):
        """Draw rows, and return them.

        Their weights are in `sample_weight_`: without these they do not stand for all rows.
        Pipelines of imbalanced-learn, which call this, drop them: use :class:`CoresetEstimator`.

        Parameters
        ----------
        X : array_like, dataframe or sparse matrix of shape (n_samples, n_features)
            Features.
        y : array_like of shape (n_samples,) or (n_samples, n_targets), default=None
            Targets.
        sample_weight : array_like of shape (n_samples,), default=None
            Weights of the rows' losses: part of `sample_weight_`.

        Returns
        -------
        X_resampled : of the type of X
        y_resampled : of the type of y
            None if there is no y.
        """
        self.fit(X, y, sample_weight)
        return chosen_rows(X, y, self.sample_indices_)

    def _columns(self, X, y):
        """Features, with the target and a constant if they count: what is scored."""
        parts = [X]
        if y is not None:
            check_consistent_length(X, y)
        if y is not None and self.include_target:
            parts.append(_target_columns(y, X.dtype))
        if self.fit_intercept:
            parts.append(np.ones((X.shape[0], 1), X.dtype))
        if issparse(X):
            return sparse.hstack(parts, format="csr")
        return np.hstack(parts)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _target_columns(y, dtype):
    """Columns of numeric targets, or for classes whether a row is in each but the first."""
    y = check_array(y, ensure_2d=False, dtype=None, input_name="y")
    numbers = y.dtype.kind == "O" and isinstance(y.flat[0], Real)
    if y.dtype.kind in "OSUT" and not numbers:
        encoder = OneHotEncoder(drop="first", sparse_output=False, dtype=dtype)
        return encoder.fit_transform(_as_columns(y))
    return _as_columns(check_array(y, ensure_2d=False, dtype=_FLOATS, input_name="y"))


def _as_columns(y):
    return y.reshape(len(y), -1)


def chosen_rows(X, y, rows):
    """Rows of X and y, of their types where these can be indexed; y may be None."""
    return tuple(part if part is None else _safe_indexing(part, rows) for part in indexable(X, y))
