"""k nearest neighbours under a costly similarity, behind scikit-learn's estimator interface."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, _fit_context
from sklearn.metrics.pairwise import PAIRWISE_KERNEL_FUNCTIONS, pairwise_kernels
from sklearn.utils import _safe_indexing, gen_batches, indexable
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _num_samples, check_is_fitted, validate_data

from .._support.blas import single_threaded_blas
from .._support.random import as_generator
from .._support.validation import (
    all_or_nothing,
    as_floats,
    check_choice,
    check_integer,
    checked_sparse,
    require_memory,
)
from ._neighbors import Search, factorized

_EVALUATIONS = 1 << 20  # in a call of the similarity by fit
_PER_NEIGHBOR = 20  # evaluations, if no budget is given
_ROUNDS = 8  # of the adaptive strategy, if their size is not given


class CURNeighbors(BaseEstimator):
    """k nearest neighbours under a similarity that is too costly to ask for every item.

    For a query, the similarity to a few items is evaluated. From these, and from the
    similarities of other queries to all items, which are worked out once, those to the
    remaining items are estimated, and evaluated where the estimates are largest.

    Parameters
    ----------
    n_neighbors : int, default=10
        How many neighbours to look for.
    similarity : str or callable, default="cosine"
        What is larger for what is nearer. A function of some queries and some items that
        returns an array of shape (n_queries, n_items), for example a cross-encoder, an
        alignment or a matching; it need not be symmetric. Queries and items may then be
        whatever can be counted and indexed: lists of strings, data frames, arrays of any
        dimension. Or the name of one of :func:`sklearn.metrics.pairwise.pairwise_kernels`,
        with its default parameters.
    n_anchors : int, default=None
        Items that are evaluated first. If `strategy` is "adaptive", as many are evaluated in
        each further round; None means an eighth of the budget. If it is "fixed", the rest of
        the budget goes in one round; None means half of the budget.
    budget : int or float, default=None
        Evaluations per query, all rounds together: a number, or a fraction of the items
        up to 1.0. None means ``20 * n_neighbors``. It is never exceeded. If it allows
        for all items, the search is exact, and nothing has to be worked out before.
    strategy : {"adaptive", "fixed"}, default="adaptive"
        Whether what has been found is used to choose anew, in several rounds (ADACUR), or
        once (ANNCUR), so that a query takes two calls of the similarity instead of eight.
    random_state : None, int, Generator or RandomState, default=None
        Draws the anchor queries, if `fit` is given none.

    Attributes
    ----------
    items_ : array, sparse matrix or sequence of n_items
        What is searched.
    anchor_indices_ : ndarray of int
        Items that are evaluated first, for every query, the most telling one first: fewer than
        `n_anchors` where the rank of the similarities is lower.
    budget_ : int
        Evaluations per query.
    n_fit_evaluations_ : int
        Evaluations by `fit`: as many as there are anchor queries times items.
    n_features_in_ : int
        Features seen in fit; absent if the similarity is a function.
    feature_names_in_ : ndarray of str
        Their names, if X had any; absent if the similarity is a function.

    See Also
    --------
    sklearn.neighbors.NearestNeighbors : For distances of vectors, which cost little: exact.

    Notes
    -----
    With R the (m, n) similarities of the anchor queries, and s those of a query to the items I
    that have been evaluated, the estimates are ``s @ pinv(R[:, I]) @ R`` [1]_, [2]_, regularised:
    they are the conditional means if the rows of R, each scaled to the same norm, and the query
    come from one normal distribution, with errors as large as what is left unexplained of an
    anchor query by all others. Where the rank of the similarity is at most that of R and of the
    anchors, they are exact, and so is the search if the budget exceeds the anchors by
    `n_neighbors`. The anchors are the first pivots of a QR factorization of R.

    What anchor queries do not tell cannot be estimated: they should be like the queries to come.
    By default, twice as many as evaluations per query are drawn from the items; more of them make
    better estimates, and take longer to fit.

    ``fit`` takes m n evaluations and O(m² n + m³) operations, and keeps 8 m n bytes. A query takes
    O(m n + m b² + b³) operations in each round, where b items are known. That is for similarities
    which cost far more than products of vectors: where they do not, evaluate all of them,
    and likewise if fewer queries are to come than there are anchor queries. The anchors are
    evaluated for many queries in one call, what follows for one query at a time.

    References
    ----------
    .. [1] N. Yadav, N. Monath, R. Angell, M. Zaheer, A. McCallum, "Efficient nearest neighbor
       search for cross-encoder models using matrix factorization", EMNLP 2022.
    .. [2] N. Yadav, N. Monath, M. Zaheer, A. McCallum, "Efficient k-NN search with
       cross-encoders using adaptive multi-round CUR decomposition", Findings of EMNLP 2023.

    Examples
    --------
    Words that share the most pairs of letters:

    >>> import numpy as np
    >>> from lowrank_la.decomposition import CURNeighbors
    >>> def shared(queries, items):
    ...     pairs = [[{w[i : i + 2] for i in range(len(w) - 1)} for w in words]
    ...              for words in (queries, items)]
    ...     return np.array([[len(a & b) / len(a | b) for b in pairs[1]] for a in pairs[0]])
    >>> words = ["factor", "actor", "vector", "sector", "column", "row", "crow", "rowing"]
    >>> neighbors = CURNeighbors(n_neighbors=2, similarity=shared, budget=6, random_state=0)
    >>> similarities, indices = neighbors.fit(words).kneighbors(["tractor", "growing"])
    >>> [[words[i] for i in found] for found in indices]
    [['actor', 'factor'], ['rowing', 'row']]
    """

    _parameter_constraints = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "similarity": [StrOptions(set(PAIRWISE_KERNEL_FUNCTIONS)), callable],
        "n_anchors": [Interval(Integral, 1, None, closed="left"), None],
        "budget": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="right"),
            None,
        ],
        "strategy": [StrOptions({"adaptive", "fixed"})],
        "random_state": ["random_state", np.random.Generator],
    }

    def __init__(
        self,
        n_neighbors=10,
        *,
        similarity="cosine",
        n_anchors=None,
        budget=None,
        strategy="adaptive",
        random_state=None,
    ):
        self.n_neighbors = n_neighbors
        self.similarity = similarity
        self.n_anchors = n_anchors
        self.budget = budget
        self.strategy = strategy
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y=None, anchor_queries=None):
        """Work out the similarities of the anchor queries to all items.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_items, n_features), or sequence of n_items
            The items.
        y : None
            Ignored.
        anchor_queries : of the kind of X, default=None
            Queries like those to come; None draws some of the items.

        Returns
        -------
        self : CURNeighbors

        Raises
        ------
        ValueError
            If X has NaN or infinite entries, the similarity returns any or an array of the wrong
            shape, or there are fewer items, or evaluations in the budget, than `n_neighbors`.
        """
        X = self._checked("X", X, reset=True)
        n_items = _num_samples(X)
        budget, n_anchors = self._plan(n_items)
        queries = anchor_queries
        if queries is not None:
            queries = self._checked("anchor_queries", queries, reset=False)
        if budget == n_items:
            factors, anchors, n_evaluations = None, np.arange(n_items), 0
        else:
            queries = self._drawn(X, 2 * budget) if queries is None else queries
            R = self._all_similarities(queries, X)
            n_evaluations = R.size
            factors = factorized(R)
            anchors = factors.spread(n_anchors)
        self.items_, self.anchor_indices_, self.budget_ = X, anchors, budget
        self.n_fit_evaluations_ = n_evaluations
        step = n_anchors if self.strategy == "adaptive" else budget
        self._search = Search(factors, anchors, budget, step)
        return self

    def kneighbors(self, X=None, n_neighbors=None, return_distance=True):
        """Find the nearest items of each query.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_queries, n_features), or sequence of queries
            None means the items themselves, none of which is its own neighbour.
        n_neighbors : int, default=None
            None means that of the constructor.
        return_distance : bool, default=True
            Whether to return the similarities too.

        Returns
        -------
        similarities : ndarray of shape (n_queries, n_neighbors)
            As evaluated, the largest first. Only if `return_distance` is true.
        indices : ndarray of shape (n_queries, n_neighbors), int64
            The items. Of those that are equally near, the one that comes first in X is first.

        Raises
        ------
        ValueError
            If X has NaN or infinite entries, the similarity returns any or an array of the wrong
            shape, or `n_neighbors` exceeds the budget.
        """
        check_is_fitted(self)
        own = X is None
        queries = self.items_ if own else self._checked("X", X, reset=False)
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        k = check_integer("n_neighbors", k, 1)
        if k + own > self.budget_:
            raise ValueError(
                f"n_neighbors={k}: at most {self.budget_ - own} can be found with "
                f"budget_={self.budget_} evaluations per query"
                + (", one of which may be the item itself" if own else "")
            )

        def evaluate(rows, items):
            pair = _taken(queries, rows), _taken(self.items_, items)
            return self._similarities(*pair, (len(rows), len(items)))

        values, indices = self._search.nearest(evaluate, _num_samples(queries), k, own)
        return (values, indices) if return_distance else indices

    def kneighbors_graph(self, X=None, n_neighbors=None, mode="connectivity"):
        """Find the nearest items of each query, as a sparse matrix.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n_queries, n_features), or sequence of queries
            As for :meth:`kneighbors`.
        n_neighbors : int, default=None
            None means that of the constructor.
        mode : {"connectivity", "similarity"}, default="connectivity"
            Whether entries are ones or similarities.

        Returns
        -------
        graph : csr_matrix of shape (n_queries, n_items)
            With `n_neighbors` entries in each row, the largest first.
        """
        check_choice("mode", mode, ["connectivity", "similarity"])
        values, indices = self.kneighbors(X, n_neighbors)
        if mode == "connectivity":
            values = np.ones_like(values)
        ends = np.arange(len(indices) + 1) * indices.shape[1]
        shape = len(indices), _num_samples(self.items_)
        return sparse.csr_matrix((values.ravel(), indices.ravel(), ends), shape)

    def _checked(self, name, X, *, reset):
        """Return queries or items: numbers that are validated, or what can be indexed."""
        if callable(self.similarity):
            if reset:  # a refit forgets
                vars(self).pop("n_features_in_", None)
                vars(self).pop("feature_names_in_", None)
            return _indexed(name, X)
        X = checked_sparse(name, X) if sparse.issparse(X) else X
        dtype = [np.float64, np.float32]
        try:
            return validate_data(self, X, reset=reset, accept_sparse="csr", dtype=dtype)
        except ValueError as error:
            if name == "X":
                raise
            raise ValueError(f"{name}: {error}") from error

    def _plan(self, n_items):
        """Return how many evaluations a query has, and how many in the first round."""
        k, budget = self.n_neighbors, self.budget
        if k > n_items:
            raise ValueError(
                f"n_neighbors={k} exceeds the number of items: X has {n_items} samples"
            )
        if budget is None:
            budget = _PER_NEIGHBOR * k
        elif not isinstance(budget, Integral):
            budget = int(round(budget * n_items, 9))  # 0.29 of 100 is 29
        if budget < k:
            raise ValueError(
                f"budget={self.budget!r} is {budget} evaluations for each query of X, with "
                f"{n_items} samples: at least n_neighbors={k} are needed"
            )
        parts = _ROUNDS if self.strategy == "adaptive" else 2
        n_anchors = self.n_anchors or max(1, min(budget, n_items) // parts)
        if n_anchors > budget:
            raise ValueError(f"n_anchors={n_anchors} exceeds the {budget} evaluations of a query")
        return min(int(budget), n_items), min(int(n_anchors), n_items)

    def _drawn(self, X, n):
        """Return a sample of the items."""
        n_items = _num_samples(X)
        rng = as_generator(self.random_state)
        return _safe_indexing(X, np.sort(rng.choice(n_items, min(n, n_items), replace=False)))

    def _all_similarities(self, queries, items):
        """Similarities of the anchor queries to all items, in float64."""
        n, n_items = _num_samples(queries), _num_samples(items)
        require_memory(
            f"Similarities of {n} anchor queries to X, with {n_items} samples,",
            16 * n * n_items,
            "Pass fewer anchor_queries, or lower the budget",
        )
        R = np.empty((n, n_items))
        for batch in gen_batches(n, max(1, _EVALUATIONS // n_items)):
            shape = R[batch].shape
            R[batch] = self._similarities(_safe_indexing(queries, batch), items, shape)
        return R

    def _similarities(self, queries, items, shape):
        """Ask for the similarities of some queries to some items, and check them."""
        name = f"similarity={self.similarity!r}"
        if callable(self.similarity):
            found = self.similarity(queries, items)
        else:
            with single_threaded_blas():
                found = pairwise_kernels(queries, items, self.similarity)
        found = as_floats(f"What {name} returned", found)
        if found.shape != shape:
            raise ValueError(
                f"{name} returned an array of shape {found.shape} for {shape[0]} queries and "
                f"{shape[1]} items: {shape} is needed"
            )
        if not np.isfinite(found).all():
            raise ValueError(f"{name} returned NaN or infinite values for some of X")
        return found

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _indexed(name, X):
    """Return samples of any kind in a form that can be indexed."""
    if isinstance(X, (str, bytes, dict)):
        raise ValueError(f"{name} is one {type(X).__name__}: a sequence of samples is needed")
    try:
        (X,) = indexable(X)
        n_samples = _num_samples(X)
    except TypeError as error:
        raise ValueError(f"{name} is not a sequence of samples: {error}") from error
    if not n_samples:
        raise ValueError(f"{name} is empty: at least one sample is needed")
    return X


def _taken(X, rows):
    """Rows of X, of its type; for arrays at a tenth of the price of scikit-learn's function."""
    return X[rows] if isinstance(X, np.ndarray) else _safe_indexing(X, rows)
