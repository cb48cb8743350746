"""Matrix completion as a regression on the labels of rows and columns."""

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils import column_or_1d
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from .._support.progress import Progress, with_callbacks
from .._support.random import as_generator
from .._support.validation import all_or_nothing, check_integer, check_weights
from ._context import fit_observations
from ._estimators_base import CompletionBase, check_range
from ._labels import columns_of_frame
from ._observations import carried, carried_effects, codes_among, named, observed

_PAIRS = 1 << 20  # predicted at a time for recommendations


class MatrixCompletionRegressor(RegressorMixin, CompletionBase):
    """Regression on pairs of labels, by a matrix of low rank: ratings of items by users.

    A target is predicted as a mean, plus a number for the row, plus one for the column, plus the
    product of a vector for the row with one for the column. All of them are fitted to the entries
    that are observed, of which the samples are: the first feature is the label of a row, the
    second that of a column. See :func:`complete` for what is minimised, and how.

    Parameters
    ----------
    rank : int or "auto", default=10
        Length of the vectors; a matrix with fewer rows or columns takes as many as it has.
        "auto" chooses it by observations that are held out.
    alpha : float, default=1.0
        Strength of the ridge, which has no units: targets are divided by their spread before.
    ridge_exponent : float, default=0.5
        The ridge of a row or column is `alpha` times this power of the number of its observations.
    fit_bias : bool, default=True
        Whether to fit the mean, and numbers for rows and columns, beside the vectors.
    loss : {"squared", "huber", "l1"}, default="squared"
        "huber" and "l1" are for targets some of which are grossly wrong.
    nonnegative : bool, default=False
        Whether all entries of the vectors must be at least zero.
    solver : {"auto", "als", "gauss_newton", "gibbs"}, default="auto"
        "als" is the method of choice for noisy observations, "gauss_newton" for exact ones, and
        "auto" takes it if `alpha` is zero, else "als". "gibbs" averages over draws from the
        posterior distribution, which predicts best and takes longest, and tells standard
        deviations; it has no use for `alpha`, but for the effects of context.
    early_stopping : bool, default=False
        Whether to stop when observations that are held out are predicted worse.
    validation_fraction : float, default=0.1
        Share of them, for `early_stopping` and ``rank="auto"``.
    tol : float, default=None
        Relative decrease of the objective with which "als" stops. None leaves it to
        :func:`complete`.
    max_iter : int, default=None
        Sweeps over the observations at most. None leaves it to :func:`complete`.
    warm_start : bool, default=False
        Whether :meth:`fit` goes on from the vectors of the last one, where labels are the same
        and `rank` is not less.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means the CPU. "cuda" is for the solver "als".
    random_state : None, int, Generator or RandomState, default=None
        Of the start, the draws, and what is held out.
    verbose : int, default=0
        Show a progress bar if not zero.

    Attributes
    ----------
    row_labels_, column_labels_ : ndarray of shape (n_rows,), (n_columns,)
        Labels in ascending order.
    row_factors_, column_factors_ : ndarray of shape (n_rows, k), (n_columns, k)
        The vectors. With the solver "gibbs" they are the last draw, as biases are.
    row_bias_, column_bias_ : ndarray of shape (n_rows,), (n_columns,)
        The numbers beside them.
    mean_ : float
        Mean of the targets, less the effects of context.
    context_labels_ : list of ndarray
        Categories of each further feature.
    context_effects_ : list of ndarray
        What each of them adds.
    rank_ : int
        Length of the vectors.
    n_iter_ : int
        Sweeps of the last solver run.
    converged_ : bool
        Whether it came to its end before `max_iter`.
    history_ : ndarray of shape (n_iter,)
        After each sweep, for targets divided by their spread: the objective of "als", the root
        mean square residual of other solvers.
    validation_history_ : ndarray
        Root mean square error of what was held out, after each sweep; empty without
        `early_stopping`.
    n_features_in_ : int
        Number of features: two, and those of the context.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    complete : The function, for indices of rows and columns.
    LowRankImputer : For a matrix with holes.

    Notes
    -----
    Labels are numbers, text or dates. The columns of a data frame are read one by one, so they may
    be of different types, categories of pandas among them. A label that was not among those of
    `fit` has no effect: a new row is predicted as the mean and the column's number, a new column
    likewise, and a pair of both as the mean. With the solver "gibbs", it is drawn from the
    distribution of rows, or columns, which widens the standard deviation.

    Features beyond the second are categories, such as a device or a weekday: each adds a number of
    its own, with the ridge of a bias, fitted in turn with the rest.

    A pair that is repeated is observed several times. Samples of weight zero do not count; integer
    weights act as repeated samples do. The observations are kept for :meth:`partial_fit` and
    :meth:`recommend`: 8 bytes a sample and the targets.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.completion import MatrixCompletionRegressor
    >>> rng = np.random.default_rng(0)
    >>> tastes, traits = rng.standard_normal((40, 2)), rng.standard_normal((25, 2))
    >>> X = rng.integers([40, 25], size=(600, 2))  # whose rating, and of what
    >>> y = 3 + (tastes[X[:, 0]] * traits[X[:, 1]]).sum(axis=1)
    >>> model = MatrixCompletionRegressor(rank=2, alpha=0.1, random_state=0).fit(X[:500], y[:500])
    >>> model.score(X[500:], y[500:]) > 0.9
    True
    >>> labels, values = model.recommend(7, n=3)
    >>> bool(np.all(values == model.predict([[7, label] for label in labels])))
    True
    >>> bool(np.isfinite(model.predict([[7, 1000], [1000, 1], [1000, 1000]])).all())
    True
    """

    _parameter_constraints = {**CompletionBase._parameter_constraints, "warm_start": ["boolean"]}

    def __init__(
        self,
        rank=10,
        *,
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
        warm_start=False,
        device=None,
        random_state=None,
        verbose=0,
    ):
        self.rank = rank
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
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y, sample_weight=None):
        """Fit the vectors.

        Parameters
        ----------
        X : array_like or data frame of shape (n_samples, n_features)
            Labels of rows and of columns, and context.
        y : array_like of shape (n_samples,)
            Targets: the entries of the matrix.
        sample_weight : array_like of shape (n_samples,), default=None
            Non-negative weights of the squared residuals.

        Returns
        -------
        self : MatrixCompletionRegressor

        Raises
        ------
        ValueError
            If X has fewer than two features or lacks a label, if a target is NaN or infinite, or
            if a parameter is out of its range or not for the solver.

        Warns
        -----
        ConvergenceWarning
            If the objective, or effects of context, still changed in the end.
        """
        observations = self._observed(X, y, sample_weight, reset=True)
        return self._fit(observations, go_on=self.warm_start and hasattr(self, "_result"))

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def partial_fit(self, X, y, sample_weight=None):
        """Take more observations into account, of known and of new rows and columns.

        All observations are fitted, from where the last fit ended: that takes few sweeps if the
        new ones are few. Without a fit before, it is :meth:`fit`. With `early_stopping`, what is
        held out is drawn anew.

        Parameters
        ----------
        X : array_like or data frame of shape (n_samples, n_features)
            Labels and context; as many features as before.
        y : array_like of shape (n_samples,)
            Targets.
        sample_weight : array_like of shape (n_samples,), default=None
            Non-negative weights of the squared residuals.

        Returns
        -------
        self : MatrixCompletionRegressor

        Raises
        ------
        ValueError
            As :meth:`fit`, or if labels are of another kind than before.

        Warns
        -----
        ConvergenceWarning
            If the objective, or effects of context, still changed in the end.
        """
        known = hasattr(self, "_result")
        observations = self._observed(X, y, sample_weight, reset=not known)
        if known:
            observations = self._observations.more(observations)
        return self._fit(observations, go_on=known)

    def predict(self, X, return_std=False):
        """Predict targets.

        Parameters
        ----------
        X : array_like or data frame of shape (n_samples, n_features)
            Labels and context; those that are not known have no effect.
        return_std : bool, default=False
            Tell standard deviations, too; for the solver "gibbs".

        Returns
        -------
        y : ndarray of shape (n_samples,)
            In the precision of the targets of `fit`.
        std : ndarray of shape (n_samples,)
            Standard deviations of new observations, noise included; if `return_std`.

        Raises
        ------
        ValueError
            If X has another number of features, or labels of another kind, than that of `fit`,
            or if the solver was not "gibbs" and `return_std` is true.
        """
        check_is_fitted(self)
        columns = self._columns(X, reset=False)
        rows, columns, *context = codes_among(self._observations.labels, columns)
        (m, n), result = self._observations.shape, self._result
        rows, columns = np.where(rows < 0, m - 1, rows), np.where(columns < 0, n - 1, columns)
        found = result.predict(rows, columns, return_std)
        y, std = found if return_std else (found, None)
        for effect, codes in zip(self.context_effects_, context, strict=True):
            y += np.append(effect, 0.0)[codes]
        y = y.astype(result.left.dtype)
        return (y, std.astype(y.dtype)) if return_std else y

    def recommend(self, row, n=10, exclude_seen=True):
        """Columns with the highest predictions in a row.

        Parameters
        ----------
        row : label or array_like of labels
            One that is not known gets what has the highest predictions for all.
        n : int, default=10
            How many to tell, at most.
        exclude_seen : bool, default=True
            Leave out columns that have been observed in the row.

        Returns
        -------
        labels : ndarray
            Of columns, best first; equal ones in their order.
        values : ndarray
            What is predicted for them, effects of context apart. For several rows, a list with
            such a pair of arrays for each.

        Raises
        ------
        ValueError
            If `n` is no integer of at least one, or a label is of another kind than those of
            `fit`.
        """
        check_is_fitted(self)
        n, single = check_integer("n", n, 1), np.ndim(row) == 0
        labels = np.asarray(
            [row] if single else row, object if isinstance(row, list | tuple) else None
        )
        rows = named("row", self._observations.labels[0].codes_of, labels)
        rows = np.where(rows < 0, self._observations.shape[0] - 1, rows)
        seen = self._observations.columns_of(rows) if exclude_seen else [[]] * len(rows)
        found = [self._best(*pair, n) for pair in zip(self._scores(rows), seen, strict=True)]
        return found[0] if single else found

    def _scores(self, rows):
        """Predictions for all columns, row after row."""
        n = len(self.column_labels_)
        some = max(1, _PAIRS // n)
        for begin in range(0, len(rows), some):
            part = rows[begin : begin + some]
            columns = np.tile(np.arange(n), len(part))
            yield from self._result.predict(np.repeat(part, n), columns).reshape(len(part), n)

    def _best(self, scores, seen, n):
        scores[seen] = -np.inf
        n = min(n, len(scores) - len(np.unique(seen)))
        best = np.argsort(-scores, kind="stable")[:n]
        return self.column_labels_[best], scores[best].astype(self._result.left.dtype)

    def _observed(self, X, y, sample_weight, reset):
        """Observations, checked."""
        columns = self._columns(X, y, reset=reset)
        y = check_array(y, ensure_2d=False, dtype=[np.float64, np.float32], input_name="y")
        y = column_or_1d(y, warn=True)
        check_consistent_length(columns[0], y)
        check_range("y", y)
        weights = None if sample_weight is None else check_weights(sample_weight, len(y))
        return observed(columns, y, weights)

    def _columns(self, X, *y, reset):
        """Labels, column by column: those of a data frame need not have one type."""
        columns = columns_of_frame(X)
        if columns is None:
            if isinstance(X, list | tuple):
                X = np.array(X, object)  # numbers stay apart from text
            X = check_array(X, dtype=None, estimator=self, input_name="X")
            columns = list(X.T)
        elif not len(X):
            raise ValueError("Found array with 0 sample(s): X has none, a minimum of 1 is required")
        validate_data(self, X, *y, reset=reset, skip_check_array=True)
        if len(columns) < 2:
            raise ValueError(
                f"X has {len(columns)} feature(s): two are needed, the labels of rows and of "
                "columns"
            )
        return columns

    def _fit(self, observations, go_on):
        rng = as_generator(self.random_state)
        rank = self._rank_within(*(size - 1 for size in observations.shape))
        start, effects = None, [np.zeros(len(labels)) for labels in observations.labels[2:]]
        if go_on and len(self._observations.labels) == len(observations.labels):
            rank = self.rank_ if rank == "auto" else rank
            effects = carried_effects(self._effects, self._observations, observations)
            if rank >= self.rank_:
                start = carried(self._result, self._observations, observations, rank, rng)
        with Progress(self, self.verbose) as progress:
            result, self._effects = fit_observations(
                observations, start, effects, lambda: progress.stopped, rank=rank,
                callback=progress, rng=int(rng.integers(2**63)), **self._options,
            )  # fmt: skip
        self._observations = observations
        return self._set_fitted(result)

    @property
    def row_labels_(self):
        """Labels of the rows."""
        return self._observations.labels[0].values

    @property
    def column_labels_(self):
        """Labels of the columns."""
        return self._observations.labels[1].values

    @property
    def row_factors_(self):
        """Vectors of the rows."""
        return self._result.left[:-1]

    @property
    def column_factors_(self):
        """Vectors of the columns."""
        return self._result.right[:-1]

    @property
    def row_bias_(self):
        """Numbers of the rows."""
        return self._result.row_bias[:-1]

    @property
    def column_bias_(self):
        """Numbers of the columns."""
        return self._result.column_bias[:-1]

    @property
    def context_labels_(self):
        """Categories of each further feature."""
        return [labels.values for labels in self._observations.labels[2:]]

    @property
    def context_effects_(self):
        """What each of them adds."""
        return self._effects

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.regressor_tags.poor_score = True  # where labels are numbers at random
        return tags
