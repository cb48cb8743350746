"""FastRP behind scikit-learn's estimator interface."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from .._support.blocks import thread_count
from .._support.cuda import resolve_device, to_host
from .._support.progress import CallbackSupportMixin, Progress, with_callbacks
from .._support.validation import all_or_nothing
from ._fastrp import STORAGES, Model, check_weights, clip_components
from ._graph import ORIENTATIONS, SIMILARITIES, as_csr, is_networkx, is_symmetric, new_rows
from ._projection import PROJECTIONS

_ANY = Interval(Real, None, None, closed="neither")


class FastRP(
    CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Node embeddings by very fast random projection.

    Random rows, one to a node, are averaged over neighbours, neighbours of neighbours
    and so on; the averages, each divided by its length, are added up with weights.

    Parameters
    ----------
    n_components : int, default=128
        Length of an embedding; more than there are nodes are clipped, with a warning.
    weights : sequence of float, default=(0.0, 1.0, 1.0)
        ``weights[i]`` is that of the power i + 1 of the matrix, as in the authors' code
        and in Neo4j GDS.
    normalization_strength : float, default=0.0
        The row that a node begins with, random or of features, is multiplied by this
        power of its degree: the sum of the weights of its neighbours.
    similarity : {"walk", "adjacency", "symmetric"}, default="walk"
        The matrix whose powers are taken: D⁻¹A, A, or D^-1/2 A D^-1/2.
    projection : {"hashed", "sparse", "very_sparse", "gaussian"} or array, default="hashed"
        The law of the random rows, or the rows themselves; see :func:`fastrp`.
    self_influence : float, default=0.0
        Weight of a node's own random row or, if `refine`, of the row in its place.
    orientation : {"natural", "reverse", "undirected"}, default="natural"
        Whether neighbours are the targets of a node's edges, their sources, or both.
    bipartite : bool, default=False
        Rows and columns of X are different nodes: X need not be square. There are
        n + m nodes then, those of the rows first, for `features`, `node_ids` and a
        `projection` that is an array.
    feature_ratio : float, default=0.0
        Share of the components that begin as a random projection of node features,
        which `fit` takes then.
    refine : bool or int, default=False
        Replace the random rows by rows that span nearly the leading eigenvectors, with
        so many whitened steps (True: 2), and return principal components.
    storage : {"float32", "float64", "int8"}, default="float32"
        How the powers are stored.
    keep_powers : bool, default=True
        Whether to keep what `transform` and `reweight` need, all powers: for q weights,
        q arrays of the embedding's size (as `storage` says; a quarter wider if
        `refine`), and another for the power 0, unless it is hashed. It is most of the
        memory of a fit.
    random_state : None, int, Generator or RandomState, default=None
        Seeds the random rows.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where X lies.
    verbose : int, default=0
        Show a progress bar, of powers, if not zero.

    Attributes
    ----------
    embedding_ : ndarray of shape (n_nodes, d), with d = `n_components_`
        Embeddings of the nodes, in the order of X (for networkx, ``list(X)``); of a
        bipartite graph, of those in the rows.
    column_embedding_ : ndarray of shape (n_columns, d), or None
        Embeddings of the nodes in the columns of a bipartite graph: what follows in the
        n + m rows that :func:`fastrp` returns.
    weights_ : ndarray of shape (n_powers + 1,)
        Weights in use: of the power 0, and of the others.
    n_components_ : int
        Length of an embedding.
    n_features_in_ : int
        Columns of the adjacency matrix.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    fastrp : The plain function, where the parameters are told in full.

    Notes
    -----
    X is square and says which nodes are neighbours, as a precomputed kernel does:
    cross-validation slices its rows and columns, and ``transform(X[test][:, train])``
    embeds nodes that were not in the graph from their edges to those that were. With
    ``bipartite=True`` X is any matrix of samples by features. A square X that
    cross-validation can cut is a sparse matrix or an array: not a graph of networkx, nor
    a pandas DataFrame.

    New nodes have no rows of their own in the power 0: `self_influence` does not reach
    them. Their rows of X tell the targets of their edges. Where sources are averaged,
    too or instead, that is not enough, unless X is symmetric: `transform`, and so
    cross-validation, is an error then. ``orientation="reverse"`` is "natural" on ``X.T``, and
    "undirected" is "natural" on ``X + X.T``; slices of these are the inductive case.

    References
    ----------
    H. Chen, S. F. Sultan, Y. Tian, M. Chen, S. Skiena. Fast and accurate network
    embeddings via very sparse random projection. CIKM 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.embedding import FastRP
    >>> A = np.kron(np.eye(2), np.ones((4, 4)))  # two groups of four
    >>> model = FastRP(8, random_state=0).fit(A[1:, 1:])
    >>> new = model.transform(A[:1, 1:])  # the first node was not in the graph
    >>> bool(np.allclose(new, model.embedding_[0])), model.embedding_.shape
    (True, (7, 7))
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "weights": ["array-like"],
        "normalization_strength": [_ANY],
        "similarity": [StrOptions(set(SIMILARITIES))],
        "projection": [StrOptions(set(PROJECTIONS)), "array-like"],
        "self_influence": [_ANY],
        "orientation": [StrOptions(set(ORIENTATIONS))],
        "bipartite": ["boolean"],
        "feature_ratio": [Interval(Real, 0, 1, closed="both")],
        "refine": ["boolean", Interval(Integral, 0, None, closed="left")],
        "storage": [StrOptions(set(STORAGES))],
        "keep_powers": ["boolean"],
        "random_state": ["random_state", np.random.Generator],
        "device": [StrOptions({"cpu", "cuda"}), None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components=128,
        *,
        weights=(0.0, 1.0, 1.0),
        normalization_strength=0.0,
        similarity="walk",
        projection="hashed",
        self_influence=0.0,
        orientation="natural",
        bipartite=False,
        feature_ratio=0.0,
        refine=False,
        storage="float32",
        keep_powers=True,
        random_state=None,
        device=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.weights = weights
        self.normalization_strength = normalization_strength
        self.similarity = similarity
        self.projection = projection
        self.self_influence = self_influence
        self.orientation = orientation
        self.bipartite = bipartite
        self.feature_ratio = feature_ratio
        self.refine = refine
        self.storage = storage
        self.keep_powers = keep_powers
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y=None, *, features=None, node_ids=None):
        """Embed the nodes of a graph.

        Parameters
        ----------
        X : sparse matrix, array_like, or networkx graph, of shape (n_nodes, n_nodes)
            Adjacency: ``X[i, j]`` is the weight of the edge from node i to node j. Of
            shape (n_nodes, n_columns) if ``bipartite=True``.
        y : None
            Ignored.
        features : array_like or sparse matrix of shape (n_nodes, n_features), default=None
            Features of the nodes, if `feature_ratio` is not zero. Of a bipartite graph,
            those of the columns follow those of the rows.
        node_ids : sequence of int or of str, default=None
            Distinct; what the random rows depend on, instead of positions.

        Returns
        -------
        self : FastRP

        Raises
        ------
        ValueError
            If X, a parameter, the features or the ids are not what is described here.
        """
        model = Model.check(
            self.weights, self.self_influence, self.normalization_strength, self.similarity,
            self.orientation, self.bipartite, self.projection, self.feature_ratio, self.refine,
            self.storage, self.random_state,
        )  # fmt: skip
        device = resolve_device(self.device, getattr(X, "indptr", X))
        n_threads = thread_count()
        X = self._check_adjacency(X, reset=True)
        graph = model.graph(X, n_threads, "X")
        n_components = clip_components(int(self.n_components), len(graph.start))
        projection = model.start(len(graph.start), n_components, features, node_ids)
        with Progress(self, self.verbose) as progress:
            embedding = model.embed(
                device, graph, projection, n_components, self.keep_powers, n_threads, progress
            )
        self._n_rows, self.n_components_ = graph.n_rows, n_components
        self._divisors = graph.divisors
        directed = self.keep_powers and self.orientation != "natural" and not is_symmetric(X)
        self._transforms = not directed
        return self._set_embedding(model.weights, embedding)

    def fit_transform(self, X, y=None, *, features=None, node_ids=None):
        """Embed the nodes of a graph, and return the embeddings.

        Parameters
        ----------
        X : sparse matrix, array_like, or networkx graph, of shape (n_nodes, n_nodes)
            As for :meth:`fit`.
        y : None
            Ignored.
        features : array_like or sparse matrix of shape (n_nodes, n_features), default=None
            As for :meth:`fit`.
        node_ids : sequence of int or of str, default=None
            As for :meth:`fit`.

        Returns
        -------
        embedding : ndarray of shape (n_nodes, d), with d = `n_components_`
        """
        return self.fit(X, features=features, node_ids=node_ids).embedding_

    def transform(self, X):
        """Embed nodes from their edges to those of the graph.

        Parameters
        ----------
        X : sparse matrix or array_like of shape (n_new, n_nodes)
            Weights of the edges from the new nodes to those of fit; of a bipartite graph,
            to those in the columns.

        Returns
        -------
        embedding : ndarray of shape (n_new, d), with d = `n_components_`
            Of a node of fit, the same as there if its row is given, without
            `self_influence`. Zeros for a row without edges; if `refine`, not zeros, but
            the same for all of them.

        Raises
        ------
        ValueError
            If X is not what is described here, the powers were not kept, or the graph of fit
            was directed and the orientation not "natural".
        """
        check_is_fitted(self)
        self._require_powers("transform")
        if not self._transforms:
            raise ValueError(
                f"transform needs orientation='natural', since X is directed and its rows do not "
                f"tell all that orientation={self.orientation!r} averages: pass "
                f"{'X.T' if self.orientation == 'reverse' else 'X + X.T'} to fit, and rows of that "
                "to transform"
            )
        X = self._check_adjacency(X, reset=False)
        n_threads, first = thread_count(), self._n_rows if self.bipartite else 0
        divisors = None if self._divisors is None else self._divisors[first:]
        rows = new_rows(X, divisors, self.embedding_.dtype, n_threads, "X")
        return to_host(self._embedding.of_new(rows, self.weights_, first, n_threads))

    def reweight(self, weights, self_influence=0.0):
        """Give the powers other weights, which takes a small part of a fit's time.

        Parameters
        ----------
        weights : sequence of float
            Of the powers 1, 2, ..., no more than were kept by `fit`.
        self_influence : float, default=0.0
            Of the power 0.

        Returns
        -------
        self : FastRP
            With new `embedding_` and `weights_`; the former array is left as it is, and so
            is the parameter `weights`, which a clone starts from.

        Raises
        ------
        ValueError
            If the weights are not what is described here, or the powers were not kept.
        """
        check_is_fitted(self)
        self._require_powers("reweight")
        weights = check_weights(weights, self_influence, self.embedding_.dtype)
        most = len(self._embedding.powers) - 1
        if len(weights) - 1 > most:
            raise ValueError(
                f"weights has {len(weights) - 1} entries, but fit has kept the powers 1 to {most}"
            )
        return self._set_embedding(weights, self._embedding.reweighted(weights, thread_count()))

    def _set_embedding(self, weights, result):
        embedding = to_host(result.values)
        self._embedding, self.weights_ = result, weights
        self.embedding_ = embedding[: self._n_rows]
        self.column_embedding_ = embedding[self._n_rows :] if self.bipartite else None
        return self

    def _require_powers(self, method):
        if not self._embedding.powers:
            raise ValueError(f"{method} needs the powers: fit with keep_powers=True")

    def _check_adjacency(self, X, *, reset):
        dense = not (sparse.issparse(X) or is_networkx(X) or hasattr(X, "indptr"))
        X = X if dense else as_csr(X, "X")
        X = validate_data(
            self, X, reset=reset, accept_sparse="csr", dtype="numeric",
            ensure_min_samples=2 if reset and not self.bipartite else 1,
        )  # fmt: skip
        return as_csr(X, "X") if dense else X

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        needs_degrees = self.similarity != "adjacency" or self.normalization_strength
        tags.input_tags.pairwise = not self.bipartite
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = bool(needs_degrees)
        double = self.storage == "float64"
        tags.transformer_tags.preserves_dtype = ["float64" if double else "float32"]
        return tags
